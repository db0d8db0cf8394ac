"""The keys command on real profiles: a real database, a real keyring or passphrase file, a signed roster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.keys import keys
from app.core.crypto import parameters
from app.core.crypto.passphrase import passphrase_from_file
from app.core.errors import ConsiliumError
from app.core.federation.roster import Roster, Site
from app.core.services.profile import OpenProfile, create_profile, open_profile
from tests.cohorts import CATALOGUE

linux = pytest.mark.skipif(sys.platform != "linux", reason="a private Secret Service can be started on Linux only")


@pytest.fixture
def phrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery")
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(path))
    return path


@pytest.fixture(params=["passphrase-file", pytest.param("secret-service", marks=linux)])
def profiles(request: pytest.FixtureRequest, tmp_path: Path, phrase: Path) -> list[Path]:
    """Two sites of one federation, their roots in a passphrase file or in the keyring."""
    in_keyring = request.param == "secret-service"
    if in_keyring:
        request.getfixturevalue("secret_service")
    source = None if in_keyring else lambda: passphrase_from_file(phrase)
    directories = [tmp_path / "north", tmp_path / "south"]
    opened = [create_profile(path, name=path.name, contact="telephone", passphrase=source) for path in directories]
    federate(opened, bytes(32))
    for profile in opened:
        profile.store.sealed_secrets.add("dealt share 1", b"sealed share")
        profile.close()
    return directories


def federate(opened: list[OpenProfile], federation_id: bytes) -> None:
    roster = Roster(
        federation_id=federation_id,
        name="Lung",
        parameters=parameters.get("INSECURE_TEST_PARAMETERS"),
        quorum=2,
        catalogue_hash=CATALOGUE.hash,
        nonce=bytes(32),
        sites=tuple(Site(n, each.site_name, "telephone", each.member_public) for n, each in enumerate(opened, 1)),
    )
    signatures = {n: roster.sign(each.member_key) for n, each in enumerate(opened, 1)}
    for each in opened:
        each.install_roster(roster, signatures, CATALOGUE)


def run(command: str, profile: Path, *arguments: object) -> dict[str, Any]:
    line = [command, "--profile", str(profile), "--json", *map(str, arguments)]
    result = CliRunner().invoke(keys, line, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(ConsiliumError) as refused:
        attempt()
    return refused.value.code


def lose(directory: Path) -> None:
    with open_profile(directory) as profile:
        profile.secrets.delete(profile.profile_id)
        profile.store.sealed_secrets.remove("dealt share 1")


def test_what_is_backed_up_comes_back_whole(profiles: list[Path], tmp_path: Path) -> None:
    north = profiles[0]
    assert run("status", north)["backed_up"] is False
    run("backup", north, "--file", tmp_path / "backup")
    run("backup", north, "--sheet", tmp_path / "sheet.txt")
    before = run("status", north)
    assert [each["kind"] for each in before["backups"]] == ["file", "sheet"]
    lose(north)
    assert refusal(lambda: run("status", north)) == "keys.missing"
    assert run("restore", north, "--file", tmp_path / "backup")["material_restored"] == ["dealt share 1"]
    assert run("status", north) == before
    with open_profile(north) as profile:
        assert profile.store.sealed_secrets.get("dealt share 1") == b"sealed share"


def test_another_sites_or_federations_backup_is_refused(profiles: list[Path], tmp_path: Path, phrase: Path) -> None:
    north, south = profiles
    run("backup", south, "--file", tmp_path / "south's")
    elsewhere = [tmp_path / "east", tmp_path / "west"]
    opened = [
        create_profile(path, name=path.name, contact="telephone", passphrase=lambda: passphrase_from_file(phrase))
        for path in elsewhere
    ]
    federate(opened, b"\1" * 32)
    for each in opened:
        each.close()
    run("backup", elsewhere[0], "--file", tmp_path / "east's")
    lose(north)
    assert refusal(lambda: run("restore", north, "--file", tmp_path / "south's")) == "recovery.wrong"
    assert refusal(lambda: run("restore", north, "--file", tmp_path / "east's")) == "recovery.foreign"
    assert refusal(lambda: run("restore", north, "--file", phrase)) == "passphrase.damaged"
    assert refusal(lambda: run("status", north)) == "keys.missing"
