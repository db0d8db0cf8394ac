from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings

from app.core.errors import UserError
from app.core.query.model import EVERYONE, NOBODY, All, Any, Cohort, Flag, Known, Levels, Not, Range
from app.core.query.text import MAX_TEXT, format, parse
from app.texts import LANGUAGES, explain
from tests.cohorts import CATALOGUE, cohorts

SMOKER, C50, VARIANT = Flag("smoker"), Flag("dx:C50"), Flag("HGVS:c.4375C>T")
FEMALE = Levels("sex", frozenset(["female"]))


def age(low: int | None, high: int | None) -> Range:
    return Range("age", *(None if bound is None else Decimal(bound) for bound in (low, high)))


@given(cohorts())
@settings(deadline=None)
def test_the_text_form_round_trips_exactly(cohort: Cohort) -> None:
    for text in (format(cohort, CATALOGUE), format(cohort)):
        assert parse(text, CATALOGUE) == cohort


@pytest.mark.parametrize(
    ("text", "cohort"),
    [
        ("smoker", SMOKER),
        ("sex = female", FEMALE),
        ("stage in {I, II}", Levels("stage", frozenset(["I", "II"]))),
        ("stage in {}", Levels("stage", frozenset())),
        ("age >= 50", age(50, None)),
        ("age < 50", age(None, 50)),
        ("age in [50, 70)", age(50, 70)),
        ("lab:crp >= -0.5", Range("lab:crp", Decimal("-0.5"), None)),
        ("age known", Known("age")),
        ("not age known", Not(Known("age"))),
        ("not not smoker", Not(Not(SMOKER))),
        ("smoker and dx:C50 or age known", Any((All((SMOKER, C50)), Known("age")))),
        ("smoker and (dx:C50 or age known)", All((SMOKER, Any((C50, Known("age")))))),
        ("not (smoker and dx:C50)", Not(All((SMOKER, C50)))),
        ("(smoker and dx:C50) and age known", All((All((SMOKER, C50)), Known("age")))),
        ("(smoker or dx:C50) or age known", Any((Any((SMOKER, C50)), Known("age")))),
        ("everyone or nobody", Any((EVERYONE, NOBODY))),
        ("all(smoker)", All((SMOKER,))),
        ("not any(smoker)", Not(Any((SMOKER,)))),
        ('"HGVS:c.4375C>T"', VARIANT),
        ('"and" in {0, 10, "2nd", "not", "a=b"}', Levels("and", frozenset(["0", "10", "2nd", "not", "a=b"]))),
    ],
)
def test_texts_and_their_cohorts(text: str, cohort: Cohort) -> None:
    assert parse(text, CATALOGUE) == cohort
    assert format(cohort, CATALOGUE) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("50 <= age < 70", "age in [50, 70)"),
        ("50 ≤ age", "age >= 50"),
        ("age ≥ 50.0", "age >= 50"),
        ("SMOKER_is_not", None),
        ("((smoker))", "smoker"),
        ("smoker AND Not dx:C50", "smoker and not dx:C50"),
        ("all(smoker, dx:C50)", "smoker and dx:C50"),
        ("any(smoker, all(dx:C50, age known))", "smoker or dx:C50 and age known"),
        ("“smoker”\n\tand\u00a0sex=female", "smoker and sex = female"),
        ("stage in {II,I,II}", "stage in {I, II}"),
        ("everyone", "everyone"),
        ("smoker and(dx:C50 or(age known))", "smoker and (dx:C50 or age known)"),
    ],
)
def test_other_ways_to_write(text: str, written: str | None) -> None:
    if written is None:
        with pytest.raises(UserError):
            parse(text, CATALOGUE)
    else:
        assert format(parse(text, CATALOGUE), CATALOGUE) == written


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "params"),
    [
        ("", "incomplete", 1, 1, {"expected": "⟨code⟩ · not · ("}),
        ("sex = ", "incomplete", 1, 6, {"expected": "⟨code⟩"}),
        ("smoker and\n", "incomplete", 1, 11, {"expected": "⟨code⟩ · not · ("}),
        ("(age known", "incomplete", 1, 11, {"expected": "and · or · )"}),
        ("age >=", "incomplete", 1, 7, {"expected": "⟨50⟩"}),
        ("age known smoker", "syntax", 1, 11, {"found": "smoker", "expected": "and · or"}),
        ("smoker\n  and and", "syntax", 2, 7, {"found": "and"}),
        ("age in [50, 70]", "syntax", 1, 15, {"found": "]", "expected": ")"}),
        ("age known)", "syntax", 1, 10, {"found": ")", "expected": "and · or"}),
        ("smoker; dx:C50", "syntax", 1, 7, {"found": ";"}),
        ("age >= 5O", "syntax", 1, 8, {"found": "5O", "expected": "⟨50⟩"}),
        ("sex = not", "syntax", 1, 7, {"found": "not"}),
        ('smoker and "dx:C50', "syntax", 1, 12, {"found": '"'}),
        ("smokr", "unknown_variable", 1, 1, {"variable": "smokr", "suggestion": "smoker"}),
        ("smoker or AGE >= 50", "unknown_variable", 1, 11, {"suggestion": "age, stage"}),
        ("xyzzy", "no_such_variable", 1, 1, {"variable": "xyzzy"}),
        ("sex in {female, mal}", "unknown_level", 1, 17, {"found": "mal", "suggestion": "male, female"}),
        ("stage = 3", "unknown_level", 1, 9, {"found": "3", "suggestion": "I, II, III, IV"}),
        ("age >= 52", "not_a_cut_point", 1, 8, {"found": "52", "suggestion": "50, 60"}),
        ("age in [50, 99.0)", "not_a_cut_point", 1, 13, {"found": "99", "suggestion": "70"}),
        ("15 <= age < 50", "not_a_cut_point", 1, 1, {"found": "15", "suggestion": "40"}),
        ("age > 50", "comparison", 1, 5, {"found": ">", "suggestion": "age >= 50 · age >= 60"}),
        ("age <= 52", "comparison", 1, 5, {"found": "<=", "suggestion": "age < 50 · age < 60"}),
        ("stage > 2", "category_usage", 1, 1, {"example": "stage = I"}),
        ("agee > 2", "unknown_variable", 1, 1, {"suggestion": "age, stage"}),
        ("age in [70, 50)", "empty_range", 1, 9, {"variable": "age"}),
        ("age in [50, 50)", "empty_range", 1, 9, {}),
        ("age < 1234567890123456", "number_too_long", 1, 7, {}),
        ("smoker = yes", "flag_usage", 1, 1, {"example": "smoker"}),
        ("smoker known", "flag_usage", 1, 1, {}),
        ("sex", "category_usage", 1, 1, {"example": "sex = female"}),
        ('"and" >= 5', "category_usage", 1, 1, {"example": '"and" = 0'}),
        ("age = 50", "number_usage", 1, 1, {"example": "age >= 60"}),
        ("age", "number_usage", 1, 1, {}),
    ],
)
def test_errors_point_at_the_place(text: str, code: str, line: int, column: int, params: dict[str, str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, CATALOGUE)
    error = caught.value
    assert error.code == f"query.{code}"
    assert (error.params["line"], error.params["column"]) == (line, column)
    assert {name: error.params[name] for name in params} == params
    shown, caret = str(error.params["excerpt"]).split("\n")
    assert shown == text.split("\n")[line - 1]
    assert caret == " " * (column - 1) + "^"
    for language in LANGUAGES:
        explanation = explain(error, language)
        assert caret in explanation.what
        assert explanation.next


def test_the_excerpt_of_a_long_line_is_cut_around_the_place() -> None:
    with pytest.raises(UserError) as caught:
        parse("smoker and " * 50 + "nonsense_here" + " and smoker" * 50, CATALOGUE)
    shown, caret = str(caught.value.params["excerpt"]).split("\n")
    assert len(shown) == 100
    assert shown[caret.index("^") :].startswith("nonsense_here and smoker")
    assert caught.value.params["column"] == 551


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not " * 12 + "smoker", "query.too_deep"),
        ("not " * 4900 + "smoker", "query.too_deep"),
        ("all(" * 3900 + "smoker" + ")" * 3900, "query.too_deep"),
        (" or ".join(["smoker"] * 500), "query.too_many_terms"),
        (" " * (MAX_TEXT + 1), "query.text_too_long"),
    ],
)
def test_texts_that_are_too_much(text: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, CATALOGUE)
    assert caught.value.code == code


def test_parentheses_alone_add_no_depth() -> None:
    assert parse("(" * 5000 + "smoker" + ")" * 5000, CATALOGUE) == SMOKER


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """lark settles shift/reduce conflicts silently, at debug level."""
    import logging

    from lark import Lark, logger

    from app.core.query import text

    logger.addHandler(caplog.handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        Lark(text._GRAMMAR, start="cohort", parser="lalr", lexer="contextual", maybe_placeholders=False, debug=True)
    finally:
        logger.setLevel(level)
        logger.removeHandler(caplog.handler)
    assert "onflict" not in caplog.text
