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
SHARED_RESIDUES = 8
"""Where columns share ciphertexts: taking them apart uses up a residue, and all of them together take little space."""

_TERMS = {3: 1, 4: 3, 5: 4, 6: 8, 7: 16, 8: 32}
_NESTED = {3: 1, 4: 3, 5: 4, 6: 5, 7: 6, 8: 8}
_SHARED_TERMS = {3: 1, 4: 2, 5: 3, 6: 4, 7: 8, 8: 16}
_SHARED_NESTED = {3: 1, 4: 2, 5: 3, 6: 4, 7: 5, 8: 8}
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


def default_residues(sharing: int, levels: int) -> int:
    """Return how many residues are stored unless something else is wanted."""
    return min(DEFAULT_RESIDUES if sharing == 1 else SHARED_RESIDUES, levels)


def choices(
    patients: int, columns: int, parameters: ParameterSet, *, cores: int, sharing: int = 1
) -> tuple[Choice, ...]:
    """Return the choices for a table of so many patients and sealed columns, the shallowest first.

    ``sharing`` is how many columns may share a ciphertext at most, where the patients are few. Fewer residues than the
    first choice answer nothing: results are opened at ``RELEASE_PRIMES`` primes.
    """
    sharing = min(sharing, parameters.columns_per_ciphertext(patients))
    blocks = -(-columns // sharing) * -(-patients // parameters.slots)
    scale = parameters.slots / _MEASURED_SLOTS / max(cores, 1)
    return tuple(
        Choice(
            residues,
            (_TERMS if sharing == 1 else _SHARED_TERMS)[residues],
            (_NESTED if sharing == 1 else _SHARED_NESTED)[residues],
            blocks * stored_size(parameters, residues),
            blocks * scale * (_BLOCK_SECONDS + residues * _RESIDUE_SECONDS),
            recommended=residues == default_residues(sharing, parameters.levels),
        )
        for residues in range(RELEASE_PRIMES, parameters.levels + 1)
    )
