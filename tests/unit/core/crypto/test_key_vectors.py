"""Every released format of keys, backups and messages keeps loading."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core import codec
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.recovery import make_words, read_backup, read_words
from app.core.crypto.vault import PassphraseFile, StorageCipher
from app.core.federation.envelope import open_body, open_envelope
from tests.vectors.keys import (
    ATTACHMENTS,
    DIRECTORY,
    ENVELOPE,
    FEDERATION,
    FILES,
    MEMBER,
    ONE_TIME,
    PASSPHRASE,
    PLAINTEXT,
    ROOT,
    read,
)

DETERMINED = ["public_key.cbor", "fingerprint.bin", "signature.bin", "envelope.cbor", "recovery_words.txt"]


def test_all_vectors_are_there() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == FILES.keys()


@pytest.mark.parametrize("name", DETERMINED)
def test_what_is_determined_is_still_made_the_same(name: str) -> None:
    assert FILES[name]() == read(name)


def test_identity() -> None:
    public = MemberPublicKey.from_dict(codec.decode(read("public_key.cbor"), 4096))
    public.check("vector", PLAINTEXT, read("signature.bin"))
    assert public.fingerprint == read("fingerprint.bin")
    assert MEMBER.open("vector", read("sealed.bin"), b"context") == PLAINTEXT


def test_storage() -> None:
    assert StorageCipher(ROOT).decrypt("vector", read("storage.bin"), b"context") == PLAINTEXT


def test_passphrase_file(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_bytes(read("secrets.passphrase"))
    assert PassphraseFile(tmp_path / "secrets", PASSPHRASE).get("profile 1") == ROOT


def test_backup_file() -> None:
    recovered = read_backup(read("backup.passphrase"), PASSPHRASE)
    assert (recovered.root, recovered.federation, recovered.attachments) == (ROOT, FEDERATION, ATTACHMENTS)


@pytest.mark.parametrize("name", ["recovery_words.txt", "recovery_code.txt"])
def test_recovery_words(name: str) -> None:
    recovered = read_words(read(name).decode())
    assert (recovered.root, recovered.federation) == (ROOT, FEDERATION[:4])
    assert make_words(recovered.root, FEDERATION).short.split() == read("recovery_code.txt").decode().split()


def test_envelope_and_body() -> None:
    opened = open_envelope(
        read("envelope.cbor"), federation=FEDERATION, roster={1: MEMBER.public}, me=2, types={"query.request"}
    )
    assert opened == ENVELOPE
    for position, key in ((1, MEMBER), (2, ONE_TIME)):
        assert open_body(read("sealed_body.cbor"), position, key, opened.context) == PLAINTEXT
