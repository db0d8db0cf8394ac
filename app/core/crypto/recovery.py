"""Backups of the site root: thirty words on paper, or a file under a passphrase.

Recovery words, version 1: version (8 bits) ‖ federation tag (the first 32 bits of the federation id) ‖ site root (256
bits) ‖ checksum (the first 34 bits of SHA-256(``"consilium/recovery words"`` ‖ 0 ‖ the 37 bytes before it)), cut into
thirty numbers of 11 bits, each the place of a word in the English list of BIP-39, whose words differ in their first
four letters. A wrong, missing or misplaced word goes unnoticed once in 2^34. The sheet's QR code holds the same words,
each cut to four letters, in capitals.

Backup file, version 1: ``crypto/passphrase.py`` with content ``backup``; plaintext canonical CBOR
``{"version": 1, "federation": 32 bytes, "root": 32 bytes, "created": UTC milliseconds, "attachments": {name: bytes}}``.
The attachments are what the root alone does not bring back: the dealt key share, the pad keys, the ceremony's salt.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.core.codec import decode, encode
from app.core.crypto.identity import MemberKey, MemberPublicKey
from app.core.crypto.passphrase import STANDARD_COST, Argon2Cost, lock, unlock
from app.core.crypto.word_list import LEAST_LETTERS, WORD_BITS, to_words, typed_words, word_number
from app.core.errors import Bug, EnvironmentProblem, ProtocolViolation, UserError
from app.core.secret import SecretBytes

WORDS = 30
TAG_BYTES = 4
BACKUP_LIMIT = 64 * 2**20

_WORDS_VERSION = 1
_BACKUP_VERSION = 1
_ROOT_BYTES = 32
_FEDERATION_BYTES = 32
_PAYLOAD_BYTES = 1 + TAG_BYTES + _ROOT_BYTES
_CHECK_BITS = WORDS * WORD_BITS - 8 * _PAYLOAD_BYTES


class Verdict(StrEnum):
    """What a backup is, for one site of one federation."""

    RIGHT = "right"
    WRONG = "wrong"
    """Of this federation, but not of this site's present member key."""
    FOREIGN = "foreign"
    """Of another federation."""
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class RecoveryWords:
    """The thirty words: as secret as the root itself, so the repr does not show them."""

    words: tuple[str, ...] = field(repr=False)

    @property
    def short(self) -> str:
        """The words cut to four letters, in capitals: what the QR code holds; :func:`read_words` takes it."""
        return " ".join(word[:LEAST_LETTERS].upper() for word in self.words)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a backup held: the site root, its federation (a tag of 4 bytes, or all 32) and the attachments."""

    root: SecretBytes
    federation: bytes
    attachments: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def judge(self, federation_id: bytes, expected: MemberPublicKey) -> Verdict:
        """Say whether this backup is that of the site with the member key ``expected`` in ``federation_id``."""
        if federation_id[: len(self.federation)] != self.federation:
            return Verdict.FOREIGN
        return Verdict.RIGHT if MemberKey.from_root(self.root).public == expected else Verdict.WRONG


def make_words(root: SecretBytes, federation_id: bytes) -> RecoveryWords:
    """Return the recovery words of a 32-byte site root in the federation with this 32-byte id."""
    _check_lengths(root, federation_id)
    payload = bytes([_WORDS_VERSION]) + federation_id[:TAG_BYTES] + root.reveal()
    number = int.from_bytes(payload, "big") << _CHECK_BITS | _checksum(payload)
    return RecoveryWords(to_words(number, WORDS))


def read_words(text: str) -> Recovered:
    """Read recovery words as people type them: any case, spaces and lines, numbered or not, four letters or more.

    Raises UserError ``recovery.unknown_word`` (with its position, never the word), ``recovery.word_count``,
    ``recovery.newer``, ``recovery.damaged`` (the checksum does not fit: a wrong or misplaced word).
    """
    places = [_place(word, position) for position, word in enumerate(typed_words(text), 1)]
    if len(places) != WORDS:
        raise UserError("recovery.word_count", found=len(places), wanted=WORDS)
    number = 0
    for place in places:
        number = number << WORD_BITS | place
    payload = (number >> _CHECK_BITS).to_bytes(_PAYLOAD_BYTES, "big")
    if number & (1 << _CHECK_BITS) - 1 != _checksum(payload):
        raise UserError("recovery.damaged")
    if payload[0] != _WORDS_VERSION:
        raise UserError("recovery.newer")
    return Recovered(SecretBytes(payload[1 + TAG_BYTES :]), payload[1 : 1 + TAG_BYTES])


def count_words(text: str) -> int:
    """Return how many words there are in ``text``, known or not: a prompt asks on until there are :data:`WORDS`."""
    return len(typed_words(text))


def check(text: str, federation_id: bytes, expected: MemberPublicKey) -> Verdict:
    """Tell what the words in ``text`` are for this site, without storing anything."""
    try:
        return read_words(text).judge(federation_id, expected)
    except UserError:
        return Verdict.DAMAGED


def make_backup(
    root: SecretBytes,
    federation_id: bytes,
    attachments: Mapping[str, bytes],
    passphrase: SecretBytes,
    *,
    created: int,
    cost: Argon2Cost = STANDARD_COST,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return the bytes of a backup file; ``created`` is UTC in milliseconds, ``attachments`` are kept as they are."""
    _check_lengths(root, federation_id)
    plaintext = encode(
        {
            "version": _BACKUP_VERSION,
            "federation": federation_id,
            "root": root.reveal(),
            "created": created,
            "attachments": dict(attachments),
        }
    )
    return lock("backup", plaintext, passphrase, cost, random)


def read_backup(file: bytes, passphrase: SecretBytes) -> Recovered:
    """Open a backup file; raises ``passphrase.*`` as :func:`app.core.crypto.passphrase.unlock` does."""
    plaintext = unlock("backup", file, passphrase, BACKUP_LIMIT)
    try:
        value = decode(plaintext, BACKUP_LIMIT)
    except ProtocolViolation as error:
        raise EnvironmentProblem("passphrase.damaged") from error
    if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > _BACKUP_VERSION:
        raise EnvironmentProblem("passphrase.newer")
    if not _is_backup(value):
        raise EnvironmentProblem("passphrase.damaged")
    return Recovered(SecretBytes(value["root"]), value["federation"], value["attachments"])


def _is_backup(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"version", "federation", "root", "created", "attachments"}
        and value["version"] == _BACKUP_VERSION
        and type(value["federation"]) is bytes
        and len(value["federation"]) == _FEDERATION_BYTES
        and type(value["root"]) is bytes
        and len(value["root"]) == _ROOT_BYTES
        and type(value["created"]) is int
        and isinstance(value["attachments"], dict)
        and all(type(name) is str and type(item) is bytes for name, item in value["attachments"].items())
    )


def _check_lengths(root: SecretBytes, federation_id: bytes) -> None:
    if len(root) != _ROOT_BYTES or len(federation_id) != _FEDERATION_BYTES:
        raise Bug("recovery.bad_length", root=len(root), federation=len(federation_id))


def _checksum(payload: bytes) -> int:
    digest = hashlib.sha256(b"consilium/recovery words\0" + payload).digest()
    return int.from_bytes(digest, "big") >> 256 - _CHECK_BITS


def _place(word: str, position: int) -> int:
    place = word_number(word)
    if place is None:
        raise UserError("recovery.unknown_word", position=position)
    return place
