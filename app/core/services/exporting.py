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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app import __version__
from app.core.analysis.results import BELOW, CONFIDENCE, CountResult, Estimate, Result, Withheld
from app.core.analysis.rows import MAIN, Value, tables_of
from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.files import write_atomic
from app.core.preparation.csv_table import harmless
from app.core.query.model import Query
from app.core.services.runs import Run, RunAnswer, SiteResult

PNG, SVG, PDF, CSV, BUNDLE = "png", "svg", "pdf", "csv", "bundle"
FORMATS = (PNG, SVG, PDF, CSV, BUNDLE)
_SUFFIXES = {".png": PNG, ".svg": SVG, ".pdf": PDF, ".csv": CSV, ".zip": BUNDLE}
_BUNDLE_VERSION = 1
_EARLIEST = (1980, 1, 1, 0, 0, 0)
SOFTWARE = ("numpy", "scipy", "matplotlib")
"""What statistics are computed and figures drawn with; named in reports with their versions."""

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
Label = Callable[[str, Value, Result], str | None]
"""Says a key of a result's table in words: (column, key, result); None where the column has no keys."""


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

    @property
    def answer(self) -> RunAnswer:
        """What was released. Raises UserError ``export.no_answer``."""
        if self.run.answer is None:
            raise UserError("export.no_answer", id=self.run.id[:12])
        return self.run.answer

    @property
    def results(self) -> tuple[SiteResult, ...]:
        """The results, of all sites together first; an owner before there were analyses tells a count only."""
        answer = self.answer
        if answer.results:
            return tuple(sorted(answer.results, key=lambda each: bool(each.site)))
        width = None if answer.exact else float(answer.half_width)
        if answer.withheld is not None:
            hidden = Estimate(withheld=answer.withheld)
            return (SiteResult("", CountResult(hidden, None, CONFIDENCE, noise_width=width)),)
        count = Estimate(answer.count, answer.low, answer.high)
        return (SiteResult("", CountResult(count, answer.released, CONFIDENCE, answer.released < 0, width)),)

    @property
    def plain_count(self) -> bool:
        """Whether it is one number: a count over all sites."""
        return len(self.results) == 1 and isinstance(self.results[0].result, CountResult)


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
    """Return a run with its count as CSV (RFC 4180, UTF-8): names in the first line, values in the second.

    Where the question is for something else, the fields of the count are empty: see :func:`result_tables`. A count that
    is withheld is ``<11``, one that would tell another ``withheld``. A text that a spreadsheet would take for a formula
    gets an apostrophe in front.
    """
    run, answer = found.run, found.answer
    counted = isinstance(found.results[0].result, CountResult) and answer.withheld is None
    cells: dict[str, Value] = {
        "query": run.id,
        "federation": found.federation,
        "asker": found.site,
        "question": run.text,
        "sentence": sentence,
        "purpose": run.purpose,
        "count": answer.count if counted else answer.withheld,
        "released": answer.released if counted else None,
        "exact": "yes" if answer.exact else "no",
        "confidence": CONFIDENCE,
        "interval_low": answer.low if counted else None,
        "interval_high": answer.high if counted else None,
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
    return _csv(list(cells), [list(cells.values())])


def result_tables(found: Answered, label: Label) -> dict[str, bytes]:
    """Return every table of the results as CSV by name, numbers in full; keys have what ``label`` says beside them.

    The first one, ``main``, says what the figure shows. The first column is the site, empty for all together.
    """
    written: dict[str, tuple[list[str], list[list[Value]]]] = {}
    for site, result in ((each.site, each.result) for each in found.results):
        for name, table in tables_of(result).items():
            keys = [label(column, None, result) is not None for column in table.columns]
            header = ["site"]
            for column, is_key in zip(table.columns, keys, strict=True):
                header += [column, f"{column}_label"] if is_key else [column]
            _, rows = written.setdefault(name, (header, []))
            for row in table.rows:
                cells: list[Value] = [site]
                for column, value, is_key in zip(table.columns, row, keys, strict=True):
                    cells += [value, label(column, value, result)] if is_key else [value]
                rows.append(cells)
    return {name: _csv(header, rows) for name, (header, rows) in written.items() if rows or name == MAIN}


def worded_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return a table in words as CSV."""
    return _csv(header, rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    for row in (header, *rows):
        writer.writerow([_written(value) for value in row])
    return target.getvalue().encode()


def _written(value: Value) -> str | int | float | None:
    if isinstance(value, Withheld):
        return f"<{value.least}" if value.why == BELOW else "withheld"
    return harmless(value) if isinstance(value, str) else value


def query_text(found: Answered, sentence: str) -> bytes:
    """Return the question for people and for the command line: its sentence as a comment, and its text form."""
    return f"# {sentence}\n{found.run.text}\n".encode()


def software() -> dict[str, str]:
    """Return the versions of this program and of what it computes and draws with."""
    return {"consilium": __version__, **{name: version(name) for name in SOFTWARE}}


def protection(found: Answered) -> dict[str, Any]:
    """Return the policy under which an answer was opened: who had to agree, what noise was added, who is in it."""
    run, answer = found.run, found.answer
    return {
        "quorum": run.quorum,
        "sites_in_federation": run.of,
        "openers": list(run.openers),
        "least_sites": run.minimum,
        "epsilon": run.epsilon,
        "exact": answer.exact,
        "noise_scale_per_site": answer.noise_scale,
        "sites": list(answer.contributors),
        "sites_not_in": [{"site": each.name, "state": each.state, "code": each.code} for each in run.left_out],
    }


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
        "analysis": found.question.analysis.name,
        "per_site": found.question.per_site,
        "protection": protection(found),
        "software": software(),
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
