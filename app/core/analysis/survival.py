"""Survival: the curves of all groups, tests between them, hazard ratios."""

from __future__ import annotations

from decimal import Decimal

from app.core.analysis.counts import notes_of
from app.core.analysis.curves import curve, read_group
from app.core.analysis.hazards import curve_tests, hazard_ratios, pairwise_tests
from app.core.analysis.intervals import noise_width
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import Curve, SurvivalResult
from app.core.catalogue.model import Variable
from app.core.errors import Bug
from app.core.query.analyses import Survival
from app.core.query.cells import spans_of


def survival(numbers: Numbers, asked: Survival, variable: Variable, confidence: float) -> SurvivalResult:
    """Return the curves of every group of ``asked``."""
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    days, spans = variable.periods.days, spans_of(asked, variable)
    ends = [float(span.stop * days) for span in spans]
    keys = dict.fromkeys(cell.label[0] for cell in numbers.cells.cells)
    groups = [read_group(numbers, key, len(spans)) for key in keys]
    curves: list[Curve] = []
    notes: list[str] = []
    for group in groups:
        made, more = curve(numbers, group, ends, confidence)
        curves.append(made)
        notes += more
    ratios, more = hazard_ratios(numbers, groups, confidence) if len(groups) > 1 else ((), ())
    notes += more
    if numbers.noised and len(groups) > 1:
        notes.append("noise_in_tests")
    adjusted = any(
        numbers.values[place] != count
        for group in groups
        for places, counts in ((group.event_places, group.events), (group.censored_places, group.censored))
        for place, count in zip(places, counts, strict=True)
    )
    return SurvivalResult(
        asked.code,
        None if asked.by is None else asked.by.code,
        float(Decimal(len(spans[0])) * days),
        tuple(curves),
        curve_tests(numbers, groups) if len(groups) > 1 else (),
        pairwise_tests(numbers, groups) if len(groups) > 2 else (),
        ratios,
        confidence,
        adjusted,
        noise_width(numbers, 0, confidence),
        notes_of(numbers, *notes, adjusted=adjusted),
    )
