"""Makes the terms and cohorts of a query of what was read, with every error at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal
from typing import Any as Anything
from typing import NoReturn, cast

from lark import Token
from lark.visitors import Transformer_NonRecursive

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.errors import UserError
from app.core.query.check import check, check_term, find, nearest, nearest_borders, require
from app.core.query.grammar import place_of
from app.core.query.model import (
    EVERYONE,
    NOBODY,
    All,
    Any,
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Moment,
    Not,
    Occurs,
    Range,
    Term,
    Within,
    saved,
)
from app.core.query.written import UNITS, write_days, write_term

_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Time:
    """Days, and where they were written."""

    days: Decimal
    token: Token


@dataclass(frozen=True, slots=True)
class _When:
    """A moment, and where its event was written."""

    moment: Moment
    token: Token


@dataclass(frozen=True, slots=True)
class _Limit:
    """One bound of the time between two events."""

    least: bool
    time: Time


class BuildCohort(Transformer_NonRecursive[Token, Anything]):
    """Makes a cohort of the syntax tree, bottom up; lark calls the method that is named as the rule."""

    def __init__(self, text: str, catalogue: Catalogue, cohorts: Callable[[str], Cohort | None]) -> None:
        super().__init__()
        self._text = text
        self.catalogue = catalogue
        self._cohorts = cohorts

    # --- groups

    def all(self, children: list[Cohort]) -> Cohort:
        return All(tuple(children))

    def any(self, children: list[Cohort]) -> Cohort:
        return Any(tuple(children))

    def negated(self, children: list[Cohort]) -> Cohort:
        return Not(children[0])

    def everyone(self, _: list[Cohort]) -> Cohort:
        return EVERYONE

    def nobody(self, _: list[Cohort]) -> Cohort:
        return NOBODY

    def saved(self, tokens: list[Token]) -> Cohort:
        name = str(tokens[0]).partition(":")[2][1:-1]
        definition = self._cohorts(name)
        if definition is None:
            self._refuse(UserError("query.no_such_cohort", name=name[:100]), tokens[0])
        try:
            check(definition, self.catalogue)
        except UserError as error:
            self._refuse(UserError("query.cohort_outdated", name=name[:100]), tokens[0], error)
        return saved(name, definition)

    # --- terms of one variable

    def flag(self, tokens: list[Token]) -> Cohort:
        return self._checked(Flag(unquoted(tokens[0])), marks_of(*tokens))

    def known(self, tokens: list[Token]) -> Cohort:
        return self._checked(Known(unquoted(tokens[0])), marks_of(*tokens))

    def levels(self, tokens: list[Token]) -> Cohort:
        return self._checked(Levels(unquoted(tokens[0]), frozenset(map(unquoted, tokens[1:]))), marks_of(*tokens))

    def equals(self, tokens: list[Token]) -> Cohort:
        name, value = tokens
        variable = self.variable(name)
        if variable.kind is Kind.NUMBER and value.type == "NUMBER":
            number = self.number(value)
            following = _following(number, variable)
            if number in variable.cut_points and following is not None:
                return Range(variable.code, number, following)
        if variable.kind is Kind.DATE and value.type in ("NUMBER", "DATE"):
            start, end = self._dated(value)
            return self._dates(name, (start, value), (end, value))
        return self.levels(tokens)

    def interval(self, tokens: list[Token]) -> list[Token]:
        return tokens

    def between(self, children: list[Anything]) -> Cohort:
        name, (opens, low, high, closes) = children
        return self._compared(name, (opens, low), (closes, high))

    def compared(self, tokens: list[Token]) -> Cohort:
        name, sign, bound = tokens
        return self._compared(name, (sign, bound)) if sign.type[0] == "G" else self._compared(name, None, (sign, bound))

    def chained(self, tokens: list[Token]) -> Cohort:
        low, sign, name, *above = tokens
        turned = sign.update(type="GT" if sign.type == "LT" else "GE")  # 50 < age is age > 50
        return self._compared(name, (turned, low), (above[0], above[1]) if above else None)

    def occurs(self, tokens: list[Token]) -> Cohort:
        name, *rest = tokens
        least = self.number(rest[1]) if rest else Decimal(1)
        # a part of a time is no count: never is refused as well
        term = Occurs(unquoted(name), int(least) if least == int(least) else 0)
        return self._checked(term, {**marks_of(name), **({str(term.least): rest[1]} if rest else {})})

    def _compared(
        self, name: Token, low: tuple[Token, Token] | None, high: tuple[Token, Token] | None = None
    ) -> Cohort:
        """Return a range; each bound comes with the sign or bracket that says whether it belongs to it."""
        marks = marks_of(name, *(bound for end in (low, high) if end is not None for _, bound in [end]))
        variable = self.variable(name)
        if variable.kind is Kind.DATE:
            start = None if low is None else (self._dated(low[1])[low[0].type in _OPEN], low[1])
            end = None if high is None else (self._dated(high[1])[high[0].type in _CLOSED], high[1])
            return self._dates(name, start, end)
        self._require(variable, name, Kind.NUMBER, Kind.DATE)
        for _, bound in filter(None, (low, high)):
            if bound.type == "DATE":
                self._require(variable, bound, Kind.DATE)
        least = None if low is None else self.number(low[1])
        if low is not None and least is not None and low[0].type in _OPEN:
            least = self._next(least, variable, low[0])
        below = None if high is None else self.number(high[1])
        if high is not None and below is not None and high[0].type in _CLOSED:
            below = self._next(below, variable, high[0])
        return self._made(lambda: Range(variable.code, least, below), marks)

    def _next(self, number: Decimal, variable: Variable, sign: Token) -> Decimal:
        """Return the bound that is meant by an open low or a closed high end at ``number``, or refuse the sign."""
        following = _following(number, variable)
        if following is None:
            instead = [self._half(variable, cut, sign) for cut in nearest(number, variable)]
            self._refuse_sign(variable, sign, instead)
        return following

    def _half(self, variable: Variable, cut: Decimal, sign: Token) -> Term:
        return Range(variable.code, cut, None) if sign.type in _OPEN else Range(variable.code, None, cut)

    def _dates(self, name: Token, low: tuple[date, Token] | None, high: tuple[date, Token] | None) -> Cohort:
        first, end = (None if bound is None else bound[0] for bound in (low, high))
        marks = marks_of(name) | {bound[0].isoformat(): bound[1] for bound in (low, high) if bound is not None}
        return self._made(lambda: Dates(unquoted(name), first, end), marks, None if low is None else low[1])

    def _dated(self, token: Token) -> tuple[date, date]:
        """Return the beginning of the day, month or year that is written, and of the one after it."""
        try:
            year, month, day = (*map(int, token.split("-")), None, None)[:3]
            start = date(cast("int", year), month or 1, day or 1)
            if day is not None:
                return start, start + timedelta(days=1)
            after = (start.year + 1, 1) if month is None else (start.year + start.month // 12, start.month % 12 + 1)
            return start, date(*after, 1)
        except (ValueError, OverflowError):
            self._refuse(UserError("query.not_a_date", found=str(token)[:100]), token)

    # --- terms of events

    def time(self, tokens: list[Token]) -> Time:
        return Time(self._days(*tokens), tokens[0])

    def moment(self, tokens: list[Token]) -> _When:
        which, event = tokens
        return _When(Moment(which.lower(), unquoted(event)), event)

    def limit(self, children: list[Anything]) -> _Limit:
        return _Limit(children[0].type.endswith("LEAST"), children[1])

    def happened(self, children: list[Anything]) -> Cohort:
        when, sign, time = children
        return (
            self._happened(when, (sign, time), None)
            if sign.type[0] == "G"
            else self._happened(when, None, (sign, time))
        )

    def happened_between(self, children: list[Anything]) -> Cohort:
        when, (opens, low, high, closes), unit = children
        for bound in (low, high):
            if bound.type != "NUMBER":
                self._refuse(UserError("query.not_a_time", found=str(bound)), bound)
        low, high = (Time(self._days(bound, unit), bound) for bound in (low, high))
        return self._happened(when, (opens, low), (closes, high))

    def related(self, children: list[Anything]) -> Cohort:
        one, sign, other, *limits = children
        if sign.type == "AFTER":
            one, other = other, one
        bounds: dict[bool, Time] = {}
        for limit in limits:
            if limit.least in bounds:
                self._refuse(UserError("query.bound_twice"), limit.time.token)
            bounds[limit.least] = limit.time
        least, most = (bounds[which].days if which in bounds else None for which in (True, False))
        marks = {**_when_marks(one, other), **{write_days(each.days): each.token for each in bounds.values()}}
        return self._made(lambda: Before(one.moment, other.moment, least, most), marks, one.token)

    def within(self, children: list[Anything]) -> Cohort:
        one, time, other = children
        marks = {**_when_marks(one, other), write_days(time.days): time.token}
        return self._made(lambda: Within(one.moment, other.moment, time.days), marks, one.token)

    def _happened(self, when: _When, low: tuple[Token, Time] | None, high: tuple[Token, Time] | None) -> Cohort:
        which, code = when.moment.which, when.moment.code
        for end, refused in ((low, _OPEN), (high, _CLOSED)):
            if end is not None and end[0].type in refused:
                variable = self.variable(when.token)
                self._require(variable, when.token, Kind.EVENT)
                opened = end[0].type in _OPEN
                instead = [
                    Happened(which, code, border, None) if opened else Happened(which, code, None, border)
                    for border in nearest_borders(end[1].days, variable)
                ]
                self._refuse_sign(variable, end[0], instead)
        least, below = (None if end is None else end[1].days for end in (low, high))
        times = {write_days(end[1].days): end[1].token for end in (low, high) if end is not None}
        return self._made(lambda: Happened(which, code, least, below), {**_when_marks(when), **times}, when.token)

    def _days(self, number: Token, unit: Token) -> Decimal:
        days = _EXACT.multiply(self.number(number), UNITS[unit.lower().rstrip("s")])
        if read_decimal(decimal_text(days)) is None:
            self._refuse(UserError("query.number_too_long"), number)
        return days

    # --- what all of them need

    def variable(self, name: Token) -> Variable:
        try:
            return find(unquoted(name), self.catalogue)
        except UserError as error:
            self._refuse(error, name)

    def _require(self, variable: Variable, token: Token, *kinds: Kind) -> None:
        try:
            require(variable, *kinds)
        except UserError as error:
            self._refuse(error, token)

    def _made(self, make: Callable[[], Term], marks: Mapping[str, Token], default: Token | None = None) -> Cohort:
        """Make a term, which may refuse its own bounds, and check it."""
        bounds = [token for token in marks.values() if token.type in ("NUMBER", "DATE")]
        default = default or bounds[0]
        term = self.placed(make, {}, bounds[0] if bounds else default)
        return self._checked(term, marks, default)

    def _checked(self, term: Term, marks: Mapping[str, Token], default: Token | None = None) -> Cohort:
        def checked() -> Term:
            check_term(term, self.catalogue)
            return term

        made: Term = self.placed(checked, marks, default or next(iter(marks.values())))
        return made

    def placed(self, make: Callable[[], Anything], marks: Mapping[str, Token], default: Token) -> Anything:
        """Return what ``make`` returns; a UserError is told at what it found, else at its variable."""
        try:
            return make()
        except UserError as error:
            named = [str(error.params.get(name)) for name in ("found", "variable")]
            self._refuse(error, next((marks[each] for each in named if each in marks), default))

    def number(self, token: Token) -> Decimal:
        number = read_decimal(token)
        if number is None:
            self._refuse(UserError("query.number_too_long"), token)
        return number

    def _refuse_sign(self, variable: Variable, sign: Token, instead: Sequence[Term]) -> NoReturn:
        """Refuse a comparison that cannot be answered, with those on either side of what was meant."""
        suggestion = " · ".join(map(write_term, instead))
        self._refuse(
            UserError("query.comparison", variable=variable.code, found=str(sign), suggestion=suggestion), sign
        )

    def _refuse(self, error: UserError, place: Token, cause: UserError | None = None) -> NoReturn:
        raise UserError(error.code, **error.params, **place_of(self._text, place.start_pos or 0)) from (cause or error)


_OPEN, _CLOSED = ("GT", "LPAR"), ("LE", "RSQB")
"""Signs and brackets that leave a low bound out, and that take a high bound in."""


def _following(number: Decimal, variable: Variable) -> Decimal | None:
    """Return the cut point that all larger values of a number kept in steps reach; None if there is none such."""
    digits = variable.digits
    if digits is None or _EXACT.remainder(_EXACT.subtract(number, digits.minimum), digits.step):
        return None
    following = _EXACT.add(number, digits.step)
    return following if following in variable.cut_points else None


def marks_of(*tokens: Token) -> dict[str, Token]:
    """Return the tokens by how an error may name them."""
    marks: dict[str, Token] = {}
    for token in tokens:
        for reading in _readings(token):
            marks.setdefault(reading, token)
    return marks


def _when_marks(*several: _When) -> dict[str, Token]:
    return {when.moment.code: when.token for when in several}


def unquoted(token: Token) -> str:
    return str(token)[1:-1] if token.type == "QUOTED" else str(token)


def _readings(token: Token) -> tuple[str, ...]:
    """Return how an error may name this token: as it is written, and if it is a number in its plain form."""
    number = read_decimal(token)
    return (unquoted(token),) if number is None else (unquoted(token), decimal_text(number))
