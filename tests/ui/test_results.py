"""The Results screen: runs and their states, the opened one, what a person does to it, saving, live news."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled
from app.core.services import member as members
from app.texts import text
from app.ui import theme as themes
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.jobs import Jobs
from app.ui.preferences import Preferences
from app.ui.theme import theme
from app.ui.views.results import ResultsView, screen
from app.ui.views.results.exports import KINDS, Kind
from app.ui.views.results.figure import Drawn, FigurePlace, Wish
from app.ui.views.results.opened import FIGURE, NOTES, SITES, TABLE
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import Banner
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber
from tests.ui import examples_results as runs
from tests.ui.fakes import FakeBridge

PNG = KINDS[0]


@pytest.fixture
def owned(fake_bridge: FakeBridge) -> list[dict[str, Any]]:
    """The runs of the owner; changing them changes what it answers."""
    found = copy.deepcopy(runs.TYPICAL)
    fake_bridge.answers.update(runs.answers(found))
    return found


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a screen reader is given to say."""
    words: list[str] = []
    monkeypatch.setattr(screen, "announce", lambda _widget, said: words.append(said))
    return words


@pytest.fixture
def view(owned: list[dict[str, Any]], context: Context, qtbot: QtBot) -> ResultsView:
    made = ResultsView(context)
    qtbot.addWidget(made)
    made.resize(1196, 720)
    made.show()
    return made


def titles(view: ResultsView) -> list[str]:
    return [each.title for each in view.list.entries.entries]


def choose(view: ResultsView, id: str) -> None:
    view.list.setCurrentIndex(view.list.entries.index(view.list.entries.place_of(id)))


def banner(view: ResultsView) -> str:
    QGuiApplication.processEvents()  # a layout shows what is added to it in the next round
    shown = [each for each in view.banners.findChildren(Banner) if not each.isHidden()]
    return " ".join(each.accessibleName() for each in shown)


def answer_dialog(view: ResultsView) -> Dialog:
    assert view.doing.dialog is not None
    view.doing.dialog.answer()
    return view.doing.dialog


# --- the list -------------------------------------------------------------------------------------------------------


def test_every_run_says_where_it_is(view: ResultsView) -> None:
    said = {each.key: each for each in view.list.entries.entries}
    assert len(said) == len(runs.TYPICAL)
    assert said[runs.NOISED].title == "Sex: “female”, and Age: at least 60 years"
    assert said[runs.NOISED].words == "Answered by 3 of 3 sites"
    assert said[runs.COMPUTING].words == "Computing 52%"
    assert said[runs.COMPUTING].fraction == pytest.approx(0.52)
    assert ("Geneva 40%", "accent", "running") in said[runs.COMPUTING].chips
    assert said[runs.PERSON].words == "Waiting for a person at Bern"
    assert ("Bern", "caution", "person") in said[runs.PERSON].chips
    assert said[runs.DECLINED].words == "Answered by 2 of 3 sites"
    assert "Geneva: Declined: The site’s policy lets no exact numbers leave." in said[runs.DECLINED].spoken
    assert said[runs.OPENING].words == "Being opened; waiting for Geneva"
    assert "Bern: Did not answer in time" in said[runs.OPENING].spoken
    assert said[runs.EXPIRED].words == "Expired"
    assert "Geneva: Has no dataset" in said[runs.EXPIRED].spoken
    assert said[runs.CANCELLED].words == "Cancelled"


def test_no_state_is_told_by_colour_alone(view: ResultsView) -> None:
    chips = [chip for entry in view.list.entries.entries for chip in entry.chips]
    assert all(word and icon for word, _tone, icon in chips)
    looks = {(tone, icon) for _word, tone, icon in chips}
    assert len({icon for _tone, icon in looks}) == len(looks)


def test_search_and_filter(view: ResultsView, qtbot: QtBot) -> None:
    QTest.keyClicks(view.search, "ecog bern")
    qtbot.waitUntil(lambda: len(titles(view)) == 1)
    assert view.current is not None
    assert view.current.id == runs.PERSON
    QTest.keyClick(view.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(titles(view)) == len(runs.TYPICAL))
    for value, ids in {
        "answered": [runs.NOISED, runs.EXACT, runs.DECLINED],
        "open": [runs.COMPUTING, runs.PERSON, runs.OPENING],
        "ended": [runs.EXPIRED, runs.CANCELLED],
    }.items():
        view.filter.set_value(value)
        view.filter.chosen.emit(value)
        assert [each.key for each in view.list.entries.entries] == ids
    QTest.keyClicks(view.search, "nothing like it")
    qtbot.waitUntil(lambda: titles(view) == [])
    assert view.current is None
    assert not view.opened.isVisible()


def test_the_arrow_keys_open_runs(view: ResultsView) -> None:
    view.list.setFocus()
    QTest.keyClick(view.list, Qt.Key.Key_Down)
    assert view.current is not None
    assert view.current.id == runs.COMPUTING
    assert view.opened.state.text() == "Computing 52%"


def test_nothing_asked_yet(view: ResultsView, fake_bridge: FakeBridge, navigations: list[Any]) -> None:
    fake_bridge.answers["query.list"] = {"queries": []}
    fake_bridge.stir()
    assert not view.list.isVisible()
    assert not view.export_button.isVisible()


# --- the opened run -------------------------------------------------------------------------------------------------


def test_a_noised_answer_says_how_sure_it_is(view: ResultsView) -> None:
    choose(view, runs.NOISED)
    assert view.opened.number.text() == "1,284"
    assert view.opened.interval.text() == "between 1,270 and 1,298"
    assert view.opened.number.accessibleName() == "1,284 patients. between 1,270 and 1,298"
    assert view.opened.tabs.currentIndex() == FIGURE
    assert view.opened.figure.accessibleName() == view.opened.number.accessibleName()
    rows = {view.opened.table.item(row, 0).text(): view.opened.table.item(row, 1).text() for row in range(7)}
    assert rows["95% interval, from"] == "1,270"
    assert rows["Noise scale of each site"] == "2.00"
    assert rows["Per site"] == "Never released"


def test_an_exact_answer_without_one_site(view: ResultsView) -> None:
    choose(view, runs.DECLINED)
    assert view.opened.number.text() == "41"
    assert view.opened.interval.text() == "Exact number"
    words = " ".join(each.text() for each in view.protection.findChildren(type(view.opened.number)))
    assert "Not in this answer: Geneva." in words
    assert "The sites let the exact sum out." in words


def test_a_number_that_noise_took_below_zero(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge
) -> None:
    owned[0]["answer"] = runs.answer(-3, half_width=14, scale=2.0)
    fake_bridge.stir()
    assert view.opened.number.text() == "0"
    assert view.opened.interval.text() == "between 0 and 11"
    words = " ".join(each.text() for each in view.protection.findChildren(type(view.opened.number)))
    assert "below zero" in words


@pytest.mark.parametrize(
    ("id", "said"),
    [
        (runs.EXPIRED, "The deadline passed before enough sites had answered."),
        (runs.CANCELLED, "This question was cancelled. Nothing was opened."),
        (runs.PERSON, "You need not wait here."),
    ],
)
def test_what_has_no_answer_says_what_to_do(view: ResultsView, id: str, said: str) -> None:
    choose(view, id)
    assert said in view.opened._because.text()
    assert not view.opened.tabs.isTabVisible(FIGURE)
    assert not view.opened.tabs.isTabVisible(TABLE)
    assert view.opened.tabs.currentIndex() == SITES
    assert not view.export_button.isEnabled()
    assert view.export_button.accessibleDescription()


def test_the_figure_follows_the_theme_and_its_size(view: ResultsView, qapp: QApplication, qtbot: QtBot) -> None:
    choose(view, runs.NOISED)
    figure = view.opened.figure
    qtbot.waitUntil(lambda: figure.picture is not None, timeout=30_000)
    assert figure.picture is not None
    assert figure.picture.pixelColor(2, 2).name().upper() == "#FFFFFF"
    with qtbot.waitSignal(figure.changed, timeout=30_000):
        themes.install(qapp, themes.DARK_MODE)
    assert figure.picture.pixelColor(2, 2) == theme().colour("raised")
    with qtbot.waitSignal(figure.changed, timeout=30_000):
        view.resize(1500, 800)
    assert figure.picture.width() == figure.width()


def test_the_figure_is_drawn_aside(view: ResultsView, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window waits neither for what draws nor for the drawing."""
    threads: list[threading.Thread] = []
    real = Wish.picture

    def picture(self: Wish) -> Any:
        if self.drawn[0].name == "One":  # the view has a figure too
            threads.append(threading.current_thread())
        return real(self)

    monkeypatch.setattr(FigurePlace, "at_once", False)
    monkeypatch.setattr(Wish, "picture", picture)
    place = FigurePlace()
    qtbot.addWidget(place)
    assert view.current is not None
    place.show_runs([Drawn("One", view.current)], "In words")
    with qtbot.waitSignal(place.changed, timeout=30_000):
        place.show()
    assert threads
    assert threading.main_thread() not in threads
    place.show_runs([Drawn("One", view.current)], "In words")
    assert len(threads) == 1  # nothing new is to be drawn


def test_a_figure_that_came_too_late_is_left_out(view: ResultsView) -> None:
    figure = view.opened.figure
    shown = figure.picture
    assert view.current is not None
    late = Wish((Drawn("Another", view.current),), False, "en", (300, 200), 1.0)
    figure._take(late, late.picture())
    assert figure.picture is shown


# --- news -----------------------------------------------------------------------------------------------------------


def test_an_answer_arrives(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge, said: list[str]
) -> None:
    choose(view, runs.COMPUTING)
    owned[1] |= {"state": "released", "answer": runs.answer(77), "awaited": {"what": "", "sites": []}}
    fake_bridge.stir()
    assert view.current is not None
    assert view.current.id == runs.COMPUTING
    assert view.opened.number.text() == "77"
    assert view.opened.tabs.currentIndex() == FIGURE
    assert said == [
        "The answer is here. Died during follow-up: yes, and Weight loss in the last six months: at least 10 pounds: "
        "77 patients. Exact number"
    ]
    fake_bridge.stir()
    assert len(said) == 1


def test_a_run_ends_without_an_answer(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge, said: list[str]
) -> None:
    owned[2] |= {"state": "expired", "code": "query.expired"}
    fake_bridge.stir()
    assert len(said) == 1
    assert said[0].endswith(": Expired")


def test_news_leave_the_reader_where_they_are(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge
) -> None:
    view.resize(1196, 420)
    choose(view, runs.PERSON)
    view.opened.tabs.setCurrentIndex(NOTES)
    view.list.verticalScrollBar().setValue(60)
    before, focus = view.list.verticalScrollBar().value(), view.opened.notes.button
    focus.setFocus()
    assert before > 0
    owned[1]["sites"][1]["percent"] = 80
    owned.insert(0, runs.run("f1" * 16, "age >= 50"))
    fake_bridge.stir()
    assert view.list.entries.entries[0].key == "f1" * 16
    assert view.current is not None
    assert view.current.id == runs.PERSON
    assert view.opened.tabs.currentIndex() == NOTES
    assert view.list.verticalScrollBar().value() == before
    assert view.focusWidget() is focus


def test_nothing_new_changes_nothing(view: ResultsView, fake_bridge: FakeBridge) -> None:
    shown = [view.opened.sites.layout().itemAt(0), view.protection.layout().itemAt(0)]  # type: ignore[union-attr]
    asked = len(fake_bridge.named("query.show"))
    fake_bridge.stir()
    assert [view.opened.sites.layout().itemAt(0), view.protection.layout().itemAt(0)] == shown  # type: ignore[union-attr]
    assert len(fake_bridge.named("query.show")) == asked


def test_a_question_of_another_version_is_shown_in_its_text_form(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge
) -> None:
    owned.insert(0, {**runs.run("f1" * 16, "age >= 50"), "query": b"\x00"})
    fake_bridge.stir()
    assert titles(view)[0] == "Age >= 50"


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
        "wait": 0,
    }
    assert view.current is not None
    assert view.current.id == "f1" * 16


def test_edit_and_ask_opens_explore(view: ResultsView, navigations: list[tuple[str, object]]) -> None:
    choose(view, runs.NOISED)
    view.edit_button.click()
    assert navigations == [("explore", "sex = female and age >= 60")]


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


def test_copy_the_figure(view: ResultsView, qtbot: QtBot) -> None:
    choose(view, runs.NOISED)
    assert "Ctrl+Shift+C" in view.export_menu.copy_action.shortcut().toString()
    QGuiApplication.clipboard().clear()
    view.export_menu.copy_action.trigger()
    qtbot.waitUntil(lambda: not QGuiApplication.clipboard().image().isNull(), timeout=30_000)
    image = QGuiApplication.clipboard().image()
    assert image.width() == 1280
    assert image.pixelColor(2, 2).name() == "#ffffff"


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
    assert [each.text().split("\t")[1] for each in actions[:-1]] == ["PNG", "SVG", "PDF", "CSV", "ZIP"]
    for action in actions[:-1]:
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
        members, "DatasetContributor", lambda site: KnownNumber(100 * site.position, keys=site.key_directory)
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
        assert view.opened.number.text() == "600"
        qtbot.waitUntil(lambda: view.current is not None and view.current.id in view._questions, timeout=30_000)
        assert view.current is not None
        assert {each.name for each in view.current.sites} == {"Site 1", "Site 2", "Site 3"}
        view.doing.save(view.current, KINDS[3], tmp_path / "answer.csv")
        qtbot.waitUntil(lambda: str(tmp_path / "answer.csv") in banner(view), timeout=60_000)
        assert ",600,600,yes," in (tmp_path / "answer.csv").read_text("utf-8")
    finally:
        bridge.close()
