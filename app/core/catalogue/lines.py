"""On which line of a catalogue file something is: what tomllib does not tell.

The text is one that tomllib has read, so its strings, comments and brackets can be trusted to be closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|\n|[\[\]{}=,]|[^\s"'\#\[\]{}=,]+''',
    re.DOTALL,
)
_PLACE = re.compile(r"(?P<name>[^.\[]+)(?:\[(?P<position>[0-9]+)\])?")


@dataclass
class _Table:
    """Where a table begins, where its fields do, and where the items of those that are lists of tables do."""

    line: int
    fields: dict[str, int] = field(default_factory=dict)
    items: dict[str, list[int]] = field(default_factory=dict)


class Lines:
    """The lines of the groups and variables of a catalogue file, and of their fields."""

    def __init__(self, text: str) -> None:
        self._head = _Table(1)
        self._tables: dict[str, list[_Table]] = {"group": [], "variable": []}
        self._read(text)

    def locate(self, name: str, place: int, field: str) -> int | None:
        """Return the line of a field such as ``levels[2].label.fr``; of its table where the field is not there."""
        if not name:
            return self._head.fields.get(field.partition(".")[0])
        found = self._tables[name]
        if place >= len(found):  # written as a list of inline tables
            items = self._head.items.get(name, [])
            return items[place] if place < len(items) else self._head.fields.get(name)
        table = found[place]
        match = _PLACE.match(field)
        if match is None:
            return table.line
        items = table.items.get(match["name"], [])
        position = int(match["position"] or 0)
        return items[position - 1] if 0 < position <= len(items) else table.fields.get(match["name"], table.line)

    def _read(self, text: str) -> None:
        current, sub = self._head, ""
        for line, depth, tokens in _statements(text):
            if tokens[0] == "[":
                header = [_bare(part) for each in tokens if each not in "[]" for part in each.split(".") if part]
                if len(header) == 1 and header[0] in self._tables and tokens[1] == "[":
                    current, sub = _Table(line), ""
                    self._tables[header[0]].append(current)
                elif len(header) == 1:
                    self._head.fields.setdefault(header[0], line)
                    current, sub = _Table(line), ""
                elif header[0] in self._tables:
                    sub = header[1]
                    current.fields.setdefault(sub, line)
                    if tokens[1] == "[":
                        current.items.setdefault(sub, []).append(line)
            elif depth:  # inside of a list: the beginning of one of its tables
                current.items.setdefault(_bare(tokens[0]), []).append(line)
            elif not sub:
                current.fields.setdefault(_bare(tokens[0].partition(".")[0]), line)


def _statements(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield (line, 0, tokens) for each header and the key of each field, and (line, 1, [key]) for each table in it."""
    line, depth, key, tokens, in_value = 1, 0, "", list[str](), False
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part == "\n":
            if depth == 0:
                if tokens and tokens[0] == "[":
                    yield line, 0, tokens
                tokens, in_value = [], False
            line += 1
            continue
        if in_value:
            depth += (part in ("[", "{")) - (part in ("]", "}"))
            if part == "{" and depth == 2:
                yield line, 1, [key]
        elif part == "=":
            in_value, key = True, tokens[0]
            yield line, 0, [key]
            tokens = []
        elif not part.startswith("#"):
            tokens.append(part)
        line += part.count("\n")
    if tokens and tokens[0] == "[":
        yield line, 0, tokens


def _bare(name: str) -> str:
    return name.strip("\"'")
