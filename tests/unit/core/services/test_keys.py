"""Backing up and restoring a site's keys, on one computer and after its loss."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app.core.crypto.passphrase import passphrase_from_text
from app.core.crypto.recovery import make_words, read_words
from app.core.crypto.recovery_sheet import SheetTexts
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.secret import SecretBytes
from app.core.services import keys
from tests.fake_profile import CHEAP, FakeProfile

ROOT = SecretBytes(bytes(range(32)))
PHRASE = passphrase_from_text("correct horse battery")
TEXTS = SheetTexts("en", "Recovery sheet", "Federation", "Site", "Made on", "Key", ("Keep it.",), "Secret.", "Code")


@pytest.fixture
def profile(tmp_path: Path) -> FakeProfile:
    return FakeProfile(tmp_path, ROOT)


def words(root: SecretBytes = ROOT, federation: bytes = b"\xaa" * 32) -> str:
    return " ".join(make_words(root, federation).words)


def back_up(profile: FakeProfile, path: Path) -> Path:
    keys.save_backup(profile, path, PHRASE, now=7, cost=CHEAP)
    return path


def test_status_says_where_the_keys_are(profile: FakeProfile) -> None:
    found = keys.status(profile)
    assert (found.profile, found.federation, found.site, found.keyring) == (
        "profile 1",
        "Lung",
        "North",
        "passphrase-file",
    )
    assert found.backups == ()


def test_status_tells_a_missing_key_from_a_wrong_one(profile: FakeProfile) -> None:
    profile.secrets.put(profile.profile_id, SecretBytes(bytes(32)))
    with pytest.raises(EnvironmentProblem, match=r"keys\.not_ours"):
        keys.status(profile)
    profile.secrets.delete(profile.profile_id)
    with pytest.raises(EnvironmentProblem, match=r"keys\.missing"):
        keys.status(profile)


def test_a_sheet_brings_the_root_back(profile: FakeProfile, tmp_path: Path) -> None:
    path = tmp_path / "sheet.txt"
    keys.save_sheet(profile, path, TEXTS, "2026-01-02", now=5)
    assert profile.made == [(5, "sheet")]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    profile.secrets.delete(profile.profile_id)
    text = " ".join(keys.make_sheet(FakeProfile(tmp_path / "elsewhere", ROOT), TEXTS, "").words.words)
    done = keys.restore(profile, keys.check_words(profile, text))
    assert (done.root_was_there, done.written, done.kept) == (False, (), ())
    assert keys.status(profile).backups == ((5, "sheet"),)


def test_a_page_or_text_by_its_name(profile: FakeProfile, tmp_path: Path) -> None:
    keys.save_sheet(profile, tmp_path / "sheet.html", TEXTS, "2026-01-02", now=5)
    assert (tmp_path / "sheet.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_backup_file_brings_everything_back(profile: FakeProfile, tmp_path: Path) -> None:
    path = back_up(profile, tmp_path / "backup")
    assert profile.made == [(7, "file")]
    material = dict(profile.material)
    profile.secrets.delete(profile.profile_id)
    profile.material = {}
    recovered = keys.check_file(profile, path, PHRASE)
    assert (profile.secrets.get(profile.profile_id), profile.material) == (None, {})  # checking changed nothing
    assert keys.restore(profile, recovered).written == ("dealt share", "pad keys")
    assert (profile.secrets.get(profile.profile_id), profile.material) == (ROOT, material)
    again = keys.restore(profile, recovered)
    assert (again.root_was_there, again.written, again.kept) == (True, (), ())


def test_newer_key_material_is_kept_unless_asked_otherwise(profile: FakeProfile, tmp_path: Path) -> None:
    recovered = keys.check_file(profile, back_up(profile, tmp_path / "backup"), PHRASE)
    profile.material = {"dealt share": b"refreshed"}
    done = keys.restore(profile, recovered)
    assert (done.written, done.kept) == (("pad keys",), ("dealt share",))
    assert profile.material == {"dealt share": b"refreshed", "pad keys": b"pads"}
    assert keys.restore(profile, recovered, replace=True).written == ("dealt share",)
    assert profile.material["dealt share"] == b"share"


def test_wrong_foreign_and_damaged_backups_change_nothing(profile: FakeProfile, tmp_path: Path) -> None:
    elsewhere = FakeProfile(tmp_path / "elsewhere", ROOT, b"\xbb" * 32)
    foreign = back_up(elsewhere, tmp_path / "foreign")
    profile.secrets.delete(profile.profile_id)
    cases = {
        "recovery.wrong": lambda: keys.check_words(profile, words(SecretBytes(bytes(32)))),
        "recovery.foreign": lambda: keys.check_words(profile, words(federation=b"\xbb" * 32)),
        "recovery.damaged": lambda: keys.check_words(profile, " ".join(reversed(words().split()))),
        "recovery.unknown_word": lambda: keys.check_words(profile, "xyz " + words()),
        "passphrase.wrong": lambda: keys.check_file(profile, foreign, passphrase_from_text("other")),
        "passphrase.damaged": lambda: keys.check_file(profile, Path(__file__), PHRASE),
        "file.not_found": lambda: keys.check_file(profile, tmp_path / "nothing", PHRASE),
    }
    for code, attempt in cases.items():
        with pytest.raises(ConsiliumError) as refused:
            attempt()
        assert refused.value.code == code
    with pytest.raises(UserError, match=r"recovery\.foreign"):
        keys.check_file(profile, foreign, PHRASE)
    with pytest.raises(UserError, match=r"recovery\.wrong"):
        keys.restore(profile, read_words(words(SecretBytes(bytes(32)))))
    assert profile.secrets.get(profile.profile_id) is None


def test_an_existing_file_is_never_replaced(profile: FakeProfile, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_text("older")
    with pytest.raises(UserError, match=r"keys\.file_exists"):
        back_up(profile, path)
    with pytest.raises(UserError, match=r"keys\.file_exists"):
        keys.save_sheet(profile, path, TEXTS, "", now=1)
    assert (path.read_text(), profile.made) == ("older", [])


def test_a_backup_counts_only_once_it_has_been_read_again(
    profile: FakeProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = FakeProfile(tmp_path / "elsewhere", SecretBytes(bytes(32)))
    other = back_up(stranger, tmp_path / "other").read_bytes()
    monkeypatch.setattr(keys, "write_atomic", lambda path, _: path.write_bytes(other))
    with pytest.raises(EnvironmentProblem, match=r"keys\.backup_unreadable"):
        back_up(profile, tmp_path / "backup")
    assert not profile.made


def test_before_the_federation_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    profile = FakeProfile(tmp_path, ROOT, None)
    assert keys.status(profile).federation is None
    for attempt in (
        lambda: keys.make_sheet(profile, TEXTS, ""),
        lambda: back_up(profile, tmp_path / "backup"),
        lambda: keys.check_words(profile, words()),
    ):
        with pytest.raises(UserError, match=r"keys\.no_federation"):
            attempt()
    assert not (tmp_path / "backup").exists()


def test_words_come_from_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(b"\xef\xbb\xbf" + words().encode())
    assert read_words(keys.read_words_file(path)).root == ROOT
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match=r"keys\.words_not_text"):
        keys.read_words_file(path)
