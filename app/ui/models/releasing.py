"""What answering a question would let out: how many numbers, whose, and how much our own noise changes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from app.core.catalogue.model import Catalogue
from app.core.disclosure.sensitivity import sensitivities
from app.core.query.cells import cells_of
from app.core.query.model import Query
from app.texts import preferred_language

_USUAL = 0.95


@dataclass(frozen=True)
class Releasing:
    """``analysis`` names it; ``variables`` are the labels of those that it is about (not those of the cohort).

    ``numbers`` are opened, or so many of each site if ``per_site``. The noise of those that count patients is scaled by
    ``counts`` over ε; ``sums`` is whether there are others, whose noise is larger as what they add up is.
    """

    analysis: str
    variables: tuple[str, ...]
    numbers: int
    per_site: bool
    counts: int
    sums: bool

    @classmethod
    def of(cls, query: Query, catalogue: Catalogue) -> Releasing:
        """Return what ``query`` would let out; raises UserError as :func:`app.core.query.cells.cells_of`."""
        cells = cells_of(query, catalogue)
        scaled = sensitivities(cells)
        counting = [cell.bounds == (0, 1) for cell in cells.cells]
        return cls(
            analysis=query.analysis.name,
            variables=tuple(catalogue.variable(code).label.text(preferred_language()) for code in query.analysis.codes),
            numbers=len(cells.cells),
            per_site=query.per_site,
            counts=max((scale for scale, counts in zip(scaled, counting, strict=True) if counts), default=1),
            sums=not all(counting),
        )


def usual_noise(epsilon: str, scaled: int = 1) -> int:
    """Return how far one site's noise usually (19 times in 20) moves a number; 0 for an exact one (no ``epsilon``).

    ``scaled`` is what the noise is scaled by, over ε.
    """
    if not epsilon:
        return 0
    rate = float(Fraction(epsilon) / scaled)
    # P(|x| > w) = 2 a^(w+1) / (1 + a) with a = exp(-rate) for the discrete Laplace distribution
    within = -math.log((1 - _USUAL) * (1 + math.exp(-rate)) / 2) / rate - 1
    return max(1, math.ceil(within))
