"""A saved cohort as a small file that people can read, for other federations and for keeping (TOML, UTF-8)::

    format = "consilium-cohort"
    version = 1
    name = "Old smokers"
    text = 'smoker and age >= 60'
    catalogue = "Lung study, version 3"

    [meanings]
    age = "6f3c…"
    smoker = "01be…"

``meanings`` are the SHA-256 of what the variables mean in the catalogue that it comes from, in hexadecimal; where one
is left out, what is written is taken as it is read. ``catalogue`` is for people only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from app.core.catalogue.lines import Lines
from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.query.text import MAX_TEXT
from app.core.store.cohorts import MAX_NAME, is_name
from app.core.toml_reader import parse_toml

_FORMAT = "consilium-cohort"
VERSION = 1
MAX_BYTES = 512 * 1024
"""More than the longest text and the hashes of all the variables that one may use."""
_FIELDS = ("format", "version", "name", "text", "catalogue", "meanings")
_NEEDED = ("name", "text")
_HASH = re.compile(r"[0-9a-f]{64}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60


@dataclass(frozen=True)
class CohortFile:
    """What such a file says; ``meanings`` are the hashes by code."""

    name: str
    text: str
    meanings: Mapping[str, bytes]
    catalogue: str = ""


def format_file(cohort: CohortFile) -> str:
    """Return the content of a file; reading it gives the same cohort."""
    head: dict[str, str | int] = {"format": _FORMAT, "version": VERSION, "name": cohort.name, "text": cohort.text}
    lines = [f"{name} = {_value(value)}" for name, value in head.items()]
    if cohort.catalogue:
        lines.append(f"catalogue = {_value(cohort.catalogue)}")
    lines += ["", "[meanings]"]
    lines += [f"{_key(code)} = {_value(meaning.hex())}" for code, meaning in sorted(cohort.meanings.items())]
    return "\n".join(lines) + "\n"


def load_file(path: Path) -> CohortFile:
    """Read a file; raises as :func:`read_file`, and EnvironmentProblem ``file.*`` if it cannot be read."""
    with disk_problems(path), open(path, "rb") as file:
        return read_file(file.read(MAX_BYTES + 1), path.name)


def read_file(data: bytes, name: str) -> CohortFile:
    """Read the content of a file that may be hostile; ``name`` is what errors call it.

    Raises UserError ``cohort.file_too_large``, ``.file_not_utf8``, ``.file_not_toml``, ``.file_other``,
    ``.file_newer``; ``.file_field`` with the ``line`` (0: it is not there) and the ``field``.
    """
    if len(data) > MAX_BYTES:
        raise UserError("cohort.file_too_large", file=name, limit=MAX_BYTES // 1024)
    try:
        written = data.decode("utf-8").removeprefix("\ufeff")
        plain = parse_toml(written)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError("cohort.file_not_utf8", file=name, line=line) from error
    except ValueError as error:
        raise UserError("cohort.file_not_toml", file=name, reason=str(error)) from error
    return _Reader(name, written, plain).read()


class _Reader:
    """Reads the fields of one file."""

    def __init__(self, name: str, written: str, plain: Mapping[str, Any]) -> None:
        self._name, self._written, self._plain = name, written, plain

    def read(self) -> CohortFile:
        version = self._plain.get("version")
        if self._plain.get("format") != _FORMAT:
            raise UserError("cohort.file_other", file=self._name)
        if type(version) is not int or version < 1:
            self._refuse("version")
        if version > VERSION:
            raise UserError("cohort.file_newer", file=self._name, version=version)
        for field in (*_NEEDED, *self._plain):
            if field not in _FIELDS or field not in self._plain:
                self._refuse(field)
        name, catalogue = self._text("name", MAX_NAME), self._text("catalogue", 4 * MAX_NAME)
        if not is_name(name):
            self._refuse("name")
        return CohortFile(name, self._text("text", MAX_TEXT), self._meanings(), catalogue)

    def _text(self, field: str, most: int) -> str:
        value = self._plain.get(field, "")
        if not isinstance(value, str) or len(value) > most or not value.replace("\n", " ").isprintable():
            self._refuse(field)
        return value

    def _meanings(self) -> dict[str, bytes]:
        value = self._plain.get("meanings", {})
        if not isinstance(value, dict):
            self._refuse("meanings")
        for code, meaning in value.items():
            if not isinstance(meaning, str) or not _HASH.fullmatch(meaning):
                self._refuse("meanings", code)
        return {code: bytes.fromhex(meaning) for code, meaning in value.items()}

    def _refuse(self, field: str, code: str = "") -> NoReturn:
        line = _line_of(self._written, field, code)
        shown = f"{field}.{code}" if code else field
        raise UserError("cohort.file_field", file=self._name, line=line, field=shown[:_SHOWN])


def refuse_meaning(path: Path, code: str) -> NoReturn:
    """Say that a file names what a variable means that its text does not use."""
    with disk_problems(path), open(path, "rb") as file:
        written = file.read(MAX_BYTES).decode("utf-8", "replace")
    line = _line_of(written, "meanings", code)
    raise UserError("cohort.file_field", file=path.name, line=line, field=f"meanings.{code}"[:_SHOWN])


def _line_of(written: str, field: str, code: str) -> int:
    """Return the line of a field, or of what it says of ``code``; 0 if it is not there."""
    first = Lines(written).locate("", 0, field) or 0
    if not code:
        return first
    begins = (_key(code), f'"{code}"', f"'{code}'")
    lines = written.splitlines()[first:]
    return next((first + place for place, line in enumerate(lines, 1) if line.lstrip().startswith(begins)), first)


def _value(value: str | int) -> str:
    """Write a text so that people can read it: a literal string, in which nothing is escaped, where it can be one."""
    if isinstance(value, str) and '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML escapes as JSON does


def _key(code: str) -> str:
    return code if _PLAIN_KEY.fullmatch(code) else _value(code)
