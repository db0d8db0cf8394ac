"""Update manifests: whose word counts, for how long, what a newer version would change, and no way back."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import app
from app import __version__
from app.cli.main import main
from app.core import paths
from app.core.clock import SystemClock
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation.joining_messages import THIS_PROGRAM
from app.core.services import updates
from app.core.services.updates import LIMIT, PURPOSE, check, make_manifest, read_manifest
from app.core.store.migrations import KNOWN

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
VECTOR = Path(__file__).parents[3] / "vectors/updates/manifest-1.json"
TODAY = datetime.now(UTC).date()
GOOD: dict[str, Any] = {
    "version": "0.2.0",
    "sequence": 7,
    "published": TODAY.isoformat(),
    "expires": (TODAY + timedelta(days=30)).isoformat(),
    "notes": "https://hospital.example/news",
    "files": [{"name": "consilium_0.2.0-1_amd64.deb", "size": 5, "sha256": "ab" * 32}],
}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "managed_settings", lambda: tmp_path / "managed.toml")
    monkeypatch.setattr(paths, "user_config", lambda: tmp_path / "config")
    return tmp_path


def sealed(signed: bytes, key: Ed25519PrivateKey = KEY) -> bytes:
    parts = {"signed": signed, "signature": key.sign(PURPOSE + signed)}
    return json.dumps({"format": 1, **{name: base64.b64encode(part).decode() for name, part in parts.items()}}).encode()


def written(place: Path, **changed: Any) -> Path:
    file = place / "manifest"
    plain = json.loads(make_manifest({**GOOD, **{name: each for name, each in changed.items() if name in GOOD}}))
    plain |= {name: each for name, each in changed.items() if name not in GOOD}
    file.write_bytes(sealed(json.dumps(plain).encode()))
    return file


def code_of(data: bytes, key: bytes = PUBLIC) -> str:
    with pytest.raises(ProtocolViolation) as caught:
        read_manifest(data, key)
    return caught.value.code


# --- whose word -----------------------------------------------------------------------------------------------------


def test_a_released_manifest_is_still_read() -> None:
    found = read_manifest(VECTOR.read_bytes(), PUBLIC)
    assert (found.version, found.sequence, found.expires.isoformat()) == ("0.1.0", 1, "2027-01-01")
    assert found.formats["query"] == (1, 2, 3)
    assert found.files[0].name == "consilium_0.1.0-1_amd64.deb"


def test_another_signature_counts_for_nothing() -> None:
    signed = make_manifest(GOOD)
    assert read_manifest(sealed(signed), PUBLIC).version == "0.2.0"
    assert code_of(sealed(signed, Ed25519PrivateKey.generate())) == "updates.bad_signature"
    assert code_of(sealed(signed), bytes(32)) == "updates.bad_signature"
    other = {"format": 1, "signed": base64.b64encode(signed).decode()}
    for signature in (KEY.sign(signed), KEY.sign(b"another purpose\0" + signed), b"", bytes(64)):
        other["signature"] = base64.b64encode(signature).decode() or "AA=="
        assert code_of(json.dumps(other).encode()) == "updates.bad_signature"


def test_every_altered_byte_is_found() -> None:
    data = sealed(make_manifest(GOOD))
    for place in range(0, len(data), 3):
        altered = bytearray(data)
        altered[place] ^= 1
        if json_of(bytes(altered)) == json_of(data):  # a base64 digit that says nothing
            continue
        assert code_of(bytes(altered)) in ("updates.bad_signature", "updates.malformed")


def json_of(data: bytes) -> object:
    try:
        plain = json.loads(data)
        return {name: base64.b64decode(each) if isinstance(each, str) else each for name, each in plain.items()}
    except (ValueError, AttributeError):
        return None


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "0.2"}, {"version": 2}, {"sequence": 0}, {"sequence": "7"}, {"expires": "soon"},
        {"product": "other"}, {"published": ""}, {"notes": 5}, {"files": [{"name": "x"}]},
        {"files": {}}, {"formats": []}, {"formats": {"query": ["1"]}}, {"more": 1}, {"migrations": "0001"},
    ],
)  # fmt: skip
def test_signed_but_malformed(changed: dict[str, Any]) -> None:
    plain = json.loads(make_manifest(GOOD))
    assert code_of(sealed(json.dumps(plain | changed).encode())) == "updates.malformed"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000, b'{"format": 2}', b"null"])
def test_what_is_none(data: bytes) -> None:
    assert code_of(data) == "updates.malformed"


# --- what it says ---------------------------------------------------------------------------------------------------


def test_a_newer_version_and_what_it_would_change(places: Path) -> None:
    in_use = {name: max(versions) for name, versions in THIS_PROGRAM.formats.items()}
    found = check(SystemClock(), file=written(places), key=PUBLIC, in_use=in_use)
    assert (found.newer, found.migrates, found.unread) == (True, False, ())
    later = written(places, migrations=[*sorted(KNOWN), "9999 more"], formats={"query": [3, 4], "envelope": [2]})
    found = check(SystemClock(), file=later, key=PUBLIC, in_use={"query": 3, "envelope": 1})
    assert (found.newer, found.migrates, found.unread) == (True, True, ("envelope 1",))


@pytest.mark.parametrize(("version", "newer"), [(__version__, False), ("0.0.9", False), ("0.10.0", True)])
def test_versions_are_compared_as_numbers(places: Path, version: str, newer: bool) -> None:
    assert check(SystemClock(), file=written(places, version=version), key=PUBLIC).newer is newer


def test_an_old_manifest_is_a_replay(places: Path) -> None:
    check(SystemClock(), file=written(places, sequence=7), key=PUBLIC)
    check(SystemClock(), file=written(places, sequence=7), key=PUBLIC)
    check(SystemClock(), file=written(places, sequence=9), key=PUBLIC)
    with pytest.raises(ProtocolViolation) as caught:
        check(SystemClock(), file=written(places, sequence=8), key=PUBLIC)
    assert (caught.value.code, caught.value.params) == ("updates.replayed", {"sequence": 8, "seen": 9})
    (places / "config/updates.json").write_text("cut o")
    check(SystemClock(), file=written(places, sequence=8), key=PUBLIC)


def test_an_expired_manifest_says_nothing(places: Path) -> None:
    old = written(places, expires=(TODAY - timedelta(days=1)).isoformat(), sequence=99)
    with pytest.raises(EnvironmentProblem, match=r"updates\.expired"):
        check(SystemClock(), file=old, key=PUBLIC)
    assert not (places / "config").exists()


def test_nobody_is_asked_unless_it_has_said_whom(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_fetch", lambda _address: pytest.fail("somebody was asked"))
    with pytest.raises(UserError, match=r"updates\.no_address"):
        check(SystemClock(), key=PUBLIC)
    with pytest.raises(UserError, match=r"updates\.no_key"):
        check(SystemClock(), file=written(places))


def test_the_key_that_it_has_fixed_outranks(places: Path) -> None:
    fixed = base64.b64encode(bytes(32)).decode()
    (places / "managed.toml").write_text(f"[updates]\nkey = '{fixed}'\n")
    with pytest.raises(ProtocolViolation, match=r"updates\.bad_signature"):
        check(SystemClock(), file=written(places), key=PUBLIC)


def test_a_file_that_is_too_large_is_not_read(places: Path) -> None:
    (places / "manifest").write_bytes(b" " * (LIMIT + 1))
    with pytest.raises(ConsiliumError):
        check(SystemClock(), file=places / "manifest", key=PUBLIC)


# --- as people use it -----------------------------------------------------------------------------------------------


def test_made_by_the_script_and_checked_by_the_command(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locked = serialization.BestAvailableEncryption(b"a word")
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    (places / "key.pem").write_bytes(pem)
    (places / "word").write_text("a word\n")
    (places / "consilium.deb").write_bytes(b"12345")
    script = Path(app.__file__).parents[1] / "installers/manifest.py"
    command = [sys.executable, str(script), "--sequence", "3", "--key", str(places / "key.pem"), "--output"]
    environment = {"CONSILIUM_MANIFEST_PASSWORD_FILE": str(places / "word")}
    done = subprocess.run(
        [*command, str(places / "manifest"), str(places / "consilium.deb")],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = base64.b64encode(PUBLIC).decode()
    assert shown in done.stdout
    asked = ["update", "check", "--file", str(places / "manifest"), "--key", shown, "--profile", str(places)]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["newer"], told["files"][0]["size"]) == (__version__, False, 5)
    written(places, sequence=4)
    assert main(asked) == 4
    said = capsys.readouterr().out
    assert "0.2.0" in said
    assert "ab" * 32 in said
    assert main(["update", "check", "--profile", str(places)]) == 1
    assert str(places / "managed.toml") in capsys.readouterr().err
