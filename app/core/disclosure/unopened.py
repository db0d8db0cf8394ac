"""What is known of a result whose small counts cryptography has not opened: they were never there to be shown.

An analysis is made as if they were none, so that totals are made of what was opened only; here they are marked, and
what cannot be said without them is taken out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from app.core.analysis.results import (
    BELOW,
    SMALL,
    AttritionResult,
    CompareResult,
    CorrelateResult,
    CountResult,
    Estimate,
    GroupCount,
    GroupsResult,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    VariableSummary,
)
from app.core.disclosure import showing_statistics as statistics
from app.core.disclosure.marking import hidden, noted
from app.core.disclosure.protecting import Rules

Label = tuple[str, ...]
UNOPENED = "small_unopened"
"""The note that says so: totals are those of the numbers that were opened."""


def marked(found: Result, closed: Collection[Label], rules: Rules) -> Result:
    """Return a result with the cells of these labels (:mod:`app.core.query.cells`) marked as withheld."""
    return noted(_marked(found, closed, rules), UNOPENED) if closed else found


def _marked(found: Result, closed: Collection[Label], rules: Rules) -> Result:  # noqa: PLR0911 - one return a kind
    first = frozenset(label[0] for label in closed)
    match found:
        case CountResult():
            return replace(found, count=hidden(rules, BELOW), raw=None)
        case GroupsResult():
            groups = tuple(_group(each, each.key in first, rules) for each in found.groups)
            return replace(found, groups=groups, total=_of(found.total, [each.count for each in groups], rules))
        case TableResult():
            return _table(found, closed, rules)
        case AttritionResult():
            steps = tuple(
                replace(each, count=hidden(rules), share=None, raw=None)
                if ("step", str(each.number)) in closed
                else each
                for each in found.steps
            )
            if steps[0].count.withheld is not None:
                steps = tuple(replace(each, share=None) for each in steps)
            return replace(found, steps=steps)
        case SummaryResult():
            return replace(found, variables=tuple(_variable(each, closed, rules) for each in found.variables))
        case CompareResult():
            return statistics.without_groups(found, first, rules)
        case CorrelateResult():
            return statistics.without_pairs(found, rules)
        case RegressResult():
            return statistics.without_fit(found, rules)
        case SurvivalResult():
            return statistics.without_curves(found, first, rules)


def _group(found: GroupCount, closed: bool, rules: Rules) -> GroupCount:
    return GroupCount(found.key, hidden(rules, SMALL), None, None) if closed else found


def _of(total: Estimate, parts: list[Estimate], rules: Rules) -> Estimate:
    """Return a total: withheld where all of its parts are."""
    return hidden(rules) if parts and all(each.withheld is not None for each in parts) else total


def _table(found: TableResult, closed: Collection[Label], rules: Rules) -> TableResult:
    cells = [
        [
            hidden(rules) if (row, column) in closed else cell
            for column, cell in zip(found.column_keys, line, strict=True)
        ]
        for row, line in zip(found.row_keys, found.cells, strict=True)
    ]
    columns = [[line[place] for line in cells] for place in range(len(found.column_keys))]
    return noted(
        replace(
            found,
            cells=tuple(map(tuple, cells)),
            row_totals=tuple(_of(total, line, rules) for total, line in zip(found.row_totals, cells, strict=True)),
            column_totals=tuple(
                _of(total, line, rules) for total, line in zip(found.column_totals, columns, strict=True)
            ),
            total=_of(found.total, [cell for line in cells for cell in line], rules),
            chi2=None,
            cramers_v=None,
            fisher=None,
        ),
        "tests_withheld",
    )


def _variable(found: VariableSummary, closed: Collection[Label], rules: Rules) -> VariableSummary:
    mine = [label for label in closed if label[0] == found.code]
    keys = frozenset(label[2] for label in mine if label[1] == "between")
    if not mine:
        return found
    if len(keys) == len(found.between) or any(label[1] != "between" for label in mine):
        return statistics.without_variable(found, rules)
    return replace(
        found,
        between=tuple(_group(each, each.key in keys, rules) for each in found.between),
        quantiles=tuple(replace(each, value=None, low=None, high=None) for each in found.quantiles),
    )
