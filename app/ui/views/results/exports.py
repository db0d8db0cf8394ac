"""The export menu: what can be saved of an answer, and saving it with the command of the same power."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QDir, QStandardPaths, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.icons import icon


@dataclass(frozen=True)
class Kind:
    """What can be saved: the ``format`` of ``query export``, its suffix and its icon."""

    format: str
    suffix: str
    icon: str


KINDS = (
    Kind("png", "png", "bars"),
    Kind("svg", "svg", "bars"),
    Kind("pdf", "pdf", "file"),
    Kind("csv", "csv", "table"),
    Kind("bundle", "zip", "export"),
)


class ExportMenu(QMenu):
    """The formats, and copying the figure or the table."""

    def __init__(
        self,
        parent: QWidget,
        save: Callable[[Kind], object],
        copy: Callable[[], object],
        copy_table: Callable[[], object],
    ) -> None:
        super().__init__(parent)
        self.setToolTipsVisible(True)
        for kind in KINDS:
            if kind.format == "bundle":
                self.addSeparator()
            self.addAction(self._action(kind, save))
        self.addSeparator()
        self.copy_action = self._copying(text("ui.results.export.copy"), "Ctrl+Shift+C", copy)
        self.table_action = self._copying(text("ui.results.copy_table"), "Ctrl+Shift+T", copy_table)

    def _copying(self, words: str, keys: str, copy: Callable[[], object]) -> QAction:
        made = QAction(icon("copy"), words, self)
        made.setShortcut(QKeySequence(keys))
        made.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        made.triggered.connect(lambda _checked=False: copy())
        self.addAction(made)
        return made

    def _action(self, kind: Kind, save: Callable[[Kind], object]) -> QAction:
        # what stands behind the tab is set at the right, like a shortcut
        made = QAction(icon(kind.icon), f"{text(f'ui.results.export.{kind.format}')}\t{kind.suffix.upper()}", self)
        made.setToolTip(text(f"ui.results.export.{kind.format}_why"))
        made.triggered.connect(lambda _checked=False: save(kind))
        return made


def ask_file(parent: QWidget, run: Run, kind: Kind, chosen: Callable[[Path], object]) -> QFileDialog:
    """Ask where to save; the dialog asks before it replaces a file."""
    name = f"consilium-{run.id[:8]}.{kind.suffix}"
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    dialog = QFileDialog(parent, text("ui.results.export.title"), documents or QDir.homePath())
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(kind.suffix)
    dialog.setNameFilter(f"{text(f'ui.results.export.{kind.format}')} (*.{kind.suffix})")
    dialog.selectFile(name)
    dialog.fileSelected.connect(lambda file: chosen(Path(file)))
    dialog.open()
    return dialog
