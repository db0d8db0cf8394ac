"""The head of Explore: what is being built and whether it is kept, undo and redo; and the shortcuts of the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QWidget
from shiboken6 import isValid

from app.texts import text
from app.ui.models.board import Board
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.layout import row
from app.ui.widgets.text import ElidedLabel, Label

if TYPE_CHECKING:
    from app.ui.views.explore.screen import ExploreView


class Header(QFrame):
    """The title with its state, and the buttons beside it."""

    def __init__(self, board: Board, begin_new: Callable[[], object]) -> None:
        super().__init__()
        set_role(self, role="header")
        self._stack = board.history.stack
        self.title = ElidedLabel(text("ui.explore.new_query"), Style.TITLE)
        self.state = Label("", Style.SMALL, "text2")
        self.undo = IconButton("undo", text("ui.explore.undo"), pressed=self._stack.undo)
        self.redo = IconButton("redo", text("ui.explore.redo"), pressed=self._stack.redo)
        self.cohorts = Button(text("ui.explore.saved_cohorts"))
        self.new = Button(text("ui.explore.new_query"), icon_name="plus", pressed=begin_new)
        title = row(self.title, self.state, gap=12)
        title.setStretchFactor(self.title, 1)
        head = row(gap=8, margins=(20, 0, 16, 0))
        head.addLayout(title, 1)
        for each in (self.undo, self.redo, self.cohorts, self.new):
            head.addWidget(each)
        self.setLayout(head)
        self.setFixedHeight(max(52, self.fontMetrics().height() + 24))
        for changed in (self._stack.canUndoChanged, self._stack.canRedoChanged, self._stack.indexChanged):
            changed.connect(self._show_history)
        self._show_history()

    def show_ready(self, ready: bool) -> None:
        """Show the buttons, once there is something to build."""
        for each in (self.undo, self.redo, self.cohorts, self.new, self.state):
            each.setVisible(ready)

    def show_draft(self, name: str, version: int, *, waits: bool, empty: bool) -> None:
        """Show which cohort is edited, if any, and whether all changes are kept."""
        self.title.set_whole(name or text("ui.explore.new_query"))
        if empty and not name:
            self.state.setText("")
        elif waits:
            self.state.setText(text("ui.explore.saving"))
        elif name and version:
            self.state.setText(text("ui.explore.version_kept", version=version))
        else:
            self.state.setText(text("ui.explore.kept"))

    def _show_history(self, *_changed: object) -> None:
        stack = self._stack
        if not isValid(stack):  # it still speaks while it dies
            return
        self.undo.setEnabled(stack.canUndo())
        self.redo.setEnabled(stack.canRedo())
        undo = text("ui.explore.undo_it", what=stack.undoText()) if stack.canUndo() else text("ui.explore.undo")
        redo = text("ui.explore.redo_it", what=stack.redoText()) if stack.canRedo() else text("ui.explore.redo")
        self.undo.set_name(undo)
        self.redo.set_name(redo)


def add_shortcuts(view: ExploreView) -> None:
    """Give the screen its shortcuts; those about cards only work among the cards."""

    def key(keys: str | QKeySequence.StandardKey, do: Callable[[], object], of: QWidget) -> None:
        made = QShortcut(QKeySequence(keys), of)
        made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        made.activated.connect(do)

    standard, canvas = QKeySequence.StandardKey, view.canvas
    key(standard.Undo, view.board.history.stack.undo, view)
    key(standard.Redo, view.board.history.stack.redo, view)
    key(standard.Find, view.search, view)
    key(standard.Save, lambda: view.saved.ask_name(view.fail, view.draft.name), view)
    key("Ctrl+Return", view.ask_by_key, view)
    for keys, do in (
        (standard.Copy, lambda: canvas.copy(canvas.focused())),
        (standard.Cut, lambda: canvas.cut(canvas.focused())),
        (standard.Paste, canvas.paste),
        ("Ctrl+D", lambda: canvas.duplicate(canvas.focused())),
        ("Alt+Up", lambda: canvas.move_part(canvas.focused(), -1)),
        ("Alt+Down", lambda: canvas.move_part(canvas.focused(), 1)),
    ):
        key(keys, do, canvas)
