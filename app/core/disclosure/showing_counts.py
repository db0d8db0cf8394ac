"""What may be shown of exact results that are counts; see :mod:`app.core.disclosure.showing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.analysis.coarser import table_again
from app.core.analysis.results import (
    BELOW,
    SMALL,
    AttritionResult,
    CountResult,
    Estimate,
    GroupCount,
    GroupsResult,
    Result,
    Step,
    TableResult,
)
from app.core.disclosure import protecting
from app.core.disclosure.marking import R, bare, counted, noted, share_of
from app.core.disclosure.protecting import Place, Rules


def counts(results: Sequence[CountResult], rules: Rules) -> tuple[Result, ...]:
    """Return counts; the sites' own with as many others as their total would otherwise tell them by."""
    total, *sites = results
    if not sites:
        small = rules.small(_value(total.count))
        return (_count(total, rules, withheld=small, why=BELOW),)
    withheld, whole = protecting.line([_value(each.count) for each in sites], rules)
    return (
        _count(total, rules, withheld=whole),
        *(_count(each, rules, withheld=place in withheld) for place, each in enumerate(sites)),
    )


def _count(found: CountResult, rules: Rules, *, withheld: bool, why: str = SMALL) -> CountResult:
    count = counted(found.count.value, rules, withheld=withheld, why=why)
    return _marked(replace(found, count=count, raw=_raw(count)), rules, withheld)


def groups(results: Sequence[GroupsResult], rules: Rules) -> tuple[Result, ...]:
    """Return breakdowns or histograms."""
    total, *sites = results
    values = [_value(each.count) for each in total.groups]
    if not sites:
        withheld, whole = protecting.line(values, rules)
        return (_groups(total, withheld, rules, total=whole),)
    rows = [[_value(each.count) for each in site.groups] for site in sites]
    apart = _apart(rows, rules)
    forced = frozenset(place for place, (_, hidden) in enumerate(apart) if hidden)
    floors = [sum(rules.spare(row[place]) and rules.floor for row in rows) for place in range(len(values))]
    withheld, whole = protecting.line(values, rules, forced, floors)
    made = [_groups(total, withheld, rules, total=whole)]
    for at, (site, row) in enumerate(zip(sites, rows, strict=True)):
        mine = _mine(at, row, apart, withheld, rules)
        made.append(_groups(site, mine, rules, total=bool(mine) or rules.small(sum(row))))
    return tuple(made)


def _apart(rows: Sequence[Sequence[float]], rules: Rules) -> list[tuple[frozenset[int], bool]]:
    """Return for each cell at which sites it is withheld, and whether over all of them."""
    return [protecting.line(values, rules) for values in zip(*rows, strict=True)]


def _mine(
    at: int,
    row: Sequence[float],
    apart: Sequence[tuple[frozenset[int], bool]],
    withheld: frozenset[int],
    rules: Rules,
) -> frozenset[int]:
    """Return which cells of a site are withheld: where the total's is, that of every site."""
    return frozenset(
        place
        for place, (sites, _) in enumerate(apart)
        if at in sites or (place in withheld and rules.spare(row[place]))
    )


def _groups(found: GroupsResult, withheld: frozenset[int], rules: Rules, *, total: bool) -> GroupsResult:
    whole = counted(found.total.value, rules, withheld=total)
    made: list[GroupCount] = []
    for place, each in enumerate(found.groups):
        count = counted(each.count.value, rules, withheld=place in withheld)
        made.append(GroupCount(each.key, count, share_of(count, whole), _raw(count)))
    return _marked(replace(found, groups=tuple(made), total=whole), rules, bool(withheld) or total)


def tables(results: Sequence[TableResult], rules: Rules) -> tuple[Result, ...]:
    """Return tables with their totals; per site, a total goes with every cell of its row or column."""
    total, *sites = results
    cells = _cells(total)
    if not sites:
        return (_table(total, protecting.table(cells, rules), rules),)
    width = len(total.column_keys)
    rows = [[value for row in _cells(site) for value in row] for site in sites]
    apart = _apart(rows, rules)
    forced = frozenset(divmod(place, width) for place, (_, hidden) in enumerate(apart) if hidden)
    floors = [
        [sum(rules.spare(row[i * width + j]) and rules.floor for row in rows) for j in range(width)]
        for i in range(len(cells))
    ]
    withheld = protecting.table(cells, rules, forced, floors)
    made = [_table(total, withheld, rules)]
    flat = frozenset(i * width + j for i, j in withheld if i < len(cells) and j < width)
    for at, (site, row) in enumerate(zip(sites, rows, strict=True)):
        mine = {divmod(place, width) for place in _mine(at, row, apart, flat, rules)}
        made.append(_table(site, _with_totals(site, mine, withheld, rules), rules))
    return tuple(made)


def _with_totals(site: TableResult, cells: set[Place], over_all: frozenset[Place], rules: Rules) -> frozenset[Place]:
    """Return a site's withheld places with the totals that would tell of them, or of totals over all sites."""
    last_row, last_column = len(site.row_keys), len(site.column_keys)
    totals = {(i, last_column) for i, _ in cells} | {(last_row, j) for _, j in cells}
    margins = {(i, last_column): each for i, each in enumerate(site.row_totals)}
    margins |= {(last_row, j): each for j, each in enumerate(site.column_totals)}
    totals |= {place for place in over_all & margins.keys() if rules.spare(_value(margins[place]))}
    totals |= {(i, last_column) for i, each in enumerate(site.row_totals) if rules.small(_value(each))}
    totals |= {(last_row, j) for j, each in enumerate(site.column_totals) if rules.small(_value(each))}
    if cells or totals or rules.small(_value(site.total)):
        totals.add((last_row, last_column))
    return frozenset(cells | totals)


def _table(found: TableResult, withheld: frozenset[Place], rules: Rules) -> TableResult:
    last_row, last_column = len(found.row_keys), len(found.column_keys)

    def at(i: int, j: int, each: Estimate) -> Estimate:
        return counted(each.value, rules, withheld=(i, j) in withheld)

    made = replace(
        found,
        cells=tuple(tuple(at(i, j, cell) for j, cell in enumerate(row)) for i, row in enumerate(found.cells)),
        row_totals=tuple(at(i, last_column, each) for i, each in enumerate(found.row_totals)),
        column_totals=tuple(at(last_row, j, each) for j, each in enumerate(found.column_totals)),
        total=at(last_row, last_column, found.total),
    )
    if withheld:
        made = noted(replace(bare(made), chi2=None, cramers_v=None, fisher=None), "tests_withheld")
    elif rules.rounding > 1 and all(cell.withheld is None for row in made.cells for cell in row):
        again = table_again(found, _cells(made))
        made = replace(made, chi2=again.chi2, cramers_v=again.cramers_v, fisher=again.fisher, notes=again.notes)
    return _marked(made, rules, bool(withheld))


def _cells(found: TableResult) -> list[list[float]]:
    return [[_value(cell) for cell in row] for row in found.cells]


def funnels(results: Sequence[AttritionResult], rules: Rules) -> tuple[Result, ...]:
    """Return funnels: the same steps of all sites, or none of the sites' own."""
    total, *sites = results
    every = frozenset(range(len(total.steps)))
    rows = [[_value(step.count) for step in each.steps] for each in results]
    withheld, alone = protecting.steps(rows, rules), protecting.steps(rows[:1], rules)
    if withheld is None or (sites and 0 in withheld):  # some site has too few altogether
        own = tuple(_funnel(each, every, rules) for each in sites)
        return (_funnel(total, every if alone is None else alone, rules), *own)
    return tuple(_funnel(each, withheld, rules) for each in results)


def _funnel(found: AttritionResult, withheld: frozenset[int], rules: Rules) -> AttritionResult:
    shown = [counted(step.count.value, rules, withheld=place in withheld) for place, step in enumerate(found.steps)]
    made = tuple(
        Step(step.number, count, share_of(count, shown[0]), _raw(count))
        for step, count in zip(found.steps, shown, strict=True)
    )
    return _marked(replace(found, steps=made), rules, bool(withheld))


def _marked(found: R, rules: Rules, withheld: bool) -> R:
    notes = (["small_withheld"] if withheld else []) + (["rounded"] if rules.rounding > 1 else [])
    return noted(found, *notes)


def _raw(count: Estimate) -> int | None:
    return None if count.value is None else int(count.value)


def _value(found: Estimate) -> float:
    return found.value or 0.0
