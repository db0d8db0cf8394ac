"""From the numbers that a query opened to its result."""

from __future__ import annotations

from app.core.analysis.comparison import compare
from app.core.analysis.correlation import correlate
from app.core.analysis.counts import attrition, count, groups
from app.core.analysis.numbers import Numbers
from app.core.analysis.regression import regress
from app.core.analysis.results import CONFIDENCE, Result
from app.core.analysis.summary import summary
from app.core.analysis.survival import survival
from app.core.analysis.tables import table
from app.core.catalogue.model import Catalogue
from app.core.errors import Bug
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

__all__ = ["Numbers", "analyse"]


def analyse(query: Query, catalogue: Catalogue, numbers: Numbers, confidence: float = CONFIDENCE) -> Result:  # noqa: PLR0911
    """Return what the numbers of a query say, with intervals at this confidence that include the noise.

    What cannot be said is None in the result and has a note: no numbers make this fail. ``numbers`` are those of
    :func:`app.core.query.cells.cells_of` for this query and catalogue. Raises Bug ``analysis.confidence`` unless it is
    between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise Bug("analysis.confidence")
    match query.analysis:
        case Count():
            return count(numbers, confidence)
        case Attrition():
            return attrition(numbers, confidence)
        case (Breakdown(code) | Histogram(code)) as asked:
            return groups(numbers, asked.name, code, confidence)
        case Table(rows, columns):
            return table(numbers, (rows.code, columns.code), confidence)
        case Summary(variables):
            return summary(numbers, variables, catalogue, confidence)
        case Compare(code, by):
            return compare(numbers, catalogue.variable(code), by.code, confidence)
        case Correlate(variables):
            return correlate(numbers, variables, catalogue, confidence)
        case Regress(outcome, predictors):
            return regress(numbers, outcome, predictors, catalogue, confidence)
        case Survival() as asked:
            return survival(numbers, asked, catalogue.variable(asked.code), confidence)
