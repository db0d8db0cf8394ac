"""Numbers and moments as people in this language write them."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, QLocale

from app.texts import preferred_language, text

_DAY_MS = 86_400_000


def locale() -> QLocale:
    """Return the locale of numbers and dates: the system's where it speaks our language, else the language's own."""
    language, system = preferred_language(), QLocale.system()
    return system if system.name().startswith(language) else QLocale(language)


def number(value: int | float, decimals: int = 0) -> str:
    """Return a number with its separators."""
    return locale().toString(float(value), "f", decimals)


def percent(fraction: float) -> str:
    """Return a fraction of 1 in percent."""
    return f"{number(fraction * 100)} %" if locale().language() is not QLocale.Language.English else f"{fraction:.0%}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that fits."""
    return locale().formattedDataSize(count, 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def moment(milliseconds: int, now: int | None = None) -> str:
    """Return a moment (UTC ms) briefly: the time today, the day of the last week, else the date; "" for 0."""
    if not milliseconds:
        return ""
    when = QDateTime.fromMSecsSinceEpoch(milliseconds)
    today = QDateTime.currentDateTime() if now is None else QDateTime.fromMSecsSinceEpoch(now)
    days = when.date().daysTo(today.date())
    if days == 0:
        return locale().toString(when.time(), QLocale.FormatType.ShortFormat)
    if 0 < days < 7:
        return locale().dayName(when.date().dayOfWeek(), QLocale.FormatType.ShortFormat)
    return locale().toString(when.date(), QLocale.FormatType.ShortFormat)


def whole_moment(milliseconds: int) -> str:
    """Return a moment (UTC ms) with date and time; "never" for 0."""
    if not milliseconds:
        return text("ui.never")
    return locale().toString(QDateTime.fromMSecsSinceEpoch(milliseconds), QLocale.FormatType.ShortFormat)


def day(milliseconds: int) -> str:
    """Return the day of a moment (UTC ms); "" for 0."""
    if not milliseconds:
        return ""
    return locale().toString(QDateTime.fromMSecsSinceEpoch(milliseconds).date(), QLocale.FormatType.ShortFormat)
