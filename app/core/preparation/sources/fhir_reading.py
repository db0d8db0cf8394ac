"""From FHIR files to resources: Bundles of any length, single resources, several in a row, and NDJSON.

A Bundle is never in memory as a whole: the text is read in pieces of :data:`PIECE` bytes, and one entry after the
other is decoded by the standard library's scanner, which knows how deep it is and how long numbers get. (ijson's fast
backend dies of both: 3.6.0 ends the process at an integer of 5,000 digits, and at brackets within brackets.)

A line of NDJSON that cannot be used is a problem and the next one is read. In a Bundle nothing says where the next
entry begins, so broken JSON there is an error for the whole file.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.jobs.job import Meter
from app.core.preparation.problems import Problem, Problems, State
from app.core.preparation.sources.fhir_elements import Element, WrongShape

PIECE = 4 << 20
"""Bytes that are read at once."""
MAX_RECORD = 32 << 20
"""Characters of one resource, attachments included."""
MAX_BUNDLES = 8
"""How deep Bundles may be within Bundles."""
LINES = frozenset({".ndjson", ".jsonl"})
SUFFIXES = LINES | {".json"}

_TYPE = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_SPACE = re.compile(r"[ \t\n\r]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource and where it stands: the line in NDJSON, else the number of the entry or resource in the file."""

    file: str
    record: int
    url: str | None
    resource: dict[str, Any]


def read_resources(path: Path, name: str, problems: Problems, meter: Meter) -> Iterator[Entry]:
    """Yield the resources of the file ``path``, which problems call ``name``; ``meter`` counts bytes.

    Raises UserError ``clinical.not_json``, ``clinical.not_utf8``, ``clinical.record_too_large``; EnvironmentProblem.
    """
    read = _lines if path.suffix.lower() in LINES else _values
    for record, url, plain in read(path, name, problems, meter):
        yield from _unpack(Entry(name, record, url, plain), problems)


def _unpack(entry: Entry, problems: Problems, depth: int = 0) -> Iterator[Entry]:
    """Yield the resource itself, or those of the Bundle that it is."""
    kind = entry.resource.get("resourceType")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        problems.add(Problem("clinical.no_resource", State.REFUSED, entry.file, entry.record))
    elif kind != "Bundle":
        yield entry
    elif depth == MAX_BUNDLES or not isinstance(entries := entry.resource.get("entry", []), list):
        problems.add(Problem("clinical.wrong_shape", State.REFUSED, entry.file, entry.record, "Bundle.entry"))
    else:
        for plain in entries:
            if inner := _entry(plain, entry.file, entry.record, problems):
                yield from _unpack(inner, problems, depth + 1)


def _entry(plain: object, file: str, record: int, problems: Problems) -> Entry | None:
    """Read an element of ``Bundle.entry``; None, and a problem, if it has no resource: a deletion, an answer."""
    if isinstance(plain, dict) and isinstance(resource := plain.get("resource"), dict):
        try:
            return Entry(file, record, Element(plain, "Bundle.entry").text("fullUrl"), resource)
        except WrongShape as error:
            problems.add(Problem("clinical.wrong_shape", State.REFUSED, file, record, error.path))
            return None
    problems.add(Problem("clinical.no_resource", State.REFUSED, file, record, "Bundle.entry"))
    return None


def _lines(path: Path, name: str, problems: Problems, meter: Meter) -> Iterator[tuple[int, str | None, dict[str, Any]]]:
    with disk_problems(path), open(path, "rb") as file:
        number = 0
        while line := file.readline(MAX_RECORD + 1):
            number += 1
            meter.advance(len(line))
            if len(line) > MAX_RECORD:
                raise UserError("clinical.record_too_large", file=name, row=number, limit=MAX_RECORD >> 20)
            if not line.strip():
                continue
            try:
                plain = _DECODER.decode(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except (ValueError, RecursionError) as error:
                problems.add(Problem("clinical.line_not_json", State.REFUSED, name, number, more=_reason(error)))
                continue
            if isinstance(plain, dict):
                yield number, None, plain
            else:
                problems.add(Problem("clinical.no_resource", State.REFUSED, name, number))


def _values(
    path: Path, name: str, problems: Problems, meter: Meter
) -> Iterator[tuple[int, str | None, dict[str, Any]]]:
    with disk_problems(path), open(path, "rb") as file:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()

        def piece() -> str:
            text = ""
            while not text and (chunk := file.read(PIECE)):
                meter.advance(len(chunk))
                text = decoder.decode(chunk)
            return text or decoder.decode(b"", final=True)

        window = _Window(name, piece)
        record = 0
        while window.peek():
            whole: dict[str, Any] = {}
            for key in window.members():
                if key == "entry" and whole.get("resourceType", "Bundle") == "Bundle" and window.peek() == "[":
                    for plain in window.items():
                        record += 1
                        if entry := _entry(plain, name, record, problems):
                            yield record, entry.url, entry.resource
                elif key in whole:
                    window.refuse(f"{key!r} twice")
                else:
                    whole[key] = window.value()
            if whole.get("resourceType") != "Bundle":
                record += 1
                yield record, None, whole


class _Window:
    """The part of a long JSON text that is being decoded."""

    def __init__(self, file: str, piece: Callable[[], str]) -> None:
        self._file, self._piece = file, piece
        self._text, self._at, self._before = "", 0, 0

    def peek(self) -> str:
        """Return the next character that is no white space, "" at the end."""
        while True:
            if space := _SPACE.match(self._text, self._at):
                self._at = space.end()
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def members(self) -> Iterator[str]:
        """Yield the keys of an object; after each, the caller takes its value."""
        for _ in self._within("{", "}"):
            if self.peek() != '"':
                self.refuse("a name in quotes is missing")
            key = self.value()
            self._take(":")
            yield key

    def items(self) -> Iterator[Any]:
        """Yield the values of an array."""
        for _ in self._within("[", "]"):
            yield self.value()

    def value(self) -> Any:
        """Decode the next value, which ends before the end of the text (this is not for a number that stands alone)."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    self.refuse(_reason(error), error)
            except (ValueError, RecursionError) as error:
                self.refuse(_reason(error), error)
            else:
                if end < len(self._text) or not self._more():
                    self._at = end
                    return value

    def refuse(self, reason: str, error: Exception | None = None) -> NoReturn:
        """Raise that the text is not JSON, with the place."""
        raise UserError(
            "clinical.not_json", file=self._file, character=self._before + self._at + 1, reason=reason
        ) from error

    def _within(self, begin: str, end: str) -> Iterator[None]:
        self._take(begin)
        if self.peek() != end:
            yield
            while self.peek() == ",":
                self._at += 1
                yield
        self._take(end)

    def _take(self, character: str) -> None:
        if self.peek() != character:
            self.refuse(f"{character} is missing")
        self._at += 1

    def _more(self) -> bool:
        """Read on; what lies behind is forgotten."""
        if len(self._text) - self._at > MAX_RECORD:
            raise UserError("clinical.record_too_large", file=self._file, row=None, limit=MAX_RECORD >> 20)
        try:
            piece = self._piece()
        except UnicodeError as error:
            raise UserError("clinical.not_utf8", file=self._file) from error
        self._before += self._at
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Unusable(f"{next(name for name in names if names.count(name) > 1)[:40]!r} twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _Unusable(name)


class _Unusable(ValueError):
    """Valid for Python's scanner, but not for FHIR: a name twice in one object, NaN, Infinity."""


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:80]


# Numbers stay as they were written: 1.50 is not 1.5, and nobody computes with them here.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=_refuse_constant)
