"""Catalogues from a REDCap data dictionary (CSV, as REDCap exports it from the designer or through its API)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.core.catalogue.assembling import Assembled, assemble
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.catalogue.redcap_fields import NAMES, NEEDED, choices_of, is_identifier, plain_label
from app.core.catalogue.rules import MAX_CODE, MAX_LABEL
from app.core.catalogue.tabular import Sheet

_DATES_FROM, _DATES_TO = 1980, 2039
"""The years of a date that the dictionary gives no range: as many as anybody needs, and few enough to keep."""
_MOST_STARTS = 400
_CUTS = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that has no place in the catalogue. ``reason`` is ``identifier``, ``free_text``, ``no_data``,
    ``no_range`` (a number of which nobody says where it can lie) or ``no_choices``."""

    field: str
    label: str
    reason: str


def is_dictionary(sheet: Sheet) -> bool:
    """Return whether a sheet has the columns of a data dictionary."""
    return all(any(name in sheet.names for name in NAMES[each]) for each in NEEDED)


def read_dictionary(sheet: Sheet, file: str, name: str, version: int) -> tuple[Assembled, tuple[LeftOut, ...]]:
    """Build a catalogue from a data dictionary, a group for each form, and say which fields were left out and why."""
    groups: dict[str, dict[str, Any]] = {}
    variables: list[dict[str, Any]] = []
    lines: list[int] = []
    left_out: list[LeftOut] = []
    for line, row in sheet.rows:
        field = {each: next((row[name] for name in names if row.get(name)), "") for each, names in NAMES.items()}
        if not field["name"]:
            continue
        if reason := _reason(field):
            left_out.append(LeftOut(field["name"], _label(field["label"], field["name"]), reason))
            continue
        parents = []
        if field["form"]:
            code = f"form:{_slug(field['form'])}"
            groups[code] = {"code": code, "label": {"en": field["form"].replace("_", " ").capitalize()[:MAX_LABEL]}}
            parents = [code]
        for table in _tables(field, groups, parents):
            variables.append(table)
            lines.append(line)
    plain: dict[str, Any] = {"format": "consilium-catalogue", "name": name, "version": version}
    plain |= {"group": list(groups.values())} if groups else {}
    plain["variable"] = variables
    found = assemble(plain, file, lambda kind, place, _field: lines[place] if kind == "variable" else None)
    return found, tuple(left_out)


def _reason(field: Mapping[str, str]) -> str:
    """Return why a field is left out; empty if it is not."""
    kind, validation = field["type"].lower(), field["validation"].lower()
    if is_identifier(field["identifier"]):
        return "identifier"
    if kind in ("descriptive", "file", "signature", "sql"):
        return "no_data"
    if kind in ("radio", "dropdown", "checkbox"):
        return "" if choices_of(field["choices"]) else "no_choices"
    if kind in ("yesno", "truefalse") or _is_date(field):
        return ""
    number = kind in ("calc", "slider") or validation.startswith(("integer", "number"))
    if not number:
        return "free_text"
    return "" if _range(field) is not None else "no_range"


def _tables(
    field: Mapping[str, str], groups: dict[str, dict[str, Any]], parents: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield the variables of a field: one, or one a choice of check boxes, which REDCap exports in columns."""
    kind = field["type"].lower()
    label = _label(field["label"], field["name"])
    table: dict[str, Any] = {"code": field["name"], "label": {"en": label}, "parents": parents}
    choices = [(raw, words[:MAX_LABEL]) for raw, words in choices_of(field["choices"])]
    if kind == "checkbox":
        code = f"field:{field['name']}"
        groups[code] = {"code": code, "label": {"en": label}, "parents": parents}
        for raw, words in choices:
            column = f"{field['name']}___{raw.lower().replace('-', '_')}"
            text = f"{label}: {words}"[:MAX_LABEL]
            yield {"code": column, "kind": "flag", "label": {"en": text}, "parents": [code]}
    elif kind in ("radio", "dropdown"):
        yield table | {"kind": "category", "levels": _levels(choices)}
    elif kind in ("yesno", "truefalse"):
        yield table | {"kind": "flag"}
    elif _is_date(field):
        yield table | {"kind": "date", **_dates(field)}
    elif (range_ := _range(field)) is not None:
        low, high = range_
        cuts = [decimal_text(cut) for cut in suggested_cuts(low, high)]
        yield table | {
            "kind": "number",
            "cut_points": cuts,
            "minimum": decimal_text(low),
            "maximum": decimal_text(high),
        }


def _levels(choices: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the levels, called by their words where those tell them apart, else by REDCap's codes."""
    slugs = [_slug(words) for _, words in choices]
    told_apart = len(set(slugs)) == len(slugs) and all(slugs)
    codes = slugs if told_apart else [raw for raw, _ in choices]
    return [{"code": code, "label": {"en": words}} for code, (_, words) in zip(codes, choices, strict=True)]


def _range(field: Mapping[str, str]) -> tuple[Decimal, Decimal] | None:
    """Return the range of a number: REDCap's validation, or that of a slider."""
    low, high = (read_decimal(field[each].replace(",", ".")) for each in ("low", "high"))
    if field["type"].lower() == "slider":
        low, high = (Decimal(0) if low is None else low), (Decimal(100) if high is None else high)
    return (low, high) if low is not None and high is not None and low < high else None


def _is_date(field: Mapping[str, str]) -> bool:
    return field["type"].lower() == "text" and field["validation"].lower().startswith("date")


def _dates(field: Mapping[str, str]) -> dict[str, Any]:
    """Return the scale of a date: the months of its range where they are few enough, else years."""
    found = [re.match(r"([0-9]{4})-([0-9]{2})", field[each]) for each in ("low", "high")]
    first, last = (tuple(map(int, each.groups())) if each else None for each in found)
    if first and last and 0 <= (months := 12 * (last[0] - first[0]) + last[1] - first[1]) < _MOST_STARTS and months:
        return {
            "granularity": "month",
            "first": f"{first[0]:04}-{first[1]:02}",
            "last": f"{last[0]:04}-{last[1]:02}",
        }
    years = first[0] if first else _DATES_FROM, last[0] if last else _DATES_TO
    return {"granularity": "year", "first": f"{min(years):04}", "last": f"{max(years):04}"}


def suggested_cuts(low: Decimal, high: Decimal) -> list[Decimal]:
    """Return about ten round cut points inside of a range."""
    wanted = (high - low) / _CUTS
    power = Decimal(1).scaleb(wanted.adjusted())
    step = next(each * power for each in map(Decimal, ("1", "2", "2.5", "5", "10")) if each * power >= wanted)
    first = low // step + (1 if low >= 0 or low % step == 0 else 0)
    cuts = [(first + place) * step for place in range(2 * _CUTS)]
    return [cut for cut in cuts if low < cut <= high] or [high]


def _label(written: str, otherwise: str) -> str:
    return (plain_label(written) or otherwise)[:MAX_LABEL]


def _slug(words: str) -> str:
    """Return words as a code: small letters, digits and underscores."""
    bare = unicodedata.normalize("NFKD", words.casefold())
    return re.sub(r"[^a-z0-9]+", "_", "".join(each for each in bare if each.isascii())).strip("_")[: MAX_CODE // 2]
