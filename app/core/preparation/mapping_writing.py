"""Mappings, written as plain tables and as the readable file of version 2."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from app.core.preparation.mapping import FORMAT, VERSION, BadValues, Mapping, Rule, Source, VariableMapping, Window
from app.core.preparation.mapping_text import mapping_text


def plain_variable(variable: VariableMapping) -> dict[str, Any]:
    """Return a variable's table as :func:`read_variable` reads it; what it does not say is left out."""
    plain: dict[str, Any] = {}
    for each in fields(variable):
        value = getattr(variable, each.name)
        if value in (None, (), {}, False):
            continue
        match value:
            case Window():
                days = {"from": value.first, "to": value.last}
                plain[each.name] = {name: day for name, day in days.items() if day is not None}
            case Decimal():
                plain[each.name] = format(value, "f")
            case tuple():
                plain[each.name] = list(value)
            case dict():
                plain[each.name] = {key: list(of) if isinstance(of, tuple) else of for key, of in value.items()}
            case Rule():
                plain[each.name] = value.value
            case _:
                plain[each.name] = value
    return plain


def format_mapping(mapping: Mapping) -> str:
    """Return the readable file of a mapping, always of version 2; :func:`parse_mapping` reads the same again."""
    plain: dict[str, Any] = {"format": FORMAT, "version": VERSION, "site": mapping.site}
    for name in ("catalogue", "catalogue_version", "patients"):
        if (value := getattr(mapping, name)) is not None:
            plain[name] = value
    if mapping.bad_values is not BadValues.EMPTY:
        plain["bad_values"] = mapping.bad_values.value
    for name in ("confirmed", "leave_out"):
        if value := getattr(mapping, name):
            plain[name] = list(value)
    plain["sources"] = {name: _plain_source(each) for name, each in mapping.sources.items()}
    if mapping.index is not None:
        plain["index"] = plain_variable(mapping.index)
    plain["variables"] = {code: plain_variable(each) for code, each in mapping.variables.items()}
    return mapping_text(plain)


def _plain_source(source: Source) -> dict[str, Any]:
    plain: dict[str, Any] = {"format": source.format.value}
    for each in fields(source)[1:]:
        value = getattr(source, each.name)
        if value != each.default:
            plain[each.name] = list(value) if isinstance(value, tuple) else value
    return plain
