"""The sealed columns of every kind of variable, and how values become theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalogue.model import Kind, Label, Variable
from app.core.catalogue.scales import Calendar, Digits, FollowUp, Granularity, Periods
from app.core.errors import UserError
from app.texts import LANGUAGES, explain
from tests.catalogues import EVERY_KIND, variables_of

LDH, RELAPSE, OS = (EVERY_KIND.variable(code) for code in ("lab:ldh", "relapse", "os"))
MONTHS, DAYS, YEARS = (EVERY_KIND.variable(code) for code in ("diagnosis", "admission", "birth"))


def parts(variable: Variable) -> list[str]:
    return [column.part for column in variable.columns]


def marked(variable: Variable, value: object) -> list[str]:
    """The parts of the columns that are not zero."""
    return [part for part, found in zip(parts(variable), variable.encode(value), strict=True) if found]


@given(st.sampled_from(Kind).flatmap(lambda kind: variables_of("v", kind)))
def test_no_value_is_zero_everywhere(variable: Variable) -> None:
    assert variable.encode(None) == (0,) * len(variable.columns)
    assert variable.columns[: len(variable.criteria_columns)] == variable.criteria_columns
    assert len(set(variable.columns)) == len(variable.columns)
    assert {column.bound for column in variable.criteria_columns} == {2}
    assert {column.bound for column in variable.columns[len(variable.criteria_columns) :]} <= {32}


# --- numbers that are kept exactly ------------------------------------------------------------------------------------


def test_a_stepped_number_has_digits_of_its_value_and_its_square() -> None:
    assert parts(LDH)[:4] == ["known", "ge:120.5", "ge:250", "ge:500"]
    assert parts(LDH)[4:] == [f"digit:{place}" for place in range(3)] + [f"square:{place}" for place in range(6)]
    assert LDH.encode(Decimal("250.5"))[:4] == (1, 1, 1, 0)
    assert LDH.encode(250)[4:7] == (500 % 32, 500 // 32, 0)


@given(st.decimals(0, 5000, places=3))
def test_digits_say_the_value_rounded_to_the_step_and_its_square(value: Decimal) -> None:
    found = LDH.encode(value)
    assert all(0 <= each < column.bound for each, column in zip(found, LDH.columns, strict=True))
    whole = sum(digit * 32**place for place, digit in enumerate(found[4:7]))
    square = sum(digit * 32**place for place, digit in enumerate(found[7:]))
    assert square == whole**2
    assert abs(whole * Decimal("0.5") - value) <= Decimal("0.25")


def test_ties_go_to_even_and_no_context_matters() -> None:
    digits = Digits(Decimal(0), Decimal(100), Decimal(2))
    with localcontext() as context:
        context.prec = 2
        assert [digits.whole(Decimal(value)) for value in ("1", "3", "99.000001", "97")] == [0, 2, 50, 48]
        assert Periods(Decimal("30.4375"), 10).period_of(Decimal("60.87499999999999999999999999999")) == 1


@pytest.mark.parametrize("value", [Decimal("-0.001"), 5001, 1e300])
def test_outside_of_an_exact_range_there_is_no_value(value: object) -> None:
    with pytest.raises(UserError, match="value_out_of_range"):
        LDH.encode(value)


def test_a_plausible_range_alone_changes_neither_columns_nor_meaning() -> None:
    age = EVERY_KIND.variable("age")
    ranged = replace(age, minimum=Decimal(0), maximum=Decimal(120))
    assert (ranged.columns, ranged.meaning) == (age.columns, age.meaning)
    assert ranged.encode(130) == age.encode(130)
    assert replace(ranged, step=Decimal(1)).meaning != age.meaning


# --- dates ------------------------------------------------------------------------------------------------------------


def test_dates_have_a_column_for_each_beginning() -> None:
    assert parts(MONTHS)[:3] == ["known", "ge:2014-11", "ge:2014-12"]
    assert parts(MONTHS)[-1] == "ge:2016-02"
    assert parts(DAYS) == ["known", *(f"ge:2024-{each}" for each in ("02-27", "02-28", "02-29", "03-01", "03-02"))]
    assert (parts(YEARS)[1], parts(YEARS)[-1], len(parts(YEARS))) == ("ge:1920", "ge:2020", 102)


@given(st.dates(date(2013, 1, 1), date(2017, 12, 31)))
def test_a_date_reaches_the_beginnings_up_to_it(day: date) -> None:
    known, *reached = MONTHS.encode(day)
    beginnings = [date(2014, 11, 1), date(2014, 12, 1), *(date(2015, month, 1) for month in range(1, 13))]
    beginnings += [date(2016, 1, 1), date(2016, 2, 1)]
    assert known == 1
    assert reached == [int(day >= each) for each in beginnings]


@pytest.mark.parametrize("granularity", list(Granularity))
def test_a_calendar_may_go_to_its_very_end(granularity: Granularity) -> None:
    last = {"day": date.max, "month": date(9999, 12, 1), "year": date(9999, 1, 1)}[granularity]
    scale = Calendar(granularity, last, last)
    assert list(scale.starts()) == [last]
    assert (scale.count, scale.start_of(date.max)) == (1, last)


@given(st.sampled_from(Granularity), st.dates(date(1950, 1, 1), date(2050, 1, 1)), st.integers(0, 300))
def test_beginnings_are_counted_and_follow_one_another(granularity: Granularity, day: date, count: int) -> None:
    first = Calendar(granularity, day, day).start_of(day)
    last = Calendar(granularity, first, first).start_of(first + timedelta(days=count))
    starts = list(Calendar(granularity, first, last).starts())
    assert len(starts) == Calendar(granularity, first, last).count
    assert starts == sorted(set(starts))
    assert all(Calendar(granularity, first, last).start_of(each) == each for each in starts)


# --- events and survival ----------------------------------------------------------------------------------------------


def test_events_have_first_last_and_how_often() -> None:
    assert parts(RELAPSE)[0] == "first:-2"
    assert parts(RELAPSE)[24] == "last:-2"
    assert parts(RELAPSE)[-5:] == [f"times:{least}" for least in (1, 2, 3, 5, 10)]
    times = [Decimal(text) for text in ("-60", "-0.5", "0", "30.4375", "100")]
    assert marked(RELAPSE, times) == ["first:-2", "last:3", "times:1", "times:2", "times:3", "times:5"]
    assert marked(RELAPSE, ()) == []
    assert marked(RELAPSE, [Decimal(-1000), Decimal(10_000)]) == [], "outside of the horizon"
    assert marked(RELAPSE, (Decimal("-0.000000000000000000000000000000001"),))[0] == "first:-1"


@given(st.lists(st.decimals(-100, 800, places=2), max_size=12))
def test_events_agree_with_counting(times: list[Decimal]) -> None:
    periods = [_floor(time, Decimal("30.4375")) for time in times]
    inside = [each for each in periods if -2 <= each < 22]
    expected = [f"first:{min(inside)}", f"last:{max(inside)}"] if inside else []
    assert marked(RELAPSE, times) == expected + [f"times:{n}" for n in (1, 2, 3, 5, 10) if len(inside) >= n]


def _floor(time: Decimal, days: Decimal) -> int:
    number, denominator = time.as_integer_ratio()
    top, bottom = days.as_integer_ratio()
    return number * bottom // (denominator * top)


@pytest.mark.parametrize(
    ("days", "event", "expected"),
    [
        ("0", True, "event:0"),
        ("29.999", False, "censored:0"),
        ("30", True, "event:1"),
        ("1799", True, "event:59"),
        ("1800", True, "censored:59"),
        ("99999", False, "censored:59"),
    ],
)
def test_survival_ends_in_one_period(days: str, event: bool, expected: str) -> None:
    assert marked(OS, FollowUp(Decimal(days), event)) == [expected]


# --- what is no value -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        (MONTHS, "2015-01-01", "value_not_date"),
        (RELAPSE, Decimal(3), "value_not_times"),
        (RELAPSE, [3.0], "value_not_times"),
        (RELAPSE, [Decimal("Infinity")], "value_not_times"),
        (RELAPSE, [Decimal("1E+999999999")], "value_not_times"),
        (OS, Decimal(3), "value_not_follow_up"),
        (OS, FollowUp(Decimal("NaN"), True), "value_not_follow_up"),
        (OS, FollowUp(Decimal("1E+999999999"), True), "value_not_follow_up"),
        (OS, FollowUp(Decimal("-0.1"), True), "value_before_index"),
        (LDH, "3", "value_not_number"),
    ],
)
def test_what_is_no_value_is_said_in_every_language(variable: Variable, value: object, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        variable.encode(value)
    assert caught.value.code == f"catalogue.{problem}"
    assert all(variable.code in explain(caught.value, language).what for language in LANGUAGES)


# --- rules ------------------------------------------------------------------------------------------------------------


def number(**fields: object) -> Variable:
    plain = Variable("n", Kind.NUMBER, Label("N"), cut_points=(Decimal(1),))
    return replace(plain, **{name: Decimal(str(value)) for name, value in fields.items()})  # type: ignore[arg-type]


def dated(granularity: Granularity, first: date, last: date) -> Variable:
    return Variable("d", Kind.DATE, Label("D"), calendar=Calendar(granularity, first, last))


def timed(kind: Kind, days: str, count: int, first: int = 0) -> Variable:
    return Variable("t", kind, Label("T"), periods=Periods(Decimal(days), count, first))


@pytest.mark.parametrize(
    ("make", "problem", "field"),
    [
        (lambda: number(minimum=2, maximum=2), "not_ascending", "maximum"),
        (lambda: number(minimum=0, step=1), "missing_field", "maximum"),
        (lambda: number(minimum=0, maximum=1, step=0), "bad_step", "step"),
        (lambda: number(minimum=0, maximum=1, step=-1), "bad_step", "step"),
        (lambda: number(minimum=0, maximum=1048576, step=1), "bad_step", "step"),
        (lambda: number(minimum="1E+999999999"), "not_a_number", "minimum"),
        (lambda: number(step="NaN", minimum=0, maximum=1), "not_a_number", "step"),
        (lambda: Variable("f", Kind.FLAG, Label("F"), minimum=Decimal(0)), "not_for_kind", "minimum"),
        (lambda: replace(MONTHS, kind=Kind.FLAG), "not_for_kind", "granularity"),
        (lambda: Variable("d", Kind.DATE, Label("D")), "missing_field", "granularity"),
        (lambda: dated(Granularity.MONTH, date(2020, 1, 2), date(2020, 2, 1)), "not_a_start", "first"),
        (lambda: dated(Granularity.YEAR, date(2020, 1, 1), date(2020, 2, 1)), "not_a_start", "last"),
        (lambda: dated(Granularity.DAY, date(2020, 1, 2), date(2020, 1, 1)), "not_ascending", "last"),
        (lambda: dated(Granularity.DAY, date(2020, 1, 1), date(2021, 2, 4)), "too_many", "last"),
        (lambda: Variable("e", Kind.EVENT, Label("E")), "missing_field", "periods"),
        (lambda: timed(Kind.EVENT, "0", 3), "not_positive", "period_days"),
        (lambda: timed(Kind.EVENT, "1E+999999999", 3), "not_a_number", "period_days"),
        (lambda: timed(Kind.EVENT, "1", 0), "missing_field", "periods"),
        (lambda: timed(Kind.EVENT, "1", 401), "too_many", "periods"),
        (lambda: timed(Kind.EVENT, "1", 3, -401), "bad_first_period", "first_period"),
        (lambda: timed(Kind.SURVIVAL, "1", 3, -1), "bad_first_period", "first_period"),
        (lambda: replace(OS, system_code="x"), "missing_field", "system"),
        (lambda: replace(OS, system=" "), "bad_text", "system"),
        (lambda: replace(OS, synonyms=("a",) * 21), "too_many", "synonyms"),
        (lambda: replace(OS, synonyms=("\x00",)), "bad_text", "synonyms"),
        (lambda: replace(OS, parents=("a", "a")), "duplicate", "parents"),
        (lambda: replace(OS, parents=tuple("abcdefghi")), "too_many", "parents"),
    ],
)
def test_a_broken_rule_names_its_field(make: object, problem: str, field: str) -> None:
    with pytest.raises(UserError) as caught:
        make()  # type: ignore[operator]
    assert (caught.value.code, caught.value.params["field"]) == (f"catalogue.{problem}", field)
    assert all("{" not in explain(caught.value, language).what for language in LANGUAGES)


def test_the_largest_exact_number_has_four_digits() -> None:
    largest = number(minimum=0, maximum=1048575, step=1)
    assert [part for part in parts(largest) if ":" in part][1:] == [
        *(f"digit:{place}" for place in range(4)),
        *(f"square:{place}" for place in range(8)),
    ]
    assert largest.encode(1048575)[2:] == (31, 31, 31, 31, 1, 0, 0, 0, 30, 31, 31, 31)
