"""Catalogues from CSV tables and from REDCap's data dictionaries."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalogue.assembling import Assembled
from app.core.catalogue.model import Catalogue, Kind
from app.core.catalogue.redcap_dictionary import LeftOut, is_dictionary, read_dictionary, suggested_cuts
from app.core.catalogue.tabular import read_rows, read_sheet, template
from app.core.errors import ConsiliumError, UserError
from app.texts import LANGUAGES, explain


def read(tmp_path: Path, content: str | bytes) -> Assembled:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_rows(read_sheet(path), "t.csv", "Table", 4)


def catalogue(tmp_path: Path, content: str | bytes) -> Catalogue:
    found = read(tmp_path, content)
    assert found.errors == ()
    return found.whole()


def test_the_template_is_a_catalogue_of_every_kind(tmp_path: Path) -> None:
    made = catalogue(tmp_path, template())
    assert {each.kind for each in made} == set(Kind)
    assert (made.name, made.version, len(made.groups)) == ("Table", 4, 1)
    assert all(each.label.parts().keys() == set(LANGUAGES) for each in made)
    assert catalogue(tmp_path, template().replace(",", "\t").encode("utf-8-sig")) == made


def test_it_is_forgiving(tmp_path: Path) -> None:
    text = "Code;KIND;Label EN;label-de;Cut points;Minimum;ROLLUP;Parents;Synonyms\n"
    text += "g;Gruppe;Group;Gruppe;;;;;\n\n;;;;;;;;\n"
    text += "n;Zahl;Size;Größe;1,5 | 2,75;-0,5;;g;length | extent\n"
    text += "f;yes/no;Flag;;;;ja;g;\nsex;;Sex;;;;;;\nf1;Level;Female;;;;;;\nauto;;Automatic;;3;;;;\n"
    for encoding in ("utf-8", "cp1252"):
        made = catalogue(tmp_path, text.encode(encoding))
        assert made.variable("n").cut_points == (Decimal("1.5"), Decimal("2.75"))
        assert (made.variable("n").minimum, made.variable("n").label.de) == (Decimal("-0.5"), "Größe")
        assert made.variable("n").synonyms == ("length", "extent")
        assert made.variable("f").rollup
        assert [made.variable(code).kind for code in ("sex", "auto")] == [Kind.CATEGORY, Kind.NUMBER]


def test_every_mistake_has_its_row(tmp_path: Path) -> None:
    text = "code,kind,label,cut_points,periods,rollup,colour\n"
    text += "x,level,X,,,,\na,number,A,1;0,,,\nb,song,B,,,,\nc,event,C,,many,,\nd,flag,D,,,perhaps,\na,flag,,,,,\n"
    found = read(tmp_path, text)
    assert [(each.line, each.error.code.removeprefix("catalogue.")) for each in found.errors] == [
        (1, "unknown_column"),
        (2, "level_of_nothing"),
        (3, "not_ascending"),
        (4, "unknown_kind"),
        (5, "wrong_type"),
        (6, "wrong_type"),
        (7, "duplicate"),
        (7, "missing_field"),
    ]
    for each in found.errors:
        assert all("t.csv" in explain(each.error, language).what for language in LANGUAGES)
    with pytest.raises(UserError, match="unknown_column"):
        found.whole()


@pytest.mark.parametrize("content", [b"", b"\n", b"code\n", b"\x00\x01", b"code,label\n" + b"x" * 200_000])
def test_what_is_no_table(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConsiliumError, match=r"catalogue\."):
        read(tmp_path, content).whole()


@given(st.binary(max_size=300) | st.text(st.sampled_from('code,kind;label"\n\r\t1flag|'), max_size=200).map(str.encode))
def test_any_bytes_are_a_catalogue_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        sheet = read_sheet(path)
        read_dictionary(sheet, "any.csv", "Any", 1)[0].whole()
        read_rows(sheet, "any.csv", "Any", 1).whole()
    except UserError as error:
        assert error.code.startswith("catalogue.")  # noqa: PT017 - both are right


# --- REDCap -----------------------------------------------------------------------------------------------------------

EXPORTED = (
    '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    '"Choices, Calculations, OR Slider Labels","Field Note","Text Validation Type OR Show Slider Number",'
    '"Text Validation Min","Text Validation Max",Identifier?\n'
)
THROUGH_API = (
    "field_name,form_name,section_header,field_type,field_label,select_choices_or_calculations,field_note,"
    "text_validation_type_or_show_slider_number,text_validation_min,text_validation_max,identifier\n"
)
FIELDS = """record_id,demographics,,text,Study ID,,,,,,
first_name,demographics,,text,First name,,,,,,y
birth,demographics,,text,Date of birth,,,date_ymd,,,y
sex,demographics,,radio,"<b>Sex</b> at&nbsp;birth<br>","1, Male | 2, Female",,,,,
age,demographics,,text,Age (years),,,integer,18,110,
height,demographics,,text,Height,,,number_1dp,,,
dx_date,first_visit,,text,Date of diagnosis,,,date_dmy,2010-01-01,2024-12-31,
visit,first_visit,,text,Visit,,,datetime_ymd,,,
symptoms,first_visit,,checkbox,Symptoms,"1, Fever | 2, Cough, dry | -99, Unknown",,,,,
smoker,first_visit,,yesno,Smoker?,,,,,,
alive,first_visit,,truefalse,Alive,,,,,,
bmi,first_visit,,calc,BMI,[w]/([h]*[h]),,,,,
pain,first_visit,,slider,Pain,none | worst,,number,,,
notes,first_visit,,notes,Notes,,,,,,
stage,first_visit,,dropdown,Stage,"a, I | b, I",,,,,
empty,first_visit,,radio,Empty,,,,,,
info,first_visit,,descriptive,Read this,,,,,,
"""


@pytest.mark.parametrize("head", [EXPORTED, THROUGH_API])
def test_a_dictionary_becomes_a_catalogue(tmp_path: Path, head: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(head + FIELDS, encoding="utf-8")
    sheet = read_sheet(path)
    assert is_dictionary(sheet)
    assembled, left_out = read_dictionary(sheet, "d.csv", "Registry", 1)
    made = assembled.whole()
    kinds = {each.code: each.kind.value for each in made}
    assert kinds == {
        **{
            "sex": "category",
            "stage": "category",
            "age": "number",
            "pain": "number",
            "dx_date": "date",
            "visit": "date",
        },
        **{"symptoms___1": "flag", "symptoms___2": "flag", "symptoms____99": "flag", "smoker": "flag", "alive": "flag"},
    }
    sex, age = made.variable("sex"), made.variable("age")
    assert sex.label.en == "Sex at birth"
    assert [(level.code, level.label.en) for level in sex.levels] == [("male", "Male"), ("female", "Female")]
    assert [level.code for level in made.variable("stage").levels] == ["a", "b"], "words that tell nothing apart"
    assert (age.minimum, age.maximum, age.cut_points[0], age.cut_points[-1]) == (18, 110, 20, 110)
    assert made.variable("symptoms___2").label.en == "Symptoms: Cough, dry"
    assert made.path("symptoms___2") == ("form:first_visit", "field:symptoms", "symptoms___2")
    calendar = made.variable("dx_date").calendar
    assert calendar is not None
    assert (calendar.granularity.value, calendar.count) == ("month", 180)
    assert {each.field: each.reason for each in left_out} == {
        "record_id": "free_text",
        "first_name": "identifier",
        "birth": "identifier",
        "height": "no_range",
        "bmi": "no_range",
        "notes": "free_text",
        "empty": "no_choices",
        "info": "no_data",
    }
    assert left_out[0] == LeftOut("record_id", "Study ID", "free_text")


def test_a_dictionary_with_a_field_twice(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(EXPORTED + "a,f,,yesno,A,,,,,,\na,f,,yesno,A,,,,,,\n", encoding="utf-8")
    assembled, _ = read_dictionary(read_sheet(path), "d.csv", "Registry", 1)
    assert [(each.line, each.error.code) for each in assembled.errors] == [(3, "catalogue.duplicate")]


@given(st.decimals(-(10**6), 10**6, places=3), st.decimals("0.001", 10**6, places=3))
def test_suggested_cut_points_are_round_and_inside(low: Decimal, width: Decimal) -> None:
    cuts = suggested_cuts(low, low + width)
    assert 1 <= len(cuts) <= 20
    assert all(low < cut <= low + width for cut in cuts)
    assert cuts == sorted(set(cuts))


def test_a_table_that_never_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"catalogue\.too_many"):
        read(tmp_path, "code,label\n" + "a,b\n" * 300_002)
