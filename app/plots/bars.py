"""Bars below each other: how many are in each group of a breakdown, how many are left after each criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from app.core.analysis.results import AttritionResult, Estimate, GroupsResult
from app.core.query.cells import UNKNOWN
from app.plots.counts import WITHHELD
from app.plots.lettering import LEADING, fitted
from app.plots.options import Options, Shown
from app.plots.sheet import (
    POINTS,
    SMALL_SIZE,
    Box,
    Sheet,
    axis_label,
    counts_axis,
    estimate_words,
    reach,
    uncertain,
)
from app.plots.words import Words

_ROW, _MOST_ROW, _LEAST_ROW = 0.36, 0.5, 0.17
_FOOT = 0.46
_BAR = 0.62
_GAP = 0.1
_STEP_LINES = 3
_STUB = 0.05
"""How long the bar of a number that is withheld is, of the longest one."""


@dataclass(frozen=True)
class Row:
    """One bar: its name, how many, the share of all (None: of whom there are none), and what is said of it at hand."""

    name: str
    count: Estimate
    share: float | None
    apart: bool
    hover: str


def groups_rows(result: GroupsResult, words: Words, options: Options) -> list[Row]:
    """Return the bars of a breakdown."""
    rows = []
    for group in result.groups:
        if group.key in options.hidden:
            continue
        name = words.group(result.code, group.key)
        hover = f"{name}: {_said(group.count, group.share, words)}"
        rows.append(Row(name, group.count, group.share, group.key == UNKNOWN, hover))
    return rows


def attrition_rows(result: AttritionResult, words: Words) -> list[Row]:
    """Return the bars of a funnel, each with how many were lost on the way."""
    rows: list[Row] = []
    for place, step in enumerate(result.steps):
        name = words.criterion(step.number)
        hover = f"{name}: {_said(step.count, step.share, words)}"
        before = result.steps[place - 1].count.value if place else None
        if before is not None and step.count.value is not None and before > step.count.value:
            hover += "\n" + words.say("lost", count=words.number(before - step.count.value))
        rows.append(Row(name, step.count, step.share, False, hover))
    return rows


def _said(count: Estimate, share: float | None, words: Words) -> str:
    said = estimate_words(count, words)
    return said if share is None or count.value is None else f"{said} · {words.percent(share, 1)}"


def rows_of(shown: Shown, options: Options) -> list[Row]:
    """Return the bars of a panel."""
    match shown.result:
        case GroupsResult():
            return groups_rows(shown.result, shown.words, options)
        case AttritionResult():
            return attrition_rows(shown.result, shown.words)
        case _:
            return []


def height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del width
    taller = 1.25 if isinstance(shown.result, AttritionResult) else 1.0
    return _FOOT + _GAP + taller * _ROW * max(1, len(rows_of(shown, options)))


def draw(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw the bars; ``peers`` are all panels that share the scale."""
    words, rows = shown.words, rows_of(shown, options)
    funnel = isinstance(shown.result, AttritionResult)
    all_rows = [row for each in peers for row in rows_of(each, options)]
    shares = options.shares and not funnel
    largest = max([_end(row, shares) for row in all_rows], default=0.0) or 1.0
    gutter = _gutter(sheet, box, [row.name for row in rows], 0.44 if funnel else 0.38)
    said = [_value(row, words, shares=shares, funnel=funnel) for row in rows]
    after = min(max((sheet.width(each, sheet.strong) for each in said), default=0.0) + 0.14, box.width * 0.4)
    inside = box.cut(left=gutter, bottom=_FOOT, right=0.04)
    pitch = min(inside.height / max(len(rows), 1), _MOST_ROW if len(rows) > 1 else 0.62)
    axes = sheet.axes(inside.upper(pitch * max(len(rows), 1)), grid="x")
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.5 if rows else 0.5, -0.5)
    axes.set_xlim(0, largest * inside.width / max(inside.width - after, 0.3))
    drawn = inside.width - after
    counts_axis(axes, words, shares=shares, ticks=max(1, min(6, int(drawn / 0.6))))
    _end_ticks(axes, largest)
    axis_label(sheet, axes, words.say("share_of_patients" if shares else "patients"), box)
    every = max(1, -(-_LEAST_ROW // pitch)) if pitch else 1
    for place, row in enumerate(rows):
        _bar(sheet, axes, place, row, shares=shares, stub=largest * _STUB)
        middle = inside.top - (place + 0.5) * pitch
        if place % int(every) == 0:
            room = max(1, min(_STEP_LINES if funnel else 2, int(pitch / (SMALL_SIZE * LEADING / POINTS * 0.9))))
            kind = sheet.small if room > 1 or pitch < 0.25 else sheet.body
            lines = fitted(row.name, kind, (gutter - 0.12) * POINTS, room)
            sheet.lines(inside.left - 0.1, middle, lines, kind, align="right")
            x, _ = sheet.place(axes, _end(row, shares) if row.count.value is not None else largest * _STUB, place)
            sheet.write(x + 0.08, middle, said[place], sheet.strong if pitch >= 0.22 else sheet.small)
        sheet.spot(Box(box.left, middle - pitch / 2, box.width, pitch), row.hover)
    if not rows:
        sheet.write(inside.left + 0.1, inside.top - pitch / 2, words.say("nothing_shown"), sheet.soft)


def _gutter(sheet: Sheet, box: Box, names: Sequence[str], most: float) -> float:
    widest = max((sheet.width(name, sheet.body) for name in names), default=0.0)
    return min(widest + 0.14, box.width * most)


def _end_ticks(axes: Axes, largest: float) -> None:
    """Leave out the ticks beyond the longest bar: room for its number is no part of the scale."""
    wanted = axes.xaxis.get_major_locator().tick_values(0, largest)
    ticks = [float(each) for each in wanted if -1e-9 <= each <= largest * 1.12]
    axes.xaxis.set_major_locator(FixedLocator(ticks))


def _end(row: Row, shares: bool) -> float:
    return reach(row.count) * _scale(row, shares)


def _scale(row: Row, shares: bool) -> float:
    """Return what counts are multiplied by to become what is drawn."""
    if not shares:
        return 1.0
    return row.share / row.count.value if row.share is not None and row.count.value else 0.0


def _bar(sheet: Sheet, axes: Axes, place: int, row: Row, *, shares: bool, stub: float) -> None:
    look, value = sheet.look, row.count.value
    if value is None:
        axes.barh(place, stub, height=_BAR, color=look.paper, edgecolor=look.axis, hatch=WITHHELD, zorder=2)
        return
    scale = _scale(row, shares)
    colour = look.axis if row.apart else look.series[0]
    axes.barh(place, value * scale, height=_BAR, color=colour, linewidth=0, zorder=2)
    if uncertain(row.count) and row.count.low is not None and row.count.high is not None:
        low, high = row.count.low * scale, row.count.high * scale
        axes.plot([low, high], [place, place], color=look.text, linewidth=1.3, zorder=3)
        for end in (low, high):
            axes.plot([end, end], [place - 0.14, place + 0.14], color=look.text, linewidth=1.3, zorder=3)


def _value(row: Row, words: Words, *, shares: bool, funnel: bool) -> str:
    said = estimate_words(row.count, words)
    if row.count.value is None or row.share is None:
        return said
    if shares:
        return words.percent(row.share, 1)
    return f"{said}  ·  {words.percent(row.share)}" if funnel else said
