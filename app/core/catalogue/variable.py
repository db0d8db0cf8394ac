"""A variable of the catalogue and the groups it may hang under: values that cannot be made if they break a rule.

The rules are in :mod:`app.core.catalogue.rules`, the sealed columns in :mod:`app.core.catalogue.columns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.core import codec
from app.core.catalogue.columns import Column, criteria_parts, encode
from app.core.catalogue.kinds import Kind, Label, Level
from app.core.catalogue.numbers import decimal_text
from app.core.catalogue.rules import check_group, check_variable
from app.core.catalogue.scales import Calendar, Digits, Periods


@dataclass(frozen=True, slots=True)
class Group:
    """A node of a tree that only holds variables together."""

    code: str
    label: Label
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_group(self)


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
        check_variable(self)

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
        return tuple(Column(self.code, part) for part in criteria_parts(self))

    def encode(self, value: object) -> tuple[int, ...]:
        """Return the values of the sealed columns for a patient with this ``value``, aligned with :attr:`columns`.

        None is no value: all zeros. A flag takes a bool, a category the code of a level, a number an int, a float (by
        its shortest decimal text) or a Decimal, a date a date, an event a sequence of times in days after the index
        date (Decimals), survival a :class:`.FollowUp`; comparisons are exact. What lies after the horizon of survival
        is censored in its last period; an event's times outside of its horizon do not count. Raises UserError
        ``catalogue.value_*``.
        """
        return encode(self, value)

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
