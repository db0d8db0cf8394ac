"""The last step: the package, the words that go with it, and what to do with both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.core.files import disk_problems, write_atomic
from app.texts import text
from app.ui.locale import number, size
from app.ui.models.preparing_check import Sealed
from app.ui.preferences import Preferences
from app.ui.tokens import PANE, Style
from app.ui.views.prepare.keeping import keep_mapping
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.report import report_text
from app.ui.views.prepare.step import MARGINS, Step
from app.ui.views.prepare.summary import duration
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.feedback import Icon, Timeline, TimelineStep
from app.ui.widgets.layout import card, clear, column, frame, row, scrolling
from app.ui.widgets.text import Label

if TYPE_CHECKING:
    from app.ui.views.prepare.wizard import Surroundings


class PackageStep(Step):
    """Package and report. ``again`` begins another dataset."""

    name: ClassVar[str] = "package"

    def __init__(
        self, preparation: Preparation, preferences: Preferences, around: Surroundings, again: Callable[[], object]
    ) -> None:
        super().__init__(preparation)
        self._preferences, self._around, self._again = preferences, around, again
        self._shown: Sealed | None = None
        self._mapping = ""
        self._title = Label("", Style.TITLE, wrap=True)
        self._cards = column(gap=12)
        inside = column(self._title, self._cards, None, gap=12, margins=MARGINS)
        self.setLayout(column(scrolling(inside), gap=0))

    def show_state(self) -> None:
        """Show the package."""
        sealed = self.preparation.sealed
        if sealed is None or sealed is self._shown:
            return
        self._shown = sealed
        try:
            self._mapping = keep_mapping(self.preparation, self._preferences)
        except ConsiliumError as error:
            self._mapping = ""
            self.preparation.failed.emit(error)
        clear(self._cards)
        self._title.setText(text("ui.prepare.package.title", file=Path(sealed.path).name))
        self._cards.addWidget(card(self._facts(sealed), self._buttons(sealed), gap=14, padding=PANE))
        self._cards.addWidget(self._words(sealed))
        self._cards.addWidget(self._next())

    def _facts(self, sealed: Sealed) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(12)
        facts = [
            (text("ui.prepare.fact.place"), str(Path(sealed.path).parent)),
            (text("ui.prepare.fact.size"), size(sealed.size)),
            (text("ui.prepare.fact.patients"), number(sealed.patients)),
            (text("ui.prepare.fact.columns"), number(sealed.columns)),
            (
                text("ui.prepare.fact.rows"),
                text("ui.prepare.fact.rows_left", count=number(sealed.refused_rows), rows=number(sealed.rows)),
            ),
            (text("ui.prepare.fact.took"), duration(sealed.seconds) if sealed.seconds else "–"),
            (text("ui.prepare.fact.mapping"), self._mapping or "–"),
        ]
        for place, (name, value) in enumerate(facts):
            made = column(
                Label(name, Style.CAPTION, "text2"), Label(value, Style.BODY, wrap=True, selectable=True), gap=1
            )
            wide = 3 if place == len(facts) - 1 else 1
            grid.addLayout(made, place // 3, place % 3, 1, wide)
        for place in range(3):
            grid.setColumnStretch(place, 1)
        return grid

    def _buttons(self, sealed: Sealed) -> QHBoxLayout:
        folder = QUrl.fromLocalFile(str(Path(sealed.path).parent))
        buttons = row(gap=10)
        if self._around.import_package is not None and self.preparation.draft.own:
            take = self._around.import_package
            buttons.addWidget(
                Button(text("ui.prepare.import_here"), PRIMARY, icon_name="import", pressed=lambda: take(sealed.path))
            )
        buttons.addWidget(Button(text("ui.prepare.save_report"), icon_name="export", pressed=self._save_report))
        buttons.addWidget(
            Button(text("ui.prepare.show_folder"), icon_name="folder", pressed=lambda: QDesktopServices.openUrl(folder))
        )
        buttons.addStretch(1)
        return buttons

    def _words(self, sealed: Sealed) -> QWidget:
        words = Label(sealed.words, Style.QUESTION, wrap=True, selectable=True)
        digits = Label(
            text("ui.data.fingerprint", digits=sealed.digits), Style.CODE, "text2", wrap=True, selectable=True
        )
        title = row(Icon("phone", 18, "acc"), Label(text("ui.prepare.read_out"), Style.STRONG, wrap=True), gap=10)
        title.setStretch(1, 1)
        well = frame("well", column(words, margins=(14, 10, 14, 10)))
        return card(
            title,
            Label(text("ui.prepare.read_out_words"), Style.BODY, "text2", wrap=True),
            well,
            digits,
            gap=8,
            padding=PANE,
        )

    def _next(self) -> QWidget:
        steps = Timeline()
        steps.show_steps(
            [
                TimelineStep("done", text("ui.prepare.next.sealed"), text("ui.prepare.next.sealed_words")),
                TimelineStep("waiting", text("ui.prepare.next.carry"), text("ui.prepare.next.carry_words")),
                TimelineStep("later", text("ui.prepare.next.import"), text("ui.prepare.next.import_words")),
                TimelineStep("later", text("ui.prepare.next.again"), text("ui.prepare.next.again_words")),
            ]
        )
        return card(Label(text("ui.prepare.next.title"), Style.STRONG), 4, steps, padding=PANE)

    def _save_report(self) -> None:
        sealed = self.preparation.sealed
        if sealed is None:
            return
        proposed = str(Path(sealed.path).with_suffix(".md"))
        path, _ = QFileDialog.getSaveFileName(self, text("ui.prepare.save_report"), proposed, "Markdown (*.md)")
        if not path:
            return
        try:
            with disk_problems(Path(path)):
                write_atomic(Path(path), report_text(self.preparation, sealed).encode())
        except ConsiliumError as error:
            self.preparation.failed.emit(error)

    def answer(self) -> str:
        """What the button says."""
        return text("ui.prepare.another_dataset")

    def go_on(self) -> bool:
        """Begin another dataset."""
        self._again()
        return False
