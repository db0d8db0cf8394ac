"""The closing check's known values: what it opens, and that its windows reach every site."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.federation import check
from tests.federation_sites import PARAMETERS, ready_federation


@given(st.integers(2, 20).flatmap(lambda sites: st.tuples(st.just(sites), st.integers(2, sites))))
def test_the_windows_overlap_and_reach_every_site(size: tuple[int, int]) -> None:
    sites, quorum = size
    windows = check.windows(sites, quorum)
    assert len(windows) == sites - quorum + 1
    assert set().union(*windows) == set(range(1, sites + 1))
    assert all(len(window) == quorum and list(window) == sorted(set(window)) for window in windows)
    assert all(len(set(one) & set(other)) == quorum - 1 for one, other in zip(windows, windows[1:], strict=False))


def test_every_site_makes_the_same_ciphertext_and_every_window_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of the check are gone after the ceremony: the known values are looked at while it is held."""
    seen: dict[tuple[int, bytes], set[bytes]] = {}
    original = check.known_value

    def known_value(parameters, keys, transcript, window, extraction):  # type: ignore[no-untyped-def]
        value = original(parameters, keys, transcript, window, extraction)
        seen.setdefault((window, transcript), set()).add(value.contribution.to_bytes())
        assert 0 <= value.value <= PARAMETERS.slots
        return value

    from app.core.federation import ceremony_work
    from tests.federation_sites import Federation

    monkeypatch.setattr(ceremony_work, "known_value", known_value)
    with Federation(tmp_path, 3, 2) as federation:
        federation.settle()
    assert sorted(window for window, _ in seen) == [0, 1]
    assert all(len(ciphertexts) == 1 for ciphertexts in seen.values())
    assert len({next(iter(ciphertexts)) for ciphertexts in seen.values()}) == 2


@pytest.mark.parametrize("value", [0, 1, 7, PARAMETERS.slots])
def test_the_opened_coefficient_is_the_sum_over_the_slots(value: int) -> None:
    opened = value * PARAMETERS.ring_degree
    assert check.opened_value(PARAMETERS, opened) == value
    centred = opened % PARAMETERS.plain_modulus - PARAMETERS.plain_modulus
    assert check.opened_value(PARAMETERS, centred) == value


def test_the_keys_that_served_the_check_only_are_gone(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        names = {path.name for path in federation[1].site.key_directory.iterdir()}
    relinearization = {f"relinearization.{level}.seal" for level in range(3, 9)}
    extraction = {f"extraction.{level}.seal" for level in range(4, 9)}
    assert names == {"public_key.bin", "rotation.3.seal", "packing.4.seal"} | relinearization | extraction
