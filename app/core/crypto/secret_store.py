"""What every place for the site root offers, whatever lies behind it."""

from __future__ import annotations

from typing import Literal, Protocol

from app.core.errors import Bug
from app.core.secret import SecretBytes

SECRET_BYTES = 32

StoreKind = Literal["secret-service", "kwallet", "windows", "macos", "passphrase-file"]


class SecretStore(Protocol):
    """A place for a few 32-byte secrets, outside the profile's database.

    Every method raises EnvironmentProblem ``keyring.*`` or ``passphrase.*`` (and UserError ``passphrase.wrong``) when
    the place cannot be reached, is locked or does not keep what it is given.
    """

    @property
    def kind(self) -> StoreKind:
        """Which sort of place this is."""

    @property
    def description(self) -> str:
        """Which keyring or file it is, for status and support; no secret."""

    def get(self, name: str) -> SecretBytes | None:
        """Return the secret kept under ``name``, or None."""

    def put(self, name: str, secret: SecretBytes) -> None:
        """Keep ``secret`` (32 bytes) under ``name``, replacing another, and read it back."""

    def delete(self, name: str) -> None:
        """Forget ``name``; nothing happens if it is not there."""


def check_entry(name: str, secret: SecretBytes) -> None:
    """Raise Bug unless these may go into a store: a printable ASCII name of 1 to 100 characters, 32 bytes."""
    if not 1 <= len(name) <= 100 or not name.isascii() or not name.isprintable():
        raise Bug("vault.bad_name", name=name)
    if len(secret) != SECRET_BYTES:
        raise Bug("vault.bad_secret", length=len(secret))
