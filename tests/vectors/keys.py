"""The vectors of the key formats: what is in each file of ``keys-v1/``, and how it was made.

``python -m tests.vectors.keys`` writes the files that are missing. It never replaces one: a released vector must keep
loading, and a new version of a format gets vectors of its own beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.core import codec
from app.core.crypto.identity import MemberKey, SealingKey
from app.core.crypto.passphrase import lock, passphrase_from_text
from app.core.crypto.recovery import make_backup, make_words
from app.core.crypto.vault import StorageCipher
from app.core.federation.envelope import Envelope, seal_body, sign
from app.core.preparation.recontact import Recontact, locked
from app.core.secret import SecretBytes

DIRECTORY = Path(__file__).parent / "keys-v1"

ROOT = SecretBytes(bytes(range(32)))
MEMBER = MemberKey.from_root(ROOT)
ONE_TIME = SealingKey(SecretBytes(bytes(range(96))))
FEDERATION = bytes(range(32, 64))
PASSPHRASE = passphrase_from_text("correct horse battery staple – Zürich")
ATTACHMENTS = {"dealt share": b"sealed share", "pad keys": b"sealed pads", "ceremony salt": bytes(32)}
PLAINTEXT = b"Only the combined, protected result is ever decrypted."
RECONTACT = Recontact("Lausanne", 1_767_225_600_000, {"0123-4567-89AB": "patient 1", "CDEF-GHJK-MNPQ": "patient 2"})
ENVELOPE = Envelope(
    federation=FEDERATION,
    type="query.request",
    sender=1,
    recipients=(1, 2),
    session=bytes(range(16)),
    id=bytes(range(16, 32)),
    time=1_767_225_600_000,
    body=b"body",
)


def _secrets_file() -> bytes:
    content = codec.encode({"version": 1, "secrets": {"profile 1": ROOT.reveal()}})
    return lock("secrets", content, PASSPHRASE)


def _recovery_words() -> bytes:
    return ("\n".join(make_words(ROOT, FEDERATION).words) + "\n").encode()


def _sealed_body() -> bytes:
    return seal_body(PLAINTEXT, {1: MEMBER.public, 2: ONE_TIME.public}, ENVELOPE.context)


FILES: dict[str, Callable[[], bytes]] = {
    "public_key.cbor": lambda: codec.encode(MEMBER.public.to_dict()),
    "fingerprint.bin": lambda: MEMBER.public.fingerprint,
    "signature.bin": lambda: MEMBER.sign("vector", PLAINTEXT),
    "sealed.bin": lambda: MEMBER.public.seal_to("vector", PLAINTEXT, b"context"),
    "storage.bin": lambda: StorageCipher(ROOT).encrypt("vector", PLAINTEXT, b"context"),
    "secrets.passphrase": _secrets_file,
    "backup.passphrase": lambda: make_backup(ROOT, FEDERATION, ATTACHMENTS, PASSPHRASE, created=ENVELOPE.time),
    "recovery_words.txt": _recovery_words,
    "recovery_code.txt": lambda: make_words(ROOT, FEDERATION).short.encode() + b"\n",
    "envelope.cbor": lambda: sign(ENVELOPE, MEMBER),
    "sealed_body.cbor": _sealed_body,
    "recontact.passphrase": lambda: locked(RECONTACT, PASSPHRASE),
}


def read(name: str) -> bytes:
    """Return a checked-in vector."""
    return (DIRECTORY / name).read_bytes()


def main() -> None:
    """Write the vectors that are missing."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, make in FILES.items():
        if not (DIRECTORY / name).exists():
            (DIRECTORY / name).write_bytes(make())


if __name__ == "__main__":
    main()
