"""What the planner decides and the evaluator does: arithmetic on sealed columns, as frozen values.

A *formula* is arithmetic modulo each prime on values of one degree in the secret; its result, of degree d, is a
ciphertext of d + 1 polynomials. A *stage* computes one formula for each block, relinearizes it and switches it down: a
new value of degree 1. The *final* formula is summed over all blocks before its only relinearization.

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
    """Registers 0 … sources − 1 are values; each step makes the next one; the last is the result, a product."""

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
    """One formula for each block, relinearized at ``level`` primes and switched down to each of ``outputs``."""

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
class Plan:
    """How one query is computed on one dataset.

    The result is ``linear`` (Σ weight·column, at the release level) plus ``final``, summed over all blocks.
    ``noise_bits`` is log2 of a bound (8 standard deviations) of what the ciphertext holds beside its message.
    """

    parameters: ParameterSet
    columns: tuple[ColumnUse, ...]
    stages: tuple[Stage, ...]
    final: Final | None
    linear: tuple[tuple[int, int], ...]
    stored: int
    """Residues that the dataset keeps of every column (the level its ciphertexts were sealed at)."""
    blocks: int
    noise_bits: float
    flooding_bits: int
    seconds: float
    release_level: int
    results: int = 1

    @property
    def residues(self) -> int:
        """The residues of the columns that are needed."""
        return max((column.residues for column in self.columns), default=0)

    @property
    def levels(self) -> int:
        """Products that follow one another with a switch between them, the final one included."""
        heights: list[int] = []
        for stage in self.stages:
            heights.append(1 + self._height(stage.formula, heights))
        return 0 if self.final is None else 1 + self._height(self.final.formula, heights)

    @property
    def products(self) -> int:
        """Products of one block."""
        final = 0 if self.final is None else self.final.formula.products
        return final + sum(stage.formula.products for stage in self.stages)

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


def centred(value: int, modulus: int) -> int:
    """Return ``value`` modulo ``modulus`` in (−modulus/2, modulus/2]."""
    value %= modulus
    return value - modulus if value > modulus // 2 else value
