"""The funnels that were released: what stands beside the cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.ui.bridge import Caller
from app.ui.models.board import Board

_LATEST, _MOST = 60, 8
"""So many of the latest questions are looked at, and so many funnels among them."""


class Released(QObject):
    """Asks for this site's questions and, of the released funnels among them, for their results: each once."""

    def __init__(self, view: QObject, board: Board, bridge: Caller) -> None:
        super().__init__(view)
        self._view, self._board, self._bridge = view, board, bridge
        self._known: dict[str, Mapping[str, Any]] = {}
        self._order: list[str] = []

    def refresh(self) -> None:
        """Look for funnels that are not known yet."""
        self._bridge.call("query.list", {"most": _LATEST}, of=self._view, done=self._take_list, failed=self._silent)

    def _take_list(self, found: Result) -> None:
        funnels = [each for each in found["queries"] if each.get("analysis") == "attrition" and each.get("answer")]
        self._order = [str(each["id"]) for each in funnels[:_MOST]]
        for id in self._order:
            if id not in self._known:
                self._known[id] = {}
                self._bridge.call("query.show", {"id": id}, of=self._view, done=self._take, failed=self._silent)
        self._show()

    def _take(self, found: Result) -> None:
        self._known[str(found["id"])] = found
        self._show()

    def _show(self) -> None:
        self._board.set_runs(self._known[id] for id in self._order if self._known.get(id))

    def _silent(self, _error: ConsiliumError) -> None:
        """Nothing stands beside the cards then; the Results screen says what is wrong."""
