"""Describe the columns of a staged table: how many values, how many different ones, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources.source import Column
from app.core.preparation.sql import quoted

MOST_DISTINCT = 1_000
"""More different values are not counted."""
EXAMPLES = 5
SAMPLE = 50_000
"""What values look like is judged from so many rows, spread over the table."""
_AT_A_TIME = 50  # columns in one statement
_MOSTLY = 0.9  # a few words like "unknown" do not make a column of numbers one of texts
_SHOWN = 200  # characters of an example
_FEW = 12  # as many different small numbers are rather codes

NUMBER = r"[+-]?(\d{1,18}([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?"
DATE = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ]\d{1,2}:\d{2}.*)?"
_ZERO_IN_FRONT = r"0\d+"
_CODE = r"[^\s]{1,24}"
_SHORT_NUMBER = r"-?\d{1,3}"
_FLAGS = "('0', '1', 'true', 'false', 'yes', 'no', 'y', 'n', 'ja', 'nein', 'oui', 'non')"


def columns_of(
    engine: Engine,
    source: str,
    table: str,
    names: Sequence[str],
    *,
    labels: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    units: Mapping[str, str] | None = None,
    identifiers: Mapping[str, str] | None = None,
    job: Job | None = None,
) -> tuple[Column, ...]:
    """Describe the columns ``names`` of a staged table; the mappings say, by column, what the format knows of them."""
    place = quoted(source, table)
    described: list[Column] = []
    for start in range(0, len(names), _AT_A_TIME):
        some = names[start : start + _AT_A_TIME]
        for name, figures in zip(some, _figures(engine, place, some, job), strict=True):
            coded = dict((values or {}).get(name, {}))
            described.append(
                Column(
                    name,
                    "code" if coded else figures["type"],
                    figures["filled"],
                    figures["distinct"],
                    figures["examples"],
                    (labels or {}).get(name),
                    (units or {}).get(name),
                    (identifiers or {}).get(name),
                    coded,
                )
            )
    return tuple(described)


def _figures(engine: Engine, place: str, names: Sequence[str], job: Job | None) -> list[dict[str, Any]]:
    counts = _row(
        engine, place, [f"count({quoted(name)}), approx_count_distinct({quoted(name)})" for name in names], job
    )
    total = int(engine.one(f"SELECT count(*) FROM {place}")[0])
    share = 100 * SAMPLE / max(total, 1)
    sample = place if share >= 100 else f"(SELECT * FROM {place} TABLESAMPLE system({share:.6f}%) REPEATABLE (1))"
    looks = _row(engine, sample, [_looks(quoted(name)) for name in names], job)
    few = [name for name, distinct in zip(names, counts[1::2], strict=True) if distinct <= 1.5 * MOST_DISTINCT]
    exact = dict(zip(few, _row(engine, place, [f"count(DISTINCT {quoted(name)})" for name in few], job), strict=True))
    described = []
    for number, name in enumerate(names):
        distinct = exact.get(name)
        of_column = looks[number * _LOOKS : (number + 1) * _LOOKS]
        described.append(
            {
                "filled": int(counts[2 * number]),
                "distinct": int(distinct) if distinct is not None and distinct <= MOST_DISTINCT else None,
                "examples": tuple(value[:_SHOWN] for value in of_column[-1] or ()),
                "type": _type(of_column, distinct),
            }
        )
    return described


def _row(engine: Engine, place: str, expressions: Sequence[str], job: Job | None) -> tuple[Any, ...]:
    if not expressions:
        return ()
    statement = f"SELECT {', '.join(expressions)} FROM {place}"
    return tuple(engine.execute(statement, (), job, "sources.step.describing").fetchone() or ())


def _looks(column: str) -> str:
    """Count the values of a sample that look like a flag, a date, a number, …, and show a few different ones."""
    patterns = (NUMBER, DATE, _ZERO_IN_FRONT, _CODE, _SHORT_NUMBER)
    counts = [f"count(*) FILTER (regexp_full_match({column}, '{pattern}'))" for pattern in patterns]
    flags = f"count(*) FILTER (lower({column}) IN {_FLAGS})"
    examples = f"list_slice(list_sort(approx_top_k({column}, {EXAMPLES})), 1, {EXAMPLES})"
    return ", ".join([f"count({column})", flags, *counts, f"{examples}"])


_LOOKS = 8  # what _looks selects for a column


def _type(looks: Sequence[Any], distinct: int | None) -> str:
    filled, flags, numbers, dates, zeros, codes, short = (int(count) for count in looks[: _LOOKS - 1])
    most = _MOSTLY * filled
    if not filled:
        return "text"
    if flags == filled and distinct is not None and distinct <= 2:
        return "flag"
    if dates >= most:
        return "date"
    if zeros > filled - most or (short >= most and distinct is not None and distinct <= _FEW):
        return "code"
    if numbers >= most:
        return "number"
    return "code" if codes >= most or (distinct is not None and distinct <= _FEW) else "text"
