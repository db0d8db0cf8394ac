"""The table twins of results in words: headings and cells as they are printed, and labels beside keys for CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.analysis.results import (
    INTERCEPT,
    CompareResult,
    GroupsResult,
    Result,
    SurvivalResult,
    TableResult,
    Withheld,
)
from app.core.analysis.rows import DIFFERENCE, TOTAL, TwinTable, Value, tables_of
from app.plots.words import Words

_COUNTS = frozenset({"count", "raw", "n", "n_low", "n_high", "at_risk", "events", "censored"})
_SHARES = frozenset({"share", "survival", "greenwood_low", "greenwood_high", "loglog_low", "loglog_high"})
_HUNDREDTHS = frozenset({"r", "r2", "adjusted_r2"})
_KEYS = frozenset({"group", "row", "column", "variable", "one", "other", "test", "groups", "reference", "step"})
"""Columns whose cells are keys."""


@dataclass(frozen=True)
class Twin:
    """A table in words; ``numeric`` says which columns are numbers, and stand at the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def twin_words(table: TwinTable, result: Result, words: Words) -> Twin:
    """Return a table of ``result`` in words."""
    return Twin(
        tuple(heading(name, result, words) for name in table.columns),
        tuple(
            tuple(_cell(name, value, table, result, words) for name, value in zip(table.columns, row, strict=True))
            for row in table.rows
        ),
        tuple(name not in _KEYS for name in table.columns),
    )


def twins_of(result: Result, words: Words) -> Mapping[str, Twin]:
    """Return all tables of a result in words by name, the one that says what the figure does first."""
    return {name: twin_words(table, result, words) for name, table in tables_of(result).items()}


def title(name: str, words: Words) -> str:
    """Return what a table is called."""
    return words.say(f"table.{name}")


def heading(name: str, result: Result, words: Words) -> str:  # noqa: PLR0911 - one return a kind of column
    """Return the heading of a column."""
    match name, result:
        case "group", GroupsResult():
            return words.measured(result.code)
        case "group", CompareResult():
            return words.variable(result.by_code)
        case "group", SurvivalResult() if result.by_code is not None:
            return words.variable(result.by_code)
        case "row", TableResult():
            return words.measured(result.row_code)
        case "column", TableResult():
            return words.measured(result.column_code)
    stem, _, end = name.partition("_")
    if stem.startswith("q") and stem[1:].isdigit():
        said = words.say("quantile_of", level=words.percent(int(stem[1:]) / 100))
        return said if not end else _ended(said, end, words)
    if end in ("low", "high") and stem in ("n", "mean", "deviation"):
        return _ended(words.say(f"column.{stem}"), end, words)
    return words.say(f"column.{name}")


def _ended(said: str, end: str, words: Words) -> str:
    return words.say("column_low", what=said) if end == "low" else words.say("column_high", what=said)


def label(name: str, value: Value, result: Result, words: Words) -> str:  # noqa: PLR0911 - one return a kind of key
    """Return the key in a column in words."""
    if value is None or isinstance(value, Withheld):
        return ""
    if value == TOTAL:
        return words.say("total")
    if value == DIFFERENCE:
        return words.say("difference_of")
    key = str(value)
    match name:
        case "step":
            return words.criterion(int(value))
        case "test":
            return words.say(f"test.{key}")
        case "groups":
            return ", ".join(_group(each, "group", result, words) for each in key.split(" "))
        case "variable" | "one" | "other":
            return words.say("intercept") if key == INTERCEPT else words.measured(key)
        case _:
            return _group(key, name, result, words)


def _group(key: str, name: str, result: Result, words: Words) -> str:
    match result:
        case TableResult():
            return words.group(result.row_code if name == "row" else result.column_code, key)
        case GroupsResult():
            return words.group(result.code, key)
        case CompareResult() | SurvivalResult() if result.by_code is not None:
            return words.group(result.by_code, key)
        case _:
            return words.interval(None, *key[1:-1].split(",")) if key.startswith("[") else key or words.say("everyone")


def _cell(name: str, value: Value, table: TwinTable, result: Result, words: Words) -> str:  # noqa: PLR0911 - one return a kind of cell
    if name in _KEYS:
        return label(name, value, result, words)
    if value is None:
        return "–"
    if isinstance(value, Withheld):
        return words.withheld(value)
    number = float(value)
    counted = "count" in table.columns and name in ("low", "high")
    if name in _COUNTS or counted:
        return words.number(number)
    if name in _SHARES:
        return words.percent(number, 1)
    if name == "p":
        return words.p_alone(number)
    if name in ("df", "residual_df", "end", "median") or "median" in table.columns:
        return words.decimal(number, 0 if number.is_integer() else 1)
    if name in _HUNDREDTHS or (name in ("low", "high") and "r" in table.columns):
        return words.decimal(number, 2)
    return words.significant(number)


def is_key(name: str) -> bool:
    """Return whether the cells of a column are keys, that have labels."""
    return name in _KEYS
