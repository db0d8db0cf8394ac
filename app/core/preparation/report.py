"""The preparation report: what was read, refused and left out, and how each variable is distributed.

It travels in the package, sealed to the site's member key, so only that site reads it. It names no patient and no
refused value, and bins with few patients are merged: it says whether the preparation went well, not more. Canonical
CBOR, see :func:`make_report`. Version 2 counts all problems; version 1 had the first of the refused rows only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.preparation.problems import Problems, State
from app.core.store.documents import MAX_REPORT

if TYPE_CHECKING:
    from app.core.preparation.table import ClearTable

FORMAT = "consilium-preparation-report"
VERSION = 2
SMALLEST_BIN = 10
MAX_REFUSED = 1000
MAX_GROUPS = 1000
_UNTOLD = ("digit:", "square:", "last:", "times:")  # more than a report needs to say

Bin: TypeAlias = tuple[tuple[str, ...], int]
"""The parts of a variable that are counted together, and how many patients they have."""


def make_report(table: ClearTable, dataset: bytes, created: int) -> bytes:
    """Return the report of one preparation.

    ``problems`` has [code, state, column, variable, count] of all that was found, the most frequent first; ``refused``
    the [row, column, code] of the first rows that were left out. A variable has ``known`` (patients with a value; for
    a flag or an event, those who have it) and ``bins``: [parts, count] pairs that add up to ``known``, each with at
    least ``SMALLEST_BIN`` patients; fewer known patients than that are -1 without bins. Of an event the bins are the
    periods in which it first happened, of survival those in which patients had the event, then those in which they
    were censored; both together where one of the two has few. Exact numbers show nothing that their cut points do not.
    """
    return codec.encode(
        {
            "format": FORMAT,
            "version": VERSION,
            "dataset": dataset,
            "created": created,
            "rows": table.rows,
            "patients": table.patients,
            "refused rows": table.refused_rows,
            "refused": _refused(table.problems),
            "problems": _problems(table.problems),
            "left out": list(table.left_out),
            "unused columns": list(table.unused_columns),
            "variables": _variables(table),
        }
    )


def _refused(problems: Problems) -> list[list[str | int]]:
    refused = (each for each in problems if each.state is State.REFUSED)
    return [[each.row or 0, each.column or "", each.code] for each in islice(refused, MAX_REFUSED)]


def _problems(problems: Problems) -> list[list[str | int]]:
    states = {each.sort: each.state for each in problems}
    groups = [
        [code, states[code, file, column, variable].value, column, variable, count]
        for (code, file, column, variable), count in problems.counts().items()
    ]
    return sorted(groups, key=lambda group: (-int(group[-1]), group))[:MAX_GROUPS]


def _variables(table: ClearTable) -> list[dict[str, object]]:
    """Count every column once, and describe each variable by those of its columns that hold bits."""
    counted = [(column.variable, column.part, place) for place, column in enumerate(table.columns)][1:]
    described = []
    for code, columns in groupby(counted, key=lambda each: each[0]):
        kept = [(part, place) for _, part, place in columns if not part.startswith(_UNTOLD)]
        described.append(_variable(code, [(part, table.count(place)) for part, place in kept]))
    return described


def _variable(code: str, counts: list[tuple[str, int]]) -> dict[str, object]:
    if counts[0][0] == "known":  # thermometer: differences of neighbours are the patients between two cut points
        names, above = ["", *(part for part, _ in counts[1:])], [*(count for _, count in counts), 0]
        bins: list[Bin] = [((name,), more - less) for name, (more, less) in zip(names, pairwise(above), strict=True)]
        series = [_by_month(bins)]
    elif counts[0][0].startswith("event:"):
        series = _survival(counts)
    else:
        series = [[((part,), count) for part, count in counts]]
    known = sum(count for _, count in chain(*series))
    if known < SMALLEST_BIN:
        return {"code": code, "known": 0 if known == 0 else -1, "bins": []}
    merged = chain(*(merge_bins(each) for each in series))
    return {"code": code, "known": known, "bins": [[list(names), count] for names, count in merged]}


def _by_month(bins: Sequence[Bin]) -> list[Bin]:
    """Put the days of a date's month together."""
    days = len("ge:2024-03-01")
    months = groupby(bins, key=lambda each: each[0][0][: days - 3] if _is_day(each[0][0]) else each[0][0])
    together = [list(each) for _, each in months]
    return [(tuple(chain(*(names for names, _ in month))), sum(count for _, count in month)) for month in together]


def _is_day(part: str) -> bool:
    return len(part) == len("ge:2024-03-01") and part[7] == part[10] == "-"


def _survival(counts: Sequence[tuple[str, int]]) -> list[list[Bin]]:
    """Return how follow-up ended: in events and in censoring, or, where one of them has few patients, in either."""
    half = len(counts) // 2
    bins: list[Bin] = [((part,), count) for part, count in counts]
    events, censored = bins[:half], bins[half:]
    if min(sum(count for _, count in each) for each in (events, censored)) >= SMALLEST_BIN:
        return [events, censored]
    both = zip(events, censored, strict=True)
    return [[((*one, *other), few + more) for (one, few), (other, more) in both]]


def merge_bins(bins: Iterable[Bin]) -> list[Bin]:
    """Merge each bin with fewer than ``SMALLEST_BIN`` patients into its neighbour, until none is left.

    Order is kept and the counts add up to the same. Bins that are empty are merged too: "nobody" is also a small
    count.
    """
    merged: list[Bin] = []
    for names, count in bins:
        if merged and merged[-1][1] < SMALLEST_BIN:
            before, few = merged[-1]
            merged[-1] = ((*before, *names), few + count)
        else:
            merged.append((names, count))
    if len(merged) > 1 and merged[-1][1] < SMALLEST_BIN:
        (names, count), (last, few) = merged[-2:]
        merged[-2:] = [((*names, *last), count + few)]
    return merged


@dataclass(frozen=True)
class VariableReport:
    """How one variable is distributed; see :func:`make_report`."""

    code: str
    known: int
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class ProblemGroup:
    """So many rows or values have this problem; ``column`` or ``variable`` are empty where it is not about one."""

    code: str
    state: State
    column: str
    variable: str
    count: int


@dataclass(frozen=True)
class Report:
    """An opened report. ``refused`` has (row, column, error code) of the first rows that were left out; ``counted`` is
    False in a report of version 1, which has no ``problems``."""

    dataset: bytes
    created: int
    rows: int
    patients: int
    refused_rows: int
    refused: tuple[tuple[int, str, str], ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]
    variables: tuple[VariableReport, ...]
    counted: bool
    problems: tuple[ProblemGroup, ...]


def read_report(data: bytes) -> Report:
    """Parse an opened report. Raises ProtocolViolation ``report.malformed``, ``report.newer`` or ``codec.*``."""
    plain = codec.decode(data, MAX_REPORT)
    try:
        if plain["format"] != FORMAT:
            raise ProtocolViolation("report.malformed")
        if not 1 <= plain["version"] <= VERSION:
            raise ProtocolViolation("report.newer")
        return Report(
            dataset=plain["dataset"],
            created=int(plain["created"]),
            rows=int(plain["rows"]),
            patients=int(plain["patients"]),
            refused_rows=int(plain["refused rows"]),
            refused=tuple((int(row), str(column), str(code)) for row, column, code in plain["refused"]),
            left_out=tuple(str(code) for code in plain["left out"]),
            unused_columns=tuple(str(column) for column in plain["unused columns"]),
            variables=tuple(
                VariableReport(
                    str(each["code"]),
                    int(each["known"]),
                    tuple((tuple(str(part) for part in parts), int(count)) for parts, count in each["bins"]),
                )
                for each in plain["variables"]
            ),
            counted=plain["version"] > 1,
            problems=tuple(map(_group, plain["problems"])) if plain["version"] > 1 else (),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolViolation("report.malformed") from error


def _group(plain: Any) -> ProblemGroup:
    code, state, column, variable, count = plain
    return ProblemGroup(str(code), State(state), str(column), str(variable), int(count))
