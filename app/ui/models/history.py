"""Undo and redo without limit: every change of what is edited is a command on a QUndoStack."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

T = TypeVar("T")


class History(QObject, Generic[T]):
    """What is edited as it is now, a value that is never changed in place; and the way back."""

    changed = Signal()
    """The value is another one."""

    def __init__(self, value: T, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self.value = value

    def apply(self, value: T, words: str, *, merging: str = "") -> None:
        """Go to another value; ``words`` say what was done.

        Changes that follow each other with the same ``merging`` are undone together.
        """
        if value != self.value:
            self.stack.push(_Change(self, self.value, value, words, merging))

    def begin(self, value: T) -> None:
        """Start from this value, with nothing to undo; nobody is told."""
        self.stack.clear()
        self.value = value

    def show(self, value: T) -> None:
        """Make this the value as it is now; for commands of the stack."""
        if value != self.value:
            self.value = value
            self.changed.emit()


class _Change(QUndoCommand):
    def __init__(self, history: History[Any], before: object, after: object, words: str, merging: str) -> None:
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
