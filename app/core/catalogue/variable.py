"""A variable of the catalogue: its kind, its sealed columns, and how a patient's value becomes their bits.

A :class:`Variable` that breaks a rule cannot be made. A broken rule is a ``UserError`` that names ``variable`` and
``field``; whoever read the file adds its name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, NoReturn

from app.core import codec
from app.core.catalogue.numbers import decimal_text, exact, read_decimal
from app.core.catalogue.scales import DIGIT_BASE, OCCURRENCES, Calendar, Digits, FollowUp, Periods
from app.core.errors import Bug, SafeParam, UserError

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


class Kind(StrEnum):
    """What sort of answer a variable has for a patient."""

    FLAG = "flag"
    """Has it, or had it ever; not recorded is the same as no."""
    CATEGORY = "category"
    """One of several levels, or no value."""
    NUMBER = "number"
    """A number, or no value; questions compare it with the catalogue's cut points only."""
    DATE = "date"
    """A calendar date, or no value; questions compare it with the beginnings of days, months or years."""
    EVENT = "event"
    """Something that happens, or not, at times relative to the index date."""
    SURVIVAL = "survival"
    """How long a patient was followed, and whether an event ended it; or no value."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text for people in English, and in French and German where the catalogue has them."""

    en: str
    fr: str | None = None
    de: str | None = None

    def text(self, language: str) -> str:
        """Return the text in ``language`` ("en", "fr", "de"), or in English if there is none."""
        return {"fr": self.fr, "de": self.de}.get(language) or self.en

    def parts(self) -> dict[str, str]:
        """Return the texts that are there, by language."""
        return {name: text for name, text in (("en", self.en), ("fr", self.fr), ("de", self.de)) if text is not None}


@dataclass(frozen=True, slots=True)
class Level:
    """One of the levels of a category."""

    code: str
    label: Label


@dataclass(frozen=True, slots=True)
class Column:
    """One sealed column: for each patient a bit, or a digit below ``bound``.

    ``part`` is ``has`` (flag), ``level:<code>`` (category), ``known`` (number, date), ``ge:<cut point>`` (number, date:
    the value is the cut point or later), ``digit:<place>`` and ``square:<place>`` (number), ``first:<period>``,
    ``last:<period>`` and ``times:<n>`` (event), ``event:<period>`` and ``censored:<period>`` (survival).
    """

    variable: str
    part: str

    @property
    def bound(self) -> int:
        """All values of the column are below this: 2, or 32 for digits."""
        return DIGIT_BASE if self.part.startswith(("digit:", "square:")) else 2


PRESENT = Column("", "present")
"""The sealed column of every dataset that says which slots hold a patient: the complement of a criterion is taken from
it, so that the empty slots of a block are never counted."""

PRESENT_MEANING = codec.digest(["consilium-present", 1])


_ALLOWED: Mapping[Kind, tuple[str, ...]] = {
    Kind.FLAG: ("rollup",),
    Kind.CATEGORY: ("levels",),
    Kind.NUMBER: ("cut_points", "unit", "unit_label", "minimum", "maximum", "step"),
    Kind.DATE: ("calendar",),
    Kind.EVENT: ("periods",),
    Kind.SURVIVAL: ("periods",),
}
_OF_KINDS = tuple(dict.fromkeys(name for names in _ALLOWED.values() for name in names))


@dataclass(frozen=True, slots=True)
class Group:
    """A node of a tree that only holds variables together."""

    code: str
    label: Label
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_code(self.code, self.code, "code")
        _check_label(self.code, "label", self.label, MAX_LABEL)
        check_place(self.code, self.parents)


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that can be asked about.

    ``levels`` belong to categories; ``cut_points`` (strictly ascending), ``unit`` (UCUM), ``unit_label`` (the unit in
    words), ``minimum`` and ``maximum`` (the plausible range, both included) and ``step`` to numbers: with a ``step``
    sums are kept exactly, in that resolution. ``calendar`` belongs to dates, ``periods`` to events and survival.
    A flag with ``rollup`` is also set by every flag below it in the tree: see :meth:`.Catalogue.rolled_up`.

    ``parents`` are the codes of the groups or variables that it hangs under, in one tree or several. ``system`` and
    ``system_code`` say which code of which vocabulary it is (``ICD-10``, ``C50``); ``synonyms`` are found by searches.
    Raises UserError ``catalogue.*`` with ``variable`` and ``field`` if a rule is broken.
    """

    code: str
    kind: Kind
    label: Label
    description: Label | None = None
    levels: tuple[Level, ...] = ()
    cut_points: tuple[Decimal, ...] = ()
    unit: str | None = None
    unit_label: Label | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    step: Decimal | None = None
    calendar: Calendar | None = None
    periods: Periods | None = None
    rollup: bool = False
    parents: tuple[str, ...] = ()
    system: str | None = None
    system_code: str | None = None
    synonyms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_code(self.code, self.code, "code")
        _check_label(self.code, "label", self.label, MAX_LABEL)
        if self.description is not None:
            _check_label(self.code, "description", self.description, MAX_DESCRIPTION)
        for name in _OF_KINDS:
            if getattr(self, name) not in ((), None, False) and name not in _ALLOWED[self.kind]:
                refuse("not_for_kind", self.code, name, kind=self.kind.value)
        check_place(self.code, self.parents)
        self._check_system()
        match self.kind:
            case Kind.CATEGORY:
                self._check_levels()
            case Kind.NUMBER:
                self._check_cut_points()
                self._check_unit()
                self._check_range()
            case Kind.DATE:
                self._check_calendar()
            case Kind.EVENT | Kind.SURVIVAL:
                self._check_periods()

    @property
    def digits(self) -> Digits | None:
        """How a number is kept exactly; None if only its cut points are kept."""
        if self.minimum is None or self.maximum is None or self.step is None:
            return None
        return Digits(self.minimum, self.maximum, self.step)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All sealed columns in order; those that criteria are made of come first (:attr:`criteria_columns`)."""
        digits = self.digits
        exact_parts = () if digits is None else digits.parts()
        return (*self.criteria_columns, *(Column(self.code, part) for part in exact_parts))

    @property
    def criteria_columns(self) -> tuple[Column, ...]:
        """The sealed columns of bits: a flag has 1, a category one a level, a number or date ``known`` and one a cut
        point, an event two a period and five, survival two a period."""
        return tuple(Column(self.code, part) for part in self._parts())

    def _parts(self) -> list[str]:
        match self.kind:
            case Kind.FLAG:
                return ["has"]
            case Kind.CATEGORY:
                return [f"level:{level.code}" for level in self.levels]
            case Kind.NUMBER:
                return ["known", *(f"ge:{decimal_text(cut)}" for cut in self.cut_points)]
            case Kind.DATE:
                scale = self._calendar()
                return ["known", *(f"ge:{scale.text(start)}" for start in scale.starts())]
            case Kind.EVENT:
                numbers = self._periods().numbers
                first, last = ([f"{which}:{p}" for p in numbers] for which in ("first", "last"))
                return [*first, *last, *(f"times:{least}" for least in OCCURRENCES)]
            case Kind.SURVIVAL:
                numbers = self._periods().numbers
                return [*(f"event:{p}" for p in numbers), *(f"censored:{p}" for p in numbers)]

    def encode(self, value: object) -> tuple[int, ...]:  # noqa: PLR0911 - one return a kind
        """Return the values of the sealed columns for a patient with this ``value``, aligned with :attr:`columns`.

        None is no value: all zeros. A flag takes a bool, a category the code of a level, a number an int, a float (by
        its shortest decimal text) or a Decimal, a date a date, an event a sequence of times in days after the index
        date (Decimals), survival a :class:`.FollowUp`; comparisons are exact. What lies after the horizon of survival
        is censored in its last period; an event's times outside of its horizon do not count. Raises UserError
        ``catalogue.value_*``.
        """
        if value is None:
            return (0,) * len(self.columns)
        match self.kind:
            case Kind.FLAG:
                if not isinstance(value, bool):
                    self._refuse_value("value_not_flag", value)
                return (int(value),)
            case Kind.CATEGORY:
                bits = tuple(int(level.code == value) for level in self.levels)
                if not any(bits):
                    self._refuse_value("value_unknown_level", value)
                return bits
            case Kind.NUMBER:
                return self._encode_number(value)
            case Kind.DATE:
                if type(value) is not date:
                    self._refuse_value("value_not_date", value)
                return (1, *(int(value >= start) for start in self._calendar().starts()))
            case Kind.EVENT:
                return self._encode_event(value)
            case Kind.SURVIVAL:
                return self._encode_survival(value)

    def _encode_number(self, value: object) -> tuple[int, ...]:
        number = exact(value)
        if number is None:
            self._refuse_value("value_not_number", value)
        reached = bisect_right(self.cut_points, number)
        bits = (1, *(int(position < reached) for position in range(len(self.cut_points))))
        if (digits := self.digits) is None:
            return bits
        if not digits.minimum <= number <= digits.maximum:
            self._refuse_value("value_out_of_range", value)
        return (*bits, *digits.values(number))

    def _encode_event(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, tuple | list) or not all(isinstance(each, Decimal) for each in value):
            self._refuse_value("value_not_times", value)
        periods = self._periods()
        happened = sorted(period for period in map(periods.period_of, value) if period in periods.numbers)
        first, last = (happened[0], happened[-1]) if happened else (None, None)
        return (
            *(int(period == first) for period in periods.numbers),
            *(int(period == last) for period in periods.numbers),
            *(int(len(happened) >= least) for least in OCCURRENCES),
        )

    def _encode_survival(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, FollowUp):
            self._refuse_value("value_not_follow_up", value)
        if value.days < 0:
            self._refuse_value("value_before_index", value.days)
        periods = self._periods()
        period, event = periods.period_of(value.days), value.event
        if period >= periods.count:
            period, event = periods.count - 1, False
        ended = tuple(int(each == period) for each in periods.numbers)
        nothing = (0,) * periods.count
        return (*ended, *nothing) if event else (*nothing, *ended)

    def _refuse_value(self, problem: str, value: object) -> NoReturn:
        raise UserError(f"catalogue.{problem}", variable=self.code, value=str(value)[:MAX_CODE])

    @property
    def meaning(self) -> bytes:
        """SHA-256 of what the variable means by itself: code, kind, levels, cut points, unit, scales; nothing that is
        only shown. What a roll-up means depends on its tree as well: use :meth:`.Catalogue.meaning`."""
        levels = [level.code for level in self.levels]
        cut_points = [decimal_text(cut) for cut in self.cut_points]
        first = ["consilium-variable", 1, self.code, self.kind.value, levels, cut_points, self.unit]
        scales = self._scales()
        return codec.digest(["consilium-variable", 2, first, scales]) if scales else codec.digest(first)

    def _scales(self) -> dict[str, Any]:
        """Return what catalogues of format 1 could not say."""
        scales: dict[str, Any] = {}
        if self.digits is not None:
            scales["digits"] = self.digits.plain()
        if self.calendar is not None:
            first, last = self.calendar.first.isoformat(), self.calendar.last.isoformat()
            scales["calendar"] = [self.calendar.granularity.value, first, last]
        if self.periods is not None:
            scales["periods"] = [decimal_text(self.periods.days), self.periods.count, self.periods.first]
        return scales

    def _calendar(self) -> Calendar:
        if self.calendar is None:
            raise Bug("catalogue.no_calendar", variable=self.code)
        return self.calendar

    def _periods(self) -> Periods:
        if self.periods is None:
            raise Bug("catalogue.no_periods", variable=self.code)
        return self.periods

    def _check_levels(self) -> None:
        check_count(self.code, "levels", len(self.levels), MAX_LEVELS)
        for position, level in enumerate(self.levels, start=1):
            _check_code(self.code, level.code, f"levels[{position}].code")
            _check_label(self.code, f"levels[{position}].label", level.label, MAX_LABEL)
        if (twice := first_repeated(level.code for level in self.levels)) is not None:
            refuse("duplicate", self.code, "levels", found=twice)

    def _check_cut_points(self) -> None:
        check_count(self.code, "cut_points", len(self.cut_points), MAX_CUT_POINTS)
        for cut in self.cut_points:
            if not cut.is_finite() or abs(cut.adjusted()) > 30 or read_decimal(decimal_text(cut)) is None:
                refuse("not_a_number", self.code, "cut_points", found=str(cut)[:MAX_CODE])
        for previous, cut in pairwise(self.cut_points):
            if cut <= previous:
                refuse(
                    "not_ascending", self.code, "cut_points", found=decimal_text(cut), previous=decimal_text(previous)
                )

    def _check_range(self) -> None:
        for name in ("minimum", "maximum", "step"):
            number = getattr(self, name)
            if number is not None and (not number.is_finite() or read_decimal(decimal_text(number)) is None):
                refuse("not_a_number", self.code, name, found=str(number)[:MAX_CODE])
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and low >= high:
            refuse("not_ascending", self.code, "maximum", found=decimal_text(high), previous=decimal_text(low))
        if self.step is None:
            return
        for name in ("minimum", "maximum"):
            if getattr(self, name) is None:
                refuse("missing_field", self.code, name)
        digits = self.digits
        if self.step <= 0 or digits is None or not digits.fits:
            refuse("bad_step", self.code, "step", found=decimal_text(self.step))

    def _check_calendar(self) -> None:
        if self.calendar is None:
            refuse("missing_field", self.code, "granularity")
        for name in ("first", "last"):
            start = getattr(self.calendar, name)
            if self.calendar.start_of(start) != start:
                refuse("not_a_start", self.code, name, found=start.isoformat())
        if self.calendar.last < self.calendar.first:
            first, last = self.calendar.first.isoformat(), self.calendar.last.isoformat()
            refuse("not_ascending", self.code, "last", found=last, previous=first)
        check_count(self.code, "last", self.calendar.count, MAX_STARTS)

    def _check_periods(self) -> None:
        if self.periods is None:
            refuse("missing_field", self.code, "periods")
        days = self.periods.days
        if not days.is_finite() or days <= 0 or read_decimal(decimal_text(days)) is None:
            refuse("not_a_number", self.code, "period_days", found=str(days)[:MAX_CODE])
        check_count(self.code, "periods", self.periods.count, MAX_PERIODS)
        if not -MAX_PERIODS <= self.periods.first <= MAX_PERIODS or (self.kind is Kind.SURVIVAL and self.periods.first):
            refuse("bad_first_period", self.code, "first_period", found=self.periods.first)

    def _check_system(self) -> None:
        for name in ("system", "system_code"):
            if (found := getattr(self, name)) is not None:
                check_text(self.code, name, found, MAX_CODE)
        if self.system_code is not None and self.system is None:
            refuse("missing_field", self.code, "system")
        if len(self.synonyms) > MAX_SYNONYMS:
            refuse("too_many", self.code, "synonyms", count=len(self.synonyms), limit=MAX_SYNONYMS)
        for each in self.synonyms:
            check_text(self.code, "synonyms", each, MAX_LABEL)

    def _check_unit(self) -> None:
        if self.unit is not None and (len(self.unit) > MAX_UNIT or not _UNIT.fullmatch(self.unit)):
            refuse("bad_unit", self.code, "unit", found=self.unit[:MAX_UNIT])
        if self.unit_label is not None:
            _check_label(self.code, "unit_label", self.unit_label, MAX_LABEL)


def refuse(problem: str, variable: str, field: str, **params: SafeParam) -> NoReturn:
    """Raise the UserError for a mistake in a catalogue, always with the place where it is."""
    raise UserError(f"catalogue.{problem}", file=NOWHERE, variable=variable[:MAX_CODE], field=field, **params)


def check_place(code: str, parents: tuple[str, ...]) -> None:
    """Refuse parents that are too many or repeated."""
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


def check_count(variable: str, field: str, count: int, limit: int) -> None:
    """Refuse a list that is empty or longer than ``limit``."""
    if count == 0:
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
