"""Values of all patients at once become what the catalogue's own encoding says of each."""

import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.scales import FollowUp
from app.core.preparation.planes import Read, columns, least
from app.core.preparation.values import EPOCH
from tests.clear_tables import KINDS

NUMBERS = st.sampled_from([0.25, 0.75, 49.75, 50.0, 49.99999999999999, 79.25, 80.0, 0.0, 300.0]) | st.integers(
    0, 1200
).map(lambda quarters: quarters / 4)
DAYS = st.integers(-200, 500)


def encoded(variable: Variable, values: list[object]) -> list[list[int]]:
    return [list(column) for column in zip(*(variable.encode(value) for value in values), strict=True)]


def found(variable: Variable, read: Read) -> list[list[int]]:
    return [column.tolist() for column in columns(variable, read)]


def floats(values: list[float | int | None]) -> np.ndarray:
    return np.array([math.nan if value is None else float(value) for value in values])


@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=20))
def test_numbers_and_their_digits(values: list[float | None]) -> None:
    weight = KINDS.variable("weight")
    assert found(weight, Read(floats(values))) == encoded(weight, list(values))


@given(st.lists(st.none() | st.integers(0, 2), min_size=1, max_size=20))
def test_flags_and_levels(values: list[int | None]) -> None:
    smoker, stage = KINDS.variable("smoker"), KINDS.variable("stage")
    flags = [None if value is None else value == 1 for value in values]
    levels = [None if value is None else "abc"[value] for value in values]
    assert found(smoker, Read(floats(values))) == encoded(smoker, list(flags))
    assert found(stage, Read(floats(values))) == encoded(stage, list(levels))


@given(st.lists(st.none() | st.integers(18_000, 18_600), min_size=1, max_size=20))
def test_dates(values: list[int | None]) -> None:
    diagnosed = KINDS.variable("diagnosed")
    days = [None if value is None else EPOCH + timedelta(days=value) for value in values]
    assert found(diagnosed, Read(floats(values))) == encoded(diagnosed, list(days))


@given(st.lists(st.lists(DAYS, max_size=4), min_size=1, max_size=10))
def test_events(times: list[list[int]]) -> None:
    relapse = KINDS.variable("relapse")
    inside = [[day for day in days if -30 <= day < 90] for days in times]
    read = Read(
        floats([min(days, default=None) for days in inside]),
        last=floats([max(days, default=None) for days in inside]),
        times=floats([len(days) or None for days in inside]),
    )
    assert found(relapse, read) == encoded(relapse, [[Decimal(day) for day in days] for days in times])


@given(st.lists(st.none() | st.tuples(st.integers(0, 500), st.booleans()), min_size=1, max_size=20))
def test_survival(values: list[tuple[int, bool] | None]) -> None:
    survival = KINDS.variable("os")
    days = floats([None if value is None else value[0] for value in values])
    ended = floats([None if value is None else value[1] for value in values])
    follow = [None if value is None else FollowUp(Decimal(value[0]), value[1]) for value in values]
    assert found(survival, Read(days, ended=ended)) == encoded(survival, list(follow))


@given(st.decimals(-1000, 1000, places=6))
def test_the_least_double_that_reaches_a_cut_point(cut: Decimal) -> None:
    number = least(cut)
    assert Decimal(repr(number)) >= cut > Decimal(repr(math.nextafter(number, -math.inf)))


def test_every_kind_is_covered() -> None:
    assert {variable.kind for variable in KINDS} == set(Kind)
