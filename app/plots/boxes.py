"""Numbers in short: boxes from quantiles over their distribution, and the means of groups with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from app.core.analysis.results import CompareResult, Estimate, Quantile, SummaryResult, VariableSummary
from app.plots.histogram import OPEN_HATCH, summary_bins, tallest
from app.plots.lettering import fitted
from app.plots.look import mixed
from app.plots.options import Options, Shown
from app.plots.sheet import (
    POINTS,
    Box,
    Sheet,
    axis_label,
    estimate_words,
    interval_words,
    uncertain,
    values_axis,
)
from app.plots.words import Words

_HEAD, _BOX, _BARS, _FOOT = 0.28, 0.34, 0.5, 0.4
_MEAN_ROW, _MEAN_FOOT = 0.62, 0.5
_CLOSED = 0.9
"""How much of a box's place it fills."""


# --- summary ------------------------------------------------------------------------------------------------------


def summary_height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del options, width
    count = len(shown.result.variables) if isinstance(shown.result, SummaryResult) else 1
    return max(1, count) * (_HEAD + _BOX + _BARS + _FOOT)


def draw_summary(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw one strip a variable: its numbers in words, its distribution, its box; ``peers`` share the scales."""
    del options
    result = shown.result
    if not isinstance(result, SummaryResult) or not result.variables:
        return
    each = box.height / len(result.variables)
    for place, variable in enumerate(result.variables):
        strip = Box(box.left, box.top - (place + 1) * each, box.width, each)
        same = [
            other
            for peer in peers
            if isinstance(peer.result, SummaryResult)
            for other in peer.result.variables
            if other.code == variable.code
        ]
        _variable(sheet, strip, variable, same, shown.words)


def _variable(
    sheet: Sheet, strip: Box, variable: VariableSummary, same: Sequence[VariableSummary], words: Words
) -> None:
    name = words.measured(variable.code)
    said = _in_short(variable, words)
    room = strip.width - sheet.width(said, sheet.soft) - 0.2
    wanted = min(sheet.width(name, sheet.strong), strip.width * 0.45)
    if room < wanted:
        said = _in_short(variable, words, brief=True)
        room = strip.width - sheet.width(said, sheet.soft) - 0.2
    y = strip.top - 0.11
    sheet.write(strip.left, y, fitted(name, sheet.strong, max(room, 0.6) * POINTS)[0], sheet.strong)
    sheet.write(strip.right, y, said, sheet.soft, align="right")
    inside = strip.cut(top=_HEAD, bottom=_FOOT, left=0.06, right=0.06)
    axes = sheet.axes(inside)
    axes.set_yticks([])
    low, high = _limits(same, words)
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1)
    values_axis(axes, words, max(2, min(8, int(inside.width / 0.6))))
    across = _BOX / (_BOX + _BARS)
    bins = summary_bins(variable, words)
    unit = min((each.width for each in bins), default=1.0)
    top = max((tallest(summary_bins(each, words), unit) for each in same), default=0.0) or 1.0
    grey = mixed(sheet.look.paper, sheet.look.axis, 0.45)
    for each in bins:
        if not each.count.value:
            continue
        tall = (each.count.value or 0.0) * unit / each.width / top * (1 - across - 0.04)
        axes.add_patch(
            Rectangle(
                (each.left, across + 0.04),
                each.width,
                tall,
                facecolor=sheet.look.paper if each.open else grey,
                edgecolor=grey if each.open else sheet.look.paper,
                hatch=OPEN_HATCH if each.open else None,
                linewidth=0.8,
            )
        )
        group = words.group(variable.code, each.key)
        sheet.spot_between(axes, (each.left, each.right), (across, 1), f"{group}: {estimate_words(each.count, words)}")
    _box(sheet, axes, variable, across, (low, high))
    sheet.spot_between(axes, (low, high), (0, across), _quantiles_in_words(variable, words))


def _in_short(variable: VariableSummary, words: Words, *, brief: bool = False) -> str:
    parts = [f"n = {estimate_words(variable.n, words)}"]
    if variable.mean is not None and variable.mean.value is not None:
        mean = words.significant(variable.mean.value) if brief else interval_words(variable.mean, words)
        parts.append(words.say("mean", value=mean))
    if variable.deviation is not None and variable.deviation.value is not None:
        parts.append(words.say("deviation", value=words.significant(variable.deviation.value)))
    return "  ·  ".join(parts)


def quantile(variable: VariableSummary, level: float) -> Quantile | None:
    """Return the quantile of a level, or None."""
    return next((each for each in variable.quantiles if abs(each.level - level) < 1e-9), None)  # noqa: PLR2004


def _quantiles_in_words(variable: VariableSummary, words: Words) -> str:
    lines = []
    for each in variable.quantiles:
        value = "–" if each.value is None else words.significant(each.value)
        between = words.interval(
            None, *("" if end is None else f"{end:.6f}".rstrip("0").rstrip(".") for end in (each.low, each.high))
        )
        lines.append(words.say("quantile", level=words.percent(each.level), value=value, between=between))
    return "\n".join(lines)


def _limits(same: Sequence[VariableSummary], words: Words) -> tuple[float, float]:
    ends: list[float] = []
    for each in same:
        ends += [end for one in summary_bins(each, words) for end in (one.left, one.right)]
        ends += [value.value for value in each.quantiles if value.value is not None]
        ends += [end for end in _interval(each.mean) if ends and min(ends) <= end <= max(ends)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = (high - low) * 0.02 or 1.0
    return low - margin, high + margin


def _interval(estimate: Estimate | None) -> list[float]:
    found = () if estimate is None else (estimate.low, estimate.value, estimate.high)
    return [each for each in found if each is not None]


def _box(sheet: Sheet, axes: Axes, variable: VariableSummary, across: float, limits: tuple[float, float]) -> None:
    look, middle, tall = sheet.look, across * 0.5, across * _CLOSED / 2
    colour = look.series[0]
    values = {each.level: each.value for each in variable.quantiles if each.value is not None}
    quarter, half, three = values.get(0.25), values.get(0.5), values.get(0.75)
    for outer, edge, limit in ((0, quarter, limits[0]), (-1, three, limits[1])):
        if variable.quantiles and edge is not None:
            end = variable.quantiles[outer].value
            _whisker(axes, limit if end is None else end, edge, middle, tall, look.text2, known=end is not None)
    if quarter is not None and three is not None:
        axes.add_patch(
            Rectangle(
                (quarter, middle - tall * 0.8),
                three - quarter,
                1.6 * tall,
                facecolor=colour,
                alpha=0.22,
                linewidth=0,
                zorder=2,
            )
        )
        axes.plot(
            [quarter, three, three, quarter, quarter],
            [middle - tall * 0.8, middle - tall * 0.8, middle + tall * 0.8, middle + tall * 0.8, middle - tall * 0.8],
            color=colour,
            linewidth=1.2,
            zorder=3,
        )
    if half is not None:
        axes.plot([half, half], [middle - tall * 0.8, middle + tall * 0.8], color=colour, linewidth=2.4, zorder=4)
    mean = variable.mean
    if mean is not None and mean.value is not None:
        if uncertain(mean) and mean.low is not None and mean.high is not None:
            ends = [max(mean.low, limits[0]), min(mean.high, limits[1])]
            axes.plot(ends, [middle, middle], color=look.series[1], linewidth=1.6, zorder=5)
            for end, inner, arrow in ((mean.low, ends[0], "<"), (mean.high, ends[1], ">")):
                if end != inner:
                    axes.plot([inner], [middle], marker=arrow, markersize=5, color=look.series[1], clip_on=False)
        if limits[0] <= mean.value <= limits[1]:
            axes.plot([mean.value], [middle], marker="D", markersize=5, color=look.series[1], zorder=6)


def _whisker(axes: Axes, end: float, start: float, middle: float, tall: float, colour: str, *, known: bool) -> None:
    """Draw a whisker; one whose end is not known goes on to the edge, broken and without an end."""
    style = "-" if known else (0, (3, 3))
    axes.plot([end, start], [middle, middle], color=colour, linewidth=1.1, linestyle=style, zorder=2)
    if known:
        axes.plot([end, end], [middle - tall * 0.4, middle + tall * 0.4], color=colour, linewidth=1.1, zorder=2)


# --- means of groups ----------------------------------------------------------------------------------------------


def compare_height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del options, width
    count = len(shown.result.groups) if isinstance(shown.result, CompareResult) else 1
    return max(1, count) * _MEAN_ROW + _MEAN_FOOT


def draw_compare(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw each group's mean with its interval, over a band of one standard deviation each way."""
    result, words = shown.result, shown.words
    if not isinstance(result, CompareResult):
        return
    groups = [each for each in result.groups if each.key not in options.hidden]
    names = [words.group(result.by_code, each.key) for each in groups]
    gutter = min(max((sheet.width(name, sheet.body) for name in names), default=0.0) + 0.16, box.width * 0.34)
    inside = box.cut(left=gutter, bottom=_MEAN_FOOT, right=0.06)
    pitch = min(inside.height / max(len(groups), 1), 0.9)
    inside = inside.upper(pitch * max(len(groups), 1))
    axes = sheet.axes(inside, grid="x")
    axes.set_yticks([])
    axes.set_ylim(max(len(groups), 1) - 0.5, -0.5)
    low, high = _mean_limits(peers)
    axes.set_xlim(low, high)
    values_axis(axes, words, max(2, min(7, int(inside.width / 0.6))))
    axis_label(sheet, axes, words.measured(result.code), box)
    for place, (group, name) in enumerate(zip(groups, names, strict=True)):
        middle = inside.top - (place + 0.5) * pitch
        colour = sheet.colour(place)
        sheet.lines(box.left, middle, fitted(name, sheet.body, (gutter - 0.14) * POINTS, 2), sheet.body)
        mean, deviation = group.mean, group.deviation.value
        said = words.say("mean", value=interval_words(mean, words))
        parts = [said, words.say("deviation", value="–" if deviation is None else words.significant(deviation))]
        parts.append(f"n = {estimate_words(group.n, words)}")
        if mean.value is not None:
            if deviation is not None:
                ends = (max(mean.value - deviation, low), min(mean.value + deviation, high))
                axes.add_patch(
                    Rectangle(
                        (ends[0], place - 0.16), ends[1] - ends[0], 0.32, facecolor=colour, alpha=0.2, linewidth=0
                    )
                )
            if uncertain(mean) and mean.low is not None and mean.high is not None:
                inner = (max(mean.low, low), min(mean.high, high))
                axes.plot(inner, [place, place], color=colour, linewidth=2.2, zorder=3)
                for end, there in zip((mean.low, mean.high), inner, strict=True):
                    if end == there:
                        axes.plot([end, end], [place - 0.13, place + 0.13], color=colour, linewidth=1.6, zorder=3)
            axes.plot([mean.value], [place], marker=("D", "o")[place % 2], color=colour, markersize=7, zorder=4)
        line = fitted("  ·  ".join(parts), sheet.soft, inside.width * POINTS)[0]
        sheet.write(inside.left + 0.04, middle + pitch * 0.36, line, sheet.soft)
        sheet.spot(Box(box.left, middle - pitch / 2, box.width, pitch), f"{name}\n" + "\n".join(parts))


def _mean_limits(peers: Sequence[Shown]) -> tuple[float, float]:
    ends: list[float] = []
    far: list[float] = []
    for peer in peers:
        if isinstance(peer.result, CompareResult):
            for group in peer.result.groups:
                spread = group.deviation.value or 0.0
                if group.mean.value is not None:
                    ends += [group.mean.value - spread, group.mean.value, group.mean.value + spread]
                    far += _interval(group.mean)
    if not ends:
        return 0.0, 1.0
    room = 2 * (max(ends) - min(ends)) or 1.0
    inside = [end for end in far if min(ends) - room <= end <= max(ends) + room]
    low, high = min([*ends, *inside]), max([*ends, *inside])
    margin = (high - low) * 0.05 or 1.0
    return low - margin, high + margin
