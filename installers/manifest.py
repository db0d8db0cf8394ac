#!/usr/bin/env python3
"""Make and sign the manifest in which ``consilium update check`` looks.

    python installers/manifest.py --sequence 7 --key release.pem --notes https://… --output consilium.manifest FILE …

``--key`` is an Ed25519 private key (PEM, PKCS#8: ``openssl genpkey -algorithm ed25519``), its password, if it has one,
in the file that CONSILIUM_MANIFEST_PASSWORD_FILE names. ``--sequence`` is higher than that of every manifest before.
Version, formats and migrations are those of this checkout; the files are the installers. Prints the public key, which
goes into the managed settings as ``[updates] key``. Put the result on any web server with TLS.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from app import __version__  # noqa: E402
from app.core.files import write_atomic  # noqa: E402
from app.core.services.updates import PURPOSE, make_manifest, read_manifest  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Write the manifest and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequence", type=int, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--notes", default="")
    parser.add_argument("--published", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--days", type=int, default=365, help="for how long it is good")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="*")
    options = parser.parse_args(arguments)
    password = os.environ.get("CONSILIUM_MANIFEST_PASSWORD_FILE")
    word = Path(password).read_bytes().strip() if password else None
    key = serialization.load_pem_private_key(options.key.read_bytes(), word)
    if not isinstance(key, Ed25519PrivateKey):
        sys.exit(f"{options.key} is no Ed25519 key")
    signed = make_manifest({
        "version": __version__, "sequence": options.sequence, "published": options.published.isoformat(),
        "expires": (options.published + timedelta(days=options.days)).isoformat(), "notes": options.notes,
        "files": [_described(each) for each in options.files],
    })  # fmt: skip
    parts = {"signed": signed, "signature": key.sign(PURPOSE + signed)}
    whole = {"format": 1, **{name: base64.b64encode(part).decode() for name, part in parts.items()}}
    data = json.dumps(whole, indent=1).encode() + b"\n"
    public = key.public_key().public_bytes_raw()
    read_manifest(data, public)
    shown = base64.b64encode(public).decode()
    write_atomic(options.output, data)
    print(f"{options.output}: version {__version__}, sequence {options.sequence}, key {shown}")
    return 0


def _described(path: Path) -> dict[str, str | int]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "size": path.stat().st_size, "sha256": digest}


if __name__ == "__main__":
    sys.exit(main())
