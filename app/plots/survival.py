"""Kaplan–Meier curves: steps with their bands, censoring, medians, and the numbers at risk beneath.

A time in an interval counts as its end, so a curve falls at the ends of intervals.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from matplotlib.axes import Axes

from app.core.analysis.results import Curve, SurvivalResult
from app.plots.lettering import Type, fitted
from app.plots.options import Options, Shown
from app.plots.sheet import (
    BAND,
    DASHES,
    POINTS,
    SMALL_SIZE,
    Box,
    Sheet,
    axis_label,
    counts_axis,
    ratio_words,
)
from app.plots.words import Words

_PLOT, _LEAST_PLOT, _FOOT = 2.6, 1.1, 0.52
_LEGEND_ROW, _LINE, _RISK_HEAD, _RISK_ROW = 0.24, 0.22, 0.24, 0.2
_MOST_LEGEND = 0.45
"""The part of a panel's height that names may take."""
_SWATCH, _SECOND_LINE = 0.26, 0.13
_ALONE = 3
"""Up to so many groups have their medians in the legend, which more would not have room for."""
MOST_BANDS = 4
UNIT_DAYS = {"days": 1.0, "months": 30.4375, "years": 365.25}
_MOST_DAYS, _MOST_MONTHS = 120, 6.1 * 365.25
_STEPS = {
    "days": (1, 2, 5, 7, 14, 30, 50, 100, 200, 365, 500, 1000, 2000, 5000),
    "months": (1, 2, 3, 6, 12, 24, 36, 60, 120, 240),
    "years": (1, 2, 5, 10, 20, 50),
}
_NEAR = 1e-6


@dataclass(frozen=True)
class Line:
    """A curve as it is drawn: ``times`` from 0 in days, shares and the ends of its band at each."""

    place: int
    name: str
    curve: Curve
    times: tuple[float, ...]
    shares: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def time_unit(result: SurvivalResult, options: Options) -> str:
    """Return the unit of the time axis: what was wished, else what suits the horizon."""
    if options.time_unit != "auto":
        return options.time_unit
    horizon = max((curve.ends[-1] for curve in result.curves if curve.ends), default=1.0)
    return "days" if horizon <= _MOST_DAYS else "months" if horizon <= _MOST_MONTHS else "years"


def lines_of(shown: Shown, options: Options) -> list[Line]:
    """Return the curves of a panel that are shown; each keeps its place, and with it its colour."""
    result = shown.result
    if not isinstance(result, SurvivalResult):
        return []
    return [
        _line(place, curve, name_of(result, curve.key, shown.words), options)
        for place, curve in enumerate(result.curves)
        if curve.key not in options.hidden
    ]


def name_of(result: SurvivalResult, key: str, words: Words) -> str:
    """Return a group in words."""
    return words.group(result.by_code, key) if result.by_code is not None and key else words.say("everyone")


def _line(place: int, curve: Curve, name: str, options: Options) -> Line:
    known = list(takewhile(lambda each: each is not None, curve.survival))
    count = len(known)
    lows = curve.greenwood_low if options.interval == "greenwood" else curve.loglog_low
    highs = curve.greenwood_high if options.interval == "greenwood" else curve.loglog_high
    shares, low, high = [1.0], [1.0], [1.0]
    for place_in, share in enumerate(known):
        assert share is not None  # noqa: S101 - takewhile has seen to it
        shares.append(share)
        below, above = lows[place_in], highs[place_in]
        low.append(share if below is None else below)
        high.append(share if above is None else above)
    if options.events:
        shares, low, high = ([1 - each for each in values] for values in (shares, high, low))
    return Line(place, name, curve, (0.0, *curve.ends[:count]), tuple(shares), tuple(low), tuple(high))


def height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    plot = min(_PLOT, max(1.8, width * 0.45))
    return plot + _FOOT + _head(shown, options, width) + _risk(shown, options)


def _risk(shown: Shown, options: Options) -> float:
    return _RISK_HEAD + _RISK_ROW * len(lines_of(shown, options)) if options.at_risk else 0.0


def _head(shown: Shown, options: Options, width: float) -> float:
    statistics = 0.0 if not statistics_of(shown) else _LINE
    rows, _, row = _legend_rows(shown, options, width)
    return 0.3 + statistics + row * rows


def _legend_rows(shown: Shown, options: Options, width: float) -> tuple[int, int, float]:
    """Return how many rows the legend has, how many names stand in one, and how high one is."""
    lines = lines_of(shown, options) if _grouped(shown) else []
    if not lines:
        return 0, 1, 0.0
    kind = Type(SMALL_SIZE, "")
    widest = max(kind.width(line.name) for line in lines) / POINTS + _SWATCH + 0.3
    columns = max(1, min(len(lines), int(width / min(max(widest, 1.9), 2.9))))
    long = widest > width / columns
    rows = -(-len(lines) // columns)
    return rows, -(-len(lines) // rows), _LEGEND_ROW + (_SECOND_LINE if long else 0.0)


def _grouped(shown: Shown) -> bool:
    return isinstance(shown.result, SurvivalResult) and shown.result.by_code is not None


def statistics_of(shown: Shown) -> str:
    """Return the log-rank test and, of two groups, the hazard ratio, in one line; "" if there are none."""
    result, words = shown.result, shown.words
    if not isinstance(result, SurvivalResult):
        return ""
    parts = []
    for each in result.tests:
        if each.weights == "logrank" and each.test.p is not None:
            parts.append(words.say("logrank", p=words.p_value(each.test.p)))
    if len(result.hazard_ratios) == 1 and result.hazard_ratios[0].ratio.value is not None:
        found = result.hazard_ratios[0]
        names = (name_of(result, found.key, words), name_of(result, found.reference, words))
        said = ratio_words(found.ratio, words)
        parts.append(words.say("ratio_of", one=names[0], other=names[1], ratio=said))
    return "  ·  ".join(parts)


def draw(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw the curves of a panel; ``peers`` share the scale of time."""
    result, words = shown.result, shown.words
    if not isinstance(result, SurvivalResult):
        return
    lines, unit = lines_of(shown, options), time_unit(result, options)
    horizon = max((curve.ends[-1] for peer in peers for curve in _curves(peer) if curve.ends), default=1.0)
    y = _legend(sheet, box, lines, shown, options, unit)
    risk = _risk(shown, options)
    if y - box.bottom - _FOOT - risk - 0.24 < _LEAST_PLOT:  # too low for both: the curves matter more
        risk = 0.0
    gutter = _gutter(sheet, box, lines, shown, words, risk > 0)
    inside = Box(box.left, box.bottom, box.width, y - box.bottom - 0.24).cut(
        left=gutter, bottom=_FOOT + risk, right=0.14
    )
    axes = sheet.axes(inside, spines=("bottom",), grid="y")
    axes.set_xlim(0, horizon * 1.005)
    axes.set_ylim(-0.012, 1.03)
    counts_axis(axes, words, shares=True, along="y", ticks=5)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.tick_params(axis="y", length=0)
    ticks = _ticks(sheet, inside, lines, horizon, unit, words)
    axes.set_xticks(ticks, [words.number(round(tick / UNIT_DAYS[unit])) for tick in ticks])
    axis_label(sheet, axes, words.say(f"time_{unit}"), box)
    title = words.say("with_event" if options.events else "without_event", variable=words.variable(result.code))
    sheet.write(inside.left, inside.top + 0.11, fitted(title, sheet.soft, inside.width * POINTS)[0], sheet.soft)
    if options.medians:
        _medians(sheet, axes, lines)
    for line in lines:
        _curve(sheet, axes, line, options, bands=banded(shown, options))
    _spots(sheet, axes, lines, unit, words, horizon, options)
    if risk:
        bottom = Box(box.left, box.bottom, box.width, risk)
        _at_risk(sheet, bottom, axes, lines, ticks, shown)
    if not lines:
        sheet.write(inside.left + 0.1, inside.top - 0.2, words.say("nothing_shown"), sheet.soft)


def _curves(shown: Shown) -> tuple[Curve, ...]:
    return shown.result.curves if isinstance(shown.result, SurvivalResult) else ()


def _gutter(sheet: Sheet, box: Box, lines: Sequence[Line], shown: Shown, words: Words, risk: bool) -> float:
    least = sheet.width(words.percent(1.0), sheet.soft) + 0.14
    if not risk:
        return least
    lead = _SWATCH + 0.08 if _grouped(shown) else 0.0
    names = max((sheet.width(line.name, sheet.small) for line in lines), default=0.0)
    widest = max((sheet.width(words.number(line.curve.n.value or 0), sheet.small) for line in lines), default=0.0)
    return max(least, min(names + lead + widest / 2 + 0.14, box.width * 0.3))


def _legend(sheet: Sheet, box: Box, lines: Sequence[Line], shown: Shown, options: Options, unit: str) -> float:
    """Name the curves and say the statistics; return where that ends."""
    words, y = shown.words, box.top
    rows, columns, row = _legend_rows(shown, options, box.width)
    if rows * row > box.height * _MOST_LEGEND:
        rows = 0  # a figure this low names the curves under the pointer
    if rows:
        room = box.width / columns
        for place, line in enumerate(lines):
            x = box.left + (place % columns) * room
            middle = y - (place // columns + 0.5) * row
            _swatch(sheet, x, middle, line.place)
            kind = sheet.strong if len(lines) <= _ALONE else sheet.small
            left = room - _SWATCH - 0.2
            said = _median_words(line, unit, words) if options.medians and len(lines) <= _ALONE else ""
            names = fitted(line.name, kind, left * POINTS, 2 if row > _LEGEND_ROW else 1)
            sheet.lines(x + _SWATCH + 0.08, middle, names, kind)
            after = sheet.width(names[0], kind) + 0.1
            if said and len(names) == 1 and left - after > sheet.width(said, sheet.soft):
                sheet.write(x + _SWATCH + 0.08 + after, middle, said, sheet.soft)
        y -= rows * row
    if said := statistics_of(shown):
        found = fitted(said, sheet.soft, box.width * POINTS)[0]
        sheet.write(box.left, y - _LINE / 2, found, sheet.soft)
        y -= _LINE
    return y


def _median_words(line: Line, unit: str, words: Words) -> str:
    value = line.curve.median.value
    if line.curve.n.withheld is not None:
        return words.withheld(line.curve.n.withheld)
    if not line.curve.n.value:
        return ""
    if value is None:
        return words.say("median", value=words.say("not_reached"))
    said = words.decimal(value / UNIT_DAYS[unit], 0 if unit == "days" else 1)
    return words.say("median", value=words.say(f"span_{unit}", time=said))


def _swatch(sheet: Sheet, x: float, y: float, place: int) -> None:
    sheet.stroke([x, x + _SWATCH], [y, y], sheet.colour(place), width=2.0, dashes=DASHES[place % len(DASHES)])


def _ticks(sheet: Sheet, inside: Box, lines: Sequence[Line], horizon: float, unit: str, words: Words) -> list[float]:
    """Return the ticks in days: as fine as the numbers at risk below them have room."""
    days = UNIT_DAYS[unit]
    largest = max((line.curve.n.value or 0.0 for line in lines), default=0.0)
    room = max(sheet.width(words.number(largest), sheet.small), 0.3) + 0.14
    for step in _STEPS[unit]:
        if inside.width * step * days / horizon >= room:
            return [tick * days for tick in range(0, int(horizon / days + _NEAR) + 1, step)]
    return [0.0, horizon]


def banded(shown: Shown, options: Options) -> bool:
    """Return whether bands are drawn: those of many curves would hide them all."""
    return options.interval != "none" and len(lines_of(shown, options)) <= MOST_BANDS


def _curve(sheet: Sheet, axes: Axes, line: Line, options: Options, *, bands: bool) -> None:
    colour = sheet.colour(line.place)
    if bands:
        axes.fill_between(line.times, line.low, line.high, step="post", color=colour, alpha=BAND, linewidth=0)
    (drawn,) = axes.plot(line.times, line.shares, drawstyle="steps-post", color=colour, linewidth=1.7, zorder=3)
    if dashes := DASHES[line.place % len(DASHES)]:
        drawn.set_dashes(list(dashes))
    if options.censored:
        marks = [
            (time, share)
            for time, share, censored in zip(line.times[1:], line.shares[1:], line.curve.censored, strict=False)
            if round(censored) > 0
        ]
        axes.plot(
            [time for time, _ in marks],
            [share for _, share in marks],
            linestyle="none",
            marker="|",
            markersize=5.5,
            markeredgewidth=1.0,
            color=colour,
            zorder=4,
        )


def _medians(sheet: Sheet, axes: Axes, lines: Sequence[Line]) -> None:
    found = [(line, line.curve.median.value) for line in lines]
    known = [(line, value) for line, value in found if value is not None and value <= axes.get_xlim()[1]]
    if not known:
        return
    dashes = (0, (1.2, 2))
    furthest = max(value for _, value in known)
    axes.plot([0, furthest], [0.5, 0.5], color=sheet.look.text2, linewidth=0.9, linestyle=dashes, zorder=2)
    for line, value in known:
        axes.plot([value, value], [0, 0.5], color=sheet.look.text2, linewidth=0.9, linestyle=dashes, zorder=2)
        axes.plot(
            [value],
            [0.5],
            marker="o",
            markersize=5,
            markerfacecolor=sheet.look.paper,
            markeredgecolor=sheet.colour(line.place),
            markeredgewidth=1.4,
            zorder=5,
        )


def _risk_at(curve: Curve, time: float) -> float | None:
    """Return how many are still followed at a time, from the interval that begins there or goes on."""
    if curve.n.withheld is not None:
        return None
    begin = 0.0
    for end, count in zip(curve.ends, curve.at_risk, strict=True):
        if time < end - _NEAR * max(end, 1.0):
            return count if time >= begin - _NEAR else None
        begin = end
    return curve.beyond


def _at_risk(sheet: Sheet, box: Box, axes: Axes, lines: Sequence[Line], ticks: Sequence[float], shown: Shown) -> None:
    words = shown.words
    heading = fitted(words.say("at_risk"), sheet.soft, box.width * POINTS)[0]
    sheet.write(box.left, box.top - _RISK_HEAD / 2, heading, sheet.soft)
    start, _ = sheet.place(axes, 0, 0)
    lead = _SWATCH + 0.08 if _grouped(shown) else 0.0
    widest = max((sheet.width(words.number(line.curve.n.value or 0), sheet.small) for line in lines), default=0.0)
    for place, line in enumerate(lines):
        y = box.top - _RISK_HEAD - (place + 0.5) * _RISK_ROW
        if lead:
            _swatch(sheet, box.left, y, line.place)
        room = start - widest / 2 - 0.06 - box.left - lead
        sheet.write(box.left + lead, y, fitted(line.name, sheet.small, max(room, 0.1) * POINTS)[0], sheet.small)
        for tick in ticks:
            x, _ = sheet.place(axes, tick, 0)
            count = _risk_at(line.curve, tick)
            sheet.write(x, y, "–" if count is None else words.number(max(count, 0.0)), sheet.small, align="center")


def _spots(
    sheet: Sheet,
    axes: Axes,
    lines: Sequence[Line],
    unit: str,
    words: Words,
    horizon: float,
    options: Options,
) -> None:
    """Say at each step what every curve has come to."""
    times = sorted({time for line in lines for time in line.times})
    for time, after in zip(times, [*times, horizon * 1.01][1:], strict=True):
        said = [words.say(f"at_{unit}", time=words.significant(time / UNIT_DAYS[unit]) if time else "0")]
        for line in lines:
            if line.curve.n.withheld is not None:
                said.append(f"{line.name}: {words.withheld(line.curve.n.withheld)}")
            elif time <= line.times[-1]:
                said.append(_said(line, bisect_right(line.times, time) - 1, words, options))
        sheet.spot_between(axes, (time, after), (-0.02, 1.03), "\n".join(said))


def _said(line: Line, place: int, words: Words, options: Options) -> str:
    share = words.percent(line.shares[place], 1)
    if options.interval != "none" and line.low[place] < line.high[place]:
        low, high = words.percent(line.low[place], 1), words.percent(line.high[place], 1)
        share = words.say("range", value=share, low=low, high=high)
    count = _risk_at(line.curve, line.times[place])
    at_risk = "–" if count is None else words.number(max(count, 0.0))
    return words.say("curve_at", group=line.name, share=share, count=at_risk)
