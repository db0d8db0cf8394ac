import math
import sys

import pytest

from app.core.crypto import parameters
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, STANDARD_1, ParameterSet
from app.core.errors import EnvironmentProblem, ProtocolViolation

SETS = (STANDARD_1, INSECURE_TEST_PARAMETERS)


def is_prime(number: int) -> bool:
    """Miller–Rabin with the bases that decide every number below 3.3·10^24."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        value = pow(base, odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


@pytest.mark.parametrize("chosen", SETS, ids=lambda chosen: chosen.name)
def test_primes_have_the_shape_everything_else_relies_on(chosen: ParameterSet) -> None:
    assert len(set(chosen.all_primes)) == len(chosen.all_primes)
    assert all(is_prime(prime) for prime in (*chosen.all_primes, chosen.plain_modulus))
    for prime in chosen.data_primes:
        assert 2**47 < prime < 2**48  # six bytes a coefficient
        assert prime % (2 * chosen.ring_degree * chosen.plain_modulus) == 1  # NTT, and correction factor 1
    assert chosen.special_prime % (2 * chosen.ring_degree) == 1
    assert chosen.special_prime.bit_length() == 46
    assert chosen.plain_modulus % (2 * chosen.ring_degree) == 1
    assert chosen.plain_modulus.bit_length() == 24


def test_the_data_primes_are_the_eight_largest_of_their_shape() -> None:
    step = 2 * STANDARD_1.ring_degree * STANDARD_1.plain_modulus
    candidates = range(2**48 // step * step + 1, 2**47, -step)
    primes = [number for number in candidates if number < 2**48 and is_prime(number)]
    assert len(primes) == 16
    assert tuple(primes[:8]) == STANDARD_1.data_primes


def test_standard_1_is_within_what_the_estimator_was_asked() -> None:
    assert sum(math.log2(prime) for prime in STANDARD_1.all_primes) <= 430
    assert STANDARD_1.ring_degree == 16384


def test_derived_values() -> None:
    assert STANDARD_1.levels == 8
    assert STANDARD_1.slots == 16384
    assert STANDARD_1.key_primes(2) == (*STANDARD_1.data_primes[:2], STANDARD_1.special_prime)
    assert STANDARD_1.rotation_elements == tuple(2**i + 1 for i in range(1, 15))
    assert INSECURE_TEST_PARAMETERS.rotation_elements == tuple(2**i + 1 for i in range(1, 11))
    assert STANDARD_1.modulus_bits(3) == pytest.approx(math.log2(math.prod(STANDARD_1.data_primes[:3])))


def test_names() -> None:
    assert parameters.get("standard-1") is STANDARD_1
    assert parameters.get("INSECURE_TEST_PARAMETERS") is INSECURE_TEST_PARAMETERS
    for name in ("standard-2", "", "STANDARD-1", "x" * 10_000):
        with pytest.raises(ProtocolViolation, match=r"crypto\.unknown_parameters") as caught:
            parameters.get(name)
        assert len(str(caught.value.params["name"])) <= 64


@pytest.mark.parametrize("value", [None, "", "1", "true", "YES"])
def test_insecure_parameters_need_the_exact_switch(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv(parameters.INSECURE_SWITCH)
    else:
        monkeypatch.setenv(parameters.INSECURE_SWITCH, value)
    with pytest.raises(EnvironmentProblem, match=r"crypto\.insecure_parameters"):
        parameters.get("INSECURE_TEST_PARAMETERS")


def test_an_installed_program_never_takes_insecure_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(EnvironmentProblem, match=r"crypto\.insecure_parameters"):
        parameters.get("INSECURE_TEST_PARAMETERS")
