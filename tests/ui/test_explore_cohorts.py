"""Explore: saved cohorts have versions, go to other sites and to files, and come from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from app.core.errors import UserError
from app.core.query.analyses import Breakdown
from app.core.query.model import Query
from app.core.query.text import parse
from app.ui.context import Context
from app.ui.views.explore import ExploreView
from app.ui.widgets.dialogs import Dialog
from tests.ui import examples
from tests.ui import examples_explore as explore
from tests.ui.exploring import asked, opened
from tests.ui.fakes import FakeBridge

NAME = "Older women"


def row(version: int, text: str, name: str = NAME) -> dict[str, Any]:
    query = Query(parse(text, explore.CATALOGUE)).to_cbor()
    return {"name": name, "version": version, "text": text, "query": query, "saved": examples.NOW}


OFFER = {
    "site": "Geneva",
    "received": 0,
    "shared": 0,
    "missing": [],
    "meaning": [],
    "saved": "",
    **row(0, "died", "The dead"),
}


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    versions = {"cohorts": [row(2, explore.SMOKERS), row(1, "sex = female")]}
    offers = {"cohort.versions": versions, "cohort.shared": {"cohorts": [OFFER]}}
    return opened(context, fake_bridge, qtbot, explore.answers(**offers))


def menu(view: ExploreView, *path: str) -> dict[str, Any]:
    """The entries of a menu below the button of the saved cohorts."""
    found = view.cohorts_button.menu()
    found.aboutToShow.emit()
    for words in path:
        inner = next(action.menu() for action in found.actions() if action.text() == words)
        assert isinstance(inner, QMenu)
        inner.aboutToShow.emit()
        found = inner
    return {action.text(): action for action in found.actions() if not action.isSeparator()}


def chooses(monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    monkeypatch.setattr(QFileDialog, method, lambda *_given: (path, ""))


def test_an_earlier_version_opens_for_editing(view: ExploreView) -> None:
    versions = menu(view, NAME, "Open an earlier version")
    first = next(words for words in versions if words.startswith("Version 1"))
    versions[first].trigger()
    assert view.board.text == "sex = female"
    assert view.header.title.accessibleName() == NAME
    assert (view.draft.name, view.draft.version) == (NAME, 1)


def test_opening_a_cohort_leaves_what_is_computed(view: ExploreView) -> None:
    analysis = Breakdown("sex")
    assert view.board.analyse(lambda _before: analysis)
    versions = menu(view, NAME, "Open an earlier version")
    versions[next(words for words in versions if words.startswith("Version 1"))].trigger()
    assert view.board.analysis == analysis


def test_a_cohort_is_shared_with_the_sites_that_are_chosen(view: ExploreView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["cohort.share"] = {"name": NAME, "version": 2, "sites": ["Bern"], "unread": []}
    menu(view, NAME)["Share with other sites"].trigger()
    dialog = view.sharing.dialog
    assert dialog is not None
    boxes = {box.text(): box for box in dialog.findChildren(QCheckBox)}
    assert set(boxes) == {"Geneva", "Bern"}
    boxes["Geneva"].click()
    boxes["Bern"].click()
    assert dialog.answer_button.accessibleDescription() == "Choose at least one site."
    boxes["Bern"].click()
    dialog.answer()
    assert asked(fake_bridge, "cohort.share") == [{"name": NAME, "sites": ["Bern"]}]
    assert view.sharing.dialog is None


def test_what_keeps_a_cohort_from_being_shared_is_said_in_the_dialog(
    view: ExploreView, fake_bridge: FakeBridge
) -> None:
    fake_bridge.answers["cohort.share"] = UserError("cohort.nobody_reads", sites="Geneva, Bern")
    view.sharing.share(NAME)
    dialog = view.sharing.dialog
    assert dialog is not None
    dialog.answer()
    assert not dialog.banners.isHidden()
    assert dialog.answer_button.isEnabled()
    dialog.reject()


def test_a_cohort_goes_to_a_file_and_comes_from_one(
    view: ExploreView, fake_bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "older.toml")
    chooses(monkeypatch, "getSaveFileName", path)
    fake_bridge.answers["cohort.export"] = {**row(2, explore.SMOKERS), "path": path}
    menu(view, NAME)["Save as a file"].trigger()
    assert asked(fake_bridge, "cohort.export") == [{"name": NAME, "version": 0, "path": path, "replace": True}]
    chooses(monkeypatch, "getOpenFileName", path)
    fake_bridge.answers["cohort.import"] = {**row(1, "died", "The dead"), "meaning": []}
    before = len(asked(fake_bridge, "cohort.list"))
    menu(view)["Add a cohort from a file"].trigger()
    assert asked(fake_bridge, "cohort.import") == [{"path": path, "to": "", "anyway": False}]
    assert len(asked(fake_bridge, "cohort.list")) == before + 1


def test_leaving_the_file_dialog_does_nothing(
    view: ExploreView, fake_bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooses(monkeypatch, "getOpenFileName", "")
    chooses(monkeypatch, "getSaveFileName", "")
    view.sharing.import_file()
    view.sharing.export(NAME)
    assert not asked(fake_bridge, "cohort.import")
    assert not asked(fake_bridge, "cohort.export")


def test_what_another_site_offers_is_saved_under_another_name_where_there_is_one(
    view: ExploreView, fake_bridge: FakeBridge
) -> None:
    def accept(values: Any) -> Any:
        if not values["to"]:
            raise UserError("cohort.exists", name="The dead")
        return {**row(1, "died", values["to"]), "meaning": []}

    fake_bridge.answers["cohort.accept"] = accept
    entries = menu(view, "Offered by other sites: 1", "Geneva: The dead")
    entries["Save it here"].trigger()
    dialog = view.sharing.dialog
    assert dialog is not None
    dialog.answer()
    assert len(asked(fake_bridge, "cohort.accept")) == 1, "a name is needed"
    edit = dialog.findChild(QLineEdit)
    assert edit is not None
    edit.setText("The dead of Geneva")
    dialog.answer()
    values = asked(fake_bridge, "cohort.accept")[-1]
    assert values == {"site": "Geneva", "name": "The dead", "to": "The dead of Geneva", "anyway": False}
    assert view.sharing.dialog is None


def test_what_may_mean_something_else_is_only_saved_after_yes(view: ExploreView, fake_bridge: FakeBridge) -> None:
    def accept(values: Any) -> Any:
        if not values["anyway"]:
            raise UserError("cohort.means_otherwise", name="The dead", variables="died")
        return {**row(1, "died", "The dead"), "meaning": ["died"]}

    fake_bridge.answers["cohort.accept"] = accept
    view.sharing.accept("Geneva", "The dead")
    dialog = next(each for each in view.findChildren(Dialog) if each.isVisible())
    dialog.answer()
    assert [each["anyway"] for each in asked(fake_bridge, "cohort.accept")] == [False, True]


def test_an_offer_is_declined(view: ExploreView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["cohort.decline"] = {"name": "The dead"}
    fake_bridge.answers["cohort.shared"] = {"cohorts": []}
    menu(view, "Offered by other sites: 1", "Geneva: The dead")["Do not take it"].trigger()
    assert asked(fake_bridge, "cohort.decline") == [{"site": "Geneva", "name": "The dead"}]
    assert "Offered by other sites: 1" not in menu(view)
