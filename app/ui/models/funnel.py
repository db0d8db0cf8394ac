"""How many patients were left after each card, from the last funnel that was released for these criteria."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.analysis.results import AttritionResult, Estimate
from app.core.analysis.results import from_plain as result_of
from app.core.errors import ConsiliumError
from app.core.query.analyses import Attrition
from app.core.query.cells import steps_of
from app.core.query.model import Cohort, Query, expanded
from app.ui.models.criteria import Criteria


@dataclass(frozen=True)
class Funnel:
    """A released funnel: the criteria in order, and how many were left after each; ``exact`` without noise."""

    steps: tuple[Cohort, ...]
    left: tuple[Estimate, ...]
    exact: bool
    released: int
    """When (UTC ms)."""


def funnels_of(queries: Iterable[Mapping[str, Any]]) -> tuple[Funnel, ...]:
    """Return the released funnels among the runs that ``query.list`` tells, newest first; unreadable ones are none."""
    found = []
    for each in queries:
        try:
            if (funnel := _funnel(each)) is not None:
                found.append(funnel)
        except (ConsiliumError, LookupError, TypeError):  # of a version that has not come yet
            continue
    return tuple(found)


def _funnel(run: Mapping[str, Any]) -> Funnel | None:
    answer = run.get("answer")
    if not answer or not run.get("query"):
        return None
    query = Query.from_cbor(run["query"])
    if not isinstance(query.analysis, Attrition):
        return None
    whole = next((each["result"] for each in answer["results"] if not each["site"]), None)
    result = None if whole is None else result_of(whole)
    if not isinstance(result, AttritionResult):
        return None
    steps, left = steps_of(query.cohort), tuple(step.count for step in result.steps)
    if len(left) != len(steps) + 1:
        return None
    return Funnel(steps, left[1:], bool(answer["exact"]), int(run.get("ended") or 0))


@dataclass(frozen=True)
class Left:
    """How many were left after a card."""

    count: float
    exact: bool
    released: int


def left_after(criteria: Criteria, funnels: Sequence[Funnel]) -> tuple[Left | None, ...]:
    """Return how many were left after each card; None where that is withheld, and from the first one on that no funnel
    begins with.

    What is left after the first cards does not depend on the ones below, so a funnel of fewer cards, or of others
    further down, still says it.
    """
    if not criteria.cards:
        return ()
    steps = steps_of(expanded(criteria.cohort()))
    best: tuple[Left | None, ...] = ()
    for funnel in funnels:
        same = 0
        while same < min(len(steps), len(funnel.steps)) and steps[same] == funnel.steps[same]:
            same += 1
        if same > len(best):
            best = tuple(
                None if each.value is None else Left(each.value, funnel.exact, funnel.released)
                for each in funnel.left[:same]
            )
    cards = len(criteria.cards)
    if cards == 1:  # the parts of a single card are the steps
        return (best[-1] if len(best) == len(steps) else None,)
    return (*best, *(None for _ in range(cards - len(best))))
