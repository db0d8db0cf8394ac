"""Explore: the draft, its versions, and saved cohorts."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from app.ui.context import Context
from app.ui.views.explore import ExploreView
from tests.ui import examples
from tests.ui import examples_explore as explore
from tests.ui.exploring import (
    asked,
    drop,
    end,
    opened,
    variables,
)
from tests.ui.fakes import FakeBridge


@pytest.fixture
def draft() -> str:
    """What was left on the canvas."""
    return ""


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot, draft: str) -> ExploreView:
    return opened(context, fake_bridge, qtbot, explore.answers(draft))


@pytest.mark.parametrize("draft", ["died and age >= 60"])
def test_what_was_left_comes_back(view: ExploreView, draft: str) -> None:
    assert view.board.text == draft
    assert not view.undo.isEnabled()


@pytest.mark.parametrize("draft", ["died and no_such_variable"])
def test_a_draft_that_no_longer_fits_is_shown_as_text(view: ExploreView, draft: str) -> None:
    assert view.words.editor.toPlainText() == draft
    assert "no_such_variable" in view.words.wrong


def test_changes_are_kept_when_the_hand_rests_and_when_the_screen_goes(
    view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    drop(end(view), variables("died"))
    qtbot.waitUntil(lambda: bool(asked(fake_bridge, "draft.save")))
    assert asked(fake_bridge, "draft.save")[-1]["text"] == "died"
    drop(end(view), variables("sex"))
    view.hide()
    assert asked(fake_bridge, "draft.save")[-1]["text"] == "died and sex known"


def test_a_new_query_keeps_the_one_before_among_the_versions(view: ExploreView, fake_bridge: FakeBridge) -> None:
    drop(end(view), variables("died"))
    view.open("")
    assert asked(fake_bridge, "draft.save")[-1]["text"] == "died"
    assert len(asked(fake_bridge, "draft.clear")) == 1
    assert view.board.criteria.cards == ()


@pytest.mark.parametrize("follows", ["new", "edit", "cohort"])
@pytest.mark.parametrize("waits", [True, False], ids=["changed", "kept"])
def test_what_replaces_a_query_is_kept_in_a_version_of_its_own(
    follows: str, waits: bool, view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    drop(end(view), variables("died"))
    if not waits:
        view.draft.save_what_waits()
    if follows == "cohort":
        cohort_menu(view, "Older women")["Open to edit"].trigger()
    else:
        view.open("age >= 60" if follows == "edit" else "")
    qtbot.waitUntil(lambda: not view.draft.waits)
    kept = [(call.name, call.values.get("text")) for call in fake_bridge.calls if call.name.startswith("draft.")]
    replacing = {"new": "", "edit": "age >= 60", "cohort": explore.SMOKERS}[follows]
    assert kept[1:] == [("draft.save", "died"), ("draft.clear", None), ("draft.save", replacing)]


def test_a_draft_that_comes_late_does_not_replace_what_was_begun(
    context: Context, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    fake_bridge.answers.update(explore.answers("died"))
    fake_bridge.at_once = False
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: bool(asked(fake_bridge, "draft.load")))
    made.open("age >= 60")
    qtbot.waitUntil(lambda: bool(made.draft.versions))
    assert made.board.text == "age >= 60"


def test_another_screen_opens_a_question_here(view: ExploreView) -> None:
    view.open("age >= 60 and died")
    assert view.board.text == "age >= 60 and died"


def cohort_menu(view: ExploreView, name: str) -> dict[str, Any]:
    menu = view.cohorts_button.menu()
    menu.aboutToShow.emit()
    inner = next(action.menu() for action in menu.actions() if action.text() == name)
    assert isinstance(inner, QMenu)
    return {action.text(): action for action in inner.actions()}


def test_saved_cohorts_are_terms_and_open_for_editing(view: ExploreView) -> None:
    drop(end(view), variables("died"))
    view.board.attend(0)
    cohort_menu(view, "Older women")["Add as a term"].trigger()
    assert view.board.text == 'died and cohort:"Older women"'
    assert "at least 60 years" in view.words._sentence.accessibleName()
    cohort_menu(view, "Older women")["Open to edit"].trigger()
    assert view.board.text == explore.SMOKERS
    assert view.header.title.accessibleName() == "Older women"


def test_saving_a_cohort_asks_for_its_name(view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot) -> None:
    drop(end(view), variables("died"))
    row = {"name": "The dead", "version": 1, "text": "died", "query": b"", "saved": examples.NOW}
    fake_bridge.answers["cohort.save"] = row
    view._save.click()
    dialog = view.saved.dialog
    assert dialog is not None
    dialog.answer()
    assert not asked(fake_bridge, "cohort.save")
    dialog.findChild(QLineEdit).setText("The dead")
    dialog.answer()
    assert asked(fake_bridge, "cohort.save") == [{"name": "The dead", "text": "died"}]
    assert view.header.title.accessibleName() == "The dead"
    qtbot.waitUntil(lambda: view.header.state.text() == "Version 1 · all changes saved")


def test_without_a_federation_it_says_where_to_go(
    context: Context, fake_bridge: FakeBridge, qtbot: QtBot, navigations: list[tuple[str, object]]
) -> None:
    fake_bridge.answers["site.overview"] = examples.nowhere()
    context.standing.refresh()
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.show()
    assert made._stack.currentIndex() == 2
    assert not made.header.new.isVisible()
    assert not asked(fake_bridge, "catalogue.show")
