"""Random circuits on encrypted columns against the same circuits on clear ones, noise bound included."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.crypto import format as own_format
from app.core.crypto import release, ring, seal
from app.core.crypto.noise import Noise
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES, ROTATION_PRIMES
from app.core.crypto.ring import Array
from app.core.errors import ProtocolViolation
from tests.crypto_parties import column, multiply, parties

P = INSECURE_TEST_PARAMETERS
N, T = P.ring_degree, P.plain_modulus
TEAM = parties(3, 2)
EXPONENTS = ring.field(T, N).exponents
SLOTS = {int(exponent): index for index, exponent in enumerate(EXPONENTS)}

# ("column", seed) · ("add" | "subtract" | "multiply", left, right) · ("rotate", element, operand)
_columns = st.tuples(st.just("column"), st.integers(0, 5))
CIRCUITS = st.recursive(
    _columns,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "multiply", "multiply"]), inner, inner),
        st.tuples(st.just("rotate"), st.sampled_from(P.rotation_elements), inner),
    ),
    max_leaves=12,
)


@cache
def keys(level: int) -> tuple[object, object]:
    """The relinearization and rotation keys of a level (rotations where there are any)."""
    with tempfile.TemporaryDirectory() as directory:
        _, relinearization = TEAM.keys_at(level, Path(directory))
        rotations = TEAM.rotations_at(level, Path(directory))[1] if level <= ROTATION_PRIMES else None
    return relinearization, rotations


@dataclass
class Value:
    """An encrypted value beside its truth and the bound of its noise."""

    ciphertext: Array
    truth: Array
    noise: Noise
    fresh: bool

    @property
    def level(self) -> int:
        """Its number of data primes."""
        return int(self.ciphertext.shape[1])

    def at(self, level: int) -> Value:
        """The same value at a lower level: cut if fresh, switched otherwise."""
        if level == self.level:
            return self
        if self.fresh:
            return Value(self.ciphertext[:, :level], self.truth, self.noise, True)
        context, noise = seal.context(P, self.level), self.noise
        switched = context.read(context.switch(context.load(self.ciphertext), level))
        for dropped in range(self.level, level, -1):
            noise = TEAM.model.switched(noise, dropped)
        return Value(switched, self.truth, noise, False)


def evaluate(circuit: tuple) -> Value:
    """Both evaluations at once; a product that the levels left do not hold gives its left factor instead."""
    name, *rest = circuit
    if name == "column":
        values = column(P, rest[0])
        return Value(TEAM.encryptor(P.levels).encrypt(values), values, TEAM.model.fresh(), True)
    if name == "rotate":
        element, value = rest[0], evaluate(rest[1])
        value = value.at(min(value.level, ROTATION_PRIMES))
        if value.level < 2:
            return value
        context = seal.context(P, value.level)
        handle = context.rotate(context.load(value.ciphertext), element, keys(value.level)[1])
        moved = [SLOTS[int(exponent) * element % (2 * N)] for exponent in EXPONENTS]
        noise = TEAM.model.rotated(value.noise, value.level)
        return Value(context.read(handle), value.truth[moved], noise, False)
    left, right = evaluate(rest[0]), evaluate(rest[1])
    level = min(left.level, right.level)
    left, right = left.at(level), right.at(level)
    moduli = np.array(P.data_primes[:level])[None, :, None]
    if name == "multiply":
        noise = TEAM.model.product(left.noise, right.noise)
        if level < 3 or TEAM.model.bits(TEAM.model.relinearized(noise, level)) > P.modulus_bits(level) - 1:
            return left
        context = seal.context(P, level)
        handle = context.relinearize(context.load(multiply(P, left.ciphertext, right.ciphertext)), keys(level)[0])
        noise = TEAM.model.switched(TEAM.model.relinearized(noise, level), level)
        ciphertext = context.read(context.switch(handle, level - 1))
        return Value(ciphertext, left.truth * right.truth % T, noise, False)
    sign = 1 if name == "add" else -1
    ciphertext = (left.ciphertext + sign * right.ciphertext) % moduli
    return Value(
        ciphertext, (left.truth + sign * right.truth) % T, left.noise + right.noise, left.fresh and right.fresh
    )


@given(CIRCUITS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_circuits_agree_with_the_clear_ones(circuit: tuple) -> None:
    value = evaluate(circuit)
    assert (TEAM.decrypt(value.ciphertext) == value.truth).all()
    assert TEAM.within(value.ciphertext, value.noise)


@given(CIRCUITS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_circuits_open_to_the_clear_sum(circuit: tuple) -> None:
    value = evaluate(circuit)
    if value.level < 2:
        return
    value = value.at(min(value.level, RELEASE_PRIMES))
    zero = TEAM.encryptor(value.level).encrypt_zero()
    part = release.make_contribution(P, value.ciphertext, 1, (), zero)
    truth = int(value.truth.sum() % T)
    truth = truth - T if truth > T // 2 else truth
    if value.level == RELEASE_PRIMES:
        assert TEAM.open([part], TEAM.model.bits(value.noise)) == [truth]
        return
    protocol = release.DecryptionProtocol(release.Opening(b"two primes", 1, (1, 2), part), 66)
    assert protocol.finish({site: TEAM.share(protocol, site) for site in (1, 2)}) == [truth]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_altered_public_key_reaches_seal(data: st.DataObject) -> None:
    """Cut, lengthened, another header or a residue out of range: refused by our own check, with one clear error."""
    good = TEAM.public_key
    how = data.draw(st.sampled_from(["cut", "lengthen", "header", "residue"]))
    altered = bytearray(good)
    if how == "cut":
        del altered[data.draw(st.integers(0, len(good) - 1)) :]
    elif how == "lengthen":
        altered += data.draw(st.binary(min_size=1, max_size=100))
    elif how == "header":
        altered[data.draw(st.integers(0, own_format.HEADER_SIZE - 1))] ^= data.draw(st.integers(1, 255))
    else:
        place = data.draw(st.integers(0, 2 * len(P.all_primes) * N - 1))
        prime = P.all_primes[place // N % len(P.all_primes)]
        value = data.draw(st.integers(prime, 2**48 - 1))
        altered[16 + 6 * place : 22 + 6 * place] = value.to_bytes(6, "little")
    with pytest.raises(ProtocolViolation, match=r"^format\."):
        seal.BlockEncryptor(P, bytes(altered), 2)
