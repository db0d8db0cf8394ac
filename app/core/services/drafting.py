"""A first mapping: stage the files, suggest what becomes what, and say what changed since the mapping before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.catalogue.model import Catalogue
from app.core.files import write_atomic
from app.core.jobs.job import Job
from app.core.preparation.column_contents import StagedContents
from app.core.preparation.column_matching import Because
from app.core.preparation.identifiers import Identifier, find_identifiers
from app.core.preparation.mapping import Mapping as MappingFile
from app.core.preparation.mapping import Source
from app.core.preparation.mapping_changes import Change, changes, met, read_seen, seen_path, write_seen
from app.core.preparation.mapping_reading import load_mapping, read_variable
from app.core.preparation.mapping_writing import format_mapping, plain_variable
from app.core.preparation.reading import settings_of
from app.core.preparation.sources.source import Staged, table_reference
from app.core.preparation.suggesting import Choice, Suggested, Suggestion, suggest
from app.core.preparation.used_columns import (
    code_columns,
    patient_columns,
    tables_by_name,
    used_columns,
)
from app.core.services.staged_sources import Files, Staging, found_settings, staged

_SITE = "Site"


@dataclass(frozen=True)
class Drafted:
    """What was found: the sources, a suggestion for every variable, the mapping that says so, what changed since the
    mapping it is based on; ``left_out`` are variables for which nothing was found, ``unused_columns`` columns without
    a use."""

    catalogue: Catalogue
    sources: tuple[Staged, ...]
    identifiers: tuple[Identifier, ...]
    suggested: Suggested
    mapping: MappingFile
    text: str
    changes: tuple[Change, ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]


def draft(
    files: Files,
    catalogue: Catalogue,
    *,
    site: str | None = None,
    base: Path | None = None,
    output: Path | None = None,
    job: Job | None = None,
) -> Drafted:
    """Return a mapping for ``files``, or for those of the mapping ``base``, whose decisions are kept; it is written to
    ``output`` if that is said.

    Raises UserError ``mapping.*``, ``sources.*``, ``clinical.*``; EnvironmentProblem ``file.*``, ``disk.*``; Cancelled.
    """
    job = job or Job()
    before = None if base is None else load_mapping(base)
    settings = {}
    if before is not None and base is not None:
        again = {name: each for name, each in files.items() if name in before.sources}
        settings = settings_of(before, base.absolute().parent, again)
    settings |= {name: found_settings(each) for name, each in files.items() if name not in settings}
    with staged(settings, job) as staging:
        return _drafted(staging, catalogue, before, site=site, base=base, output=output, job=job)


def _drafted(
    staging: Staging,
    catalogue: Catalogue,
    before: MappingFile | None,
    *,
    site: str | None,
    base: Path | None,
    output: Path | None,
    job: Job,
) -> Drafted:
    contents = StagedContents(staging.engine, job)
    sources = staging.sources
    suggested = suggest(catalogue, sources, contents, before)
    mapping = _mapping(sources, catalogue, suggested, None if output is None else output.absolute().parent)
    if before is not None:
        suggested = _kept(suggested, before, sources)
        mapping = _based_on(mapping, before, suggested)
    mapping = replace(mapping, site=site or mapping.site)
    used, patients = used_columns(mapping, catalogue, sources), patient_columns(mapping, sources)
    identifiers = find_identifiers(staging.engine, sources, used=used, patients=patients, confirmed=(), job=job)
    told = {(each.table, each.column) for each in identifiers}
    now = met(sources, used - told, code_columns(mapping, sources), contents)
    since = () if before is None or base is None else changes(before, catalogue, read_seen(seen_path(base)), now)
    text = format_mapping(mapping)
    if output is not None:
        write_atomic(output, text.encode())
        write_seen(seen_path(output), now)
    left = [
        f"{name}.{column.name}"
        for name, table in tables_by_name(sources).items()
        for column in table.columns
        if (name, column.name) not in used | patients
    ]
    without = [
        each.variable for each in suggested.variables if each.best is None and each.variable not in mapping.leave_out
    ]
    return Drafted(catalogue, sources, identifiers, suggested, mapping, text, since, tuple(without), tuple(left))


def _mapping(
    sources: Sequence[Staged], catalogue: Catalogue, suggested: Suggested, directory: Path | None
) -> MappingFile:
    """Return the mapping that says what is suggested; files are relative to ``directory``, absolute without one."""
    return MappingFile(
        file="",
        site=_SITE,
        sources={each.name: _source(each, suggested.keys, directory) for each in sources},
        variables={
            each.variable: read_variable(dict(each.best.how), "", each.variable)
            for each in suggested.variables
            if each.best is not None
        },
        patients=suggested.patients,
        index=None if suggested.index is None else read_variable(dict(suggested.index), "", "index"),
        catalogue=catalogue.name,
        catalogue_version=catalogue.version,
    )


def _source(staged_source: Staged, keys: Mapping[str, str], directory: Path | None) -> Source:
    settings = staged_source.settings
    unsaid = [table_reference(staged_source, table) for table in staged_source.tables if table.patient is None]
    return Source(
        format=settings.format,
        files=tuple(_relative(path, directory) for path in settings.files),
        patient=next((keys[name] for name in unsaid if name in keys), None),
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        decimal=settings.decimal,
        dates=settings.dates,
        missing=tuple(sorted(settings.missing)),
        sheet=settings.sheet,
        dictionary=None if settings.dictionary is None else _relative(settings.dictionary, directory),
    )


def _relative(path: Path, directory: Path | None) -> str:
    if directory is not None and path.is_relative_to(directory):
        return path.relative_to(directory).as_posix()
    return path.as_posix()


def _kept(suggested: Suggested, before: MappingFile, sources: Sequence[Staged]) -> Suggested:
    """Return the suggestions with those of the mapping before first, as far as their columns are still there."""
    tables = tables_by_name(sources)
    variables = []
    for each in suggested.variables:
        others = (*([each.best] if each.best is not None else []), *each.alternatives)
        if each.variable in before.leave_out:
            variables.append(Suggestion(each.variable, None, others))
            continue
        how = before.variables.get(each.variable)
        if how is None:
            variables.append(each)
            continue
        table = tables.get(how.table or before.patients or "")
        there = {column.name for column in table.columns} if table is not None else set()
        columns = {how.column, how.code_column, how.value_column, how.time_column, how.unit_column} - {None}
        if table is None or not columns <= there:
            variables.append(each)
            continue
        kept = Choice(plain_variable(how), 1.0, Because("preparing.because.before"))
        variables.append(Suggestion(each.variable, kept, tuple(other for other in others if other.how != kept.how)))
    return replace(suggested, variables=tuple(variables))


def _based_on(mapping: MappingFile, before: MappingFile, suggested: Suggested) -> MappingFile:
    """Return the mapping with the decisions that were made before: site, settings, index, patients."""
    sources = {}
    for name, source in mapping.sources.items():
        old = before.sources.get(name)
        sources[name] = source if old is None else replace(old, files=source.files, dictionary=source.dictionary)
    best = {each.variable: each.best for each in suggested.variables if each.best is not None}
    return replace(
        mapping,
        site=before.site,
        sources=sources,
        variables={code: read_variable(dict(choice.how), "", code) for code, choice in best.items()},
        patients=before.patients or mapping.patients,
        index=before.index or mapping.index,
        bad_values=before.bad_values,
        confirmed=before.confirmed,
        leave_out=tuple(code for code in before.leave_out if code in {each.variable for each in suggested.variables}),
    )
