"""From 100 million observations to a clear table: ``python -m tests.benchmarks.preparation [MILLIONS …]``.

Every size runs in a process of its own, which says how long it took and how much memory it had at the most. The rows
are made by DuckDB from a hash: the same ones every time. Wanted: 100 million rows of 1 million patients on two cores in
under 4 GB, and a time linear in rows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.preparation.mapping import Mapping, Rule, Source, VariableMapping, Window
from app.core.preparation.reading import read
from app.core.preparation.sources.source import Format

CODES = 300
ROWS_PER_PATIENT = 100
_RULES = (
    *(Rule.EVER,) * 16,
    *(Rule.FIRST, Rule.LAST, Rule.COUNT, Rule.MIN, Rule.MAX, Rule.MEAN) * 6,
    *("date",) * 4,
    *("event",) * 4,
)


def generate(directory: Path, rows: int) -> None:
    """Write ``patients.parquet`` and ``rows.parquet``."""
    patients = max(rows // ROWS_PER_PATIENT, 1)
    with duckdb.connect() as connection:
        for setting in ("threads = 2", "memory_limit = '1GB'", "preserve_insertion_order = false"):
            connection.execute(f"SET {setting}")
        connection.execute(f"SET temp_directory = '{directory / 'spilled'}'")
        who = "'P' || lpad({}::VARCHAR, 7, '0') AS patient"
        day = "strftime(DATE '2015-01-01' + (hash({}) % 3650)::INTEGER, '%Y-%m-%d')"
        connection.execute(
            f"COPY (SELECT {who.format('i')}, {day.format('i * 13')} AS diagnosed, "  # noqa: S608 - made of this module's own words
            f"CASE hash(i * 17) % 3 WHEN 0 THEN 'f' WHEN 1 THEN 'm' END AS sex FROM range({patients}) t(i)) "
            f"TO '{directory / 'patients.parquet'}' (FORMAT parquet)"
        )
        connection.execute(
            f"COPY (SELECT {who.format(f'(hash(i) % {patients})')}, "  # noqa: S608 - made of this module's own words
            f"'C' || (hash(i * 7 + 1) % {CODES})::VARCHAR AS code, "
            f"{day.format('i * 3 + 2')} AS taken, ((hash(i * 5 + 3) % 3000) / 10)::VARCHAR AS result, "
            f"CASE WHEN hash(i * 11) % 2 = 0 THEN 'mg/dL' ELSE 'g/L' END AS unit FROM range({rows}) t(i)) "
            f"TO '{directory / 'rows.parquet'}' (FORMAT parquet)"
        )


def variables() -> tuple[Catalogue, dict[str, VariableMapping]]:
    """Return 61 variables of all rules, with windows, units and modifiers."""
    cuts = tuple(Decimal(each) for each in range(0, 300, 20))
    catalogue = [Variable("sex", Kind.CATEGORY, Label("Sex"), levels=(Level("f", Label("f")), Level("m", Label("m"))))]
    mapped = {"sex": VariableMapping(column="sex")}
    for place, rule in enumerate(_RULES):
        code = f"v{place}"
        codes = tuple(f"C{each}" for each in range(place, CODES, len(_RULES)))
        window = Window(-730, 730) if place % 3 == 0 else None
        columns = {"code_column": "code", "value_column": "result", "time_column": "taken", "unit_column": "unit"}
        named = Rule.LAST if rule == "date" else rule if isinstance(rule, Rule) else None
        mapped[code] = VariableMapping(table="rows", rule=named, codes=codes, window=window, **columns)  # type: ignore[arg-type]
        match rule:
            case Rule.EVER:
                catalogue.append(Variable(code, Kind.FLAG, Label(code)))
            case "date":
                scale = Calendar(Granularity.YEAR, date(2015, 1, 1), date(2025, 1, 1))
                catalogue.append(Variable(code, Kind.DATE, Label(code), calendar=scale))
            case "event":
                catalogue.append(Variable(code, Kind.EVENT, Label(code), periods=Periods(Decimal(90), 20)))
            case _:
                catalogue.append(Variable(code, Kind.NUMBER, Label(code), cut_points=cuts, unit="mg/dL"))
    return Catalogue("Benchmark", 1, tuple(catalogue)), mapped


def run(directory: Path) -> None:
    """Read what was generated, and print seconds, megabytes and what came out."""
    catalogue, mapped = variables()
    sources = {
        "patients": Source(Format.PARQUET, ("patients.parquet",), "patient"),
        "rows": Source(Format.PARQUET, ("rows.parquet",), "patient", dates="YMD", decimal="."),
    }
    index = VariableMapping(table="patients", column="diagnosed")
    mapping = Mapping("benchmark", "A", sources, mapped, patients="patients", index=index)
    began = time.perf_counter()
    table = read(mapping, catalogue, directory)
    seconds = time.perf_counter() - began
    from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage  # noqa: PLC0415 - not on Windows

    # Parquet is read by a child
    peaks = [getrusage(who).ru_maxrss / 1024 for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    used = time.process_time()
    print(
        f"{table.rows:>12,} rows {table.patients:>9,} patients {len(table.columns):>5} columns "
        f"{seconds:8.1f} s ({used:.1f} s of one core) {sum(peaks):7.0f} MB "
        f"{sum(map(table.count, range(len(table.columns)))):,} ones",
        flush=True,
    )


def main() -> None:
    """Generate and read every size."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.preparation")
    parser.add_argument("millions", nargs="*", type=int, default=[1, 10, 30, 100])
    parser.add_argument("--directory", type=Path, help="read what was generated there")
    options = parser.parse_args()
    if options.directory is not None:
        run(options.directory)
        return
    for millions in options.millions:
        with tempfile.TemporaryDirectory(prefix="consilium-benchmark-") as directory:
            generate(Path(directory), millions * 1_000_000)
            command = [sys.executable, "-m", "tests.benchmarks.preparation", "--directory", directory]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
