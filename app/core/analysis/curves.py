"""Kaplan–Meier curves from events and censorings per interval.

Who is censored in an interval is at risk to its end, as everywhere; a time in interval p counts as the interval's end.
Greenwood's variance of log S(t) is Σ d/(n(n − d)). Noise adds the variance of log S(t) by the change that each opened
number makes to it, all numbers at risk before included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.analysis.fitting import ordered
from app.core.analysis.intervals import count_estimate
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import Curve, Estimate
from app.core.analysis.spread import Floats, half_width, normal_quantile

_TAIL = 2
"""At least so many times the noise in it must be the number at risk for the curve to go on."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its cells, and the counts of each interval made consistent; ``beyond`` were followed longer.

    There is a place for each interval's events and censorings, and any number of them for who is beyond.
    """

    key: str
    event_places: tuple[int, ...]
    censored_places: tuple[int, ...]
    beyond_places: tuple[int, ...]
    events: Floats
    censored: Floats
    beyond: int

    @property
    def places(self) -> tuple[int, ...]:
        """All of its cells."""
        return (*self.event_places, *self.censored_places, *self.beyond_places)

    @property
    def at_risk(self) -> Floats:
        """The number at risk at the beginning of each interval."""
        later: Floats = np.cumsum((self.events + self.censored)[::-1])[::-1] + self.beyond
        return later


def read_group(numbers: Numbers, key: str, intervals: int) -> Group:
    """Return the group with this key."""
    events, censored = (
        tuple(numbers.place(key, ended, str(interval)) for interval in range(intervals))
        for ended in ("event", "censored")
    )
    beyond = (numbers.place(key, "beyond"),) if numbers.has(key, "beyond") else ()
    ends = (*censored, *beyond)  # whoever is followed longer is censored last
    fitted = [
        ordered([numbers.values[place] for place in places]) if numbers.noised else _opened(numbers, places)
        for places in (events, ends)
    ]
    last = sum(fitted[1][intervals:])
    return Group(
        key, events, censored, beyond, np.array(fitted[0], float), np.array(fitted[1][:intervals], float), last
    )


def _opened(numbers: Numbers, places: Sequence[int]) -> list[int]:
    return [max(0, numbers.values[place]) for place in places]


def curve(numbers: Numbers, group: Group, ends: Sequence[float], confidence: float) -> tuple[Curve, tuple[str, ...]]:
    """Return the curve of a group, and notes."""
    at_risk, events = group.at_risk, group.events
    shown = seen(numbers, group)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(at_risk > 0, 1 - events / at_risk, 1.0))
        greenwood = np.cumsum(np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0))
    kept = [float(s) if show else None for s, show in zip(survival, shown, strict=True)]
    variances = np.array([numbers.variance(place) for place in group.places])
    widths = [
        _width(numbers, group, variances, t, math.sqrt(greenwood[t]), confidence) if each else 0.0
        for t, each in enumerate(kept)
    ]
    plain = [_plain(each, width) for each, width in zip(kept, widths, strict=True)]
    loglog = [_loglog(each, width, numbers.noised) for each, width in zip(kept, widths, strict=True)]
    notes = []
    if not at_risk[:1].any():
        notes.append("too_few")
    elif not events.any():
        notes.append("no_events")
    if numbers.noised and any(n > 0 and not show for n, show in zip(at_risk, shown, strict=True)):
        notes.append("tail_left_out")
    median = _first(kept, ends)
    if median is None and at_risk[:1].any():
        notes.append("not_reached")
    lows, highs = ([each[side] for each in loglog] for side in (0, 1))
    others = tuple(place for place in group.places if place not in group.event_places)
    happened, not_happened = int(events.sum()), int(group.censored.sum()) + group.beyond

    return Curve(
        group.key,
        n=count_estimate(numbers, group.places, happened + not_happened, confidence),
        total_events=count_estimate(numbers, group.event_places, happened, confidence),
        total_censored=count_estimate(numbers, others, not_happened, confidence),
        ends=tuple(ends),
        at_risk=tuple(map(int, at_risk)),
        events=tuple(map(int, events)),
        censored=tuple(map(int, group.censored)),
        beyond=group.beyond,
        survival=tuple(kept),
        greenwood_low=tuple(each[0] for each in plain),
        greenwood_high=tuple(each[1] for each in plain),
        loglog_low=tuple(lows),
        loglog_high=tuple(highs),
        median=Estimate(median, _first(lows, ends), _first(highs, ends)),
    ), tuple(notes)


def _first(values: Sequence[float | None], ends: Sequence[float]) -> float | None:
    """Return the first interval end at which a curve is at one half or below."""
    return next((end for value, end in zip(values, ends, strict=True) if value is not None and value <= 0.5), None)


def cut(group: Group, end: int) -> Group:
    """Return the group as if nobody were followed beyond this interval."""
    return Group(
        group.key,
        group.event_places[:end],
        group.censored_places[:end],
        (*group.event_places[end:], *group.censored_places[end:], *group.beyond_places),
        group.events[:end],
        group.censored[:end],
        int(group.events[end:].sum() + group.censored[end:].sum()) + group.beyond,
    )


def seen(numbers: Numbers, group: Group) -> list[bool]:
    """Return where the curve is shown: while someone is at risk, and more than noise makes of it."""
    at_risk = group.at_risk
    if not numbers.noised:
        return [bool(n > 0) for n in at_risk]
    pairs = zip(group.event_places, group.censored_places, strict=True)
    noise = np.array([numbers.variance(event) + numbers.variance(censored) for event, censored in pairs])
    after = np.cumsum(noise[::-1])[::-1]
    after += sum(map(numbers.variance, group.beyond_places))
    enough = (at_risk > 0) & (at_risk >= _TAIL * np.sqrt(after))
    seen_until: list[bool] = np.logical_and.accumulate(enough).tolist()
    return seen_until


def _width(numbers: Numbers, group: Group, variances: Floats, t: int, sigma: float, confidence: float) -> float:
    """Return the half width of log S at the end of interval t."""
    if not numbers.noised:
        return normal_quantile(confidence) * sigma
    at_risk, events = group.at_risk, group.events
    left = at_risk - events
    # one more at risk in the intervals up to j changes log S by the sum of these up to min(j, t)
    risen = np.cumsum(1 / left[: t + 1] - 1 / at_risk[: t + 1])
    by_censored = np.concatenate([risen, np.full(len(events) - t - 1, risen[-1])])
    by_event = by_censored.copy()
    by_event[: t + 1] -= 1 / left[: t + 1]
    weights = [by_event, by_censored, np.full(len(group.beyond_places), risen[-1])]
    return half_width(np.concatenate(weights), variances, numbers.sites, sigma, confidence)


_Bounds = tuple[float | None, float | None]


def _plain(survival: float | None, width: float) -> _Bounds:
    """Return S ± S·width, kept in 0 to 1."""
    if survival is None or not survival:  # where nobody is left, there is no upper bound
        return survival, None
    return max(0.0, survival * (1 - width)), min(1.0, survival * (1 + width))


def _loglog(survival: float | None, width: float, noised: bool) -> _Bounds:
    """Return S^exp(±width/log S): ± width/|log S| on the scale log(−log S)."""
    if survival is None or not survival:
        return survival, None
    if survival >= 1:  # the scale has no such point: nothing has happened yet, or noise hides it
        return (max(0.0, 1 - width), 1.0) if noised else (1.0, 1.0)
    relative = min(width / -math.log(survival), 700.0)
    return survival ** math.exp(relative), survival ** math.exp(-relative)
