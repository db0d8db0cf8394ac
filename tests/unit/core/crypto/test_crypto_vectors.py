"""Every later version must read what this one has written, and compute the same from the same seeds."""

from __future__ import annotations

import json

import pytest

from tests.vectors import make_crypto_vectors as vectors

EXPECTED = json.loads((vectors.DIRECTORY / vectors.EXPECTED).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(EXPECTED["decoded"]))
def test_released_bytes_decode_to_the_same_numbers(name: str) -> None:
    data = (vectors.DIRECTORY / name).read_bytes()
    assert vectors.sha256(vectors.decoded(name, data)) == EXPECTED["decoded"][name]
    assert len(data) < 50_000


def test_there_is_a_vector_of_every_format() -> None:
    assert sorted(vectors.files()) == sorted(EXPECTED["decoded"])
    assert {path.name for path in vectors.DIRECTORY.iterdir()} >= {*EXPECTED["decoded"], vectors.EXPECTED}


def test_the_current_version_still_writes_the_same_bytes() -> None:
    for name, make in vectors.files().items():
        assert make() == (vectors.DIRECTORY / name).read_bytes(), name


def test_what_is_computed_from_seeds_has_not_changed() -> None:
    assert vectors.derived() == EXPECTED["derived"]


def test_what_extracts_columns_has_not_changed() -> None:
    expected = json.loads((vectors.DIRECTORY / "expected-v2.json").read_text(encoding="utf-8"))
    assert vectors.derived_2() == expected["derived"]


def test_vectors_are_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in vectors.DIRECTORY.iterdir()}
    assert vectors.main() == 1
    assert "never overwritten" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in vectors.DIRECTORY.iterdir()} == before
