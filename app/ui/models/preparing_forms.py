"""Which fields a variable's mapping has: it depends on the kind, and on how its values come about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMN = "column"
"""The way of a variable whose value stands in a column, one row a patient; the other ways are rules."""
DAYS, DATES = "days", "dates"
"""The ways of survival: how long a patient was followed, or until which date."""

_RULES = {
    "flag": ("ever",),
    "category": ("first", "last"),
    "number": ("first", "last", "min", "max", "mean", "count"),
    "date": ("first", "last"),
}
_OF_COLUMN: Mapping[str, tuple[str, ...]] = {
    "number": ("unit", "factor"),
    "event": ("unit",),
    "category": ("values",),
    "flag": ("values",),
}
_ROWS_ONLY = frozenset({"below", "code_column", "time_column", "window", "only"})


def ways_of(kind: str) -> tuple[str, ...]:
    """Return the ways in which a variable of a kind comes about."""
    if kind == "survival":
        return (DAYS, DATES)
    if kind == "event":
        return (COLUMN, "rows")
    return (COLUMN, *_RULES.get(kind, ()))


def way_of(kind: str, how: Mapping[str, Any]) -> str:
    """Return the way that a mapping has chosen."""
    if kind == "survival":
        return DATES if how.get("end_column") else DAYS
    if how.get("rule"):
        return str(how["rule"])
    if how.get("codes"):
        return "rows" if kind == "event" else "ever"
    return COLUMN


def fields_of(kind: str, way: str) -> tuple[str, ...]:
    """Return the fields that a person fills in, in order."""
    if way == DAYS:
        return ("column", "unit", "event_column", "event_values", "event_date_column")
    if way == DATES:
        return ("end_column", "event_column", "event_values", "event_date_column")
    if way == COLUMN:
        return ("column", *_OF_COLUMN.get(kind, ()), "missing")
    if kind in ("flag", "event"):
        return ("codes", "code_column", "below", "time_column", "window", "only")
    if kind == "date" or way == "count":
        return ("codes", "code_column", "below", "time_column", "window", "only", "missing")
    more: tuple[str, ...] = ("unit", "unit_column", "factor") if kind == "number" else ("values",)
    return ("codes", "code_column", "value_column", *more, "time_column", "window", "below", "only", "missing")


def in_another_way(kind: str, how: Mapping[str, Any], way: str) -> dict[str, Any]:
    """Return a mapping that goes another way, with what both have in common."""
    kept = {"table", "system", *fields_of(kind, way)}
    if way in (COLUMN, DAYS, DATES):
        kept -= _ROWS_ONLY
    changed = {name: value for name, value in how.items() if name in kept}
    if way not in (COLUMN, DAYS, DATES, "rows"):
        changed["rule"] = way
    return changed


def is_complete(kind: str, how: Mapping[str, Any]) -> bool:
    """Return whether enough is said for values to come about."""
    way = way_of(kind, how)
    if way == DATES:
        return bool(how.get("end_column") and (how.get("event_column") or how.get("event_date_column")))
    if way == DAYS:
        return bool(how.get("column") and (how.get("event_column") or how.get("event_date_column")))
    if way == COLUMN:
        return bool(how.get("column"))
    return bool(how.get("codes") or how.get("value_column") or how.get("time_column"))
