"""What is shown of each analysis: withheld below the least, joined, rounded; and what is told of that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from app.core.analysis.coarser import coarser_curve
from app.core.analysis.results import (
    AttritionResult,
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
    Result,
    Step,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Test,
    VariableSummary,
    Withheld,
    from_plain,
    to_plain,
)
from app.core.disclosure.showing import HIDDEN, Rules, show, show_count

ELEVEN = Rules(11)


def exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


def groups(*counts: int, keys: Sequence[str] = "abcdefgh") -> GroupsResult:
    made = tuple(
        GroupCount(key, exactly(count), count / sum(counts), count) for key, count in zip(keys, counts, strict=False)
    )
    return GroupsResult("breakdown", "stage", made, exactly(sum(counts)))


def curve(key: str, events: Sequence[int], censored: Sequence[int], beyond: int) -> Curve:
    blank = Curve(
        key,
        exactly(sum(events) + sum(censored) + beyond),
        exactly(sum(events)),
        exactly(sum(censored) + beyond),
        tuple(30.0 * (place + 1) for place in range(len(events))),
        (),
        tuple(map(float, events)),
        tuple(map(float, censored)),
        float(beyond),
        (),
        (),
        (),
        (),
        (),
        Estimate(),
    )
    parts = [range(place, place + 1) for place in range(len(events))]
    return coarser_curve(blank, parts, float, 0.95)[0]


def shown(result: Result, rules: Rules = ELEVEN) -> Result:
    """Show one, and see that it travels as it is."""
    [made] = show([result], rules)
    assert from_plain(json.loads(json.dumps(to_plain(made)))) == made
    return made


def test_without_rules_everything_is_shown_as_it_is() -> None:
    assert show([groups(3, 20)], Rules()) == (groups(3, 20),)


@pytest.mark.parametrize(("count", "told"), [(0, True), (1, False), (10, False), (11, True)])
def test_a_count_below_the_least_is_withheld_and_zero_is_not(count: int, told: bool) -> None:
    found = shown(CountResult(exactly(count), count))
    assert isinstance(found, CountResult)
    assert (found.count.value, found.raw) == ((count, count) if told else (None, None))
    if not told:
        assert found.count.withheld == Withheld("below", 11)
        assert to_plain(found)["count"] == {"withheld": "below", "least": 11}
    assert show_count([count], ELEVEN, per_site=False, noised=False) == (count if told else Withheld("below", 11))


def test_a_zero_is_withheld_where_zeros_are_hidden() -> None:
    found = shown(CountResult(exactly(0), 0), Rules(11, HIDDEN))
    assert isinstance(found, CountResult)
    assert found.count.withheld is not None


def test_the_next_smallest_group_goes_with_one_that_stands_alone() -> None:
    found = shown(groups(7, 100, 40, 0))
    assert isinstance(found, GroupsResult)
    assert [each.count.value for each in found.groups] == [None, 100, None, 0]
    assert found.total.value == 147
    assert [each.share for each in found.groups] == [None, 100 / 147, None, 0]
    assert {each.count.withheld for each in found.groups if each.count.withheld} == {Withheld("small", 11)}


def test_the_total_is_the_last_to_go() -> None:
    found = shown(groups(5, 6, 0))
    assert isinstance(found, GroupsResult)
    assert [each.count.value for each in found.groups] == [None, None, 0]
    assert found.total.value is None


def test_chi_squared_goes_with_a_cell_and_is_computed_anew_of_rounded_ones() -> None:
    cells = ((exactly(41), exactly(38)), (exactly(23), exactly(64)))
    whole = TableResult(
        "x",
        "y",
        ("a", "b"),
        ("c", "d"),
        cells,
        (exactly(79), exactly(87)),
        (exactly(64), exactly(102)),
        exactly(166),
        Test(11.3, 0.0008, 1.0),
        0.26,
        Test(3.0, 0.0009),
    )
    assert shown(whole) == whole
    rounded = shown(whole, Rules(11, rounding=5))
    assert isinstance(rounded, TableResult)
    assert [[cell.value for cell in row] for row in rounded.cells] == [[40, 40], [25, 65]]
    assert rounded.total.value == 165
    assert rounded.fisher is not None
    assert rounded.fisher.statistic == pytest.approx(40 * 65 / (40 * 25))
    small = replace(whole, cells=((exactly(4), exactly(75)), cells[1]), column_totals=(exactly(27), exactly(139)))
    found = shown(small)
    assert isinstance(found, TableResult)
    assert (found.chi2, found.cramers_v, found.fisher) == (None, None, None)
    assert "tests_withheld" in found.notes


def test_who_is_lost_between_two_steps_is_a_number_too() -> None:
    steps = tuple(Step(n, exactly(left), left / 1000, left) for n, left in enumerate((1000, 997, 500, 500, 60)))
    found = shown(AttritionResult(steps))
    assert isinstance(found, AttritionResult)
    assert [step.count.value for step in found.steps] == [1000, None, 500, 500, 60]


def test_intervals_of_a_number_are_joined_and_quantiles_found_within_them() -> None:
    keys = ("[,40)", "[40,50)", "[50,60)", "[60,)")
    counts = (4, 9, 30, 3)
    between = tuple(GroupCount(key, exactly(n), n / 46, n) for key, n in zip(keys, counts, strict=True))
    summary = VariableSummary(
        "age", exactly(46), exactly(52.123456), exactly(8.7), (Quantile(0.5, 53.3, 50.0, 60.0),), between
    )
    found = shown(SummaryResult((summary,)))
    assert isinstance(found, SummaryResult)
    [age] = found.variables
    assert [(group.key, group.count.value) for group in age.between] == [("[,50)", 13), ("[50,)", 33)]
    assert age.quantiles == (Quantile(0.5, None, 50.0, None),)
    assert age.mean == exactly(52.123456)
    [rounded] = shown(SummaryResult((summary,)), Rules(11, rounding=5)).variables  # type: ignore[union-attr]
    assert (rounded.n.value, rounded.mean) == (45, Estimate(52.1))
    [few] = shown(SummaryResult((replace(summary, n=exactly(6)),))).variables  # type: ignore[union-attr]
    assert few.n.withheld == few.mean.withheld == Withheld("small", 11)  # type: ignore[union-attr]
    assert all(each.value is None for each in few.quantiles)


def test_statistics_of_too_few_patients_are_withheld() -> None:
    pair = Correlation("a", "b", Estimate(0.5, 0.1, 0.8), 0.03)
    few = shown(CorrelateResult(("a", "b"), exactly(9), (pair,), notes=("no_spread",)))
    assert isinstance(few, CorrelateResult)
    assert (few.n.value, few.pairs[0].r.value, few.pairs[0].p) == (None, None, None)
    assert "no_spread" not in few.notes
    enough = CorrelateResult(("a", "b"), exactly(11), (pair,))
    assert shown(enough) == enough
    means = tuple(GroupMean(key, exactly(n), exactly(3.0), exactly(1.0)) for key, n in (("yes", 7), ("no", 80)))
    compared = shown(CompareResult("age", "sex", means, Estimate(1.0, 0.5, 1.5), Test(2.0, 0.04, 30.0)))
    assert isinstance(compared, CompareResult)
    assert [group.n.value for group in compared.groups] == [None, 80]
    assert compared.test is None
    assert compared.difference.value is None


def test_periods_are_joined_until_each_has_enough_and_a_curve_ends_where_too_few_are_left() -> None:
    found = shown(
        SurvivalResult(
            "os", None, 30.0, (curve("", (5, 8, 0, 12, 2, 1), (0, 4, 8, 0, 3, 2), 6),), notes=("not_reached",)
        )
    )
    assert isinstance(found, SurvivalResult)
    [made] = found.curves
    assert made.ends == (90.0, 120.0)
    assert (made.events, made.censored, made.beyond) == ((13, 0 + 12), (12, 0), 14)
    assert made.n.value == 51
    assert made.at_risk == (51, 26)
    assert made.survival[0] == pytest.approx(1 - 13 / 51)
    assert "coarsened" in found.notes


def test_a_group_of_too_few_is_withheld_with_the_tests_it_is_in() -> None:
    curves = (curve("a", (3, 1), (2, 1), 0), curve("b", (20, 15), (12, 20), 40), curve("c", (30, 15), (12, 20), 40))
    tests = (CurvesTest("logrank", ("a", "b", "c"), Test(3.14159, 0.2079, 2.0)),)
    pairs = tuple(CurvesTest("logrank", pair, Test(1.23456, 0.2666, 1.0)) for pair in (("a", "b"), ("b", "c")))
    ratios = (HazardRatio("b", "a", Estimate(1.2, 0.8, 1.9), 0.31),)
    found = shown(SurvivalResult("os", "stage", 30.0, curves, tests, pairs, ratios))
    assert isinstance(found, SurvivalResult)
    assert [made.n.value for made in found.curves] == [None, 107, 117]
    assert found.curves[0].ends == ()
    assert found.tests[0].test == Test()
    assert [each.test for each in found.pairwise] == [Test(), Test(1.23, 0.27, 1.0)]
    assert found.hazard_ratios[0].ratio.withheld is not None


def test_curves_are_rounded_as_their_numbers_add_up() -> None:
    found = shown(SurvivalResult("os", None, 30.0, (curve("", (2, 2, 2, 2), (1, 1, 1, 1), 88),)), Rules(rounding=5))
    assert isinstance(found, SurvivalResult)
    [made] = found.curves
    assert made.events == (0, 5, 0, 5)
    assert made.censored == (0, 0, 5, 0)
    assert (made.beyond, made.n.value) == (90, 105)


def test_small_noised_numbers_are_withheld_alone() -> None:
    """The noise protects them; nothing else goes with them."""
    noised = replace(groups(7, 100, 40), noise_width=5.0)
    found = shown(noised)
    assert isinstance(found, GroupsResult)
    assert [each.count.value for each in found.groups] == [None, 100, 40]
    assert found.total.value == 147
    assert "small_noised" in found.notes


def test_sites_go_together_where_their_total_would_tell_one() -> None:
    results = [CountResult(exactly(n), n) for n in (447, 7, 140, 300)]
    total, *sites = show(results, ELEVEN)
    assert isinstance(total, CountResult)
    assert total.count.value == 447
    assert [site.count.value for site in sites] == [None, None, 300]  # type: ignore[union-attr]
    assert show_count([7, 140, 300], ELEVEN, per_site=True, noised=False) == 447
    assert show_count([3, 4], ELEVEN, per_site=True, noised=False) == Withheld("small", 11)
