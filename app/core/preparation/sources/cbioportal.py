"""A cBioPortal study (its folder) becomes ``patients``, ``samples`` and ``observations``.

``patients`` and ``samples`` have the columns of the clinical files, with their display names as labels; OS_STATUS is as
it was written, so that survival says ``event_values = ["1:DECEASED"]``. ``observations`` has the mutations of the MAF
files, whose samples are followed to their patients. A mutation has a row for each of its names, which ``type`` tells
apart: ``gene`` (the code is the gene's symbol, in HGNC), ``coding`` (HGVSc), ``protein`` (``BRAF:p.V600E``) and
``genomic`` (``7:g.140453136A>T``), in HGVS. ``value`` is the Variant_Classification. The alternative is
Tumor_Seq_Allele2; where Tumor_Seq_Allele1 is neither the reference nor the same, it is a second one, with a genomic row
of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import UserError
from app.core.files import disk_problems, private_directory, read_limited
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import Problem, Problems, State
from app.core.preparation.sources.clinical import described, remove
from app.core.preparation.sources.clinical_csv import Raw, plain, raw
from app.core.preparation.sources.source import Settings, Staged, Table
from app.core.preparation.sql import literal, quoted

_MISSING = ("NA", "N/A", "[Not Available]", "[Not Applicable]", "[Not Evaluated]", "[Unknown]", "[Discrepancy]")
_KINDS = {
    ("CLINICAL", "PATIENT_ATTRIBUTES"): "patients",
    ("CLINICAL", "SAMPLE_ATTRIBUTES"): "samples",
    ("MUTATION_EXTENDED", "MAF"): "mutations",
}
_NAMES = {"data_clinical_patient": "patients", "data_clinical_sample": "samples"}
_MUTATIONS = "data_mutations"
_MAX_META = 1 << 20
_MAX_COMMENTS = 100
_MAX_COMMENT = 4 << 20
_COLUMNS = (
    *("patient", "code", "system", "name", "time", "end", "value", "value_text", "unit", "domain", "type"),
    *("sample", "gene", "reference", "allele", "chromosome", "position", "status"),
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file without the comments in front: the copy, how many lines they were, and what they said of the columns."""

    path: Path
    above: int
    labels: tuple[str, ...]


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage the study in the folder of ``settings`` (or its files one by one).

    Raises UserError ``clinical.no_tables``, ``clinical.same_table``, ``clinical.missing_column``, ``sources.*``;
    Cancelled; EnvironmentProblem.
    """
    job = job or Job()
    settings = replace(settings, delimiter=settings.delimiter or "\t")
    files = _study(settings, engine.problems)
    schema = quoted(name)
    tables: list[Table] = []
    for table, *keys in (("patients", "PATIENT_ID"), ("samples", "SAMPLE_ID", "PATIENT_ID")):
        key = keys[0]
        for path in files.get(table, []):
            labels = _stage_clinical(engine, name, table, keys, path, settings, job)
            again = f"_row NOT IN (SELECT min(_row) FROM {schema}.{table} GROUP BY {key})"
            remove(engine, name, table, f"{key} IS NULL OR {again}", "clinical.patient_again", key)
            found = described(engine, name, table, path.name, labels=labels, job=job)
            tables.append(replace(found, patient="PATIENT_ID"))
    if "mutations" in files:
        _stage_mutations(engine, name, files, settings, job)
        tables.append(described(engine, name, "observations", files["mutations"][0].name, job=job))
    return Staged(name, plain(settings), (), tuple(tables))


def _study(settings: Settings, problems: Problems) -> dict[str, list[Path]]:
    """Return the files that are read: what the meta files say they are, else what their names say."""
    files: list[Path] = []
    for given in settings.files:
        with disk_problems(given):
            files += sorted(path for path in given.iterdir() if path.is_file()) if given.is_dir() else [given]
    named = {}
    for path in files:
        if path.name.startswith("meta_"):
            meta = _meta(path)
            kind = _KINDS.get((meta.get("genetic_alteration_type", ""), meta.get("datatype", "")))
            if kind and meta.get("data_filename"):
                named[meta["data_filename"]] = kind
    found: dict[str, list[Path]] = {}
    for path in files:
        by_name = "mutations" if path.stem.startswith(_MUTATIONS) else _NAMES.get(path.stem)
        if kind := named.get(path.name, by_name):
            found.setdefault(kind, []).append(path)
        elif not path.name.startswith("meta_"):
            problems.add(Problem("clinical.file_not_read", State.REFUSED, path.name))
    if not found:
        raise UserError("clinical.no_tables", file=settings.files[0].name)
    for kind in ("patients", "samples"):
        if len(both := found.get(kind, [])) > 1:
            raise UserError("clinical.same_table", file=both[1].name, other=both[0].name)
    return found


def _meta(path: Path) -> dict[str, str]:
    """Read the lines ``name: value`` of a meta file."""
    text = read_limited(path, _MAX_META).decode("utf-8", "replace")
    parts = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in parts if colon}


def _stage_clinical(
    engine: Engine, name: str, table: str, keys: list[str], path: Path, settings: Settings, job: Job
) -> dict[str, str]:
    """Make a table of a clinical file, every column as it is; return the display names of the columns."""
    with _loaded(engine, name, path, settings, tuple(map(str.lower, keys)), job) as (rows, file):
        names = rows.names
        upper = {
            column: column.upper() if column.lower() in ("patient_id", "sample_id") else column for column in names
        }
        chosen = ", ".join(f"{_known('raw.' + quoted(column))} AS {quoted(upper[column])}" for column in names)
        engine.execute(
            f"""CREATE TABLE {quoted(name)}.{table} AS SELECT _row + {file.above} AS _row,
            {literal(path.name)} AS _file, {chosen} FROM {rows.place}""",
            job=job,
            step="clinical.step.reshaping",
        )
        return {upper[column]: label for column, label in zip(names, file.labels, strict=False) if label}


def _stage_mutations(engine: Engine, name: str, files: Mapping[str, list[Path]], settings: Settings, job: Job) -> None:
    """Make ``observations`` of the MAF files."""
    schema = quoted(name)
    texts = ", ".join(f"{quoted(column)} VARCHAR" for column in _COLUMNS)
    engine.execute(f"CREATE TABLE {schema}.observations (_row BIGINT, _file VARCHAR, {texts})")
    for path in files["mutations"]:
        required = ("hugo_symbol", "tumor_sample_barcode")
        with _loaded(engine, name, path, settings, required, job) as (rows, file):
            _add_mutations(rows, name, file, job)
    nothing = "type = 'none'"
    remove(engine, name, "observations", nothing, "clinical.no_alternative", "sample")
    remove(
        engine, name, "observations", "lower(status) IN ('wildtype', 'none', 'loh')", "clinical.no_mutation", "status"
    )
    if "samples" in files:
        engine.execute(
            f"""UPDATE {schema}.observations SET patient = s.PATIENT_ID FROM {schema}.samples s
            WHERE s.SAMPLE_ID = observations.sample"""
        )
        remove(engine, name, "observations", "patient IS NULL", "clinical.unknown_sample", "sample")
    else:
        engine.execute(f"UPDATE {schema}.observations SET patient = sample")


def _add_mutations(rows: Raw, name: str, file: _File, job: Job) -> None:
    columns = {
        "gene": "hugo_symbol",
        "coding": "hgvsc",
        "protein": "hgvsp_short",
        "class": "variant_classification",
        "reference": "reference_allele",
        "first": "tumor_seq_allele1",
        "second": "tumor_seq_allele2",
        "chromosome": "chromosome",
        "start": "start_position",
        "stop": "end_position",
        "sample": "tumor_sample_barcode",
        "status": "mutation_status",
    }
    named = ", ".join(f"{_known(rows.text(column))} AS {quoted(each)}" for each, column in columns.items())
    prefixed = "CASE WHEN {0} LIKE '%:%' THEN {0} ELSE gene || ':' || {0} END"
    genomic = _genomic("allele")
    rows.engine.execute(
        f"""INSERT INTO {quoted(name)}.observations
        WITH maf AS (SELECT _row + {file.above} AS _row, {named} FROM {rows.place}),
        called AS (SELECT *, CASE WHEN "second" IS DISTINCT FROM "reference" THEN "second" END AS main,
            CASE WHEN "first" <> "reference" AND "first" IS DISTINCT FROM "second" THEN "first" END AS other FROM maf),
        named AS (SELECT *, coalesce(main, other) AS allele, unnest([
            {{'type': CASE WHEN "second" IS NOT NULL AND main IS NULL AND other IS NULL THEN 'none' ELSE 'gene' END,
              'code': gene, 'other': false}},
            {{'type': 'coding', 'code': {prefixed.format("coding")}, 'other': false}},
            {{'type': 'protein', 'code': {prefixed.format("protein")}, 'other': false}},
            {{'type': 'genomic', 'code': NULL, 'other': false}},
            {{'type': 'genomic', 'code': NULL, 'other': true}}]) AS each FROM called),
        chosen AS (SELECT * REPLACE (CASE WHEN each.other THEN other ELSE allele END AS allele) FROM named
            WHERE NOT each.other OR (main IS NOT NULL AND other IS NOT NULL)),
        coded AS (SELECT *, CASE each.type WHEN 'genomic' THEN {genomic} ELSE each.code END AS code FROM chosen)
        SELECT _row, {literal(rows.file)}, NULL, code, CASE each.type WHEN 'gene' THEN 'HGNC' ELSE 'HGVS' END,
        CASE each.type WHEN 'gene' THEN gene ELSE gene || ' ' || code END, NULL, NULL, "class",
        "reference" || '>' || allele, NULL, 'mutation', each.type, sample, gene, "reference", allele, chromosome,
        "start", status FROM coded WHERE each.type IN ('gene', 'none')
        OR (code IS NOT NULL AND NOT (main IS NULL AND other IS NULL AND "second" IS NOT NULL))""",
        job=job,
        step="clinical.step.reshaping",
    )


def _genomic(allele: str) -> str:
    """Write a change in HGVS on its chromosome: a substitution, deletion, insertion, or both."""
    place = "chromosome || ':g.' || \"start\""
    span = f"{place} || CASE WHEN stop IS DISTINCT FROM \"start\" THEN '_' || stop ELSE '' END"
    return (
        f"CASE WHEN \"reference\" = '-' THEN {place} || '_' || stop || 'ins' || {allele} "
        f"WHEN {allele} = '-' THEN {span} || 'del' "
        f'WHEN length("reference") = 1 AND length({allele}) = 1 THEN {place} || "reference" || \'>\' || {allele} '
        f"ELSE {span} || 'delins' || {allele} END"
    )


def _known(text: str) -> str:
    """Return SQL for a value that is NULL where the study says that there is none."""
    return f"CASE WHEN {text} NOT IN ({', '.join(map(literal, _MISSING))}) THEN {text} END"


@contextmanager
def _loaded(
    engine: Engine, name: str, path: Path, settings: Settings, required: tuple[str, ...], job: Job
) -> Iterator[tuple[Raw, _File]]:
    """Load a file for as long as the block runs; problems name its rows as they are in the file, comments counted."""
    file = _without_comments(path, private_directory(engine.directory / "study"))
    kept, engine.problems = engine.problems, Problems()
    try:
        with raw(engine, name, file.path, settings, required=required, job=job) as rows:
            found, engine.problems = engine.problems, kept
            _move(found, kept, file.above)
            yield rows, file
    finally:
        engine.problems = kept
        with disk_problems(file.path):
            file.path.unlink(missing_ok=True)


def _move(found: Problems, target: Problems, above: int) -> None:
    """Add the problems to ``target``, their rows ``above`` further down; those that were not kept are counted."""
    last = {problem.sort: problem for problem in found}
    left = found.counts()
    for problem in found:
        left[problem.sort] -= 1
        count = 1 + left[problem.sort] if problem is last[problem.sort] else 1
        target.add(replace(problem, row=None if problem.row is None else problem.row + above), count)


def _without_comments(path: Path, folder: Path) -> _File:
    """Copy a file without the lines in front that begin with #; the first of them are the columns' display names.

    cBioPortal knows no quotation marks: those that are there are text, and are doubled for a reader that does.
    """
    copy = folder / path.name
    comments: list[bytes] = []
    with disk_problems(path), open(path, "rb") as source, open(copy, "wb") as out:
        line = source.readline(_MAX_COMMENT)
        while line.startswith(b"#") and len(comments) < _MAX_COMMENTS:
            comments.append(line)
            line = source.readline(_MAX_COMMENT)
        while line:
            if b'"' in line:
                fields = line.rstrip(b"\r\n").split(b"\t")
                line = b"\t".join(b'"' + field.replace(b'"', b'""') + b'"' for field in fields) + b"\n"
            out.write(line)
            line = source.readline(_MAX_COMMENT)
    labels = comments[0][1:].decode("utf-8", "replace").rstrip("\r\n").split("\t") if len(comments) == 4 else []
    return _File(copy, len(comments), tuple(labels))
