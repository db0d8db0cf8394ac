"""What stands in figures and tables: labels of the catalogue, groups in words, numbers, in one language.

A group's label is what :mod:`app.core.query.cells` calls it: a level's code, ``yes`` or ``no``, ``[low,high)`` with an
end left out where it is open, ``unknown``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.core.analysis.results import BELOW, Withheld
from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.query.cells import UNKNOWN, steps_of
from app.core.query.model import Query
from app.core.query.sentence import criterion
from app.plots import look
from app.texts import text

_INTERVAL = re.compile(r"\[(?P<low>[^,]*),(?P<high>[^)]*)\)")


def ends_of(label: str) -> tuple[str, str] | None:
    """Return the ends of an interval ``[low,high)``, "" for an open one; None if the label is no interval."""
    found = _INTERVAL.fullmatch(label)
    return (found["low"], found["high"]) if found else None


@dataclass(frozen=True)
class Words:
    """The words of one language; ``catalogue`` knows the labels."""

    catalogue: Catalogue
    language: str
    query: Query | None = None
    """Whose criteria a funnel names."""

    def say(self, name: str, **params: object) -> str:
        """Return a text of figures."""
        return text(f"plots.{name}", self.language, **params)

    # --- labels -----------------------------------------------------------------------------------------------

    def variable(self, code: str) -> str:
        """Return a variable's label, or its code if the catalogue has lost it."""
        found = self.catalogue.find(code)
        return code if found is None else found.label.text(self.language)

    def unit(self, code: str) -> str:
        """Return a variable's unit in words, else in UCUM, else ""."""
        found = self.catalogue.find(code)
        if found is None:
            return ""
        return found.unit_label.text(self.language) if found.unit_label else found.unit or ""

    def measured(self, code: str) -> str:
        """Return a variable's label with its unit, as it stands at an axis."""
        unit = self.unit(code)
        return f"{self.variable(code)} ({unit})" if unit else self.variable(code)

    def group(self, code: str, label: str) -> str:  # noqa: PLR0911 - one return a kind of group
        """Return a group of a variable in words."""
        variable = self.catalogue.find(code)
        if label == UNKNOWN and not self._is_level(variable, label):
            return self.say("unknown")
        if variable is not None and variable.kind is Kind.FLAG and label in ("yes", "no"):
            return self.say("yes") if label == "yes" else self.say("no")
        if variable is not None and variable.kind is Kind.CATEGORY:
            levels = {level.code: level.label.text(self.language) for level in variable.levels}
            return levels.get(label, label)
        if (ends := ends_of(label)) is not None:
            return self.interval(variable, *ends)
        return label or self.say("everyone")

    def interval(self, variable: Variable | None, low: str, high: str) -> str:
        """Return what lies between two cut points, in words; "" is no end."""
        dated = variable is not None and variable.kind is Kind.DATE
        if not low and not high:
            return self.say("all_values")
        if not low:
            return self.say("before", high=high) if dated else self.say("below", high=self.exact(high))
        if not high:
            return self.say("since", low=low) if dated else self.say("at_least", low=self.exact(low))
        if dated and variable is not None and _one_beginning(variable, low, high):
            return low
        if dated:
            return self.say("between_dates", low=low, high=high)
        return self.say("between", low=self.exact(low), high=self.exact(high))

    def criterion(self, number: int) -> str:
        """Return the ``number``-th step of a funnel in words; 0 is before the first criterion."""
        steps = () if self.query is None else steps_of(self.query.cohort)
        if number == 0:
            return self.say("all_patients")
        if number > len(steps):
            return self.say("criterion", number=number)
        said = criterion(steps[number - 1], self.catalogue, self.language, text)
        return said[:1].upper() + said[1:]

    def note(self, key: str) -> str:
        """Return what a result's note means, in a sentence."""
        return text(f"plots.note.{key}", self.language)

    @staticmethod
    def _is_level(variable: Variable | None, label: str) -> bool:
        return variable is not None and any(level.code == label for level in variable.levels)

    def withheld(self, why: Withheld) -> str:
        """Return what stands in place of a number that is withheld."""
        return self.say("fewer_than", count=self.number(why.least)) if why.why == BELOW else self.say("withheld")

    # --- numbers ----------------------------------------------------------------------------------------------

    def exact(self, number: str | Decimal) -> str:
        """Return a cut point with all of its digits."""
        written = number if isinstance(number, str) else decimal_text(number)
        written = written.replace("-", "−")
        return written if self.language == "en" else written.replace(".", ",")

    def number(self, value: float) -> str:
        """Return a count."""
        return look.number(round(value), self.language)

    def decimal(self, value: float, places: int) -> str:
        """Return a number with so many decimal places."""
        return look.decimal(value, self.language, places)

    def significant(self, value: float, figures: int = 3) -> str:
        """Return a number with at least so many significant figures."""
        return look.significant(value, self.language, figures)

    def percent(self, share: float, places: int = 0) -> str:
        """Return a share of 1 in percent."""
        return look.percent(share, self.language, places)

    def p_alone(self, p: float) -> str:
        """Return a p-value below a heading that says p: 0.034, or < 0.001."""
        return look.p_value(p, self.language).removeprefix("p ").removeprefix("= ")

    def p_value(self, p: float) -> str:
        """Return a p-value as journals print it."""
        return look.p_value(p, self.language)


def _one_beginning(variable: Variable, low: str, high: str) -> bool:
    """Return whether an interval of dates is just one of the calendar's days, months or years."""
    if variable.calendar is None:
        return False
    starts = [variable.calendar.text(start) for start in variable.calendar.starts()]
    return low in starts[:-1] and starts[starts.index(low) + 1] == high
