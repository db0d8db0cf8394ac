"""What ``consilium data map`` found, as JSON for a program and in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.core.preparation.mapping_writing import plain_variable
from app.core.preparation.sources.source import table_reference
from app.texts import preferred_language, text

if TYPE_CHECKING:
    from app.core.preparation.mapping_changes import Change
    from app.core.preparation.sources.source import Column, Staged, Table
    from app.core.preparation.suggesting import Choice, Suggestion
    from app.core.services.drafting import Drafted

Plain = dict[str, Any]
"""What becomes JSON."""


def drafted(found: Drafted, output: str | None) -> Plain:
    """Return what ``data map`` found."""
    kinds = {(each.table, each.column): each.kind for each in found.identifiers}
    index = found.mapping.index
    return {
        "sources": [_source(each, kinds) for each in found.sources],
        "variables": [_suggestion(each, found) for each in found.suggested.variables],
        "patients": found.mapping.patients,
        "index": None if index is None else plain_variable(index),
        "mapping": found.text,
        "output": output,
        "changes": changes(found.changes),
        "left_out": list(found.left_out),
        "unused_columns": list(found.unused_columns),
    }


def _source(source: Staged, kinds: Mapping[tuple[str, str], str]) -> Plain:
    settings = source.settings
    known: Plain = {
        "encoding": settings.encoding,
        "delimiter": settings.delimiter,
        "decimal": settings.decimal,
        "dates": settings.dates,
        "sheet": settings.sheet,
        "dictionary": None if settings.dictionary is None else str(settings.dictionary),
        "missing": sorted(settings.missing),
    }
    return {
        "name": source.name,
        "format": settings.format.value,
        "files": list(map(str, settings.files)),
        "settings": {name: value for name, value in known.items() if value is not None},
        "found_out": list(source.found_out),
        "tables": [_table(each, table_reference(source, each), kinds) for each in source.tables],
    }


def _table(table: Table, name: str, kinds: Mapping[tuple[str, str], str]) -> Plain:
    long = table.long
    return {
        "name": table.name,
        "file": table.file,
        "rows": table.rows,
        "patient": table.patient,
        "long": None
        if long is None
        else {part: getattr(long, part) for part in ("code", "system", "time", "end", "value", "unit", "modifier")},
        "columns": [_column(each, kinds.get((name, each.name))) for each in table.columns],
    }


def _column(column: Column, identifier: str | None) -> Plain:
    """Tell of a column; what says who the patients are is not quoted."""
    return {
        "name": column.name,
        "type": column.type,
        "filled": column.filled,
        "distinct": column.distinct,
        "examples": [] if identifier is not None else list(column.examples),
        "label": column.label,
        "unit": column.unit,
        "identifier": identifier,
        "values": dict(column.values),
    }


def _suggestion(found: Suggestion, of: Drafted) -> Plain:
    variable = of.catalogue.variable(found.variable)
    best: Plain = {"how": None, "confidence": 0.0, "reason": ""}
    return {
        "code": variable.code,
        "label": variable.label.text(preferred_language()),
        "kind": variable.kind.value,
        "unit": variable.unit,
        **(best if found.best is None else _choice(found.best)),
        "alternatives": list(map(_choice, found.alternatives)),
    }


def _choice(choice: Choice) -> Plain:
    reason = text(choice.because.code, None, **choice.because.params)
    return {"how": dict(choice.how), "confidence": choice.confidence, "reason": reason}


def drafted_lines(found: Drafted, output: str | None) -> Iterator[str]:
    """Yield what ``data map`` says to a person."""
    for source in found.sources:
        files = ", ".join(path.name for path in source.settings.files)
        yield text("cli.preparing.source", name=source.name, format=source.settings.format.value, files=files)
        if source.found_out:
            said = ", ".join(f"{name} {getattr(source.settings, name)!r}" for name in source.found_out)
            yield text("cli.preparing.found_out", settings=said)
        for table in source.tables:
            yield text("cli.preparing.table", table=table.name, rows=table.rows, columns=len(table.columns))
    yield from _whose(found)
    for each in found.suggested.variables:
        if (best := each.best) is not None:
            how = " ".join(str(best.how[key]) for key in ("table", "rule", "column") if key in best.how)
            told = text(best.because.code, None, **best.because.params)
            percent = round(100 * best.confidence)
            yield text("cli.preparing.suggestion", code=each.variable, how=how, percent=percent, reason=told)
    if found.left_out:
        yield text("cli.preparing.nothing", variables=", ".join(found.left_out))
    if found.mapping.leave_out:
        yield text("cli.preparing.as_said", variables=", ".join(found.mapping.leave_out))
    yield from changed_lines(found.changes)
    yield text("cli.preparing.written", path=output) if output is not None else found.text


def _whose(found: Drafted) -> Iterator[str]:
    """Yield what a person has to say so that it is known whom the rows are about."""
    for source in found.sources:
        said = found.mapping.sources[source.name].patient
        for table in source.tables:
            if table.rows and table.patient is None and said is None:
                yield text("cli.preparing.no_patient_column", table=table.name, source=source.name)
    if found.mapping.patients is None:
        yield text("cli.preparing.no_patients_table")


def changes(found: Sequence[Change]) -> list[Plain]:
    """Return what changed since a mapping was last used."""
    return [{"code": each.code.rpartition(".")[2], "what": text(each.code, None, **each.params)} for each in found]


def changed_lines(found: Sequence[Change]) -> Iterator[str]:
    """Yield what changed since a mapping was last used."""
    if found:
        yield text("cli.preparing.changes")
    for each in found:
        yield f"  {text(each.code, None, **each.params)}"
