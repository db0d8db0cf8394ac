"""Which numbers are withheld, so that no small one can be computed from those that are shown.

A small number is one from 1 to ``least`` − 1, and 0 too where zeros are hidden. It is withheld; and where it could be
computed from totals and its neighbours, the next smallest of them is withheld as well. The measure is what somebody
knows who reads all that is shown and that patients are whole and not negative: for everything that is withheld there
must remain a choice of at least ``least`` numbers. Nothing says which of the numbers withheld are the small ones.

Only numbers that are one set of patients cut in pieces are looked at together here: the groups of one line, a table
with its totals, the steps of a funnel. Cohorts of different questions that overlap are the budget's matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.analysis.spread import Floats

SHOWN, HIDDEN = "shown", "hidden"
ROUNDINGS = (0, 5, 10)
_MOST_UNKNOWN = 120
"""With more numbers withheld in a table, its totals go instead of looking for the fewest neighbours."""
_NEAR = 1e-6
_UNBOUNDED = 3
"""What linprog says of something that can be as large as it likes."""

Place = tuple[int, int]


@dataclass(frozen=True)
class Rules:
    """What may be shown: 1 to ``smallest`` − 1 are withheld (0 or 1: nothing is), and 0 unless ``zeros`` are shown.

    Shown counts are rounded to multiples of ``rounding`` (0: not at all).
    """

    smallest: int = 0
    zeros: str = SHOWN
    rounding: int = 0

    @property
    def withholds(self) -> bool:
        """Whether any number is withheld."""
        return self.smallest > 1

    @property
    def changes(self) -> bool:
        """Whether anything is shown otherwise than it is."""
        return self.withholds or self.rounding > 1

    def small(self, value: float) -> bool:
        """Return whether a number is withheld for what it is."""
        return self.withholds and value < self.smallest and (value > 0 or self.zeros == HIDDEN)

    def fine(self, value: float) -> bool:
        """Return whether a number may be told."""
        return not self.small(value)

    @property
    def floor(self) -> int:
        """The least that a number can be of which nothing is known but that it is withheld."""
        return 0 if self.zeros == HIDDEN else 1

    def spare(self, value: float) -> bool:
        """Return whether a number can be withheld for another one's sake: who sees a zero withheld would know more."""
        return value >= self.floor

    def rounded(self, value: float) -> float:
        """Return a count as it is shown; halves go up."""
        if self.rounding < 2:
            return value
        return float((int(value) + self.rounding // 2) // self.rounding * self.rounding)


# --- one line -----------------------------------------------------------------------------------------------------


def line(
    values: Sequence[float],
    rules: Rules,
    forced: frozenset[int] = frozenset(),
    floors: Sequence[int] | None = None,
) -> tuple[frozenset[int], bool]:
    """Return which of ``values`` are withheld, and whether their total is: it is the last to go.

    ``forced`` are withheld whatever they are; ``floors`` is the least that each can be known to be once it is withheld,
    where it is the sum of several that are.
    """
    total = sum(values)
    lowest = [rules.floor] * len(values) if floors is None else floors
    withheld = {place for place, value in enumerate(values) if rules.small(value)} | forced
    if rules.small(total):  # whoever knows all parts knows it
        return frozenset(withheld | {place for place, value in enumerate(values) if rules.spare(value)}), True
    while withheld and _choice([(values[place], lowest[place]) for place in withheld]) < rules.smallest:
        others = [place for place, value in enumerate(values) if place not in withheld and rules.spare(value)]
        if not others:
            return frozenset(withheld), True
        withheld.add(min(others, key=lambda place: (values[place], place)))
    return frozenset(withheld), False


def _choice(withheld: Sequence[tuple[float, int]]) -> float:
    """Return how many numbers each of the withheld ones can be (value, floor) of which all together are known."""
    return sum(value - floor for value, floor in withheld) + 1 if len(withheld) > 1 else 1


# --- a table with its totals --------------------------------------------------------------------------------------


def table(
    cells: Sequence[Sequence[float]],
    rules: Rules,
    forced: frozenset[Place] = frozenset(),
    floors: Sequence[Sequence[int]] | None = None,
) -> frozenset[Place]:
    """Return the places that are withheld in a table whose last row and column are its totals.

    ``cells`` are without the totals, which are added here; ``forced`` and ``floors`` as for :func:`line`.
    """
    whole = _Table(_with_totals(cells), _floors(cells, floors, rules), rules)
    found = {place for place in np.ndindex(*whole.values.shape) if rules.small(float(whole.values[place]))} | set(
        forced
    )
    while found:
        exposed = whole.exposed(found) if len(found) <= _MOST_UNKNOWN else sorted(found)
        if not exposed:
            break
        more = {place for each in exposed if (place := whole.next(found, each)) is not None}
        if not more or len(found) > _MOST_UNKNOWN:
            return whole.without_totals(found)
        found |= more
    return frozenset(found)


def _with_totals(cells: Sequence[Sequence[float]]) -> Floats:
    whole = np.asarray(cells, float)
    whole = np.hstack([whole, whole.sum(1, keepdims=True)])
    return np.vstack([whole, whole.sum(0, keepdims=True)])


def _floors(cells: Sequence[Sequence[float]], floors: Sequence[Sequence[int]] | None, rules: Rules) -> Floats:
    """Return what each number is at the least once it is withheld; totals follow from their parts."""
    inside = np.full(np.shape(cells), float(rules.floor)) if floors is None else np.asarray(floors, float)
    return np.pad(inside, (0, 1), constant_values=float(rules.floor))


@dataclass(frozen=True)
class _Table:
    """A table with its totals, and what each number is at the least once it is withheld."""

    values: Floats
    floors: Floats
    rules: Rules

    @property
    def lines(self) -> list[list[Place]]:
        """All rows and columns; the last place of each is the total of the others."""
        rows, columns = self.values.shape
        return [[(i, j) for j in range(columns)] for i in range(rows)] + [
            [(i, j) for i in range(rows)] for j in range(columns)
        ]

    def at(self, place: Place) -> float:
        """Return the number at a place."""
        return float(self.values[place])

    def choice(self, places: Iterable[Place]) -> float:
        """Return how many numbers each of these can be if all together are known."""
        return _choice([(self.at(place), int(self.floors[place])) for place in places])

    def next(self, found: set[Place], exposed: Place) -> Place | None:
        """Return what else is withheld to protect an exposed place: the smallest that tells of it."""
        tight: list[Place] = []
        loose: list[Place] = []
        for each in self.lines:
            if exposed not in each:
                continue
            others = [place for place in each[:-1] if place not in found and self.rules.spare(self.at(place))]
            if not others and each[-1] not in found:
                others = [each[-1]]
            narrow = each[-1] not in found and self.choice(found.intersection(each)) < self.rules.smallest
            (tight if narrow else loose).extend(others)
        return min(tight or loose, key=lambda place: (self.at(place), place), default=None)

    def exposed(self, found: set[Place]) -> list[Place]:
        """Return the withheld places of which somebody who knows the others can tell too closely what they are."""
        from scipy.optimize import linprog  # noqa: PLC0415 - slow to load, and most results need none

        unknown = sorted(found)
        known = self.values.copy()
        known[tuple(zip(*unknown, strict=True))] = 0
        equations: list[list[float]] = []
        sums: list[float] = []
        for each in self.lines:
            signs = {place: -1.0 if place == each[-1] else 1.0 for place in each}
            if found.intersection(each):
                equations.append([signs.get(place, 0.0) for place in unknown])
                sums.append(-sum(sign * float(known[place]) for place, sign in signs.items()))
        bounds = [(float(self.floors[place]), None) for place in unknown]
        exposed = []
        for number, place in enumerate(unknown):
            aim = [0.0] * len(unknown)
            ends = []
            # rows and columns are totally unimodular: the ends are whole numbers, as patients are
            for sign in (1.0, -1.0):
                aim[number] = sign
                ends.append(linprog(aim, A_eq=equations, b_eq=sums, bounds=bounds, method="highs"))
            if any(end.status == _UNBOUNDED for end in ends):
                continue
            if any(end.status for end in ends) or -ends[1].fun - ends[0].fun + 1 < self.rules.smallest - _NEAR:
                exposed.append(place)
        return exposed

    def without_totals(self, found: set[Place]) -> frozenset[Place]:
        """Return what is withheld where the totals of all rows and columns with something withheld go as well: then
        only what all of these cells are together can be known."""
        last = self.values.shape[0] - 1, self.values.shape[1] - 1
        cells = [place for place in np.ndindex(*self.values.shape) if place[0] < last[0] and place[1] < last[1]]
        hidden = {place for place in cells if place in found}
        totals = found - hidden
        while hidden and last not in totals and self.choice(hidden) < self.rules.smallest:
            others = [place for place in cells if place not in hidden and self.rules.spare(self.at(place))]
            if not others:
                totals = totals | {last}
                break
            hidden.add(min(others, key=lambda place: (self.at(place), place)))
        around = {(i, last[1]) for i, _ in hidden} | {(last[0], j) for _, j in hidden}
        return frozenset(hidden | totals | around)


# --- a funnel -----------------------------------------------------------------------------------------------------


def steps(rows: Sequence[Sequence[float]], rules: Rules) -> frozenset[int] | None:
    """Return which steps of a funnel are withheld, the same ones in all ``rows``; None if nothing can be shown.

    Who is lost between two steps that are shown is told by them: so many must be none, or not few. Those between the
    first and the last step go before these do.
    """
    count = len(rows[0])

    def apart(one: int, other: int) -> bool:
        return all(rules.fine(row[one] - row[other]) or row[one] == row[other] for row in rows)

    fine = [step for step in range(count) if all(rules.fine(row[step]) for row in rows)]
    if not fine:
        return None
    kept = fine[:1]
    for step in fine[1:]:
        while len(kept) > 1 and step == fine[-1] and not apart(kept[-1], step):
            kept.pop()
        if apart(kept[-1], step):
            kept.append(step)
    return frozenset(range(count)) - frozenset(kept)
