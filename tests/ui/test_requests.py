"""Requests: what is shown of them, what is done about them, and the same against the agents of three sites."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel, QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.disclosure.policy import Mode, People, Policy, Rule
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import decisions
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_messages import Request
from app.core.query.analyses import Analysis, Attrition, Breakdown, Count, Grouping, Table
from app.core.query.model import Flag, Query
from app.core.query.text import parse
from app.core.services import member as members
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.jobs import Jobs
from app.ui.models.naming import Names
from app.ui.models.question import question
from app.ui.models.releasing import Releasing, usual_noise
from app.ui.models.requests import Asked, Preview, judge
from app.ui.models.requests import Standing as State
from app.ui.preferences import Preferences
from app.ui.theme import theme
from app.ui.views.requests import RequestsView
from app.ui.views.requests.wording import preview, released
from app.ui.widgets.dialogs import Dialog
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber
from tests.ui import examples
from tests.ui import examples_governing as governing
from tests.ui import examples_requests as asked
from tests.ui.fakes import FakeBridge


def waiting_one(**changes: Any) -> Asked:
    return Asked.from_plain(asked.request(asked.GENEVA, "Geneva", "died", **changes))


@pytest.fixture
def view(qtbot: QtBot, context: Context, fake_bridge: FakeBridge) -> RequestsView:
    fake_bridge.answers |= {
        **asked.answers(asked.TYPICAL),
        "request.answer": asked.TYPICAL[0],
        "request.decline": asked.TYPICAL[0],
        "request.ask": asked.TYPICAL[0],
    }
    made = RequestsView(context)
    qtbot.addWidget(made)
    made.resize(1196, 740)
    made.show()
    return made


def listed(view: RequestsView) -> list[str]:
    return [entry.key for entry in view.list.entries.entries]


def change(bridge: FakeBridge, requests: list[dict[str, Any]]) -> None:
    """Have the owner tell of other requests from now on."""
    bridge.answers |= asked.answers(requests)
    bridge.stir()


def dialog_of(view: RequestsView) -> Dialog:
    """The dialog that is open."""
    return next(each for each in view.findChildren(Dialog) if each.isVisible())


def type_into(dialog: Dialog, words: str) -> None:
    edit = dialog.findChild(QPlainTextEdit)
    assert edit is not None
    edit.setPlainText(words)
    dialog.answer()


# --- the model --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, State.WAITING),
        ({"state": "open", "answered": True}, State.BY_RULE),
        ({"state": "done", "answered": True, "decided": "answer"}, State.BY_PERSON),
        ({"state": "open"}, State.ANSWERING),
        ({"state": "declined", "decided": "decline", "code": "query.declined"}, State.DECLINED),
        ({"state": "declined", "code": "policy.no_exact"}, State.REFUSED),
        ({"state": "open", "sites": ["Geneva", "Bern"]}, State.HELPING),
        ({"state": "done"}, State.MISSED),
        ({"state": "over", "code": "query.cancelled"}, State.ENDED),
        ({"state": "over", "code": "query.cancelled", "answered": True}, State.BY_RULE),
    ],
)
def test_how_a_request_stands(changes: dict[str, Any], standing: State) -> None:
    assert waiting_one(**changes).standing("Lausanne") is standing


@pytest.mark.parametrize(("epsilon", "most"), [("1", 3), ("1/2", 6), ("1/10", 30), ("1000", 1)])
def test_the_usual_noise_is_what_nineteen_of_twenty_draws_stay_within(epsilon: str, most: int) -> None:
    assert usual_noise(epsilon) == most


def test_an_analysis_shares_its_budget_among_its_numbers() -> None:
    assert usual_noise("") == 0
    assert usual_noise("1/2", 4) == usual_noise("1/8")


@pytest.mark.parametrize(
    ("cohort", "analysis", "title", "said"),
    [
        ("died", Count(), "One number", "How many patients match."),
        ("died", Breakdown("ecog"), "6 numbers", "in each group of: ECOG performance status."),
        ("died", Table(Grouping("ecog"), Grouping("sex")), "10 numbers", "each pair of groups"),
        ("died and age >= 60", Attrition(), "3 numbers", "left after each criterion"),
    ],
)
def test_what_would_be_released_is_said_for_each_analysis(
    cohort: str, analysis: Analysis, title: str, said: str
) -> None:
    query = Query(parse(cohort, asked.CATALOGUE), analysis)
    facts = released(waiting_one(analysis=analysis.name), Releasing.of(query, asked.CATALOGUE))
    assert facts[0][1] == title
    assert said in facts[0][2]
    assert "Yours alone" in facts[0][2]
    assert "changes" in facts[1][2]
    assert "at least this many" in facts[2][1]


def test_numbers_of_each_site_are_said_and_need_their_own_rule() -> None:
    query = Query(Flag("died"), Breakdown("ecog"), per_site=True)
    request = waiting_one(analysis="breakdown", per_site=True, exact=True, epsilon="")
    facts = released(request, Releasing.of(query, asked.CATALOGUE))
    assert facts[0][1] == "6 numbers of each site"
    assert "Your site’s own numbers" in facts[0][2]
    allowed, forbidden = Policy(Mode.ASK, others=2, per_site=True), Policy(Mode.ASK, others=2)
    for policy, verdict, state in ((allowed, "ask", "done"), (forbidden, "decline", "failed")):
        found = judge(policy, request, Names())
        assert found.verdict == verdict
        step = next(each for each in preview(found, request, Names()) if each.title.startswith("Each site"))
        assert step.state == state


@pytest.mark.parametrize(
    ("policy", "verdict", "broken"),
    [
        (Policy(Mode.AUTOMATIC, others=2), "answer", ""),
        (Policy(Mode.ASK, others=2), "ask", ""),
        (Policy(Mode.ASK, others=3), "decline", "others"),
        (Policy(Mode.ASK, noised=False), "decline", "noised"),
        (Policy(Mode.NEVER), "decline", "mode"),
        (Policy(Mode.NEVER, rules=(Rule(Mode.AUTOMATIC, site=2),)), "answer", ""),
        (Policy(Mode.AUTOMATIC, people=People.ENDORSED), "decline", "people"),
        (Policy(Mode.AUTOMATIC, epsilon=Fraction(1, 4)), "decline", "epsilon"),
    ],
)
def test_a_policy_is_asked_as_the_owner_would_ask_it(policy: Policy, verdict: str, broken: str) -> None:
    request = waiting_one()  # three of three answer, the asker among them: two others
    found = judge(policy, request, Names({1: "Lausanne", 2: "Geneva"}))
    assert found.verdict == verdict
    assert [each.rule for each in found.findings if not each.holds] == ([broken] if broken else [])
    states = [step.state for step in preview(found, request, Names())]
    assert states.count("failed") == (2 if broken else 0), "the rule, and what follows from it"


def test_each_rule_of_a_preview_names_its_source() -> None:
    request = waiting_one(exact=True, epsilon="", asked_by="Anna Keller")
    told = governing.preview(
        "decline",
        governing.finding("exact", False, source="managed", code="policy.no_exact"),
        governing.finding("others", others=2, least=2, source="default"),
        governing.finding("never", False, variable="died", level="", code="policy.never_used"),
        price=governing.price("", 1, exact_left=0),
    )
    found = Preview.from_plain(told)
    steps = preview(found, request, Names(variables={"died": "Died during follow-up"}))
    assert steps[0].words == "The signatures of Anna Keller and of Geneva were checked."
    assert steps[1].words == "Exact numbers may not leave. Fixed by your administrator."
    assert steps[2].words.endswith("2 are wanted. The usual rule; nobody here has set another.")
    assert steps[3].words == "The question uses “Died during follow-up”. Your policy, version 3."
    assert [step.state for step in steps] == ["done", "failed", "done", "failed", "failed", "failed"]


def test_nothing_from_a_catalogue_becomes_rich_text() -> None:
    label = "<b>x</b>&<img src='file:///etc/passwd'>"
    catalogue = Catalogue("Test", 1, (Variable("x", Kind.FLAG, Label(label)),))
    said = question(Query(Flag("x")).to_cbor(), catalogue.to_cbor())
    assert said.parts[1] == label
    assert said.plain.startswith("How many patients match")
    assert "<img" not in said.rich("#000000")
    document = QTextDocument()
    document.setHtml(said.rich("#000000"))
    assert document.toPlainText() == said.plain
    with pytest.raises(UserError):  # the marks that parts are told by cannot be in a catalogue
        Variable("x", Kind.FLAG, Label("\ue000"))


# --- the view ---------------------------------------------------------------------------------------------------


def test_those_that_wait_come_first_and_the_first_is_open(view: RequestsView) -> None:
    assert listed(view) == ["waiting", asked.GENEVA, asked.BERN, "earlier", asked.EARLIER, asked.NOISED, asked.DECLINED]
    assert view.current is not None
    assert view.current.id == asked.GENEVA
    first = view.list.entries.entries[1]
    assert first.words.startswith("Sex: “female”, and Age: at least 60 years"), "in words, not in its text form"
    assert "Needs your answer" in first.spoken


def test_a_change_keeps_the_selection_and_moves_what_was_decided(view: RequestsView, fake_bridge: FakeBridge) -> None:
    view.list.select(asked.BERN)
    view.list.chosen.emit(asked.BERN)
    new = asked.request("f" * 32, "Geneva", "died")
    decided = {**asked.TYPICAL[0], "state": "open", "answered": True, "decided": "answer"}
    change(fake_bridge, [new, decided, *asked.TYPICAL[1:]])
    assert listed(view)[:4] == ["waiting", "f" * 32, asked.BERN, "earlier"]
    assert view.list.selected == asked.BERN
    assert view.list.currentIndex().row() == 2
    assert view.current is not None
    assert view.current.asker == "Bern"


def test_a_request_that_is_decided_elsewhere_stays_open_without_its_buttons(
    view: RequestsView, fake_bridge: FakeBridge
) -> None:
    assert view._foot.isVisible()
    decided = {**asked.TYPICAL[0], "state": "open", "answered": True, "decided": "answer"}
    change(fake_bridge, [decided, *asked.TYPICAL[1:]])
    assert view.list.selected == asked.GENEVA
    assert not view._foot.isVisible()
    assert [step.title for step in view.opened._steps.steps][1] == "One of you answered"


def test_what_was_answered_with_nobody_present_says_so(view: RequestsView) -> None:
    view.open(asked.EARLIER)
    steps = view.opened._steps.steps
    assert steps[1].title == "Your rule answered"
    assert steps[1].words == "Within your policy, with nobody present."


def test_answering_with_the_keyboard(view: RequestsView, fake_bridge: FakeBridge, qtbot: QtBot) -> None:
    view.list.setFocus()
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    assert view.current is not None
    assert view.current.id == asked.BERN
    qtbot.keyClick(view.list, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert [call.values for call in fake_bridge.named("request.answer")] == [{"id": asked.BERN}]
    assert view._answer.isEnabled()


def test_declining_needs_a_reason(view: RequestsView, fake_bridge: FakeBridge) -> None:
    view._decline.click()
    dialog = dialog_of(view)
    dialog.answer()
    assert fake_bridge.named("request.decline") == []
    type_into(dialog, "Not without an ethics approval.")
    values = {"id": asked.GENEVA, "reason": "Not without an ethics approval."}
    assert [call.values for call in fake_bridge.named("request.decline")] == [values]


def test_asking_back(view: RequestsView, fake_bridge: FakeBridge) -> None:
    view.opened._ask.click()
    type_into(dialog_of(view), "Which years?")
    assert fake_bridge.named("request.ask")[0].values == {"id": asked.GENEVA, "text": "Which years?"}


def test_a_refusal_is_shown_and_the_buttons_come_back(view: RequestsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["request.answer"] = EnvironmentProblem("relay.unreachable", url="https://relay")
    view._answer.click()
    assert view.banners.isVisible()
    assert view._answer.isEnabled()


def test_always_answering_says_what_it_does_first(view: RequestsView, fake_bridge: FakeBridge) -> None:
    view._always.click()
    dialog = dialog_of(view)
    said = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "Counts that Geneva asks for are answered without asking you" in said
    assert fake_bridge.named("request.answer") == []
    dialog.answer()
    assert [call.values for call in fake_bridge.named("request.answer")] == [{"id": asked.GENEVA, "always": True}]


def test_who_asks_is_named_with_role_project_and_end(view: RequestsView, fake_bridge: FakeBridge) -> None:
    person = {"asked_by": "Anna Keller", "project": "Second cancers after lung cancer"}
    change(fake_bridge, [{**asked.TYPICAL[0], **person}])
    assert view.opened._asker.text() == "Anna Keller, Geneva"
    said = view.opened._role.text()
    assert said.startswith("Totals with noise · endorsed until ")
    assert "project “Second cancers after lung cancer” · until " in said
    assert "Ethics committee of Vaud" in view.opened._project.text()
    assert "under “Second cancers after lung cancer”" in view.opened._always_words.text()


def test_the_price_is_shown_against_what_is_left(view: RequestsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["budget.show"] = governing.BUDGET
    fake_bridge.stir()
    assert view.opened.price.isVisible()
    assert view.opened.price.words.text() == "Costs 0.5 of your site’s budget; 5.1 are left."
    assert view.opened.price.meter.accessibleName() == "before 5.1 → after 4.6 of 8"
    view.open(asked.EARLIER)
    assert not view.opened.price.isVisible(), "what is over costs nothing any more"


def test_what_the_policy_declines_cannot_be_answered(view: RequestsView, fake_bridge: FakeBridge) -> None:
    told = governing.preview("decline", governing.finding("noised", False, code="policy.no_noised"))
    fake_bridge.answers["policy.preview"] = told
    fake_bridge.stir()
    assert not view._answer.isEnabled()
    assert "Change them first" in view._answer.accessibleDescription()
    assert not view._always.isVisible()
    view._answer_by_key()
    assert fake_bridge.named("request.answer") == []


def test_the_policy_and_the_budget_are_one_press_away(
    view: RequestsView, navigations: list[tuple[str, object]]
) -> None:
    view._policy_button.click()
    view._budget_button.click()
    view.opened._edit.click()
    assert [name for name, _ in navigations] == ["policy", "budget", "policy"]


def test_without_a_ready_federation_nothing_is_asked_for(
    qtbot: QtBot, context: Context, fake_bridge: FakeBridge
) -> None:
    fake_bridge.answers["site.overview"] = examples.nowhere()
    context.standing.refresh()
    view = RequestsView(context)
    qtbot.addWidget(view)
    view.show()
    assert fake_bridge.named("request.list") == []
    assert not view._policy_button.isVisible()


def test_a_question_of_a_newer_program_is_shown_as_text(
    qtbot: QtBot, context: Context, fake_bridge: FakeBridge
) -> None:
    def unreadable(values: Mapping[str, Any]) -> dict[str, Any]:
        return {**asked.TYPICAL[0], "id": values["id"], "query": b"\xa0", "catalogue": b"\xa0"}

    fake_bridge.answers |= {**asked.answers(asked.TYPICAL[:1]), "request.show": unreadable}
    view = RequestsView(context)
    qtbot.addWidget(view)
    view.show()
    assert view.list.entries.entries[1].words == asked.TYPICAL[0]["text"]


def test_the_look_may_change_while_a_request_is_open(view: RequestsView) -> None:
    theme().set_mode("dark")
    assert theme().colours["text"] in view.opened._words.text()


# --- against agents ---------------------------------------------------------------------------------------------


class AsPolicySays(KnownNumber):
    """Answers 100 times its position, as far as its policy and its people say so."""

    def __init__(self, site: LocalSite, _mailroom: Mailroom) -> None:
        super().__init__(100 * site.position, keys=site.key_directory)
        self._site = site

    def contribute(self, session: bytes, asker: int, request: Request) -> Any:
        if not decisions.allows(self._site, session, asker, request):
            return None
        return super().contribute(session, asker, request)


def asks_site_3(sites: Sites) -> None:
    """Site 1 asks everybody; site 3 wants a person to decide."""
    for each in (1, 2, 3):
        sites.call(each, "test.ready")
    sites.call(3, "policy.set", {"mode": "ask", "exact": None, "noised": None, "others": None})
    values = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 3, "deadline": 0, "purpose": "A test", "wait": 0}
    with pytest.raises(Exception, match=r"cli\.query\.waiting"):
        sites.call(1, "query.run", values)


def at_agent(
    sites: Sites, preferences: Preferences, fake_bridge: FakeBridge, qtbot: QtBot
) -> tuple[Bridge, RequestsView]:
    """The view at site 3's agent, told of its changes."""
    fake_bridge.answers["site.overview"] = examples.overview(site="Site 3")
    standing = Standing(fake_bridge)
    standing.refresh()
    bridge = Bridge(sites.directories[2])
    view = RequestsView(Context(bridge, standing, Jobs(bridge), preferences, lambda *_: None))
    qtbot.addWidget(view)
    view.show()
    bridge.watch()
    return bridge, view


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
def test_a_person_answers_at_a_real_agent(
    always: bool,
    tmp_path: Path,
    preferences: Preferences,
    fake_bridge: FakeBridge,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(members, "DatasetContributor", AsPolicySays)
    sites = Sites(tmp_path, FakeRelay())
    with sites.running(1, 2, 3):
        asks_site_3(sites)
        bridge, view = at_agent(sites, preferences, fake_bridge, qtbot)
        try:
            qtbot.waitUntil(lambda: view.current is not None and view.current.waiting, timeout=30_000)
            qtbot.waitUntil(lambda: bool(view._questions), timeout=30_000)
            (said,) = view._questions.values()
            assert said.plain == "How many patients match the following: Smokes: yes?"
            if always:
                view._always.click()
                dialog_of(view).answer()
            else:
                view._answer.click()
            qtbot.waitUntil(lambda: view.current is not None and view.current.state == "done", timeout=60_000)
            assert view.current is not None
            assert view.current.standing("Site 3") is State.BY_PERSON
            rules = sites.call(3, "policy.show")["policy"]["rules"]
            kind = {"mode": "automatic", "site": 1, "person": "", "project": "", "analysis": "count"}
            assert rules == ([kind] if always else [])
        finally:
            bridge.close()
        (query,) = sites.call(1, "query.list")["queries"]
        assert query["answer"]["count"] == 600
