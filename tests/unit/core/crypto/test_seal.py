"""The bridge: what we make SEAL takes, what SEAL makes we read, and our arithmetic agrees with it bit for bit."""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import exchange, ring, seal
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, ROTATION_PRIMES, STANDARD_1
from app.core.crypto.ring import Array
from app.core.errors import Bug, EnvironmentProblem, ProtocolViolation
from tests.crypto_parties import ROTATION_LEVELS, column, multiply, parties, residues_of

P = INSECURE_TEST_PARAMETERS
N, T = P.ring_degree, P.plain_modulus
LEVELS = range(2, P.levels + 1)


def residues(level: int, size: int = 2, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, prime, (size, N)) for prime in P.data_primes[:level]], axis=1)


# --- bytes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(1, P.levels + 1))
@pytest.mark.parametrize("size", [2, 3])
def test_ciphertexts_are_byte_identical_through_seal(level: int, size: int) -> None:
    array = residues(level, size)
    for context_level in {level, P.levels}:
        context = seal.context(P, context_level)
        handle = context.load(array)
        assert context.level_of(handle) == level
        assert context.saved_bytes(handle) == context.ciphertext_bytes(array)
        assert (context.read(handle) == array).all()


def test_extreme_residues_survive() -> None:
    context = seal.context(P, 3)
    for value in (0, 1, -1):
        array = np.stack([np.full((2, N), value % prime) for prime in P.data_primes[:3]], axis=1)
        if value == 0:
            array[1, 0, 0] = 1  # SEAL refuses to add up to c1 = 0, not to load it
        assert (context.read(context.load(array)) == array).all()


@pytest.mark.parametrize("level", LEVELS)
def test_keys_are_byte_identical_through_seal(tmp_path: Path, level: int) -> None:
    team = parties(3)
    context, relinearization = team.keys_at(level, tmp_path)
    assert context.saved_bytes(relinearization) == (tmp_path / f"relinearization-{level}").read_bytes()
    key = residues_of(P, team.public_key)
    assert context.saved_bytes(context.public_key(key)) == context.public_key_bytes(key)
    if level in ROTATION_LEVELS:
        context, rotations = team.rotations_at(level, tmp_path)
        assert context.saved_bytes(rotations) == (tmp_path / f"rotations-{level}").read_bytes()


def test_seal_refuses_what_our_checks_would_have_stopped() -> None:
    """The last line of defence: residues are checked before, and SEAL checks again."""
    context = seal.context(P, 3)
    for place in ((0, 0, 0), (1, 2, N - 1)):
        array = residues(3)
        array[place] = P.data_primes[place[1]]
        with pytest.raises(ProtocolViolation, match=r"crypto\.seal_rejected"):
            context.load(array)
        array[place] = -1
        with pytest.raises(ProtocolViolation, match=r"crypto\.seal_rejected"):
            context.load(array)
    with pytest.raises(ProtocolViolation, match=r"crypto\.seal_rejected"):
        context.load(residues(3)[:, :, : N // 2])
    with pytest.raises(Bug, match=r"crypto\.level"):
        context.load(residues(4))
    assert (context.read(context.load(residues(3))) == residues(3)).all()  # and is none the worse for it


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 60, 1000, -8, -1])
def test_damaged_key_files_are_refused(tmp_path: Path, cut: int) -> None:
    context, _ = parties(2).keys_at(2, tmp_path)
    good = (tmp_path / "relinearization-2").read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(good[:cut])
    for load in (context.load_relinearization_key, context.load_rotation_keys):
        with pytest.raises(EnvironmentProblem, match=r"crypto\.key_file_damaged"):
            load(path)


def test_key_files_of_another_level_or_with_a_residue_out_of_range_are_refused(tmp_path: Path) -> None:
    team = parties(2)
    context, _ = team.keys_at(3, tmp_path)
    team.keys_at(2, tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"crypto\.key_file_damaged"):
        context.load_relinearization_key(tmp_path / "relinearization-2")
    data = bytearray((tmp_path / "relinearization-3").read_bytes())
    data[-8:] = struct.pack("<Q", P.special_prime)
    (tmp_path / "altered").write_bytes(data)
    with pytest.raises(EnvironmentProblem, match=r"crypto\.key_file_damaged"):
        context.load_relinearization_key(tmp_path / "altered")
    with pytest.raises(EnvironmentProblem, match=r"crypto\.key_file_damaged"):
        context.load_relinearization_key(tmp_path / "absent")


def test_another_correction_factor_is_never_taken_for_one() -> None:
    """SEAL would carry it through every operation; our arithmetic on residues would silently be wrong."""
    context = seal.context(P, 2)
    data = bytearray(context.ciphertext_bytes(residues(2)))
    place = 16 + 32 + 1 + 3 * 8 + 8
    assert struct.unpack_from("<Q", data, place) == (1,)
    struct.pack_into("<Q", data, place, 5)
    handle = context._load(seal.sealapi.Ciphertext(context.seal), bytes(data))
    with pytest.raises(Bug, match=r"crypto\.correction_factor"):
        context.read(handle)


def test_our_order_is_seals_bit_for_bit() -> None:
    """X^k·c inside SEAL is the pointwise product with our NTT form of X^k: same root, same order."""
    context, array = seal.context(P, 4), residues(4)
    for exponent in (1, 2, 511, N - 1):
        shifted = context.read(context.multiply_monomial(context.load(array), exponent))
        for index, field in enumerate(ring.fields(P, P.data_primes[:4])):
            unit = np.zeros(N, np.int64)
            unit[exponent] = 1
            for form in (field.forward(unit), field.monomial(exponent)):
                assert (field.multiply(array[:, index], np.broadcast_to(form, (2, N))) == shifted[:, index]).all()


def test_our_order_is_seals_at_production_parameters() -> None:
    context, rng = seal.context(STANDARD_1, 1), np.random.default_rng(2)
    field = ring.field(STANDARD_1.data_primes[0], STANDARD_1.ring_degree)
    array = rng.integers(0, field.modulus, (2, 1, STANDARD_1.ring_degree))
    shifted = context.read(context.multiply_monomial(context.load(array), 1))
    assert (field.multiply(array[:, 0], field.monomial(1)) == shifted[:, 0]).all()


def test_addition_and_subtraction_agree() -> None:
    context, left, right = seal.context(P, 2), residues(2, seed=3), residues(2, seed=4)
    primes = np.array(P.data_primes[:2])[None, :, None]
    first, second = context.load(left), context.load(right)
    assert (context.read(context.add(first, second)) == (left + right) % primes).all()
    assert (context.read(context.subtract(first, second)) == (left - right) % primes).all()
    assert (context.read(first) == left).all()


def test_insecure_parameters_are_not_what_seal_calls_secure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "STANDARD_1", P)
    with pytest.raises(EnvironmentProblem, match=r"crypto\.seal_refused"):
        seal.Context(P, 8)


@pytest.mark.parametrize("level", [0, 9, -1])
def test_levels_outside_the_set_are_refused(level: int) -> None:
    with pytest.raises(Bug, match=r"crypto\.level"):
        seal.Context(P, level)


# --- encryption -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sites", [2, 3, 10])
@pytest.mark.parametrize("level", range(1, P.levels + 1))
def test_seals_encryption_under_our_key_decrypts_with_our_arithmetic(sites: int, level: int) -> None:
    team, values = parties(sites), np.random.default_rng(level).integers(0, T, N)
    ciphertext = team.encryptor(level).encrypt(values)
    assert ciphertext.shape == (2, level, N)
    assert (team.decrypt(ciphertext) == values).all()
    assert team.within(ciphertext, team.model.fresh())
    assert not team.decrypt(team.encryptor(level).encrypt_zero()).any()


@pytest.mark.parametrize("kept", range(1, P.levels + 1))
def test_a_fresh_ciphertext_cut_to_its_first_residues_decrypts(kept: int) -> None:
    team, values = parties(3), column(P, 1)
    cut = team.encryptor(P.levels).encrypt(values)[:, :kept]
    assert (team.decrypt(cut) == values).all()
    assert team.within(cut, team.model.fresh())
    context = seal.context(P, kept)
    assert (context.read(context.load(cut)) == cut).all()


def test_encryption_is_randomised() -> None:
    encryptor = parties(2).encryptor(1)
    first, second = encryptor.encrypt_zero(), encryptor.encrypt_zero()
    assert (first != second).mean() > 0.99


def test_wrong_number_of_slots_is_refused() -> None:
    for values in (np.zeros(N - 1, np.int64), np.zeros(N + 1, np.int64), np.zeros((1, N), np.int64)):
        with pytest.raises(Bug, match=r"crypto\.slots"):
            parties(2).encryptor(1).encrypt(values)


def test_altered_public_key_is_refused_before_seal_sees_it() -> None:
    good = parties(2).public_key
    for bad in (good[:-1], good + b"\0", b"", good[:16] + b"\xff" * 6 + good[22:], bytes([good[0] ^ 1]) + good[1:]):
        with pytest.raises(ProtocolViolation, match=r"format\."):
            seal.BlockEncryptor(P, bad, 2)


# --- products, levels, rotations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_relinearization_and_switching_at_every_level(tmp_path: Path, level: int) -> None:
    team = parties(3)
    context, key = team.keys_at(level, tmp_path)
    left, right = column(P, 1), column(P, 2)
    a, b = (team.encryptor(level).encrypt(values) for values in (left, right))
    product = multiply(P, a, b)
    assert (team.decrypt(product) == left * right).all()
    bound = team.model.product(team.model.fresh(), team.model.fresh())
    assert team.within(product, bound)
    handle = context.relinearize(context.load(product), key)
    relinearized = context.read(handle)
    assert relinearized.shape == (2, level, N)
    assert (team.decrypt(relinearized) == left * right).all()
    bound = team.model.relinearized(bound, level)
    assert team.within(relinearized, bound)
    for lower in range(level - 1, 0, -1):
        switched = context.read(context.switch(handle, lower))
        assert switched.shape == (2, lower, N)
        assert (team.decrypt(switched) == left * right).all()
        bound = team.model.switched(bound, lower + 1)
        assert team.within(switched, bound)


@pytest.mark.parametrize("sites", [2, 10])
def test_a_chain_of_products_down_to_the_last_level(tmp_path: Path, sites: int) -> None:
    team = parties(sites)
    context, key = team.keys_at(P.levels, tmp_path)
    values = [column(P, seed) for seed in range(P.levels - 1)]
    truth, current, bound = values[0], team.encryptor(P.levels).encrypt(values[0]), team.model.fresh()
    for level, factor in zip(range(P.levels, 2, -1), values[1:], strict=False):
        fresh = team.encryptor(P.levels).encrypt(factor)[:, :level]
        handle = context.relinearize(context.load(multiply(P, current, fresh)), key)
        current = context.read(context.switch(handle, level - 1))  # reading checks the correction factor
        truth = truth * factor
        assert (team.decrypt(current) == truth).all()
        bound = team.model.relinearized(team.model.product(bound, team.model.fresh()), level)
        bound = team.model.switched(bound, level)
        assert team.within(current, bound)
    assert bound.peak < 4 * team.model.fresh().peak  # it settles: six products cost six primes, no more


@pytest.mark.parametrize("level", ROTATION_LEVELS)
@pytest.mark.parametrize("sites", [3, 10])
def test_every_rotation_at_every_level_with_keys(tmp_path: Path, level: int, sites: int) -> None:
    team = parties(sites)
    context, keys = team.rotations_at(level, tmp_path)
    values = column(P, 5)
    ciphertext = team.encryptor(level).encrypt(values)
    exponents = ring.field(T, N).exponents
    slot = {int(exponent): index for index, exponent in enumerate(exponents)}
    for element in P.rotation_elements:
        rotated = context.read(context.rotate(context.load(ciphertext), element, keys))
        moved = [slot[int(exponent) * element % (2 * N)] for exponent in exponents]
        assert (team.decrypt(rotated) == values[moved]).all()
        assert team.within(rotated, team.model.rotated(team.model.fresh(), level))


def test_rotation_below_the_contexts_own_level(tmp_path: Path) -> None:
    team = parties(2)
    context, keys = team.rotations_at(ROTATION_PRIMES, tmp_path)
    values = column(P, 6)
    cut = team.encryptor(ROTATION_PRIMES).encrypt(values)[:, :2]
    rotated = context.read(context.rotate(context.load(cut), N + 1, keys))
    assert (team.decrypt(rotated).sum(), rotated.shape[1]) == (values.sum(), 2)


# --- the exchange file ------------------------------------------------------------------------------------------


def test_each_thread_and_process_has_its_own_exchange_file() -> None:
    paths = [exchange.path(), exchange.path()]
    thread = threading.Thread(target=lambda: paths.append(exchange.path()))
    thread.start()
    thread.join()
    assert paths[0] == paths[1] != paths[2]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="anonymous files are Linux's")
def test_exchange_leaves_nothing_behind() -> None:
    thread_path: list[str] = []

    def use() -> None:
        thread_path.append(exchange.path())
        Path(exchange.path()).write_bytes(b"x")

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert exchange.path().startswith("/proc/self/fd/")
    assert not os.path.exists(thread_path[0]) or os.readlink(thread_path[0]) != os.readlink(exchange.path())


def test_exchange_without_anonymous_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange.sys, "platform", "win32")
    monkeypatch.setattr(exchange, "_threads", threading.local())
    context = seal.context(P, 2)
    assert (context.read(context.load(residues(2))) == residues(2)).all()
    path = Path(exchange.path())
    assert path.is_file()
    assert path.parent.stat().st_mode & 0o077 == 0
    exchange._directory(os.getpid()).cleanup()
    exchange._directory.cache_clear()
    assert not path.exists()


def test_threads_do_not_read_each_others_ciphertexts() -> None:
    context, wrong = seal.context(P, 3), []

    def work(seed: int) -> None:
        array = residues(3, seed=seed)
        for _ in range(40):
            if not (context.read(context.load(array)) == array).all():
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
