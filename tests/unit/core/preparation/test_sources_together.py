"""Several tables through a mapping of version 2: who the patients are, what is repaired, left empty, refused."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Periods
from app.core.errors import UserError
from app.core.preparation.mapping_reading import parse_mapping
from app.core.preparation.problems import State
from app.core.preparation.reading import read
from app.core.preparation.table import ClearTable, RowsRefused

LEVELS = (Level("male", Label("Male", de="Männlich")), Level("female", Label("Female", fr="Femme")))
CATALOGUE = Catalogue(
    "Together",
    1,
    (
        Variable("sex", Kind.CATEGORY, Label("Sex"), levels=LEVELS),
        Variable("melanoma", Kind.FLAG, Label("Melanoma")),
        Variable(
            "creatinine",
            Kind.NUMBER,
            Label("Creatinine"),
            cut_points=(Decimal(50), Decimal(100)),
            unit="mg/dL",
            minimum=Decimal(0),
            maximum=Decimal(500),
        ),
        Variable("os", Kind.SURVIVAL, Label("Survival"), periods=Periods(Decimal(30), 3)),
    ),
)
HEAD = 'format = "consilium-mapping"\nversion = 2\nsite = "A"\npatients = "people"\n'
PEOPLE = '[sources.people]\nformat = "csv"\nfiles = ["people.csv"]\npatient = "id"\ndates = "YMD"\n'
LABS = '[sources.labs]\nformat = "csv"\nfiles = ["labs.csv"]\npatient = "who"\ndecimal = "."\ndates = "YMD"\n'
ROWS = 'code_column = "code"\nvalue_column = "value"\ntime_column = "taken"\n'
CREATININE = f'[variables.creatinine]\ntable = "labs"\nrule = "max"\ncodes = ["crea"]\n{ROWS}'


def prepare(tmp_path: Path, mapping: str, *, skip: bool = False, **files: str) -> ClearTable:
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content, "utf-8")
    parsed = parse_mapping(mapping.encode(), "m.toml")
    return read(parsed, CATALOGUE, tmp_path, skip_bad_rows=skip, today=date(2026, 1, 1))


def values(table: ClearTable, variable: str) -> dict[str, list[int]]:
    return {c.part: table.values(i).tolist() for i, c in enumerate(table.columns) if c.variable == variable}


def told(table: ClearTable) -> list[tuple[str, State, str, int | None, str | None]]:
    return [(each.code, each.state, each.file, each.row, each.found) for each in table.problems]


def test_words_are_repaired_and_bad_values_left_empty(tmp_path: Path) -> None:
    people = "id,sex\n1,male\n2,FEMALE\n3,Männlich\n4,x\n5,femme\n6,\n"
    table = prepare(tmp_path, HEAD + PEOPLE, people=people)
    assert values(table, "sex") == {"level:male": [1, 0, 1, 0, 0, 0], "level:female": [0, 1, 0, 0, 1, 0]}
    assert sorted(told(table)) == [
        ("csv.unknown_level", State.EMPTY, "people.csv", 5, "x"),
        ("value.repaired", State.REPAIRED, "people.csv", 3, "FEMALE"),
        ("value.repaired", State.REPAIRED, "people.csv", 6, "femme"),
    ]
    assert table.refused_rows == 0


def test_without_a_table_of_patients_they_are_those_of_all(tmp_path: Path) -> None:
    labs = "who,code,value,taken\nb,crea,60,\na,crea,120,\n,crea,5,\n"
    mapping = (
        HEAD.replace('patients = "people"\n', "") + PEOPLE + LABS + CREATININE + '[variables.sex]\ntable = "people"\n'
    )
    with pytest.raises(RowsRefused):
        prepare(tmp_path, mapping, people="id,sex\nc,male\nb,female\n", labs=labs)
    table = prepare(tmp_path, mapping, skip=True, people="id,sex\nc,male\nb,female\n", labs=labs)
    assert values(table, "creatinine")["ge:100"] == [1, 0, 0]
    assert values(table, "sex")["level:female"] == [0, 1, 0]
    assert told(table) == [("csv.no_patient", State.REFUSED, "labs.csv", 4, "")]


def test_strangers_and_second_rows_are_refused_with_their_places(tmp_path: Path) -> None:
    people = "id,sex\n1,male\n1,female\n2,female\n"
    labs = "who,code,value,taken\n1,crea,70,\n9,crea,70,\n9,other,70,\n"
    table = prepare(tmp_path, HEAD + PEOPLE + LABS + CREATININE, skip=True, people=people, labs=labs)
    assert told(table) == [
        ("csv.duplicate_patient", State.REFUSED, "people.csv", 3, ""),
        ("value.unknown_patient", State.REFUSED, "labs.csv", 3, ""),
    ]
    assert (table.patients, table.refused_rows, table.rows) == (2, 2, 6)
    assert table.unused_codes == {("labs", "code"): (("other", 1),)}


def test_units_of_rows_are_converted_and_ranges_kept(tmp_path: Path) -> None:
    labs = "who,code,value,unit\n1,crea,0.6,g/L\n2,crea,99.9,mg/dl\n3,crea,7,furlong\n4,crea,7,\n"
    labs += "5,crea,501,mg/dL\n6,CREA,1,kg/m3\n"
    mapping = HEAD + PEOPLE + LABS + CREATININE.replace("taken", "unit").replace("time_column", "unit_column")
    table = prepare(tmp_path, mapping, people="id,\n1,\n2,\n3,\n4,\n5,\n6,\n", labs=labs)
    assert values(table, "creatinine") == {
        "known": [1, 1, 0, 0, 0, 1],
        "ge:50": [1, 1, 0, 0, 0, 1],
        "ge:100": [0, 0, 0, 0, 0, 1],
    }
    assert sorted(told(table)) == [
        ("value.no_unit", State.EMPTY, "labs.csv", 5, ""),
        ("value.out_of_range", State.EMPTY, "labs.csv", 6, "501"),
        ("value.repaired", State.REPAIRED, "labs.csv", 7, "CREA"),
        ("value.unknown_unit", State.EMPTY, "labs.csv", 4, "furlong"),
    ]


def test_survival_from_an_index_found_by_a_rule(tmp_path: Path) -> None:
    people = "id,seen,died\n1,2020-03-01,\n2,2020-03-01,2020-02-10\n3,2019-01-01,\n4,2020-03-01,\n"
    labs = "who,code,value,taken\n1,C43.5,,2020-02-01\n1,C43.5,,2020-02-20\n2,C43.5,,2020-02-01\n3,C43.5,,2020-02-01\n"
    index = '[index]\ntable = "labs"\nrule = "first"\ncodes = ["C43*"]\ncode_column = "code"\ntime_column = "taken"\n'
    survival = '[variables.os]\nend_column = "seen"\nevent_date_column = "died"\n'
    table = prepare(tmp_path, HEAD + PEOPLE + LABS + index + survival, skip=True, people=people, labs=labs)
    found = values(table, "os")
    assert table.patients == 3
    assert (found["event:0"], found["censored:0"]) == ([0, 1, 0], [1, 0, 0])
    assert sorted(told(table)) == [
        ("value.before_index", State.REFUSED, "people.csv", 4, "2019-01-01"),
        ("value.no_index", State.EMPTY, "people.csv", 5, ""),
    ]


def test_codes_below_a_node_and_those_that_nobody_uses(tmp_path: Path) -> None:
    labs = "who,code,value,taken\n1,C43.5,,\n2,c43.5,,\n3,C44.1,,\n4,C435,,\n"
    tree = (
        f'[variables.melanoma]\ntable = "labs"\nrule = "ever"\ncodes = ["C43"]\nbelow = true\nsystem = "ICD-10"\n{ROWS}'
    )
    table = prepare(tmp_path, HEAD + PEOPLE + LABS + tree, people="id,\n1,\n2,\n3,\n4,\n", labs=labs)
    assert values(table, "melanoma") == {"has": [1, 1, 0, 1]}
    assert told(table) == [("value.repaired", State.REPAIRED, "labs.csv", 3, "c43.5")]
    assert table.unused_codes == {("labs", "code"): (("C44.1", 1),)}


def test_without_codes_every_row_counts(tmp_path: Path) -> None:
    labs = "who,code,value,taken\n1,a,5,\n1,b,60,\n2,c,7,\n"
    every = '[variables.creatinine]\ntable = "labs"\nrule = "count"\n'
    every += '[variables.melanoma]\ntable = "labs"\nrule = "ever"\n'
    table = prepare(tmp_path, HEAD + PEOPLE + LABS + every, people="id,\n1,\n2,\n3,\n", labs=labs)
    assert values(table, "melanoma") == {"has": [1, 1, 0]}
    assert values(table, "creatinine")["known"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[variables.xyz]", "mapping.unknown_variable"),
        ("[variables.creatinin]", "mapping.unknown_variable_near"),
        ("[variables.sex]\nvalues = { '1' = 'z' }", "mapping.unknown_level"),
        ("[variables.sex]\nvalues = { '1' = 'femal' }", "mapping.unknown_level_near"),
        ("[variables.sex]\ncolumn = 'gender'", "csv.missing_column"),
        ("[variables.sex]\ncolumn = 'sx'", "mapping.no_column_near"),
        ("[variables.sex]\ntable = 'people.more'", "mapping.unknown_table"),
        ("[variables.sex]\nrule = 'mean'\ncodes = ['1']", "mapping.no_such_rule"),
        ("[variables.sex]\nend_column = 'sex'", "mapping.not_for_kind"),
        ("[variables.creatinine]\ncolumn = 'sex'\nunit = 'mmol/L'", "mapping.bad_unit"),
        ("[variables.creatinine]\ncolumn = 'sex'\nvalues = { a = '1' }", "mapping.not_for_kind"),
        ("[variables.melanoma]\ntable = 'people'\nrule = 'ever'\ncodes = ['1']", "mapping.missing_field"),
        ("[variables.os]\nend_column = 'sex'\nevent_column = 'sex'", "mapping.missing_field"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(UserError) as refusal:
        prepare(tmp_path, HEAD + PEOPLE + text, people="id,sex\n1,male\n")
    assert refusal.value.code == code
