"""The re-contact file: stable pseudonyms that say nothing, under a passphrase, written whole or not at all."""

from pathlib import Path

import pytest

from app.core.crypto.passphrase import Argon2Cost, lock, passphrase_from_text
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.preparation.recontact import Recontact, extended, read_recontact, write_recontact
from tests.vectors.keys import DIRECTORY, PASSPHRASE, RECONTACT

CHEAP = Argon2Cost(64, 1, 1)


def test_pseudonyms_are_random_and_stay_when_the_file_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "recontact"
    first = extended(None, ["17", "4", "23"], site="A", now=1)
    write_recontact(path, first, PASSPHRASE, CHEAP)
    again = extended(read_recontact(path, PASSPHRASE), ["23", "99"], site="A", now=2)
    assert set(again.patients.values()) == {"17", "4", "23", "99"}
    assert first.patients.items() <= again.patients.items()
    assert again.created == 1
    assert extended(None, ["17", "4", "23"], site="A", now=1).patients.keys() != first.patients.keys()
    assert b"23" not in path.read_bytes()[:20]
    assert "17" not in repr(first)


def test_a_pseudonym_is_found_however_it_is_typed() -> None:
    known = Recontact("A", 1, {"0A1B-2C3D-4E5F": "17", "9999-2C3D-4E5F": "4"})
    assert known.find("oaib 2c3d4e5f") == (("0A1B-2C3D-4E5F", "17"),)
    assert known.find("4") == (("9999-2C3D-4E5F", "4"),)
    assert known.find("") == ()


def test_two_equal_random_pseudonyms_do_not_become_one() -> None:
    numbers = iter([bytes(8), bytes(8), b"\1" * 8])
    made = extended(None, ["a", "b"], site="A", now=1, random=lambda _: next(numbers))
    assert sorted(made.patients.values()) == ["a", "b"]


def test_another_sites_file_and_a_wrong_passphrase_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recontact"
    write_recontact(path, Recontact("A", 1, {}), PASSPHRASE, CHEAP)
    with pytest.raises(UserError, match="recontact.other_site"):
        extended(read_recontact(path, PASSPHRASE), ["1"], site="B", now=1)
    with pytest.raises(UserError, match="passphrase.wrong"):
        read_recontact(path, passphrase_from_text("something else"))
    path.write_bytes(lock("re-contact", b"\xa0", PASSPHRASE, CHEAP))
    with pytest.raises(EnvironmentProblem, match="passphrase.damaged"):
        read_recontact(path, PASSPHRASE)
    path.write_bytes(lock("backup", b"\xa0", PASSPHRASE, CHEAP))
    with pytest.raises(ConsiliumError, match="passphrase.other_content"):
        read_recontact(path, PASSPHRASE)


def test_the_file_of_version_1_is_read() -> None:
    assert read_recontact(DIRECTORY / "recontact.passphrase", PASSPHRASE) == RECONTACT
