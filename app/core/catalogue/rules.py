"""What every group and variable of a catalogue must obey, and how a broken rule is said.

A broken rule is a ``UserError`` that names ``variable`` and ``field``; whoever read the file adds its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from app.core.catalogue.kinds import Kind, Label
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.errors import SafeParam, UserError

if TYPE_CHECKING:
    from app.core.catalogue.scales import Calendar, Periods
    from app.core.catalogue.variable import Group, Variable

MAX_LEVELS = 500
MAX_CUT_POINTS = 200
MAX_STARTS = 400
"""Beginnings of a date's days, months or years: 33 years of months, a year of days."""
MAX_PERIODS = 400
MAX_PARENTS = 8
MAX_SYNONYMS = 20
MAX_CODE = 100
MAX_LABEL = 200
MAX_DESCRIPTION = 2_000
MAX_UNIT = 40

NOWHERE = "–"
"""What an error names as its variable when the mistake is in the catalogue's own fields."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+*<>=()\[\]%&#?~^-]*")
_UNIT = re.compile(r"[!-~]+")  # UCUM: printable ASCII without spaces
_MOST_PLACES = 30  # what read_decimal accepts has fewer; anything more would be long to write out

_OF_KIND = {
    Kind.FLAG: ("rollup",),
    Kind.CATEGORY: ("levels",),
    Kind.NUMBER: ("cut_points", "unit", "unit_label", "minimum", "maximum", "step"),
    Kind.DATE: ("calendar",),
    Kind.EVENT: ("periods",),
    Kind.SURVIVAL: ("periods",),
}
_OF_SOME_KIND = tuple(dict.fromkeys(name for names in _OF_KIND.values() for name in names))
_WRITTEN = {"calendar": "granularity"}
"""What a field is called in the file, where that differs."""


def refuse(problem: str, variable: str, field: str, **params: SafeParam) -> NoReturn:
    """Raise the UserError for a mistake in a catalogue, always with the place where it is."""
    raise UserError(f"catalogue.{problem}", file=NOWHERE, variable=variable[:MAX_CODE], field=field, **params)


def check_group(group: Group) -> None:
    """Refuse a group that breaks a rule."""
    _check_code(group.code, group.code, "code")
    _check_label(group.code, "label", group.label, MAX_LABEL)
    _check_parents(group.code, group.parents)


def check_variable(variable: Variable) -> None:
    """Refuse a variable that breaks a rule."""
    code = variable.code
    _check_code(code, code, "code")
    _check_label(code, "label", variable.label, MAX_LABEL)
    if variable.description is not None:
        _check_label(code, "description", variable.description, MAX_DESCRIPTION)
    for name in _OF_SOME_KIND:
        found = getattr(variable, name)
        if not (found is None or found is False or found == ()) and name not in _OF_KIND[variable.kind]:
            refuse("not_for_kind", code, _WRITTEN.get(name, name), kind=variable.kind.value)
    _check_parents(code, variable.parents)
    _check_system(variable)
    match variable.kind:
        case Kind.CATEGORY:
            _check_levels(variable)
        case Kind.NUMBER:
            _check_cut_points(variable)
            _check_unit(variable)
            _check_range(variable)
        case Kind.DATE:
            _check_calendar(code, variable.calendar)
        case Kind.EVENT | Kind.SURVIVAL:
            _check_periods(variable, variable.periods)


def _check_levels(variable: Variable) -> None:
    check_count(variable.code, "levels", len(variable.levels), MAX_LEVELS)
    for position, level in enumerate(variable.levels, start=1):
        _check_code(variable.code, level.code, f"levels[{position}].code")
        _check_label(variable.code, f"levels[{position}].label", level.label, MAX_LABEL)
    if (twice := first_repeated(level.code for level in variable.levels)) is not None:
        refuse("duplicate", variable.code, "levels", found=twice)


def _check_cut_points(variable: Variable) -> None:
    check_count(variable.code, "cut_points", len(variable.cut_points), MAX_CUT_POINTS)
    for cut in variable.cut_points:
        _check_number(variable.code, "cut_points", cut)
    for previous, cut in pairwise(variable.cut_points):
        if cut <= previous:
            _refuse_order(variable.code, "cut_points", decimal_text(previous), decimal_text(cut))


def _check_range(variable: Variable) -> None:
    for name in ("minimum", "maximum", "step"):
        if (number := getattr(variable, name)) is not None:
            _check_number(variable.code, name, number)
    low, high, step = variable.minimum, variable.maximum, variable.step
    if low is not None and high is not None and low >= high:
        _refuse_order(variable.code, "maximum", decimal_text(low), decimal_text(high))
    if step is None:
        return
    for name, bound in (("minimum", low), ("maximum", high)):
        if bound is None:
            refuse("missing_field", variable.code, name)
    digits = variable.digits
    if step <= 0 or digits is None or not digits.fits:
        refuse("bad_step", variable.code, "step", found=decimal_text(step))


def _check_unit(variable: Variable) -> None:
    unit = variable.unit
    if unit is not None and (len(unit) > MAX_UNIT or not _UNIT.fullmatch(unit)):
        refuse("bad_unit", variable.code, "unit", found=unit[:MAX_UNIT])
    if variable.unit_label is not None:
        _check_label(variable.code, "unit_label", variable.unit_label, MAX_LABEL)


def _check_calendar(code: str, calendar: Calendar | None) -> None:
    if calendar is None:
        refuse("missing_field", code, "granularity")
    for name, start in (("first", calendar.first), ("last", calendar.last)):
        if calendar.start_of(start) != start:
            refuse("not_a_start", code, name, found=start.isoformat())
    if calendar.last < calendar.first:
        _refuse_order(code, "last", calendar.text(calendar.first), calendar.text(calendar.last))
    check_count(code, "last", calendar.count, MAX_STARTS)


def _check_periods(variable: Variable, periods: Periods | None) -> None:
    code = variable.code
    if periods is None:
        refuse("missing_field", code, "periods")
    _check_number(code, "period_days", periods.days)
    if periods.days <= 0:
        refuse("not_positive", code, "period_days", found=decimal_text(periods.days))
    check_count(code, "periods", periods.count, MAX_PERIODS)
    from_index = variable.kind is Kind.SURVIVAL
    if not -MAX_PERIODS <= periods.first <= MAX_PERIODS or (from_index and periods.first):
        refuse("bad_first_period", code, "first_period", found=periods.first)


def _check_system(variable: Variable) -> None:
    for name, found in (("system", variable.system), ("system_code", variable.system_code)):
        if found is not None:
            check_text(variable.code, name, found, MAX_CODE)
    if variable.system_code is not None and variable.system is None:
        refuse("missing_field", variable.code, "system")
    if len(variable.synonyms) > MAX_SYNONYMS:
        refuse("too_many", variable.code, "synonyms", count=len(variable.synonyms), limit=MAX_SYNONYMS)
    for each in variable.synonyms:
        check_text(variable.code, "synonyms", each, MAX_LABEL)


def _check_parents(code: str, parents: tuple[str, ...]) -> None:
    if len(parents) > MAX_PARENTS:
        refuse("too_many", code, "parents", count=len(parents), limit=MAX_PARENTS)
    if (twice := first_repeated(parents)) is not None:
        refuse("duplicate", code, "parents", found=twice[:MAX_CODE])


def check_text(variable: str, field: str, text: str, limit: int) -> None:
    """Refuse a text that is blank, longer than ``limit``, or holds characters that do not print."""
    if len(text) > limit:
        refuse("too_long", variable, field, length=len(text), limit=limit)
    if not text.strip() or not text.replace("\n", " ").isprintable():
        refuse("bad_text", variable, field)


def _check_label(variable: str, field: str, label: Label, limit: int) -> None:
    for language, text in label.parts().items():
        check_text(variable, f"{field}.{language}", text, limit)


def _check_code(variable: str, code: str, field: str) -> None:
    if len(code) > MAX_CODE:
        refuse("too_long", variable, field, length=len(code), limit=MAX_CODE)
    if not _CODE.fullmatch(code):
        refuse("bad_code", variable, field, found=code)


def _check_number(variable: str, field: str, number: Decimal) -> None:
    plain = number.is_finite() and abs(number.adjusted()) <= _MOST_PLACES
    if not plain or read_decimal(decimal_text(number)) is None:
        refuse("not_a_number", variable, field, found=str(number)[:MAX_CODE])


def _refuse_order(variable: str, field: str, previous: str, found: str) -> NoReturn:
    refuse("not_ascending", variable, field, found=found, previous=previous)


def check_count(variable: str, field: str, count: int, limit: int) -> None:
    """Refuse a list that is empty or longer than ``limit``."""
    if count <= 0:
        refuse("missing_field", variable, field)
    if count > limit:
        refuse("too_many", variable, field, count=count, limit=limit)


def first_repeated(codes: Iterable[str]) -> str | None:
    """Return the first code that is there a second time, or None."""
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            return code
        seen.add(code)
    return None
