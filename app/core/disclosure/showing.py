"""What may be shown of a result: the one function through which screen, figures, files, JSON and clipboard get numbers.

Small numbers are withheld, and others from which they could be computed (:mod:`app.core.disclosure.protecting`); shown
ones are rounded where the policy says so. What is decided here beyond that:

- **count**: fewer than the least. **Groups, tables**: a total is shown with its true value, so that the next smallest
  neighbour goes with a small number that stands alone; a table's chi² and Fisher's test go with any cell, for with the
  totals they would tell it. Of rounded cells they are computed anew.
- **attrition**: who is lost between two shown steps is a number too.
- **summary**: neighbouring intervals are joined until each has enough, and quantiles are found within these. Mean,
  standard deviation, correlations, coefficients and tests are shown as they are from ``smallest`` patients on.
- **survival**: a group of fewer is withheld; periods are joined until events and censorings of each are none or enough,
  and a curve ends where the patients left are too few. Curve, bands and median are those of the joined periods. Tests
  and hazard ratios are those of all periods, as is usual, where each group has enough patients and events, to three
  figures, so that they are no equation for what was joined.
- **rounding**: counts to 5 or 10; shares and chi² from rounded counts, curves from numbers rounded as they add up.
  Means, deviations and coefficients keep three figures; intervals, standard errors, degrees of freedom and the tests
  of what is no count are left out, since each of them tells how many patients there were.
- **per site**: where a site has too few, the sites' numbers go together with it as far as the total would tell them: of
  curves, summaries and comparisons those of all sites.
- **noised** results: the noise protects them whatever they are. Small ones are withheld for display alone, nothing goes
  with them, and nothing is rounded.

Applied after decryption by the asker's program all this is a courtesy; what the federation keeps by cryptography is
said in the request (``smallest``). Everything is pure: the same results and rules give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.analysis.results import (
    BELOW,
    SMALL,
    AttritionResult,
    CompareResult,
    CorrelateResult,
    CountResult,
    Estimate,
    GroupCount,
    GroupsResult,
    RegressResult,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Withheld,
)
from app.core.disclosure import showing_counts, showing_statistics
from app.core.disclosure.marking import hidden, noted
from app.core.disclosure.protecting import HIDDEN, SHOWN, Rules

__all__ = ["HIDDEN", "SHOWN", "Rules", "show", "show_count"]


def show(results: Sequence[Result], rules: Rules) -> tuple[Result, ...]:  # noqa: PLR0911 - one return a kind
    """Return what may be shown of the results of one question: of all sites together first, then of each if told."""
    if not results or not rules.changes:
        return tuple(results)
    if results[0].noise_width is not None:
        return tuple(_noised(each, rules) for each in results)
    match results[0]:
        case CountResult():
            return showing_counts.counts([each for each in results if isinstance(each, CountResult)], rules)
        case GroupsResult():
            return showing_counts.groups([each for each in results if isinstance(each, GroupsResult)], rules)
        case TableResult():
            return showing_counts.tables([each for each in results if isinstance(each, TableResult)], rules)
        case AttritionResult():
            return showing_counts.funnels([each for each in results if isinstance(each, AttritionResult)], rules)
        case SummaryResult():
            return showing_statistics.summaries([each for each in results if isinstance(each, SummaryResult)], rules)
        case CompareResult():
            return showing_statistics.comparisons([each for each in results if isinstance(each, CompareResult)], rules)
        case CorrelateResult():
            return showing_statistics.correlations(
                [each for each in results if isinstance(each, CorrelateResult)], rules
            )
        case RegressResult():
            return showing_statistics.regressions([each for each in results if isinstance(each, RegressResult)], rules)
        case SurvivalResult():
            return showing_statistics.curves([each for each in results if isinstance(each, SurvivalResult)], rules)


def show_count(rows: Sequence[int], rules: Rules, *, per_site: bool, noised: bool) -> int | Withheld:
    """Return what may be shown of a plain count: the sum of ``rows``, each a site's own if that is told."""
    total = sum(rows)
    if noised:
        small = rules.small(max(total, 0))
        return Withheld(BELOW, rules.smallest) if small else total
    made = [CountResult(Estimate(each, each, each), each) for each in ((total, *rows) if per_site else (total,))]
    found = show(made, rules)[0]
    assert isinstance(found, CountResult)  # noqa: S101 - it was one
    return found.count.withheld or int(found.count.value or 0)


# --- noised -------------------------------------------------------------------------------------------------------


def _noised(found: Result, rules: Rules) -> Result:
    """Return a noised result without its small numbers."""
    made = _bare(found, rules)
    return made if made == found else noted(made, "small_noised")


def _bare(found: Result, rules: Rules) -> Result:  # noqa: PLR0911 - one return a kind
    match found:
        case CountResult():
            small = _small(found.count, rules)
            return replace(found, count=hidden(rules, BELOW), raw=None) if small else found
        case GroupsResult():
            return replace(
                found, groups=tuple(_group(each, rules) for each in found.groups), total=_estimate(found.total, rules)
            )
        case TableResult():
            return replace(
                found,
                cells=tuple(tuple(_estimate(cell, rules) for cell in row) for row in found.cells),
                row_totals=tuple(_estimate(each, rules) for each in found.row_totals),
                column_totals=tuple(_estimate(each, rules) for each in found.column_totals),
                total=_estimate(found.total, rules),
            )
        case AttritionResult():
            steps = (
                replace(each, count=hidden(rules, SMALL), share=None, raw=None) if _small(each.count, rules) else each
                for each in found.steps
            )
            return replace(found, steps=tuple(steps))
        case SummaryResult():
            variables = (
                showing_statistics.without_variable(each, rules)
                if _small(each.n, rules)
                else replace(each, between=tuple(_group(group, rules) for group in each.between))
                for each in found.variables
            )
            return replace(found, variables=tuple(variables))
        case CompareResult():
            small_keys = frozenset(each.key for each in found.groups if _small(each.n, rules))
            return showing_statistics.without_groups(found, small_keys, rules)
        case CorrelateResult():
            return showing_statistics.without_pairs(found, rules) if _small(found.n, rules) else found
        case RegressResult():
            return showing_statistics.without_fit(found, rules) if _small(found.n, rules) else found
        case SurvivalResult():
            small_keys = frozenset(each.key for each in found.curves if _small(each.n, rules))
            return showing_statistics.without_curves(found, small_keys, rules)


def _small(found: Estimate, rules: Rules) -> bool:
    return found.value is not None and rules.small(found.value)


def _estimate(found: Estimate, rules: Rules) -> Estimate:
    return hidden(rules, SMALL) if _small(found, rules) else found


def _group(found: GroupCount, rules: Rules) -> GroupCount:
    if not _small(found.count, rules):
        return found
    return replace(found, count=hidden(rules, SMALL), share=None, raw=None)
