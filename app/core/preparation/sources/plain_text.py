"""Write the values of typed formats as the texts that tables are staged as: plain decimals, ISO dates."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal

_WHOLE = 2**53  # every whole number up to here is exact in a float


def number_text(value: float, digits: int = 17) -> str:
    """Write a number with at most ``digits`` significant digits, without exponent; "" for NaN.

    15 is what Excel shows: 0.1 + 0.2 is then 0.3.
    """
    if isinstance(value, int) or (value.is_integer() and abs(value) < _WHOLE):
        return str(int(value))
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return str(value)
    written = repr(value) if digits >= 17 else f"{value:.{digits}g}"
    return format(Decimal(written), "f") if "e" in written else written


def moment_text(value: date | time | timedelta) -> str:
    """Write a date, a moment (a date alone at midnight), a time of day or a duration (HH:MM:SS)."""
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat(timespec="seconds")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        hours, rest = divmod(abs(seconds), 3600)
        return f"{'-' if seconds < 0 else ''}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    return value.isoformat() if isinstance(value, date) else value.isoformat(timespec="seconds")
