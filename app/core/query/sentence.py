"""A plain sentence that says what a query asks, in the reader's language.

The phrases are the texts ``query.sentence.*`` of ``resources/translations``; labels come from the catalogue. A ``not``
says that patients without a value are included, because they are; times say how many days their units have, and what
two events are compared by.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Protocol

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.catalogue.scales import Granularity
from app.core.query.analyses import (
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.cells import steps_of
from app.core.query.model import (
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
    Query,
    Range,
    Relation,
    Term,
    Within,
)
from app.core.query.written import UNITS, unit_of


class Text(Protocol):
    """Looks a phrase up and fills it in; ``app.texts.text`` is one."""

    def __call__(self, key: str, /, language: str | None = None, **params: object) -> str: ...


def sentence(query: Query, catalogue: Catalogue, language: str, text: Text) -> str:
    """Return the question in ``language`` ("en", "fr", "de")."""
    writer = _Writer(catalogue, language, text)
    asked = writer.query(query)
    if query.per_site:
        asked = writer.say("per_site", question=asked)
    notes = [writer.say(f"{unit}_is") for unit in UNITS if unit in writer.units and unit in ("month", "year")]
    return " ".join([asked, *notes])


def criterion(cohort: Cohort, catalogue: Catalogue, language: str, text: Text) -> str:
    """Return one criterion as it stands within a sentence; for the steps of a funnel."""
    return _Writer(catalogue, language, text).cohort(cohort)


class _Writer:
    """Says queries in one language."""

    def __init__(self, catalogue: Catalogue, language: str, text: Text) -> None:
        self._catalogue = catalogue
        self._language = language
        self._text = text
        self.units: set[str] = set()
        """The units of time that were said."""

    def say(self, phrase: str, **params: object) -> str:
        return self._text(f"query.sentence.{phrase}", self._language, **params)

    # --- analyses

    def query(self, query: Query) -> str:
        """Say the whole question, but not whether each site's numbers are told."""
        analysis = query.analysis
        said: dict[str, object]
        match analysis:
            case Attrition():
                steps = enumerate(map(self.cohort, steps_of(query.cohort)), 1)
                said = {"steps": "; ".join(self.say("step", number=number, cohort=step) for number, step in steps)}
                return self.say("attrition", **said)
            case Breakdown(code) | Histogram(code):
                said = {"variable": self._label(code)}
            case Table(rows, columns):
                said = {"rows": self._grouping(rows), "columns": self._grouping(columns)}
            case Summary(variables) | Correlate(variables):
                said = {"variables": self._labels(variables)}
            case Compare(code, by):
                said = {"variable": self._label(code), "by": self._grouping(by)}
            case Regress(outcome, predictors):
                said = {"outcome": self._label(outcome), "predictors": self._labels(predictors)}
            case Survival():
                said = self._survival(analysis)
            case _:
                return self.say("count", cohort=self.cohort(query.cohort))
        everyone = query.cohort == All(())
        among = self.say("among_all") if everyone else self.say("among", cohort=self.cohort(query.cohort))
        return self.say(analysis.name, **said, among=among)

    def _survival(self, asked: Survival) -> dict[str, object]:
        variable = self._catalogue.find(asked.code)
        periods = None if variable is None else variable.periods
        horizon, step = asked.horizon, asked.step
        if periods is not None:
            horizon, step = horizon or periods.count * periods.days, step or periods.days
        by = "" if asked.by is None else self.say("survival_by", groups=self._grouping(asked.by))
        horizon_said, step_said = ("–" if each is None else self._time(each) for each in (horizon, step))
        return {"variable": self._label(asked.code), "by": by, "horizon": horizon_said, "step": step_said}

    def _grouping(self, grouping: Grouping) -> str:
        label = self._label(grouping.code)
        if not grouping.cuts:
            return label
        unit = self._unit(self._catalogue.find(grouping.code))
        cuts = ", ".join(map(self._number, grouping.cuts))
        return self.say("cut_at", label=label, cuts=f"{cuts} {unit}".rstrip())

    def _labels(self, codes: Iterable[str]) -> str:
        *most, last = map(self._label, codes)
        return self.say("listed", first=", ".join(most), last=last) if most else last

    def _label(self, code: str) -> str:
        variable = self._catalogue.find(code)
        return code if variable is None else variable.label.text(self._language)

    # --- cohorts

    def cohort(self, cohort: Cohort, inside: bool = False) -> str:  # noqa: PLR0911 - one return a kind of node
        """Say a cohort; a group ``inside`` another one is in parentheses."""
        match cohort:
            case All(()):
                return self.say("everyone")
            case Any(()):
                return self.say("nobody")
            case All((child,)) | Any((child,)):
                return self.cohort(child, inside)
            case All(children) | Any(children):
                joint = self.say("and" if isinstance(cohort, All) else "or")
                joined = joint.join(self.cohort(child, inside=True) for child in children)
                return f"({joined})" if inside else joined
            case Not(child):
                if isinstance(child, Not | All | Any):
                    return self.say("not", cohort=self.cohort(child))
                return self._term(child, negated=True)
            case _:
                return self._term(cohort, negated=False)

    def _term(self, term: Term, negated: bool) -> str:  # noqa: PLR0911 - one return a kind of term
        if isinstance(term, Before | Within):
            related = self._relation(term)
            return self.say("not_related", relation=related) if negated else related
        label = self._label(term.code)
        variable = self._catalogue.find(term.code)
        prefix = "not_" if negated else ""
        match term:
            case Flag():
                return self.say(f"{prefix}flag", label=label)
            case Known() if variable is not None and variable.kind is Kind.SURVIVAL:
                return self.say(f"{prefix}followed", label=label)
            case Known():
                return self.say(f"{prefix}known", label=label)
            case Occurs():
                return self._occurs(term, variable, label, negated)
            case Happened(which, code, low, high):
                said = self._after_index(low, high, negated)
                label = self._moment(Moment(which, code))
                return self.say("not_happened" if negated else "value", label=label, value=said)
            case Levels() if not term.levels:
                return self.say("everyone" if negated else "nobody")
            case Levels():
                said = self._levels(term, variable, negated)
            case Range(_, low, high):
                said = self._between(low, high, negated, self._unit(variable))
            case Dates():
                said = self._dates(term, variable, negated)
        return self.say(f"{prefix}value", label=label, value=said)

    def _occurs(self, term: Occurs, variable: Variable | None, label: str, negated: bool) -> str:
        periods = None if variable is None else variable.periods
        when = ""
        if periods is not None:  # what happened outside of the horizon is not known
            ends = (periods.numbers.start * periods.days, periods.numbers.stop * periods.days)
            when = self._after_index(*ends, negated=False)
        phrase = f"{'not_' if negated else ''}{'occurs' if term.least == 1 else 'occurs_often'}"
        return self.say(phrase, label=label, least=term.least, when=when)

    def _after_index(self, low: Decimal | None, high: Decimal | None, negated: bool) -> str:
        """Say an interval of times after the index date."""
        bounds = [bound for bound in (low, high) if bound is not None]
        unit = unit_of(bounds)
        low, high = (None if bound is None else bound / UNITS[unit] for bound in (low, high))
        said = self.say(
            "after_index", unit=self._unit_of_time(unit, [each for each in (low, high) if each is not None])
        )
        return self._between(low, high, negated, said)

    def _relation(self, term: Relation) -> str:
        match term:
            case Before(earlier, later, least, most):
                bounds = [("by_at_least", least), ("by_at_most", most)]
                said = [self.say(phrase, time=self._time(days)) for phrase, days in bounds if days is not None]
                by = self.say("by_and").join(said)
                return self.say(
                    "before_by" if by else "before",
                    earlier=self._moment(earlier), later=self._moment(later), by=by, period=self._period(earlier.code),
                )  # fmt: skip
            case Within(one, other, most):
                moments = {"one": self._moment(one), "other": self._moment(other)}
                return self.say("within", **moments, most=self._time(most), period=self._period(one.code))

    def _period(self, code: str) -> str:
        variable = self._catalogue.find(code)
        return "–" if variable is None or variable.periods is None else self._number(variable.periods.days)

    def _moment(self, moment: Moment) -> str:
        return self.say(f"moment_{moment.which}", label=self._label(moment.code))

    def _time(self, days: Decimal) -> str:
        unit = unit_of([days])
        count = days / UNITS[unit]
        return f"{self._number(count)} {self._unit_of_time(unit, [count])}"

    def _unit_of_time(self, unit: str, counts: list[Decimal]) -> str:
        self.units.add(unit)
        return self.say(f"{unit}_{'one' if abs(counts[-1]) == 1 else 'many'}")

    def _dates(self, term: Dates, variable: Variable | None, negated: bool) -> str:
        low, high = (term.high, term.low) if negated and None in (term.low, term.high) else (term.low, term.high)
        shown = {"low": self._date(low, variable), "high": self._date(high, variable)}
        if low is not None and high is not None:
            return self.say("dates_outside" if negated else "dates_between", **shown)
        return self.say("dates_before" if low is None else "dates_from", **shown)

    def _date(self, day: date | None, variable: Variable | None) -> str:
        if day is None:
            return ""
        calendar = None if variable is None else variable.calendar
        granularity = Granularity.DAY if calendar is None else calendar.granularity
        if granularity is Granularity.YEAR:
            return f"{day:%Y}"
        phrase = "date_month" if granularity is Granularity.MONTH else "date_day"
        return self.say(phrase, day=f"{day.day:02}", month=f"{day.month:02}", year=day.year)

    def _levels(self, term: Levels, variable: Variable | None, negated: bool) -> str:
        labels = {} if variable is None else {each.code: each.label.text(self._language) for each in variable.levels}
        names = [label for code, label in labels.items() if code in term.levels]
        names += sorted(term.levels - labels.keys())  # of a version of the catalogue that has not come yet
        said = self.say("level_or").join(self.say("level", label=name) for name in names)
        return self.say("other_than", levels=said) if negated else said

    def _between(self, low: Decimal | None, high: Decimal | None, negated: bool, unit: str) -> str:
        """Say [low, high), or what is outside of it."""
        if negated and None in (low, high):
            low, high = high, low
        if low is not None and high is not None:
            phrase = "outside" if negated else "between"
        else:
            phrase = "below" if low is None else "at_least"
        return self.say(phrase, low=self._number(low), high=self._number(high), unit=unit).rstrip()

    def _unit(self, variable: Variable | None) -> str:
        if variable is None:
            return ""
        return variable.unit_label.text(self._language) if variable.unit_label else variable.unit or ""

    def _number(self, bound: Decimal | None) -> str:
        written = "" if bound is None else decimal_text(bound).replace("-", "−")
        return written if self._language == "en" else written.replace(".", ",")
