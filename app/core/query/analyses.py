"""What is found out about a cohort, as frozen values; what is computed for each is in :mod:`app.core.query.cells`.

Plain form, a list that starts with the name: ``["count"]`` · ``["breakdown", code]`` · ``["histogram", code]`` ·
``["table", grouping, grouping]`` · ``["summary", code…]`` · ``["compare", code, grouping]`` ·
``["correlate", code…]`` · ``["regress", outcome, predictor…]`` · ``["survival", code, grouping or null, horizon,
step]`` (days as decimal texts, or null) · ``["attrition"]``. A grouping is ``[code, cut…]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias

from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.errors import ProtocolViolation, UserError

MOST_VARIABLES = 10
"""Variables of a summary, a correlation or a regression."""
MOST_GROUPS = 8
"""Groups of a survival analysis; rows and columns of a table may be more."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of patients by one variable.

    A category has one group a level, a flag two (has it, has it not), a number one between each two of ``cuts`` (cut
    points of the catalogue, strictly ascending; none: all of its cut points). Who has no value is in no group.
    """

    code: str
    cuts: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        if any(low >= high for low, high in zip(self.cuts, self.cuts[1:], strict=False)):
            raise UserError("query.cuts_not_ascending", variable=self.code)


@dataclass(frozen=True, slots=True)
class Count:
    """How many patients."""

    name: ClassVar[str] = "count"

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return ()


@dataclass(frozen=True, slots=True)
class Attrition:
    """How many patients are left after each criterion: each part of the cohort's outermost *and*, as written."""

    name: ClassVar[str] = "attrition"

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return ()


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How many patients have each level of a category, or have a flag or not; and how many have no value."""

    code: str
    name: ClassVar[str] = "breakdown"

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return (self.code,)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many patients lie between each two cut points of a number, or beginnings of a date; how many unknown."""

    code: str
    name: ClassVar[str] = "histogram"

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return (self.code,)


@dataclass(frozen=True, slots=True)
class Table:
    """How many patients are in each pair of groups of two variables."""

    rows: Grouping
    columns: Grouping
    name: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        if self.rows.code == self.columns.code:
            raise UserError("query.same_variable", variable=self.rows.code)

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return (self.rows.code, self.columns.code)


@dataclass(frozen=True, slots=True)
class Summary:
    """n, mean, standard deviation and quantiles of numbers, each over the patients who have it."""

    variables: tuple[str, ...]
    name: ClassVar[str] = "summary"

    def __post_init__(self) -> None:
        _check_variables(self.variables, 1)

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return self.variables


@dataclass(frozen=True, slots=True)
class Compare:
    """The means of a number in two groups (Welch's test)."""

    code: str
    by: Grouping
    name: ClassVar[str] = "compare"

    def __post_init__(self) -> None:
        if self.code == self.by.code:
            raise UserError("query.same_variable", variable=self.code)

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return (self.code, self.by.code)


@dataclass(frozen=True, slots=True)
class Correlate:
    """Pearson correlations of numbers and flags, over the patients who have them all."""

    variables: tuple[str, ...]
    name: ClassVar[str] = "correlate"

    def __post_init__(self) -> None:
        _check_variables(self.variables, 2)

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return self.variables


@dataclass(frozen=True, slots=True)
class Regress:
    """Ordinary least squares of a number on numbers and flags, over the patients who have them all."""

    outcome: str
    predictors: tuple[str, ...]
    name: ClassVar[str] = "regress"

    def __post_init__(self) -> None:
        _check_variables((self.outcome, *self.predictors), 2)

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return (self.outcome, *self.predictors)


@dataclass(frozen=True, slots=True)
class Survival:
    """Events and censorings of a survival variable in each period, in each group.

    ``horizon`` is how many days are looked at, ``step`` how many make one interval: multiples of the catalogue's
    periods; None for the whole horizon and for the periods themselves.
    """

    code: str
    by: Grouping | None = None
    horizon: Decimal | None = None
    step: Decimal | None = None
    name: ClassVar[str] = "survival"

    def __post_init__(self) -> None:
        if any(each is not None and each <= 0 for each in (self.horizon, self.step)):
            raise UserError("query.not_positive", variable=self.code)

    @property
    def codes(self) -> tuple[str, ...]:
        """The variables it uses, in order."""
        return (self.code,) if self.by is None else (self.code, self.by.code)


Analysis: TypeAlias = (
    Count | Attrition | Breakdown | Histogram | Table | Summary | Compare | Correlate | Regress | Survival
)
NAMES = (
    "count", "breakdown", "histogram", "table", "summary", "compare", "correlate", "regress", "survival", "attrition",
)  # fmt: skip


def to_plain(analysis: Analysis) -> list[Any]:  # noqa: PLR0911 - one return a kind of analysis
    """Return the analysis as nested lists (see the top of this module)."""
    name = analysis.name
    match analysis:
        case Breakdown(code) | Histogram(code):
            return [name, code]
        case Table(rows, columns):
            return [name, _grouping(rows), _grouping(columns)]
        case Summary(variables) | Correlate(variables):
            return [name, *variables]
        case Compare(code, by):
            return [name, code, _grouping(by)]
        case Regress(outcome, predictors):
            return [name, outcome, *predictors]
        case Survival(code, by, horizon, step):
            days = (None if each is None else decimal_text(each) for each in (horizon, step))
            return [name, code, None if by is None else _grouping(by), *days]
        case _:
            return [name]


def from_plain(plain: object) -> Analysis:  # noqa: PLR0911 - one return a kind of analysis
    """Build an analysis from nested lists that may be hostile. Raises ProtocolViolation; UserError as the values do."""
    match plain:
        case ["count"]:
            return Count()
        case ["attrition"]:
            return Attrition()
        case ["breakdown", str(code)]:
            return Breakdown(code)
        case ["histogram", str(code)]:
            return Histogram(code)
        case ["table", rows, columns]:
            return Table(_read_grouping(rows), _read_grouping(columns))
        case ["summary", *variables]:
            return Summary(_texts(variables))
        case ["compare", str(code), by]:
            return Compare(code, _read_grouping(by))
        case ["correlate", *variables]:
            return Correlate(_texts(variables))
        case ["regress", str(outcome), *predictors]:
            return Regress(outcome, _texts(predictors))
        case ["survival", str(code), by, horizon, step]:
            return Survival(code, None if by is None else _read_grouping(by), _read_days(horizon), _read_days(step))
        case _:
            raise ProtocolViolation("query.malformed", problem="analysis")


def _check_variables(variables: tuple[str, ...], least: int) -> None:
    if not least <= len(variables) <= MOST_VARIABLES:
        raise UserError("query.bad_variable_count", count=len(variables), least=least, most=MOST_VARIABLES)
    if len(set(variables)) < len(variables):
        raise UserError("query.same_variable", variable=next(v for v in variables if variables.count(v) > 1))


def _grouping(grouping: Grouping) -> list[str]:
    return [grouping.code, *map(decimal_text, grouping.cuts)]


def _read_grouping(plain: object) -> Grouping:
    match plain:
        case [str(code), *cuts]:
            return Grouping(code, tuple(_number(cut) for cut in cuts))
        case _:
            raise ProtocolViolation("query.malformed", problem="grouping")


def _texts(plain: list[object]) -> tuple[str, ...]:
    if not all(isinstance(each, str) for each in plain):
        raise ProtocolViolation("query.malformed", problem="variable")
    return tuple(map(str, plain))


def _read_days(plain: object) -> Decimal | None:
    return None if plain is None else _number(plain)


def _number(plain: object) -> Decimal:
    number = read_decimal(plain) if isinstance(plain, str) else None
    if number is None:
        raise ProtocolViolation("query.malformed", problem="bound")
    return number
