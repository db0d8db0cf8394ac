"""How a number is shown, or marked as withheld."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from app.core.analysis.results import SMALL, Estimate, Result, Withheld
from app.core.disclosure.protecting import Rules

R = TypeVar("R", bound=Result)
_FIGURES = 3
_HARMLESS = frozenset({"noised", "noise_clipped", "coarse", "small_unopened"})
"""Notes that are the same whatever the numbers are."""


def hidden(rules: Rules, why: str = SMALL) -> Estimate:
    """Return the mark of a number that is withheld."""
    return Estimate(withheld=Withheld(why, rules.smallest))


def counted(value: float | None, rules: Rules, *, withheld: bool, why: str = SMALL) -> Estimate:
    """Return an exact count as it is shown."""
    if withheld or value is None:
        return hidden(rules, why)
    shown = rules.rounded(value)
    return Estimate(shown, shown, shown)


def share_of(count: Estimate, total: Estimate) -> float | None:
    """Return the share that shown numbers make; None where one of them is withheld."""
    if count.value is None or not total.value:
        return None
    return min(count.value / total.value, 1.0)


def noted(found: R, *notes: str) -> R:
    """Return a result with these notes, each once."""
    return replace(found, notes=tuple(dict.fromkeys((*found.notes, *notes))))


def bare(found: R) -> R:
    """Return a result without the notes that say something of numbers that are withheld."""
    return replace(found, notes=tuple(note for note in found.notes if note in _HARMLESS))


def figures(value: float | None, many: int = _FIGURES) -> float | None:
    """Return a value with so many significant figures."""
    return None if value is None else float(f"{value:.{many}g}")


def figured(found: Estimate, many: int = _FIGURES) -> Estimate:
    """Return an estimate with so many significant figures."""
    if found.withheld is not None:
        return found
    return Estimate(figures(found.value, many), figures(found.low, many), figures(found.high, many))
