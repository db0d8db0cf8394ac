"""The numbers that a query opened, found by the labels of their cells, and linear combinations of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from app.core.analysis.spread import lattice_half_width, variance
from app.core.errors import Bug
from app.core.query.cells import Cells

Label = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What was opened: one number for each cell.

    ``scales`` are those of the discrete Laplace draw that each of ``sites`` sites added to a cell, aligned with the
    cells; none if the numbers are exact. Raises Bug ``analysis.numbers`` if the lengths differ.
    """

    cells: Cells
    values: tuple[int, ...]
    scales: tuple[Fraction, ...] = ()
    sites: int = 0
    _places: Mapping[Label, int] = field(init=False, repr=False, compare=False)
    _variances: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = len(self.cells.cells)
        if len(self.values) != count or len(self.scales) not in (0, count) or any(each <= 0 for each in self.scales):
            raise Bug("analysis.numbers", cells=count, values=len(self.values), scales=len(self.scales))
        object.__setattr__(self, "_places", {cell.label: index for index, cell in enumerate(self.cells.cells)})
        variances = tuple(self.sites * variance(scale) for scale in self.scales) if self.noised else (0.0,) * count
        object.__setattr__(self, "_variances", variances)

    @property
    def noised(self) -> bool:
        """Whether noise was added."""
        return bool(self.scales) and self.sites > 0

    def place(self, *label: str) -> int:
        """Return the index of the cell with this label."""
        return self._places[label]

    def has(self, *label: str) -> bool:
        """Return whether there is such a cell."""
        return label in self._places

    def value(self, *label: str) -> int:
        """Return the number of this cell as it was opened."""
        return self.values[self._places[label]]

    def variance(self, place: int) -> float:
        """Return the variance of the noise in a cell."""
        return self._variances[place]

    def width(self, places: Iterable[int], confidence: float) -> int:
        """Return how far noise may have moved the sum of these cells, at this confidence; 0 if they are exact."""
        if not self.noised:
            return 0
        return lattice_half_width(tuple(sorted(self.scales[place] for place in places)), self.sites, confidence)

    def sum(self, *labels: Label) -> Sum:
        """Return the sum of these cells."""
        return Sum.of(self, {self._places[label]: 1 for label in labels})

    def digits(self, base: int, *prefix: str) -> Sum:
        """Return Σ baseᵏ · the cell ``(*prefix, k)`` over all places k that there are."""
        weights: dict[int, int] = {}
        while self.has(*prefix, str(len(weights))):
            weights[self.place(*prefix, str(len(weights)))] = base ** len(weights)
        return Sum.of(self, weights)


@dataclass(frozen=True, slots=True)
class Sum:
    """An integer combination of opened numbers: its value, and the weight of each cell by its index."""

    value: int
    weights: Mapping[int, int]

    @classmethod
    def of(cls, numbers: Numbers, weights: Mapping[int, int]) -> Sum:
        """Return the combination with these weights."""
        return cls(sum(weight * numbers.values[place] for place, weight in weights.items()), weights)
