"""The table twin of every result: what a figure shows, as rows, for a table view and for CSV.

Columns and labels are keys, as in :mod:`app.core.analysis.results`: whoever shows a table translates them. Beside the
keys of groups there are :data:`TOTAL` and :data:`DIFFERENCE`, which no code of a level can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from app.core.analysis.results import (
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
    Test,
    Withheld,
)

TOTAL = "(total)"
DIFFERENCE = "(difference)"
MAIN = "main"
"""The name of the table that says what the figure does."""

Value: TypeAlias = str | int | float | Withheld | None


@dataclass(frozen=True, slots=True)
class TwinTable:
    """Rows aligned with ``columns``; None is an empty field, and what is withheld says so."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def table_of(result: Result) -> TwinTable:
    """Return the table that says what the result's figure does."""
    return tables_of(result)[MAIN]


def tables_of(result: Result) -> dict[str, TwinTable]:
    """Return all tables of a result by name: :data:`MAIN` first, then what else it found.

    ``between`` are the counts of a summary, ``tests`` p-values, ``fit`` how well a regression fits, ``medians`` and
    ``hazard_ratios`` belong to survival.
    """
    return dict(_tables(result))


def _tables(result: Result) -> Iterator[tuple[str, TwinTable]]:  # noqa: PLR0912 - one case a kind of result
    match result:
        case CountResult():
            yield MAIN, _made("count low high raw", [(*_interval(result.count), result.raw)])
        case GroupsResult():
            total = (TOTAL, *_interval(result.total), 1.0 if result.total.value else None, None)
            yield MAIN, _made("group count low high share raw", [*map(_group, result.groups), total])
        case TableResult():
            yield MAIN, _made("row column count low high", _cells(result))
            yield "tests", _made("test statistic df p", _table_tests(result))
        case SummaryResult():
            yield MAIN, _summary(result)
            between = [(each.code, *_group(group)) for each in result.variables for group in each.between]
            yield "between", _made("variable group count low high share raw", between)
        case CompareResult():
            yield MAIN, _made("group n mean low high deviation", _means(result))
            yield "tests", _made("test statistic df p", [("welch", *_test(result.test))])
        case CorrelateResult():
            pairs = [(each.one, each.other, *_interval(each.r), each.p, _value(result.n)) for each in result.pairs]
            yield MAIN, _made("one other r low high p n", pairs)
        case RegressResult():
            fitted = [(c.code, *_interval(c.estimate), c.error, *_test(c.test)) for c in result.coefficients]
            yield MAIN, _made("variable coefficient low high error statistic df p", fitted)
            fit = (_value(result.n), result.r2, result.adjusted_r2, result.residual_deviation, result.residual_df)
            columns = "n r2 adjusted_r2 residual_deviation residual_df statistic df p"
            yield "fit", _made(columns, [(*fit, *_test(result.f))])
        case SurvivalResult():
            yield from _survival(result)
        case AttritionResult():
            steps = [(each.number, *_interval(each.count), each.share, each.raw) for each in result.steps]
            yield MAIN, _made("step count low high share raw", steps)


def _survival(result: SurvivalResult) -> Iterator[tuple[str, TwinTable]]:
    columns = "end at_risk events censored survival greenwood_low greenwood_high loglog_low loglog_high"
    rows: list[tuple[Value, ...]] = [
        (curve.key, *row)
        for curve in result.curves
        for row in zip(
            curve.ends,
            curve.at_risk,
            curve.events,
            curve.censored,
            curve.survival,
            curve.greenwood_low,
            curve.greenwood_high,
            curve.loglog_low,
            curve.loglog_high,
            strict=True,
        )
    ]
    few = [(each.key, each.n.withheld) for each in result.curves if each.n.withheld is not None]
    rows += [(key, None, withheld, withheld, withheld, *[None] * 5) for key, withheld in few]
    yield MAIN, _made(f"group {columns}", rows)
    medians = [
        (each.key, *map(_value, (each.n, each.total_events, each.total_censored)), *_interval(each.median))
        for each in result.curves
    ]
    yield "medians", _made("group n events censored median low high", medians)
    tests = [(each.weights, " ".join(each.groups), *_test(each.test)) for each in (*result.tests, *result.pairwise)]
    yield "tests", _made("test groups statistic df p", tests)
    ratios = [(each.key, each.reference, *_interval(each.ratio), each.p) for each in result.hazard_ratios]
    yield "hazard_ratios", _made("group reference ratio low high p", ratios)


def _summary(result: SummaryResult) -> TwinTable:
    names = ["variable"]
    names += [f"{name}{end}" for name in ("n", "mean", "deviation") for end in ("", "_low", "_high")]
    if result.variables:
        levels = [f"q{round(each.level * 100):02d}" for each in result.variables[0].quantiles]
        names += [f"{name}{end}" for name in levels for end in ("", "_low", "_high")]
    rows = [
        (
            each.code,
            *(value for found in (each.n, each.mean, each.deviation) for value in _interval(found)),
            *(value for quantile in each.quantiles for value in (quantile.value, quantile.low, quantile.high)),
        )
        for each in result.variables
    ]
    return TwinTable(tuple(names), tuple(rows))


def _cells(result: TableResult) -> Iterator[tuple[Value, ...]]:
    for row, (key, total) in enumerate(zip(result.row_keys, result.row_totals, strict=True)):
        for column, cell in zip(result.column_keys, result.cells[row], strict=True):
            yield key, column, *_interval(cell)
        yield key, TOTAL, *_interval(total)
    for column, total in zip(result.column_keys, result.column_totals, strict=True):
        yield TOTAL, column, *_interval(total)
    yield TOTAL, TOTAL, *_interval(result.total)


def _table_tests(result: TableResult) -> Iterator[tuple[Value, ...]]:
    yield "chi2", *_test(result.chi2)
    yield "cramers_v", result.cramers_v, None, None
    if result.fisher is not None:
        yield "fisher", *_test(result.fisher)


def _means(result: CompareResult) -> Iterator[tuple[Value, ...]]:
    for each in result.groups:
        yield each.key, _value(each.n), *_interval(each.mean), _value(each.deviation)
    yield DIFFERENCE, None, *_interval(result.difference), None


def _group(group: GroupCount) -> tuple[Value, ...]:
    return group.key, *_interval(group.count), group.share, group.raw


def _interval(estimate: Estimate | None) -> tuple[Value, Value, Value]:
    return (None, None, None) if estimate is None else (_value(estimate), estimate.low, estimate.high)


def _value(estimate: Estimate) -> Value:
    return estimate.value if estimate.withheld is None else estimate.withheld


def _test(test: Test | None) -> tuple[Value, Value, Value]:
    return (None, None, None) if test is None else (test.statistic, test.df, test.p)


def _made(columns: str, rows: Iterable[tuple[Value, ...]]) -> TwinTable:
    return TwinTable(tuple(columns.split()), tuple(rows))
