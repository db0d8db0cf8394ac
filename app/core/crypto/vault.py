"""Where the site root lies, and how every other secret is kept at rest.

The site root (32 random bytes) lies in a :class:`SecretStore`: the keyring of the operating system
(:func:`open_keyring`) or, for servers and only by explicit choice, a file protected by a passphrase
(:class:`PassphraseFile`). Every other secret is encrypted by a :class:`StorageCipher` under a key derived from it.

Formats:

- keyring: see ``crypto/os_keyring.py``;
- passphrase file: ``crypto/passphrase.py`` with content ``secrets``; plaintext canonical CBOR
  ``{"version": 1, "secrets": {name: 32 bytes}}``;
- storage cipher, version 1: byte 1 ‖ salt (32 random bytes) ‖ AES-256-GCM ciphertext ‖ tag (16). Key (32) ‖ nonce
  (12) are ``root.derive("storage key v1").derive("storage message v1", salt, 44)``, so no key is used twice and the
  number of messages is not limited by the nonce; additional data is ``version ‖ purpose ‖ 0 ‖ context``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.codec import decode, encode
from app.core.crypto.os_keyring import open_keyring
from app.core.crypto.passphrase import STANDARD_COST, Argon2Cost, lock, unlock
from app.core.crypto.secret_store import SECRET_BYTES, SecretStore, StoreKind, check_entry
from app.core.errors import Bug, EnvironmentProblem, ProtocolViolation
from app.core.files import read_limited, write_atomic
from app.core.secret import SecretBytes

__all__ = ["PassphraseFile", "SecretStore", "StorageCipher", "open_keyring"]

_FILE_LIMIT = 2**20
_STORAGE_VERSION = 1
_SALT_BYTES = 32
_TAG_BYTES = 16


class PassphraseFile:
    """Secrets in a file under a passphrase, for machines without a keyring. Raises as :func:`.passphrase.unlock`."""

    kind: StoreKind = "passphrase-file"

    def __init__(
        self,
        path: Path,
        passphrase: SecretBytes,
        cost: Argon2Cost = STANDARD_COST,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._path = path
        self._passphrase = passphrase
        self._cost = cost
        self._random = random

    @property
    def description(self) -> str:
        return str(self._path)

    def get(self, name: str) -> SecretBytes | None:
        return self._read().get(name)

    def put(self, name: str, secret: SecretBytes) -> None:
        check_entry(name, secret)
        self._write({**self._read(), name: secret})

    def delete(self, name: str) -> None:
        secrets = self._read()
        if secrets.pop(name, None) is not None:
            self._write(secrets)

    def _read(self) -> dict[str, SecretBytes]:
        if not self._path.exists():
            return {}
        file = read_limited(self._path, _FILE_LIMIT)
        plaintext = unlock("secrets", file, self._passphrase, _FILE_LIMIT)
        try:
            value = decode(plaintext, _FILE_LIMIT)
        except ProtocolViolation as error:
            raise EnvironmentProblem("passphrase.damaged") from error
        if not isinstance(value, dict) or value.get("version") != 1 or not isinstance(value.get("secrets"), dict):
            raise EnvironmentProblem("passphrase.damaged")
        for name, secret in value["secrets"].items():
            if type(name) is not str or type(secret) is not bytes or len(secret) != SECRET_BYTES:
                raise EnvironmentProblem("passphrase.damaged")
        return {name: SecretBytes(secret) for name, secret in value["secrets"].items()}

    def _write(self, secrets: dict[str, SecretBytes]) -> None:
        plain = {name: secret.reveal() for name, secret in secrets.items()}
        plaintext = encode({"version": 1, "secrets": plain})
        file = lock("secrets", plaintext, self._passphrase, self._cost, self._random)
        write_atomic(self._path, file)
        if read_limited(self._path, _FILE_LIMIT) != file:
            raise EnvironmentProblem("keyring.not_stored")


class StorageCipher:
    """Encrypts what lies in the database and in files under a key derived from the site root."""

    def __init__(self, root: SecretBytes, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = root.derive("storage key v1")
        self._random = random

    def encrypt(self, purpose: str, plaintext: bytes, context: bytes = b"") -> bytes:
        """Return ``plaintext`` encrypted, 49 bytes longer; it opens only for the same ``purpose`` and ``context``.

        ``purpose`` names the kind of record and holds no zero byte; ``context`` says which one (a ceremony, a row), so
        that records cannot change places.
        """
        salt = self._random(_SALT_BYTES)
        cipher, nonce = self._cipher(salt)
        return bytes([_STORAGE_VERSION]) + salt + cipher.encrypt(nonce, plaintext, _storage_data(purpose, context))

    def decrypt(self, purpose: str, data: bytes, context: bytes = b"") -> bytes:
        """Return what :meth:`encrypt` was given for this ``purpose`` and ``context``.

        Raises EnvironmentProblem ``vault.damaged`` (altered, cut, of another purpose, context or root) and
        ``vault.newer``.
        """
        if data[:1] > bytes([_STORAGE_VERSION]):
            raise EnvironmentProblem("vault.newer", purpose=purpose)
        if data[:1] != bytes([_STORAGE_VERSION]) or len(data) < 1 + _SALT_BYTES + _TAG_BYTES:
            raise EnvironmentProblem("vault.damaged", purpose=purpose)
        cipher, nonce = self._cipher(data[1 : 1 + _SALT_BYTES])
        try:
            return cipher.decrypt(nonce, data[1 + _SALT_BYTES :], _storage_data(purpose, context))
        except InvalidTag as error:
            raise EnvironmentProblem("vault.damaged", purpose=purpose) from error

    def _cipher(self, salt: bytes) -> tuple[AESGCM, bytes]:
        derived = self._key.derive("storage message v1", salt, 32 + 12).reveal()
        return AESGCM(derived[:32]), derived[32:]


def _storage_data(purpose: str, context: bytes) -> bytes:
    if not purpose or "\0" in purpose:
        raise Bug("vault.bad_purpose", purpose=purpose)
    return bytes([_STORAGE_VERSION]) + purpose.encode() + b"\0" + context
