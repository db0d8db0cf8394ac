"""Bytes locked with a passphrase: the format under the backup file and the secret store of servers.

Format, canonical CBOR, version 1::

    {"format": "consilium passphrase file", "version": 1, "content": "backup" | "secrets",
     "argon2id": {"memory": KiB, "passes": n, "lanes": n}, "salt": 16 bytes, "data": bytes, "checksum": 32 bytes}

``data`` is AES-256-GCM with the first 32 bytes of Argon2id(passphrase, salt) as key and the next 12 as nonce: the salt
is fresh for every write, so both are used once. Everything but ``data`` and ``checksum`` is authenticated with it.
``checksum`` is the SHA-256 of the canonical encoding of the other fields; it keeps its place in later versions. It
finds accidents before a person is told that the passphrase is wrong; only someone who alters the file on purpose, and
makes the checksum anew, gets the answer "wrong passphrase". It proves nothing about who wrote the file.
"""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from app.core.codec import decode, encode
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import read_limited
from app.core.secret import SecretBytes

LEAST_CHARACTERS = 12

_FORMAT = "consilium passphrase file"
_VERSION = 1
_FIELDS = {"format", "version", "content", "argon2id", "salt", "data", "checksum"}
_SALT_BYTES = 16
_PASSPHRASE_LIMIT = 4096
_deriving = threading.Lock()
"""OpenSSL gives a process as many threads as one derivation has lanes: two at once fail, or wait for ever."""
_MOST_MEMORY = 2**20
_MOST_PASSES = 16
_MOST_LANES = 16
_MOST_WORK = 2**22


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """What one guess at a passphrase costs: memory in KiB, passes over it, lanes side by side.

    The default is the second recommended choice of RFC 9106 §4 (64 MiB, 3 passes, 4 lanes), well above what OWASP asks;
    about 0.15 s on two cores.
    """

    memory: int = 65536
    passes: int = 3
    lanes: int = 4

    @property
    def bearable(self) -> bool:
        """Whether a file may ask for this: at most 1 GiB, 16 passes, 16 lanes, 4 GiB written in all."""
        return (
            1 <= self.lanes <= _MOST_LANES
            and 8 * self.lanes <= self.memory <= _MOST_MEMORY
            and 1 <= self.passes <= _MOST_PASSES
            and self.memory * self.passes <= _MOST_WORK
        )


STANDARD_COST = Argon2Cost()


def passphrase_from_text(text: str) -> SecretBytes:
    """Return what a person typed as bytes: NFC, UTF-8, so that every keyboard and system gives the same."""
    return SecretBytes(unicodedata.normalize("NFC", text).encode())


def check_new(passphrase: SecretBytes) -> SecretBytes:
    """Return a passphrase that is being chosen; raises UserError ``passphrase.too_short`` below 12 characters."""
    if len(passphrase.reveal().decode().strip()) < LEAST_CHARACTERS:
        raise UserError("passphrase.too_short", least=LEAST_CHARACTERS)
    return passphrase


def passphrase_from_file(path: Path) -> SecretBytes:
    """Return the passphrase in a UTF-8 text file, without the line end after it.

    Raises UserError ``passphrase.not_text``, ``passphrase.empty``; EnvironmentProblem ``file.*``.
    """
    try:
        text = read_limited(path, _PASSPHRASE_LIMIT).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError("passphrase.not_text", path=str(path)) from None  # its text would quote the passphrase
    if not text:
        raise UserError("passphrase.empty", path=str(path))
    return passphrase_from_text(text)


def lock(
    content: str,
    plaintext: bytes,
    passphrase: SecretBytes,
    cost: Argon2Cost = STANDARD_COST,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return the bytes of a file that holds ``plaintext`` of the kind ``content`` under ``passphrase``."""
    header: dict[str, object] = {
        "format": _FORMAT,
        "version": _VERSION,
        "content": content,
        "argon2id": {"memory": cost.memory, "passes": cost.passes, "lanes": cost.lanes},
        "salt": random(_SALT_BYTES),
    }
    cipher, nonce = _cipher(header, passphrase, cost)
    header["data"] = cipher.encrypt(nonce, plaintext, _authenticated(header))
    return encode({**header, "checksum": _checksum(header)})


def unlock(content: str, file: bytes, passphrase: SecretBytes, limit: int) -> bytes:
    """Return the plaintext of a file made by :func:`lock`, of at most ``limit`` bytes.

    Raises EnvironmentProblem ``passphrase.damaged`` (altered, cut, extended, or no such file at all),
    ``passphrase.newer``, ``passphrase.too_costly``, ``passphrase.memory``; UserError ``passphrase.other_content``
    (a secret store where a backup is wanted, or the reverse) and ``passphrase.wrong``.
    """
    header = _intact(file, limit)
    if header["version"] != _VERSION:
        raise EnvironmentProblem("passphrase.newer")
    cost = _schema(header)
    if header["content"] != content:
        raise UserError("passphrase.other_content")
    if not cost.bearable:
        raise EnvironmentProblem("passphrase.too_costly")
    cipher, nonce = _cipher(header, passphrase, cost)
    try:
        return cipher.decrypt(nonce, header["data"], _authenticated(header))
    except InvalidTag as error:
        raise UserError("passphrase.wrong") from error


def _intact(file: bytes, limit: int) -> dict[str, Any]:
    try:
        header = decode(file, limit)
    except ProtocolViolation as error:
        raise EnvironmentProblem("passphrase.damaged") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT or type(header.get("version")) is not int:
        raise EnvironmentProblem("passphrase.damaged")
    if header.pop("checksum", None) != _checksum(header):
        raise EnvironmentProblem("passphrase.damaged")
    return header


def _schema(header: dict[str, Any]) -> Argon2Cost:
    numbers = header.get("argon2id")
    if (
        set(header) != _FIELDS - {"checksum"}
        or type(header["content"]) is not str
        or type(header["salt"]) is not bytes
        or len(header["salt"]) != _SALT_BYTES
        or type(header["data"]) is not bytes
        or not isinstance(numbers, dict)
        or set(numbers) != {"memory", "passes", "lanes"}
        or any(type(number) is not int for number in numbers.values())
    ):
        raise EnvironmentProblem("passphrase.damaged")
    return Argon2Cost(numbers["memory"], numbers["passes"], numbers["lanes"])


def _cipher(header: dict[str, Any], passphrase: SecretBytes, cost: Argon2Cost) -> tuple[AESGCM, bytes]:
    try:
        with _deriving:
            derived = Argon2id(
                salt=header["salt"], length=44, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory
            ).derive(passphrase.reveal())
    except MemoryError as error:
        raise EnvironmentProblem("passphrase.memory", mebibytes=cost.memory // 1024) from error
    return AESGCM(derived[:32]), derived[32:]


def _authenticated(header: dict[str, Any]) -> bytes:
    return encode({name: header[name] for name in sorted(_FIELDS - {"data", "checksum"})})


def _checksum(header: dict[str, Any]) -> bytes:
    return hashlib.sha256(encode(header)).digest()
