"""Catalogues from tables that people wrote, with every mistake that can be found in one go, and its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.catalogue.model import Catalogue
from app.core.catalogue.plain import read_group, read_variable
from app.core.catalogue.rules import MAX_CODE, NOWHERE
from app.core.catalogue.variable import Group, Variable
from app.core.errors import SafeParam, UserError

MOST = 1_000
"""How many mistakes are listed at the most."""
_READ: Mapping[str, Callable[[object, int], Group | Variable]] = {"group": read_group, "variable": read_variable}
_HARMLESS = {"code": "a", "kind": "flag", "label": {"en": "a"}}

Locate = Callable[[str, int, str], int | None]
"""The line of a field of the n-th (from 0) "group" or "variable"; of the catalogue's own field where that is ""."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake, or something worth a look, and the line of the file where it is (from 1), if it is in one."""

    error: UserError
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Assembled:
    """The catalogue, or what stands in its way."""

    catalogue: Catalogue | None
    errors: tuple[Finding, ...] = ()

    def whole(self) -> Catalogue:
        """Return the catalogue. Raises the first of the errors."""
        if self.catalogue is None:
            raise self.errors[0].error
        return self.catalogue


def assemble(plain: Mapping[str, Any], file: str, locate: Locate) -> Assembled:
    """Build the catalogue that the tables say (see :meth:`.Catalogue.from_plain`); ``file`` is what errors call it."""
    try:
        return Assembled(Catalogue.from_plain(plain))
    except UserError as error:
        first = error
    tables = [(name, place, each) for name in _READ for place, each in enumerate(_listed(plain.get(name)))]
    found = [*_of_head(plain), *_of_tables(tables)] or [("", 0, first)]
    if found == [("", 0, first)]:  # circles and numbers of things, which only the whole shows
        found = [(*_where(tables, first), first)]
    findings = [
        Finding(placed(error, file), locate(name, place, str(error.params.get("field", ""))))
        for name, place, error in found[:MOST]
    ]
    return Assembled(None, tuple(sorted(findings, key=lambda each: each.line or 0)))


_Found = tuple[str, int, UserError]


def _of_head(plain: Mapping[str, Any]) -> Iterator[_Found]:
    """Yield the first mistake in the catalogue's own fields."""
    head = {name: value for name, value in plain.items() if name not in _READ or not isinstance(value, list)}
    try:
        Catalogue.from_plain({"variable": [_HARMLESS], **head})
    except UserError as error:
        yield "", 0, error


def _of_tables(tables: list[tuple[str, int, object]]) -> Iterator[_Found]:
    """Yield the first mistake of each group and variable, and codes that are there twice or not at all."""
    codes = {code for _, _, each in tables if (code := _code(each)) is not None}
    seen: set[str] = set()
    for name, place, each in tables:
        if (code := _code(each)) is not None:
            if code in seen:
                yield name, place, mistake("duplicate", code, "code", found=code[:MAX_CODE])
            seen.add(code)
        try:
            node = _READ[name](each, place + 1)
        except UserError as error:
            yield name, place, error
            continue
        for parent in node.parents:
            if parent not in codes:
                yield name, place, mistake("unknown_parent", node.code, "parents", found=parent[:MAX_CODE])


def _code(table: object) -> str | None:
    code = table.get("code") if isinstance(table, Mapping) else None
    return code if isinstance(code, str) else None


def _where(tables: list[tuple[str, int, object]], error: UserError) -> tuple[str, int]:
    code = error.params.get("variable")
    for name, place, each in tables:
        if code is not None and _code(each) == code:
            return name, place
    return "", 0


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def mistake(problem: str, variable: str, field: str, **params: SafeParam) -> UserError:
    """Return the error for a mistake or a warning in a catalogue, with its place."""
    return UserError(f"catalogue.{problem}", file=NOWHERE, variable=variable[:MAX_CODE], field=field, **params)


def placed(error: UserError, file: str) -> UserError:
    """Return the error with the name of the file that it is in."""
    return UserError(error.code, **{**error.params, "file": file})
