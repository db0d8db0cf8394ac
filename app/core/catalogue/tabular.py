"""Catalogues from CSV: one row a variable, group or level. Forgiving in how it is written, strict in what it says.

The columns, in any order, capitals and separators in their names not counting, optional but ``code`` and ``label``:
``code``, ``kind`` (of the catalogue, ``group``, or ``level`` of the category above it), ``label`` or ``label_en``,
``label_fr``, ``label_de``, ``description`` (and its languages), ``unit``, ``unit_label``, ``cut_points``, ``minimum``,
``maximum``, ``step``, ``granularity``, ``first``, ``last``, ``period_days``, ``periods``, ``first_period``, ``rollup``,
``parents``, ``system``, ``system_code``, ``synonyms``. Lists are separated by ; or |.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.catalogue.assembling import Assembled, Finding, assemble, mistake, placed
from app.core.catalogue.model import MAX_BYTES
from app.core.catalogue.rules import NOWHERE
from app.core.errors import UserError
from app.core.files import read_limited

MAX_ROWS = 300_000
"""Variables, groups and levels of one table."""
_KINDS = {
    "flag": "flag yesno boolean bool binary truefalse merkmal indicateur",
    "category": "category categorical factor choice kategorie categorie",
    "number": "number numeric integer decimal float quantity zahl nombre",
    "date": "date datum",
    "event": "event ereignis evenement",
    "survival": "survival timetoevent ueberleben survie",
    "group": "group gruppe groupe",
    "level": "level niveau stufe",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_YES = frozenset({"yes", "true", "1", "x", "y", "ja", "oui", "wahr", "vrai"})
_NO = frozenset({"no", "false", "0", "n", "nein", "non", "falsch", "faux", ""})
_LABELS = ("label", "description", "unit_label")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_SIGNS = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file: the names of its columns, by letters and digits alone, and its rows with their lines."""

    names: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]

    def has(self, *names: str) -> bool:
        """Return whether it has all these columns."""
        return set(names) <= set(self.names)


def read_sheet(path: Path) -> Sheet:
    """Read a CSV or TSV file in UTF-8 or as Windows programs write it.

    Raises UserError ``catalogue.not_csv``, ``catalogue.too_many``; EnvironmentProblem ``file.*``.
    """
    data = read_limited(path, MAX_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = tuple(plain_name(name) for name in next(reader, []))
        rows, line = [], reader.line_num + 1
        for fields in reader:
            if any(field.strip() for field in fields):
                rows.append((line, {name: field.strip() for name, field in zip(names, fields, strict=False) if name}))
            line = reader.line_num + 1
            if len(rows) > MAX_ROWS:
                raise placed(mistake("too_many", NOWHERE, "row", count=len(rows), limit=MAX_ROWS), path.name)
    except csv.Error as error:
        raise UserError("catalogue.not_csv", file=path.name, reason=str(error)) from error
    return Sheet(names, tuple(rows))


def plain_name(name: str) -> str:
    """Return the name of a column by its letters and digits alone."""
    return _SIGNS.sub("", name.casefold())


def read_rows(sheet: Sheet, file: str, name: str, version: int) -> Assembled:
    """Build a catalogue from a sheet; the lines of what is found are those of the rows."""
    tables: dict[str, list[dict[str, Any]]] = {"group": [], "variable": []}
    lines: dict[str, list[int]] = {"group": [], "variable": []}
    findings: list[Finding] = []
    unknown = sorted(set(filter(None, sheet.names)) - _known_columns())
    findings += [
        Finding(placed(mistake("unknown_column", "–", each, known=", ".join(("label", *_COLUMNS))), file), 1)
        for each in unknown
    ]
    for line, row in sheet.rows:
        try:
            _take(row, tables, lines, line)
        except UserError as error:
            findings.append(Finding(placed(error, file), line))
    for table in tables["variable"]:
        if "kind" not in table:
            table["kind"] = "category" if "levels" in table else "number" if "cut_points" in table else "flag"
    plain = {
        "format": "consilium-catalogue",
        "name": name,
        "version": version,
        **{k: v for k, v in tables.items() if v},
    }
    made = assemble(plain, file, lambda kind, place, _field: lines[kind][place] if kind else None)
    if not findings:
        return made
    return Assembled(None, tuple(sorted((*findings, *made.errors), key=lambda each: each.line or 0)))


def _take(
    row: Mapping[str, str], tables: dict[str, list[dict[str, Any]]], lines: dict[str, list[int]], line: int
) -> None:
    """Add what a row says to the tables: a group, a variable, or a level of the last variable."""
    table = _table(row)
    kind = table.get("kind")
    if kind == "level":
        if not tables["variable"] or tables["variable"][-1].get("kind", "category") != "category":
            raise mistake("level_of_nothing", str(table.get("code", NOWHERE)), "kind")
        level = {name: table[name] for name in ("code", "label") if name in table}
        tables["variable"][-1].setdefault("levels", []).append(level)
        return
    name = "group" if kind == "group" else "variable"
    if name == "group":
        table.pop("kind")
    tables[name].append(table)
    lines[name].append(line)


def _table(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row as the table of a variable: see :mod:`app.core.catalogue.plain`."""
    table: dict[str, Any] = {}
    for name in _LABELS:
        plain = plain_name(name)
        texts = {each: row.get(f"{plain}{each}", "") for each in ("en", "fr", "de")}
        texts["en"] = texts["en"] or row.get(plain, "")
        if found := {language: text for language, text in texts.items() if text}:
            table[name] = found
    for name, read in _COLUMNS.items():
        if written := row.get(plain_name(name), ""):
            try:
                table[name] = read(written)
            except ValueError as error:
                raise mistake("wrong_type", row.get("code", NOWHERE), name, expected=str(error)) from error
    if table.get("rollup") is False:
        del table["rollup"]
    return table


def _known_columns() -> set[str]:
    labels = {plain_name(name) + language for name in _LABELS for language in ("", "en", "fr", "de")}
    return labels | {plain_name(name) for name in _COLUMNS}


def _items(text: str) -> list[str]:
    return [item.strip() for item in re.split(r"[;|\n]", text) if item.strip()]


def _number(text: str) -> str:
    """Return a number with a decimal point; what is none is left for the rules to name."""
    return _DECIMAL_COMMA.sub(".", text.replace("\u2212", "-")) if text.count(",") == 1 else text


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError("1")
    return int(text)


def _yes(text: str) -> bool:
    if (plain := text.casefold()) not in _YES | _NO:
        raise ValueError("yes / no")
    return plain in _YES


def _kind(text: str) -> str:
    return _KIND_OF.get(plain_name(text), text)


_COLUMNS: Mapping[str, Callable[[str], object]] = {
    "code": str,
    "kind": _kind,
    "unit": str,
    "cut_points": lambda text: [_number(cut) for cut in _items(text)],
    "minimum": _number,
    "maximum": _number,
    "step": _number,
    "granularity": str,
    "first": str,
    "last": str,
    "period_days": _number,
    "periods": _whole,
    "first_period": _whole,
    "rollup": _yes,
    "parents": _items,
    "system": str,
    "system_code": str,
    "synonyms": _items,
}
"""How a column is read; a ValueError says how it should be written."""


def template() -> str:
    """Return the CSV that :func:`read_rows` reads, with an example of every kind."""
    output = io.StringIO()
    names = dict.fromkeys(["code", "kind", "label", "label_fr", "label_de", *_COLUMNS])
    writer = csv.DictWriter(output, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_examples())
    return output.getvalue()


def _examples() -> Iterator[dict[str, str]]:
    def row(code: str, kind: str, *labels: str, **fields: str) -> dict[str, str]:
        texts = dict(zip(("label", "label_fr", "label_de"), labels, strict=True))
        return {"code": code, "kind": kind, **texts, **fields}

    melanoma = {"rollup": "no", "parents": "diagnoses", "system": "ICD-10", "system_code": "C43"}
    years = {"unit": "a", "cut_points": "40; 50; 60; 70", "minimum": "0", "maximum": "120", "step": "1"}
    months = {"granularity": "month", "first": "2015-01", "last": "2029-12"}
    yield row("diagnoses", "group", "Diagnoses", "Diagnostics", "Diagnosen")
    yield row("ICD10:C43", "flag", "Melanoma of skin", "Mélanome de la peau", "Melanom der Haut", **melanoma)
    yield row("sex", "category", "Sex", "Sexe", "Geschlecht")
    yield row("female", "level", "female", "femme", "weiblich")
    yield row("male", "level", "male", "homme", "männlich")
    yield row("age", "number", "Age", "Âge", "Alter", **years)
    yield row("diagnosis", "date", "Date of diagnosis", "Date du diagnostic", "Diagnosedatum", **months)
    yield row("relapse", "event", "Relapse", "Rechute", "Rückfall", period_days="30", periods="36")
    survival = ("Overall survival", "Survie globale", "Gesamtüberleben")
    yield row("os", "survival", *survival, period_days="30", periods="60")
