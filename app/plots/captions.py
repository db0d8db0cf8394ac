"""What is said in figures beside what they draw: tests in one line, and beneath what has to be known to read them."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.analysis.nothing import NOT_COMPUTED
from app.core.analysis.results import (
    AttritionResult,
    CompareResult,
    CorrelateResult,
    Estimate,
    GroupsResult,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Test,
)
from app.plots import survival
from app.plots.options import Options, Shown
from app.plots.sheet import estimate_words, interval_words
from app.plots.words import Words

_TOLD = frozenset(
    ["too_noisy", "too_few", "no_spread", "inconsistent", "singular", "no_convergence", "no_events", "tail_left_out"]
) | {"small_expected_counts", "small_withheld", "small_unopened", "small_noised", "coarsened", "rounded", NOT_COMPUTED}
"""The notes that stand beneath a figure; the others are told beside tables."""


def statistics_of(shown: Shown, options: Options) -> str:
    """Return the tests of a panel in one line; survival says its own."""
    return "" if options.hazard_ratios and isinstance(shown.result, SurvivalResult) else statistics_line(shown)


def statistics_line(shown: Shown) -> str:
    """Return what was counted or tested in one line, or ""; survival curves and summaries say their own."""
    result, words = shown.result, shown.words
    match result:
        case GroupsResult() if result.analysis != "histogram":
            parts = [words.measured(result.code), _n(result.total, words)]
        case TableResult():
            parts = _table(result, words)
        case CompareResult():
            parts = [_tested(words.say("welch"), result.test, words)]
            if result.difference.value is not None:
                parts.insert(0, words.say("difference", value=interval_words(result.difference, words)))
        case CorrelateResult():
            parts = [_n(result.n, words)]
        case RegressResult():
            fit = "" if result.r2 is None else words.say("r2", value=words.decimal(result.r2, 2))
            parts = [_n(result.n, words), fit, _tested("F", result.f, words)]
        case _:
            parts = []
    return "  ·  ".join(filter(None, parts))


def _n(estimate: Estimate, words: Words) -> str:
    return f"n = {estimate_words(estimate, words)}"


def _table(result: TableResult, words: Words) -> list[str]:
    parts = [_n(result.total, words), _tested("χ²", result.chi2, words)]
    if result.cramers_v is not None:
        parts.append(words.say("cramers_v", value=words.decimal(result.cramers_v, 2)))
    if result.fisher is not None and result.fisher.p is not None:
        parts.append(words.say("fisher", p=words.p_value(result.fisher.p)))
    return parts


def _tested(name: str, test: Test | None, words: Words) -> str:
    """Return a test as it is printed: χ² = 1.33 (df 3), p = 0.72."""
    if test is None or test.statistic is None or test.p is None:
        return ""
    said = f"{name} = {words.significant(test.statistic)}"
    if test.df:
        df = words.decimal(test.df, 0 if float(test.df).is_integer() else 1)
        said += f" ({words.say('df', df=df)})"
    return f"{said}, {words.p_value(test.p)}"


def caption(shown: Sequence[Shown], options: Options) -> str:
    """Return what has to be known to read the figure: what intervals are, noise, what is withheld."""
    if not shown:
        return ""
    words, first = shown[0].words, shown[0].result
    noised = any(each.result.noise_width is not None for each in shown)
    parts = [] if NOT_COMPUTED in first.notes else _how_to_read(shown, options, noised=noised)
    if noised and not isinstance(first, GroupsResult | AttritionResult | TableResult):
        parts.append(words.say("caption_noised"))
    if any(each.result.adjusted for each in shown):
        parts.append(words.say("caption_adjusted"))
    if hidden := sum(_withheld(each.result) for each in shown):
        parts.append(words.say("caption_withheld", count=words.number(hidden)))
    notes = [note for each in shown for note in notes_of(each.result)]
    parts += [words.note(note) for note in dict.fromkeys(notes) if note in _TOLD]
    return " ".join(parts)


def _how_to_read(shown: Sequence[Shown], options: Options, *, noised: bool) -> list[str]:  # noqa: PLR0911
    """Return what the marks of a figure are."""
    words, first = shown[0].words, shown[0].result
    percent = words.percent(first.confidence)
    match first:
        case GroupsResult() | AttritionResult() | TableResult():
            width = words.number(max(each.result.noise_width or 0 for each in shown))
            said = [words.say("caption_noise", percent=percent, width=width)] if noised else []
            return said + ([words.say("caption_open")] if _open_ended(first) else [])
        case SummaryResult() if levels := sorted({each.level for one in first.variables for each in one.quantiles}):
            ends = {"low": words.percent(levels[0]), "high": words.percent(levels[-1])}
            return [words.say("caption_box", percent=percent, **ends)]
        case CompareResult():
            return [words.say("caption_means", percent=percent)]
        case CorrelateResult():
            return [words.say("caption_correlation", percent=percent)]
        case SurvivalResult() if not options.hazard_ratios and options.interval != "none":
            if not all(survival.banded(each, options) for each in shown):
                return [words.say("caption_no_bands", most=survival.MOST_BANDS)]
            kind = words.say("greenwood") if options.interval == "greenwood" else words.say("loglog")
            return [words.say("caption_band", percent=percent, kind=kind)]
        case _:
            return []


def untold_notes(result: Result) -> tuple[str, ...]:
    """Return the notes of a result that the caption of its figure does not say."""
    return tuple(note for note in notes_of(result) if note not in _TOLD and note not in ("noised", "noise_clipped"))


def notes_of(result: Result) -> tuple[str, ...]:
    """Return the notes of a result and of its variables, each once."""
    inner = [note for each in result.variables for note in each.notes] if isinstance(result, SummaryResult) else []
    return tuple(dict.fromkeys([*result.notes, *inner]))


def _open_ended(result: Result) -> bool:
    if not isinstance(result, GroupsResult) or result.analysis != "histogram":
        return False
    return any(group.key.startswith("[,") or group.key.endswith(",)") for group in result.groups if group.count.value)


def _withheld(result: Result) -> int:
    counts: list[Estimate] = []
    match result:
        case GroupsResult():
            counts = [group.count for group in result.groups]
        case TableResult():
            counts = [cell for row in result.cells for cell in row]
        case AttritionResult():
            counts = [step.count for step in result.steps]
        case _:
            pass
    return sum(each.value is None for each in counts)
