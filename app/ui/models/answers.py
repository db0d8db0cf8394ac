"""A result in few words: the one number that stands large, the facts beside each other, what a screen reader says."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.analysis.results import (
    BELOW,
    AttritionResult,
    CompareResult,
    CorrelateResult,
    CountResult,
    Estimate,
    GroupsResult,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Withheld,
)
from app.plots.words import Words
from app.texts import text

MOST_FACTS = 6
_PAIR = 2
_UNITS = ((120.0, "days", 1.0), (6.1 * 365.25, "months", 30.4375), (float("inf"), "years", 365.25))
"""Up to which horizon in days, the unit of times, and its days: the same as at the axis of the figure."""


@dataclass(frozen=True)
class Headline:
    """What stands large: a ``number`` with its ``unit``, what it is (``caption``), how sure it is, and ``why``."""

    number: str
    unit: str
    caption: str
    interval: str
    why: str = ""

    @property
    def spoken(self) -> str:
        """The same for a screen reader."""
        return ". ".join(filter(None, (f"{self.number} {self.unit}".strip(), self.caption, self.interval)))


Fact = tuple[str, str]
"""A caption and a value."""


@dataclass(frozen=True)
class Says:
    """Says a result's values; None is a dash."""

    words: Words
    confidence: float

    def count(self, value: float | None) -> str:
        """Return a number of patients."""
        return "–" if value is None else self.words.number(value)

    def value(self, value: float | None, figures: int = 3) -> str:
        """Return a value with so many significant figures."""
        return "–" if value is None else self.words.significant(value, figures)

    def freedom(self, value: float | None) -> str:
        """Return degrees of freedom, which may be no whole number."""
        if value is None:
            return "–"
        return self.words.number(value) if float(value).is_integer() else self.words.decimal(value, 1)

    def days(self, value: float | None) -> str:
        """Return a time without its unit."""
        return "–" if value is None else self.words.decimal(value / self.unit_days, 1)

    unit_days: float = 1.0

    def counted(self, found: Estimate) -> str:
        """Return a number of patients with what noise leaves open."""
        if found.withheld is not None:
            return self.words.withheld(found.withheld)
        if found.value is None or exact(found):
            return self.count(found.value)
        return self._span(self.count(found.value), self.count(found.low), self.count(found.high))

    def started(self, found: Estimate) -> str:
        """Return a number of patients without what noise leaves open."""
        return self.count(found.value) if found.withheld is None else self.words.withheld(found.withheld)

    def valued(self, found: Estimate | None) -> str:
        """Return a value with its interval."""
        if found is not None and found.withheld is not None:
            return self.words.withheld(found.withheld)
        if found is None or found.value is None or exact(found):
            return "–" if found is None else self.value(found.value)
        return self._span(self.value(found.value), self.value(found.low), self.value(found.high))

    def timed(self, found: Estimate) -> str:
        """Return a time with its interval; its end may lie beyond what was followed."""
        if found.value is None:
            return text("ui.results.not_reached")
        return self._span(self.days(found.value), self.days(found.low), self.days(found.high))

    def _span(self, value: str, low: str, high: str) -> str:
        return text("ui.results.value_span", value=value, low=low, high=high)

    def interval(self, low: str, high: str) -> str:
        """Return an interval as it stands beside the large number."""
        return text("ui.results.interval_of", percent=self.words.percent(self.confidence), low=low, high=high)


def exact(found: Estimate) -> bool:
    """Return whether a value is known exactly."""
    return found.low == found.value == found.high


def says(result: Result, words: Words) -> Says:
    """Return what says the values of ``result``."""
    if isinstance(result, SurvivalResult):
        return Says(words, result.confidence, unit_days=time_unit(result)[0])
    return Says(words, result.confidence)


def time_unit(result: SurvivalResult) -> tuple[float, str]:
    """Return how many days the unit of times has, and its key."""
    horizon = max((curve.ends[-1] for curve in result.curves if curve.ends), default=0.0)
    return next((days, name) for most, name, days in _UNITS if horizon <= most)


# --- the large number -----------------------------------------------------------------------------------------------


def headline(result: Result, words: Words) -> Headline | None:  # noqa: PLR0911 - one return a kind of result
    """Return what stands large, None where no number says more than the others."""
    said = says(result, words)
    match result:
        case CountResult(count=found):
            return _patients(said, found, "")
        case GroupsResult(code=code, total=found):
            return _patients(said, found, text("ui.results.headline.groups", variable=words.variable(code)))
        case TableResult(row_code=row, column_code=column, total=found):
            both = {"rows": words.variable(row), "columns": words.variable(column)}
            return _patients(said, found, text("ui.results.headline.table", **both))
        case SummaryResult(variables=(only,)) if only.mean is not None:
            caption = text("ui.results.headline.mean", variable=words.variable(only.code))
            return _estimated(said, only.mean, words.unit(only.code), caption)
        case CompareResult():
            return _difference(said, result, words)
        case CorrelateResult(pairs=(only,)):
            both = {"one": words.variable(only.one), "other": words.variable(only.other)}
            return _estimated(said, only.r, "", text("ui.results.headline.correlation", **both))
        case RegressResult(r2=float(share), outcome=outcome):
            caption = text("ui.results.headline.explained", variable=words.variable(outcome))
            return Headline(words.percent(share), "", caption, text("ui.results.r2", value=said.value(share)))
        case SurvivalResult():
            return _survival(said, result, words)
        case AttritionResult(steps=(first, *_, last)):
            return _patients(said, last.count, text("ui.results.headline.left", count=said.started(first.count)))
    return None


def _patients(said: Says, found: Estimate, caption: str) -> Headline | None:
    if found.withheld is not None:
        return withheld_headline(found.withheld, said.words, caption)
    if found.value is None:
        return None
    interval = text("ui.results.exact")
    if not exact(found):
        interval = said.interval(said.count(found.low), said.count(found.high))
    return Headline(said.count(found.value), text("ui.results.patients"), caption, interval)


def withheld_headline(withheld: Withheld, words: Words, caption: str = "") -> Headline:
    """Return what stands large in place of a number that is withheld."""
    unit = text("ui.results.patients") if withheld.why == BELOW else ""
    why = text("ui.results.withheld_why", least=withheld.least)
    return Headline(words.withheld(withheld), unit, caption, why)


def _estimated(said: Says, found: Estimate, unit: str, caption: str) -> Headline | None:
    if found.withheld is not None:
        return Headline(
            said.words.withheld(found.withheld),
            "",
            caption,
            text("ui.results.withheld_why", least=found.withheld.least),
        )
    if found.value is None:
        return None
    interval = "" if exact(found) else said.interval(said.value(found.low), said.value(found.high))
    return Headline(said.value(found.value), unit, caption, interval)


def _difference(said: Says, result: CompareResult, words: Words) -> Headline | None:
    if len(result.groups) < _PAIR:
        return None
    one, other = (words.group(result.by_code, each.key) for each in result.groups[:2])
    caption = text("ui.results.headline.difference", variable=words.variable(result.code), one=one, other=other)
    return _estimated(said, result.difference, words.unit(result.code), caption)


def _survival(said: Says, result: SurvivalResult, words: Words) -> Headline | None:
    match result:
        case SurvivalResult(curves=(only,)):
            unit = text(f"ui.results.unit.{time_unit(result)[1]}")
            caption = text("ui.results.headline.median", variable=words.variable(result.code))
            if only.n.withheld is not None:
                return withheld_headline(only.n.withheld, words, caption)
            if only.median.value is None:
                return Headline("–", "", caption, text("ui.results.median_not_reached"))
            found = only.median
            return Headline(
                said.days(found.value), unit, caption, said.interval(said.days(found.low), said.days(found.high))
            )
        case SurvivalResult(hazard_ratios=(only,), by_code=str(by)) if only.ratio.value is not None:
            groups = {"group": words.group(by, only.key), "reference": words.group(by, only.reference)}
            return _estimated(said, only.ratio, "", text("ui.results.headline.hazard", **groups))
    tested = next((each.test.p for each in result.tests if each.weights == "logrank"), None)
    if tested is None:
        return None
    caption = text("ui.results.headline.logrank", count=len(result.curves))
    return Headline(words.p_value(tested), "", caption, "")


# --- facts beside each other ----------------------------------------------------------------------------------------


def facts(result: Result, words: Words) -> list[Fact]:  # noqa: PLR0911 - one return a kind of result
    """Return what else is worth knowing at once, at most :data:`MOST_FACTS`."""
    said = says(result, words)
    match result:
        case SummaryResult(variables=several):
            return _summarised(said, result, words) if len(several) > 1 else _one_summarised(said, result)
        case CompareResult(groups=groups, by_code=by):
            means = [
                (text("ui.results.fact.mean_of", group=words.group(by, each.key)), said.valued(each.mean))
                for each in groups
            ]
            return [*means, *_tested(result.test.p if result.test else None, words)]
        case TableResult(chi2=found):
            return _tested(found.p if found else None, words)
        case CorrelateResult(n=n, codes=codes):
            known = (text("ui.results.fact.complete"), said.counted(n))
            return [known, (text("ui.results.fact.variables"), words.number(len(codes)))]
        case RegressResult(n=n, f=found):
            return [(text("ui.results.fact.complete"), said.counted(n)), *_tested(found.p if found else None, words)]
        case SurvivalResult():
            return _survived(said, result, words)
        case AttritionResult(steps=(_, *rest)) if rest and rest[-1].share is not None:
            return [(text("ui.results.fact.share_left"), words.percent(rest[-1].share, 1))]
        case GroupsResult(groups=groups) if groups:
            largest = max(groups, key=lambda each: each.count.value or 0.0)
            if largest.count.value is None:
                return [(text("ui.results.fact.groups"), words.number(len(groups)))]
            shown = words.percent(largest.share, 0) if largest.share is not None else said.count(largest.count.value)
            name = text("ui.results.fact.largest", group=words.group(result.code, largest.key))
            return [(text("ui.results.fact.groups"), words.number(len(groups))), (name, shown)]
    return []


def _tested(p: float | None, words: Words) -> list[Fact]:
    return [] if p is None else [(text("ui.results.fact.test"), words.p_value(p))]


def _summarised(said: Says, result: SummaryResult, words: Words) -> list[Fact]:
    found = []
    for each in result.variables[:MOST_FACTS]:
        if each.mean is not None and each.mean.value is not None:
            shown = f"{said.valued(each.mean)} {words.unit(each.code)}".rstrip()
            found.append((text("ui.results.fact.mean_of", group=words.variable(each.code)), shown))
    return found


def _one_summarised(said: Says, result: SummaryResult) -> list[Fact]:
    found = [(text("ui.results.fact.known"), said.counted(each.n)) for each in result.variables]
    for each in result.variables:
        if each.deviation is not None:
            found.append((text("ui.results.fact.deviation"), said.valued(each.deviation)))
        middle = next((quantile for quantile in each.quantiles if quantile.level == 0.5), None)  # noqa: PLR2004
        if middle is not None and middle.value is not None:
            found.append((text("ui.results.fact.median"), said.value(middle.value)))
    return found


def _survived(said: Says, result: SurvivalResult, words: Words) -> list[Fact]:
    unit = text(f"ui.results.unit.{time_unit(result)[1]}")
    found = []
    if result.by_code is not None and len(result.curves) < MOST_FACTS:
        for each in result.curves:
            name = text("ui.results.fact.median_of", group=words.group(result.by_code, each.key))
            told = f"{said.timed(each.median)} {unit}" if each.median.value is not None else said.timed(each.median)
            found.append((name, told if each.n.withheld is None else words.withheld(each.n.withheld)))
    if len(found) != _PAIR and all(each.n.withheld is None for each in result.curves):
        whole = sum(each.n.value or 0.0 for each in result.curves)
        found.append((text("ui.results.fact.patients"), said.count(whole)))
    tested = next((each.test.p for each in result.tests if each.weights == "logrank"), None)
    if tested is not None and len(result.curves) == _PAIR:  # of more groups, it stands large
        found.append((text("ui.results.fact.logrank"), words.p_value(tested)))
    return found
