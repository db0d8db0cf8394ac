"""The colours of figures, and how numbers are written in them."""

from __future__ import annotations

from dataclasses import dataclass

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

_SEPARATORS = {"en": ",", "fr": "\u202f", "de": "."}


def number(value: int, language: str) -> str:
    """Return a whole number with the separators of ``language``, and a real minus sign."""
    return f"{value:,}".replace(",", _SEPARATORS.get(language, ",")).replace("-", "−")
