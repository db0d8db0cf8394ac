"""Variables as plain tables: the one shape of the catalogue's readable file and of its canonical bytes.

A variable is ``{code, kind, label: {en, fr, de}, description, levels: [{code, label}], cut_points, unit, unit_label}``.
What a variable does not have is left out; a cut point is a text such as ``"7.5"`` (the readable file may also write it
as a number). Unknown keys are mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from app.core.catalogue.numbers import decimal_text, exact, read_decimal
from app.core.catalogue.variable import (
    MAX_CODE,
    MAX_CUT_POINTS,
    MAX_LEVELS,
    NOWHERE,
    Kind,
    Label,
    Level,
    Variable,
    refuse,
)

T = TypeVar("T")
_SHOWN = {str: '"…"', int: "1", list: "[…]", dict: "{…}"}  # how TOML writes each type


def plain_variable(variable: Variable) -> dict[str, Any]:
    """Return a variable as a plain table."""
    plain: dict[str, Any] = {"code": variable.code, "kind": variable.kind.value, "label": variable.label.parts()}
    if variable.description is not None:
        plain["description"] = variable.description.parts()
    if variable.levels:
        plain["levels"] = [{"code": level.code, "label": level.label.parts()} for level in variable.levels]
    if variable.cut_points:
        plain["cut_points"] = [decimal_text(cut) for cut in variable.cut_points]
    if variable.unit is not None:
        plain["unit"] = variable.unit
    if variable.unit_label is not None:
        plain["unit_label"] = variable.unit_label.parts()
    return plain


def read_variable(plain: object, place: int) -> Variable:
    """Build the variable that is ``place``-th in the catalogue. Raises UserError ``catalogue.*``."""
    table = Table(plain, f"#{place}")
    table.variable = code = table.take("code", str)
    kind = table.take("kind", str)
    if kind not in tuple(Kind):
        refuse("unknown_kind", code, "kind", found=kind[:MAX_CODE], known=", ".join(Kind))
    levels = limited(table.take("levels", list, []), code, "levels", MAX_LEVELS)
    cut_points = limited(table.take("cut_points", list, []), code, "cut_points", MAX_CUT_POINTS)
    label, description = _label(table.take("label", dict), code, "label"), _optional_label(table, "description")
    unit, unit_label = table.take("unit", str, None), _optional_label(table, "unit_label")
    table.done()
    return Variable(
        code=code,
        kind=Kind(kind),
        label=label,
        description=description,
        levels=tuple(_level(each, code, position) for position, each in enumerate(levels, start=1)),
        cut_points=tuple(_cut_point(each, code) for each in cut_points),
        unit=unit,
        unit_label=unit_label,
    )


def _level(plain: object, variable: str, position: int) -> Level:
    table = Table(plain, variable, f"levels[{position}]")
    code, label = table.take("code", str), table.take("label", dict)
    table.done()
    return Level(code, _label(label, variable, f"levels[{position}].label"))


def _label(plain: object, variable: str, field: str) -> Label:
    table = Table(plain, variable, field)
    en, fr, de = table.take("en", str), table.take("fr", str, None), table.take("de", str, None)
    table.done()
    return Label(en, fr, de)


def _optional_label(table: Table, name: str) -> Label | None:
    plain = table.take(name, dict, None)
    return None if plain is None else _label(plain, table.variable, name)


def _cut_point(plain: object, variable: str) -> Decimal:
    number = read_decimal(plain) if isinstance(plain, str) else exact(plain)
    if number is None:
        refuse("not_a_number", variable, "cut_points", found=str(plain)[:MAX_CODE])
    return number


def limited(items: list[object], variable: str, field: str, limit: int) -> list[object]:
    """Return ``items``; refuse more than ``limit`` before any of them is read."""
    if len(items) > limit:
        refuse("too_many", variable, field, count=len(items), limit=limit)
    return items


class _Required:
    """Stands for "no default"."""


class Table:
    """One table being read: each key is taken once with its type, and what is left over is a mistake."""

    def __init__(self, plain: object, variable: str, field: str = "") -> None:
        if not isinstance(plain, Mapping):
            refuse("wrong_type", variable, field or NOWHERE, expected=_SHOWN[dict])
        self._left = dict(plain)
        self._field = field
        self.variable = variable

    def take(self, name: str, kind: type[T], default: Any = _Required) -> Any:
        """Return the value of ``name``, which is a ``kind``, or ``default`` if it is not there."""
        if name not in self._left:
            if default is _Required:
                refuse("missing_field", self.variable, self._path(name))
            return default
        value = self._left.pop(name)
        if type(value) is not kind:
            refuse("wrong_type", self.variable, self._path(name), expected=_SHOWN[kind])
        return value

    def done(self) -> None:
        """Refuse a table with keys that nobody took."""
        for name in self._left:
            refuse("unknown_field", self.variable, self._path(str(name)[:MAX_CODE]))

    def _path(self, name: str) -> str:
        return f"{self._field}.{name}" if self._field else name
