"""What may be shown of exact results that are more than counts; see :mod:`app.core.disclosure.showing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.analysis import coarser
from app.core.analysis.results import (
    INTERCEPT,
    Coefficient,
    CompareResult,
    CorrelateResult,
    Correlation,
    Curve,
    CurvesTest,
    Estimate,
    GroupCount,
    GroupMean,
    HazardRatio,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    Test,
    VariableSummary,
)
from app.core.disclosure.marking import R, bare, counted, figured, figures, hidden, noted
from app.core.disclosure.protecting import Rules

_P_FIGURES = 2
_NOTHING = Estimate()


def _kept(rows: Sequence[Estimate], rules: Rules) -> list[bool]:
    """Return whether the numbers of patients of all sites together, then of each site, may be told: those of the sites
    all or none, since the total would tell of the only one that is not."""
    fine = [rules.fine(each.value or 0.0) for each in rows]
    return [fine[0], *(all(fine) for _ in fine[1:])]


# --- summaries ----------------------------------------------------------------------------------------------------


def summaries(results: Sequence[SummaryResult], rules: Rules) -> tuple[Result, ...]:
    """Return summaries, their intervals joined in the same way of all sites."""
    columns = []
    for several in zip(*(each.variables for each in results), strict=True):
        kept = _kept([each.n for each in several], rules)
        columns.append(_variable_everywhere(several, kept, rules))
    made = []
    for result, variables in zip(results, zip(*columns, strict=True), strict=True):
        found = replace(result, variables=variables)
        few = any(each.n.withheld is not None for each in variables)
        made.append(_marked(found, rules, withheld=few, left_out=True))
    return tuple(made)


def _variable_everywhere(
    several: Sequence[VariableSummary], kept: Sequence[bool], rules: Rules
) -> list[VariableSummary]:
    rows = [
        [group.count.value or 0.0 for group in each.between] for each, keep in zip(several, kept, strict=True) if keep
    ]
    parts = coarser.joined(rows, rules.fine) if rows else []
    return [
        _variable(each, parts, rules) if keep else without_variable(each, rules)
        for each, keep in zip(several, kept, strict=True)
    ]


def _variable(found: VariableSummary, parts: Sequence[range], rules: Rules) -> VariableSummary:
    if any(group.count.withheld is not None for group in found.between):  # then there is nothing to join them with
        parts = [range(place, place + 1) for place in range(len(found.between))]
    joined = found.between if len(parts) == len(found.between) else coarser.joined_groups(found.between, parts)
    if len(joined) < len(found.between):
        levels = [each.level for each in found.quantiles]
        quantiles = coarser.quantiles(joined, levels)
        found = replace(found, between=joined, quantiles=quantiles, notes=(*found.notes, "coarsened"))
    if rules.rounding < 2:
        return found
    n = counted(found.n.value, rules, withheld=False)
    between = tuple(_rounded(group, n, rules) for group in found.between)
    return replace(
        found,
        n=n,
        mean=None if found.mean is None else _about(found.mean),
        deviation=None if found.deviation is None else _about(found.deviation),
        between=between,
        quantiles=coarser.quantiles(between, [each.level for each in found.quantiles]),
    )


def _rounded(group: GroupCount, n: Estimate, rules: Rules) -> GroupCount:
    count = counted(group.count.value, rules, withheld=False)
    if count.withheld is not None:
        return group
    share = min((count.value or 0.0) / n.value, 1.0) if n.value else None
    return GroupCount(group.key, count, share, int(count.value or 0))


def _about(found: Estimate) -> Estimate:
    """Return a value to three figures, without what tells how many patients it is of."""
    return found if found.withheld is not None else Estimate(figures(found.value))


def without_variable(found: VariableSummary, rules: Rules) -> VariableSummary:
    """Return a variable of which nothing is told but that it was asked for."""
    return VariableSummary(
        found.code,
        hidden(rules),
        None if found.mean is None else hidden(rules),
        None if found.deviation is None else hidden(rules),
        tuple(replace(each, value=None, low=None, high=None) for each in found.quantiles),
        tuple(GroupCount(each.key, hidden(rules), None, None) for each in found.between),
    )


# --- means, correlations, regressions -----------------------------------------------------------------------------


def comparisons(results: Sequence[CompareResult], rules: Rules) -> tuple[Result, ...]:
    """Return comparisons of means."""
    kept = [_kept([each.n for each in groups], rules) for groups in zip(*(r.groups for r in results), strict=True)]
    made = []
    for place, found in enumerate(results):
        small = frozenset(group.key for group, keep in zip(found.groups, kept, strict=True) if not keep[place])
        shown = without_groups(found, small, rules)
        if rules.rounding > 1:
            groups = tuple(
                group
                if group.n.withheld
                else GroupMean(
                    group.key,
                    counted(group.n.value, rules, withheld=False),
                    _about(group.mean),
                    _about(group.deviation),
                )
                for group in shown.groups
            )
            shown = replace(shown, groups=groups, test=None)
            if shown.difference.withheld is None:
                shown = replace(shown, difference=_about(shown.difference))
        made.append(_marked(shown, rules, withheld=bool(small), left_out=True))
    return tuple(made)


def without_groups(found: CompareResult, keys: frozenset[str], rules: Rules) -> CompareResult:
    """Return a comparison without these groups, and so without their difference."""
    if not keys:
        return found
    groups = tuple(
        GroupMean(each.key, hidden(rules), hidden(rules), hidden(rules)) if each.key in keys else each
        for each in found.groups
    )
    return replace(bare(found), groups=groups, difference=hidden(rules), test=None)


def correlations(results: Sequence[CorrelateResult], rules: Rules) -> tuple[Result, ...]:
    """Return correlations."""
    made = []
    for found, keep in zip(results, _kept([each.n for each in results], rules), strict=True):
        shown = found if keep else without_pairs(found, rules)
        if keep and rules.rounding > 1:
            pairs = tuple(replace(pair, r=_about(pair.r), p=None) for pair in found.pairs)
            shown = replace(found, n=counted(found.n.value, rules, withheld=False), pairs=pairs)
        made.append(_marked(shown, rules, withheld=not keep, left_out=True))
    return tuple(made)


def without_pairs(found: CorrelateResult, rules: Rules) -> CorrelateResult:
    """Return the correlations of too few patients."""
    pairs = tuple(Correlation(pair.one, pair.other, hidden(rules), None) for pair in found.pairs)
    return replace(bare(found), n=hidden(rules), pairs=pairs)


def regressions(results: Sequence[RegressResult], rules: Rules) -> tuple[Result, ...]:
    """Return regressions."""
    made = []
    for found, keep in zip(results, _kept([each.n for each in results], rules), strict=True):
        shown = found if keep else without_fit(found, rules)
        if keep and rules.rounding > 1:
            shown = replace(
                _without_certainty(found),
                n=counted(found.n.value, rules, withheld=False),
                coefficients=tuple(
                    Coefficient(each.code, _about(each.estimate), None, Test()) for each in found.coefficients
                ),
                r2=figures(found.r2, _P_FIGURES),
                residual_deviation=figures(found.residual_deviation),
            )
        made.append(_marked(shown, rules, withheld=not keep, left_out=True))
    return tuple(made)


def without_fit(found: RegressResult, rules: Rules) -> RegressResult:
    """Return the regression of too few patients."""
    codes = (INTERCEPT, *found.predictors)  # also where one of them followed from the others
    coefficients = tuple(Coefficient(code, hidden(rules), None, Test()) for code in codes)
    return replace(
        _without_certainty(bare(found)),
        n=hidden(rules),
        coefficients=coefficients,
        r2=None,
        residual_deviation=None,
        singular=None,
    )


def _without_certainty(found: RegressResult) -> RegressResult:
    return replace(found, adjusted_r2=None, residual_df=None, f=None)


# --- survival -----------------------------------------------------------------------------------------------------


def curves(results: Sequence[SurvivalResult], rules: Rules) -> tuple[Result, ...]:
    """Return survival curves, periods joined in the same way of all sites whose own are told."""
    confidence = results[0].confidence
    columns: list[list[tuple[Curve, tuple[str, ...]]]] = []
    for several in zip(*(each.curves for each in results), strict=True):
        kept = _kept([each.n for each in several], rules)
        told = [each for each, keep in zip(several, kept, strict=True) if keep and each.n.withheld is None]
        parts = coarser.joined_periods(told, rules.fine) if told else []
        whole = not several or len(parts) == len(several[0].ends)
        column: list[tuple[Curve, tuple[str, ...]]] = []
        for each, keep in zip(several, kept, strict=True):
            if not keep or each.n.withheld is not None:
                column.append((without_curve(each, rules), ()))
            elif whole and rules.rounding < 2:
                column.append((each, ()))
            else:
                made, notes = coarser.coarser_curve(each, parts, rules.rounded, confidence)
                column.append((made, notes if whole else (*notes, "coarsened")))
        columns.append(column)
    rows = zip(*columns, strict=True)
    return tuple(_survival(found, row, rules) for found, row in zip(results, rows, strict=True))


def _survival(found: SurvivalResult, row: Sequence[tuple[Curve, tuple[str, ...]]], rules: Rules) -> Result:
    shown = [curve for curve, _ in row]
    withheld = any(curve.n.withheld for curve in shown)
    notes = [note for _, several in row for note in several]
    if rules.rounding > 1:
        alike = len({curve.ends for curve in shown}) == 1 and not withheld and shown[0].ends
        if alike and len(shown) > 1:
            tests, pairwise, ratios = coarser.compared(shown, found.confidence)
        else:
            tests, pairwise, ratios = (), (), ()
            notes += ["rounded_left_out"] if found.tests else []
    else:
        few = frozenset(
            curve.key
            for curve, after in zip(found.curves, shown, strict=True)
            if after.n.withheld or not rules.fine(curve.total_events.value or 0.0)
        )
        tests, pairwise, ratios, left_out = _tests(found, few, rules)
        notes += ["tests_withheld"] if left_out else []
    if withheld or tuple(shown) != found.curves:
        found = bare(found)
    made = replace(found, curves=tuple(shown), tests=tests, pairwise=pairwise, hazard_ratios=ratios)
    return _marked(noted(made, *notes), rules, withheld=withheld)


_Compared = tuple[tuple[CurvesTest, ...], tuple[CurvesTest, ...], tuple[HazardRatio, ...], bool]


def _tests(found: SurvivalResult, few: frozenset[str], rules: Rules) -> _Compared:
    """Return what is told of tests and hazard ratios where these groups have too few patients or events, and whether
    something is left out."""

    def tested(each: CurvesTest) -> CurvesTest:
        return replace(each, test=Test() if few.intersection(each.groups) else _figured(each.test))

    def compared(each: HazardRatio) -> HazardRatio:
        if few & {each.key, each.reference}:
            return replace(each, ratio=hidden(rules), p=None)
        return replace(each, ratio=figured(each.ratio), p=figures(each.p, _P_FIGURES))

    return (
        tuple(map(tested, found.tests)),
        tuple(map(tested, found.pairwise)),
        tuple(map(compared, found.hazard_ratios)),
        bool(few) and len(found.curves) > 1,
    )


def _figured(test: Test) -> Test:
    return Test(figures(test.statistic), figures(test.p, _P_FIGURES), test.df)


def without_curves(found: SurvivalResult, keys: frozenset[str], rules: Rules) -> SurvivalResult:
    """Return survival without the curves of these groups, and the tests that they are in."""
    if not keys:
        return found
    shown = tuple(without_curve(each, rules) if each.key in keys else each for each in found.curves)
    tests, pairwise, ratios, _ = _tests(found, keys, rules)
    return noted(
        replace(bare(found), curves=shown, tests=tests, pairwise=pairwise, hazard_ratios=ratios), "tests_withheld"
    )


def without_curve(found: Curve, rules: Rules) -> Curve:
    """Return the curve of a group that has too few patients."""
    nothing = hidden(rules)
    return Curve(found.key, nothing, nothing, nothing, (), (), (), (), 0.0, (), (), (), (), (), _NOTHING)


def _marked(found: R, rules: Rules, *, withheld: bool, left_out: bool = False) -> Result:
    notes = ["small_withheld"] if withheld else []
    if rules.rounding > 1:
        notes += ["rounded", "rounded_left_out"] if left_out else ["rounded"]
    return noted(found, *notes)
