"""What a reader may change about a figure, and what comes back: the figure, and the values under the pointer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from app.core.analysis.results import Result
from app.plots.words import Words

if TYPE_CHECKING:  # the window has options long before it draws: the drawing library takes a second to load
    from matplotlib.figure import Figure

Interval = Literal["loglog", "greenwood", "none"]
TimeUnit = Literal["auto", "days", "months", "years"]


@dataclass(frozen=True)
class Options:
    """How a result is drawn; each figure takes what concerns it.

    ``hidden`` are the keys of groups that are switched off. ``shares`` shows percentages and not counts; ``events`` the
    share with the event so far and not the share without; ``hazard_ratios`` a forest plot and not the curves.
    """

    interval: Interval = "loglog"
    hidden: frozenset[str] = field(default_factory=frozenset)
    shares: bool = False
    events: bool = False
    medians: bool = True
    censored: bool = True
    at_risk: bool = True
    hazard_ratios: bool = False
    time_unit: TimeUnit = "auto"


@dataclass(frozen=True)
class Shown:
    """One panel of a figure: a result with the words for it; ``name`` is that of a site or run, "" for none.

    ``noise_scale`` (of each site's Laplace noise) and ``sites`` (how many added theirs) say how noise spreads a count.
    """

    name: str
    result: Result
    words: Words
    noise_scale: float = 0.0
    sites: int = 1


@dataclass(frozen=True)
class Spot:
    """A part of a figure, as shares (0 to 1) of its width and height from its top left, and the values it shows."""

    left: float
    top: float
    width: float
    height: float
    words: str


@dataclass(frozen=True)
class Picture:
    """A figure and its spots; of spots that overlap, the later one is meant."""

    figure: Figure
    spots: tuple[Spot, ...]

    def at(self, x: float, y: float) -> str:
        """Return the values at a place, given as shares from the top left; "" if there are none."""
        for spot in reversed(self.spots):
            if spot.left <= x <= spot.left + spot.width and spot.top <= y <= spot.top + spot.height:
                return spot.words
        return ""
