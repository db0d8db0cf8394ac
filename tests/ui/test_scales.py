"""Where ranges begin and end: numbers, dates and times, as people type them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from app.core.query.model import Dates, Happened, Known, Occurs, Range
from app.ui.models.scales import (
    DateScale,
    NumberScale,
    Scale,
    TimeScale,
    Unreadable,
    periods_of,
    read_date,
    read_time,
    time_text,
    units_of,
)
from tests.catalogues import EVERY_KIND
from tests.ui.examples_melanoma import CATALOGUE

AGE, DIAGNOSED = NumberScale(CATALOGUE.variable("age")), DateScale(CATALOGUE.variable("diagnosed"))
RELAPSE = TimeScale(CATALOGUE.variable("relapse"), "last", "month")
MELANOMA = TimeScale(CATALOGUE.variable("dx:C43"), "first", "day")


@pytest.mark.parametrize("scale", [AGE, DIAGNOSED, RELAPSE, MELANOMA], ids=["number", "date", "months", "days"])
def test_every_place_is_typed_as_it_is_said_and_makes_its_term(scale: Scale) -> None:
    for place in range(1, scale.count + 1):
        assert scale.read(scale.text(place)) == place
        for low, high in ((0, place), (place, scale.last)):
            assert scale.places(scale.content(low, high)) == (low, high)
    assert all(1 <= place <= scale.count for every in (1, 5, 17) for place in scale.ticks(every))
    assert all(b - a >= 5 for a, b in zip(scale.ticks(5), scale.ticks(5)[1:], strict=False))


def test_without_bounds_a_term_asks_for_anything_known() -> None:
    assert AGE.content(0, AGE.last) == Known("age")
    assert DIAGNOSED.content(0, DIAGNOSED.last) == Known("diagnosed")
    assert RELAPSE.content(0, RELAPSE.last) == Occurs("relapse", 1)
    assert AGE.content(1, 3) == Range("age", Decimal(20), Decimal(30))
    assert DIAGNOSED.content(1, 2) == Dates("diagnosed", date(2012, 1, 1), date(2012, 2, 1))
    assert RELAPSE.content(2, 4) == Happened("last", "relapse", Decimal("60.875"), Decimal("121.75"))
    assert MELANOMA.content(0, 12) == Happened("first", "dx:C43", None, Decimal(0))


@pytest.mark.parametrize(
    ("scale", "typed", "said"),
    [
        (AGE, "52", "50 or 55"),
        (AGE, "old", "not a number"),
        (DIAGNOSED, "2019-04-15", "2019-04 or 2019-05"),
        (DIAGNOSED, "2035", "2030-12"),
        (DIAGNOSED, "spring", "like 2024-03"),
        (DIAGNOSED, "2019-13", "like 2024-03"),
        (MELANOMA, "100", "90 or 120"),
        (RELAPSE, "99", "47"),
    ],
)
def test_what_is_no_border_is_refused_with_the_nearest(scale: Scale, typed: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        scale.read(typed)


@pytest.mark.parametrize(
    ("typed", "day"),
    [("2024", (2024, 1, 1)), ("2024-3", (2024, 3, 1)), ("03/2024", (2024, 3, 1)), ("1.3.2024", (2024, 3, 1))],
)
def test_dates_are_read_as_people_write_them(typed: str, day: tuple[int, int, int]) -> None:
    assert read_date(typed) == date(*day)


def test_a_year_and_the_time_since_a_day_as_far_as_the_calendar_goes() -> None:
    months = DateScale(EVERY_KIND.variable("diagnosis"))  # 2014-11 to 2016-02
    assert months.content(*(months.year(2015) or (0, 0))) == Dates("diagnosis", date(2015, 1, 1), date(2016, 1, 1))
    assert months.content(*(months.year(2016) or (0, 0))) == Dates("diagnosis", date(2016, 1, 1), None)
    assert months.year(2013) is None
    assert months.year(2017) is None
    assert months.content(*(months.since(date(2015, 6, 20)) or (0, 0))) == Dates("diagnosis", date(2015, 6, 1), None)
    assert months.since(date(2016, 3, 1)) is None


def test_times_are_said_in_the_unit_that_fits_the_periods() -> None:
    months, days = periods_of(CATALOGUE.variable("relapse")), periods_of(CATALOGUE.variable("dx:C43"))
    assert units_of(months) == ("month", "day")
    assert units_of(days) == ("day",)
    assert time_text(Decimal("182.625"), months) == "6 months"
    assert time_text(Decimal("30.4375"), months) == "1 month"
    assert time_text(Decimal(90), days) == "90 days"
    assert read_time("6", "month", months) == Decimal("182.625")
    for typed, near in (("100", "90 or 120"), ("10", "30"), ("0", "30"), ("-30", "30")):
        with pytest.raises(Unreadable, match=near):
            read_time(typed, "day", days)
