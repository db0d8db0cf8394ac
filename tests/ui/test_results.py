"""The Results screen: runs and their states, the opened one, live news."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.ui.context import Context
from app.ui.views.results import ResultsView, screen
from app.ui.views.results.opened import FIGURE, NOTES, SITES, TABLE
from tests.ui import examples_results as runs
from tests.ui.fakes import FakeBridge
from tests.ui.results_screen import choose, owned_by, shown, titles


@pytest.fixture
def owned(fake_bridge: FakeBridge) -> list[dict[str, Any]]:
    return owned_by(fake_bridge)


@pytest.fixture
def view(owned: list[dict[str, Any]], context: Context, qtbot: QtBot) -> ResultsView:
    return shown(context, qtbot)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a screen reader is given to say."""
    words: list[str] = []
    monkeypatch.setattr(screen, "announce", lambda _widget, said: words.append(said))
    return words


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
    assert view.opened.answer.number.text() == "1,284"
    assert view.opened.answer.interval.text() == "between 1,270 and 1,298"
    assert view.opened.answer.number.accessibleName() == "1,284 patients. between 1,270 and 1,298"
    assert view.opened.tabs.currentIndex() == FIGURE
    assert view.opened.figure.accessibleName() == view.opened.answer.number.accessibleName()
    (row,) = view.opened.table.rows.twin.rows
    assert view.opened.table.rows.twin.columns == ("Patients", "95% from", "95% to", "As opened")
    assert [cell.words for cell in row] == ["1,284", "1,270", "1,298", "1,284"]


def test_an_exact_answer_without_one_site(view: ResultsView) -> None:
    choose(view, runs.DECLINED)
    assert view.opened.answer.number.text() == "41"
    assert view.opened.answer.interval.text() == "Exact number"
    words = " ".join(each.text() for each in view.protection.findChildren(type(view.opened.answer.number)))
    assert "Not in this answer: Geneva." in words
    assert "The sites let the exact sum out." in words


def test_a_number_that_noise_took_below_zero(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge
) -> None:
    owned[0]["answer"] = runs.answer(-3, half_width=14, scale=2.0)
    fake_bridge.stir()
    assert view.opened.answer.number.text() == "0"
    assert view.opened.answer.interval.text() == "between 0 and 11"
    words = " ".join(each.text() for each in view.protection.findChildren(type(view.opened.answer.number)))
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


# --- news -----------------------------------------------------------------------------------------------------------


def test_an_answer_arrives(
    view: ResultsView, owned: list[dict[str, Any]], fake_bridge: FakeBridge, said: list[str]
) -> None:
    choose(view, runs.COMPUTING)
    owned[1] |= {"state": "released", "answer": runs.answer(77), "awaited": {"what": "", "sites": []}}
    fake_bridge.stir()
    assert view.current is not None
    assert view.current.id == runs.COMPUTING
    assert view.opened.answer.number.text() == "77"
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
