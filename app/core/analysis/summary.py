"""Summaries of numbers: n, mean, standard deviation, quantiles from the counts between cut points."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from app.core.analysis.counts import notes_of
from app.core.analysis.fitting import ordered
from app.core.analysis.intervals import count_estimate, group_counts, noise_width, width_of
from app.core.analysis.moments import deviation_estimate, mean_estimate, moments
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import Estimate, Quantile, SummaryResult, VariableSummary
from app.core.catalogue.model import Catalogue, Variable
from app.core.catalogue.scales import DIGIT_BASE

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles of a summary."""


def summary(numbers: Numbers, codes: Sequence[str], catalogue: Catalogue, confidence: float) -> SummaryResult:
    """Return the summaries of these variables."""
    found = tuple(_summary(numbers, catalogue.variable(code), confidence) for code in codes)
    between = [place for place, cell in enumerate(numbers.cells.cells) if cell.label[1] == "between"]
    adjusted = any(group.raw != group.count.value for each in found for group in each.between)
    width = noise_width(numbers, between[0], confidence)
    return SummaryResult(found, confidence, adjusted, width, notes_of(numbers, adjusted=adjusted))


def _summary(numbers: Numbers, variable: Variable, confidence: float) -> VariableSummary:
    code = variable.code
    keys = [
        (cell.label[2], place) for place, cell in enumerate(numbers.cells.cells) if cell.label[:2] == (code, "between")
    ]
    places = [place for _, place in keys]
    raw = [numbers.values[place] for place in places]
    fitted = ordered(raw) if numbers.noised else raw
    n = count_estimate(numbers, places, sum(fitted), confidence)
    quantiles, notes = _quantiles(numbers, variable, places, fitted, confidence), ["coarse"]
    mean: Estimate | None = None
    deviation: Estimate | None = None
    if (digits := variable.digits) is not None:
        found = moments(
            numbers,
            numbers.sum(*((code, "between", key) for key, _ in keys)),
            numbers.digits(DIGIT_BASE, code, "sum"),
            numbers.digits(DIGIT_BASE, code, "square"),
        )
        mean = mean_estimate(numbers, found, digits, confidence)
        deviation = deviation_estimate(numbers, found, digits, confidence)
        notes += found.notes
    elif not sum(fitted):
        notes.append("too_few")
    between = group_counts(numbers, keys, fitted, confidence)
    return VariableSummary(code, n, mean, deviation, quantiles, between, tuple(notes))


def _quantiles(
    numbers: Numbers, variable: Variable, places: Sequence[int], fitted: Sequence[int], confidence: float
) -> tuple[Quantile, ...]:
    ends = _ends(variable)
    reached = [0, *accumulate(fitted)]
    if reached[-1] <= 0 or min(fitted) < 0:
        return tuple(Quantile(level, None, None, None) for level in LEVELS)
    made = []
    for level in LEVELS:
        target = level * reached[-1]
        holding = next(bin_ for bin_, after in enumerate(reached[1:]) if after >= target and fitted[bin_])
        low, high = ends[holding], ends[holding + 1]
        value = None
        if low is not None and high is not None:
            share = (target - reached[holding]) / fitted[holding]
            value = low + (high - low) * share
        first, last = _possible(numbers, places, reached, level, confidence) if numbers.noised else (holding, holding)
        made.append(Quantile(level, value, ends[min(first, holding)], ends[max(last, holding) + 1]))
    return tuple(made)


def _possible(
    numbers: Numbers, places: Sequence[int], reached: Sequence[int], level: float, confidence: float
) -> tuple[int, int]:
    """Return the first and the last interval that the quantile may lie in, whatever the noise was."""
    first, last = len(places) - 1, 0
    for bin_ in range(len(places)):
        weights = {place: (1 - level if at <= bin_ else -level) for at, place in enumerate(places)}
        width = width_of(numbers, weights, 0.0, confidence)
        more = reached[bin_ + 1] - level * reached[-1]
        if more + width >= 0:
            first = min(first, bin_)
        if more - width < 0:
            last = min(bin_ + 1, len(places) - 1)
    return first, last


def _ends(variable: Variable) -> list[float | None]:
    """Return the ends of the intervals; the outermost are the catalogue's plausible range, None without one."""
    cuts = variable.cut_points
    low = _outer(variable.minimum, below=cuts[0])
    high = _outer(variable.maximum, above=cuts[-1])
    return [low, *map(float, cuts), high]


def _outer(end: Decimal | None, below: Decimal | None = None, above: Decimal | None = None) -> float | None:
    if end is None:
        return None
    ends = [each for each in (end, below, above) if each is not None]  # a cut point may lie outside of the range
    return float(min(ends) if below is not None else max(ends))
