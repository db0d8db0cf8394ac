"""Authenticode: every program and library that is not signed yet, then the installers.

The key never lies in the checkout, and no secret on a command line. What the environment names decides:

    CONSILIUM_SIGN_PKCS12         a file with key and certificates, for a build machine
    CONSILIUM_SIGN_PKCS11_MODULE  a token's library, with CONSILIUM_SIGN_KEY (pkcs11:…) and CONSILIUM_SIGN_CERTS (PEM)
    CONSILIUM_SIGN_PASSWORD_FILE  the password or PIN of either
    CONSILIUM_SIGN_THUMBPRINT     on Windows: a certificate in its store, with signtool
    CONSILIUM_SIGN_TIMESTAMP      the URL of a time stamp service (RFC 3161); without it signatures end with the key
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pe import look

PKCS12, MODULE, THUMBPRINT = "CONSILIUM_SIGN_PKCS12", "CONSILIUM_SIGN_PKCS11_MODULE", "CONSILIUM_SIGN_THUMBPRINT"
KEY, CERTIFICATES, PASSWORD = "CONSILIUM_SIGN_KEY", "CONSILIUM_SIGN_CERTS", "CONSILIUM_SIGN_PASSWORD_FILE"
TIMESTAMP = "CONSILIUM_SIGN_TIMESTAMP"
_SIGNED_KINDS = (".exe", ".dll", ".pyd", ".msi")


def wanted() -> bool:
    """Return whether the environment names a key."""
    return any(os.environ.get(each) for each in (PKCS12, MODULE, THUMBPRINT))


def unsigned(tree: Path) -> list[Path]:
    """Return the programs and libraries of a tree that nobody has signed."""
    found = []
    for path in sorted(tree.rglob("*")):
        image = look(path) if path.suffix.lower() in _SIGNED_KINDS and path.is_file() else None
        if image is not None and not image.signed:
            found.append(path)
    return found


def sign(files: Sequence[Path]) -> None:
    """Sign each file in place; it is replaced only by one that is whole. CalledProcessError if that fails."""
    for path in files:
        if os.environ.get(THUMBPRINT) and sys.platform == "win32":
            subprocess.run(_signtool(path), check=True)
            continue
        made = path.with_name(f"{path.name}.signed")
        try:
            subprocess.run(
                [*_osslsigncode(), "-in", str(path), "-out", str(made)], check=True, stdout=subprocess.DEVNULL
            )
            made.chmod(path.stat().st_mode)
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)


def verify(files: Sequence[Path], authority: Path) -> None:
    """Raise CalledProcessError unless each file has a good signature by somebody whom ``authority`` vouches for."""
    for path in files:
        command = ["osslsigncode", "verify", "-CAfile", str(authority), "-TSA-CAfile", str(authority), "-in", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _signtool(path: Path) -> list[str]:
    stamp = ["/tr", os.environ[TIMESTAMP], "/td", "sha256"] if os.environ.get(TIMESTAMP) else []
    return ["signtool", "sign", "/sha1", os.environ[THUMBPRINT], "/fd", "sha256", *stamp, "/d", "Consilium", str(path)]


def _osslsigncode() -> list[str]:
    command = ["osslsigncode", "sign", "-h", "sha256", "-n", "Consilium"]
    if os.environ.get(PKCS12):
        command += ["-pkcs12", os.environ[PKCS12]]
    else:
        command += ["-pkcs11module", os.environ[MODULE], "-key", os.environ[KEY], "-certs", os.environ[CERTIFICATES]]
    if os.environ.get(PASSWORD):
        command += ["-readpass", os.environ[PASSWORD]]
    if os.environ.get(TIMESTAMP):
        command += ["-ts", os.environ[TIMESTAMP]]
    return command
