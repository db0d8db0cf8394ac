"""Detached signatures: who downloads a package can check that it is ours, whatever lay in between.

The key never lies in the checkout. ``CONSILIUM_GPG_KEY`` names it (its fingerprint) in the keyring of whoever builds,
which may be a smart card's; ``CONSILIUM_GPG_KEY_FILE`` is a secret key exported to a file, for a build machine. A
passphrase comes from the file that ``CONSILIUM_GPG_PASSPHRASE_FILE`` names.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

KEY, KEY_FILE, PASSPHRASE = "CONSILIUM_GPG_KEY", "CONSILIUM_GPG_KEY_FILE", "CONSILIUM_GPG_PASSPHRASE_FILE"
SUMS = "SHA256SUMS"


def write_sums(directory: Path, files: Sequence[Path]) -> Path:
    """Write the SHA-256 of ``files`` beside them, as ``sha256sum --check`` reads it."""
    lines = []
    for path in sorted(files):
        with open(path, "rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    sums = directory / SUMS
    sums.write_text("".join(lines), "utf-8")
    return sums


def sign(files: Sequence[Path]) -> list[Path]:
    """Write ``FILE.asc`` beside each file and verify it; none if the environment names no key."""
    if not (os.environ.get(KEY) or os.environ.get(KEY_FILE)):
        return []
    made = []
    with _keyring() as (home, key):
        for path in files:
            signature = path.with_name(f"{path.name}.asc")
            command = [*_gpg(home), "--yes", "--armor", "--local-user", key, "--output", str(signature)]
            if passphrase := os.environ.get(PASSPHRASE):
                command += ["--pinentry-mode", "loopback", "--passphrase-file", passphrase]
            subprocess.run([*command, "--detach-sign", str(path)], check=True)
            subprocess.run([*_gpg(home), "--verify", str(signature), str(path)], check=True, capture_output=True)
            made.append(signature)
    return made


@contextmanager
def _keyring() -> Iterator[tuple[str | None, str]]:
    """Give gpg's home (None: the usual one) and the key's fingerprint."""
    file = os.environ.get(KEY_FILE)
    if not file:
        yield None, os.environ[KEY]
        return
    with tempfile.TemporaryDirectory(prefix="consilium-signing-") as home:
        os.chmod(home, 0o700)
        try:
            subprocess.run([*_gpg(home), "--import", file], check=True, capture_output=True)
            listed = subprocess.run(
                [*_gpg(home), "--with-colons", "--list-secret-keys"], check=True, capture_output=True, text=True
            ).stdout
            yield home, next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


def _gpg(home: str | None) -> list[str]:
    return ["gpg", "--batch", "--quiet", *(["--homedir", home] if home else [])]
