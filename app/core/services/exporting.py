"""Taking an answer out of the program: what is told of it, as a table, and as a bundle of files with checksums.

A released number comes here only through what ``query.show`` returns. The same answer gives the same bytes: nothing
here asks for the time. Pictures and the report, which need a drawing library, are made in :mod:`app.plots`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app import __version__
from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.files import write_atomic
from app.core.query.model import Query
from app.core.services.runs import Run

PNG, SVG, PDF, CSV, BUNDLE = "png", "svg", "pdf", "csv", "bundle"
FORMATS = (PNG, SVG, PDF, CSV, BUNDLE)
_SUFFIXES = {".png": PNG, ".svg": SVG, ".pdf": PDF, ".csv": CSV, ".zip": BUNDLE}
CONFIDENCE = 0.95
_BUNDLE_VERSION = 1
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a text for a formula."""

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Answered:
    """An answered run with what a reader elsewhere has to know about it. ``query`` is in canonical bytes."""

    run: Run
    federation: str
    site: str
    pretend: bool
    query: bytes
    catalogue: Catalogue
    catalogue_version: str

    @property
    def question(self) -> Query:
        """The question as a tree."""
        return Query.from_cbor(self.query)


def gather(call: Call, id: str) -> Answered:
    """Ask the profile's owner for a run by the beginning of its id; raises UserError ``export.no_answer``."""
    shown, overview = call("query.show", {"id": id}), call("site.overview", {})
    run = Run.from_plain(shown)
    if run.answer is None:
        raise UserError("export.no_answer", id=run.id[:12])
    catalogue = Catalogue.from_cbor(shown["catalogue"])
    return Answered(
        run=run,
        federation=str(overview.get("federation") or ""),
        site=str(overview.get("site") or ""),
        pretend=bool(overview.get("pretend")),
        query=bytes(shown["query"]),
        catalogue=catalogue,
        catalogue_version=f"{catalogue.name} {catalogue.version}",
    )


def format_of(path: Path, wanted: str | None) -> str:
    """Return the format that is wanted, else the one that the suffix names; raises UserError ``export.format``."""
    found = wanted or _SUFFIXES.get(path.suffix.lower(), "")
    if found not in FORMATS:
        raise UserError("export.format", format=found or path.suffix, formats=", ".join(FORMATS))
    return found


def save(path: Path, data: bytes, *, replace: bool) -> None:
    """Write ``data`` to ``path``, whole or not at all; raises UserError ``export.exists`` unless it may ``replace``."""
    if path.exists() and not replace:
        raise UserError("export.exists", path=str(path))
    write_atomic(path, data)


def moment(milliseconds: int) -> str:
    """Return a moment (UTC ms) as ISO 8601 in UTC; "" for 0."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if milliseconds else ""


def table(found: Answered, sentence: str) -> bytes:
    """Return the answer as CSV (RFC 4180, UTF-8): names in the first line, values in the second.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    run, answer = found.run, found.run.answer
    if answer is None:
        raise UserError("export.no_answer", id=run.id[:12])
    cells: dict[str, str | int | float] = {
        "query": run.id,
        "federation": found.federation,
        "asker": found.site,
        "question": run.text,
        "sentence": sentence,
        "purpose": run.purpose,
        "count": answer.count,
        "released": answer.released,
        "exact": "yes" if answer.exact else "no",
        "confidence": CONFIDENCE,
        "interval_low": answer.low,
        "interval_high": answer.high,
        "epsilon": run.epsilon,
        "noise_scale_per_site": answer.noise_scale,
        "sites": "; ".join(answer.contributors),
        "sites_not_in": "; ".join(f"{each.name}: {each.state}" for each in run.left_out),
        "least_sites": run.minimum,
        "quorum": run.quorum,
        "sites_in_federation": run.of,
        "asked": moment(run.asked),
        "released_at": moment(run.ended),
        "catalogue": found.catalogue_version,
        "program": __version__,
    }
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(cells)
    writer.writerow([_safe(value) if isinstance(value, str) else value for value in cells.values()])
    return target.getvalue().encode()


def _safe(words: str) -> str:
    return f"'{words}" if words.startswith(_FORMULA) else words


def query_text(found: Answered, sentence: str) -> bytes:
    """Return the question for people and for the command line: its sentence as a comment, and its text form."""
    return f"# {sentence}\n{found.run.text}\n".encode()


def bundle(found: Answered, files: Mapping[str, bytes], language: str) -> bytes:
    """Return one ZIP with ``files``, and ``manifest.json``: versions, and each file's SHA-256."""
    manifest = {
        "format": "consilium-bundle",
        "version": _BUNDLE_VERSION,
        "program": __version__,
        "federation": found.federation,
        "site": found.site,
        "pretend": found.pretend,
        "query": found.run.id,
        "query_sha256": hashlib.sha256(found.query).hexdigest(),
        "catalogue": found.catalogue_version,
        "asked": moment(found.run.asked),
        "released": moment(found.run.ended),
        "language": language,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(files.items())
        },
    }
    listed = json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n"
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"manifest.json": listed, **dict(sorted(files.items()))}.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, data)
    return target.getvalue()
