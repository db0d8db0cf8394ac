"""Larger tables: what is counted agrees with SQL that was written for the same question on its own."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.scales import Periods
from app.core.errors import UserError
from app.core.preparation.mapping_reading import parse_mapping
from app.core.preparation.reading import read

CUTS = tuple(Decimal(each) for each in range(0, 300, 50))
CATALOGUE = Catalogue(
    "SQL",
    1,
    (
        Variable("ever", Kind.FLAG, Label("ever")),
        *(Variable(rule, Kind.NUMBER, Label(rule), cut_points=CUTS) for rule in ("last", "mean", "count", "min")),
        Variable("event", Kind.EVENT, Label("event"), periods=Periods(Decimal(100), 6, -2)),
    ),
)
COLUMNS = 'code_column = "code"\nvalue_column = "value"\ntime_column = "taken"\n'
MAPPING = f"""
format = "consilium-mapping"
version = 2
site = "A"
patients = "people"
[sources.people]
format = "csv"
files = ["people.csv"]
patient = "id"
dates = "YMD"
[sources.rows]
format = "csv"
files = ["rows.csv"]
patient = "who"
decimal = "."
dates = "YMD"
[index]
column = "day"
[variables.ever]
table = "rows"
rule = "ever"
codes = ["C1", "C2"]
window = {{ from = 0, to = 365 }}
{COLUMNS}
[variables.last]
table = "rows"
rule = "last"
codes = ["C1*"]
{COLUMNS}
[variables.mean]
table = "rows"
rule = "mean"
codes = ["C3"]
window = {{ to = 0 }}
{COLUMNS}
[variables.count]
table = "rows"
rule = "count"
codes = ["C4", "C5"]
{COLUMNS}
[variables.min]
table = "rows"
rule = "min"
codes = ["C6"]
{COLUMNS}
[variables.event]
table = "rows"
codes = ["C7"]
{COLUMNS}
"""
QUESTIONS = {
    ("ever", "has"): "SELECT count(DISTINCT who) FROM r WHERE code IN ('C1', 'C2') AND taken - day BETWEEN 0 AND 365",
    ("last", "ge:150"): "SELECT count(*) FROM (SELECT DISTINCT ON (who) value FROM r WHERE starts_with(code, 'C1') "
    "ORDER BY who, taken DESC, n DESC) WHERE value >= 150",
    ("mean", "known"): "SELECT count(DISTINCT who) FROM r WHERE code = 'C3' AND taken <= day",
    ("mean", "ge:100"): "SELECT count(*) FROM (SELECT avg(value) AS x FROM r WHERE code = 'C3' AND taken <= day "
    "GROUP BY who) WHERE x >= 100",
    ("count", "known"): "SELECT count(*) FROM p",
    ("count", "ge:50"): "SELECT 0",
    (
        "min",
        "ge:50",
    ): "SELECT count(*) FROM (SELECT min(value) AS x FROM r WHERE code = 'C6' GROUP BY who) WHERE x >= 50",
    ("event", "first:-2"): "SELECT count(*) FROM (SELECT min(taken - day) AS d FROM r WHERE code = 'C7' "
    "AND taken - day BETWEEN -200 AND 399 GROUP BY who) WHERE d < -100",
    ("event", "last:3"): "SELECT count(DISTINCT who) FROM r WHERE code = 'C7' AND taken - day BETWEEN 300 AND 399",
    ("event", "times:2"): "SELECT count(*) FROM (SELECT count(*) AS n FROM r WHERE code = 'C7' "
    "AND taken - day BETWEEN -200 AND 399 GROUP BY who) WHERE n >= 2",
}


def test_counts_agree_with_sql(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE p AS SELECT 'p' || i AS id, DATE '2020-01-01' + (hash(i * 3) % 500)::INTEGER AS day "
            "FROM range(400) t(i)"
        )
        connection.execute(
            "CREATE TABLE rows AS SELECT i AS n, 'p' || (hash(i) % 400)::VARCHAR AS who, "
            "'C' || (hash(i * 7 + 1) % 20)::VARCHAR AS code, (hash(i * 5 + 2) % 2500) / 10 AS value, "
            "DATE '2019-06-01' + (hash(i * 11 + 3) % 900)::INTEGER AS taken FROM range(20000) t(i)"
        )
        connection.execute("COPY p TO $1 (HEADER)", [str(tmp_path / "people.csv")])
        ordered = "SELECT who, code, value, taken FROM rows ORDER BY n"
        connection.execute(f"COPY ({ordered}) TO $1 (HEADER)", [str(tmp_path / "rows.csv")])
        connection.execute("CREATE VIEW r AS SELECT rows.*, p.day FROM rows JOIN p ON p.id = rows.who")
        asked = {name: connection.execute(sql).fetchone() for name, sql in QUESTIONS.items()}
    mapping = parse_mapping(MAPPING.encode(), "m.toml")
    table = read(mapping, CATALOGUE, tmp_path, today=date(2026, 1, 1))
    counted = {(c.variable, c.part): (table.count(place),) for place, c in enumerate(table.columns)}
    assert {name: counted[name] for name in asked} == asked
    assert (table.rows, table.patients, len(table.problems)) == (20_400, 400, 0)


def counts(place: Path, about: str) -> dict[tuple[str, str], int]:
    (place / "people.csv").write_text("id,last,ever\np1,150,1\np2,20,0\n")
    (place / "rows.csv").write_text("who,code\np1,C1\np1,\np2,\n")
    sources = "[sources.people]\nformat = 'csv'\nfiles = ['people.csv']\npatient = 'id'\n"
    sources += "[sources.rows]\nformat = 'csv'\nfiles = ['rows.csv']\npatient = 'who'\n"
    top = "format = 'consilium-mapping'\nversion = 2\nsite = 'A'\npatients = 'people'\n"
    mapping = parse_mapping(about.format(top=top, sources=sources).encode(), "m.toml")
    table = read(mapping, CATALOGUE, place)
    return {(c.variable, c.part): table.count(number) for number, c in enumerate(table.columns)}


def test_a_star_is_every_row_whatever_its_code(tmp_path: Path) -> None:
    rule = "{top}{sources}[variables.ever]\ntable = 'rows'\nrule = 'ever'\n"
    assert counts(tmp_path, f"{rule}codes = ['*']\n")["ever", "has"] == 2
    assert counts(tmp_path, f"{rule}code_column = 'code'\ncodes = ['*', 'C9']\n")["ever", "has"] == 2
    of_system = f"{rule}code_column = 'code'\nsystem = 'local'\ncodes = ['*']\n"  # a code of it
    assert counts(tmp_path, of_system)["ever", "has"] == 1


def test_what_is_left_out_is_not_read_from_the_column_that_bears_its_code(tmp_path: Path) -> None:
    assert {name for name, _ in counts(tmp_path, "{top}{sources}")} == {"", "last", "ever"}
    assert {name for name, _ in counts(tmp_path, "{top}leave_out = ['last']\n{sources}")} == {"", "ever"}
    with pytest.raises(UserError) as refusal:
        counts(tmp_path, "{top}leave_out = ['lats']\n{sources}")
    assert (refusal.value.code, refusal.value.params["near"]) == ("mapping.unknown_variable_near", "last")
