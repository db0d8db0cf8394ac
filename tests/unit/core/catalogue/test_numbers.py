from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest

from app.core.catalogue.numbers import decimal_text, exact, read_decimal


@pytest.mark.parametrize(
    ("written", "text"),
    [("50", "50"), ("50.0", "50"), ("-0.50", "-0.5"), ("-0", "0"), ("1E+3", "1000"), ("1E-3", "0.001"), ("0.0", "0")],
)
def test_a_number_has_one_plain_text(written: str, text: str) -> None:
    assert decimal_text(Decimal(written)) == text


def test_the_plain_text_does_not_depend_on_the_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        assert decimal_text(Decimal("123456789.123456")) == "123456789.123456"


@pytest.mark.parametrize("text", ["", "+1", "1e3", ".5", "5.", "١", "NaN", "1" * 16, " 1", "1\n", "--1"])
def test_only_plain_decimals_are_read(text: str) -> None:
    assert read_decimal(text) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, "3"),
        (0.3, "0.3"),
        (np.int64(-7), "-7"),
        (np.float64(0.1), "0.1"),
        (Decimal("1.25"), "1.25"),
        (1e22, "10000000000000000000000"),
    ],
)
def test_a_value_is_the_number_that_a_person_reads(value: object, number: str) -> None:
    assert exact(value) == Decimal(number)


@pytest.mark.parametrize("value", [True, None, "3", float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_not_a_finite_number(value: object) -> None:
    assert exact(value) is None
