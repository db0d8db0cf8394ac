"""Tests between survival curves and hazard ratios, from events and numbers at risk in each interval.

The hazard ratios are those of a Cox model with one indicator a group and ties by Efron's method, as on the patients'
rows: rows of one group and interval are alike, so that the likelihood needs their number only and a cohort of millions
takes no longer than its events do. What noise adds to a score is found by its change with each opened number; for the
hazard ratios that change is taken with Breslow's ties, which differ too little to matter for a variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from app.core.analysis.curves import Group, cut, seen
from app.core.analysis.intervals import finite
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import CurvesTest, Estimate, HazardRatio, Test
from app.core.analysis.spread import Floats, half_width, normal_quantile, p_value

WEIGHTS = ("logrank", "wilcoxon", "tarone_ware", "peto")
_STEPS, _ENOUGH, _LARGEST = 50, 1e-10, 20.0
"""Newton's steps at the most, when to stop, and a log hazard ratio that is no number any more."""
_MOST_EVENTS = 1 << 20
"""More events than any federation has, which a site that lies can add: ties of so many would fill the memory."""


def comparable(numbers: Numbers, groups: Sequence[Group]) -> tuple[list[Group], tuple[str, ...]]:
    """Return the groups that can be compared, up to where noise is too large in one of them, and notes.

    To stop looking earlier is always allowed: who is left counts as censored there.
    """
    used = [group for group in groups if group.at_risk[:1].any()]
    if not numbers.noised:
        return used, ()
    until = {group.key: sum(seen(numbers, group)) for group in used}
    kept = [group for group in used if until[group.key]]
    end = min((until[group.key] for group in kept), default=0)
    return [cut(group, end) for group in kept], () if len(kept) == len(used) else ("too_noisy",)


# --- tests --------------------------------------------------------------------------------------------------------


def curve_tests(numbers: Numbers, groups: Sequence[Group]) -> tuple[CurvesTest, ...]:
    """Return the tests, by every kind of weights, that all of these curves are one."""
    used, _ = comparable(numbers, groups)
    return tuple(CurvesTest(name, tuple(g.key for g in used), _test(numbers, used, name)) for name in WEIGHTS)


def pairwise_tests(numbers: Numbers, groups: Sequence[Group]) -> tuple[CurvesTest, ...]:
    """Return the log-rank tests of each two of the curves."""
    pairs = (comparable(numbers, pair)[0] for pair in combinations(groups, 2))
    return tuple(
        CurvesTest("logrank", tuple(g.key for g in pair), _test(numbers, pair, "logrank"))
        for pair in pairs
        if len(pair) == 2
    )


def _test(numbers: Numbers, groups: Sequence[Group], name: str) -> Test:
    if len(groups) < 2:
        return Test()
    at_risk, events = _table(groups)
    total, happened = at_risk.sum(0), events.sum(0)
    weights = _weights(name, total, happened)
    shares = at_risk / np.maximum(total, 1)
    score = ((events - shares * happened) * weights).sum(1)
    # of the hypergeometric distribution: nobody else at risk, no variance
    ties = happened * np.maximum(total - happened, 0) / np.maximum(total - 1, 1) * weights**2
    covariance = np.diag((shares * ties).sum(1)) - (shares * ties) @ shares.T
    if numbers.noised:
        changes, variances = _changes(numbers, groups, np.ones(len(groups)), weights)
        covariance = covariance + (changes * variances) @ changes.T
    return _quadratic(score, covariance)


def _quadratic(score: Floats, covariance: Floats) -> Test:
    from scipy import stats  # noqa: PLC0415 - slow to load, and not needed to show a result

    # each score is what the others lack: the last one says nothing new, and its rounding would be divided by nothing
    score, covariance = score[:-1], covariance[:-1, :-1]
    rank = int(np.linalg.matrix_rank(covariance, tol=1e-10 * max(1.0, float(np.abs(covariance).max())), hermitian=True))
    if not rank:
        return Test()
    statistic = float(score @ np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ score)
    return Test(finite(statistic), finite(stats.chi2.sf(statistic, rank)), float(rank))


def _weights(name: str, total: Floats, happened: Floats) -> Floats:
    match name:
        case "wilcoxon":
            return total
        case "tarone_ware":
            return np.asarray(np.sqrt(total), np.float64)
        case "peto":
            return np.asarray(np.cumprod(1 - happened / (total + 1)), np.float64)
        case _:
            return np.ones(len(total))


def _table(groups: Sequence[Group]) -> tuple[Floats, Floats]:
    """Return the numbers at risk and the events of each interval, a row a group."""
    return np.array([group.at_risk for group in groups]), np.array([group.events for group in groups])


# --- hazard ratios ------------------------------------------------------------------------------------------------


def hazard_ratios(
    numbers: Numbers, groups: Sequence[Group], confidence: float
) -> tuple[tuple[HazardRatio, ...], tuple[str, ...]]:
    """Return the hazard of each group over that of the first one with patients, and notes."""
    there = [group for group in groups if group.at_risk[:1].any()]
    if len(there) < 2:
        return (), ("too_few",)
    used, notes = comparable(numbers, there)
    if not used or used[0].key != there[0].key:  # nothing to compare with
        used, notes = [], ("too_noisy",)
    nothing = {g.key: HazardRatio(g.key, there[0].key, Estimate(), None) for g in there[1:]}
    if len(used) < 2:
        return tuple(nothing.values()), notes
    reference, others = used[0], used[1:]
    if not any(group.events.any() for group in used):
        return tuple(nothing.values()), (*notes, "no_events")
    # a group without events has the ratio 0 and changes nothing for the others; without events in the first one, all
    # ratios are infinite
    fitted = [g for g in others if g.events.any()] if reference.events.any() else []
    found = _cox([reference, *fitted]) if fitted else None
    if found is None:
        return tuple(nothing.values()), (*notes, "no_convergence")
    logs, inverse = found
    table = [reference, *fitted]
    changes, variances = np.zeros((len(fitted), 0)), np.zeros(0)
    if numbers.noised:
        theta = np.exp(np.concatenate([[0.0], logs]))
        by_cell, variances = _changes(numbers, table, theta, np.ones(len(reference.events)))
        changes = inverse @ by_cell[1:]
    for at, group in enumerate(fitted):
        sigma, log = math.sqrt(inverse[at, at]), float(logs[at])
        width = normal_quantile(confidence) * sigma
        p = math.erfc(abs(log) / sigma / math.sqrt(2))
        if numbers.noised:
            width = half_width(changes[at], variances, numbers.sites, sigma, confidence)
            p = p_value(log, changes[at], variances, numbers.sites, sigma) or 0.0
        low, high = (math.exp(min(log + side * width, 700.0)) for side in (-1, 1))
        nothing[group.key] = HazardRatio(group.key, reference.key, Estimate(math.exp(log), low, high), p)
    return tuple(nothing.values()), notes if len(fitted) == len(others) else (*notes, "no_convergence")


def _cox(groups: Sequence[Group]) -> tuple[Floats, Floats] | None:
    """Return the log hazard ratios against the first group and their covariance; None if they are not finite."""
    at_risk, events = _table(groups)
    happened = events.sum(0) > 0
    at_risk, events = at_risk[:, happened], events[:, happened]
    if events.sum() > _MOST_EVENTS:
        return None
    logs = np.zeros(len(groups) - 1)
    likelihood, score, information = _efron(at_risk, events, logs)
    for _ in range(_STEPS):
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            return None
        size = 1.0
        while True:
            tried = logs + size * step
            if not np.isfinite(tried).all() or np.abs(tried).max() > _LARGEST:
                return None
            better = _efron(at_risk, events, tried)
            if better[0] >= likelihood - 1e-9 * abs(likelihood) or size < 1e-3:
                break
            size /= 2
        logs, (likelihood, score, information) = tried, better
        if np.abs(size * step).max() < _ENOUGH:
            inverse = np.asarray(np.linalg.inv(information), np.float64)
            return (logs, inverse) if np.isfinite(inverse).all() and (np.diag(inverse) > 0).all() else None
    return None


def _efron(at_risk: Floats, events: Floats, logs: Floats) -> tuple[float, Floats, Floats]:
    """Return the log partial likelihood, its gradient and its information, ties by Efron's method."""
    theta = np.exp(np.concatenate([[0.0], logs]))
    size = len(theta)
    likelihood, score, information = 0.0, np.zeros(size), np.zeros((size, size))
    for n, d in zip(at_risk.T, events.T, strict=True):
        count = int(d.sum())
        shares = np.arange(count) / count  # of those who have the event, who have left already
        hazard, leaving = n * theta, d * theta
        every = hazard.sum() - shares * leaving.sum()
        part = (hazard[:, None] - leaving[:, None] * shares) / every
        likelihood += float(d[1:] @ logs) - float(np.log(every).sum())
        mean = part.sum(1)
        score += d - mean
        information += np.diag(mean) - part @ part.T
    return likelihood, score[1:], information[1:, 1:]


# --- noise --------------------------------------------------------------------------------------------------------


def _changes(numbers: Numbers, groups: Sequence[Group], theta: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return how each group's score changes with each cell of the groups, and the cells' variances.

    The score of group g is Σ w·(d_g − d·n_g·θ_g/W), W = Σ n·θ: of the log-rank test where all θ are 1.
    """
    at_risk, events = _table(groups)
    every = np.maximum(theta @ at_risk, 1e-9)
    shares = at_risk * theta[:, None] / every
    columns: list[Floats] = []
    places: list[int] = []
    for at, group in enumerate(groups):
        own = np.zeros((len(groups), 1))
        own[at] = 1
        # someone more at risk in an interval is so in all intervals before
        at_risk_until = np.cumsum(-weights * events.sum(0) * theta[at] * (own - shares) / every, axis=1)
        columns += [at_risk_until + weights * (own - shares), at_risk_until]
        places += group.places
        columns.append(np.repeat(at_risk_until[:, -1:], len(group.beyond_places), axis=1))
    return np.concatenate(columns, axis=1), np.array([numbers.variance(place) for place in places])
