"""The Results screen: what a person does to a run, comparing, saving, and all of it with a real owner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled
from app.core.services import member as members
from app.texts import text
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.jobs import Jobs
from app.ui.models.wish import Wish
from app.ui.preferences import Preferences
from app.ui.views.results import ResultsView
from app.ui.views.results.exports import KINDS, Kind
from app.ui.views.results.opened import NOTES
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber
from tests.ui import examples_results as runs
from tests.ui.fakes import FakeBridge
from tests.ui.results_screen import answer_dialog, banner, choose, owned_by, shown


@pytest.fixture
def owned(fake_bridge: FakeBridge) -> list[dict[str, Any]]:
    return owned_by(fake_bridge)


@pytest.fixture
def view(owned: list[dict[str, Any]], context: Context, qtbot: QtBot) -> ResultsView:
    return shown(context, qtbot)


# --- what a person does ---------------------------------------------------------------------------------------------


def test_remind(view: ResultsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["query.remind"] = {"id": runs.PERSON, "reminded": ["Bern"]}
    choose(view, runs.PERSON)
    view.opened.remind.click()
    assert [call.values for call in fake_bridge.named("query.remind")] == [{"id": runs.PERSON}]
    assert "Reminded: Bern." in banner(view)


def test_finish_with_those_who_answered(view: ResultsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["query.finish"] = {}
    choose(view, runs.COMPUTING)
    assert not view.opened.finish.isEnabled()
    assert "At least 3 sites" in view.opened.finish.accessibleDescription()
    choose(view, runs.PERSON)
    view.opened.finish.click()
    assert fake_bridge.named("query.finish") == []
    answer_dialog(view)
    assert [call.values for call in fake_bridge.named("query.finish")] == [{"id": runs.PERSON}]


def test_open_with_other_sites(view: ResultsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["query.retry"] = {}
    choose(view, runs.PERSON)
    assert not view.opened.retry.isVisible()
    choose(view, runs.OPENING)
    assert not view.opened.finish.isVisible()
    view.opened.retry.click()
    answer_dialog(view)
    assert [call.values for call in fake_bridge.named("query.retry")] == [{"id": runs.OPENING, "without": ["Geneva"]}]


def test_cancel(view: ResultsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["query.cancel"] = {}
    choose(view, runs.COMPUTING)
    view.opened.cancel.click()
    answer_dialog(view)
    assert [call.values for call in fake_bridge.named("query.cancel")] == [{"id": runs.COMPUTING}]


def test_an_error_is_shown_above_the_run(view: ResultsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["query.cancel"] = UserError("query.over")
    choose(view, runs.COMPUTING)
    view.opened.cancel.click()
    answer_dialog(view)
    assert "The query is over." in banner(view)


def test_write_and_reply(view: ResultsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["query.note"] = {}
    choose(view, runs.PERSON)
    assert view.opened.tabs.tabText(NOTES) == "Notes (2)"
    view.opened.tabs.setCurrentIndex(NOTES)
    replies = [each for each in view.opened.notes.findChildren(type(view.opened.cancel)) if "Reply" in each.text()]
    assert [each.accessibleName() for each in replies] == ["Reply to Bern"]  # not to what we wrote ourselves
    for press in (replies[0].click, view.opened.notes.button.click):
        press()
        assert view.doing.dialog is not None
        (edit,) = view.doing.dialog.findChildren(QPlainTextEdit)
        edit.setPlainText("Since 2015.")
        answer_dialog(view)
    assert [call.values for call in fake_bridge.named("query.note")] == [
        {"id": runs.PERSON, "text": "Since 2015.", "site": "Bern"},
        {"id": runs.PERSON, "text": "Since 2015.", "site": None},
    ]


def test_ask_again(view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge) -> None:
    def run(values: Mapping[str, Any]) -> Mapping[str, Any]:
        owned.insert(0, runs.run("f1" * 16, values["text"], state="sent", answer=None))
        return {"waiting": "cli.query.waiting", "id": ("f1" * 16)[:12]}

    fake_bridge.answers["query.run"] = run
    choose(view, runs.NOISED)
    view.again_button.click()
    answer_dialog(view)
    (call,) = fake_bridge.named("query.run")
    assert call.values == {
        "text": "sex = female and age >= 60",
        "epsilon": "1/2",
        "sites": ["Lausanne", "Geneva", "Bern"],
        "minimum": 3,
        "deadline": 0,
        "purpose": "Is there enough for a study of second cancers?",
        "per_site": False,
        "wait": 0,
    }
    assert view.current is not None
    assert view.current.id == "f1" * 16


def test_edit_and_ask_opens_explore(view: ResultsView, navigations: list[tuple[str, object]]) -> None:
    choose(view, runs.NOISED)
    view.edit_button.click()
    assert navigations == [("explore", Wish("sex = female and age >= 60"))]


def test_asking_anew_keeps_in_whose_name_it_was_asked(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge, navigations: list[tuple[str, object]]
) -> None:
    run = next(each for each in owned if each["id"] == runs.NOISED)
    run |= {"asked_by": "Ada", "project": "Second cancers", "per_site": True}
    view.refresh()
    choose(view, runs.NOISED)
    view.edit_button.click()
    written = "sex = female and age >= 60"
    assert navigations == [("explore", Wish(written, per_site=True, person="Ada", project="Second cancers"))]
    fake_bridge.answers["query.run"] = {"id": runs.NOISED}
    view.again_button.click()
    answer_dialog(view)
    (call,) = fake_bridge.named("query.run")
    assert [call.values[name] for name in ("person", "project", "per_site")] == ["Ada", "Second cancers", True]


def test_open_shows_the_run_whatever_is_filtered(view: ResultsView) -> None:
    view.filter.set_value("open")
    view.filter.chosen.emit("open")
    view.open(runs.EXACT[:12])
    assert view.current is not None
    assert view.current.id == runs.EXACT


def test_compare_two_runs(view: ResultsView) -> None:
    choose(view, runs.NOISED)
    view.compare_button.click()
    assert view.compare.isVisible()
    assert view.compare.chosen == (runs.NOISED, runs.EXACT)
    spoken = view.compare.figure.accessibleName()
    assert "at least 60 years: 1,284 patients" in spoken
    assert "Exact number" in spoken
    right = view.compare._sides[1].choice
    right.set_value(runs.DECLINED)
    right.chosen.emit(runs.DECLINED)
    assert view.compare.chosen == (runs.NOISED, runs.DECLINED)
    assert "with care" in view.compare._same.text()
    view.compare.back.click()
    assert view.opened.isVisible()


def test_comparing_needs_two_answers(view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge) -> None:
    del owned[3:]
    fake_bridge.stir()
    assert not view.compare_button.isEnabled()
    assert view.compare_button.accessibleDescription() == text("ui.results.one_answer")


# --- saving ---------------------------------------------------------------------------------------------------------


def test_every_format_is_saved_with_the_command_line(view: ResultsView, tmp_path: Path) -> None:
    started: list[tuple[list[str], dict[str, Any]]] = []
    asked: list[str] = []

    def ask(_parent: object, _run: object, kind: Kind, chosen: Any) -> None:
        asked.append(kind.format)
        chosen(tmp_path / f"answer.{kind.suffix}")

    view.doing.ask_file = ask  # type: ignore[assignment]
    view.doing.start_program = lambda command, **told: started.append((command, told))
    choose(view, runs.NOISED)
    actions = [each for each in view.export_menu.actions() if not each.isSeparator()]
    assert [each.text().split("\t")[1] for each in actions[:-2]] == ["PNG", "SVG", "PDF", "CSV", "ZIP"]
    for action in actions[:-2]:
        action.trigger()
    assert asked == ["png", "svg", "pdf", "csv", "bundle"]
    command, told = started[-1]
    assert command == [
        "query", "export", runs.NOISED, "--to", str(tmp_path / "answer.zip"), "--format", "bundle", "--replace",
        "--language", "en", "--profile", "profile",
    ]  # fmt: skip
    assert banner(view).startswith("Saving")
    assert [job.title for job in view.context.jobs.running][-1] == "Saving answer.zip"
    told["done"]({})
    assert len(view.context.jobs.running) == 4
    assert str(tmp_path / "answer.zip") in banner(view)
    for _command, earlier in started[:-2]:
        earlier["failed"](Cancelled())
    assert banner(view) == ""
    started[-2][1]["failed"](EnvironmentProblem("disk.full", path="answer.zip"))
    assert "The disk is full" in banner(view)
    assert view.context.jobs.running == []


def test_the_dialog_proposes_a_name(view: ResultsView) -> None:
    from app.ui.views.results.exports import ask_file

    assert view.current is not None
    chosen: list[Path] = []
    dialog = ask_file(view, view.current, KINDS[-1], chosen.append)
    assert dialog.selectedFiles()[0].endswith(f"consilium-{view.current.id[:8]}.zip")
    dialog.fileSelected.emit("/somewhere/answer.zip")
    assert chosen == [Path("/somewhere/answer.zip")]
    dialog.close()


# --- with a real owner ----------------------------------------------------------------------------------------------


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    """Three sites with agents, their ceremony done; each answers 100 times its position."""
    monkeypatch.setattr(
        members, "DatasetContributor", lambda site, _mailroom: KnownNumber(100 * site.position, keys=site.key_directory)
    )
    found = Sites(tmp_path / "sites", FakeRelay())
    with found.running(1, 2, 3):
        for position in (1, 2, 3):
            found.call(position, "test.ready")
        yield found


def test_a_real_owner_tells_of_a_real_answer_and_it_is_saved(
    sites: Sites, preferences: Preferences, qtbot: QtBot, tmp_path: Path
) -> None:
    bridge = Bridge(sites.directories[0])
    try:
        standing = Standing(bridge)
        context = Context(bridge, standing, Jobs(bridge), preferences, lambda *_: None)
        view = ResultsView(context)
        qtbot.addWidget(view)
        view.show()
        bridge.watch()
        qtbot.waitUntil(lambda: standing.overview.ready, timeout=30_000)
        values = {"text": "smoker and not died", "epsilon": "", "sites": [], "minimum": 0, "deadline": 0}
        bridge.call("query.run", {**values, "purpose": "A test", "wait": 0}, of=view)
        qtbot.waitUntil(lambda: view.current is not None and view.current.answer is not None, timeout=60_000)
        assert view.opened.answer.number.text() == "600"
        qtbot.waitUntil(lambda: view.current is not None and view.current.id in view._told, timeout=30_000)
        assert view.current is not None
        assert {each.name for each in view.current.sites} == {"Site 1", "Site 2", "Site 3"}
        view.doing.save(view.current, KINDS[3], tmp_path / "answer.csv")
        qtbot.waitUntil(lambda: str(tmp_path / "answer.csv") in banner(view), timeout=60_000)
        assert ",600,600,yes," in (tmp_path / "answer.csv").read_text("utf-8")
    finally:
        bridge.close()
