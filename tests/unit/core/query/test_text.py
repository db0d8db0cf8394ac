from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Periods
from app.core.errors import UserError
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.model import (
    EVERYONE,
    NOBODY,
    All,
    Any,
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Moment,
    Not,
    Occurs,
    Query,
    Range,
    Within,
    terms,
)
from app.core.query.text import MAX_TEXT, format, format_query, parse, parse_query
from app.core.query.written import OTHER_WORDS
from app.texts import LANGUAGES, explain
from tests.cohorts import CATALOGUE, CLINICAL, cohorts

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
        ("age >=", "incomplete", 1, 7, {"expected": "⟨50⟩ · ⟨2024-03⟩"}),
        ("age known smoker", "syntax", 1, 11, {"found": "smoker", "expected": "and · or"}),
        ("smoker\n  and and", "syntax", 2, 7, {"found": "and"}),
        ("age in [50, 70}", "syntax", 1, 15, {"found": "}", "expected": ") · ]"}),
        ("age in [50, 70]", "comparison", 1, 15, {"found": "]", "suggestion": "age < 70"}),
        ("age in (52, 70)", "comparison", 1, 8, {"found": "(", "suggestion": "age >= 50 · age >= 60"}),
        ("40 < age < 50", "comparison", 1, 4, {"found": "<", "suggestion": "age >= 40 · age >= 50"}),
        ("age >= 2024-03", "number_usage", 1, 8, {"example": "age >= 60"}),
        ("age known)", "syntax", 1, 10, {"found": ")", "expected": "and · or"}),
        ("smoker; dx:C50", "syntax", 1, 7, {"found": ";"}),
        ("age >= 5O", "syntax", 1, 8, {"found": "5O", "expected": "⟨50⟩ · ⟨2024-03⟩"}),
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


MONTH = Decimal("30.4375")
RELAPSE, CYTOSTATICS = Moment("first", "relapse"), Moment("last", "rx:L01")


@pytest.mark.parametrize(
    ("text", "cohort"),
    [
        ("diagnosed >= 2019-01", Dates("diagnosed", date(2019, 1, 1), None)),
        ("diagnosed in [2018-12, 2019-02)", Dates("diagnosed", date(2018, 12, 1), date(2019, 2, 1))),
        ("born < 1952", Dates("born", None, date(1952, 1, 1))),
        ("seen in [2024-02-28, 2024-03-01)", Dates("seen", date(2024, 2, 28), date(2024, 3, 1))),
        ("diagnosed known and os known", All((Known("diagnosed"), Known("os")))),
        ("relapse occurs", Occurs("relapse", 1)),
        ("rx:L01 at least 10 times", Occurs("rx:L01", 10)),
        ("first occurs", Occurs("first", 1)),
        ("first relapse < 1 month", Happened("first", "relapse", None, MONTH)),
        ("last relapse >= -2 months", Happened("last", "relapse", -2 * MONTH, None)),
        ("last rx:L01 in [0, 3) months", Happened("last", "rx:L01", Decimal(0), 3 * MONTH)),
        ("first relapse in [-1, 0) months", Happened("first", "relapse", -MONTH, Decimal(0))),
        ("first relapse >= 0 days", Happened("first", "relapse", Decimal(0), None)),
        ('last "first" < 2 weeks', Happened("last", "first", None, Decimal(14))),
        ("first relapse before last rx:L01", Before(RELAPSE, CYTOSTATICS)),
        ("first relapse before last rx:L01 by at most 1 year", Before(RELAPSE, CYTOSTATICS, None, 12 * MONTH)),
        ("first relapse before last rx:L01 by at least 2 months", Before(RELAPSE, CYTOSTATICS, 2 * MONTH)),
        (
            "first relapse before last rx:L01 by at least 1 month and at most 6 months and smoker",
            All((Before(RELAPSE, CYTOSTATICS, MONTH, 6 * MONTH), SMOKER)),
        ),
        ("not first relapse within 1 month of last rx:L01", Not(Within(RELAPSE, CYTOSTATICS, MONTH))),
        ("first relapse within 0 days of last rx:L01", Within(RELAPSE, CYTOSTATICS, Decimal(0))),
    ],
)
def test_texts_of_times(text: str, cohort: Cohort) -> None:
    assert parse(text, CLINICAL) == cohort
    assert format(cohort, CLINICAL) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        # a number kept in steps: what is exactly the same at the next step
        ("height > 149", "height >= 150"),
        ("height <= 160", "height < 161"),
        ("height = 160", "height in [160, 161)"),
        ("height in [150, 179]", "height in [150, 180)"),
        ("height in (149, 160]", "height in [150, 161)"),
        ("150 <= height <= 160", "height in [150, 161)"),
        ("149 < height", "height >= 150"),
        ("bmi = 25.0", "bmi in [25, 25.5)"),
        # a date stands for its whole day, month or year
        ("diagnosed = 2019-01", "diagnosed in [2019-01, 2019-02)"),
        ("diagnosed < 2019", "diagnosed < 2019-01"),
        ("diagnosed <= 2019-01", "diagnosed < 2019-02"),
        ("diagnosed > 2018", "diagnosed >= 2019-01"),
        ("diagnosed >= 2019-01-01", "diagnosed >= 2019-01"),
        ("diagnosed <= 2018-12-31", "diagnosed < 2019-01"),
        ("2018-12 <= diagnosed < 2019-02", "diagnosed in [2018-12, 2019-02)"),
        ("born = 1951", "born in [1951, 1952)"),
        ("born in [1950, 1951]", "born in [1950, 1952)"),
        ("seen = 2024-02-29", "seen in [2024-02-29, 2024-03-01)"),
        # times
        ("relapse at least 1 time", "relapse occurs"),
        ("FIRST relapse < 30.4375 Days", "first relapse < 1 month"),
        ("last rx:L01 after first relapse", "first relapse before last rx:L01"),
        (
            "last rx:L01 after first relapse by at most 365.25 days",
            "first relapse before last rx:L01 by at most 1 year",
        ),
        (
            "first relapse before last rx:L01 by at most 2 months and at least 1 month",
            "first relapse before last rx:L01 by at least 1 month and at most 2 months",
        ),
        ("first first in [0, 2) weeks", 'first "first" in [0, 2) weeks'),
    ],
)
def test_other_ways_to_write_numbers_and_times(text: str, written: str) -> None:
    cohort = parse(text, CLINICAL)
    assert format(cohort, CLINICAL) == written
    assert parse(written, CLINICAL) == cohort


@pytest.mark.parametrize(
    ("text", "analysis"),
    [
        ("smoker", Count()),
        ("attrition where smoker", Attrition()),
        ("breakdown stage where smoker", Breakdown("stage")),
        ("histogram age where smoker", Histogram("age")),
        ("table stage x sex where smoker", Table(Grouping("stage"), Grouping("sex"))),
        (
            "table age at 50, 70 x dx:C50 where smoker",
            Table(Grouping("age", (Decimal(50), Decimal(70))), Grouping("dx:C50")),
        ),
        ("summary age, bmi where smoker", Summary(("age", "bmi"))),
        ("compare bmi by age at 50 where smoker", Compare("bmi", Grouping("age", (Decimal(50),)))),
        ("correlate bmi, height, dx:C50 where smoker", Correlate(("bmi", "height", "dx:C50"))),
        ("regress bmi on height, dx:C50 where smoker", Regress("bmi", ("height", "dx:C50"))),
        ("survival os where smoker", Survival("os")),
        (
            "survival os by stage over 4 months in steps of 2 months where smoker",
            Survival("os", Grouping("stage"), 4 * MONTH, 2 * MONTH),
        ),
        ("survival os in steps of 3 months where smoker", Survival("os", None, None, 3 * MONTH)),
    ],
)
def test_texts_of_analyses(text: str, analysis: Analysis) -> None:
    query = Query(SMOKER, analysis)
    assert parse_query(text, CLINICAL) == query
    assert format_query(query, CLINICAL) == text
    alone = text.removesuffix(" where smoker")
    if analysis.codes:
        assert format_query(Query(EVERYONE, analysis), CLINICAL) == alone
        assert parse_query(alone, CLINICAL) == Query(EVERYONE, analysis)
        assert parse_query(f"{alone} where everyone", CLINICAL) == Query(EVERYONE, analysis)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("count where smoker or dx:C50", "smoker or dx:C50"),
        ("COUNT WHERE smoker", "smoker"),
        ("table stage × sex", "table stage x sex"),
        ("table stage by sex", "table stage x sex"),
        ("survival os by age at 50.0 over 91.3125 days", "survival os by age at 50 over 3 months"),
    ],
)
def test_other_ways_to_write_analyses(text: str, written: str) -> None:
    assert format_query(parse_query(text, CLINICAL), CLINICAL) == written


WORDS = Catalogue(
    "Words",
    1,
    tuple(
        Variable(code, Kind.CATEGORY, Label(code), levels=(Level("first", Label("1")), Level("by", Label("2"))))
        if code in ("stage", "on")
        else Variable(code, Kind.NUMBER, Label(code), cut_points=(Decimal(1), Decimal(2)))
        if code == "over"
        else Variable(code, Kind.EVENT, Label(code), periods=Periods(Decimal(1), 3))
        if code in ("occurs", "before", "days")
        else Variable(code, Kind.FLAG, Label(code))
        for code in (*OTHER_WORDS, "stage")
    ),
)


@pytest.mark.parametrize("word", OTHER_WORDS)
def test_codes_that_are_words_elsewhere_are_still_bare_where_nothing_else_is_meant(word: str) -> None:
    """Texts that were written before these words meant anything say the same as ever."""
    variable = WORDS.variable(word)
    if variable.kind is Kind.FLAG:
        for text in (word, f"{word} and {word}", f"not {word.upper()}" if word == "X" else f"not ({word})"):
            assert {term.code for term in terms(parse(text, WORDS))} == {word}  # type: ignore[union-attr]
            assert parse_query(text, WORDS).cohort == parse(text, WORDS)
    cohort = All((Levels("stage", frozenset([word])), Known(word))) if word in ("first", "by") else None
    if cohort is not None:
        assert parse(f"stage = {word}", WORDS) == Levels("stage", frozenset([word]))
        assert format(Levels("stage", frozenset([word])), WORDS) == f"stage = {word}"
    if variable.kind is Kind.CATEGORY:
        assert parse(f"{word} in {{first, by}} or {word} known", WORDS)
        assert parse_query(format_query(Query(EVERYONE, Breakdown(word)), WORDS), WORDS).analysis == Breakdown(word)
    if variable.kind is Kind.EVENT:
        for term in (Occurs(word, 1), Happened("first", word, None, Decimal(1))):
            assert parse(format(term, WORDS), WORDS) == term


@pytest.mark.parametrize(
    ("text", "code", "column", "params"),
    [
        ("", "incomplete", 1, {"expected": "⟨code⟩ · not · ("}),
        ("smoker where", "syntax", 8, {"found": "where"}),
        ("breakdown", "no_such_variable", 1, {}),
        ("breakdown stage, sex", "syntax", 16, {"found": ",", "expected": "where"}),
        ("breakdown stage where", "incomplete", 22, {"expected": "⟨code⟩ · not · ("}),
        ("breakdown stag", "unknown_variable", 11, {"suggestion": "stage"}),
        ("breakdown age", "analysis_kind", 11, {"kind": "number"}),
        ("histogram bmi where xyzzy", "no_such_variable", 21, {}),
        ("table stage", "incomplete", 12, {"expected": "by · x · at"}),
        ("table stage x stage", "same_variable", 15, {}),
        ("table age at 50, 55 x sex", "not_a_cut_point", 18, {"found": "55", "suggestion": "50, 60"}),
        ("table age at 60, 50 x sex", "cuts_not_ascending", 7, {}),
        ("summary bmi, bmi", "same_variable", 9, {}),
        ("correlate bmi", "bad_variable_count", 1, {"least": 2}),
        ("correlate bmi, age", "needs_exact_values", 16, {}),
        ("compare bmi by stage", "two_groups", 16, {"count": 4}),
        ("regress bmi", "incomplete", 12, {"expected": "on"}),
        ("survival relapse", "analysis_kind", 10, {}),
        ("survival os by seen over 3 weeks", "not_a_period", 26, {"suggestion": "1 month"}),
        ("survival os over 0 days", "not_positive", 10, {}),
        ("survival os in steps of 1", "incomplete", 26, {"expected": "days"}),
        ("first relapse", "incomplete", 14, {"expected": "in · >= · < · <= · before · after · within"}),
        ("first relapse before rx:L01", "syntax", 22, {"expected": "first · last"}),
        ("first relapse < 1 moth", "syntax", 19, {"found": "moth", "expected": "days"}),
        ("first relapse <= 1 month", "comparison", 15, {"found": "<="}),
        ("first relapse in (0, 1) months", "comparison", 18, {"found": "("}),
        ("first relapse in [0, 2024-01) months", "not_a_time", 22, {}),
        ("first relapse in [1, 0) months", "empty_range", 19, {}),
        ("first relapse < 2 weeks", "not_a_period", 17, {"found": "2 weeks", "suggestion": "0 days · 1 month"}),
        ("relapse at least 4 times", "not_a_count", 18, {"found": "4"}),
        ("relapse at least 1.5 times", "not_a_count", 18, {}),
        ("last rx:L01 after first relapse by at most 5 days", "not_a_period", 44, {"variable": "relapse"}),
        ("first relapse before first relapse", "same_moment", 28, {}),
        ("first relapse before last rx:L01 by at least 2 months and at most 1 month", "empty_range", 46, {}),
        ("first relapse before last rx:L01 by at most 2 months and at most 1 month", "bound_twice", 66, {}),
        ("first relapse within 1 month of first os", "survival_usage", 39, {}),
        ("diagnosed >= 2019-13", "not_a_date", 14, {"found": "2019-13"}),
        ("diagnosed >= 2019-01-02", "not_a_beginning", 14, {"suggestion": "2019-01, 2019-02"}),
        ("diagnosed < 12", "not_a_beginning", 13, {}),
        ("diagnosed >= 99999", "not_a_date", 14, {}),
        ("diagnosed in [2019-02, 2019-01)", "empty_range", 15, {}),
        ("height > 150", "comparison", 8, {"suggestion": "height >= 150 · height >= 160"}),
        ("height > 149.5", "comparison", 8, {"suggestion": "height >= 150"}),
        ("first relapse < 999999999999999 years", "number_too_long", 17, {}),
    ],
)
def test_errors_of_queries_point_at_the_place(text: str, code: str, column: int, params: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        parse_query(text, CLINICAL)
    error = caught.value
    assert error.code == f"query.{code}"
    assert error.params["column"] == column
    assert {name: error.params[name] for name in params} == params
    for language in LANGUAGES:
        explanation = explain(error, language)
        assert explanation.what.endswith("^")
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

    from app.core.query.grammar import GRAMMAR

    logger.addHandler(caplog.handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        starts = ["cohort", "query"]
        Lark(GRAMMAR, start=starts, parser="lalr", lexer="contextual", maybe_placeholders=False, debug=True)
    finally:
        logger.setLevel(level)
        logger.removeHandler(caplog.handler)
    assert "onflict" not in caplog.text
