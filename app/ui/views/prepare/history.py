"""Undo and redo without limit for the mapping."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

Mapping = dict[str, Any]


class MappingHistory(QObject):
    """The mapping as it stands, and the way back."""

    changed = Signal()

    def __init__(self, mapping: Mapping, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self.mapping = mapping

    def apply(self, mapping: Mapping, words: str, *, merging: str = "") -> None:
        """Go to another mapping; changes that follow each other with the same ``merging`` are undone together."""
        if mapping != self.mapping:
            self.stack.push(_Change(self, self.mapping, mapping, words, merging))

    def begin(self, mapping: Mapping) -> None:
        """Start from this mapping, with nothing to undo; nobody is told."""
        self.stack.clear()
        self.mapping = mapping

    def show(self, mapping: Mapping) -> None:
        """Make this the mapping as it stands; for commands of the stack."""
        self.mapping = mapping
        self.changed.emit()


class _Change(QUndoCommand):
    def __init__(self, history: MappingHistory, before: Mapping, after: Mapping, words: str, merging: str) -> None:
        super().__init__(words)
        self._history, self._before, self._after, self._merging = history, before, after, merging

    def id(self) -> int:
        return 2 if self._merging else -1

    def mergeWith(self, other: QUndoCommand) -> bool:  # noqa: N802 - Qt's name
        if not isinstance(other, _Change) or other._merging != self._merging:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        self._history.show(self._after)

    def undo(self) -> None:
        self._history.show(self._before)
