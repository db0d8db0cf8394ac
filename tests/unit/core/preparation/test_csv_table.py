"""Problems put together, with what mends them, and the file that a spreadsheet opens."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.preparation.csv_table import harmless, write_table
from app.core.preparation.mapping import Format, Mapping, Source, VariableMapping
from app.core.preparation.problem_groups import groups
from app.core.preparation.problems import Problem, Problems, State

CATALOGUE = Catalogue(
    "Test",
    1,
    (
        Variable("sex", Kind.CATEGORY, Label("Sex"), levels=(Level("f", Label("female")), Level("m", Label("male")))),
        Variable(
            "weight",
            Kind.NUMBER,
            Label("Weight"),
            cut_points=(Decimal(70),),
            unit="kg",
            minimum=Decimal(20),
            maximum=Decimal(300),
        ),
        Variable("age", Kind.NUMBER, Label("Age"), cut_points=(Decimal(50),), unit="a"),
    ),
)
MAPPING = Mapping(
    "m.toml",
    "A",
    {"patients": Source(Format.CSV)},
    {code: VariableMapping(column=code) for code in ("sex", "weight", "age")},
    patients="patients",
)


def problem(code: str, found: str, variable: str, state: State = State.EMPTY, more: str | None = None) -> Problem:
    return Problem(code, state, "p.csv", 2, variable, variable, found, more=more)


@pytest.mark.parametrize(
    ("code", "variable", "values", "more", "fix"),
    [
        (
            "csv.unknown_level",
            "sex",
            ["weiblich", "homme", "?"],
            None,
            {"kind": "values", "variable": "sex", "suggested": {"weiblich": "f", "homme": "m"}},
        ),
        (
            "csv.unknown_level",
            "sex",
            ["unbekannt"],
            None,
            {"kind": "missing", "variable": "sex", "values": ["unbekannt"]},
        ),
        ("csv.not_a_number", "age", ["n/a", "?"], None, {"kind": "missing", "variable": "age", "values": ["n/a", "?"]}),
        ("value.decimal_sign", "weight", ["62,5"], ".", {"kind": "decimal", "source": "patients", "value": ","}),
        (
            "value.date_order",
            "age",
            ["31.01.2020", "01.02.2020"],
            "MDY",
            {"kind": "dates", "source": "patients", "value": "DMY"},
        ),
        ("value.out_of_range", "weight", ["71500", "63000"], None, {"kind": "unit", "variable": "weight", "unit": "g"}),
        ("value.out_of_range", "weight", ["1"], None, None),
        ("csv.unknown_level", "sex", ["Genf"], None, None),
    ],
)
def test_what_probably_mends_a_group(
    code: str, variable: str, values: list[str], more: str | None, fix: dict[str, object] | None
) -> None:
    found = Problems()
    for value in values:
        found.add(problem(code, value, variable, more=more))
    (group,) = groups(found, MAPPING, CATALOGUE)
    assert (group.count, group.different, group.examples) == (len(values), len(values), tuple(values))
    assert group.fix == fix


def test_lost_rows_come_first_then_what_is_most_frequent() -> None:
    found = Problems()
    found.add(problem("csv.not_a_number", "x", "age"), 5)
    found.add(problem("csv.unknown_level", "y", "sex"), 9)
    found.add(problem("csv.duplicate_patient", "7", "", State.REFUSED))
    assert [group.first.code for group in groups(found, MAPPING, CATALOGUE)] == [
        "csv.duplicate_patient",
        "csv.unknown_level",
        "csv.not_a_number",
    ]


def test_nothing_in_the_file_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "problems.csv"
    cells = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\r=1",
        "＝1+1",
        "ordinary, with comma",
        'said "so"',
        12,
        None,
        "2 – 3",
    ]
    write_table(path, ["found"], [[cell] for cell in cells])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with open(path, encoding="utf-8-sig", newline="") as file:
        read = [row[0] if row else "" for row in csv.reader(file)]
    assert read[1:] == [harmless(cell) for cell in cells]
    assert not any(cell[:1] in "=+-@＝\t\r" for cell in read if cell)
    assert harmless(-12) == "-12"
    assert harmless("a;=1+1;b|-2") == "a;'=1+1;b|'-2"


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "problems.csv"
    path.write_text("old")

    def broken():  # type: ignore[no-untyped-def]
        yield ["one"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, ["found"], broken())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
