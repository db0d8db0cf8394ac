"""Exact decimal numbers: how cut points are written, and how values are compared with them."""

from __future__ import annotations

import numbers
import re
from decimal import Decimal

_PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def read_decimal(text: str) -> Decimal | None:
    """Return the number that ``text`` writes plainly (``-12.5``; no exponent, no sign +), or None if it does not."""
    return Decimal(text) if _PLAIN.fullmatch(text) else None


def decimal_text(number: Decimal) -> str:
    """Return the one plain text of a finite number: no exponent, no zeros at the end, no minus before zero."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def exact(value: object) -> Decimal | None:
    """Return ``value`` as the decimal number that a person would read, or None if it is not a finite number.

    A float means its shortest decimal text (0.3 is three tenths), so that it compares with a cut point of 0.3 as the
    CSV it came from would.
    """
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, numbers.Integral):
        return Decimal(int(value))
    if isinstance(value, float):
        number = Decimal(repr(float(value)))
        return number if number.is_finite() else None
    return None
