"""What the commands about datasets have in common to say: of a package's header, of its preparer, of times."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from app.texts import text

if TYPE_CHECKING:
    from app.core.services.data import Inspection
    from app.core.store.documents import Header


def header(found: Header) -> dict[str, object]:
    """Return what a header says."""
    return {
        "dataset": found.dataset.hex(),
        "federation": found.federation.hex(),
        "parameters": found.parameters,
        "residues": found.residues,
        "blocks": found.blocks,
        "columns": len(found.columns),
        "created": found.created,
    }


def inspection(path: str, found: Inspection) -> dict[str, object]:
    """Return what a package says of itself."""
    return {
        **header(found.header),
        "package": path,
        "bytes": found.size,
        "preparer": found.preparer,
        "preparer_words": found.preparer_words,
        "transcript": found.header.transcript.hex(),
        "catalogue": found.header.catalogue.hex(),
        "manifest_sha256": found.manifest_hash.hex(),
        "report_bytes": found.report_size,
        "variables": [{"code": code, "columns": columns} for code, columns in found.variables],
    }


def description(found: Inspection) -> list[str]:
    """Return what a package says of itself, in sentences."""
    about = found.header
    return [
        text("cli.data.dataset", dataset=about.dataset.hex(), time=local_time(about.created)),
        text("cli.data.federation", federation=about.federation.hex()[:16], parameters=about.parameters),
        text("cli.data.size", megabytes=round(found.size / 1e6, 1), blocks=about.blocks, residues=about.residues),
        text("cli.data.manifest", hash=found.manifest_hash.hex()),
        *preparer(found.preparer, found.preparer_words),
        *(text("cli.data.variable", code=code, columns=columns) for code, columns in found.variables),
    ]


def preparer(fingerprint: str, words: str) -> list[str]:
    """Return who sealed a package, in digits and in words."""
    return [text("cli.data.preparer", fingerprint=fingerprint), "  " + text("cli.data.in_words", words=words)]


def local_time(time: int) -> str:
    """Return a time (UTC milliseconds) as this computer's clock shows it."""
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
