"""Requests: what is shown of them, what is done about them, and the same against the agents of three sites."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel, QPlainTextEdit
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.disclosure.policy import Mode, Policy
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import decisions
from app.core.federation.local_site import LocalSite
from app.core.federation.query_messages import Request
from app.core.query.model import Flag, Query
from app.core.services import member as members
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.jobs import Jobs
from app.ui.models.question import question
from app.ui.models.requests import Asked, Fate, fate
from app.ui.models.requests import Standing as State
from app.ui.preferences import Preferences
from app.ui.theme import theme
from app.ui.views.requests import RequestsView
from app.ui.views.requests.policy_dialog import PolicyDialog
from app.ui.widgets.dialogs import Dialog
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber
from tests.ui import examples
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
        "policy.set": dict,
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
    assert waiting_one(epsilon=epsilon).usual_noise == most


def test_a_policy_is_asked_as_the_owner_would_ask_it() -> None:
    request = waiting_one()  # three of three answer, the asker among them: two others
    assert fate(Policy(Mode.AUTOMATIC, others=2), request) == (Fate.ANSWERED, "")
    assert fate(Policy(Mode.ASK, others=2), request) == (Fate.WAITS, "")
    assert fate(Policy(Mode.ASK, others=3), request) == (Fate.DECLINED, "policy.too_few_sites")
    assert fate(Policy(Mode.ASK, noised=False), request) == (Fate.DECLINED, "policy.no_noised")
    assert fate(Policy(Mode.NEVER), request) == (Fate.DECLINED, "policy.never")


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
    assert "answered at once 2, still waiting 0" in said
    assert "it cannot yet make an exception" in said
    assert fake_bridge.named("policy.set") == []
    dialog.answer()
    values = {"mode": "automatic", "exact": True, "noised": True, "others": 2}
    assert [call.values for call in fake_bridge.named("policy.set")] == [values]


def test_the_policy_shows_its_effect_before_it_is_used(view: RequestsView, fake_bridge: FakeBridge) -> None:
    view.edit_policy()
    dialog = view.dialog
    assert isinstance(dialog, PolicyDialog)
    assert "still waiting 2" in dialog._summary.text()
    dialog._exact.set_value("no")
    dialog._exact.chosen.emit("no")
    assert dialog._summary.text().endswith("still waiting 1, declined 1.")
    dialog._mode.set_value("automatic")
    dialog._mode.chosen.emit("automatic")
    assert "answered at once 1" in dialog._summary.text()
    assert dialog._steps.steps[-1].title == "So it is answered at once"
    assert fake_bridge.named("policy.set") == []
    dialog.answer()
    assert fake_bridge.named("policy.set")[0].values == {
        "mode": "automatic",
        "exact": False,
        "noised": True,
        "others": 2,
    }
    assert view.dialog is None


def test_a_policy_that_is_refused_keeps_its_dialog(view: RequestsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["policy.set"] = EnvironmentProblem("disk.full", path="/profile")
    view.edit_policy()
    assert view.dialog is not None
    view.dialog.answer()
    assert view.dialog.isVisible()
    assert view.dialog.banners.isVisible()
    assert view.dialog.answer_button.isEnabled()


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "going"])
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "used"])
def test_the_outcome_of_a_policy_is_shown_though_its_dialog_was_cancelled(
    refused: bool, gone: bool, view: RequestsView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    never = asked.answers(asked.TYPICAL)["policy.show"] | {"mode": "never"}
    fake_bridge.answers["policy.set"] = EnvironmentProblem("disk.full", path="/profile") if refused else never
    view.edit_policy()
    dialog = view.dialog
    assert dialog is not None
    fake_bridge.at_once = False
    dialog.answer()
    dialog.cancel_button.click()
    if gone:
        QCoreApplication.sendPostedEvents(dialog, QEvent.Type.DeferredDelete)
        assert not isValid(dialog)
    lists = len(fake_bridge.named("request.list"))
    if refused:
        qtbot.waitUntil(view.banners.isVisible)
    else:
        qtbot.waitUntil(lambda: len(fake_bridge.named("request.list")) > lists)


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

    def __init__(self, site: LocalSite) -> None:
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
            assert view.current.standing("Site 3") is (State.BY_RULE if always else State.BY_PERSON)
        finally:
            bridge.close()
        (query,) = sites.call(1, "query.list")["queries"]
        assert query["answer"]["count"] == 600
