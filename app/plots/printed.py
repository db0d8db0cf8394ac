"""The tables of a result as a page has room for them: a value with its interval in one column, few enough rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.core.analysis.results import Result, SummaryResult, SurvivalResult, TableResult, Withheld
from app.core.analysis.rows import TOTAL, TwinTable, tables_of
from app.plots.sheet import estimate_words
from app.plots.twin import Twin, heading, label, twin_words
from app.plots.words import Words

_MOST_INTERVALS = 14
"""Rows of a curve that are printed; all of them are in the files."""
_MOST_COLUMNS = 5
_LEFT_OUT = frozenset({"raw", "greenwood_low", "greenwood_high", "loglog_high"})


def printed(result: Result, words: Words) -> Mapping[str, tuple[Twin, int]]:
    """Return the tables by name, each with which of its rows are there: every ``n``-th, 1 for all."""
    found: dict[str, tuple[Twin, int]] = {}
    for name, table in tables_of(result).items():
        if not table.rows:
            continue
        if isinstance(result, TableResult) and name == "main" and len(result.column_keys) <= _MOST_COLUMNS:
            found[name] = _crossed(result, words), 1
        elif isinstance(result, SummaryResult) and name == "main":
            found[name] = _turned(_joined(table, result, words)), 1
        elif isinstance(result, SurvivalResult) and name == "main":
            every = max(1, *(-(-len(curve.ends) // _MOST_INTERVALS) for curve in result.curves))
            found[name] = _joined(_thinned(table, every), result, words), every
        else:
            found[name] = _joined(table, result, words), 1
    return found


def _joined(table: TwinTable, result: Result, words: Words) -> Twin:
    """Return a table in words with each interval in the column of its value, or in one of its own."""
    twin = twin_words(table, result, words)
    places = {name: place for place, name in enumerate(table.columns)}
    ends = {name: _ends_of(name, places) for name in table.columns}
    inner = {place for found in ends.values() if found is not None for place in found}
    kept = [
        name for name in table.columns if (places[name] not in inner or name == "loglog_low") and name not in _LEFT_OUT
    ]
    columns, rows = [], [[] for _ in twin.rows]  # type: ignore[var-annotated]
    for name in kept:
        if name == "loglog_low":
            columns.append(words.say("loglog"))
        else:
            columns.append(twin.columns[places[name]])
        for made, row in zip(rows, twin.rows, strict=True):
            if name == "loglog_low":
                made.append(_between(row[places[name]], row[places["loglog_high"]], words))
                continue
            value = row[places[name]]
            if (found := ends[name]) is not None:
                low, high = row[found[0]], row[found[1]]
                if (low, high) != (value, value) and (low, high) != ("–", "–"):
                    value = words.say("range", value=value, low=low, high=high)
            made.append(value)
    numeric = tuple(name == "loglog_low" or twin.numeric[places[name]] for name in kept)
    return Twin(tuple(columns), tuple(map(tuple, rows)), numeric)


def _between(low: str, high: str, words: Words) -> str:
    return "–" if low == high == "–" else words.say("to", low=low, high=high)


def _ends_of(name: str, places: Mapping[str, int]) -> tuple[int, int] | None:
    """Return the columns of a value's interval: ``mean_low``, or the plain ``low`` for the table's one value."""
    if f"{name}_low" in places:
        return places[f"{name}_low"], places[f"{name}_high"]
    if name in ("count", "mean", "r", "coefficient", "ratio", "median") and "low" in places:
        return places["low"], places["high"]
    return None


def _thinned(table: TwinTable, every: int) -> TwinTable:
    """Return every n-th row of each group."""
    kept, seen = [], {}  # type: ignore[var-annotated]
    for row in table.rows:
        seen[row[0]] = seen.get(row[0], 0) + 1
        if seen[row[0]] % every == 0 or isinstance(row[2], Withheld):
            kept.append(row)
    return TwinTable(table.columns, tuple(kept))


def _turned(twin: Twin) -> Twin:
    """Return a table with its rows as columns."""
    heads = [row[0] for row in twin.rows]
    rows = [(name, *(row[place] for row in twin.rows)) for place, name in enumerate(twin.columns) if place]
    return Twin((twin.columns[0], *heads), tuple(rows), (False, *(True for _ in heads)))


def _crossed(result: TableResult, words: Words) -> Twin:
    """Return a table of two variables as one expects it, with its totals."""
    columns = [label("column", key, result, words) for key in (*result.column_keys, TOTAL)]
    rows: list[Sequence[str]] = []
    for key, cells, total in zip(result.row_keys, result.cells, result.row_totals, strict=True):
        rows.append([label("row", key, result, words), *(estimate_words(cell, words) for cell in (*cells, total))])
    totals = [estimate_words(total, words) for total in (*result.column_totals, result.total)]
    rows.append([words.say("total"), *totals])
    corner = f"{heading('row', result, words)} / {heading('column', result, words)}"
    return Twin((corner, *columns), tuple(map(tuple, rows)), (False, *(True for _ in columns)))
