"""What a released query says: its numbers, how sure they are, and the results of its analysis.

Whoever shows or exports a released number gets it from here, through ``query.show``, and from nowhere else. What leaves
here has gone through :func:`app.core.disclosure.showing.show`: small numbers are withheld as the policy wants it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from weakref import WeakKeyDictionary

from app.core import log
from app.core.analysis.nothing import nothing
from app.core.analysis.results import (
    BELOW,
    CONFIDENCE,
    CorrelateResult,
    RegressResult,
    Result,
    SummaryResult,
    TableResult,
    Withheld,
    to_plain,
    withheld_plain,
)
from app.core.catalogue.model import Catalogue
from app.core.disclosure.marking import noted
from app.core.disclosure.noise import half_width, laplace_scale
from app.core.disclosure.policy import Policy
from app.core.disclosure.sensitivity import sensitivities
from app.core.disclosure.showing import HIDDEN, SHOWN, Rules, show, show_count
from app.core.disclosure.unopened import UNOPENED, marked
from app.core.federation import decisions
from app.core.federation.contributing import asked_cells, placing_of
from app.core.federation.query_messages import Request
from app.core.federation.query_session import QueryDesk, Released
from app.core.query.analyses import Count
from app.core.query.canonical import canonical_query
from app.core.query.cells import Cells
from app.core.query.model import Query
from app.core.query.placing import Placing
from app.core.services.explaining import part_of
from app.core.services.member import Member

_log = log.logger("answers")
TOTAL = ""
"""The name under which the result over all sites together goes."""
EVERYTHING = Rules()
"""Nothing is withheld."""


@dataclass(frozen=True)
class Answer:
    """What was released. ``rows`` are the cells' numbers, of all sites together or of each of ``contributors``.

    ``scales`` are those of each contributor's noise for each cell, empty for exact numbers; ``half_width`` is that of
    the 95 % interval which the noise of all contributors together implies for the first cell; 0 if exact.
    """

    query: Query
    cells: Cells
    rows: tuple[tuple[int, ...], ...]
    scales: tuple[Fraction, ...]
    half_width: int
    contributors: tuple[str, ...]
    declined: tuple[tuple[str, str], ...]
    draws: tuple[int, ...] = ()
    """How many draws of noise a contributor adds to each cell's number at the most, where it is kept in many places."""
    rules: Rules = EVERYTHING
    """What may be shown of it."""
    closed: tuple[frozenset[int], ...] = ()
    """The cells of each of the ``rows`` that cryptography has not opened; they are 0 there."""

    @property
    def wide(self) -> tuple[Fraction, ...]:
        """The scales, each of one draw that varies as much as all that a contributor adds to the cell."""
        if not self.draws:
            return self.scales
        roots = [Fraction(math.isqrt(count << 40) + (count > 1), 1 << 20) for count in self.draws]
        return tuple(scale * root for scale, root in zip(self.scales, roots, strict=True))

    @property
    def exact(self) -> bool:
        """Whether the sites have added no noise."""
        return not self.scales

    @property
    def total(self) -> tuple[int, ...]:
        """The cells' numbers over all contributing sites."""
        return tuple(map(sum, zip(*self.rows, strict=True)))

    @property
    def closed_in_total(self) -> frozenset[int]:
        """The cells that were opened of no site."""
        return frozenset.intersection(*self.closed) if self.closed else frozenset()

    @property
    def count(self) -> int | Withheld | None:
        """The count as it may be shown, where the question is for one."""
        if self.query.analysis != Count():
            return None
        if self.closed_in_total:
            return Withheld(BELOW, self.rules.smallest)
        rows = [row[0] for row in self.rows]
        return show_count(rows, self.rules, per_site=self.query.per_site, noised=not self.exact)


def answer_of(member: Member, released: Released) -> Answer:
    """Return what a released query says."""
    request = released.request
    catalogue = member.site.catalogue_of(request.meanings)
    cells = asked_cells(request.query, catalogue)
    placing = placing_of(request, cells, member.site.roster.parameters)
    opened = placing.read([number or 0 for number in released.numbers])
    closed = placing.read([int(number is None) for number in released.numbers])
    if request.query.per_site:
        order = [request.contributors.index(position) for position in released.positions]
        opened, closed = (tuple(rows[place] for place in order) for rows in (opened, closed))
    scales = scales_of(cells, request.epsilon)
    count = len(released.contributors)
    places = [request.contributors.index(position) for position in released.positions]
    draws = tuple(most_draws(placing, places, cell) for cell in range(len(scales)))
    return Answer(
        query=request.query,
        cells=cells,
        rows=opened,
        scales=scales,
        half_width=width_of(scales, draws, count),
        contributors=released.contributors,
        declined=tuple(sorted(released.declined.items())),
        draws=draws,
        rules=rules_of(member, request),
        closed=tuple(frozenset(cell for cell, places in enumerate(row) if places) for row in closed),
    )


def most_draws(placing: Placing, places: Iterable[int], cell: int) -> int:
    """Return how many draws of noise one of the contributors at these places adds to a cell at the most."""
    return max((placing.draws(place, cell) for place in places), default=1)


def width_of(scales: Sequence[Fraction], draws: Sequence[int], contributors: int) -> int:
    """Return the half width of the 95 % interval that so many sites' noise implies for the first number; 0 if exact."""
    return half_width([scales[0]] * (contributors * draws[0]), CONFIDENCE) if scales and contributors else 0


def rules_of(member: Member, request: Request) -> Rules:
    """Return what may be shown of an answer: the stricter of what this site's policy says and what the request does.

    Where cryptography has hidden zeros too, none was opened but in the asker's own numbers. What it has not opened is
    in no total: it needs no neighbour withheld with it, as a zero that is hidden here would.
    """
    own, asked = rules_in_force(member), request.smallest
    if asked is None:
        return own
    zeros = own.zeros if asked.zeros else SHOWN
    return replace(own, smallest=max(own.smallest, asked.least), zeros=zeros)


def rules_in_force(member: Member) -> Rules:
    """Return what may be shown by this site's policy as it is now."""
    return rules_by(decisions.policy_of(member.site))


def rules_by(policy: Policy) -> Rules:
    """Return what may be shown by a policy."""
    return Rules(policy.smallest, SHOWN if policy.zeros else HIDDEN, policy.rounding)


def scales_of(cells: Cells, epsilon: Fraction | None) -> tuple[Fraction, ...]:
    """Return the scale of one site's noise for each cell; none for exact numbers."""
    return () if epsilon is None else tuple(laplace_scale(epsilon, each) for each in sensitivities(cells))


_results: WeakKeyDictionary[QueryDesk, dict[tuple[bytes, Rules], list[dict[str, Any]]]] = WeakKeyDictionary()
"""The results of released queries: they change with the rules alone, and the statistics take a moment."""


def results_of(member: Member, session: bytes, answer: Answer) -> list[dict[str, Any]]:
    """Return what may be shown of the analysis' results, as it travels: ``{site, result}``, the total first, then each
    site if told.

    They are computed in a worker process: the libraries that do it are large. If that fails, each of them is
    :func:`app.core.analysis.nothing.nothing`, and the log says where.
    """
    known = _results.setdefault(member.desk, {})
    if (session, answer.rules) not in known:
        request = member.desk.heard(session).request
        catalogue = part_of(member.site.catalogue_of(request.meanings), request.query)
        sites = len(answer.contributors)
        partly = any(answer.closed) and not answer.closed_in_total  # a total of those sites whose number was opened
        asked = [(TOTAL, answer.total, sites, answer.closed_in_total)]
        if request.query.per_site:
            rows = zip(answer.contributors, answer.rows, answer.closed, strict=True)
            asked += [(site, row, 1, closed) for site, row, closed in rows]
        given = answer.query, catalogue, answer.cells, answer.wide, asked, answer.rules, partly
        made, trouble = member.site.compute(_tried, *given)
        if trouble:
            _log.error("analysis_failed", query=session.hex(), analysis=answer.query.analysis.name, places=trouble)
            made = [to_plain(nothing(answer.query, catalogue, CONFIDENCE))] * len(asked)
        names = (site for site, *_ in asked)
        known[session, answer.rules] = [
            {"site": site, "result": result} for site, result in zip(names, made, strict=True)
        ]
    return known[session, answer.rules]


def _tried(*given: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what :func:`_analysed` does, or nothing and where it failed; a worker's task."""
    try:
        return _analysed(*given), []
    except Exception as problem:  # noqa: BLE001 - whatever it is, it concerns this one answer
        return [], log.places(problem)


def _analysed(  # noqa: PLR0917 - a worker's task is its arguments
    query: Query,
    catalogue: Catalogue,
    cells: Cells,
    scales: tuple[Fraction, ...],
    asked: Sequence[tuple[str, tuple[int, ...], int, frozenset[int]]],
    rules: Rules,
    partly: bool = False,
) -> list[dict[str, Any]]:
    """Return the plain results. ``partly`` is whether the first is a total of what was opened only."""
    from app.core.analysis.analyse import Numbers, analyse  # noqa: PLC0415 - brings scipy and more

    canonical, made = canonical_query(query, catalogue), []
    for _, values, sites, closed in asked:
        result = analyse(canonical, catalogue, Numbers(cells, values, scales, sites), CONFIDENCE)
        made.append(_as_asked(marked(result, [cells.cells[place].label for place in closed], rules), query))
    if partly:
        made[0] = noted(made[0], UNOPENED)
    return [to_plain(each) for each in show(made, rules)]


def exact_result(
    query: Query, catalogue: Catalogue, cells: Cells, values: tuple[int, ...], rules: Rules = EVERYTHING
) -> dict[str, Any]:
    """Return the plain result of exact numbers in the order of the canonical query's ``cells``, all of it unless there
    are ``rules``: that is for those who have the patients."""
    [made] = _analysed(query, catalogue, cells, (), [(TOTAL, values, 0, frozenset())], rules)
    return made


def _as_asked(result: Result, query: Query) -> Result:
    """Return a result with its variables in the order of the question: its canonical form has sorted them."""
    order = {code: place for place, code in enumerate(query.analysis.codes)}
    match result:
        case TableResult() if result.row_code != query.analysis.codes[0]:
            return replace(
                result,
                row_code=result.column_code,
                column_code=result.row_code,
                row_keys=result.column_keys,
                column_keys=result.row_keys,
                cells=tuple(zip(*result.cells, strict=True)),
                row_totals=result.column_totals,
                column_totals=result.row_totals,
            )
        case SummaryResult():
            return replace(result, variables=tuple(sorted(result.variables, key=lambda each: order[each.code])))
        case CorrelateResult():
            pairs = [
                pair if order[pair.one] < order[pair.other] else replace(pair, one=pair.other, other=pair.one)
                for pair in result.pairs
            ]
            sorted_pairs = sorted(pairs, key=lambda pair: (order[pair.one], order[pair.other]))
            return replace(result, codes=query.analysis.codes, pairs=tuple(sorted_pairs))
        case RegressResult():
            ordered = sorted(result.coefficients, key=lambda each: order.get(each.code, -1))  # the intercept first
            return replace(result, predictors=query.analysis.codes[1:], coefficients=tuple(ordered))
        case _:
            return result


def answer_to_plain(answer: Answer, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return an answer as it travels; ``count`` is None where the question is for something else, and says so where it
    is withheld (:func:`app.core.analysis.results.withheld_plain`)."""
    count = answer.count
    return {
        "count": withheld_plain(count) if isinstance(count, Withheld) else count,
        "exact": answer.exact,
        "noise_scale": float(max(answer.scales, default=Fraction(0))),
        "half_width": answer.half_width,
        "contributors": list(answer.contributors),
        "results": list(results),
    }
