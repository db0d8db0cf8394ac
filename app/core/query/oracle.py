"""The plaintext oracle: who is in a cohort, decided on clear values.

It knows nothing of sealed columns or canonical forms, so that tests and the demo can hold the encrypted answer against
it. It never sees a hospital's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.core.catalogue.model import Catalogue
from app.core.catalogue.numbers import exact
from app.core.errors import Bug
from app.core.query.model import All, Any, Cohort, Flag, Known, Levels, Not, Range

Row = Mapping[str, object]
"""One patient: value by variable code; None or absent is no value."""


def matches(cohort: Cohort, row: Row, catalogue: Catalogue) -> bool:  # noqa: PLR0911 - one return a kind of node
    """Return whether this patient is in the cohort. Values are as :meth:`Variable.encode` takes them."""
    match cohort:
        case Not(child):
            return not matches(child, row, catalogue)
        case All(children):
            return all(matches(child, row, catalogue) for child in children)
        case Any(children):
            return any(matches(child, row, catalogue) for child in children)
        case Flag(code):
            return row.get(catalogue.variable(code).code) is True
        case Levels(code, levels):
            return row.get(catalogue.variable(code).code) in levels
        case Known(code):
            return row.get(catalogue.variable(code).code) is not None
        case Range(code, low, high):
            value = row.get(catalogue.variable(code).code)
            if value is None:
                return False
            number = exact(value)
            if number is None:
                raise Bug("query.oracle_value", variable=code)
            return (low is None or low <= number) and (high is None or number < high)


def count(cohort: Cohort, rows: Iterable[Row], catalogue: Catalogue) -> int:
    """Return how many of these patients are in the cohort."""
    return sum(matches(cohort, row, catalogue) for row in rows)
