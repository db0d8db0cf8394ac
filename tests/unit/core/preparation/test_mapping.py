from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import UserError
from app.core.preparation.mapping import BadValues, Mapping, Rule, Source, VariableMapping, Window
from app.core.preparation.mapping_reading import parse_mapping, read_variable
from app.core.preparation.mapping_writing import format_mapping, plain_variable
from app.core.preparation.sources.source import ENCODINGS, Format

HEAD = 'format = "consilium-mapping"\nversion = 2\nsite = "A"\n'
SOURCE = '[sources.patients]\nformat = "csv"\nfiles = ["p.csv"]\npatient = "id"\n'
FIRST = 'format = "consilium-mapping"\nversion = 1\nsite = "A"\npatient = "id"\n'


def parse(text: str, head: str = HEAD) -> Mapping:
    return parse_mapping((head + text).encode(), "m.toml")


def test_version_1_becomes_the_same_values() -> None:
    plain = parse("", FIRST)
    source = Source(Format.CSV, patient="id", encoding="utf-8", decimal=".")
    assert plain == Mapping("m.toml", "A", {"patients": source}, {}, "patients", bad_values=BadValues.REFUSE)
    full = parse(
        '[file]\nencoding = "windows-1252"\ndelimiter = ";"\ndecimal = ","\nmissing = ["", "NA"]\n'
        '[variables.sex]\ncolumn = "gender"\nvalues = { "1" = "m" }\nmissing = ["9"]\n[variables.age]\n',
        FIRST,
    )
    assert full.sources["patients"] == Source(
        Format.CSV, patient="id", encoding="windows-1252", delimiter=";", decimal=",", missing=("", "NA")
    )
    assert full.variables["sex"] == VariableMapping(column="gender", values={"1": "m"}, missing=("9",))
    assert parse_mapping(format_mapping(full).encode(), "m.toml") == full


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("[file]\nencoding = 'klingon'", "not_allowed", "file.encoding"),
        ("[file]\ndelimiter = '|'", "not_allowed", "file.delimiter"),
        ("[file]\nmissing = [1]", "wrong_type", "file.missing"),
        ("[file]\nmissing = ''", "wrong_type", "file.missing"),
        ("[file]\nmore = 1", "unknown_field", "file.more"),
        ("more = 1", "unknown_field", "more"),
        ("[variables]\nsex = 'gender'", "wrong_type", "variables.sex"),
        ("[variables.sex]\ncolumn = 3", "wrong_type", "variables.sex.column"),
        ("[variables.sex]\nvalues = { '1' = 2 }", "wrong_type", "variables.sex.values.1"),
        ("[variables.sex]\nlevel = 3", "unknown_field", "variables.sex.level"),
        ("[variables.sex]\ncolum = 'x'", "unknown_field_near", "variables.sex.colum"),
    ],
)
def test_mistakes_in_version_1_are_named_by_their_field(text: str, code: str, field: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse(text, FIRST)
    assert (refusal.value.code, refusal.value.params["field"]) == (f"mapping.{code}", field)
    assert refusal.value.params["file"] == "m.toml"


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "missing_field", "sources"),
        ("[sources.1a]\nformat = 'csv'", "bad_source_name", "sources.1a"),
        ("[sources.Main]\nformat = 'csv'", "bad_source_name", "sources.Main"),
        ("[sources.a]\nformat = 'word'", "not_allowed", "sources.a.format"),
        ("[sources.a]\n", "missing_field", "sources.a.format"),
        ("[sources.a]\nformat = 'csv'\ndates = 'DYM'", "not_allowed", "sources.a.dates"),
        ("[sources.a]\nformat = 'csv'\n[sources.A]\nformat = 'csv'", "same_name", "sources.A"),
        (f"{SOURCE}[variables.x]\ntable = 'labs'", "unknown_source", "variables.x.table"),
        (f"{SOURCE}[variables.x]\nrule = 'lates'\ncodes = ['1']", "not_allowed", "variables.x.rule"),
        (f"{SOURCE}[variables.x]\nrule = 'last'\ncolumn = 'a'", "not_of_rows", "variables.x.column"),
        (f"{SOURCE}[variables.x]\ncode_column = 'a'", "only_of_rows", "variables.x.code_column"),
        (f"{SOURCE}[variables.x]\nunit = 'mg'\nfactor = '2'", "not_together", "variables.x.factor"),
        (f"{SOURCE}[variables.x]\nfactor = '0'", "bad_factor", "variables.x.factor"),
        (
            f"{SOURCE}[variables.x]\nrule = 'ever'\nwindow = {{ from = 3, to = 1 }}",
            "empty_window",
            "variables.x.window",
        ),
        (
            f"{SOURCE}[variables.x]\nrule = 'ever'\nwindow = {{ form = 3 }}",
            "unknown_field_near",
            "variables.x.window.form",
        ),
        (f"{SOURCE}[variables.x]\nrule = 'ever'\nonly = {{ a = 'b' }}", "wrong_type", "variables.x.only.a"),
        (f"{SOURCE}[variables.x]\nevent_values = ['1']", "missing_field", "variables.x.event_column"),
        (f"{SOURCE}[index]\ncolumn = 'day'\nunit = 'd'", "not_for_index", "index.unit"),
        (f"leave_out = 'x'\n{SOURCE}", "wrong_type", "leave_out"),
        (f"leave_out = ['x']\n{SOURCE}[variables.x]\ncolumn = 'a'", "left_out_and_read", "variables.x"),
    ],
)
def test_mistakes_are_named_by_their_field(text: str, code: str, field: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse(text)
    assert (refusal.value.code, refusal.value.params["field"]) == (f"mapping.{code}", field)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "mapping.missing_field"),
        (b"format = 'x'", "mapping.wrong_format"),
        (b"format = 'consilium-mapping'\nversion = 3", "mapping.newer"),
        (b"format = 'consilium-mapping'\nversion = 0", "mapping.newer"),
        (b"format = 'consilium-mapping'\nversion = true", "mapping.wrong_type"),
        (b"not toml", "mapping.not_toml"),
        (b"x = '\xff'", "mapping.not_utf8"),
    ],
)
def test_what_is_no_mapping_file(data: bytes, code: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse_mapping(data, "m.toml")
    assert refusal.value.code == code


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NAMES = st.from_regex(r"[a-z][A-Za-z0-9_]{0,5}x", fullmatch=True)
DAYS = st.none() | st.integers(-500, 500)
WINDOW = st.tuples(DAYS, DAYS).filter(lambda each: None in each or each[0] <= each[1]).map(lambda each: Window(*each))  # type: ignore[operator]
DIRECT = st.builds(
    VariableMapping,
    column=st.none() | TEXT,
    values=st.dictionaries(TEXT, TEXT, max_size=3),
    missing=TEXTS,
    unit_column=st.none(),
    unit=st.none() | TEXT,
    event_table=st.none(),
    event_date_column=st.none() | TEXT,
)
OF_ROWS = st.builds(
    VariableMapping,
    rule=st.sampled_from(Rule),
    codes=TEXTS,
    below=st.booleans(),
    system=st.none() | TEXT,
    code_column=st.none() | TEXT,
    value_column=st.none() | TEXT,
    time_column=st.none() | TEXT,
    unit_column=st.none() | TEXT,
    window=st.none() | WINDOW,
    only=st.dictionaries(TEXT, TEXTS, max_size=2),
    factor=st.none() | st.sampled_from([Decimal("88.42"), Decimal(-2)]),
)
SOURCES = st.builds(
    Source,
    format=st.sampled_from(Format),
    files=TEXTS,
    patient=st.none() | TEXT,
    encoding=st.none() | st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from([None, "\t", "|"]),
    decimal=st.sampled_from([None, ","]),
    dates=st.sampled_from([None, "MDY"]),
    missing=TEXTS,
    sheet=st.none() | TEXT,
    dictionary=st.none() | TEXT,
)
MAPPINGS = st.builds(
    Mapping,
    file=st.just("m.toml"),
    site=TEXT,
    sources=st.dictionaries(NAMES.map(str.lower), SOURCES, min_size=1, max_size=3),
    variables=st.dictionaries(TEXT, DIRECT | OF_ROWS, max_size=3),
    index=st.none() | st.builds(VariableMapping, column=TEXT),
    catalogue=st.none() | TEXT,
    catalogue_version=st.none() | st.integers(1, 9),
    bad_values=st.sampled_from(BadValues),
    confirmed=TEXTS,
    leave_out=st.lists(st.sampled_from(["left out by hand", "another one"]), unique=True).map(tuple),
)


@given(MAPPINGS)
def test_a_written_mapping_is_read_as_the_same(mapping: Mapping) -> None:
    assert parse_mapping(format_mapping(mapping).encode(), "m.toml") == mapping
    for code, variable in mapping.variables.items():
        assert read_variable(plain_variable(variable), "m.toml", code) == variable


@given(st.binary(max_size=200) | st.text().map(lambda text: (HEAD + text).encode("utf-8", "surrogatepass")))
def test_nothing_but_errors_for_people(data: bytes) -> None:
    with suppress(UserError):
        parse_mapping(data, "m.toml")
