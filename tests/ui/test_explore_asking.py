"""Explore: whom, how and what for; what stands in the way; asking."""

from __future__ import annotations

from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.core.errors import UserError
from app.ui.context import Context
from app.ui.views.explore import ExploreView
from tests.ui import examples_explore as explore
from tests.ui import examples_governing as governing
from tests.ui.exploring import (
    asked,
    opened,
    shown,
)
from tests.ui.fakes import FakeBridge


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    return opened(context, fake_bridge, qtbot, explore.answers())


def test_a_site_that_cannot_answer_cannot_be_chosen(view: ExploreView) -> None:
    shown(view, "weight_loss >= 10")
    view.check()
    assert view.analysis.chosen == ("Lausanne", "Geneva")
    box = view.analysis._boxes["Bern"]
    assert not box.isEnabled()
    assert "Weight loss" in box.accessibleName()
    assert view.analysis.button.text() == "Ask 2 sites"


def test_asking_says_whom_how_and_what_for_and_goes_to_the_results(
    view: ExploreView, fake_bridge: FakeBridge, navigations: list[tuple[str, object]]
) -> None:
    shown(view, "died")
    view.check()
    view.analysis._boxes["Bern"].click()
    view.analysis.noised.click()
    view.analysis.strength.set_value("1/4")
    view.analysis.least.set_value("2")
    view.analysis.purpose.setText("A study")
    view.check()
    explained = asked(fake_bridge, "query.explain")[-1]
    assert explained == {"text": "died", "per_site": False, "epsilon": "1/4", "contributors": 2}
    view.analysis.button.click()
    (values,) = asked(fake_bridge, "query.run")
    assert values == {
        "text": "died",
        "per_site": False,
        "epsilon": "1/4",
        "sites": ["Lausanne", "Geneva"],
        "minimum": 2,
        "deadline": 0,
        "purpose": "A study",
        "wait": 0,
    }
    assert navigations[-1] == ("results", "8f14e45fceea")


def test_what_cannot_be_asked_says_why_beside_the_button(view: ExploreView, fake_bridge: FakeBridge) -> None:
    shown(view, "died")
    view.check()
    view.analysis.purpose.setText(" ")
    view.analysis.show_state()
    assert not view.analysis.button.isEnabled()
    assert "what the answer is for" in view.analysis._reason.text()
    problem = {"code": "query.too_many_terms", "params": {"count": 700, "limit": 500}}
    fake_bridge.answers["query.explain"] = {"fits": False, "problem": problem, "explained": None, "by_site": []}
    view.check()
    assert view.analysis._fit.text().startswith("The query has 700 parts")


def test_a_refusal_when_asking_stays_on_the_screen(view: ExploreView, fake_bridge: FakeBridge) -> None:
    shown(view, "died")
    view.check()
    fake_bridge.answers["query.run"] = UserError("query.deadline_past")
    view.analysis.button.click()
    assert not view.banners.isHidden()
    assert view.analysis.button.isEnabled()


def governed(view: ExploreView, fake_bridge: FakeBridge, **changes: Any) -> None:
    """Somebody is endorsed here, and the owner tells what its own policy says."""
    fake_bridge.answers |= {**governing.answers(), "policy.preview": governing.preview("answer"), **changes}
    fake_bridge.stir()
    shown(view, "died")
    view.analysis.noised.click()
    view.check()


def test_a_person_asks_under_a_project(view: ExploreView, fake_bridge: FakeBridge) -> None:
    assert view.analysis.in_name_of.isHidden(), "nobody is endorsed"
    governed(view, fake_bridge)
    assert not view.analysis.in_name_of.isHidden()
    view.analysis.in_name_of.want("Claire Rochat", governing.STUDY)
    view.check()
    previewed = asked(fake_bridge, "policy.preview")[-1]
    assert (previewed["person"], previewed["project"], previewed["asker"]) == (
        "Claire Rochat",
        governing.STUDY,
        "Lausanne",
    )
    view.analysis.button.click()
    (values,) = asked(fake_bridge, "query.run")
    assert (values["person"], values["project"]) == ("Claire Rochat", governing.STUDY)


def test_what_the_role_does_not_allow_is_not_asked(view: ExploreView, fake_bridge: FakeBridge) -> None:
    governed(view, fake_bridge)
    view.analysis.in_name_of.want("Claire Rochat", "")
    view.analysis.exact.click()
    view.analysis.per_site.click()
    view.check()
    assert not view.analysis.button.isEnabled()
    assert "“Each site with noise”" in view.analysis.obstacle()


def test_the_price_stands_before_the_button(view: ExploreView, fake_bridge: FakeBridge) -> None:
    governed(view, fake_bridge)
    assert view.analysis.price.words.text() == "Costs 0.5 of your site’s budget; 5.1 are left."
    assert view.analysis.button.isEnabled()


def test_which_small_counts_stay_closed_is_said_before_asking(view: ExploreView, fake_bridge: FakeBridge) -> None:
    governed(view, fake_bridge)
    assert view.analysis._closed.isHidden()
    told = governing.preview("answer", smallest={"least": 11, "zeros": False, "binding": "program"})
    governed(view, fake_bridge, **{"policy.preview": told})
    view.analysis.exact.click()
    view.check()
    assert not view.analysis._closed.isHidden()
    assert view.analysis._closed.text().startswith("A total from 0 to 10 stays closed, for everybody. All sites open")


def test_an_exhausted_budget_is_said_before_asking(view: ExploreView, fake_bridge: FakeBridge) -> None:
    told = governing.preview("answer", price=governing.price(left="0"))
    governed(view, fake_bridge, **{"policy.preview": told, "budget.show": governing.USED_UP})
    assert not view.analysis.button.isEnabled()
    assert "0 are left. On " in view.analysis.obstacle()


def test_what_the_own_policy_declines_says_which_rule(view: ExploreView, fake_bridge: FakeBridge) -> None:
    finding = governing.finding("never", False, variable="weight_loss", level="", code="policy.never_used")
    governed(view, fake_bridge, **{"policy.preview": governing.preview("decline", finding)})
    assert view.analysis.obstacle().startswith("Your own site would decline this. The question uses “Weight loss")
    assert view.analysis.obstacle().endswith("Your policy, version 3.")
    view.analysis._boxes["Lausanne"].click()
    view.check()
    assert view.analysis.button.isEnabled(), "the policy binds the site only where it contributes"
