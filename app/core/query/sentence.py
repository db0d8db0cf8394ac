"""A plain sentence that says what a query asks, in the reader's language.

The phrases are the texts ``query.sentence.*`` of ``resources/translations``; labels come from the catalogue. A ``not``
says that patients without a value are included, because they are.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from app.core.catalogue.model import Catalogue, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.query.model import All, Any, Cohort, Flag, Known, Levels, Not, Query, Range, Term


class Text(Protocol):
    """Looks a phrase up and fills it in; ``app.texts.text`` is one."""

    def __call__(self, key: str, /, language: str | None = None, **params: object) -> str: ...


def sentence(query: Query, catalogue: Catalogue, language: str, text: Text) -> str:
    """Return the question in ``language`` ("en", "fr", "de")."""
    writer = _Writer(catalogue, language, text)
    return writer.say(query.analysis, cohort=writer.cohort(query.cohort))


class _Writer:
    """Says cohorts in one language."""

    def __init__(self, catalogue: Catalogue, language: str, text: Text) -> None:
        self._catalogue = catalogue
        self._language = language
        self._text = text

    def say(self, phrase: str, **params: object) -> str:
        return self._text(f"query.sentence.{phrase}", self._language, **params)

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

    def _term(self, term: Term, negated: bool) -> str:
        variable = self._catalogue.find(term.code)
        label = term.code if variable is None else variable.label.text(self._language)
        prefix = "not_" if negated else ""
        match term:
            case Flag():
                return self.say(f"{prefix}flag", label=label)
            case Known():
                return self.say(f"{prefix}known", label=label)
            case Levels() if not term.levels:
                return self.say("everyone" if negated else "nobody")
            case Levels():
                said = self._levels(term, variable, negated)
            case Range():
                said = self._range(term, variable, negated)
        return self.say(f"{prefix}value", label=label, value=said)

    def _levels(self, term: Levels, variable: Variable | None, negated: bool) -> str:
        labels = {} if variable is None else {each.code: each.label.text(self._language) for each in variable.levels}
        names = [label for code, label in labels.items() if code in term.levels]
        names += sorted(term.levels - labels.keys())  # of a version of the catalogue that has not come yet
        said = self.say("level_or").join(self.say("level", label=name) for name in names)
        return self.say("other_than", levels=said) if negated else said

    def _range(self, term: Range, variable: Variable | None, negated: bool) -> str:
        low, high = (term.high, term.low) if negated and None in (term.low, term.high) else (term.low, term.high)
        if low is not None and high is not None:
            phrase = "outside" if negated else "between"
        else:
            phrase = "below" if low is None else "at_least"
        unit = self._unit(variable)
        return self.say(phrase, low=self._number(low), high=self._number(high), unit=unit).rstrip()

    def _unit(self, variable: Variable | None) -> str:
        if variable is None:
            return ""
        return variable.unit_label.text(self._language) if variable.unit_label else variable.unit or ""

    def _number(self, bound: Decimal | None) -> str:
        written = "" if bound is None else decimal_text(bound).replace("-", "−")
        return written if self._language == "en" else written.replace(".", ",")
