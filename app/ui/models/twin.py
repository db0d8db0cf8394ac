"""The table twin of a figure: a result as rows of words and numbers, as a reader wants them on a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.core.analysis.results import (
    INTERCEPT,
    CompareResult,
    Estimate,
    GroupsResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    VariableSummary,
    Withheld,
)
from app.core.analysis.rows import DIFFERENCE, TOTAL, Value, table_of
from app.plots.options import Options
from app.plots.words import Words
from app.texts import text
from app.ui.locale import number
from app.ui.models.answers import Says, says, time_unit

_ENDS = ("low", "high")
_COUNTS = frozenset({"count", "raw", "n", "at_risk", "events", "censored"})
_SHARES = frozenset({"share", "survival"})
_LEAST_P = 0.001


@dataclass(frozen=True)
class Cell:
    """What is shown, and the whole ``value`` where it is a number; ``text`` is whether it stands at the left.

    A ``share`` is between 0 and 1, and shown in percent.
    """

    words: str
    value: float | None = None
    text: bool = False
    share: bool = False


@dataclass(frozen=True)
class Twin:
    """Columns' heads, and rows of as many cells; the first ``keys`` cells say what a row is about.

    ``main`` is the column that one looks for when two twins are compared.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    keys: int = 1
    main: int = 1


Row = tuple[Cell, ...]


def twin_of(result: Result, words: Words, options: Options | None = None) -> Twin:
    """Return the twin of a result; of survival, with the intervals that the figure shows."""
    said = says(result, words)
    match result:
        case TableResult():
            return _matrix(result, said)
        case SummaryResult():
            return _summaries(result, said)
        case _:
            return _listed(result, said, options or Options())


def several(twins: Sequence[tuple[str, Twin]], head: str) -> Twin:
    """Return twins of the same shape below each other, each row with the name of whose it is."""
    rows = tuple((Cell(name, text=True), *row) for name, twin in twins for row in twin.rows)
    first = twins[0][1]
    return Twin((head, *first.columns), rows, first.keys + 1, first.main + 1)


# --- rows as the analysis lists them --------------------------------------------------------------------------------


def _listed(result: Result, said: Says, options: Options) -> Twin:
    table = table_of(result)
    names, rows = list(table.columns), [list(row) for row in table.rows]
    if isinstance(result, SurvivalResult):
        names, rows = _one_interval(names, rows, options)
    kept = [place for place in range(len(names)) if not _needless(place, names, rows, result)]
    names, rows = [names[place] for place in kept], [[row[place] for place in kept] for row in rows]
    heads = [_head(place, names, said, result) for place in range(len(names))]
    writers = [_writer(place, names, said, result) for place in range(len(names))]
    cells = tuple(tuple(write(value) for write, value in zip(writers, row, strict=True)) for row in rows)
    keys = {"survival": 2, "correlate": 2, "count": 0}.get(result.kind, 1)
    main = {"survival": names.index("survival") if "survival" in names else 2, "compare": 2}.get(result.kind, keys)
    return Twin(tuple(heads), cells, keys, main)


def _one_interval(names: list[str], rows: list[list[Value]], options: Options) -> tuple[list[str], list[list[Value]]]:
    """Leave out the intervals that the figure does not show."""
    wanted = [
        place for place, name in enumerate(names) if not name.endswith(_ENDS) or name.startswith(options.interval)
    ]
    rows = [[row[place] for place in wanted] for row in rows]
    return [names[place].removeprefix(f"{options.interval}_") for place in wanted], rows


def _needless(place: int, names: list[str], rows: list[list[Value]], result: Result) -> bool:
    """Return whether a column says nothing: the intervals of exact numbers, what was opened where nothing differs."""
    name = names[place]
    if name == "raw":
        return result.noise_width is None
    values = [row[place] for row in rows]
    if name in _ENDS:
        about = _about(place, names)
        return all(row[place] in (None, row[about]) for row in rows)
    return bool(rows) and all(value is None for value in values)


def _about(place: int, names: list[str]) -> int:
    """Return the column whose interval a column belongs to."""
    while names[place] in _ENDS:
        place -= 1
    return place


def _head(place: int, names: list[str], said: Says, result: Result) -> str:
    name = names[place]
    if name in _ENDS:
        return _end(name, said, result.confidence)
    if name == "end" and isinstance(result, SurvivalResult):
        return text("ui.results.time_end", unit=text(f"ui.results.unit.{time_unit(result)[1]}"))
    return text(f"ui.results.column.{name}")


def _end(name: str, said: Says, confidence: float) -> str:
    return text(f"ui.results.interval_end.{name}", percent=said.words.percent(confidence))


def _writer(place: int, names: list[str], said: Says, result: Result) -> Callable[[Value], Cell]:
    """Return what writes the cells of a column."""
    name = names[_about(place, names)]
    named: dict[str, Callable[[Value], str]] = {
        "group": lambda value: _group(result, str(value), said.words),
        "variable": lambda value: _variable(str(value), said.words),
        "one": lambda value: _variable(str(value), said.words),
        "other": lambda value: _variable(str(value), said.words),
        "step": lambda value: said.words.criterion(int(str(value or 0))),
    }
    if (write := named.get(name)) is not None:
        return lambda value: Cell(write(value), text=True)
    if name in _SHARES:
        return lambda value: replace(_number(value, lambda share: said.words.percent(share, 1), said.words), share=True)
    numbers: dict[str, Callable[[float], str]] = {
        "end": said.days,
        "df": said.freedom,
        "p": lambda p: _p_value(p, said),
        **dict.fromkeys(_COUNTS, said.count),
    }
    digits = numbers.get(name, said.value)
    return lambda value: _number(value, digits, said.words)


def _number(value: Value, write: Callable[[float], str], words: Words) -> Cell:
    if isinstance(value, Withheld):
        return Cell(words.withheld(value))
    return Cell(write(value), value) if isinstance(value, int | float) else Cell("")


def _p_value(p: float, said: Says) -> str:
    return f"< {said.words.decimal(_LEAST_P, 3)}" if p < _LEAST_P else said.words.decimal(p, 3)


def _group(result: Result, key: str, words: Words) -> str:
    if key in (TOTAL, DIFFERENCE):
        return text("ui.results.total" if key == TOTAL else "ui.results.difference")
    match result:
        case GroupsResult(code=code) | CompareResult(by_code=code):
            return words.group(code, key)
        case SurvivalResult(by_code=str(code)):
            return words.group(code, key)
        case _:
            return words.say("everyone")


def _variable(code: str, words: Words) -> str:
    return text("ui.results.intercept") if code == INTERCEPT else words.measured(code)


# --- a table of two variables, and summaries ------------------------------------------------------------------------


def _matrix(result: TableResult, said: Says) -> Twin:
    """Return rows and columns as they cross, with their totals."""
    words = said.words
    columns = [words.group(result.column_code, key) for key in result.column_keys]
    rows: list[Row] = []
    for place, key in enumerate(result.row_keys):
        cells = (_counted(each, said) for each in (*result.cells[place], result.row_totals[place]))
        rows.append((Cell(words.group(result.row_code, key), text=True), *cells))
    totals = (_counted(each, said) for each in (*result.column_totals, result.total))
    rows.append((Cell(text("ui.results.total"), text=True), *totals))
    return Twin((words.variable(result.row_code), *columns, text("ui.results.total")), tuple(rows), 1, len(columns) + 1)


def _counted(found: Estimate, said: Says) -> Cell:
    if found.withheld is not None:
        return Cell(said.words.withheld(found.withheld))
    if found.value is None:
        return Cell(text("ui.results.withheld"))
    if found.low == found.value == found.high:
        return Cell(said.count(found.value), found.value)
    return Cell(said.counted(found), found.value)


def _summaries(result: SummaryResult, said: Says) -> Twin:
    """Return each variable's statistics below each other."""
    low, high = (_end(end, said, result.confidence) for end in _ENDS)
    heads = (text("ui.results.column.variable"), text("ui.results.column.statistic"), text("ui.results.column.value"))
    rows = tuple(row for each in result.variables for row in _summary(each, said))
    return Twin((*heads, low, high), rows, 2, 2)


def _summary(each: VariableSummary, said: Says) -> list[Row]:
    named = Cell(said.words.measured(each.code), text=True)
    found = [_statistic(named, text("ui.results.column.n"), each.n, said.count, said.words)]
    if each.mean is not None:
        found.append(_statistic(named, text("ui.results.column.mean"), each.mean, said.value, said.words))
    if each.deviation is not None:
        found.append(_statistic(named, text("ui.results.column.deviation"), each.deviation, said.value, said.words))
    for quantile in each.quantiles:
        name = text("ui.results.quantile", percent=said.words.percent(quantile.level))
        spread = Estimate(quantile.value, quantile.low, quantile.high)
        found.append(_statistic(named, name, spread, said.value, said.words))
    return found


def _statistic(named: Cell, name: str, found: Estimate, write: Callable[[float], str], words: Words) -> Row:
    exact = found.low == found.value == found.high
    ends = (None, None) if exact else (found.low, found.high)
    return (
        named,
        Cell(name, text=True),
        *(_number(value, write, words) for value in (found.withheld or found.value, *ends)),
    )


# --- two of them ----------------------------------------------------------------------------------------------------


def differences(one: Twin, other: Twin, names: tuple[str, str]) -> Twin | None:
    """Return what two twins have in common with the difference, the second less the first; None if nothing.

    A row is in it if both have its keys; the numbers are those of the column ``main``.
    """
    if one.columns[: one.keys] != other.columns[: other.keys] or one.columns[one.main] != other.columns[other.main]:
        return None
    theirs = {_keys(row, other): row for row in other.rows}
    rows = []
    for row in one.rows:
        found = theirs.get(_keys(row, one))
        if found is None:
            continue
        left, right = row[one.main], found[other.main]
        rows.append((*row[: one.keys], left, right, _difference(left, right)))
    heads = (*one.columns[: one.keys], *names, text("ui.results.difference"))
    return Twin(heads, tuple(rows), one.keys, one.keys + 2) if rows else None


def _keys(row: Row, twin: Twin) -> tuple[str, ...]:
    return tuple(cell.words for cell in row[: twin.keys])


def _difference(left: Cell, right: Cell) -> Cell:
    if left.value is None or right.value is None:
        return Cell("")
    value = right.value - left.value
    return Cell(_signed(value, share=left.share), value)


def _signed(value: float, *, share: bool) -> str:
    """Return a difference with its sign, of shares in percentage points."""
    amount = abs(value) * 100 if share else abs(value)
    places = 1 if share else 0 if float(value).is_integer() else 3
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{number(amount, places)}"
