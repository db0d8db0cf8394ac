"""Columns that share a ciphertext: shifted ones open right, extracted ones are the columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import ring
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS as P
from app.core.crypto.ring import Array
from app.core.preparation.encrypting import shared_slots
from app.core.query import extraction
from tests.crypto_parties import multiply, parties

TEAM = parties(3)
T = P.plain_modulus


class Sealed:
    """Groups of columns, each in one ciphertext."""

    def __init__(self, columns: Array, sharing: int, level: int) -> None:
        groups = [columns[first : first + sharing] for first in range(0, len(columns), sharing)]
        self._sealed = [TEAM.encryptor(level).encrypt(shared_slots(P, group)) for group in groups]

    def residue(self, group: int, prime_index: int, block: int) -> Array:
        assert block == 0
        return self._sealed[group][:, prime_index]


def columns_of(sharing: int, count: int) -> Array:
    return np.random.default_rng(sharing).integers(0, 32, (count, P.slots // sharing))


def ciphertext(shifted: extraction.ShiftedColumns, terms: dict[int, int], level: int) -> Array:
    """Σ weight·shifted column, shape (2, level, N)."""
    fields = ring.fields(P, P.data_primes[:level])
    return np.stack(
        [
            extraction.weighted(
                field, [(weight, shifted.residue(column, prime, 0)) for column, weight in terms.items()]
            )
            for prime, field in enumerate(fields)
        ],
        axis=1,
    )


def sum_of_slots(residues: Array) -> int:
    """What opening the constant coefficient says."""
    return int(TEAM.phase(residues)[0]) * P.ring_degree % T


@pytest.mark.parametrize("sharing", [2, 4, 8, 16, 32, 64])
def test_shifted_and_extracted_columns(tmp_path: Path, sharing: int) -> None:
    columns = columns_of(sharing, 2 * sharing)
    shifted = extraction.ShiftedColumns(Sealed(columns, sharing, 5), P, sharing)
    context, keys = TEAM.extractions_at(5, tmp_path)
    last = 2 * sharing - 1
    for terms in ({0: 1}, {last: 1}, {1: 3, last: -2}, {0: 1 << 20, sharing: -(1 << 22), last: T // 2}):
        form = ciphertext(shifted, terms, 5)
        expected = sum(weight * columns[column] for column, weight in terms.items()) % T
        assert sum_of_slots(form) == int(expected.sum()) % T
        value = context.switch(extraction.trace(context, context.load(form), sharing, keys), 4)
        slots = TEAM.decrypt(context.read(value)).reshape(-1, sharing)
        assert (slots == np.asarray(expected)[:, None]).all()
        # the switch has taken the trace's noise away: the value is as quiet as a fresh column
        assert TEAM.within(context.read(value), TEAM.model.fresh())


def test_a_mask_times_a_shared_ciphertext_is_one_result_for_each_column(tmp_path: Path) -> None:
    sharing = 16
    columns = columns_of(sharing, sharing)
    columns[3] &= 1
    sealed = Sealed(columns, sharing, 5)
    shifted = extraction.ShiftedColumns(sealed, P, sharing)
    context, keys = TEAM.extractions_at(5, tmp_path)
    mask = extraction.trace(context, context.load(ciphertext(shifted, {3: 1}, 5)), sharing, keys)
    product = multiply(P, context.read(context.switch(mask, 4)), ciphertext(shifted, {0: 1}, 4))
    phase = TEAM.phase(product)
    found = [int(phase[place]) * P.ring_degree % T for place in range(sharing)]
    assert found == [int((columns[3] * column).sum()) for column in columns]


def test_sums_of_many_columns_stay_exact() -> None:
    field = ring.field(P.data_primes[0], P.ring_degree)
    residues = np.full(P.ring_degree, field.modulus - 1, np.int64)
    weights = [1, -1, (1 << 14) - 1, -(1 << 14), 1 << 14, T // 2, -(T // 2)] * 20
    total = extraction.weighted(field, [(weight, residues) for weight in weights])
    assert (total == sum(weights) * (field.modulus - 1) % field.modulus).all()


def test_forms_that_differ_by_a_factor_are_one_trace() -> None:
    assert extraction.weights_of({1: 24, 5: -48}) == (24, {1: 1, 5: -2})
    assert extraction.weights_of({1: -3}) == (-3, {1: 1})
    assert extraction.weights_of({2: -2, 3: 4}) == extraction.weights_of({2: -2, 3: 4})
    assert extraction.weights_of({2: -2, 3: 4})[1] == {2: 1, 3: -2}


def test_the_trace_takes_the_last_automorphisms() -> None:
    assert extraction.elements(P, 2) == (P.ring_degree + 1,)
    assert extraction.elements(P, 64) == P.extraction_elements
    for sharing in (2, 4, 8, 16, 32, 64):  # they leave X^R as it is
        assert all(element * sharing % (2 * P.ring_degree) == sharing for element in extraction.elements(P, sharing))
