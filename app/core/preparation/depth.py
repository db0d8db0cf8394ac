"""How deep a dataset is sealed, as a choice: what each number of stored residues serves, takes on the disk and costs.

Every product of sealed columns uses up a residue, so the residues that are stored bound the questions that the dataset
can answer. What they serve is the planner's arithmetic, which is above this layer: the tables here are checked against
it by a test, for a million patients and three sites.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.crypto.parameters import RELEASE_PRIMES, ParameterSet
from app.core.store.dataset_file import stored_size

DEFAULT_RESIDUES = 5

_TERMS = {3: 1, 4: 3, 5: 4, 6: 8, 7: 16, 8: 32}
_NESTED = {3: 1, 4: 3, 5: 4, 6: 5, 7: 6, 8: 8}
_BLOCK_SECONDS, _RESIDUE_SECONDS, _MEASURED_SLOTS = 0.005, 0.003, 16384
"""Seconds of one core for a block, and for each of its residues, measured on a server's core of 2023."""


@dataclass(frozen=True)
class Choice:
    """What it means to store so many ``residues``.

    ``terms`` criteria joined by "and", or by "or", are answered; ``nested`` however they are joined. ``bytes`` is the
    package's size, ``seconds`` about how long this many cores seal.
    """

    residues: int
    terms: int
    nested: int
    bytes: int
    seconds: float
    recommended: bool


def choices(patients: int, columns: int, parameters: ParameterSet, *, cores: int) -> tuple[Choice, ...]:
    """Return the choices for a table of so many patients and sealed columns, the shallowest first.

    Fewer residues than the first choice answer nothing: results are opened at ``RELEASE_PRIMES`` primes.
    """
    blocks = columns * -(-patients // parameters.slots)
    scale = parameters.slots / _MEASURED_SLOTS / max(cores, 1)
    return tuple(
        Choice(
            residues,
            _TERMS[residues],
            _NESTED[residues],
            blocks * stored_size(parameters, residues),
            blocks * scale * (_BLOCK_SECONDS + residues * _RESIDUE_SECONDS),
            recommended=residues == min(DEFAULT_RESIDUES, parameters.levels),
        )
        for residues in range(RELEASE_PRIMES, parameters.levels + 1)
    )
