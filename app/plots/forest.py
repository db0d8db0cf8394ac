"""A forest plot: regression coefficients, or hazard ratios of groups, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from app.core.analysis.results import INTERCEPT, Estimate, RegressResult, SurvivalResult
from app.plots.lettering import LEADING, fitted
from app.plots.options import Options, Shown
from app.plots.sheet import (
    MARKERS,
    POINTS,
    SMALL_SIZE,
    Box,
    Sheet,
    axis_label,
    interval_words,
    ratio_words,
    values_axis,
)
from app.plots.words import Words

_ROW, _HEAD, _FOOT = 0.36, 0.28, 0.52
_MOST_ROW, _LEAST_PLOT = 0.5, 1.3
_WIDE = 15.0
"""An interval so many times wider than the others goes past the axis, with an arrow."""
_FURTHEST = 2.0
"""Hazard ratios are drawn from a hundredth to a hundred at the most (powers of ten)."""


@dataclass(frozen=True)
class Row:
    """One line; without an estimate it is the ``reference`` or cannot be told."""

    name: str
    estimate: Estimate
    p: float | None
    reference: bool = False


def rows_of(shown: Shown, options: Options) -> list[Row]:
    """Return the lines of a panel."""
    words = shown.words
    match shown.result:
        case RegressResult() as found:
            return [
                Row(words.measured(each.code), each.estimate, each.test.p)
                for each in found.coefficients
                if each.code != INTERCEPT and each.code not in options.hidden
            ]
        case SurvivalResult() as found if found.by_code is not None and found.hazard_ratios:
            reference = found.hazard_ratios[0].reference
            first = Row(words.group(found.by_code, reference), Estimate(1.0, 1.0, 1.0), None, reference=True)
            return [first] + [
                Row(words.group(found.by_code, each.key), each.ratio, each.p)
                for each in found.hazard_ratios
                if each.key not in options.hidden
            ]
        case _:
            return []


def height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del width
    return _HEAD + _FOOT + _ROW * max(1, len(rows_of(shown, options)))


def draw(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw the forest of a panel; ``peers`` share the scale."""
    words, rows = shown.words, rows_of(shown, options)
    ratios = isinstance(shown.result, SurvivalResult)
    names = max((sheet.width(row.name, sheet.body) for row in rows), default=0.0) + 0.16
    said = [_said(row, words, ratios=ratios) for row in rows]
    tests = ["" if row.p is None else words.p_alone(row.p) for row in rows]
    head = words.say("interval", percent=words.percent(shown.result.confidence))
    numbers = max([sheet.width(each, sheet.small) for each in said] + [sheet.width(head, sheet.soft)]) + 0.16
    ps = max((sheet.width(each, sheet.soft) for each in tests), default=0.0) + 0.12
    said_beside = True
    if numbers + ps > box.width * 0.45:  # a narrow panel: p stands in the table
        tests, ps = [""] * len(rows), 0.0
    if box.width - numbers - ps - min(names, box.width * 0.3) < _LEAST_PLOT:  # the table has them as well
        said_beside, numbers, ps = False, 0.1, 0.0
    gutter = min(names, max(box.width * 0.3, box.width - numbers - ps - 2.4))
    if not rows:
        sheet.write(box.left, box.top - 0.3, words.say("nothing_shown"), sheet.soft)
        return
    inside = box.cut(left=gutter, right=numbers + ps, bottom=_FOOT, top=_HEAD)
    pitch = min(inside.height / max(len(rows), 1), _MOST_ROW)
    inside = inside.upper(pitch * max(len(rows), 1))
    axes = sheet.axes(inside, grid="x")
    axes.set_yticks([])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    low, high = _limits([row for each in peers for row in rows_of(each, options)], ratios=ratios)
    if ratios:
        _ratio_axis(axes, low, high, words, inside.width)
    else:
        axes.set_xlim(low, high)
        values_axis(axes, words, max(2, min(6, int(inside.width / 0.7))))
    none = 1.0 if ratios else 0.0
    axes.plot([none, none], [-0.5, max(len(rows), 1) - 0.5], color=sheet.look.axis, linewidth=1.1, zorder=1)
    title = words.say("hazard_ratio") if ratios else _outcome(shown)
    axis_label(sheet, axes, title, box)
    if said_beside:
        _head(sheet, inside, head, numbers, with_p=bool(ps))
    for place, row in enumerate(rows):
        middle = inside.top - (place + 0.5) * pitch
        lines = 2 if pitch >= 2 * SMALL_SIZE * LEADING / POINTS else 1
        kind = sheet.body if sheet.width(row.name, sheet.body) <= gutter - 0.14 else sheet.small
        sheet.lines(box.left, middle, fitted(row.name, kind, (gutter - 0.14) * POINTS, lines), kind)
        _mark(sheet, axes, place, row, (low, high))
        if said_beside:
            sheet.write(inside.right + 0.14, middle, said[place], sheet.soft if row.reference else sheet.small)
            sheet.write(inside.right + numbers + 0.06, middle, tests[place], sheet.soft)
        p = "" if row.p is None else f"\n{words.p_value(row.p)}"
        sheet.spot(Box(box.left, middle - pitch / 2, box.width, pitch), f"{row.name}: {said[place]}{p}")


def _said(row: Row, words: Words, *, ratios: bool) -> str:
    if row.reference:
        return words.say("reference")
    return ratio_words(row.estimate, words) if ratios else interval_words(row.estimate, words, 2)


def _outcome(shown: Shown) -> str:
    result, words = shown.result, shown.words
    code = result.outcome if isinstance(result, RegressResult) else ""
    return words.say("coefficient", outcome=words.measured(code))


def _head(sheet: Sheet, inside: Box, said: str, numbers: float, *, with_p: bool) -> None:
    room = (numbers - 0.08) * POINTS
    sheet.write(inside.right + 0.14, inside.top + 0.13, fitted(said, sheet.soft, room)[0], sheet.soft)
    if with_p:
        sheet.write(inside.right + numbers + 0.06, inside.top + 0.13, "p", sheet.soft)


def _ends(row: Row) -> list[float]:
    return [each for each in (row.estimate.low, row.estimate.value, row.estimate.high) if each is not None]


def _limits(rows: Sequence[Row], *, ratios: bool) -> tuple[float, float]:
    """Return the ends of the axis: all values, and all intervals but those that would squeeze the others."""
    if ratios:
        ends = [log10(max(each, 1e-9)) for row in rows for each in _ends(row)] + [log10(0.5), log10(2)]
        low, high = max(min(ends), -_FURTHEST) - 0.06, min(max(ends), _FURTHEST) + 0.06
        return 10.0**low, 10.0**high
    values = [row.estimate.value for row in rows if row.estimate.value is not None]
    spreads = [max(_ends(row)) - min(_ends(row)) for row in rows if _ends(row)]
    most = max(median(spreads) * _WIDE, max(map(abs, values), default=0.0) * 1.2) if spreads else 1.0
    ends = [0.0, *values]
    ends += [end for row in rows for end in _ends(row) if row.estimate.value is not None and abs(end) <= most]
    ends += [-most if end < 0 else most for row in rows for end in _ends(row) if abs(end) > most]
    low, high = min(ends), max(ends)
    margin = (high - low) * 0.06 or 1.0
    return low - margin, high + margin


def _ratio_axis(axes: Axes, low: float, high: float, words: Words, inches: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    found = [each for each in steps if low <= each <= high]
    if len(found) * 0.42 > inches:
        found = [each for each in (0.01, 0.1, 1, 10, 100) if low <= each <= high]
    axes.xaxis.set_major_locator(FixedLocator(found))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _place: words.exact(f"{value:.4f}".rstrip("0").rstrip(".")))
    )


def _mark(sheet: Sheet, axes: Axes, place: int, row: Row, limits: tuple[float, float]) -> None:
    value, look = row.estimate.value, sheet.look
    if value is None:
        return
    colour = look.axis if row.reference else look.series[0]
    low = limits[0] if row.estimate.low is None else row.estimate.low
    high = limits[1] if row.estimate.high is None else row.estimate.high
    inside = (max(low, limits[0]), min(high, limits[1]))
    if inside[0] < inside[1]:
        axes.plot(inside, [place, place], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
        for end, there, arrow in ((low, inside[0], "<"), (high, inside[1], ">")):
            if end == there and (row.estimate.low is not None if arrow == "<" else row.estimate.high is not None):
                axes.plot([there, there], [place - 0.13, place + 0.13], color=colour, linewidth=1.6, zorder=2)
            else:
                axes.plot([there], [place], marker=arrow, color=colour, markersize=6, clip_on=False, zorder=3)
    if limits[0] <= value <= limits[1]:
        axes.plot([value], [place], marker=MARKERS[1], color=colour, markersize=6.5, zorder=4)
