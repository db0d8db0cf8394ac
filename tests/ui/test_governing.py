"""The policy, people and projects, and the budget in the window: what is shown, and what the owner is told."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.core.disclosure.policy import Mode, Never, Policy, Rule
from app.core.errors import UserError
from app.core.secret import SecretBytes
from app.core.services.runs import Run
from app.texts import text
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.frame import StatusBar
from app.ui.jobs import Jobs
from app.ui.models.budget import Budget
from app.ui.models.naming import Names
from app.ui.models.paying import left, refill, short
from app.ui.models.people import People
from app.ui.models.policy import PolicyState, amount, changes, fraction_of, with_rule
from app.ui.models.projects import projects_from_plain
from app.ui.models.requests import Price
from app.ui.preferences import Preferences
from app.ui.views.budget import BudgetView
from app.ui.views.budget.entries import EntriesModel
from app.ui.views.explore.in_name_of import InNameOf
from app.ui.views.people import PeopleView
from app.ui.views.people.dialogs import CustodianDialog, EndorseDialog, RevokeDialog
from app.ui.views.people.projects import ProjectDialog
from app.ui.views.policy import PolicyView
from app.ui.views.policy.controls import Amount
from app.ui.views.policy.exceptions import Exceptions
from app.ui.views.results.protection import facts_of
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.fields import Choice
from app.ui.widgets.sentences import Lock
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.ui import examples
from tests.ui import examples_governing as governing
from tests.ui import examples_requests as asked
from tests.ui import examples_results as runs
from tests.ui.fakes import FakeBridge

PASSPHRASE = "correct horse battery"


@pytest.fixture
def owner(fake_bridge: FakeBridge, context: Context) -> FakeBridge:
    """An owner whose site has a custodian, people, projects and a budget."""
    catalogue = {"hash": b"c" * 32, "catalogue": asked.CATALOGUE.to_cbor()}
    fake_bridge.answers |= {**asked.answers(asked.TYPICAL), **governing.answers(), "catalogue.show": catalogue}
    context.standing.refresh()
    return fake_bridge


def choice(widget: Any, name: str) -> Choice:
    QApplication.processEvents()  # what was just put into a layout is shown by it
    return next(each for each in widget.findChildren(Choice) if each.accessibleName() == name and each.isVisible())


def choose(widget: Any, name: str, value: str) -> None:
    control = choice(widget, name)
    control.set_value(value)
    assert control.value == value
    control.chosen.emit(value)


def dialog_of(view: Any) -> Any:
    return next(each for each in view.findChildren(Dialog) if each.isVisible())


def said(widget: Any) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


# --- plain values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [("", None), ("0.5", Fraction(1, 2)), ("0,25", Fraction(1, 4)), ("1/3", Fraction(1, 3)), (" 8 ", Fraction(8))],
)
def test_amounts_are_read_as_people_type_them(typed: str, value: Fraction | None) -> None:
    assert fraction_of(typed) == value


@pytest.mark.parametrize("typed", ["0", "-1", "1/0", "much", "1e99"])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        fraction_of(typed)


@pytest.mark.parametrize(("value", "shown"), [("1/2", "0.5"), ("8", "8"), ("1/3", "0.333"), ("100", "100"), ("", "")])
def test_amounts_are_written_short(value: str, shown: str) -> None:
    assert amount(value) == shown


def test_an_exception_about_the_same_takes_the_place_of_the_one_before() -> None:
    first, other = Rule(Mode.ASK, site=2, analysis="count"), Rule(Mode.NEVER, analysis="regress")
    policy = with_rule(Policy(rules=(first, other)), Rule(Mode.AUTOMATIC, site=2, analysis="count"))
    assert policy.rules == (other, Rule(Mode.AUTOMATIC, site=2, analysis="count"))


def test_only_what_changed_is_told() -> None:
    assert changes(Policy(), Policy(others=2, never=(Never("sex"),))) == {"others": 2, "never": [["sex", ""]]}


def test_of_a_newer_owner_what_is_unknown_is_left_out() -> None:
    told = governing.policy({**governing.OWN, "invented later": True}, managed={"budget": {}})
    state = PolicyState.from_plain(told)
    assert state.policy == Policy.default(3)
    assert state.is_fixed("budget.cap")
    assert not state.is_fixed("mode")


def test_of_several_roles_of_a_person_the_strongest_asks() -> None:
    weak = governing.person("a", "Claire", "Lausanne", "total-noised", own=True)
    strong = governing.person("b", "Claire", "Lausanne", "sites-exact", own=True)
    over = governing.person("c", "Claire", "Lausanne", "sites-exact", own=True, state="expired")
    elsewhere = governing.person("d", "Anna", "Geneva", "sites-exact")
    custodian = governing.person("e", "Beat", "Lausanne", "custodian", own=True)
    people = People.from_plain({"own": {}, "people": [weak, over, strong, elsewhere, custodian]})
    assert [(each.name, each.role) for each in people.askers] == [("Claire", "sites-exact")]


# --- the policy -------------------------------------------------------------------------------------------------


@pytest.fixture
def policy(qtbot: QtBot, context: Context, owner: FakeBridge) -> PolicyView:
    made = PolicyView(context)
    qtbot.addWidget(made)
    made.resize(1196, 740)
    made.show()
    return made


def test_the_sentences_say_what_is_in_force(policy: PolicyView) -> None:
    assert policy.editor.policy == Policy().with_plain(governing.STRICT)
    assert choice(policy, "What happens to questions that the rules allow").value == "ask"
    who = [each.value for each in policy.findChildren(Choice) if each.accessibleName() == "Who asks"]
    assert who == ["2/Anna Keller", ""]
    assert "Weight loss" in " ".join(each.accessibleName() for each in policy.findChildren(type(policy._use)))
    assert not policy._foot.isVisible(), "nothing is changed"
    assert "Signed by the custodian" in said(policy.aside)


def test_a_change_is_a_draft_until_the_custodian_signs(policy: PolicyView, owner: FakeBridge) -> None:
    drafted = {**governing.STRICT, "mode": "never"}
    owner.answers["policy.set"] = governing.policy(governing.STRICT, draft=drafted)
    owner.answers["policy.sign"] = UserError("passphrase.wrong")
    choose(policy, "What happens to questions that the rules allow", "never")
    assert policy._foot.isVisible()
    assert "declined 2" in policy.aside.effect.text()
    policy.sign()
    assert [call.values for call in owner.named("policy.set")] == [{"mode": "never"}]
    dialog = policy.dialog
    assert dialog is not None
    dialog.answer()
    assert owner.named("policy.sign") == [], "not without the passphrase"
    dialog.passphrase.setText(PASSPHRASE)
    dialog.answer()
    assert dialog.isVisible(), "a wrong passphrase keeps the dialog"
    assert dialog.banners.isVisible()
    owner.answers["policy.sign"] = governing.policy(drafted, version=4)
    dialog.answer()
    assert policy.dialog is None
    secret = owner.named("policy.sign")[-1].values["passphrase"]
    assert isinstance(secret, SecretBytes)
    assert bytes(secret.reveal()) == PASSPHRASE.encode()
    assert not policy._foot.isVisible()
    assert policy.state.version == 4


def test_without_a_custodian_a_change_holds_at_once(policy: PolicyView, owner: FakeBridge) -> None:
    owner.answers["people.list"] = governing.NOBODY
    owner.answers["policy.show"] = governing.policy(governing.OWN, custodian=False, signed_by="site")
    owner.answers["policy.set"] = governing.policy({**governing.OWN, "exact": False}, custodian=False, version=4)
    owner.stir()
    assert "whoever sits at this computer" in said(policy.aside)
    choose(policy, "Exact totals", "no")
    assert not policy._sign.isVisible()
    policy._use.click()
    assert [call.values for call in owner.named("policy.set")] == [{"exact": False}]
    assert not policy._foot.isVisible()


def test_what_happens_meanwhile_does_not_take_a_change_away(policy: PolicyView, owner: FakeBridge) -> None:
    choose(policy, "What happens to questions that the rules allow", "automatic")
    owner.stir()
    assert policy.editor.policy.mode is Mode.AUTOMATIC
    policy.discard()
    assert policy.editor.policy.mode is Mode.ASK
    assert not policy._foot.isVisible()


def test_what_the_administrator_fixed_is_off_and_says_so(policy: PolicyView, owner: FakeBridge) -> None:
    place = "/etc/consilium/managed.toml"
    fixed = {name: governing.STRICT[name] for name in ("mode", "never", "budget")}
    owner.answers["policy.show"] = governing.policy(governing.STRICT, managed=fixed, managed_source=place)
    owner.answers["policy.set"] = governing.policy(governing.STRICT)
    owner.stir()
    mode = choice(policy, "What happens to questions that the rules allow")
    assert not mode.isEnabled()
    assert place in mode.accessibleDescription()
    locks = [each for each in policy.findChildren(Lock) if each.isVisible()]
    assert locks
    assert all(place in each.accessibleName() and each.isEnabled() for each in locks), "reached by the keyboard"
    budget = next(
        each
        for each in policy.findChildren(Amount)
        if each.isVisible() and each.accessibleName().startswith("Budget for")
    )
    assert not budget.isEnabled()
    choose(policy, "Exact totals", "no")
    policy.use()
    assert [call.values for call in owner.named("policy.set")] == [{"exact": False}]


def test_a_variable_is_looked_for_and_never_used(policy: PolicyView, qtbot: QtBot) -> None:
    button = next(each for each in policy.findChildren(type(policy._use)) if each.text() == "Add a variable")
    button.click()
    dialog = dialog_of(policy)
    dialog.search.setText("sex")
    dialog.search.wanted.emit("sex")
    dialog.answer()
    assert Never("sex") in policy.editor.policy.never
    assert policy._foot.isVisible()


def test_an_amount_that_is_none_changes_nothing(policy: PolicyView) -> None:
    cap = next(
        each
        for each in policy.findChildren(Amount)
        if each.isVisible() and each.accessibleName().startswith("Budget for")
    )
    cap.setText("plenty")
    cap.editingFinished.emit()
    assert policy.editor.policy.budget.cap == 8
    assert "Write a number above 0" in cap.accessibleDescription()
    cap.setText("10,5")
    cap.textEdited.emit("10,5")
    cap.editingFinished.emit()
    assert policy.editor.policy.budget.cap == Fraction(21, 2)


def test_an_exception_counts_once_it_names_something(qtbot: QtBot) -> None:
    told: list[tuple[Rule, ...]] = []
    rows = Exceptions(Names({1: "Lausanne", 2: "Geneva"}, ((2, "Anna Keller"),)), told.append)
    qtbot.addWidget(rows)
    rows.show()
    rows.add.click()
    assert told[-1] == ()
    choose(rows, "Who asks", "2/Anna Keller")
    choose(rows, "What happens to them", "automatic")
    assert told[-1] == (Rule(Mode.AUTOMATIC, site=2, person="Anna Keller"),)
    rows._remove(0)
    assert told[-1] == ()


# --- people and projects ----------------------------------------------------------------------------------------


@pytest.fixture
def people(qtbot: QtBot, context: Context, owner: FakeBridge) -> PeopleView:
    made = PeopleView(context)
    qtbot.addWidget(made)
    made.resize(1196, 740)
    made.show()
    return made


def test_people_are_shown_with_role_end_and_state(people: PeopleView, owner: FakeBridge) -> None:
    shown = said(people)
    assert "Claire Rochat" in shown
    assert "Lausanne · taken back: Has left the hospital." in shown
    assert "Bern has a new custodian’s key" in shown
    assert len(owner.named("people.handover")) == 1
    owner.stir()
    assert len(owner.named("people.handover")) == 1, "it is not only looking, so it is not asked at every change"


def test_endorsing_asks_code_role_end_and_passphrase(people: PeopleView, owner: FakeBridge) -> None:
    owner.answers["people.read_request"] = {"person": "Eva", "fingerprint": "1f2e", "ours": True}
    owner.answers["people.endorse"] = governing.person("e", "Eva", "Lausanne", "total-exact")
    people.endorse()
    dialog = dialog_of(people)
    assert isinstance(dialog, EndorseDialog)
    dialog.passphrase.setText(PASSPHRASE)
    dialog.answer()
    assert owner.named("people.endorse") == [], "not without a code"
    dialog.request.setPlainText("consilium-person:AAAA")
    assert "code of Eva" in said(dialog)
    dialog.role.set_value("total-exact")
    dialog.answer()
    (call,) = owner.named("people.endorse")
    assert {name: call.values[name] for name in ("request", "role")} == {
        "request": "consilium-person:AAAA",
        "role": "total-exact",
    }
    assert call.values["until"] > examples.NOW
    assert isinstance(call.values["passphrase"], SecretBytes)


def test_taking_back_needs_a_reason(people: PeopleView, owner: FakeBridge) -> None:
    owner.answers["people.revoke"] = governing.person(governing.CLAIRE, "Claire Rochat", "Lausanne", "sites-noised")
    assert people.people is not None
    people.revoke(people.people.people[2])
    dialog = dialog_of(people)
    assert isinstance(dialog, RevokeDialog)
    dialog.passphrase.setText(PASSPHRASE)
    dialog.answer()
    assert owner.named("people.revoke") == []
    dialog.reason.setPlainText("Leaves")
    dialog.answer()
    values = owner.named("people.revoke")[0].values
    assert (values["id"], values["reason"]) == (governing.CLAIRE, "Leaves")


@pytest.mark.parametrize(
    ("old", "told"), [("the old passphrase", {"old"}), ("", {"lost"})], ids=["with the old one", "lost"]
)
def test_a_custodian_follows_another(old: str, told: set[str], people: PeopleView, owner: FakeBridge) -> None:
    owner.answers["people.custodian"] = {"fingerprint": "1f2e", "number": 2, "waits": not old}
    people.make_custodian()
    dialog = dialog_of(people)
    assert isinstance(dialog, CustodianDialog)
    dialog.old.setText(old)
    dialog.first.setText("short")
    dialog.second.setText("other")
    dialog.answer()
    assert owner.named("people.custodian") == []
    dialog.first.setText(PASSPHRASE)
    dialog.second.setText(PASSPHRASE)
    dialog.answer()
    assert set(owner.named("people.custodian")[0].values) == {"passphrase", *told}


def test_a_project_needs_all_that_an_officer_asks(people: PeopleView, owner: FakeBridge) -> None:
    owner.answers["project.new"] = governing.project("0d" * 16, "New", "approved")
    people.new_project()
    dialog = dialog_of(people)
    assert isinstance(dialog, ProjectDialog)
    dialog.passphrase.setText(PASSPHRASE)
    dialog.title.setText("New")
    dialog.answer()
    assert owner.named("project.new") == []
    for each in (dialog.purpose, dialog.basis, dialog.assessment):
        each.setPlainText("It is so.")
    dialog.answer()
    assert owner.named("project.new") == [], "nobody takes part"
    for box, _, _ in dialog.members:
        box.setChecked(True)
    dialog.answer()
    (call,) = owner.named("project.new")
    assert call.values["members"] == [
        {"site": "Geneva", "person": "Anna Keller"},
        {"site": "", "person": "Claire Rochat"},
    ]


def test_a_handover_goes_step_by_step(people: PeopleView, owner: FakeBridge) -> None:
    no_backup = [{**each, "state": "open"} for each in governing.HANDOVER["steps"]]
    owner.answers["people.handover"] = {**governing.HANDOVER, "steps": no_backup}
    people.begin.click()
    dialog = dialog_of(people)
    dialog.findChild(QPlainTextEdit).setPlainText("Claire Rochat")
    dialog.answer()
    assert owner.named("people.handover")[-1].values == {"leaver": "Claire Rochat"}
    assert not people.take_back.isEnabled()
    assert "Back up" in people.take_back.accessibleDescription()
    owner.answers["people.handover"] = governing.HANDOVER
    people._hand_over({"leaver": ""})
    assert people.take_back.isEnabled()
    assert [step.state for step in people._steps.steps] == ["done", "waiting", "waiting", "waiting"]


# --- the budget -------------------------------------------------------------------------------------------------


def test_the_budget_shows_what_is_left_and_who_spent_it(qtbot: QtBot, context: Context, owner: FakeBridge) -> None:
    view = BudgetView(context)
    qtbot.addWidget(view)
    view.show()
    shown = said(view)
    assert "5.1 left" in shown
    assert "Of 8. Charged so far: 2.9." in shown
    assert "2.4 of 4" in shown
    assert "Without a project" in shown
    owner.answers["budget.show"] = governing.USED_UP
    owner.stir()
    assert "questions with noise are declined" in said(view.banners)


def test_enter_opens_the_question_of_a_charge(
    qtbot: QtBot, context: Context, owner: FakeBridge, navigations: list[tuple[str, object]]
) -> None:
    view = BudgetView(context)
    qtbot.addWidget(view)
    view.show()
    view.table.setCurrentIndex(view.entries.index(1, 0))
    qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert navigations == [("requests", view.entries.entries[1].query)]


def test_the_charges_are_a_table(qtmodeltester: ModelTester) -> None:
    model = EntriesModel()
    model.show_entries(Budget.from_plain(governing.BUDGET).entries)
    qtmodeltester.check(model)
    row = [str(model.index(1, column).data(Qt.ItemDataRole.DisplayRole)) for column in range(1, 5)]
    assert row == ["Bern", "–", "–", "1"]


def test_the_status_bar_says_what_is_left(qtbot: QtBot, context: Context, owner: FakeBridge) -> None:
    bar = StatusBar(context)
    qtbot.addWidget(bar)
    bar.show()
    assert bar._budget.text() == "Budget 5.1 of 8 left"
    owner.answers["budget.show"] = governing.USED_UP
    owner.stir()
    assert bar._budget.text() == "Budget used up (0 of 8)"
    owner.answers["site.overview"] = examples.nowhere()
    owner.stir()
    assert not bar._budget.isVisible()


def test_an_exhausted_budget_says_when_there_is_more() -> None:
    budget = Budget.from_plain(governing.USED_UP)
    noised = Price.from_plain(governing.price(left="0"))
    assert "0 are left. On " in short(noised, budget)
    assert "2 comes back." in short(noised, budget)
    exact = Price.from_plain(governing.price("", 1, exact_left=0))
    assert short(exact, budget).endswith("only your policy can change that.")
    assert short(Price.from_plain(governing.price(free=True, left="0")), budget) == ""
    assert left(Budget.from_plain(governing.UNLIMITED)) == "Budget without limit"
    assert "no limit" in refill(Budget.from_plain(governing.UNLIMITED))


def test_an_answer_says_which_small_counts_stay_closed_and_what_keeps_them() -> None:
    told = runs.run(runs.NOISED, "died")
    assert text("ui.requests.fact.small") not in {title for _, title, _ in facts_of(Run.from_plain(told))}
    words = {}
    for binding in ("cryptography", "program"):
        told["protection"]["smallest"] = {"least": 11, "zeros": True, "binding": binding}
        facts = facts_of(Run.from_plain(told))
        [words[binding]] = [why for _, title, why in facts if title == text("ui.requests.fact.small")]
    assert words["cryptography"] == "A total from 1 to 10 stays closed, for everybody."
    assert words["program"].startswith(words["cryptography"])
    assert "binds only an unmodified program" in words["program"]


# --- asking -----------------------------------------------------------------------------------------------------


def test_nobody_is_asked_for_a_name_while_nobody_is_endorsed(qtbot: QtBot) -> None:
    shown = InNameOf()
    qtbot.addWidget(shown)
    shown.show_people(People.from_plain(governing.NOBODY), "Lausanne")
    assert shown.isHidden()
    assert (shown.person, shown.project) == ("", "")


def test_a_person_asks_under_a_project_within_the_role(qtbot: QtBot) -> None:
    shown = InNameOf()
    qtbot.addWidget(shown)
    shown.show_people(People.from_plain(governing.PEOPLE), "Lausanne")
    shown.show_projects(projects_from_plain(governing.PROJECTS))
    assert not shown.isHidden()
    assert shown.person == "", "the site itself, until somebody chooses"
    shown.want("Claire Rochat", governing.STUDY)
    assert (shown.person, shown.project) == ("Claire Rochat", governing.STUDY)
    assert [shown._under.itemText(each) for each in range(shown._under.count())] == [
        "No project",
        "Second cancers after lung cancer",
    ], "approved here, and she takes part"
    assert shown.too_weak(exact=False, per_site=True) == ""
    assert "does not allow this" in shown.too_weak(exact=True, per_site=True)


# --- against a real owner -----------------------------------------------------------------------------------------


def test_policy_people_and_budget_at_a_real_agent(
    tmp_path: Path, preferences: Preferences, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    """A custodian's key is made, a policy drafted and signed, a person endorsed, a project approved: all by window."""
    sites = Sites(tmp_path, FakeRelay())
    with sites.running(1, 2, 3):
        for each in (1, 2, 3):
            sites.call(each, "test.ready")
        fake_bridge.answers["site.overview"] = examples.overview(site="Site 1")
        standing = Standing(fake_bridge)
        standing.refresh()
        bridge = Bridge(sites.directories[0])
        context = Context(bridge, standing, Jobs(bridge), preferences, lambda *_: None)
        try:
            _people_at(context, qtbot)
            _policy_at(context, qtbot)
            budget = BudgetView(context)
            qtbot.addWidget(budget)
            budget.show()
            qtbot.waitUntil(lambda: budget.budget is not None, timeout=30_000)
        finally:
            bridge.close()
        told: Mapping[str, Any] = sites.call(1, "policy.show")
        assert (told["signed_by"], told["draft"], told["policy"]["mode"]) == ("custodian", None, "ask")
        (project,) = sites.call(1, "project.list")["projects"]
        assert (project["title"], project["state"]) == ("A study", "approved")


def _people_at(context: Context, qtbot: QtBot) -> None:
    view = PeopleView(context)
    qtbot.addWidget(view)
    view.show()
    qtbot.waitUntil(lambda: view.people is not None and not view.people.custodian, timeout=30_000)
    view.make_custodian()
    custodian = dialog_of(view)
    custodian.first.setText(PASSPHRASE)
    custodian.second.setText(PASSPHRASE)
    custodian.answer()
    qtbot.waitUntil(lambda: view.people is not None and view.people.custodian, timeout=30_000)
    view.make_key()
    key = dialog_of(view)
    key.person.setText("Anna Keller")
    key.answer()
    qtbot.waitUntil(lambda: bool(key.request.toPlainText()), timeout=30_000)
    code = key.request.toPlainText()
    key.answer()
    view.endorse()
    endorse = dialog_of(view)
    endorse.request.setPlainText(code)
    endorse.passphrase.setText(PASSPHRASE)
    endorse.answer()
    qtbot.waitUntil(lambda: view.people is not None and len(view.people.askers) == 1, timeout=30_000)
    view.new_project()
    project = dialog_of(view)
    project.title.setText("A study")
    for each in (project.purpose, project.basis, project.assessment):
        each.setPlainText("It is so.")
    for box, _, _ in project.members:
        box.setChecked(True)
    project.passphrase.setText(PASSPHRASE)
    project.members = [(box, "" if site == "Site 1" else site, person) for box, site, person in project.members]
    project.answer()
    qtbot.waitUntil(lambda: bool(view.projects), timeout=30_000)


def _policy_at(context: Context, qtbot: QtBot) -> None:
    view = PolicyView(context)
    qtbot.addWidget(view)
    view.show()
    qtbot.waitUntil(lambda: view.known and view.state.custodian, timeout=30_000)
    choose(view, "What happens to questions that the rules allow", "ask")
    view.sign()
    qtbot.waitUntil(lambda: view.dialog is not None, timeout=30_000)
    dialog = view.dialog
    assert dialog is not None
    dialog.passphrase.setText(PASSPHRASE)
    dialog.answer()
    qtbot.waitUntil(lambda: view.state.signed_by == "custodian", timeout=30_000)
