"""Find out the decimal sign and the order of dates from the values of what was staged.

Both are judged from a sample of every column. Where the values leave it open (03/04/2021 and nothing that says more,
1,234 and nothing else), or columns contradict each other, it stays None: a person must say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.preparation.engine import Engine
from app.core.preparation.sources.columns import SAMPLE
from app.core.preparation.sources.source import Settings, Staged, Table
from app.core.preparation.sql import quoted

_COMMA = r"[+-]?\d*,\d+([eE][+-]?\d+)?"
_POINT = r"[+-]?\d*\.\d+([eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?[1-9]\d{0,2}[.,]\d{3}"
_YEAR_LAST = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}([T ].*)?"


def completed(engine: Engine, name: str, given: Settings, complete: Settings, tables: tuple[Table, ...]) -> Staged:
    """Return the staged source, its decimal sign and order of dates found out unless they were ``given``."""
    complete = replace(
        complete,
        decimal=given.decimal or decimal_sign(engine, tables),
        dates=given.dates or date_order(engine, tables),
    )
    settings = ("encoding", "delimiter", "decimal", "dates", "sheet")
    found_out = tuple(each for each in settings if getattr(given, each) is None and getattr(complete, each) is not None)
    return Staged(name, complete, found_out, tables)


def decimal_sign(engine: Engine, tables: Sequence[Table]) -> str | None:
    """Return "," or ".", which is also the answer where no value has one; None if the values leave it open."""
    signs = set()
    for table in tables:
        names = [column.name for column in table.columns if column.type in ("number", "code", "text")]
        for comma, point, thousands in _counts(engine, table, names, (_COMMA, _POINT, _THOUSANDS)):
            if comma + point > thousands and comma + point:
                signs.add("," if comma > point else ".")
            elif comma + point:
                signs.add("?," if comma else "?.")
    sure = {sign for sign in signs if len(sign) == 1}
    if len(sure) == 1:
        return sure.pop()
    return "." if not signs or signs == {"?."} else None


def date_order(engine: Engine, tables: Sequence[Table]) -> str | None:
    """Return ``YMD`` (also where there are no dates), ``DMY`` or ``MDY``; None if the values leave it open."""
    orders: set[str] = set()
    for table in tables:
        names = [column.name for column in table.columns if column.type == "date"]
        first = r"(1[3-9]|2\d|3[01])[-/.]\d{1,2}[-/.]\d{4}([T ].*)?"
        second = r"\d{1,2}[-/.](1[3-9]|2\d|3[01])[-/.]\d{4}([T ].*)?"
        points = r"\d{1,2}\.\d{1,2}\.\d{4}([T ].*)?"
        for year_last, day_first, day_second, dotted in _counts(
            engine, table, names, (_YEAR_LAST, first, second, points)
        ):
            if not year_last:
                continue
            if dotted == year_last or day_first > day_second:  # nobody writes the month first with full stops
                orders.add("DMY")
            elif day_second > day_first:
                orders.add("MDY")
            else:
                orders.add("?")
    orders.discard("?") if len(orders) > 1 else None
    if not orders:
        return "YMD"
    return orders.pop() if len(orders) == 1 and "?" not in orders else None


def _counts(engine: Engine, table: Table, names: Sequence[str], patterns: Sequence[str]) -> list[tuple[int, ...]]:
    """Return for each column how many of the values of a sample match each pattern."""
    if not names:
        return []
    place = quoted(table.source, table.name)
    share = min(100.0, 100 * SAMPLE / max(table.rows, 1))
    sample = place if share >= 100 else f"(SELECT * FROM {place} TABLESAMPLE system({share:.6f}%) REPEATABLE (1))"
    counts = [
        f"count(*) FILTER (regexp_full_match({quoted(name)}, '{pattern}'))" for name in names for pattern in patterns
    ]
    row = engine.one(f"SELECT {', '.join(counts)} FROM {sample}")
    size = len(patterns)
    return [tuple(map(int, row[start : start + size])) for start in range(0, len(row), size)]
