"""The text of a mapping file: its plain tables, as :func:`.mapping.parse_mapping` reads them, written for people."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def mapping_text(plain: Mapping[str, object]) -> str:
    """Return TOML: what stands at the top, then the sources, the index date and the variables, a table each."""
    parts = [_lines({name: value for name, value in plain.items() if not isinstance(value, Mapping)})]
    for name in ("sources", "index", "variables"):
        tables = plain.get(name)
        if not isinstance(tables, Mapping):
            continue
        if name == "index":
            parts.append(f"[index]\n{_lines(tables)}")
        else:
            parts += [f"[{name}.{_key(key)}]\n{_lines(table)}" for key, table in tables.items()]
    return "\n".join(filter(None, parts))


def _lines(plain: Mapping[str, object]) -> str:
    return "".join(f"{_key(name)} = {_toml(value)}\n" for name, value in plain.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{_key(str(name))} = {_toml(of)}' for name, of in value.items())} }}"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """Return a basic string: quotation marks, backslashes and control characters are escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
