"""Arithmetic against Python's integers, at the values where floating point would give first."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.crypto import ring
from app.core.crypto.parameters import STANDARD_1
from app.core.crypto.ring import Array, Field

PRIMES = (*STANDARD_1.data_primes, STANDARD_1.special_prime, STANDARD_1.plain_modulus)
LARGEST = max(STANDARD_1.data_primes)


def schoolbook(left: Array, right: Array, modulus: int) -> Array:
    """The product in Z_q[X]/(X^N + 1) by definition."""
    degree = len(left)
    product = [0] * degree
    for i, a in enumerate(left.tolist()):
        for j, b in enumerate(right.tolist()):
            sign = 1 if i + j < degree else -1
            product[(i + j) % degree] += sign * a * b
    return np.array([value % modulus for value in product], np.int64)


def evaluate(field: Field, polynomial: Array) -> Array:
    """The NTT by definition: the values at root^(2·bitrev(i) + 1)."""
    bits = field.degree.bit_length() - 1
    values = []
    for i in range(field.degree):
        reversed_ = int(format(i, f"0{bits}b")[::-1], 2)
        point, value = pow(field.root, 2 * reversed_ + 1, field.modulus), 0
        for coefficient in polynomial.tolist()[::-1]:
            value = (value * point + coefficient) % field.modulus
        values.append(value)
    return np.array(values, np.int64)


@pytest.mark.parametrize("modulus", PRIMES)
@pytest.mark.parametrize("degree", [2, 4, 8, 64, 128])
def test_transform_is_evaluation_and_product_is_the_schoolbook(modulus: int, degree: int) -> None:
    field, rng = Field(modulus, degree), np.random.default_rng(degree)
    left, right = rng.integers(0, modulus, (2, degree))
    assert (field.forward(left) == evaluate(field, left)).all()
    product = field.multiply(field.forward(left), field.forward(right))
    assert (field.backward(product) == schoolbook(left, right, modulus)).all()


@pytest.mark.parametrize("degree", [8, 1024, 16384])
def test_root_is_the_smallest_primitive_one(degree: int) -> None:
    for modulus in PRIMES:
        root = ring.field(modulus, degree).root
        assert pow(root, degree, modulus) == modulus - 1
        square, power = root * root % modulus, root
        for _ in range(degree):
            assert power >= root
            power = power * square % modulus


def extremes(modulus: int, degree: int) -> dict[str, Array]:
    index = np.arange(degree)
    top = modulus - 1
    return {
        "all q−1": np.full(degree, top),
        "all −q": np.full(degree, -modulus),
        "alternating ±q": np.where(index % 2, modulus, -modulus),
        "alternating halves": np.where(index < degree // 2, modulus, -modulus),
        "by bit count": np.where(np.bitwise_count(index) % 2, modulus, -modulus),
        "half": np.full(degree, modulus // 2 + 1),
        "one": np.eye(1, degree, 0, dtype=np.int64)[0],
        "last": np.eye(1, degree, degree - 1, dtype=np.int64)[0] * top,
    }


@pytest.mark.parametrize("degree", [1024, 2048, 4096, 16384])
def test_transforms_at_extreme_values(degree: int) -> None:
    rng = np.random.default_rng(1)
    for modulus in (LARGEST, min(PRIMES)):
        field = ring.field(modulus, degree)
        for name, polynomial in extremes(modulus, degree).items():
            form = field.forward(polynomial)
            assert form.min() >= 0, name
            assert form.max() < modulus, name
            assert (field.backward(form) == polynomial % modulus).all(), name
            for i in rng.integers(0, degree, 2):  # a transform and its inverse could be wrong together
                point, value = pow(field.root, int(field.exponents[i]), modulus), 0
                for coefficient in polynomial.tolist()[::-1]:
                    value = (value * point + coefficient) % modulus
                assert value == form[i], name
            if polynomial.min() >= 0:  # any residues are an NTT form too
                assert (field.forward(field.backward(polynomial)) == polynomial).all(), name


def worst_forward_input(field: Field) -> Array:
    """Coefficients that make every one of the lazy sums grow: each stage adds with the sign the twiddle would give."""
    weights = field.backward(np.full(field.degree, field.modulus - 1))
    return np.where(weights > field.modulus // 2, -field.modulus, field.modulus)


@pytest.mark.parametrize("degree", [1024, 16384])
def test_lazy_values_stay_far_from_what_float64_and_int64_hold(monkeypatch: pytest.MonkeyPatch, degree: int) -> None:
    """The proof in the comments, checked: with v the bound, each stage adds at most q·(1/2 + v·2^-53)."""
    modulus, bound = LARGEST, float(LARGEST)
    for _ in range(degree.bit_length() - 1):
        bound += modulus * (0.5 + bound * 2.0**-53)
    assert bound < 2**51.4
    seen: list[int] = []
    original = Field.reduce

    def watching(self: Field, values: Array) -> Array:
        seen.append(int(np.abs(values).max()))
        return original(self, values)

    monkeypatch.setattr(Field, "reduce", watching)
    field = ring.field(modulus, degree)
    for polynomial in (*extremes(modulus, degree).values(), worst_forward_input(field)):
        field.forward(polynomial)
    assert max(seen) <= bound


def test_reduce_at_the_edges() -> None:
    field = ring.field(LARGEST, 8)
    q = LARGEST
    values = [k * q + d for k in range(-32, 32) for d in (-1, 0, 1, q // 2)]
    values += [2**53 - 1, 1 - 2**53]
    array = np.array(values, np.int64)
    assert field.reduce(array).tolist() == [value % q for value in values]


@pytest.mark.parametrize("modulus", PRIMES)
def test_multiply_at_the_edges(modulus: int) -> None:
    field, rng = ring.field(modulus, 8), np.random.default_rng(2)
    edges = [0, 1, 2, modulus - 1, modulus - 2, modulus // 2, modulus // 2 + 1, -1, 1 - modulus, modulus, -modulus]
    numbers = edges + rng.integers(0, modulus, 200).tolist()
    left, right = np.array(numbers)[:, None], np.array(numbers)[None, :]
    expected = [[a * b % modulus for b in numbers] for a in numbers]
    assert field.multiply(np.broadcast_to(left, (211, 211)), right).tolist() == expected
    for b in edges:
        assert field.multiply(left[:, 0], b).tolist() == [a * b % modulus for a in numbers]


def test_multiply_near_whole_quotients() -> None:
    """Where a·b/q is a hair from an integer, the rounded quotient is off by one: the correction must catch it."""
    q = LARGEST
    field, rng = ring.field(q, 8), np.random.default_rng(3)
    left = rng.integers(1, q, 3000)
    inverse = [pow(int(a), -1, q) for a in left]
    for distance in (0, 1, 2, q - 1, q - 2):
        right = np.array([b * distance % q for b in inverse])
        assert (field.multiply(left, right) == distance).all()


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 40])
def test_sums_of_products_at_the_edges(count: int) -> None:
    field = Field(LARGEST, 16)
    random = np.random.default_rng(count)
    left, right = random.integers(LARGEST - 3, LARGEST, (2, count, 16)), random.integers(0, LARGEST, (2, count, 16))
    for one, other in ((left[0], left[1]), (left[0], right[0]), (right[0], right[1])):
        wanted = [
            sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) % LARGEST
            for x, y in zip(one.T, other.T, strict=True)
        ]
        assert field.inner(zip(one, other, strict=True), (16,)).tolist() == (wanted if count else [0] * 16)


def test_add_and_subtract() -> None:
    q = LARGEST
    field = ring.field(q, 8)
    numbers = np.array([0, 1, q // 2, q - 1])
    left, right = (side.reshape(-1) for side in np.meshgrid(numbers, numbers))
    assert field.add(left, right).tolist() == [(a + b) % q for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    differences = [(a - b) % q for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert field.subtract(left, right).tolist() == differences


def test_monomials_and_single_coefficients() -> None:
    field, rng = ring.field(LARGEST, 1024), np.random.default_rng(4)
    polynomial = rng.integers(0, LARGEST, 1024)
    polynomial[:3] = LARGEST - 1
    form = field.forward(polynomial)
    for exponent in (0, 1, 5, 1023, 1024, 2047, 2048, -1, -1024):
        shifted = field.backward(field.multiply(form, field.monomial(exponent)))
        expected = np.roll(polynomial, exponent % 1024)
        sign_flips = (np.arange(1024) < exponent % 1024) != ((exponent // 1024) % 2 == 1)
        assert (shifted == np.where(sign_flips, -expected, expected) % LARGEST).all(), exponent
    assert [field.coefficient(form, i) for i in (0, 1, 2, 3, 512, 1023)] == polynomial[[0, 1, 2, 3, 512, 1023]].tolist()
    top = field.forward(np.full(1024, LARGEST - 1))
    assert field.coefficient(top, 1023) == LARGEST - 1


def test_transforms_leave_their_input_alone_and_map_over_leading_axes() -> None:
    for degree in (2, 4, 1024):
        field = ring.field(LARGEST, degree)
        values = np.random.default_rng(5).integers(0, LARGEST, (2, 3, degree))
        before = values.copy()
        form = field.forward(values)
        assert (values == before).all()
        assert (form[1, 2] == field.forward(values[1, 2])).all()
        assert (field.backward(form) == before).all()
        assert (field.forward(values) == form).all()


def test_fields_are_cached() -> None:
    assert ring.field(LARGEST, 64) is ring.field(LARGEST, 64)
    assert [field.modulus for field in ring.fields(STANDARD_1, STANDARD_1.data_primes[:2])] == list(
        STANDARD_1.data_primes[:2]
    )
