import pytest

from app.core.errors import UserError
from app.core.preparation.mapping import parse_mapping
from tests.packages import CATALOGUE

HEAD = 'format = "consilium-mapping"\nversion = 1\nsite = "A"\npatient = "id"\n'


def parse(text: str) -> object:
    return parse_mapping((HEAD + text).encode(), "m.toml")


def test_defaults_and_everything_said() -> None:
    plain = parse_mapping(HEAD.encode(), "m.toml")
    assert (plain.encoding, plain.delimiter, plain.decimal, plain.missing) == ("utf-8", None, ".", frozenset({""}))
    full = parse_mapping(
        (
            HEAD + '[file]\nencoding = "windows-1252"\ndelimiter = ";"\ndecimal = ","\nmissing = ["", "NA"]\n'
            '[variables.sex]\ncolumn = "gender"\nvalues = { "1" = "m" }\nmissing = ["9"]\n[variables.age]\n'
        ).encode(),
        "m.toml",
    )
    assert full.variables["sex"].values == {"1": "m"}
    mapped, absent = full.resolve(CATALOGUE, ("id", "gender", "age"), "x.csv")
    assert (list(mapped), list(absent)) == (["sex", "age"], ["smoker"])
    assert mapped["sex"].missing == frozenset({"9"})


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
    ],
)
def test_mistakes_are_named_by_their_field(text: str, code: str, field: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse(text)
    assert (refusal.value.code, refusal.value.params["field"]) == (f"mapping.{code}", field)
    assert refusal.value.params["file"] == "m.toml"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "mapping.missing_field"),
        (b"format = 'x'", "mapping.wrong_format"),
        (b"format = 'consilium-mapping'\nversion = 2", "mapping.newer"),
        (b"format = 'consilium-mapping'\nversion = true", "mapping.wrong_type"),
        (b"not toml", "mapping.not_toml"),
        (b"x = '\xff'", "mapping.not_utf8"),
    ],
)
def test_what_is_no_mapping_file(data: bytes, code: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse_mapping(data, "m.toml")
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("text", "columns", "code"),
    [
        ("[variables.nose]", ("id",), "mapping.unknown_variable"),
        ("[variables.sex]\nvalues = { '1' = 'x' }", ("id", "sex"), "mapping.unknown_level"),
        ("[variables.age]\nvalues = { '1' = '2' }", ("id", "age"), "mapping.not_for_kind"),
        ("[variables.smoker]\nvalues = { '1' = 'maybe' }", ("id", "smoker"), "mapping.not_for_kind"),
        ("[variables.sex]\ncolumn = 'gender'", ("id", "sex"), "csv.missing_column"),
        ("", ("patient", "sex"), "csv.missing_column"),
        ("", ("id", "other"), "mapping.nothing_mapped"),
    ],
)
def test_it_must_fit_catalogue_and_csv(text: str, columns: tuple[str, ...], code: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse_mapping((HEAD + text).encode(), "m.toml").resolve(CATALOGUE, columns, "x.csv")
    assert refusal.value.code == code
