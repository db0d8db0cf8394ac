"""The preparation report: what was read, refused and left out, and how each variable is distributed.

It travels in the package, sealed to the site's member key, so only that site reads it. It names no patient and no
refused value, and bins with few patients are merged: it says whether the preparation went well, not more.
Canonical CBOR, see :func:`make_report`.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.preparation.table import ClearTable
from app.core.store.documents import MAX_REPORT

FORMAT = "consilium-preparation-report"
VERSION = 1
SMALLEST_BIN = 10


def make_report(table: ClearTable, dataset: bytes, created: int) -> bytes:
    """Return the report of one preparation.

    A variable has ``known`` (patients with a value; for a flag, those who have it) and ``bins``: [parts, count] pairs
    that add up to ``known``, each with at least ``SMALLEST_BIN`` patients or none; fewer known patients than that are
    given as one bin of -1.
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
            "refused": [
                [each.params.get("row", 0), each.params.get("column", ""), each.code] for each in table.problems
            ],
            "left out": list(table.left_out),
            "unused columns": list(table.unused_columns),
            "variables": [_variable(table, code) for code in table.variables],
        }
    )


def _variable(table: ClearTable, code: str) -> dict[str, object]:
    parts = [(column.part, table.count(i)) for i, column in enumerate(table.columns) if column.variable == code]
    if parts[0][0] == "known":  # thermometer: differences of neighbours are the patients between two cut points
        (_, known), *cuts = parts
        above = [known, *(count for _, count in cuts), 0]
        names = ["", *(part for part, _ in cuts)]
        bins = [(name, above[i] - above[i + 1]) for i, name in enumerate(names)]
    else:
        known = sum(count for _, count in parts)
        bins = parts
    if known < SMALLEST_BIN:
        return {"code": code, "known": 0 if known == 0 else -1, "bins": []}
    return {"code": code, "known": known, "bins": [[list(names), count] for names, count in merge_bins(bins)]}


def merge_bins(bins: list[tuple[str, int]]) -> list[tuple[tuple[str, ...], int]]:
    """Merge each bin with fewer than ``SMALLEST_BIN`` patients into its neighbour, until none is left.

    Order is kept and the counts add up to the same. Bins that are empty are merged too: "nobody" is also a small
    count.
    """
    merged: list[tuple[tuple[str, ...], int]] = []
    for name, count in bins:
        if merged and merged[-1][1] < SMALLEST_BIN:
            names, sum_ = merged[-1]
            merged[-1] = ((*names, name), sum_ + count)
        else:
            merged.append(((name,), count))
    if len(merged) > 1 and merged[-1][1] < SMALLEST_BIN:
        (names, count), (last, few) = merged[-2:]
        merged[-2:] = [((*names, *last), count + few)]
    return merged


@dataclass(frozen=True)
class VariableReport:
    """How one variable is distributed; see :func:`make_report`."""

    code: str
    known: int
    bins: tuple[tuple[tuple[str, ...], int], ...]


@dataclass(frozen=True)
class Report:
    """An opened report. ``refused`` has (row, column, error code) of the first problems."""

    dataset: bytes
    created: int
    rows: int
    patients: int
    refused_rows: int
    refused: tuple[tuple[int, str, str], ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]
    variables: tuple[VariableReport, ...]


def read_report(data: bytes) -> Report:
    """Parse an opened report. Raises ProtocolViolation ``report.malformed``, ``report.newer`` or ``codec.*``."""
    plain = codec.decode(data, MAX_REPORT)
    try:
        if plain["format"] != FORMAT:
            raise ProtocolViolation("report.malformed")
        if plain["version"] != VERSION:
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
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolViolation("report.malformed") from error
