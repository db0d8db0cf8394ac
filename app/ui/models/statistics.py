"""The statistics of a result: tests with what they ask, effects, and in words what a reader has to know about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.core.analysis.results import (
    CompareResult,
    CorrelateResult,
    CurvesTest,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Test,
)
from app.plots.words import Words
from app.texts import text
from app.ui.models.answers import Says, says

MOST_PAIRS = 6
"""Pairs of groups whose tests are listed here; the table has them all."""


@dataclass(frozen=True)
class Statistic:
    """One line: what it is, its value, and what it asks or means."""

    name: str
    value: str
    meaning: str = ""


def statistics(result: Result, words: Words) -> list[Statistic]:
    """Return the statistics of a result; none where it only counts."""
    said = says(result, words)
    match result:
        case TableResult():
            return list(_of_table(said, result))
        case CompareResult():
            return list(_of_comparison(said, result))
        case RegressResult():
            return list(_of_regression(said, result, words))
        case SurvivalResult():
            return list(_of_survival(said, result, words))
        case CorrelateResult():
            return [Statistic(text("ui.results.stat.pearson"), "", text("ui.results.stat.pearson_means"))]
        case _:
            return []


def notes(result: Result, words: Words) -> list[str]:
    """Return in words what a reader has to know, each once."""
    found = list(result.notes)
    if isinstance(result, SummaryResult):
        found += [note for variable in result.variables for note in variable.notes]
    return [words.note(note) for note in dict.fromkeys(found)]


def _test(said: Says, name: str, test: Test | None, letter: str, meaning: str) -> Iterator[Statistic]:
    if test is None or test.statistic is None:
        return
    parts = [f"{letter} = {said.value(test.statistic)}"]
    if test.df is not None:
        parts.append(text("ui.results.stat.df", count=said.freedom(test.df)))
    if test.p is not None:
        parts.append(said.words.p_value(test.p))
    yield Statistic(name, ", ".join(parts), meaning)


def _of_table(said: Says, result: TableResult) -> Iterator[Statistic]:
    name, means = text("ui.results.stat.chi2"), text("ui.results.stat.chi2_means")
    yield from _test(said, name, result.chi2, "χ²", means)
    if result.cramers_v is not None:
        yield Statistic(
            text("ui.results.stat.cramer"), said.value(result.cramers_v), text("ui.results.stat.cramer_means")
        )
    if result.fisher is not None and result.fisher.p is not None:
        found = [said.words.p_value(result.fisher.p)]
        if result.fisher.statistic is not None:
            found.insert(0, text("ui.results.stat.odds", ratio=said.value(result.fisher.statistic)))
        yield Statistic(text("ui.results.stat.fisher"), ", ".join(found), text("ui.results.stat.fisher_means"))


def _of_comparison(said: Says, result: CompareResult) -> Iterator[Statistic]:
    yield from _test(said, text("ui.results.stat.welch"), result.test, "t", text("ui.results.stat.welch_means"))


def _of_regression(said: Says, result: RegressResult, words: Words) -> Iterator[Statistic]:
    if result.singular is not None:
        name = words.variable(result.singular)
        yield Statistic(text("ui.results.stat.singular"), name, text("ui.results.stat.singular_means"))
    if result.f is not None and result.f.statistic is not None and result.f.p is not None:
        freedom = text(
            "ui.results.stat.two_df", count=said.freedom(result.f.df), residual=said.freedom(result.residual_df)
        )
        value = f"F = {said.value(result.f.statistic)}, {freedom}, {words.p_value(result.f.p)}"
        yield Statistic(text("ui.results.stat.f"), value, text("ui.results.stat.f_means"))
    if result.r2 is not None:
        value = text("ui.results.stat.r2_value", r2=said.value(result.r2), adjusted=said.value(result.adjusted_r2))
        yield Statistic(text("ui.results.stat.r2"), value, text("ui.results.stat.r2_means"))
    if result.residual_deviation is not None:
        value = f"{said.value(result.residual_deviation)} {words.unit(result.outcome)}".rstrip()
        yield Statistic(text("ui.results.stat.residual"), value, text("ui.results.stat.residual_means"))


def _of_survival(said: Says, result: SurvivalResult, words: Words) -> Iterator[Statistic]:
    by = result.by_code or ""
    for ratio in result.hazard_ratios:
        groups = {"group": words.group(by, ratio.key), "reference": words.group(by, ratio.reference)}
        value = said.valued(ratio.ratio)
        if ratio.p is not None:
            value = f"{value}, {words.p_value(ratio.p)}"
        yield Statistic(text("ui.results.stat.hazard", **groups), value, text("ui.results.stat.hazard_means", **groups))
    for each in result.tests:
        name = text(f"ui.results.test.{each.weights}")
        yield from _test(said, name, each.test, "χ²", text(f"ui.results.test_means.{each.weights}"))
    if len(result.curves) > 2:  # noqa: PLR2004 - two groups are one pair, and that is the test itself
        for each in result.pairwise[:MOST_PAIRS]:
            yield from _test(said, _pair(each, words, by), each.test, "χ²", "")


def _pair(each: CurvesTest, words: Words, by: str) -> str:
    one, other = (words.group(by, key) for key in each.groups[:2])
    return text("ui.results.stat.pair", one=one, other=other)
