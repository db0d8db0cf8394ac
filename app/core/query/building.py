"""Makes a query of what was read: its analysis, where the error is in that, and its cohort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any as Anything

from lark import Token

from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.cells import cells_of
from app.core.query.model import EVERYONE, Cohort, Query
from app.core.query.terms_built import BuildCohort, Time, marks_of, unquoted
from app.core.query.written import write_days


@dataclass(frozen=True, slots=True)
class _Made:
    """An analysis, or its settings, with what an error may name and where that was written."""

    value: Anything
    marks: Mapping[str, Token]


class Build(BuildCohort):
    """Makes a cohort or query of the syntax tree, bottom up; lark calls the method that is named as the rule."""

    def query(self, children: list[Cohort]) -> Query:
        return Query(children[0])

    def analysed(self, children: list[Anything]) -> Query:
        asked, cohort = (*children, EVERYONE)[:2]
        if isinstance(asked, Token):
            return Query(cohort, Count() if asked.type == "COUNT" else Attrition())
        return Query(cohort, asked.value)

    def one(self, tokens: list[Token]) -> _Made:
        word, name = tokens
        made = Breakdown if word.type == "BREAKDOWN" else Histogram
        return self._analysis(lambda: made(unquoted(name)), word, marks_of(name))

    def several(self, tokens: list[Token]) -> _Made:
        word, *names = tokens
        made = Summary if word.type == "SUMMARY" else Correlate
        return self._analysis(lambda: made(tuple(map(unquoted, names))), word, marks_of(*names))

    def table(self, children: list[Anything]) -> _Made:
        word, rows, columns = children
        return self._analysis(lambda: Table(rows.value, columns.value), word, {**rows.marks, **columns.marks})

    def compare(self, children: list[Anything]) -> _Made:
        word, name, by = children
        return self._analysis(lambda: Compare(unquoted(name), by.value), word, {**marks_of(name), **by.marks})

    def regress(self, tokens: list[Token]) -> _Made:
        word, outcome, *predictors = tokens
        made = (unquoted(outcome), tuple(map(unquoted, predictors)))
        return self._analysis(lambda: Regress(*made), word, marks_of(outcome, *predictors))

    def survival(self, children: list[Anything]) -> _Made:
        word, name, *settings = children
        marks = marks_of(name)
        values: dict[str, Anything] = {}
        for each in settings:
            marks |= each.marks
            values |= {"by": each.value} if isinstance(each.value, Grouping) else each.value
        return self._analysis(lambda: Survival(unquoted(name), **values), word, marks)

    def over(self, children: list[Time]) -> _Made:
        return _Made({"horizon": children[0].days}, {write_days(children[0].days): children[0].token})

    def steps(self, children: list[Time]) -> _Made:
        return _Made({"step": children[0].days}, {write_days(children[0].days): children[0].token})

    def grouping(self, tokens: list[Token]) -> _Made:
        name, *cuts = tokens
        code, numbers = unquoted(name), tuple(map(self.number, cuts))
        return _Made(self.placed(lambda: Grouping(code, numbers), marks_of(*tokens), name), marks_of(*tokens))

    def _analysis(self, make: Callable[[], Analysis], word: Token, marks: Mapping[str, Token]) -> _Made:
        for token in marks.values():
            if token.type in ("CODE", "QUOTED"):
                self.variable(token)

        def made() -> Analysis:
            cells_of(Query(EVERYONE, analysis := make()), self.catalogue)
            return analysis

        return _Made(self.placed(made, marks, word), marks)
