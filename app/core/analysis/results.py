"""What an analysis found, as frozen values that go through JSON and back; what they are computed by lies beside.

Labels are keys, never words: a level's code, ``yes`` or ``no``, ``[low,high)`` (either end may be empty), ``(unknown)``
(``UNKNOWN`` of :mod:`app.core.query.cells`); ``""`` is the one group of a survival analysis without groups and
``intercept`` the constant of a regression. Whoever shows a result translates them. None is "cannot be said"; what is
not finite is never here. ``notes`` are keys that say why something is missing or how to read it, from :data:`NOTES`.

Every result has the ``confidence`` of its intervals. ``adjusted`` is whether noised counts were changed so that none is
negative and all agree; ``raw`` values are what was opened, None of what is withheld. ``noise_width`` is how far noise
alone may have moved one count, at that confidence; None if the numbers are exact.

What is withheld because it is a small number, or would tell one, is an :class:`Estimate` that says so and has no
values: what may be shown is decided in :mod:`app.core.disclosure.showing`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, get_args

from app.core.analysis.plain import plain_of, read_as
from app.core.errors import ProtocolViolation

NOTES = (
    "noised",  # noise was added; intervals include it
    "noise_clipped",  # counts that noise had made negative or inconsistent were corrected
    "too_noisy",  # something is left out: noise is too large for it
    "too_few",  # something is left out: too few patients
    "no_spread",  # something is left out: all values are the same
    "inconsistent",  # something is left out: the numbers contradict one another
    "coarse",  # quantiles are interpolated within the catalogue's intervals
    "small_expected_counts",  # chi²: an expected count is below 5
    "empty_left_out",  # chi²: rows or columns without patients were left out
    "fisher_needs_exact",  # Fisher's test is for exact counts only
    "noise_in_tests",  # p-values allow for the noise
    "no_events",  # nobody had the event
    "not_reached",  # a median lies beyond the time that was followed
    "no_convergence",  # a hazard ratio is infinite or zero: events on one side only
    "singular",  # a regression in which one variable follows from the others
    "tail_left_out",  # a curve ends where noise is larger than the number at risk
    "small_withheld",  # small numbers are withheld, and others from which they could be computed
    "small_unopened",  # cryptography did not open small counts; totals are of those that it did
    "small_noised",  # small noised numbers are withheld: on screen and in files only, noise protects them already
    "coarsened",  # intervals or periods were joined so that none tells a small number
    "rounded",  # numbers are rounded; what is computed from counts is computed from the rounded ones
    "rounded_left_out",  # something is left out: it would tell what was rounded
    "tests_withheld",  # something is left out: it would tell a number that is withheld
    "not_computed",  # the statistics failed: there is nothing but this note
)
"""Every key of ``notes``."""
INTERCEPT = "intercept"
"""The code of a regression's constant."""
CONFIDENCE = 0.95
"""That of every interval, unless somebody asks for another."""


BELOW, SMALL = "below", "small"


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a number is not told: it is ``below`` the least that is (then zero is no choice if zeros are shown), or it is
    that ``small`` or would tell another one that is: which of the two is not said, for that would tell it as well."""

    why: str
    least: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its interval at the result's confidence; where it is known exactly, low = high = value.

    As it travels a withheld one is ``{"withheld": "below" | "small", "least": 11}``.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    withheld: Withheld | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON types."""
        if self.withheld is not None:
            return withheld_plain(self.withheld)
        return {name: plain_of(getattr(self, name)) for name in ("value", "low", "high")}

    @classmethod
    def from_plain(cls, plain: object) -> Estimate:
        """Read what :meth:`to_plain` returned; raises ProtocolViolation ``query.malformed``."""
        if (withheld := withheld_of(plain)) is not None:
            return cls(withheld=withheld)
        if not isinstance(plain, Mapping) or set(plain) != {"value", "low", "high"}:
            raise ProtocolViolation("query.malformed", problem="result")
        return cls(*(read_as(float | None, plain[name]) for name in ("value", "low", "high")))


def withheld_plain(withheld: Withheld) -> dict[str, Any]:
    """Return what stands in place of a number that is withheld, as JSON types."""
    return {"withheld": withheld.why, "least": withheld.least}


def withheld_of(plain: object) -> Withheld | None:
    """Return what says that a number is withheld, None where there is something else."""
    match plain:
        case {"withheld": str(why), "least": int(least), **more} if why in (BELOW, SMALL) and not more:
            return Withheld(why, least)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Test:
    """A test: its statistic, p and degrees of freedom (None where it has none)."""

    __test__: ClassVar[bool] = False  # no test case, whatever pytest thinks of its name
    statistic: float | None = None
    p: float | None = None
    df: float | None = None


@dataclass(frozen=True, slots=True)
class CountResult:
    """How many patients; the interval is what noise leaves open."""

    kind: ClassVar[str] = "count"
    count: Estimate
    raw: int | None
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupCount:
    """One group: its key, how many, their ``share`` of the total (0 to 1), and the number as it was opened."""

    key: str
    count: Estimate
    share: float | None
    raw: int | None


@dataclass(frozen=True, slots=True)
class GroupsResult:
    """A breakdown or a histogram (``analysis`` says which); the groups in the catalogue's order, ``(unknown)`` last."""

    kind: ClassVar[str] = "groups"
    analysis: str
    code: str
    groups: tuple[GroupCount, ...]
    total: Estimate
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableResult:
    """Counts of two variables' groups, row by row; over those who have both.

    ``chi2`` is Pearson's test without continuity correction (noise widens what it compares with), ``cramers_v`` from
    it; ``fisher`` Fisher's exact test of a 2×2 table with the sample odds ratio as its statistic.
    """

    kind: ClassVar[str] = "table"
    row_code: str
    column_code: str
    row_keys: tuple[str, ...]
    column_keys: tuple[str, ...]
    cells: tuple[tuple[Estimate, ...], ...]
    row_totals: tuple[Estimate, ...]
    column_totals: tuple[Estimate, ...]
    total: Estimate
    chi2: Test | None = None
    cramers_v: float | None = None
    fisher: Test | None = None
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value below which ``level`` (0 to 1) of the patients lie, interpolated within the interval that holds it.

    ``low`` and ``high`` are the ends of that interval, of several where noise leaves open which it is; None is open.
    """

    level: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class VariableSummary:
    """One number, over the patients who have it, in its unit.

    The interval of ``mean`` is that of the mean of whom the cohort stands for (Student's t), with noise; that of ``n``
    and ``deviation`` (the sample standard deviation, n − 1) is what noise leaves open. Without a step in the catalogue
    there are no mean and no deviation. ``between`` are the counts between the catalogue's cut points.
    """

    code: str
    n: Estimate
    mean: Estimate | None
    deviation: Estimate | None
    quantiles: tuple[Quantile, ...]
    between: tuple[GroupCount, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryResult:
    """Numbers, each over the patients who have it."""

    kind: ClassVar[str] = "summary"
    variables: tuple[VariableSummary, ...]
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupMean:
    """One group of a comparison; as in :class:`VariableSummary`."""

    key: str
    n: Estimate
    mean: Estimate
    deviation: Estimate


@dataclass(frozen=True, slots=True)
class CompareResult:
    """The means of a number in two groups; ``difference`` is the first less the second, ``test`` Welch's t."""

    kind: ClassVar[str] = "compare"
    code: str
    by_code: str
    groups: tuple[GroupMean, ...]
    difference: Estimate
    test: Test | None = None
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r of two variables with its interval (Fisher's z), and p of r = 0."""

    one: str
    other: str
    r: Estimate
    p: float | None


@dataclass(frozen=True, slots=True)
class CorrelateResult:
    """Every pair of the variables, over the patients who have them all."""

    kind: ClassVar[str] = "correlate"
    codes: tuple[str, ...]
    n: Estimate
    pairs: tuple[Correlation, ...]
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One predictor (or ``intercept``): its coefficient in units of the outcome per unit, its standard error, test."""

    code: str
    estimate: Estimate
    error: float | None
    test: Test


@dataclass(frozen=True, slots=True)
class RegressResult:
    """Ordinary least squares; the coefficients start with the intercept.

    ``f`` tests all predictors together (df of the numerator; ``residual_df`` is that of the denominator). ``singular``
    is the first predictor that follows from those before it: then nothing was fitted.
    """

    kind: ClassVar[str] = "regress"
    outcome: str
    predictors: tuple[str, ...]
    n: Estimate
    coefficients: tuple[Coefficient, ...]
    r2: float | None = None
    adjusted_r2: float | None = None
    residual_deviation: float | None = None
    residual_df: float | None = None
    f: Test | None = None
    singular: str | None = None
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """One group's Kaplan–Meier curve; the tuples are aligned with ``ends``, the interval ends in days.

    ``at_risk`` is the number at the beginning of each interval; who is censored in it counts as at risk to its end.
    ``survival`` is the share without an event at the interval's end; ``greenwood`` bounds are plain (S ± z·se, kept in
    0 to 1), ``loglog`` ones on the scale log(−log S). ``beyond`` were followed past the horizon. ``median`` is in days,
    its interval from the log-log bounds.
    """

    key: str
    n: Estimate
    total_events: Estimate
    total_censored: Estimate
    ends: tuple[float, ...]
    at_risk: tuple[float, ...]
    events: tuple[float, ...]
    censored: tuple[float, ...]
    beyond: float
    survival: tuple[float | None, ...]
    greenwood_low: tuple[float | None, ...]
    greenwood_high: tuple[float | None, ...]
    loglog_low: tuple[float | None, ...]
    loglog_high: tuple[float | None, ...]
    median: Estimate


@dataclass(frozen=True, slots=True)
class CurvesTest:
    """A test that the curves of ``groups`` are one; ``weights`` are ``logrank``, ``wilcoxon``, ``tarone_ware`` or
    ``peto``."""

    weights: str
    groups: tuple[str, ...]
    test: Test


@dataclass(frozen=True, slots=True)
class HazardRatio:
    """The hazard of group ``key`` over that of the ``reference`` (Cox, ties by Efron), and p of a ratio of 1."""

    key: str
    reference: str
    ratio: Estimate
    p: float | None


@dataclass(frozen=True, slots=True)
class SurvivalResult:
    """Kaplan–Meier curves of each group, tests between all of them, log-rank tests of each two, hazard ratios.

    ``days`` is the length of an interval (the last may be shorter). A time in interval p counts as its end.
    """

    kind: ClassVar[str] = "survival"
    code: str
    by_code: str | None
    days: float
    curves: tuple[Curve, ...]
    tests: tuple[CurvesTest, ...] = ()
    pairwise: tuple[CurvesTest, ...] = ()
    hazard_ratios: tuple[HazardRatio, ...] = ()
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Who is left after the first ``number`` criteria (0: everyone), the share of everyone, and the number opened."""

    number: int
    count: Estimate
    share: float | None
    raw: int | None


@dataclass(frozen=True, slots=True)
class AttritionResult:
    """The funnel: how many are left after each criterion."""

    kind: ClassVar[str] = "attrition"
    steps: tuple[Step, ...]
    confidence: float = CONFIDENCE
    adjusted: bool = False
    noise_width: float | None = None
    notes: tuple[str, ...] = ()


Result: TypeAlias = (
    CountResult
    | GroupsResult
    | TableResult
    | SummaryResult
    | CompareResult
    | CorrelateResult
    | RegressResult
    | SurvivalResult
    | AttritionResult
)
_KINDS: dict[str, type[Any]] = {each.kind: each for each in get_args(Result)}


def to_plain(result: Result) -> dict[str, Any]:
    """Return the result as JSON types only, with its ``kind``; tuples are lists, what is not finite is None."""
    return {"kind": result.kind, **plain_of(result)}


def from_plain(plain: object) -> Result:
    """Build a result from what :func:`to_plain` returned, possibly by way of JSON.

    Raises ProtocolViolation ``query.malformed`` for anything else.
    """
    kind = plain.get("kind") if isinstance(plain, Mapping) else None
    if not isinstance(plain, Mapping) or not isinstance(kind, str) or kind not in _KINDS:
        raise ProtocolViolation("query.malformed", problem="result")
    made: Result = read_as(_KINDS[kind], {name: value for name, value in plain.items() if name != "kind"})
    return made
