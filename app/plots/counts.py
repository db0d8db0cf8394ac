"""The figure of one count, or of several beside each other: the number, and how sure it is.

A bar begins at zero. Noise is drawn as the interval around its end, and for one count also as the distribution that it
implies for the true number, because beside a large count the interval can hardly be seen.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from app.core.analysis.results import BELOW, Withheld
from app.plots.look import FAMILY, LIGHT, Look, number
from app.texts import preferred_language, text

_SIZE, _SMALL = 9.0, 8.0
_BAND = 0.16
_MARKERS = ("o", "s", "D", "^", "v", "P")
_HATCHES = ("", "////", "....", "\\\\\\\\", "xx", "--")
_MOST_POINTS = 2000
WITHHELD = "////"
"""How what is withheld is hatched."""
_STUB = 0.05
"""How much of the longest bar that of a withheld number is, of which nothing is known."""
_NAME_WIDTH = 72
_ROW_INCHES = 0.95


@dataclass(frozen=True)
class Count:
    """A released count with a ``name``. ``half_width`` is that of its 95 % interval, 0 if it is exact.

    ``noise_scale`` is the scale of each site's Laplace noise, and ``sites`` how many have added theirs.
    """

    name: str
    released: int
    half_width: int = 0
    noise_scale: float = 0.0
    sites: int = 1
    withheld: Withheld | None = None
    """Why the number is not told; ``released`` is 0 then."""

    @property
    def exact(self) -> bool:
        """Whether nothing was added to it."""
        return self.noise_scale == 0.0

    @property
    def shown(self) -> int:
        """The number as it is shown: noise can take it below zero, patients cannot be fewer than none."""
        return max(self.released, 0)

    @property
    def low(self) -> int:
        """The lower end of the interval."""
        return max(self.released - self.half_width, 0)

    @property
    def high(self) -> int:
        """The upper end of the interval."""
        return max(self.released + self.half_width, 0)


def counts_figure(
    counts: Sequence[Count],
    *,
    look: Look = LIGHT,
    language: str | None = None,
    size: tuple[float, float] = (6.4, 3.4),
    dpi: float = 100,
) -> Figure:
    """Return the figure of ``counts`` (at least one), ``size`` inches wide and high."""
    figure = Figure(figsize=size, dpi=dpi, facecolor=look.paper)
    draw_counts(figure, (0.0, 0.0, 1.0, 1.0), counts, look, language or preferred_language())
    return figure


def draw_counts(
    figure: Figure, place: tuple[float, float, float, float], counts: Sequence[Count], look: Look, language: str
) -> None:
    """Draw ``counts`` into a part of ``figure``: (left, bottom, width, height) as shares of it."""
    width, height = figure.get_size_inches()
    left, bottom, across, up = place
    side, foot, head = 0.2 / width, 0.55 / height, 0.12 / height
    alone = len(counts) == 1 and not counts[0].exact and counts[0].withheld is None
    inside = (left + side, bottom + foot, across - 2 * side, up - foot - head)
    if not alone:
        _bars(_axes(figure, inside, look), counts, look, language)
        return
    gap = 0.95 / height
    upper = (inside[3] - gap) * 0.36
    lower = inside[3] - gap - upper
    _bars(_axes(figure, (inside[0], inside[1] + lower + gap, inside[2], upper), look), counts, look, language)
    _distribution(_axes(figure, (inside[0], inside[1], inside[2], lower), look), counts[0], look, language)


def _axes(figure: Figure, place: tuple[float, float, float, float], look: Look) -> Axes:
    axes = figure.add_axes(place, facecolor="none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(look.axis)
    axes.tick_params(axis="x", colors=look.axis, labelcolor=look.text2, labelsize=_SMALL, labelfontfamily=FAMILY)
    axes.set_yticks([])
    axes.grid(axis="x", color=look.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _number_axis(axes: Axes, label: str, look: Look, language: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: number(round(value), language)))
    axes.set_xlabel(label, color=look.text2, fontsize=_SMALL, family=FAMILY, parse_math=False, labelpad=4)


def _bars(axes: Axes, counts: Sequence[Count], look: Look, language: str) -> None:
    largest = max(1, *(_length(each) for each in counts))
    for place, each in enumerate(counts):
        colour = look.series[place % len(look.series)]
        hatch = _HATCHES[place % len(_HATCHES)]
        if each.withheld is not None:
            length = max(_length(each), largest * _STUB)
            axes.barh(-place, length, height=0.46, color=look.paper, edgecolor=look.axis, hatch=WITHHELD, zorder=2)
        else:
            axes.barh(
                -place, each.shown, height=0.46, color=colour, edgecolor=look.paper, hatch=hatch, linewidth=0, zorder=2
            )
        if each.half_width and each.withheld is None:
            ends = [[each.shown - each.low], [max(each.high - each.shown, 0)]]
            axes.errorbar(
                each.shown,
                -place,
                xerr=ends,
                fmt=_MARKERS[place % len(_MARKERS)],
                color=look.text,
                markersize=4,
                capsize=5,
                elinewidth=1.4,
                zorder=3,
            )
        end = (max(_length(each), largest * _STUB if each.withheld is not None else 0.0), -place)
        _say(axes, _value(each, language), end, (8, 0), look.text, vertical="center", bold=True)
        if each.name and len(counts) > 1:
            name = textwrap.shorten(each.name, _NAME_WIDTH, placeholder=" …")
            _say(axes, name, (0, -place + 0.26), (0, 3), look.text)
    axes.set_xlim(0, largest * 1.28)
    middle, tall = (1 - len(counts)) / 2, _row_height(axes, len(counts))
    axes.set_ylim(middle - tall / 2, middle + tall / 2 + (0.1 if len(counts) > 1 else 0))
    _number_axis(axes, text("plots.patients", language), look, language)


def _say(
    axes: Axes,
    words: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    colour: str,
    *,
    horizontal: Literal["left", "right"] = "left",
    vertical: Literal["center", "bottom"] = "bottom",
    size: float = _SIZE,
    bold: bool = False,
) -> None:
    """Write ``words`` at a place of the data, moved by an offset in points; never as formulas."""
    axes.annotate(
        words,
        at,
        xytext=offset,
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        color=colour,
        family=FAMILY,
        parse_math=False,
    )


def _length(each: Count) -> float:
    """Return how far a bar reaches: of a withheld one as far as it may be known to."""
    if each.withheld is None:
        return max(each.high, each.shown)
    return each.withheld.least if each.withheld.why == BELOW else 0


def _row_height(axes: Axes, rows: int) -> float:
    """Return how many rows high the axes are: as many as there are, or more so that bars do not become fat."""
    inches = float(axes.get_window_extent().height) / axes.figure.dpi
    return max(rows - 0.2 if rows > 1 else 0.8, inches / _ROW_INCHES)


def _value(each: Count, language: str) -> str:
    if each.withheld is not None:
        below = each.withheld.why == BELOW
        least = number(each.withheld.least, language)
        return text("plots.fewer_than", language, count=least) if below else text("plots.withheld", language)
    if each.exact:
        return number(each.shown, language)
    if each.released < each.half_width:
        low, high = number(each.low, language), number(each.high, language)
        return text("plots.range", language, value=number(each.shown, language), low=low, high=high)
    return f"{number(each.shown, language)} ± {number(each.half_width, language)}"


def _distribution(axes: Axes, count: Count, look: Look, language: str) -> None:
    """Draw how likely each true number is, as far as the noise alone says; the darker part is the 95 % interval."""
    values, density = noise_distribution(count)
    density = density / density.max()
    colour = look.series[0]
    axes.fill_between(values, density, color=colour, alpha=_BAND, linewidth=0)
    inside = (values >= count.released - count.half_width) & (values <= count.released + count.half_width)
    axes.fill_between(values, density, where=inside.tolist(), color=colour, alpha=2 * _BAND, linewidth=0)
    axes.plot(values, density, color=colour, linewidth=1.6)
    axes.plot([count.shown, count.shown], [0, 1], color=look.text, linewidth=1.2, linestyle=(0, (4, 3)))
    ends: tuple[tuple[int, Literal["left", "right"], int], ...] = ((count.low, "right", -4), (count.high, "left", 4))
    for end, align, shift in ends:
        axes.plot([end, end], [0, 0.3], color=look.text2, linewidth=1.0)
        _say(axes, number(end, language), (end, 0.3), (shift, 2), look.text2, horizontal=align, size=_SMALL)
    axes.set_ylim(0, 1.12)
    axes.set_xlim(values[0], values[-1])
    _number_axis(axes, text("plots.true_number", language), look, language)


def noise_distribution(count: Count) -> tuple[np.ndarray, np.ndarray]:
    """Return (values, probabilities) of the true number: the sum of as many Laplace draws as there are sites."""
    reach = max(2 * count.half_width, 4)
    step = max(1, -(-2 * reach // _MOST_POINTS))
    half = reach // step
    offsets = np.arange(-half, half + 1) * step
    one = np.exp(-np.abs(offsets) / count.noise_scale)
    one /= one.sum()
    whole = one
    for _ in range(count.sites - 1):
        whole = np.convolve(whole, one, mode="same")
    values = count.released + offsets
    possible = values >= 0
    if not possible.any():  # the noise has taken it so far down that nothing but none is likely
        return np.array([0.0, 1.0]), np.array([1.0, 0.0])
    return values[possible].astype(float), whole[possible] / whole[possible].sum()
