"""Where the numbers of a query lie among those that are opened, and how they are read.

All sites put the same number in the same place, so that their packed contributions add up. Where each site's own
numbers are told, every site has places of its own and leaves the others empty. A number that the whole federation
could take past the plaintext modulus is kept in several places, each for some blocks of some sites: the same blocks of
the sites that share a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.crypto.packing import packed_size
from app.core.crypto.parameters import ParameterSet
from app.core.errors import UserError
from app.core.query.cells import MOST_CELLS, Cell

_ROOM = 8
"""One part in so many of the plaintext modulus is left for the noise that sites add."""


@dataclass(frozen=True, slots=True)
class Placing:
    """The places of the cells, one after another; where each site is told, all of a site's before the next one's."""

    cells: tuple[Cell, ...]
    parameters: ParameterSet
    per_site: bool
    blocks: tuple[int, ...]
    """Blocks of each contributor's dataset, at the most."""
    spans: tuple[int, ...]
    """How many blocks of a contributor share a place, for each cell."""
    sharers: tuple[int, ...]
    """How many contributors share a place, for each cell."""
    first: tuple[int, ...]
    """The first place of each cell among those of a site, or of all sites together; the number of places at the end."""

    @property
    def results(self) -> int:
        """How many numbers are opened: a power of two."""
        return packed_size(self.first[-1] * (len(self.blocks) if self.per_site else 1))

    def place(self, contributor: int, cell: int, block: int) -> int:
        """Return the place that a block of the ``contributor``-th contributing site adds a cell's number to."""
        within = self.first[cell] + block // self.spans[cell]
        if self.per_site:
            return contributor * self.first[-1] + within
        return within + contributor // self.sharers[cell] * -(-max(self.blocks) // self.spans[cell])

    def ranges(self, contributor: int, cell: int, blocks: int) -> list[tuple[int, int, int]]:
        """Return (place, first, end): which of a contributor's ``blocks`` blocks are in each place of a cell."""
        span = self.spans[cell]
        cuts = [(first, min(first + span, blocks)) for first in range(0, blocks, span)]
        return [(self.place(contributor, cell, first), first, end) for first, end in cuts]

    def draws(self, contributor: int, cell: int) -> int:
        """Return how many draws of noise a contributor adds to a cell's number at the most: one a place."""
        return -(-self.blocks[contributor] // self.spans[cell])

    def read(self, opened: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Return the cells' numbers from those that were opened (centred modulo t): one row, or one a contributor."""
        count = self.first[-1]
        rows = range(len(self.blocks)) if self.per_site else range(1)
        cells = range(len(self.cells))
        return tuple(tuple(self._number(opened[row * count :], cell) for cell in cells) for row in rows)

    def _number(self, opened: Sequence[int], cell: int) -> int:
        low, high = self.cells[cell].bounds
        modulus, total = self.parameters.plain_modulus, 0
        together = self.spans[cell] * (1 if self.per_site else self.sharers[cell])
        middle = (low + high) * min(together, sum(self.blocks)) * self.parameters.slots // 2
        for place in range(self.first[cell], self.first[cell + 1]):
            shifted = (opened[place] - middle) % modulus
            total += middle + (shifted - modulus if shifted > modulus // 2 else shifted)
        return total


def placed(cells: Sequence[Cell], parameters: ParameterSet, blocks: Sequence[int], *, per_site: bool) -> Placing:
    """Return the places for datasets of so many ``blocks`` at the contributing sites.

    Raises UserError ``query.too_many_results`` if there are more than :data:`MOST_CELLS`.
    """
    largest, together = max(blocks), sum(blocks)
    spans, sharers, first = [], [], [0]
    for cell in cells:
        low, high = cell.bounds
        room = parameters.plain_modulus * (_ROOM - 1) // _ROOM // ((high - low) * parameters.slots)
        if room < 1:
            raise UserError("query.number_too_large", cell=" ".join(cell.label))
        sharers.append(len(blocks) if together <= room else min(room, len(blocks)))
        # the same where each site's numbers are told: its noise is then the same as in the total
        spans.append(largest if together <= room else room // sharers[-1])
        groups = 1 if per_site else -(-len(blocks) // sharers[-1])
        first.append(first[-1] + groups * -(-largest // spans[-1]))
    made = Placing(tuple(cells), parameters, per_site, tuple(blocks), tuple(spans), tuple(sharers), tuple(first))
    if made.results > MOST_CELLS:
        raise UserError("query.too_many_results", count=made.results, most=MOST_CELLS)
    return made
