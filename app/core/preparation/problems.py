"""What is wrong with the rows that were read: every problem with its place, kept up to a limit, counted beyond it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

KEPT = 1_000
"""How many problems of one sort are kept with their places; all of them are counted."""
SHOWN = 40
"""How much of a value a problem shows, in characters."""


class State(StrEnum):
    """What becomes of what has a problem."""

    REFUSED = "refused"
    """The row is left out."""
    EMPTY = "empty"
    """The value is left empty; the rest of the row is used."""
    REPAIRED = "repaired"
    """The value is used as it must have been meant."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. ``code`` is the key of its text (``csv.not_a_number``); ``row`` as a spreadsheet counts: the names
    of the columns are row 1. ``found`` is the value, cut to :data:`SHOWN`; ``used`` what a repaired one was read as."""

    code: str
    state: State
    file: str
    row: int | None = None
    column: str | None = None
    variable: str | None = None
    found: str | None = None
    used: str | None = None
    more: str | None = None
    """What else the text says: the range that is exceeded, the row with the same patient, …"""

    @property
    def sort(self) -> tuple[str, str, str, str]:
        """What problems that a person mends in one go have in common: code, file, column, variable."""
        return self.code, self.file, self.column or "", self.variable or ""


class Problems:
    """Collects problems. Iterating gives those that were kept, in the order in which they came."""

    def __init__(self) -> None:
        self._kept: list[Problem] = []
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._states: Counter[State] = Counter()

    def add(self, problem: Problem, count: int = 1) -> None:
        """Note a problem that ``count`` rows or values have; ``problem`` names the first of them."""
        if self._counts[problem.sort] < KEPT:
            self._kept.append(problem)
        self._counts[problem.sort] += count
        self._states[problem.state] += count

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._kept)

    def __len__(self) -> int:
        """All problems, those that were not kept included."""
        return self._counts.total()

    def count(self, state: State) -> int:
        """Return how many there are with this state."""
        return self._states[state]

    def counts(self) -> dict[tuple[str, str, str, str], int]:
        """Return how many there are of each :attr:`Problem.sort`."""
        return dict(self._counts)
