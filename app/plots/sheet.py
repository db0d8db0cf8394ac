"""A part of a figure being filled: boxes in inches, axes in the house's style, words that are measured before they
are set, and spots that say the values under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from app.core.analysis.results import Estimate
from app.plots.lettering import LEADING, Type, fitted
from app.plots.look import FAMILY, Look
from app.plots.options import Spot
from app.plots.words import Words

POINTS = 72.0
SIZE, SMALL_SIZE = 9.0, 8.0
DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (5, 1.6),
    (1.4, 1.4),
    (6, 1.5, 1.4, 1.5),
    (8, 3),
    (2.8, 1.2),
    (1.2, 2.6),
    (9, 1.6, 1.4, 1.6, 1.4, 1.6),
)
"""Lines of groups: a colour never stands alone."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
BAND = 0.16
_STEPS = [1, 2, 2.5, 5, 10]
_LABEL_BELOW = 0.33
_LARGE_RATIO = 100.0

Horizontal = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Box:
    """A rectangle of a figure, in inches from its bottom left."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.bottom + self.height

    def cut(self, *, left: float = 0.0, right: float = 0.0, top: float = 0.0, bottom: float = 0.0) -> Box:
        """Return it without margins; never less than a sliver."""
        width, height = max(self.width - left - right, 0.05), max(self.height - top - bottom, 0.05)
        return Box(self.left + left, self.bottom + bottom, width, height)

    def upper(self, height: float) -> Box:
        """Return its upper part, so high."""
        return Box(self.left, self.top - height, self.width, height)


class Sheet:
    """A figure being drawn on."""

    def __init__(self, figure: Figure, look: Look) -> None:
        self.figure, self.look = figure, look
        self.spots: list[Spot] = []
        self.body, self.soft = Type(SIZE, look.text), Type(SMALL_SIZE, look.text2)
        self.strong, self.small = Type(SIZE, look.text, bold=True), Type(SMALL_SIZE, look.text)

    @property
    def _size(self) -> tuple[float, float]:
        width, height = self.figure.get_size_inches()
        return float(width), float(height)

    def colour(self, place: int) -> str:
        """Return the colour of the group at a place."""
        return self.look.series[place % len(self.look.series)]

    def axes(self, box: Box, *, spines: Sequence[str] = ("bottom",), grid: Literal["x", "y", ""] = "") -> Axes:
        """Return axes whose frame fills ``box``; ticks and labels stand outside of it."""
        width, height = self._size
        place = (box.left / width, box.bottom / height, box.width / width, box.height / height)
        made = self.figure.add_axes(place, facecolor="none")
        for side, spine in made.spines.items():
            spine.set_visible(side in spines)
            spine.set_color(self.look.axis)
            spine.set_linewidth(0.8)
        made.tick_params(
            colors=self.look.axis, labelcolor=self.look.text2, labelsize=SMALL_SIZE, labelfontfamily=FAMILY, length=3
        )
        if grid:
            made.grid(axis=grid, color=self.look.grid, linewidth=0.8)
        made.set_axisbelow(True)
        return made

    # --- words ------------------------------------------------------------------------------------------------

    def write(
        self, x: float, y: float, words: str, kind: Type, *, align: Horizontal = "left", rotated: bool = False
    ) -> None:
        """Write one line with the middle of its letters at ``y`` inches; never as a formula."""
        if not words:
            return
        width, height = self._size
        self.figure.text(
            x / width,
            y / height,
            words,
            fontproperties=kind.font,
            color=kind.colour,
            ha=align,
            va="center_baseline" if not rotated else "center",
            rotation=90 if rotated else 0,
            parse_math=False,
        )

    def lines(self, x: float, middle: float, lines: Sequence[str], kind: Type, *, align: Horizontal = "left") -> None:
        """Write lines below each other, their middle at ``middle`` inches."""
        step = kind.size * LEADING / POINTS * 0.92
        for place, line in enumerate(lines):
            self.write(x, middle + ((len(lines) - 1) / 2 - place) * step, line, kind, align=align)

    def block(self, box: Box, words: str, kind: Type, lines: int = 2) -> float:
        """Write ``words`` in at most so many lines at the top of ``box``; return the height that they take."""
        found = fitted(words, kind, box.width * POINTS, lines) if words else []
        step = kind.size * LEADING / POINTS
        for place, line in enumerate(found):
            self.write(box.left, box.top - (place + 0.5) * step, line, kind)
        return len(found) * step

    def width(self, words: str, kind: Type) -> float:
        """Return how wide ``words`` are, in inches."""
        return kind.width(words) / POINTS

    # --- marks ------------------------------------------------------------------------------------------------

    def rectangle(self, box: Box, colour: str, *, hatch: str = "", alpha: float = 1.0) -> None:
        """Fill a box."""
        width, height = self._size
        self.figure.add_artist(
            Rectangle(
                (box.left / width, box.bottom / height),
                box.width / width,
                box.height / height,
                transform=self.figure.transFigure,
                facecolor=colour,
                edgecolor=self.look.paper,
                hatch=hatch or None,
                linewidth=0,
                alpha=alpha,
            )
        )

    def stroke(
        self, xs: Sequence[float], ys: Sequence[float], colour: str, *, width: float = 1.0, dashes: Sequence[float] = ()
    ) -> None:
        """Draw a line through points in inches."""
        across, up = self._size
        line = Line2D([x / across for x in xs], [y / up for y in ys], color=colour, linewidth=width)
        if dashes:
            line.set_dashes(list(dashes))
        self.figure.add_artist(line)

    # --- values under the pointer -----------------------------------------------------------------------------

    def spot(self, box: Box, words: str) -> None:
        """Say ``words`` where the pointer is in ``box``."""
        width, height = self._size
        left, top = box.left / width, 1 - box.top / height
        self.spots.append(Spot(left, top, box.width / width, box.height / height, words))

    def place(self, axes: Axes, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the data lies, in inches."""
        across, up = axes.transData.transform((x, y))
        return float(across) / self.figure.dpi, float(up) / self.figure.dpi

    def spot_between(self, axes: Axes, x: tuple[float, float], y: tuple[float, float], words: str) -> None:
        """Say ``words`` between points of the data, as far as they lie within the axes."""
        frame = axes.get_position()
        width, height = self._size
        one, other = self.place(axes, x[0], y[0]), self.place(axes, x[1], y[1])
        left = max(min(one[0], other[0]), frame.x0 * width)
        right = min(max(one[0], other[0]), frame.x1 * width)
        bottom = max(min(one[1], other[1]), frame.y0 * height)
        top = min(max(one[1], other[1]), frame.y1 * height)
        if right > left and top > bottom:
            self.spot(Box(left, bottom, right - left, top - bottom), words)


# --- numbers ------------------------------------------------------------------------------------------------------


def counts_axis(
    axes: Axes, words: Words, *, shares: bool = False, along: Literal["x", "y"] = "x", ticks: int = 6
) -> None:
    """Give an axis whole numbers, or percentages of 1."""
    axis = axes.xaxis if along == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(nbins=ticks, integer=not shares, min_n_ticks=2, steps=_STEPS))
    say = words.percent if shares else words.number
    axis.set_major_formatter(FuncFormatter(lambda value, _place: say(float(value))))


def values_axis(axes: Axes, words: Words, ticks: int = 6) -> None:
    """Give the x axis numbers with as many decimal places as its ticks need."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=ticks, min_n_ticks=2, steps=_STEPS))
    found = [float(each) for each in axes.get_xticks()]
    step = min((b - a for a, b in zip(found, found[1:], strict=False)), default=1.0)
    places = next((each for each in range(7) if abs(step * 10**each - round(step * 10**each)) < 1e-6), 6)  # noqa: PLR2004
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: words.decimal(float(value), places)))


def axis_label(sheet: Sheet, axes: Axes, label: str, box: Box) -> None:
    """Write what an x axis shows below its middle, within the width of ``box``."""
    width, height = (float(each) for each in sheet.figure.get_size_inches())
    frame = axes.get_position()
    said = fitted(label, sheet.soft, box.width * POINTS)[0]
    half = sheet.width(said, sheet.soft) / 2
    middle = (frame.x0 + frame.x1) / 2 * width
    middle = max(box.left + half, min(middle, box.right - half))
    sheet.write(middle, frame.y0 * height - _LABEL_BELOW, said, sheet.soft, align="center")


def uncertain(estimate: Estimate | None) -> bool:
    """Return whether an estimate has an interval that is wider than itself."""
    return estimate is not None and None not in (estimate.low, estimate.high) and estimate.low != estimate.high


def reach(estimate: Estimate | None) -> float:
    """Return the largest that an estimate can be."""
    return 0.0 if estimate is None else max(estimate.value or 0.0, estimate.high or 0.0)


def estimate_words(estimate: Estimate | None, words: Words) -> str:
    """Return a count with its interval: 1,284 ± 14, or 3 (0 to 11) where that is not even."""
    if estimate is not None and estimate.withheld is not None:
        return words.withheld(estimate.withheld)
    if estimate is None or estimate.value is None:
        return words.say("withheld")
    value = words.number(estimate.value)
    if estimate.low is None or estimate.high is None or not uncertain(estimate):
        return value
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    if round(below) == round(above):
        return f"{value} ± {words.number(above)}"
    return words.say("range", value=value, low=words.number(estimate.low), high=words.number(estimate.high))


def ratio_words(estimate: Estimate, words: Words) -> str:
    """Return a ratio with its interval: 0.58 (0.42 to 0.81)."""
    if estimate.withheld is not None:
        return words.withheld(estimate.withheld)
    if estimate.value is None:
        return "–"
    ends = [
        "∞" if each is None else words.decimal(each, 2) if each < _LARGE_RATIO else words.significant(each)
        for each in (estimate.value, estimate.low, estimate.high)
    ]
    if not uncertain(estimate) and estimate.high is not None:
        return ends[0]
    return words.say("range", value=ends[0], low=ends[1], high=ends[2])


def interval_words(estimate: Estimate | None, words: Words, figures: int = 3) -> str:
    """Return a number with its interval: 0.58 (0.42 to 0.81)."""
    if estimate is not None and estimate.withheld is not None:
        return words.withheld(estimate.withheld)
    if estimate is None or estimate.value is None:
        return "–"
    value = words.significant(estimate.value, figures)
    if not uncertain(estimate):
        return value
    low = "–∞" if estimate.low is None else words.significant(estimate.low, figures)
    high = "∞" if estimate.high is None else words.significant(estimate.high, figures)
    return words.say("range", value=value, low=low, high=high)
