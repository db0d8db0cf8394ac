"""The colours of figures, and how numbers are written in them."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite, log10

FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so that a figure is the same on every machine."""


@dataclass(frozen=True)
class Look:
    """The colours of one theme. ``series`` differ in every kind of colour sight, and never stand alone."""

    paper: str
    text: str
    text2: str
    grid: str
    axis: str
    series: tuple[str, ...]


LIGHT = Look(
    paper="#FFFFFF",
    text="#1A1E26",
    text2="#535B69",
    grid="#DFE2E8",
    axis="#848C9A",
    series=("#2257C5", "#C2590A", "#71272D", "#4C91FA", "#363E76", "#A872A7"),
)
DARK = Look(
    paper="#1F2229",
    text="#E9EBEF",
    text2="#ABB2BF",
    grid="#2D313A",
    axis="#717A89",
    series=("#7FA8FF", "#F2A35E", "#17E5D0", "#C04E72", "#8455EE", "#FFF4CC"),
)

_LINEAR, _DARK = 0.04045, 0.18  # sRGB's own threshold; below this luminance white reads better than black


def mixed(one: str, other: str, share: float) -> str:
    """Return a colour between two of them; ``share`` is that of the other (0 to 1)."""
    ends = (_channels(one), _channels(other))
    return "#" + "".join(f"{round((1 - share) * a + share * b):02X}" for a, b in zip(*ends, strict=True))


def ink_on(colour: str) -> str:
    """Return the colour of letters that are read well on a colour."""
    linear = [
        value / 12.92 if value <= _LINEAR else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#FFFFFF" if luminance < _DARK else "#14171D"


def _channels(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


_SEPARATORS = {"en": ",", "fr": "\u202f", "de": "."}
_POINTS = {"en": ".", "fr": ",", "de": ","}
_PERCENT = {"en": "%", "fr": "\u202f%", "de": "\u202f%"}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TINY = 4
_LEAST_P, _ROUGH_P = 0.001, 0.1


def number(value: int, language: str) -> str:
    """Return a whole number with the separators of ``language``, and a real minus sign."""
    return f"{value:,}".replace(",", _SEPARATORS.get(language, ",")).replace("-", "−")


def decimal(value: float, language: str, places: int) -> str:
    """Return a number with so many decimal ``places``, separators and decimal sign of ``language``."""
    if not isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    whole, _, rest = f"{abs(value):,.{places}f}".partition(".")
    sign = "−" if value < 0 and any(digit not in "0,." for digit in whole + rest) else ""
    said = sign + whole.replace(",", _SEPARATORS.get(language, ","))
    return f"{said}{_POINTS.get(language, '.')}{rest}" if rest else said


def significant(value: float, language: str, figures: int = 3) -> str:
    """Return a number with at least so many significant ``figures``: 1,234 · 12.3 · 0.0123; tiny ones as powers."""
    if not isfinite(value) or value == 0:
        return decimal(value, language, 0)
    size = floor(log10(abs(value)))
    if size < -_TINY:
        return f"{decimal(value / 10.0**size, language, figures - 1)}·10{str(size).translate(_RAISED)}"
    return decimal(value, language, min(max(figures - 1 - size, 0), _TINY + figures))


def percent(share: float, language: str, places: int = 0) -> str:
    """Return a share of 1 in percent."""
    return f"{decimal(100 * share, language, places)}{_PERCENT.get(language, '%')}"


def p_value(p: float, language: str) -> str:
    """Return a p-value as journals print it: "p = 0.034", or "p < 0.001"."""
    if p < _LEAST_P:
        return f"p < {decimal(_LEAST_P, language, 3)}"
    return f"p = {decimal(p, language, 3 if p < _ROUGH_P else 2)}"
