from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from app.core.catalogue.model import Column, Kind, Label, Level, Variable
from app.core.errors import UserError
from tests.cohorts import CATALOGUE

SMOKER, SEX, AGE, CRP = (CATALOGUE.variable(code) for code in ("smoker", "sex", "age", "lab:crp"))


def test_columns_in_order() -> None:
    assert SMOKER.columns == (Column("smoker", "has"),)
    assert [column.part for column in SEX.columns] == ["level:female", "level:male"]
    assert [column.part for column in CRP.columns] == ["known", "ge:-0.5", "ge:0.3", "ge:2.25"]
    assert all(column.variable == "lab:crp" for column in CRP.columns)


@pytest.mark.parametrize("variable", list(CATALOGUE))
def test_no_value_is_zeros_everywhere(variable: Variable) -> None:
    assert variable.encode(None) == (False,) * len(variable.columns)


@pytest.mark.parametrize(
    ("variable", "value", "bits"),
    [
        (SMOKER, True, "1"),
        (SMOKER, False, "0"),
        (SEX, "male", "01"),
        (AGE, 39, "10000"),
        (AGE, 40, "11000"),
        (AGE, 69.99, "11110"),
        (AGE, Decimal("70"), "11111"),
        (CRP, 0.3, "1110"),
        (CRP, 0.1 + 0.2, "1110"),
        (CRP, 0.29999999999999993, "1100"),
        (CRP, Decimal("-0.50000000000000000000000000000000001"), "1000"),
    ],
)
def test_values_become_bits_exactly(variable: Variable, value: object, bits: str) -> None:
    assert variable.encode(value) == tuple(bit == "1" for bit in bits)


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        (SMOKER, 1, "catalogue.value_not_flag"),
        (SEX, "Female", "catalogue.value_unknown_level"),
        (SEX, True, "catalogue.value_unknown_level"),
        (AGE, "50", "catalogue.value_not_number"),
        (AGE, float("nan"), "catalogue.value_not_number"),
        (AGE, True, "catalogue.value_not_number"),
    ],
)
def test_a_value_of_another_kind_is_refused(variable: Variable, value: object, code: str) -> None:
    with pytest.raises(UserError) as caught:
        variable.encode(value)
    assert caught.value.code == code
    assert caught.value.params["variable"] == variable.code


def test_the_meaning_is_what_the_columns_say_and_nothing_that_is_only_shown() -> None:
    assert replace(AGE, label=Label("Years"), description=Label("x"), unit_label=None).meaning == AGE.meaning
    others = [
        replace(AGE, code="age2"),
        replace(AGE, unit="mo"),
        replace(AGE, unit=None),
        replace(AGE, cut_points=AGE.cut_points[1:]),
        SMOKER,
        SEX,
        replace(SEX, levels=SEX.levels[::-1]),
    ]
    assert len({each.meaning for each in [AGE, *others]}) == len(others) + 1
    assert replace(AGE, cut_points=tuple(cut * Decimal("1.0") for cut in AGE.cut_points)).meaning == AGE.meaning


def _number(*cuts: str) -> Variable:
    return Variable("n", Kind.NUMBER, Label("N"), cut_points=tuple(map(Decimal, cuts)))


def _category(*codes: str) -> Variable:
    return Variable("c", Kind.CATEGORY, Label("C"), levels=tuple(Level(code, Label(code or "-")) for code in codes))


@pytest.mark.parametrize(
    ("make", "problem", "field"),
    [
        (lambda: Variable("a b", Kind.FLAG, Label("A")), "bad_code", "code"),
        (lambda: Variable("", Kind.FLAG, Label("A")), "bad_code", "code"),
        (lambda: Variable("a\n", Kind.FLAG, Label("A")), "bad_code", "code"),
        (lambda: Variable('a"b', Kind.FLAG, Label("A")), "bad_code", "code"),
        (lambda: Variable("é", Kind.FLAG, Label("A")), "bad_code", "code"),
        (lambda: Variable("x" * 101, Kind.FLAG, Label("A")), "too_long", "code"),
        (lambda: Variable("a", Kind.FLAG, Label(" ")), "bad_text", "label.en"),
        (lambda: Variable("a", Kind.FLAG, Label("A", fr="\x07")), "bad_text", "label.fr"),
        (lambda: Variable("a", Kind.FLAG, Label("A", de="ä" * 201)), "too_long", "label.de"),
        (lambda: Variable("a", Kind.FLAG, Label("A"), description=Label("x" * 2001)), "too_long", "description.en"),
        (lambda: Variable("a", Kind.FLAG, Label("A"), unit="a"), "not_for_kind", "unit"),
        (lambda: Variable("a", Kind.FLAG, Label("A"), cut_points=(Decimal(1),)), "not_for_kind", "cut_points"),
        (lambda: replace(_number("1"), levels=(Level("a", Label("A")),)), "not_for_kind", "levels"),
        (lambda: replace(_number("1"), unit="mg dL"), "bad_unit", "unit"),
        (lambda: replace(_number("1"), unit=""), "bad_unit", "unit"),
        (_category, "missing_field", "levels"),
        (lambda: _category("a", ""), "bad_code", "levels[2].code"),
        (lambda: _category("a", "b", "a"), "duplicate", "levels"),
        (lambda: _category(*map(str, range(501))), "too_many", "levels"),
        (_number, "missing_field", "cut_points"),
        (lambda: _number("1", "1.0"), "not_ascending", "cut_points"),
        (lambda: _number("2", "1"), "not_ascending", "cut_points"),
        (lambda: _number("NaN"), "not_a_number", "cut_points"),
        (lambda: _number("1E+999999"), "not_a_number", "cut_points"),
        (lambda: _number("0.0000000000000001"), "not_a_number", "cut_points"),
        (lambda: _number(*map(str, range(201))), "too_many", "cut_points"),
    ],
)
def test_a_mistake_names_the_variable_and_the_field(make: Callable[[], Variable], problem: str, field: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert (caught.value.code, caught.value.params["field"]) == (f"catalogue.{problem}", field)
    assert "variable" in caught.value.params


@pytest.mark.parametrize("code", ["sex", "ICD10:C43", "lab:creatinine", "HGVS:NP_003997.1:p.(Trp24Cys)", "2160-0", "1"])
def test_codes_of_common_systems_are_possible(code: str) -> None:
    assert Variable(code, Kind.FLAG, Label("A")).code == code


def test_a_label_falls_back_to_english() -> None:
    assert [Label("a", fr="b").text(language) for language in ("en", "fr", "de", "it")] == ["a", "b", "a", "a"]
