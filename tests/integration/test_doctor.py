"""The doctor on a well site, a broken one and none; and what goes to the support desk: nothing that is anybody's."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from app.cli.main import main
from app.core import log, paths
from app.core.crypto.passphrase import passphrase_from_file
from app.core.errors import EnvironmentProblem
from app.core.services import doctor
from app.core.services.profile import create_profile
from app.core.services.self_test import Check
from app.core.store.database import SiteDatabase
from tests.relay_server import running_relay

WORD = "a long enough passphrase for this test"
FIXED = "[relay]\naddress = 'https://relay.north.example'\n[policy]\nsmallest = 11\n"
SECRETS = ["Hospital of the North", "anna.keller@north.example", "os by stage where C43", "Melanoma study", "4711"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with its key in a file."""
    monkeypatch.setattr(paths, "managed_settings", lambda: tmp_path / "managed.toml")
    monkeypatch.setattr(paths, "user_log", lambda: tmp_path / "log")
    monkeypatch.setattr(doctor.self_test, "run", lambda: iter(()))  # those of the installation have tests of their own
    word = tmp_path / "word"
    word.write_text(WORD)
    place = tmp_path / "site"
    with create_profile(place, name=SECRETS[0], contact=SECRETS[1], passphrase=lambda: passphrase_from_file(word)):
        pass
    return place


def found(place: Path) -> dict[str, Check]:
    return {each.name: each for each in doctor.run(place)}


def code(check: Check) -> str | None:
    return None if check.error is None else check.error.code


def test_a_well_site(site: Path) -> None:
    checks = found(site)
    assert {name: code(each) for name, each in checks.items() if code(each)} == {"agent": "doctor.no_agent"}
    assert not checks["agent"].needed
    assert set(checks) == {"settings", "profile", "site_database", "site_keys", "folder", "disk", "agent"}


def test_no_site_at_all(site: Path, tmp_path: Path) -> None:
    assert set(found(tmp_path / "nowhere")) == {"settings"}
    assert not (tmp_path / "nowhere").exists()


def test_what_is_broken_is_named_and_the_rest_is_still_checked(site: Path, tmp_path: Path) -> None:
    (site / "secrets.passphrase").unlink()
    (tmp_path / "managed.toml").write_text("[relay")
    if os.name == "posix":
        site.chmod(0o755)
    checks = found(site)
    assert code(checks["settings"]) == "managed.not_toml"
    assert code(checks["site_keys"]) == "file.not_found"
    assert code(checks["site_database"]) is None
    if os.name == "posix":
        assert code(checks["folder"]) == "doctor.open_folder"
    data = bytearray((site / "site.db").read_bytes())
    data[4096:8192] = os.urandom(4096)
    (site / "site.db").write_bytes(data)
    assert str(code(found(site)["site_database"])).startswith("database.")


def test_a_database_of_a_newer_program_is_refused_and_left_alone(site: Path) -> None:
    """A downgrade: the program does not touch what a newer one has made."""
    with closing(sqlite3.connect(site / "site.db")) as database, database:
        database.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('consilium', '9999_later', 'now')"
        )
    before = (site / "site.db").read_bytes()
    assert code(found(site)["site_database"]) == "database.too_new"
    with pytest.raises(EnvironmentProblem, match=r"database\.too_new"):
        SiteDatabase.open(site / "site.db")
    assert (site / "site.db").read_bytes() == before


def test_the_way_to_a_relay(site: Path, tmp_path: Path) -> None:
    from app.core.services import membership
    from app.core.services.profile import open_profile

    word = tmp_path / "word"
    with running_relay(tmp_path / "relay") as relay:
        with open_profile(site, passphrase=lambda: passphrase_from_file(word)) as profile:
            with profile.store.database.atomic():
                membership.keep_membership(profile, membership.Membership(True, relay.address, bytes(32)))
            beside = found(site)  # while its owner has it open
        assert {name: code(each) for name, each in beside.items() if name.startswith("relay_") and code(each)} == {}
        assert {"relay_proxy", "relay_reach", "relay_certificate", "relay_version", "relay_clock"} <= set(beside)
    assert code(found(site)["relay_reach"]) == "relay.unreachable"


def test_the_bundle_holds_nothing_that_is_anybodys(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that could be wrong in it is put where it is taken from."""
    log.write_to(paths.profile_log(site))
    told = log.logger("query")
    for each in SECRETS:
        told.info("asked", text=each, person=each, result=4711, error=EnvironmentProblem("query.failed", name=each))
        told.info(each)
        told.warning("refused", code=each, area=each, timestamp=each)
    (tmp_path / "managed.toml").write_text(FIXED)
    file = tmp_path / "support.zip"
    assert main(["doctor", "--profile", str(site), "--bundle", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    with zipfile.ZipFile(file) as made:
        parts = {name: made.read(name).decode() for name in made.namelist()}
    assert set(parts) == {"checks.json", "program.json", "settings.json", "database.json", "site-log.json", "log.json"}
    assert json.loads(parts["settings.json"]) == ["relay.address", "policy.smallest"]
    assert json.loads(parts["database.json"])["rows"]["profile"] > 0
    logged = json.loads(parts["site-log.json"])
    assert {"level": "info", "area": "query", "event": "asked", "error": "query.failed"}.items() <= logged[0].items()
    secrets = [WORD, *SECRETS, str(tmp_path), str(site), "north.example", os.environ.get("HOME", "/nobody")]
    with closing(sqlite3.connect(site / "site.db")) as database:
        settings = [value for (value,) in database.execute("SELECT value FROM profile")]
    long = [value for value in settings if isinstance(value, bytes) and len(value) >= 16]
    secrets += [each for value in long for each in (value.hex(), base64.b64encode(value).decode())]
    whole = "\n".join(parts.values())
    assert [each for each in secrets if each in whole] == []
