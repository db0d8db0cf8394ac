"""The result of an analysis that could not be computed: of its kind, with a note and no numbers."""

from __future__ import annotations

from app.core.analysis.results import (
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
)
from app.core.catalogue.model import Catalogue
from app.core.query.analyses import (
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.model import Query

NOT_COMPUTED = "not_computed"
"""The note that says so."""


def nothing(query: Query, catalogue: Catalogue, confidence: float) -> Result:  # noqa: PLR0911 - one return a kind
    """Return what stands in place of the result of a query whose statistics failed."""
    notes, none = (NOT_COMPUTED,), Estimate()
    match query.analysis:
        case Count():
            return CountResult(none, None, confidence, notes=notes)
        case Attrition():
            return AttritionResult((), confidence, notes=notes)
        case (Breakdown(code) | Histogram(code)) as asked:
            return GroupsResult(asked.name, code, (), none, confidence, notes=notes)
        case Table(rows, columns):
            return TableResult(rows.code, columns.code, (), (), (), (), (), none, confidence=confidence, notes=notes)
        case Summary():
            return SummaryResult((), confidence, notes=notes)
        case Compare(code, by):
            return CompareResult(code, by.code, (), none, confidence=confidence, notes=notes)
        case Correlate(variables):
            return CorrelateResult(variables, none, (), confidence, notes=notes)
        case Regress(outcome, predictors):
            return RegressResult(outcome, predictors, none, (), confidence=confidence, notes=notes)
        case Survival() as asked:
            by_code = None if asked.by is None else asked.by.code
            periods = catalogue.variable(asked.code).periods
            days = float(asked.step or (periods.days if periods else 1))
            return SurvivalResult(asked.code, by_code, days, (), confidence=confidence, notes=notes)
