"""Undo and redo without limit: every change of the criteria is a command on a QUndoStack."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.ui.models.criteria import Criteria


class History(QObject):
    """The criteria as they are now, and the way back."""

    changed = Signal()
    """The criteria are other ones."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self.criteria = Criteria()

    def apply(self, criteria: Criteria, words: str, *, merging: str = "") -> None:
        """Go to other criteria; ``words`` say what was done.

        Changes that follow each other with the same ``merging`` are undone together.
        """
        if criteria != self.criteria:
            self.stack.push(_Change(self, self.criteria, criteria, words, merging))

    def begin(self, criteria: Criteria) -> None:
        """Start from these criteria, with nothing to undo."""
        self.stack.clear()
        self.show(criteria)

    def show(self, criteria: Criteria) -> None:
        """Make these the criteria as they are now; for commands of the stack."""
        if criteria != self.criteria:
            self.criteria = criteria
            self.changed.emit()


class _Change(QUndoCommand):
    def __init__(self, history: History, before: Criteria, after: Criteria, words: str, merging: str) -> None:
        super().__init__(words)
        self._history, self._before, self._after, self._merging = history, before, after, merging

    def id(self) -> int:
        return 1 if self._merging else -1

    def mergeWith(self, other: QUndoCommand) -> bool:  # noqa: N802 - Qt's name
        if not isinstance(other, _Change) or other._merging != self._merging:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        self._history.show(self._after)

    def undo(self) -> None:
        self._history.show(self._before)
