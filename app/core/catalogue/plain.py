"""Variables as plain tables: the one shape of the catalogue's readable file and of its canonical bytes.

A variable is ``{code, kind, label: {en, fr, de}, description, levels: [{code, label}], cut_points, unit, unit_label}``.
What a variable does not have is left out; a cut point is a text such as ``"7.5"`` (the readable file may also write it
as a number). Unknown keys are mistakes. Since format 2: ``minimum``, ``maximum``, ``step`` (numbers, as texts);
``granularity``, ``first``, ``last`` (dates; ``first`` and ``last`` as 2015, 2015-01 or 2015-01-01); ``period_days``,
``periods``, ``first_period`` (events and survival); ``rollup``; ``parents: [code]``; ``system``, ``system_code``;
``synonyms: [text]``. A group is ``{code, label, parents}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from app.core.catalogue.kinds import Kind, Label, Level
from app.core.catalogue.numbers import decimal_text, exact, read_decimal
from app.core.catalogue.rules import MAX_CODE, MAX_CUT_POINTS, MAX_LEVELS, NOWHERE, refuse
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.catalogue.variable import Group, Variable

T = TypeVar("T")
_START = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")
_SHOWN = {str: '"…"', int: "1", bool: "true", list: "[…]", dict: "{…}"}  # how TOML writes each type


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
    return plain | _since_2(variable)


def uses_format_2(variable: Variable) -> bool:
    """Return whether format 1 could not have said this."""
    return variable.kind not in (Kind.FLAG, Kind.CATEGORY, Kind.NUMBER) or bool(_since_2(variable))


def _since_2(variable: Variable) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name in ("minimum", "maximum", "step"):
        if (number := getattr(variable, name)) is not None:
            plain[name] = decimal_text(number)
    if (scale := variable.calendar) is not None:
        plain |= {
            "granularity": scale.granularity.value,
            "first": scale.text(scale.first),
            "last": scale.text(scale.last),
        }
    if (periods := variable.periods) is not None:
        plain |= {"period_days": decimal_text(periods.days), "periods": periods.count}
        if periods.first:
            plain["first_period"] = periods.first
    if variable.rollup:
        plain["rollup"] = True
    for name in ("system", "system_code"):
        if (found := getattr(variable, name)) is not None:
            plain[name] = found
    for name in ("parents", "synonyms"):
        if found := getattr(variable, name):
            plain[name] = list(found)
    return plain


def plain_group(group: Group) -> dict[str, Any]:
    """Return a group as a plain table."""
    plain: dict[str, Any] = {"code": group.code, "label": group.label.parts()}
    return plain | ({"parents": list(group.parents)} if group.parents else {})


def read_group(plain: object, place: int) -> Group:
    """Build the group that is ``place``-th in the catalogue. Raises UserError ``catalogue.*``."""
    table = Table(plain, f"#{place}")
    table.variable = code = table.take("code", str)
    label, parents = _label(table.take("label", dict), code, "label"), _texts(table, "parents")
    table.done()
    return Group(code, label, parents)


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
    minimum, maximum, step = (_optional_number(table, name) for name in ("minimum", "maximum", "step"))
    calendar, periods = _calendar(table), _periods(table)
    rollup, parents, synonyms = table.take("rollup", bool, False), _texts(table, "parents"), _texts(table, "synonyms")
    system, system_code = table.take("system", str, None), table.take("system_code", str, None)
    table.done()
    return Variable(
        code=code,
        kind=Kind(kind),
        label=label,
        description=description,
        levels=tuple(_level(each, code, position) for position, each in enumerate(levels, start=1)),
        cut_points=tuple(_number(each, code, "cut_points") for each in cut_points),
        unit=unit,
        unit_label=unit_label,
        minimum=minimum,
        maximum=maximum,
        step=step,
        calendar=calendar,
        periods=periods,
        rollup=rollup,
        parents=parents,
        system=system,
        system_code=system_code,
        synonyms=synonyms,
    )


def _optional_number(table: Table, name: str) -> Decimal | None:
    plain = table.take(name, None, None)
    return None if plain is None else _number(plain, table.variable, name)


def _calendar(table: Table) -> Calendar | None:
    granularity = table.take("granularity", str, None)
    first, last = (table.take(name, None, None) for name in ("first", "last"))
    if granularity is None:
        for name, found in (("first", first), ("last", last)):
            if found is not None:
                refuse("missing_field", table.variable, "granularity", given=name)
        return None
    if granularity not in tuple(Granularity):
        refuse("not_one_of", table.variable, "granularity", found=granularity[:MAX_CODE], known=", ".join(Granularity))
    return Calendar(Granularity(granularity), _start(first, table, "first"), _start(last, table, "last"))


def _start(plain: object, table: Table, name: str) -> date:
    """Read 2015, "2015", "2015-03", "2015-03-01" or a TOML date."""
    if plain is None:
        refuse("missing_field", table.variable, name)
    found = str(plain)
    try:
        if _START.fullmatch(found):
            return date.fromisoformat(found + ("-01-01"[len(found) - 10 :] if len(found) < 10 else ""))
    except ValueError:
        pass
    return refuse("not_a_date", table.variable, name, found=found[:MAX_CODE])


def _periods(table: Table) -> Periods | None:
    days = _optional_number(table, "period_days")
    count, first = table.take("periods", int, None), table.take("first_period", int, None)
    if days is None and count is None and first is None:
        return None
    for name, found in (("period_days", days), ("periods", count)):
        if found is None:
            refuse("missing_field", table.variable, name)
    return Periods(days or Decimal(0), count, first or 0)


def _texts(table: Table, name: str) -> tuple[str, ...]:
    found = limited(table.take(name, list, []), table.variable, name, MAX_LEVELS)
    for each in found:
        if not isinstance(each, str):
            refuse("wrong_type", table.variable, name, expected='["…"]')
    return tuple(str(each) for each in found)


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


def _number(plain: object, variable: str, field: str) -> Decimal:
    number = read_decimal(plain) if isinstance(plain, str) else exact(plain)
    if number is None:
        refuse("not_a_number", variable, field, found=str(plain)[:MAX_CODE])
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

    def take(self, name: str, kind: type[T] | None, default: Any = _Required) -> Any:
        """Return the value of ``name``, which is a ``kind`` (None: anything), or ``default`` if it is not there."""
        if name not in self._left:
            if default is _Required:
                refuse("missing_field", self.variable, self._path(name))
            return default
        value = self._left.pop(name)
        if kind is not None and type(value) is not kind:
            refuse("wrong_type", self.variable, self._path(name), expected=_SHOWN[kind])
        return value

    def done(self) -> None:
        """Refuse a table with keys that nobody took."""
        for name in self._left:
            refuse("unknown_field", self.variable, self._path(str(name)[:MAX_CODE]))

    def _path(self, name: str) -> str:
        return f"{self._field}.{name}" if self._field else name
