"""Random queries of every analysis over ``CLINICAL``, for tests of the query language."""

from __future__ import annotations

from hypothesis import strategies as st

from app.core.catalogue.model import Kind
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
from app.core.query.facets import periods_of
from app.core.query.model import Query
from tests.cohorts import CLINICAL, EVERY_TERM, cohorts

GROUPED = (Kind.FLAG, Kind.CATEGORY, Kind.NUMBER, Kind.DATE)


def codes(*kinds: Kind, exact: bool = False) -> list[str]:
    """The variables of these kinds; only numbers that are kept exactly if ``exact``."""
    found = [each for each in CLINICAL if each.kind in kinds]
    return [each.code for each in found if not exact or each.kind is not Kind.NUMBER or each.digits is not None]


@st.composite
def groupings(draw: st.DrawFn, *kinds: Kind) -> Grouping:
    """Groupings by a variable, numbers at some of their cut points or none."""
    variable = CLINICAL.variable(draw(st.sampled_from(codes(*(kinds or GROUPED)))))
    if variable.kind is not Kind.NUMBER:
        return Grouping(variable.code)
    return Grouping(variable.code, tuple(sorted(draw(st.sets(st.sampled_from(variable.cut_points))))))


def _several(least: int, *kinds: Kind, exact: bool) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(codes(*kinds, exact=exact)), min_size=least, max_size=4, unique=True).map(tuple)


@st.composite
def _survival(draw: st.DrawFn) -> Survival:
    periods = periods_of(CLINICAL.variable("os"))
    horizon, step = (draw(st.none() | st.integers(1, periods.count + 2)) for _ in range(2))
    by = draw(st.none() | groupings())
    return Survival("os", by, *(None if each is None else each * periods.days for each in (horizon, step)))


def _regress(codes_: tuple[str, ...]) -> Regress:
    outcome = next(code for code in codes_ if CLINICAL.variable(code).kind is Kind.NUMBER)
    return Regress(outcome, tuple(code for code in codes_ if code != outcome))


TWO_GROUPS = groupings().filter(
    lambda by: CLINICAL.variable(by.code).kind is Kind.FLAG or len(by.cuts) == 1 or by.code == "sex"
)
ANALYSES: st.SearchStrategy[Analysis] = st.one_of(
    st.just(Count()),
    st.just(Attrition()),
    st.builds(Breakdown, st.sampled_from(codes(Kind.FLAG, Kind.CATEGORY))),
    st.builds(Histogram, st.sampled_from(codes(Kind.NUMBER, Kind.DATE))),
    st.tuples(groupings(), groupings()).filter(lambda two: two[0].code != two[1].code).map(lambda two: Table(*two)),
    _several(1, Kind.NUMBER, exact=False).map(Summary),
    st.tuples(st.sampled_from(codes(Kind.NUMBER, exact=True)), TWO_GROUPS)
    .filter(lambda two: two[0] != two[1].code)
    .map(lambda two: Compare(*two)),
    _several(2, Kind.NUMBER, Kind.FLAG, exact=True).map(Correlate),
    _several(2, Kind.NUMBER, Kind.FLAG, exact=True)
    .filter(lambda found: any(CLINICAL.variable(code).kind is Kind.NUMBER for code in found))
    .map(_regress),
    _survival(),
)
QUERIES: st.SearchStrategy[Query] = st.builds(Query, cohorts(EVERY_TERM, leaves=8), ANALYSES, st.booleans())
"""Queries that the catalogue ``CLINICAL`` can answer."""
