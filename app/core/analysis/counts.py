"""Count, breakdown, histogram and attrition."""

from __future__ import annotations

from app.core.analysis.fitting import descending, exclusive
from app.core.analysis.intervals import count_estimate, group_counts, noise_width, share_of
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import AttritionResult, CountResult, GroupsResult, Step


def count(numbers: Numbers, confidence: float) -> CountResult:
    """Return how many patients."""
    (raw,) = numbers.values
    fitted = max(0, raw) if numbers.noised else raw
    notes = notes_of(numbers, adjusted=fitted != raw)
    width = noise_width(numbers, 0, confidence)
    return CountResult(count_estimate(numbers, [0], fitted, confidence), raw, confidence, fitted != raw, width, notes)


def groups(numbers: Numbers, analysis: str, code: str, confidence: float) -> GroupsResult:
    """Return the groups of a breakdown or a histogram: they exclude one another."""
    raw = list(numbers.values)
    fitted = exclusive(raw) if numbers.noised else raw
    keys = [(cell.label[0], place) for place, cell in enumerate(numbers.cells.cells)]
    return GroupsResult(
        analysis,
        code,
        group_counts(numbers, keys, fitted, confidence),
        count_estimate(numbers, range(len(raw)), sum(fitted), confidence),
        confidence,
        fitted != raw,
        noise_width(numbers, 0, confidence),
        notes_of(numbers, adjusted=fitted != raw),
    )


def attrition(numbers: Numbers, confidence: float) -> AttritionResult:
    """Return the funnel: no step has more patients than the one before."""
    raw = list(numbers.values)
    fitted = descending(raw) if numbers.noised else raw
    steps = tuple(
        Step(number, count_estimate(numbers, [number], left, confidence), share_of(left, fitted[0]), raw[number])
        for number, left in enumerate(fitted)
    )
    notes = notes_of(numbers, adjusted=fitted != raw)
    return AttritionResult(steps, confidence, fitted != raw, noise_width(numbers, 0, confidence), notes)


def notes_of(numbers: Numbers, *more: str, adjusted: bool = False) -> tuple[str, ...]:
    """Return the notes that every result may have, then ``more``, each once."""
    first = (*(["noised"] if numbers.noised else []), *(["noise_clipped"] if adjusted else []))
    return tuple(dict.fromkeys((*first, *more)))
