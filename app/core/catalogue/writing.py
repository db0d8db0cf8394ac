"""Catalogues as the readable file that :mod:`app.core.catalogue.file` reads: stable, one field a line, exact."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.core.catalogue.model import Catalogue, Group, Variable
from app.core.catalogue.plain import plain_group, plain_variable

_WIDTH = 110
_NUMBERS = frozenset({"cut_points", "minimum", "maximum", "step", "period_days"})
"""Fields whose texts are numbers; people write them without quotes."""


def format_catalogue(catalogue: Catalogue) -> str:
    """Return the text of a catalogue's file; reading it gives an equal catalogue, and writing that the same text."""
    plain = catalogue.to_plain()
    head = "\n".join(_field(name, plain[name]) for name in ("format", "format_version", "name", "version"))
    tables = [f"{head}\n", *map(format_group, catalogue.groups), *map(format_variable, catalogue.variables)]
    return "\n".join(tables)


def format_group(group: Group) -> str:
    """Return a group as it stands in the file."""
    return _table("group", plain_group(group))


def format_variable(variable: Variable) -> str:
    """Return a variable as it stands in the file."""
    return _table("variable", plain_variable(variable))


def _table(name: str, plain: Mapping[str, Any]) -> str:
    return "\n".join([f"[[{name}]]", *(_field(key, value) for key, value in plain.items()), ""])


def _field(name: str, value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [item if name in _NUMBERS else _value(item) for item in value]
        return f"{name} = {_list(items, each_its_line=isinstance(value[0], Mapping))}"
    return f"{name} = {value if name in _NUMBERS else _value(value)}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)  # TOML writes texts, whole numbers, true and false as JSON does


def _list(items: Sequence[str], *, each_its_line: bool) -> str:
    whole = ", ".join(items)
    if not each_its_line and len(whole) <= _WIDTH:
        return f"[{whole}]"
    lines = items if each_its_line else _filled(items)
    return "[\n" + "".join(f"    {line},\n" for line in lines) + "]"


def _filled(items: Iterable[str]) -> list[str]:
    """Return the items in lines that are not too long."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) <= _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return lines
