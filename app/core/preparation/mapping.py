"""The mapping file: how a hospital's own CSV becomes the catalogue's variables. TOML 1.0, UTF-8.

::

    format = "consilium-mapping"
    version = 1
    site = "Lausanne"                 # this site's name in the federation
    patient = "patient_id"            # the column that says which patient a row is about

    [file]                            # may be left out, as may each of its keys
    encoding = "utf-8"                # utf-8 (default), windows-1252, iso-8859-1, iso-8859-15, utf-16
    delimiter = ";"                   # , ; or tab; found out from the first line if it is not said
    decimal = ","                     # the decimal sign, "." unless it is said
    missing = ["", "NA"]              # what stands for "no value"; [""] unless it is said

    [variables.sex]                   # a variable of the catalogue, by its code
    column = "gender"                 # its column in the CSV; the code itself unless it is said
    values = { "1" = "male", "2" = "female" }
    missing = ["9"]                   # more that stands for "no value" in this column

A variable that is not mentioned takes the column that bears its code, if there is one. Without ``values`` a category
takes its level codes, a flag ``1 0 true false yes no`` in any case, a number digits with the decimal sign.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.errors import SafeParam, UserError
from app.core.files import read_limited

FORMAT = "consilium-mapping"
VERSION = 1
MAX_BYTES = 8 << 20
ENCODINGS = ("utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "utf-16")
DELIMITERS = (",", ";", "\t")
FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

T = TypeVar("T")
_SHOWN = {str: '"…"', int: "1", list: "[…]", dict: "{…}"}


@dataclass(frozen=True)
class VariableMapping:
    """Where a variable's values stand and what they are called there; ``values`` may be empty: see the module."""

    column: str
    values: Table[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mapping:
    """A mapping file, checked by itself; :meth:`resolve` checks it against a catalogue and a CSV's columns."""

    file: str
    site: str
    patient: str
    encoding: str
    delimiter: str | None
    decimal: str
    missing: frozenset[str]
    variables: Table[str, VariableMapping]

    def resolve(
        self, catalogue: Catalogue, columns: tuple[str, ...], csv: str
    ) -> tuple[dict[str, VariableMapping], dict[str, VariableMapping]]:
        """Return (mapped, left out): the catalogue's variables that ``columns`` give values for, and the others.

        Both are in the catalogue's order. Raises UserError: ``mapping.unknown_variable``, ``mapping.unknown_level``,
        ``csv.missing_column``, ``mapping.nothing_mapped``.
        """
        for code, mapped in self.variables.items():
            if (variable := catalogue.find(code)) is None:
                raise UserError("mapping.unknown_variable", file=self.file, variable=code)
            self._check_values(variable, mapped)
        if self.patient not in columns:
            raise UserError("csv.missing_column", file=csv, column=self.patient, mapping=self.file)
        found: dict[str, VariableMapping] = {}
        absent: dict[str, VariableMapping] = {}
        for variable in catalogue:
            mapping = self.variables.get(variable.code, VariableMapping(variable.code))
            if mapping.column in columns:
                found[variable.code] = mapping
            elif variable.code in self.variables:
                raise UserError("csv.missing_column", file=csv, column=mapping.column, mapping=self.file)
            else:
                absent[variable.code] = mapping
        if not found:
            raise UserError("mapping.nothing_mapped", file=csv)
        return found, absent

    def _check_values(self, variable: Variable, mapped: VariableMapping) -> None:
        levels = {level.code for level in variable.levels}
        for level in mapped.values.values():
            if variable.kind is Kind.NUMBER or (variable.kind is Kind.FLAG and level.lower() not in FLAGS):
                _refuse("not_for_kind", self.file, variable=variable.code, field="values", kind=variable.kind.value)
            if variable.kind is Kind.CATEGORY and level not in levels:
                _refuse("unknown_level", self.file, variable=variable.code, value=level[:40])


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file. Raises UserError ``mapping.*`` that names ``file`` and ``field``; EnvironmentProblem."""
    return parse_mapping(read_limited(path, MAX_BYTES), path.name)


def parse_mapping(data: bytes, name: str) -> Mapping:
    """Read the bytes of a mapping file; ``name`` is what errors call it. Raises UserError ``mapping.*``."""
    try:
        plain = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError("mapping.not_utf8", file=name) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError("mapping.not_toml", file=name, reason=str(error)) from error
    top = _Reader(plain, name, "")
    if top.take("format", str) != FORMAT:
        _refuse("wrong_format", name, field="format", expected=FORMAT)
    if (version := top.take("version", int)) != VERSION:
        _refuse("newer", name, field="version", found=version, known=VERSION)
    site, patient = top.take("site", str), top.take("patient", str)
    about, variables = _Reader(top.take("file", dict, {}), name, "file"), top.take("variables", dict, {})
    top.finish()
    mapping = Mapping(
        file=name,
        site=site,
        patient=patient,
        encoding=about.choice("encoding", "utf-8", ENCODINGS),
        delimiter=about.choice("delimiter", None, DELIMITERS),
        decimal=about.choice("decimal", ".", (".", ",")),
        missing=frozenset(about.texts("missing", [""])),
        variables={code: _variable(each, name, code) for code, each in variables.items()},
    )
    about.finish()
    return mapping


def _variable(plain: object, file: str, code: str) -> VariableMapping:
    reader = _Reader(plain, file, f"variables.{code}")
    column, values = reader.take("column", str, code), reader.take("values", dict, {})
    missing = frozenset(reader.texts("missing", []))
    reader.finish()
    for name, level in values.items():
        if not isinstance(level, str):
            _refuse("wrong_type", file, field=f"variables.{code}.values.{name}", expected=_SHOWN[str])
    return VariableMapping(column, values, missing)


class _Reader:
    """One table being read: each key is taken once with its type, and what is left over is a mistake."""

    def __init__(self, plain: object, file: str, place: str) -> None:
        self._file, self._place = file, place
        if not isinstance(plain, dict):
            _refuse("wrong_type", file, field=place, expected=_SHOWN[dict])
        self._left: dict[str, Any] = dict(plain)

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        value = self._left.pop(name, default)
        if value is None:
            _refuse("missing_field", self._file, field=self._path(name))
        if type(value) is not kind:
            _refuse("wrong_type", self._file, field=self._path(name), expected=_SHOWN[kind])
        return value

    def choice(self, name: str, default: Any, allowed: tuple[str, ...]) -> Any:
        value = self._left.pop(name, default)
        if value is not default and value not in allowed:
            shown = ", ".join(repr(each) for each in allowed)
            _refuse("not_allowed", self._file, field=self._path(name), found=str(value)[:40], allowed=shown)
        return value

    def texts(self, name: str, default: list[str]) -> list[str]:
        values = self.take(name, list, default)
        if not all(isinstance(value, str) for value in values):
            _refuse("wrong_type", self._file, field=self._path(name), expected='["…"]')
        return values

    def finish(self) -> None:
        for name in self._left:
            _refuse("unknown_field", self._file, field=self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name


def _refuse(problem: str, file: str, **params: SafeParam) -> NoReturn:
    raise UserError(f"mapping.{problem}", file=file, **params)
