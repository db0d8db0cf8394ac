"""The figure of any result, or of several beside each other with common scales: sites, or runs that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from matplotlib.figure import Figure

from app.core.analysis.results import (
    AttritionResult,
    CompareResult,
    CorrelateResult,
    CountResult,
    GroupsResult,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
)
from app.plots import bars, boxes, forest, heat, histogram, mosaic, survival
from app.plots.captions import caption, statistics_of
from app.plots.counts import Count, draw_counts
from app.plots.lettering import LEADING, Type, fitted
from app.plots.look import LIGHT, Look
from app.plots.options import Options, Picture, Shown
from app.plots.sheet import POINTS, SMALL_SIZE, Box, Sheet, estimate_words

__all__ = ["Options", "Picture", "Shown", "draw_shown", "figure_of", "picture_of", "size_of", "switchable"]

WIDTH = 6.4
_SIDE, _HEAD, _BETWEEN = 0.16, 0.24, 0.3
_NAME, _CAPTION_LINES = 0.26, 5
_NARROWEST = 2.8
"""Panels are not set beside each other if they would be narrower than this (inches)."""
_MOST_COLUMNS = 3
_COUNT, _COUNTS = 3.4, 1.0

_Height: TypeAlias = Callable[[Shown, Options, float], float]
_Draw: TypeAlias = Callable[[Sheet, Box, Shown, Sequence[Shown], Options], None]


@dataclass(frozen=True)
class _Style:
    """How a kind of result is drawn: its natural height and its drawing."""

    height: _Height
    draw: _Draw


_BARS = _Style(bars.height, bars.draw)
_HISTOGRAM = _Style(histogram.height, histogram.draw)
_MOSAIC = _Style(mosaic.height, mosaic.draw)
_BOXES = _Style(boxes.summary_height, boxes.draw_summary)
_MEANS = _Style(boxes.compare_height, boxes.draw_compare)
_HEAT = _Style(heat.height, heat.draw)
_FOREST = _Style(forest.height, forest.draw)
_SURVIVAL = _Style(survival.height, survival.draw)


def _style(result: Result, options: Options) -> _Style | None:  # noqa: PLR0911 - one return a kind of result
    match result:
        case GroupsResult():
            return _HISTOGRAM if result.analysis == "histogram" else _BARS
        case AttritionResult():
            return _BARS
        case TableResult():
            return _MOSAIC
        case SummaryResult():
            return _BOXES
        case CompareResult():
            return _MEANS
        case CorrelateResult():
            return _HEAT
        case RegressResult():
            return _FOREST
        case SurvivalResult():
            return _FOREST if options.hazard_ratios and result.hazard_ratios else _SURVIVAL
        case _:
            return None


def switchable(result: Result) -> tuple[str, ...]:
    """Return the keys of groups that can be switched off, in the order in which they are drawn."""
    match result:
        case GroupsResult():
            return tuple(group.key for group in result.groups)
        case SurvivalResult() if result.by_code is not None:
            return tuple(curve.key for curve in result.curves)
        case CompareResult():
            return tuple(group.key for group in result.groups)
        case _:
            return ()


def figure_of(
    shown: Shown, *, look: Look = LIGHT, options: Options | None = None, size: tuple[float, float] | None = None
) -> Figure:
    """Return the figure of one result."""
    return picture_of([shown], look=look, options=options, size=size).figure


def picture_of(
    shown: Sequence[Shown],
    *,
    look: Look = LIGHT,
    options: Options | None = None,
    size: tuple[float, float] | None = None,
    dpi: float = 100,
) -> Picture:
    """Return the figure of ``shown`` (at least one), ``size`` inches wide and high, else as large as it needs."""
    chosen = options or Options()
    wanted = size or size_of(shown, chosen)
    figure = Figure(figsize=wanted, dpi=dpi, facecolor=look.paper)
    sheet = Sheet(figure, look)
    draw_shown(sheet, Box(0, 0, *wanted), shown, chosen)
    return Picture(figure, tuple(sheet.spots))


def size_of(shown: Sequence[Shown], options: Options | None = None, width: float = WIDTH) -> tuple[float, float]:
    """Return the natural size in inches of a figure so wide."""
    chosen = options or Options()
    if _all_counts(shown):
        return width, _COUNT if len(shown) == 1 else 0.7 + _COUNTS * len(shown)
    columns, across = _grid(shown, width - 2 * _SIDE)
    rows = [shown[place : place + columns] for place in range(0, len(shown), columns)]
    tall = sum(max(_panel(each, chosen, across) for each in row) for row in rows) + _BETWEEN * (len(rows) - 1)
    return width, tall + _HEAD + _caption_height(shown, chosen, width - 2 * _SIDE) + 0.1


def draw_shown(sheet: Sheet, box: Box, shown: Sequence[Shown], options: Options) -> None:
    """Draw the panels into a part of a figure."""
    if _all_counts(shown):
        _draw_counts(sheet, box, shown)
        return
    inside = box.cut(left=_SIDE, right=_SIDE, top=_HEAD / 2)
    said = caption(shown, options)
    caption_height = _caption_height(shown, options, inside.width)
    lines = fitted(said, sheet.soft, inside.width * POINTS, _CAPTION_LINES) if said else []
    for place, line in enumerate(lines):
        y = inside.bottom + caption_height - 0.04 - (place + 0.5) * SMALL_SIZE * LEADING / POINTS
        sheet.write(inside.left, y, line, sheet.soft)
    inside = inside.cut(bottom=caption_height + 0.06)
    columns, across = _grid(shown, inside.width)
    rows = [shown[place : place + columns] for place in range(0, len(shown), columns)]
    wanted = [max(_panel(each, options, across) for each in row) for row in rows]
    room = inside.height - _BETWEEN * (len(rows) - 1)
    top = inside.top
    for row, height in zip(rows, wanted, strict=True):
        tall = height * room / sum(wanted)
        for place, each in enumerate(row):
            panel = Box(inside.left + place * (across + _BETWEEN), top - tall, across, tall)
            _draw_panel(sheet, panel, each, shown, options)
        top -= tall + _BETWEEN


def _all_counts(shown: Sequence[Shown]) -> bool:
    return all(isinstance(each.result, CountResult) for each in shown)


def _grid(shown: Sequence[Shown], width: float) -> tuple[int, float]:
    """Return how many panels stand beside each other, and how wide each is."""
    fitting = max(1, int((width + _BETWEEN) / (_NARROWEST + _BETWEEN)))
    columns = min(len(shown), _MOST_COLUMNS, fitting)
    if len(shown) == 4 and columns == _MOST_COLUMNS:  # noqa: PLR2004 - two and two, not three and one
        columns = 2
    return columns, (width - _BETWEEN * (columns - 1)) / columns


def _panel(shown: Shown, options: Options, width: float) -> float:
    style = _style(shown.result, options)
    extra = (_NAME if shown.name else 0.0) + (_NAME if statistics_of(shown, options) else 0.0)
    return extra + (style.height(shown, options, width) if style is not None else _COUNTS)


def _draw_panel(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    if shown.name:
        name = fitted(shown.name, sheet.strong, box.width * POINTS)[0]
        sheet.write(box.left, box.top - _NAME / 2 + 0.04, name, sheet.strong)
        box = box.cut(top=_NAME)
    if said := statistics_of(shown, options):
        sheet.write(box.left, box.top - _NAME / 2 + 0.05, fitted(said, sheet.soft, box.width * POINTS)[0], sheet.soft)
        box = box.cut(top=_NAME)
    style = _style(shown.result, options)
    if style is None:
        _draw_counts(sheet, box, [shown])
        return
    alike = [each for each in peers if _style(each.result, options) is style and _comparable(each.result, shown.result)]
    style.draw(sheet, box, shown, alike, options)


def _comparable(one: Result, other: Result) -> bool:
    """Return whether two results measure the same, so that one scale serves both."""
    names = ("code", "outcome")
    return type(one) is type(other) and all(getattr(one, name, "") == getattr(other, name, "") for name in names)


def _draw_counts(sheet: Sheet, box: Box, shown: Sequence[Shown]) -> None:
    counts = []
    for each in shown:
        if isinstance(each.result, CountResult):
            width, withheld = round(each.result.noise_width or 0), each.result.count.withheld
            counts.append(Count(each.name, each.result.raw or 0, width, each.noise_scale, each.sites, withheld))
    width, height = sheet.figure.get_size_inches()
    place = (box.left / width, box.bottom / height, box.width / width, box.height / height)
    draw_counts(sheet.figure, place, counts, sheet.look, shown[0].words.language)
    for each in shown:
        if isinstance(each.result, CountResult) and len(shown) == 1:
            sheet.spot(box, estimate_words(each.result.count, each.words))


def _caption_height(shown: Sequence[Shown], options: Options, width: float) -> float:
    said = caption(shown, options)
    if not said:
        return 0.06
    lines = fitted(said, Type(SMALL_SIZE, ""), width * POINTS, _CAPTION_LINES)
    return len(lines) * SMALL_SIZE * LEADING / POINTS + 0.08
