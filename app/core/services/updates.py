"""Is there a newer version, and what would it change? Asked only when a person or a script asks.

A *manifest* is one JSON object: ``{"format": 1, "signed": BASE64, "signature": BASE64}``. The signature is Ed25519 over
``b"consilium update manifest v1\\0"`` and the signed bytes, which are JSON again::

    {"product": "consilium", "version": "0.2.0", "sequence": 7, "published": "2026-11-24", "expires": "2027-11-24",
     "formats": {"query": [1, 2, 3], …}, "migrations": ["0001 …", …], "notes": "https://…",
     "files": [{"name": "…", "size": 1, "sha256": "…"}, …]}

``sequence`` grows with every manifest: one below the highest that was seen here is a replay. Nothing is downloaded but
the manifest, and nothing is installed. ``installers/manifest.py`` makes manifests.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app import __version__
from app.core import paths, settings
from app.core.clock import Clock
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation.joining_messages import THIS_PROGRAM
from app.core.federation.proxies import ProxySetting
from app.core.federation.trust import RelayAdapter, system_context
from app.core.fields import Fields
from app.core.files import private_directory, read_limited, write_atomic
from app.core.store.migrations import KNOWN

PURPOSE = b"consilium update manifest v1\0"
LIMIT = 1 << 18
_MALFORMED = "updates.malformed"
_SECONDS = (10.0, 20.0)
_SEEN = "updates.json"
_VERSION = re.compile(r"(\d{1,5})\.(\d{1,5})\.(\d{1,5})")


@dataclass(frozen=True)
class File:
    """An installer: its name, bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What is said of a version."""

    version: str
    sequence: int
    published: date
    expires: date
    formats: Mapping[str, tuple[int, ...]]
    migrations: frozenset[str]
    notes: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class Found:
    """A manifest beside what is here."""

    manifest: Manifest
    newer: bool
    migrates: bool
    """Whether it would upgrade the sites' databases; each is copied before."""
    unread: tuple[str, ...]
    """Formats in use in the federation that it would not read, as "name version"."""


def read_manifest(data: bytes, key: bytes) -> Manifest:
    """Read a manifest that ``key`` (32 bytes) has signed; the signature is checked before anything in it is read.

    Raises ProtocolViolation ``updates.malformed``, ``updates.bad_signature``.
    """
    outer = Fields(_json(data), _MALFORMED)
    outer.number("format", 1, 1)
    signed, signature = (_bytes(outer.text(name, LIMIT)) for name in ("signed", "signature"))
    outer.done()
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, PURPOSE + signed)
    except (InvalidSignature, ValueError) as error:
        raise ProtocolViolation("updates.bad_signature") from error
    fields = Fields(_json(signed), _MALFORMED)
    if fields.text("product", 64) != "consilium":
        fields.refuse("product")
    made = Manifest(
        version=_version(fields),
        sequence=fields.number("sequence", 1, 1 << 52),
        published=_day(fields, "published"),
        expires=_day(fields, "expires"),
        formats=_formats(fields),
        migrations=frozenset(str(each) for each in fields.items("migrations", 1000)),
        notes=_notes(fields),
        files=tuple(_file(each) for each in fields.items("files", 64)),
    )
    fields.done()
    return made


def check(
    clock: Clock, *, file: Path | None = None, key: bytes | None = None, in_use: Mapping[str, int] | None = None
) -> Found:
    """Look for the manifest where IT has fixed it, or in ``file``, and compare.

    ``key`` serves only where IT has fixed none. ``in_use`` are the formats that the federation uses.
    Raises UserError ``updates.no_address``, ``updates.no_key``; EnvironmentProblem ``updates.unreachable``,
    ``updates.expired``, ``managed.*``, ``file.*``; ProtocolViolation ``updates.replayed`` and as :func:`read_manifest`.
    """
    fixed = settings.current()
    address, known = fixed.word("updates.address"), fixed.word("updates.key")
    trusted = base64.b64decode(known) if known else key
    if file is None and not address:
        raise UserError("updates.no_address", place=str(paths.managed_settings()))
    if trusted is None:
        raise UserError("updates.no_key", place=str(paths.managed_settings()))
    manifest = read_manifest(read_limited(file, LIMIT) if file is not None else _fetch(address), trusted)
    today = datetime.fromtimestamp(clock.now() / 1000, UTC).date()
    if manifest.expires < today:
        raise EnvironmentProblem("updates.expired", day=manifest.expires.isoformat())
    _note(manifest)
    mine, theirs = (_numbers(each) for each in (__version__, manifest.version))
    unread = sorted(f"{name} {number}" for name, number in (in_use or {}).items()
                    if number not in manifest.formats.get(name, ()))  # fmt: skip
    return Found(manifest, theirs > mine, bool(manifest.migrations - KNOWN), tuple(unread))


def make_manifest(fields: Mapping[str, Any]) -> bytes:
    """Return the bytes to sign: ``version``, ``sequence``, ``published``, ``expires``, ``notes``, ``files`` as given,
    formats and migrations of this program."""
    formats = {name: list(versions) for name, versions in sorted(THIS_PROGRAM.formats.items())}
    whole = {"product": "consilium", **fields, "formats": formats, "migrations": sorted(KNOWN)}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _note(manifest: Manifest) -> None:
    """Remember the highest sequence; raises ProtocolViolation ``updates.replayed`` for one below."""
    place = paths.user_config() / _SEEN
    try:
        seen = int(json.loads(read_limited(place, 1 << 10))["sequence"])
    except (ConsiliumError, ValueError, KeyError, TypeError):  # there was none, or somebody has cut it off
        seen = 0
    if manifest.sequence < seen:
        raise ProtocolViolation("updates.replayed", sequence=manifest.sequence, seen=seen)
    if manifest.sequence > seen:
        private_directory(place.parent)
        write_atomic(place, json.dumps({"sequence": manifest.sequence}).encode())


def _fetch(address: str) -> bytes:
    route = ProxySetting().routes(address)[0]
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", RelayAdapter(system_context()))
        if route is not None:
            session.proxies = {"https": route}
        try:
            with session.get(address, timeout=_SECONDS, stream=True, allow_redirects=False) as answer:
                if answer.status_code != requests.codes.ok:
                    raise EnvironmentProblem("updates.unreachable", address=address, reason=str(answer.status_code))
                data = bytearray()
                for piece in answer.iter_content(1 << 14):
                    data += piece
                    if len(data) > LIMIT:
                        raise ProtocolViolation(_MALFORMED, field="")
                return bytes(data)
        except requests.RequestException as error:
            raise EnvironmentProblem("updates.unreachable", address=address, reason=type(error).__name__) from error


def _json(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(_MALFORMED, field="") from error


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ProtocolViolation(_MALFORMED, field="signed") from error


def _version(fields: Fields) -> str:
    version = fields.text("version", 20)
    if _VERSION.fullmatch(version) is None:
        fields.refuse("version")
    return version


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, as far as it has some."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _notes(fields: Fields) -> str:
    """Take where the changes are described; "" is nowhere."""
    found = fields.any("notes")
    if type(found) is not str or len(found) > 500 or (found and not found.isprintable()):
        fields.refuse("notes")
    return found


def _day(fields: Fields, name: str) -> date:
    try:
        return date.fromisoformat(fields.text(name, 10))
    except ValueError:
        fields.refuse(name)


def _formats(fields: Fields) -> dict[str, tuple[int, ...]]:
    found = fields.any("formats")
    if not isinstance(found, dict) or len(found) > 256:
        fields.refuse("formats")
    listed = Fields(found, _MALFORMED)
    formats = {name: tuple(listed.items(name, 64)) for name in found}
    if any(type(each) is not int for versions in formats.values() for each in versions):
        fields.refuse("formats")
    return formats


def _file(value: object) -> File:
    fields = Fields(value, _MALFORMED)
    made = File(fields.text("name", 200), fields.number("size", 0, 1 << 40), fields.text("sha256", 64))
    fields.done()
    return made
