"""What is left of a budget: exact arithmetic on charges."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.disclosure.budget import (
    DAY,
    EXACT,
    PROJECT,
    RESEARCHER,
    SITE,
    Account,
    Shortage,
    Spend,
    account,
    exact_account,
    shortage,
)
from app.core.disclosure.policy_parts import BudgetRules

NOW = 1_800_000_000_000
THIRD = Fraction(1, 3)
ONE = BudgetRules(cap=Fraction(1))
MONTHLY = BudgetRules(cap=Fraction(1), refill=Fraction(1, 4), days=30)


def spend(epsilon: Fraction = THIRD, at: int = 0, exact: int = 0, who: str = "1 A", project: str = "aa") -> Spend:
    """A charge ``at`` days after the beginning."""
    return Spend(NOW + at * DAY, epsilon, exact, who, project)


def test_it_adds_up_without_rounding() -> None:
    """Three thirds are one; nothing is left, and nothing smaller fits in either."""
    charged = [spend(at=day) for day in range(3)]
    assert account(ONE, SITE, charged, NOW) == Account(Fraction(1), Fraction(1), Fraction(0))
    assert shortage(ONE, charged[:2], spend()) is None
    assert shortage(ONE, charged, spend(Fraction(1, 1 << 20))) == Shortage(SITE, Fraction(1, 1 << 20), Fraction(0))


def test_without_a_cap_nothing_is_short_and_all_is_counted() -> None:
    charged = [spend(Fraction(10)) for _ in range(5)]
    assert account(BudgetRules(), SITE, charged, NOW) == Account(None, Fraction(50), None)
    assert shortage(BudgetRules(), charged, spend(Fraction(1000), exact=7)) is None


def test_one_cap_for_all_researchers_and_projects() -> None:
    charged = [spend(who="1 A", project="aa"), spend(who="2 B", project="bb"), spend(who="3 ", project="")]
    found = shortage(ONE, charged, spend(who="4 D", project="dd"))
    assert found is not None
    assert found.of == SITE


@pytest.mark.parametrize(("kind", "same"), [(RESEARCHER, {"who": "1 A"}), (PROJECT, {"project": "aa"})])
def test_a_share_bounds_one_of_them_and_leaves_the_rest_to_others(kind: str, same: dict[str, str]) -> None:
    rules = replace(ONE, **{kind: Fraction(1, 2)})
    charged = [spend(who="1 A", project="aa")]
    assert shortage(rules, charged, spend(who="9 Z", project="zz")) is None
    found = shortage(rules, charged, spend(**{"who": "9 Z", "project": "zz", **same}))
    assert found == Shortage(kind, THIRD, Fraction(1, 6))


def test_leaving_the_name_out_evades_no_share() -> None:
    rules = replace(ONE, project=Fraction(1, 2), researcher=Fraction(1, 2))
    nameless = spend(who="1 ", project="")
    found = shortage(rules, [nameless], nameless)
    assert found is not None
    assert found.of == RESEARCHER


def test_a_refill_comes_at_the_end_of_every_period_and_never_passes_the_cap() -> None:
    charged = [spend(Fraction(1))]
    left = [account(MONTHLY, SITE, charged, NOW + day * DAY).left for day in (0, 29, 30, 59, 60, 119, 120, 9000)]
    assert left == [Fraction(part, 4) for part in (0, 0, 1, 1, 2, 3, 4, 4)]
    assert account(MONTHLY, SITE, charged, NOW + 31 * DAY).more_at == NOW + 60 * DAY
    assert account(MONTHLY, SITE, charged, NOW + 120 * DAY).more_at == 0  # full


def test_what_nobody_used_is_not_saved_up() -> None:
    charged = [spend(Fraction(1, 4)), spend(Fraction(1), at=3000)]
    assert account(MONTHLY, SITE, charged, NOW + 3000 * DAY).left == 0


def test_exhausted_says_when_there_is_enough() -> None:
    charged = [spend(Fraction(1))]
    found = shortage(MONTHLY, charged, spend(Fraction(1, 2), at=5))
    assert found == Shortage(SITE, Fraction(1, 2), Fraction(0), NOW + 60 * DAY)
    assert shortage(MONTHLY, charged, spend(Fraction(1, 2), at=60)) is None
    never = shortage(MONTHLY, charged, spend(Fraction(2), at=5))
    assert never is not None
    assert never.at == 0


def test_a_lower_cap_is_worked_off_first() -> None:
    """The cap is lowered to less than was spent: nothing is left, and the debt counts."""
    charged = [spend(Fraction(1))]
    lowered = BudgetRules(cap=Fraction(1, 2), refill=Fraction(1, 4), days=30)
    assert account(lowered, SITE, charged, NOW).left == 0
    found = shortage(lowered, charged, spend(Fraction(1, 4)))
    assert found is not None
    assert found.at == NOW + 90 * DAY


def test_a_clock_that_was_set_back_refills_nothing() -> None:
    charged = [spend(Fraction(1)), spend(Fraction(1, 4), at=30)]
    assert account(MONTHLY, SITE, charged, NOW - 500 * DAY).left == 0


def test_exact_releases_have_a_quota_of_their_own() -> None:
    rules = BudgetRules(cap=Fraction(1), exact=2)
    charged = [spend(Fraction(0), exact=1), spend(Fraction(1))]
    assert exact_account(rules, charged, NOW) == (1, 0)
    assert shortage(rules, charged, spend(Fraction(0), exact=1)) is None
    charged.append(spend(Fraction(0), exact=1))
    assert shortage(rules, charged, spend(Fraction(0), exact=1)) == Shortage(EXACT, Fraction(1), Fraction(0))
    assert shortage(BudgetRules(exact=0), [], spend(Fraction(0), exact=1)) is not None


def test_the_quota_is_renewed_with_the_period() -> None:
    rules = BudgetRules(exact=1, days=30)
    charged = [spend(Fraction(0), exact=1, at=2)]
    assert exact_account(rules, charged, NOW + 31 * DAY) == (0, NOW + 32 * DAY)
    assert exact_account(rules, charged, NOW + 32 * DAY) == (1, 0)


@given(
    wanted=st.lists(
        st.tuples(
            st.fractions(Fraction(1, 50), Fraction(1, 2), max_denominator=50),
            st.sampled_from("ABC"),
            st.sampled_from(["", "p", "q"]),
            st.integers(0, 400),
        ),
        max_size=40,
    ),
    refilled=st.booleans(),
)
def test_whatever_is_asked_no_limit_is_passed(wanted: list[tuple[Fraction, str, str, int]], refilled: bool) -> None:
    """Greedy askers: the sum stays under the cap, with refills under the cap and what came back."""
    rules = BudgetRules(
        cap=Fraction(1),
        refill=Fraction(1, 4) if refilled else Fraction(0),
        days=30 if refilled else 0,
        researcher=Fraction(1, 2),
        project=Fraction(2, 3),
    )
    charged: list[Spend] = []
    for epsilon, who, project, day in sorted(wanted, key=lambda each: each[3]):
        asked = spend(epsilon, at=day, who=who, project=project)
        found = shortage(rules, charged, asked)
        if found is None:
            charged.append(asked)
        elif found.at:
            assert found.at > asked.at
    periods = (charged[-1].at - charged[0].at) // (30 * DAY) if charged and refilled else 0
    for kind, limit in ((SITE, Fraction(1)), (RESEARCHER, Fraction(1, 2)), (PROJECT, Fraction(2, 3))):
        for name in {each.of(kind) for each in charged}:
            spent = sum((each.epsilon for each in charged if each.of(kind) == name), Fraction(0))
            assert spent <= limit * (1 + Fraction(periods, 4))
