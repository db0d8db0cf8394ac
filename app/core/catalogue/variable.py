"""A variable of the catalogue: its kind, its sealed columns, and how a patient's value becomes their bits.

A :class:`Variable` that breaks a rule cannot be made. A broken rule is a ``UserError`` that names ``variable`` and
``field``; whoever read the file adds its name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NoReturn

from app.core import codec
from app.core.catalogue.numbers import decimal_text, exact, read_decimal
from app.core.errors import SafeParam, UserError

MAX_LEVELS = 500
MAX_CUT_POINTS = 200
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
    """One sealed column: a bit for each patient.

    ``part`` is ``has`` (flag), ``level:<code>`` (category), ``known`` (number) or ``ge:<cut point>`` (number: the value
    is the cut point or more).
    """

    variable: str
    part: str


PRESENT = Column("", "present")
"""The sealed column of every dataset that says which slots hold a patient: the complement of a criterion is taken from
it, so that the empty slots of a block are never counted."""

PRESENT_MEANING = codec.digest(["consilium-present", 1])


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that can be asked about.

    ``levels`` belong to categories; ``cut_points`` (strictly ascending), ``unit`` (UCUM) and ``unit_label`` (the unit
    in words) to numbers. Raises UserError ``catalogue.*`` with ``variable`` and ``field`` if a rule is broken.
    """

    code: str
    kind: Kind
    label: Label
    description: Label | None = None
    levels: tuple[Level, ...] = ()
    cut_points: tuple[Decimal, ...] = ()
    unit: str | None = None
    unit_label: Label | None = None

    def __post_init__(self) -> None:
        _check_code(self.code, self.code, "code")
        _check_label(self.code, "label", self.label, MAX_LABEL)
        if self.description is not None:
            _check_label(self.code, "description", self.description, MAX_DESCRIPTION)
        allowed = {Kind.CATEGORY: ("levels",), Kind.NUMBER: ("cut_points", "unit", "unit_label")}.get(self.kind, ())
        for name in ("levels", "cut_points", "unit", "unit_label"):
            if getattr(self, name) not in ((), None) and name not in allowed:
                refuse("not_for_kind", self.code, name, kind=self.kind.value)
        if self.kind is Kind.CATEGORY:
            self._check_levels()
        elif self.kind is Kind.NUMBER:
            self._check_cut_points()
            self._check_unit()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The sealed columns in order: a flag has 1, a category one a level, a number ``known`` and one a cut point."""
        if self.kind is Kind.FLAG:
            parts = ["has"]
        elif self.kind is Kind.CATEGORY:
            parts = [f"level:{level.code}" for level in self.levels]
        else:
            parts = ["known", *(f"ge:{decimal_text(cut)}" for cut in self.cut_points)]
        return tuple(Column(self.code, part) for part in parts)

    def encode(self, value: object) -> tuple[bool, ...]:
        """Return the bits of a patient with this ``value``, aligned with :attr:`columns`.

        None is no value: all zeros. A flag takes a bool, a category the code of a level, a number an int, a float (by
        its shortest decimal text) or a Decimal; comparisons are exact. Raises UserError ``catalogue.value_*``.
        """
        if value is None:
            return (False,) * len(self.columns)
        if self.kind is Kind.FLAG:
            if not isinstance(value, bool):
                raise UserError("catalogue.value_not_flag", variable=self.code, value=str(value)[:MAX_CODE])
            return (value,)
        if self.kind is Kind.CATEGORY:
            bits = tuple(level.code == value for level in self.levels)
            if not any(bits):
                raise UserError("catalogue.value_unknown_level", variable=self.code, value=str(value)[:MAX_CODE])
            return bits
        number = exact(value)
        if number is None:
            raise UserError("catalogue.value_not_number", variable=self.code, value=str(value)[:MAX_CODE])
        reached = bisect_right(self.cut_points, number)
        return (True, *(position < reached for position in range(len(self.cut_points))))

    @property
    def meaning(self) -> bytes:
        """SHA-256 of what the variable means: code, kind, levels, cut points, unit; nothing that is only shown."""
        levels = [level.code for level in self.levels]
        cut_points = [decimal_text(cut) for cut in self.cut_points]
        return codec.digest(["consilium-variable", 1, self.code, self.kind.value, levels, cut_points, self.unit])

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

    def _check_unit(self) -> None:
        if self.unit is not None and (len(self.unit) > MAX_UNIT or not _UNIT.fullmatch(self.unit)):
            refuse("bad_unit", self.code, "unit", found=self.unit[:MAX_UNIT])
        if self.unit_label is not None:
            _check_label(self.code, "unit_label", self.unit_label, MAX_LABEL)


def refuse(problem: str, variable: str, field: str, **params: SafeParam) -> NoReturn:
    """Raise the UserError for a mistake in a catalogue, always with the place where it is."""
    raise UserError(f"catalogue.{problem}", file=NOWHERE, variable=variable[:MAX_CODE], field=field, **params)


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
