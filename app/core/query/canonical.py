"""The canonical form: differently written equal questions become the same, so that the same noise answers them.

What a term says of one facet is a set of *possibilities* (:mod:`app.core.query.facets`): a flag is there or not; a
category has one of its levels or no value; a number lies in one of the ranges between its cut points or has no value.
``not`` is the complement of such a set, "no value" included, ``all`` of sets is their intersection and ``any`` their
union, so everything that is said of one facet in one group becomes one set, exactly. A relation between two events
counts as a facet of its own, which holds or not.

1. ``not`` is pushed down to the sets (De Morgan), which takes double negations away. The bounds of a relation are
   clamped to what the horizons of its events allow; one that nobody can meet is ``nobody``.
2. A group within a group of its own sort is flattened; its sets of the same facet are merged; what is said twice,
   always true or never true goes away; a group of one is its child.
3. The three facets of an event share the possibility that it never happened: in one group all of its sets have it or
   none does, and that it happened at all is always said as ``occurs``.
4. Within ``all``, the groups inside are simplified knowing what the sets beside them say (in ``a and (a or b)`` the
   second part is always true); within ``any``, knowing that those beside them do not hold.
5. Sets are written as terms again, and the parts of a group sorted by their canonical bytes.

Not every equality is found: distributing (``a and b or a and c``) is not undone, and nothing is concluded from the
order in time of what relations, first and last times say. Such a pair counts as two questions, and the second is
charged.
"""

from __future__ import annotations

from dataclasses import replace

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.query import analyses
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Compare,
    Correlate,
    Grouping,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.cells import steps_of
from app.core.query.check import check, check_query
from app.core.query.facets import periods_of
from app.core.query.model import All, Cohort, Query, to_plain
from app.core.query.possibilities import Possibilities
from app.core.query.restating import Restated


def canonical(cohort: Cohort, catalogue: Catalogue) -> Cohort:
    """Return the canonical form: the same patients whatever their data, never nested deeper than ``cohort``.

    Raises the UserErrors of :func:`check`.
    """
    check(cohort, catalogue)
    return _form(cohort, catalogue)


def canonical_query(query: Query, catalogue: Catalogue) -> Query:
    """Return the query that opens the same numbers, in canonical order: that of its cells, so whoever computes, reads
    or explains numbers takes :func:`~app.core.query.cells.cells_of` of *this* query.

    The criteria of an attrition keep their order, each in canonical form for itself. Raises the UserErrors of
    :func:`~app.core.query.check.check_query`.
    """
    check_query(query, catalogue)
    if isinstance(query.analysis, Attrition):
        steps = tuple(_form(step, catalogue) for step in steps_of(query.cohort))
        # a single criterion that is an "all" itself stays one step
        cohort = steps[0] if len(steps) == 1 and not isinstance(steps[0], All) else All(steps)
        return replace(query, cohort=cohort)
    return replace(
        query, cohort=canonical(query.cohort, catalogue), analysis=_canonical_analysis(query.analysis, catalogue)
    )


def query_hash(query: Query, catalogue: Catalogue) -> bytes:
    """Return 32 bytes that equal questions share: SHA-256 of the canonical query and its variables' meanings."""
    form = canonical_query(query, catalogue)
    cohort, meanings = to_plain(form.cohort), [catalogue.meaning(code) for code in form.codes]
    if form.version == 1:  # as it was hashed before there was anything else: the answers' noise depends on it
        return codec.digest(["consilium-canonical-query", 1, "count", cohort, meanings])
    analysis = analyses.to_plain(form.analysis)
    return codec.digest(["consilium-canonical-query", 2, analysis, form.per_site, cohort, meanings])


def _form(cohort: Cohort, catalogue: Catalogue) -> Cohort:
    """Return the canonical form of a cohort that was checked."""
    return Restated(catalogue).cohort(Possibilities(catalogue).of(cohort))


def _canonical_analysis(  # noqa: PLR0911 - one return a kind of analysis
    analysis: Analysis, catalogue: Catalogue
) -> Analysis:
    match analysis:
        case Table(rows, columns):
            groupings = sorted((_grouping(each, catalogue) for each in (rows, columns)), key=lambda each: each.code)
            return Table(*groupings)
        case Summary(variables):
            return Summary(tuple(sorted(variables)))
        case Correlate(variables):
            return Correlate(tuple(sorted(variables)))
        case Regress(outcome, predictors):
            return Regress(outcome, tuple(sorted(predictors)))
        case Compare(code, by):
            return Compare(code, _grouping(by, catalogue))
        case Survival(code, by, horizon, step):
            periods = periods_of(catalogue.variable(code))
            return Survival(
                code,
                None if by is None else _grouping(by, catalogue),
                None if horizon is None or horizon >= periods.count * periods.days else horizon,
                None if step == periods.days else step,
            )
        case _:
            return analysis


def _grouping(grouping: Grouping, catalogue: Catalogue) -> Grouping:
    every = catalogue.variable(grouping.code).cut_points
    return Grouping(grouping.code) if grouping.cuts == every else grouping
