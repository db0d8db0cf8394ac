"""The preparer's key: made on the machine that prepares, and never leaving it.

One 32-byte secret lies in that machine's :class:`SecretStore` under the name ``preparer``. Derived from it: the Ed25519
key that signs packages, and per preparation (by a random salt) the seed of the secret order of the patients and the
key under which an interrupted preparation recognises its own input.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.crypto.secret_store import SECRET_BYTES, SecretStore
from app.core.secret import SecretBytes
from app.core.store.documents import signed_bytes

STORE_NAME = "preparer"


class PreparerKey:
    """The preparer's secret; ``public`` (32 bytes) is what a site pins."""

    __slots__ = ("_secret", "_signing", "public")

    def __init__(self, secret: SecretBytes) -> None:
        self._secret = secret
        self._signing = Ed25519PrivateKey.from_private_bytes(secret.derive("preparer signing key v1").reveal())
        self.public = self._signing.public_key().public_bytes_raw()

    @classmethod
    def from_store(cls, store: SecretStore, random: Callable[[int], bytes] = os.urandom) -> PreparerKey:
        """Return the machine's key, making it the first time; raises as :class:`SecretStore` says."""
        secret = store.get(STORE_NAME)
        if secret is None:
            secret = SecretBytes(random(SECRET_BYTES))
            store.put(STORE_NAME, secret)
        return cls(secret)

    def sign(self, manifest: bytes) -> bytes:
        """Return the 64-byte signature of a manifest."""
        return self._signing.sign(signed_bytes(manifest))

    def order_seed(self, salt: bytes) -> SecretBytes:
        """Return the seed (32 bytes) of the patients' order in the preparation with this salt."""
        return self._secret.derive("patient order v1", salt)

    def input_key(self, salt: bytes) -> SecretBytes:
        """Return the key (32 bytes) that authenticates the input of the preparation with this salt."""
        return self._secret.derive("preparation input v1", salt)

    def __repr__(self) -> str:
        return "PreparerKey(private)"
