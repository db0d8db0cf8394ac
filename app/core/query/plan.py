"""What the planner decides and the evaluator does: arithmetic on sealed columns, as frozen values.

A *formula* is arithmetic modulo each prime on values of one degree in the secret; its result, of degree d, is a
ciphertext of d + 1 polynomials. A *stage* computes one formula for each block, relinearizes it and switches it down: a
new value of degree 1. A *final* formula is summed over blocks before its only relinearization. A *leaf* is one number
among those that are opened: a final, or a sum of columns, or both, over a range of blocks. The leaves are packed
(:mod:`app.core.crypto.packing`) where there are several places; a count is one leaf at the only place.

Values are numbered: 0 … columns − 1 are the plan's columns, the stages follow in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.catalogue import model as catalogue
from app.core.crypto.parameters import ParameterSet

PRESENT = (catalogue.PRESENT.variable, catalogue.PRESENT.part)
"""Variable code and part of the sealed column that says which slots hold a patient."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A new register: Σ weight·register + constant (the same in every slot)."""

    terms: tuple[tuple[int, int], ...]
    """(register, weight), weights centred modulo t."""
    constant: int


@dataclass(frozen=True, slots=True)
class Product:
    """A new register: the product of two others."""

    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Formula:
    """Registers 0 … sources − 1 are values; each step makes the next one; the last, the result, is a product or a sum
    of at least one: nothing of it is reduced before it is added up."""

    sources: tuple[int, ...]
    steps: tuple[Sum | Product, ...]
    degrees: tuple[int, ...]
    """Degree in the secret of every register."""

    @property
    def degree(self) -> int:
        """Degree of the result."""
        return self.degrees[-1]

    @property
    def products(self) -> int:
        """How many products one block takes."""
        return sum(isinstance(step, Product) for step in self.steps)


@dataclass(frozen=True, slots=True)
class Stage:
    """One formula for each block, relinearized at ``level`` primes and switched down to each of ``outputs``.

    A formula of degree 1, a sum of columns that share ciphertexts, is extracted instead.
    """

    formula: Formula
    level: int
    outputs: tuple[int, ...]
    """Levels at which the value is needed, descending, all below ``level``."""


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A sealed column that is read: its place in the dataset, and how many of its residues."""

    code: str
    part: str
    index: int
    residues: int


@dataclass(frozen=True, slots=True)
class Final:
    """The formula that is summed over blocks: multiplied by ``factor``, switched to ``relinearization_level``,
    relinearized there, and switched to the release level."""

    formula: Formula
    level: int
    relinearization_level: int
    factor: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the blocks ``first`` … ``end`` − 1 add to one place: Σ weight·column (at the release level) + a final."""

    place: int
    first: int
    end: int
    linear: tuple[tuple[int, int], ...]
    final: int | None
    """Which of the plan's finals."""
    shares: tuple[tuple[int, int, int], ...] = ()
    """(final, place, weight), where columns share ciphertexts: + Σ weight · X^(−place) · the final's ciphertext."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one query is computed on one dataset.

    Places without a leaf get nothing from this dataset: they open as zero. ``noise_bits`` is log2 of a bound (8
    standard deviations) of what the ciphertext holds beside its message, packed where there are several results.
    """

    parameters: ParameterSet
    columns: tuple[ColumnUse, ...]
    stages: tuple[Stage, ...]
    finals: tuple[Final, ...]
    leaves: tuple[Leaf, ...]
    """In ascending order of their places."""
    stored: int
    """Residues that the dataset keeps of every column (the level its ciphertexts were sealed at)."""
    blocks: int
    results: int
    """How many numbers are opened: a power of two."""
    noise_bits: float
    flooding_bits: int
    release_level: int
    seconds: float = 0.0
    """Of one core; ``stage_seconds`` and ``result_seconds`` of them for stages, and for what follows the last block."""
    stage_seconds: float = 0.0
    result_seconds: float = 0.0
    columns_per_ciphertext: int = 1
    """More than 1: the columns that are read are shifted ones, see :mod:`app.core.query.extraction`."""
    together: int = 1
    """More than 1: so many neighbouring results are packed first, see :mod:`app.core.query.early_packing`."""

    @property
    def residues(self) -> int:
        """The residues of the columns that are needed."""
        return max((column.residues for column in self.columns), default=0)

    @property
    def used_finals(self) -> frozenset[int]:
        """The finals that the leaves use: all, unless the plan is a part of another."""
        used = {leaf.final for leaf in self.leaves if leaf.final is not None}
        return frozenset(used | {number for leaf in self.leaves for number, _, _ in leaf.shares})

    @property
    def used_stages(self) -> frozenset[int]:
        """The stages that those finals need, and the stages that these need."""
        first = len(self.columns)
        used = {source for number in self.used_finals for source in self.finals[number].formula.sources}
        for place in range(len(self.stages) - 1, -1, -1):
            if first + place in used:
                used.update(self.stages[place].formula.sources)
        return frozenset(source - first for source in used if source >= first)

    @property
    def top(self) -> int:
        """The highest level at which anything is relinearized or switched."""
        levels = [stage.level for stage in self.stages] + [final.level for final in self.finals]
        return max(levels, default=self.release_level)

    @property
    def levels(self) -> int:
        """Products that follow one another with a switch between them, the final ones included."""
        heights: list[int] = []
        for stage in self.stages:
            heights.append((stage.formula.degree > 1) + self._height(stage.formula, heights))
        return max((1 + self._height(final.formula, heights) for final in self.finals), default=0)

    @property
    def products(self) -> int:
        """Products of one block."""
        formulas = [final.formula for final in self.finals] + [stage.formula for stage in self.stages]
        return sum(formula.products for formula in formulas)

    def _height(self, formula: Formula, heights: list[int]) -> int:
        first = len(self.columns)
        return max((heights[source - first] for source in formula.sources if source >= first), default=0)


@dataclass(frozen=True, slots=True)
class DatasetShape:
    """What the planner knows of a dataset: its parameter set, residues stored, blocks, and where each column is.

    ``columns`` are (variable code, part) in the dataset's order; ``meanings`` maps a variable's code to its meaning.
    """

    parameters: ParameterSet
    residues: int
    blocks: int
    columns: tuple[tuple[str, str], ...]
    meanings: dict[str, bytes]
    columns_per_ciphertext: int = 1


def centred(value: int, modulus: int) -> int:
    """Return ``value`` modulo ``modulus`` in (−modulus/2, modulus/2]."""
    value %= modulus
    return value - modulus if value > modulus // 2 else value
