"""The passphrase file as a store, and the encryption of everything else at rest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app.core import codec
from app.core.crypto import vault
from app.core.crypto.passphrase import Argon2Cost, lock, passphrase_from_text
from app.core.crypto.vault import PassphraseFile, StorageCipher
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, UserError
from app.core.secret import SecretBytes

CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)
PHRASE = passphrase_from_text("correct horse battery")
ROOT = SecretBytes(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def store(path: Path, phrase: SecretBytes = PHRASE) -> PassphraseFile:
    return PassphraseFile(path, phrase, CHEAP)


def test_secrets_are_kept_replaced_and_forgotten(path: Path) -> None:
    assert store(path).get("a") is None
    store(path).put("a", ROOT)
    store(path).put("b", SecretBytes(bytes(32)))
    store(path).put("a", SecretBytes(b"\1" * 32))
    assert store(path).get("a") == SecretBytes(b"\1" * 32)
    assert store(path).get("b") == SecretBytes(bytes(32))
    store(path).delete("a")
    store(path).delete("a")
    assert store(path).get("a") is None
    assert store(path).get("b") is not None
    assert (store(path).kind, store(path).description) == ("passphrase-file", str(path))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_only_its_user_reads_the_file(path: Path) -> None:
    store(path).put("a", ROOT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets"]


def test_the_file_holds_nothing_in_clear(path: Path) -> None:
    store(path).put("a name", ROOT)
    assert ROOT.reveal() not in path.read_bytes()
    assert b"a name" not in path.read_bytes()


def test_a_wrong_passphrase_changes_nothing(path: Path) -> None:
    store(path).put("a", ROOT)
    before = path.read_bytes()
    stranger = store(path, passphrase_from_text("another passphrase"))
    for action in (lambda: stranger.get("a"), lambda: stranger.put("a", ROOT), lambda: stranger.delete("a")):
        with pytest.raises(UserError, match=r"passphrase\.wrong"):
            action()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "plaintext",
    [
        b"\xff",
        codec.encode([]),
        codec.encode({"version": 2, "secrets": {}}),
        codec.encode({"version": 1, "secrets": []}),
        codec.encode({"version": 1, "secrets": {"a": bytes(31)}}),
        codec.encode({"version": 1, "secrets": {"a": "x"}}),
        codec.encode({"version": 1, "secrets": {1: bytes(32)}}),
    ],
)
def test_a_file_with_another_content_is_damaged(path: Path, plaintext: bytes) -> None:
    path.write_bytes(lock("secrets", plaintext, PHRASE, CHEAP))
    with pytest.raises(EnvironmentProblem, match=r"passphrase\.damaged"):
        store(path).get("a")


def test_a_file_that_grew_is_not_read(path: Path) -> None:
    path.write_bytes(bytes(2**20 + 1))
    with pytest.raises(EnvironmentProblem, match=r"file\.too_large"):
        store(path).get("a")


def test_a_disk_that_does_not_keep_what_it_is_given_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "write_atomic", lambda path, data: path.write_bytes(data[:-1]))
    with pytest.raises(EnvironmentProblem, match=r"keyring\.not_stored"):
        store(path).put("a", ROOT)


@pytest.mark.parametrize(("name", "secret"), [("", bytes(32)), ("a\n", bytes(32)), ("a" * 101, bytes(32)), ("a", b"")])
def test_only_named_secrets_of_32_bytes_are_taken(path: Path, name: str, secret: bytes) -> None:
    with pytest.raises(Bug):
        store(path).put(name, SecretBytes(secret))
    assert not path.exists()


def test_storage_opens_for_its_root_purpose_and_context_only() -> None:
    cipher = StorageCipher(ROOT)
    data = cipher.encrypt("journal", b"plain", b"row 1")
    assert len(data) == len(b"plain") + 49
    assert data != cipher.encrypt("journal", b"plain", b"row 1")
    assert StorageCipher(ROOT).decrypt("journal", data, b"row 1") == b"plain"
    wrong = [
        (StorageCipher(SecretBytes(bytes(32))), "journal", b"row 1"),
        (cipher, "journa", b"row 1"),
        (cipher, "journal", b"row 2"),
        (cipher, "journal", b""),
    ]
    for other, purpose, context in wrong:
        with pytest.raises(EnvironmentProblem, match=r"vault\.damaged"):
            other.decrypt(purpose, data, context)


def test_every_byte_of_stored_data_is_protected() -> None:
    cipher = StorageCipher(ROOT)
    data = cipher.encrypt("journal", b"plain")
    cut = [data[:length] for length in range(len(data))]
    flipped = [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(len(data))]
    for altered in [*cut, *flipped, data + b"\0"]:
        with pytest.raises(EnvironmentProblem) as refused:
            cipher.decrypt("journal", altered)
        assert refused.value.code == "vault.damaged"


def test_a_newer_storage_format_says_so() -> None:
    with pytest.raises(ConsiliumError) as refused:
        StorageCipher(ROOT).decrypt("journal", b"\2" + bytes(100))
    assert (refused.value.code, refused.value.params) == ("vault.newer", {"purpose": "journal"})


@pytest.mark.parametrize("purpose", ["", "a\0b"])
def test_a_storage_purpose_cannot_run_into_the_context(purpose: str) -> None:
    with pytest.raises(Bug):
        StorageCipher(ROOT).encrypt(purpose, b"")
