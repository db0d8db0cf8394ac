"""Answers of every analysis as owners tell of them, of a study that nobody has made; and the runs they belong to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from app.core.analysis.results import (
    AttritionResult,
    Coefficient,
    CompareResult,
    CorrelateResult,
    Correlation,
    CountResult,
    Curve,
    CurvesTest,
    Estimate,
    GroupCount,
    GroupMean,
    GroupsResult,
    HazardRatio,
    Quantile,
    RegressResult,
    Result,
    Step,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Test,
    VariableSummary,
    to_plain,
)
from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.cells import UNKNOWN
from app.core.query.model import All, Flag, Query, Range
from tests.ui.examples import MINUTE, NOW
from tests.ui.examples_results import SITES, run

MONTH = Decimal("30.4375")
STAGES = ("I", "II", "III", "IV")
CATALOGUE = Catalogue(
    "Melanoma registry",
    1,
    (
        Variable("C43", Kind.FLAG, Label("Melanoma of skin", "Mélanome de la peau", "Melanom der Haut")),
        Variable(
            "sex",
            Kind.CATEGORY,
            Label("Sex", "Sexe", "Geschlecht"),
            levels=(
                Level("female", Label("Women", "Femmes", "Frauen")),
                Level("male", Label("Men", "Hommes", "Männer")),
            ),
        ),
        Variable(
            "age",
            Kind.NUMBER,
            Label("Age at diagnosis", "Âge au diagnostic", "Alter bei der Diagnose"),
            cut_points=tuple(map(Decimal, (30, 40, 50, 60, 70, 80))),
            unit="a",
            unit_label=Label("years", "ans", "Jahre"),
            minimum=Decimal(0),
            maximum=Decimal(110),
            step=Decimal(1),
        ),
        Variable(
            "breslow",
            Kind.NUMBER,
            Label("Breslow thickness", "Épaisseur de Breslow", "Tumordicke nach Breslow"),
            cut_points=tuple(map(Decimal, ("0.5", "1", "2", "4"))),
            unit="mm",
            unit_label=Label("mm", "mm", "mm"),
            minimum=Decimal(0),
            maximum=Decimal(20),
            step=Decimal("0.1"),
        ),
        Variable(
            "ldh",
            Kind.NUMBER,
            Label("Lactate dehydrogenase", "Lactate déshydrogénase", "Laktatdehydrogenase"),
            cut_points=tuple(map(Decimal, (150, 200, 250, 300, 400))),
            unit="U/L",
            minimum=Decimal(0),
            maximum=Decimal(2000),
            step=Decimal(1),
        ),
        Variable("braf", Kind.FLAG, Label("BRAF mutated", "BRAF muté", "BRAF mutiert")),
        Variable(
            "stage",
            Kind.CATEGORY,
            Label("Stage at diagnosis", "Stade au diagnostic", "Stadium bei der Diagnose"),
            levels=tuple(Level(each, Label(f"Stage {each}", f"Stade {each}", f"Stadium {each}")) for each in STAGES),
        ),
        Variable(
            "diagnosed",
            Kind.DATE,
            Label("Date of diagnosis", "Date du diagnostic", "Datum der Diagnose"),
            calendar=Calendar(Granularity.YEAR, date(2015, 1, 1), date(2024, 1, 1)),
        ),
        Variable(
            "os",
            Kind.SURVIVAL,
            Label("Overall survival", "Survie globale", "Gesamtüberleben"),
            periods=Periods(MONTH, 60),
        ),
    ),
)
COHORT = All((Flag("C43"), Range("age", Decimal(40), None)))
WHERE = " where C43 and age >= 40"
ANALYSES: dict[str, tuple[str, Analysis]] = {
    "count": ("C43 and age >= 40", Count()),
    "breakdown": ("breakdown stage" + WHERE, Breakdown("stage")),
    "histogram": ("histogram breslow" + WHERE, Histogram("breslow")),
    "table": ("table stage × sex" + WHERE, Table(Grouping("stage"), Grouping("sex"))),
    "summary": ("summary age, breslow, ldh" + WHERE, Summary(("age", "breslow", "ldh"))),
    "compare": ("compare breslow by sex" + WHERE, Compare("breslow", Grouping("sex"))),
    "correlate": ("correlate age, breslow, ldh, braf" + WHERE, Correlate(("age", "breslow", "ldh", "braf"))),
    "regress": ("regress breslow on age, ldh, braf" + WHERE, Regress("breslow", ("age", "ldh", "braf"))),
    "survival": ("survival os by sex" + WHERE, Survival("os", Grouping("sex"))),
    "attrition": ("attrition" + WHERE, Attrition()),
}
IDS = {name: f"{place + 0x10:02x}" * 16 for place, name in enumerate(ANALYSES)}
CONTRIBUTORS = len(SITES)


# --- estimates ------------------------------------------------------------------------------------------------------


def counted(value: float, width: float) -> Estimate:
    """A count, give or take what noise may have done."""
    return Estimate(float(value), max(value - width, 0.0), float(value + width))


def around(value: float, width: float, noise: float = 0.0) -> Estimate:
    """An estimate with an interval around it, wider with noise."""
    wide = width * (1 + noise / 40)
    return Estimate(value, value - wide, value + wide)


def _groups(keys: Sequence[str], counts: Sequence[int], width: float) -> tuple[GroupCount, ...]:
    total = sum(counts)
    return tuple(
        GroupCount(key, counted(count, width), count / total, count - (3 if width else 0))
        for key, count in zip(keys, counts, strict=True)
    )


def _told(width: float, *notes: str) -> dict[str, Any]:
    """What every result says of itself."""
    if not width:
        return {"notes": notes}
    return {"adjusted": True, "noise_width": width, "notes": ("noised", "noise_clipped", *notes)}


# --- one result a kind; ``width`` is that of the noise, 0 for exact ones --------------------------------------------


def count(width: float = 0.0) -> CountResult:
    return CountResult(counted(1284, width), 1284, **_told(width))


def breakdown(width: float = 0.0) -> GroupsResult:
    counts = (512, 398, 241, 98, 35)
    groups = _groups((*STAGES, UNKNOWN), counts, width)
    return GroupsResult("breakdown", "stage", groups, counted(sum(counts), width * 2), **_told(width))


def histogram(width: float = 0.0) -> GroupsResult:
    keys = ("[,0.5)", "[0.5,1)", "[1,2)", "[2,4)", "[4,)", UNKNOWN)
    counts = (171, 402, 365, 211, 88, 47)
    return GroupsResult(
        "histogram", "breslow", _groups(keys, counts, width), counted(sum(counts), width * 2), **_told(width)
    )


def table(width: float = 0.0) -> TableResult:
    counts = ((240, 272), (179, 219), (96, 145), (36, 62))
    return TableResult(
        "stage",
        "sex",
        STAGES,
        ("female", "male"),
        tuple(tuple(counted(each, width) for each in row) for row in counts),
        tuple(counted(sum(row), width * 1.4) for row in counts),
        tuple(counted(sum(column), width * 2) for column in zip(*counts, strict=True)),
        counted(sum(map(sum, counts)), width * 2.8),
        Test(5.91, 0.116 if not width else 0.18, 3.0),
        0.069,
        **_told(width, *(("noise_in_tests", "fisher_needs_exact") if width else ())),
    )


def summary(width: float = 0.0) -> SummaryResult:
    def one(code: str, n: int, mean: float, deviation: float, cuts: Sequence[str], counts: Sequence[int]) -> Any:
        ends = ("", *cuts, "")
        keys = [f"[{low},{high})" for low, high in zip(ends, ends[1:], strict=False)]
        quantiles = []
        for level in (0.05, 0.25, 0.5, 0.75, 0.95):
            value = mean + deviation * {0.05: -1.5, 0.25: -0.66, 0.5: -0.05, 0.75: 0.62, 0.95: 1.7}[level]
            above = [float(cut) for cut in cuts if float(cut) > value]
            below = [float(cut) for cut in cuts if float(cut) <= value]
            quantiles.append(Quantile(level, value, below[-1] if below else None, above[0] if above else None))
        error = 1.96 * deviation / math.sqrt(n)
        return VariableSummary(
            code,
            counted(n, width * 1.5),
            around(mean, error, width),
            counted(deviation, width * deviation / 200),
            tuple(quantiles),
            _groups(keys, counts, width),
            ("coarse",),
        )

    variables = (
        one("age", 1284, 62.4, 12.1, ("30", "40", "50", "60", "70", "80"), (0, 0, 214, 318, 377, 271, 104)),
        one("breslow", 1237, 1.9, 1.7, ("0.5", "1", "2", "4"), (171, 402, 365, 211, 88)),
        one("ldh", 1102, 219.0, 71.0, ("150", "200", "250", "300", "400"), (131, 352, 338, 161, 88, 32)),
    )
    return SummaryResult(variables, **_told(width))


def compare(width: float = 0.0) -> CompareResult:
    groups = (
        GroupMean("female", counted(551, width), around(1.72, 0.13, width), counted(1.55, width / 100)),
        GroupMean("male", counted(686, width), around(2.04, 0.14, width), counted(1.81, width / 100)),
    )
    test = Test(-3.36, 0.0008 if not width else 0.012, 1234.0)
    return CompareResult("breslow", "sex", groups, around(-0.32, 0.19, width), test, **_told(width, *_in_tests(width)))


def _in_tests(width: float) -> tuple[str, ...]:
    return ("noise_in_tests",) if width else ()


def correlate(width: float = 0.0) -> CorrelateResult:
    found = {
        ("age", "breslow"): (0.18, 1e-9),
        ("age", "ldh"): (0.11, 2e-4),
        ("age", "braf"): (-0.21, 1e-12),
        ("breslow", "ldh"): (0.34, 1e-31),
        ("breslow", "braf"): (0.04, 0.19),
        ("ldh", "braf"): (-0.02, 0.51),
    }
    pairs = tuple(
        Correlation(one, other, around(r, 0.058, width), p if not width else min(p * 40 + 1e-4, 1.0))
        for (one, other), (r, p) in found.items()
    )
    codes = ("age", "breslow", "ldh", "braf")
    return CorrelateResult(codes, counted(1087, width), pairs, **_told(width, *_in_tests(width)))


def regress(width: float = 0.0) -> RegressResult:
    rows = (
        ("intercept", -0.41, 0.30, 0.173),
        ("age", 0.021, 0.004, 2e-7),
        ("ldh", 0.0072, 0.0007, 1e-22),
        ("braf", 0.19, 0.10, 0.058),
    )
    coefficients = tuple(
        Coefficient(code, around(value, 1.96 * error, width), error, Test(value / error, p, 1083.0))
        for code, value, error, p in rows
    )
    return RegressResult(
        "breslow",
        ("age", "ldh", "braf"),
        counted(1087, width),
        coefficients,
        r2=0.142,
        adjusted_r2=0.140,
        residual_deviation=1.58,
        residual_df=1083.0,
        f=Test(59.7, 1e-35, 3.0),
        **_told(width, *_in_tests(width)),
    )


def curve(key: str, n: int, hazard: float, width: float = 0.0, periods: int = 60) -> Curve:
    """One group: ``hazard`` is the share of those at risk who have the event in each period."""
    left, survival, variance = float(n), 1.0, 0.0
    rows: list[tuple[float, ...]] = []
    for period in range(periods):
        events = round(left * hazard * (1 - period / 130))
        censored = round(left * 0.006)
        survival *= 1 - events / left
        variance += events / (left * (left - events))
        error = survival * math.sqrt(variance) * 1.96 * (1 + width / 30)
        wide = 0.0 if survival in (0.0, 1.0) else error / (survival * math.log(survival))
        bounds = (survival ** math.exp(-wide), survival ** math.exp(wide))
        plain = (max(survival - error, 0.0), min(survival + error, 1.0))
        rows.append((left, events, censored, survival, *plain, *bounds))
        left -= events + censored
    at_risk, events, censored, shares, low, high, log_low, log_high = zip(*rows, strict=True)
    ends = tuple(float(MONTH) * (period + 1) for period in range(periods))
    return Curve(
        key,
        counted(n, width),
        counted(sum(events), width * 4),
        counted(sum(censored), width * 4),
        ends,
        at_risk,
        events,
        censored,
        left,
        shares,
        low,
        high,
        log_low,
        log_high,
        Estimate(_crossing(ends, shares), _crossing(ends, log_low), _crossing(ends, log_high)),
    )


def _crossing(ends: Sequence[float], shares: Sequence[float]) -> float | None:
    return next((end for end, share in zip(ends, shares, strict=True) if share <= 0.5), None)


def survival(width: float = 0.0) -> SurvivalResult:
    curves = (curve("female", 601, 0.0236, width), curve("male", 683, 0.0295, width))
    groups = ("female", "male")
    statistics = {"logrank": (11.4, 0.0007), "wilcoxon": (9.2, 0.0024), "tarone_ware": (10.3, 0.0013)}
    return SurvivalResult(
        "os",
        "sex",
        float(MONTH),
        curves,
        tuple(CurvesTest(name, groups, Test(chi2, p, 1.0)) for name, (chi2, p) in statistics.items()),
        (),
        (HazardRatio("male", "female", Estimate(1.25, 1.10, 1.43), 0.0007),),
        **_told(width, *_in_tests(width)),
    )


def staged(width: float = 0.0) -> SurvivalResult:
    """Survival in four groups."""
    hazards = dict(zip(STAGES, ((512, 0.006), (398, 0.013), (241, 0.03), (98, 0.07)), strict=True))
    curves = tuple(curve(key, n, hazard, width, 40) for key, (n, hazard) in hazards.items())
    pairs = [(one, other) for place, one in enumerate(STAGES) for other in STAGES[place + 1 :]]
    return SurvivalResult(
        "os",
        "stage",
        float(MONTH),
        curves,
        (CurvesTest("logrank", STAGES, Test(312.0, 1e-60, 3.0)),),
        tuple(CurvesTest("logrank", pair, Test(20.0 + place, 1e-5, 1.0)) for place, pair in enumerate(pairs)),
        tuple(
            HazardRatio(key, "I", Estimate(ratio, ratio * 0.8, ratio * 1.25), 1e-6)
            for key, ratio in (("II", 2.1), ("III", 5.0), ("IV", 12.4))
        ),
        **_told(width, "not_reached", *_in_tests(width)),
    )


def alone(width: float = 0.0) -> SurvivalResult:
    """Survival without groups."""
    return SurvivalResult("os", None, float(MONTH), (curve("", 1284, 0.0265, width),), **_told(width))


def attrition(width: float = 0.0) -> AttritionResult:
    counts = (4100, 1702, 1284)
    steps = tuple(Step(number, counted(each, width), each / counts[0], each) for number, each in enumerate(counts))
    return AttritionResult(steps, **_told(width))


MADE = {
    "count": count,
    "breakdown": breakdown,
    "histogram": histogram,
    "table": table,
    "summary": summary,
    "compare": compare,
    "correlate": correlate,
    "regress": regress,
    "survival": survival,
    "attrition": attrition,
}
WIDTH = 14.0
"""How wide the noise of noised examples is."""


# --- runs -----------------------------------------------------------------------------------------------------------


def answer(total: Result, sites: Sequence[tuple[str, Result]] = (), *, width: float = 0.0) -> dict[str, Any]:
    """What was released: the result of all sites together, and those of single ones."""
    return {
        "count": total.raw if isinstance(total, CountResult) else None,
        "exact": not width,
        "noise_scale": 2.0 if width else 0.0,
        "half_width": round(width),
        "contributors": list(SITES),
        "results": [{"site": site, "result": to_plain(result)} for site, result in (("", total), *sites)],
    }


def answered(name: str, *, width: float = 0.0, id: str = "", **changes: Any) -> dict[str, Any]:
    """A run with the analysis ``name``; with ``per_site`` among the changes, each site has half of everything."""
    text, analysis = ANALYSES[name]
    result: Result = changes.pop("result", None) or MADE[name](width)
    per_site = bool(changes.get("per_site"))
    sites = [(site, smaller(result, place + 2)) for place, site in enumerate(SITES)] if per_site else []
    analysis = changes.pop("analysis_asked", analysis)
    asked = NOW - 12 * MINUTE - list(ANALYSES).index(name) * 60 * MINUTE
    return {
        **run(id or IDS[name], "sex = female", epsilon="1/2" if width else ""),
        "text": changes.pop("text", text),
        "analysis": name,
        "per_site": per_site,
        "query": Query(COHORT, analysis, per_site).to_cbor(),
        "catalogue": CATALOGUE.to_cbor(),
        "answer": answer(result, sites, width=width),
        "asked": asked,
        "closed": asked + MINUTE,
        "ended": asked + 2 * MINUTE,
        **changes,
    }


def smaller(result: Result, by: int) -> Result:
    """Return a result as a single site could have it: of counts and groups, the ``by``-th part."""
    match result:
        case CountResult():
            return replace(result, count=_part(result.count, by), raw=result.raw // by)
        case GroupsResult():
            groups = tuple(
                replace(
                    each, count=_part(each.count, by), raw=each.raw // by, share=(each.share or 0) * (0.8 + by / 15)
                )
                for each in result.groups
            )
            return replace(result, groups=groups, total=_part(result.total, by))
        case SurvivalResult(curves=curves):
            hazards = (0.02 + 0.004 * by, 0.03 - 0.002 * by)
            made = tuple(
                curve(each.key, round((each.n.value or 0) / by), hazard, result.noise_width or 0.0, len(each.ends))
                for each, hazard in zip(curves, hazards, strict=False)
            )
            return replace(result, curves=made)
        case _:
            return result


def _part(estimate: Estimate, by: int) -> Estimate:
    value, low, high = (estimate.value or 0.0, estimate.low or 0.0, estimate.high or 0.0)
    return Estimate(float(value // by), max(value // by - (value - low), 0.0), value // by + (high - value))


def all_runs(*, width: float = 0.0) -> list[dict[str, Any]]:
    """One run of every analysis."""
    return [answered(name, width=width) for name in ANALYSES]
