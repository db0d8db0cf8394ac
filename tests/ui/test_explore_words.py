"""Explore: the question as text, and the catalogue beside it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.ui.context import Context
from app.ui.views.explore import ExploreView
from tests.ui import examples_explore as explore
from tests.ui.exploring import (
    asked,
    cards,
    drop,
    end,
    opened,
    rows,
    select,
    shown,
    variables,
)
from tests.ui.fakes import FakeBridge

KEY = Qt.Key


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    return opened(context, fake_bridge, qtbot, explore.answers())


def test_text_and_cards_follow_each_other(view: ExploreView) -> None:
    text = view.words.editor
    drop(end(view), variables("died"))
    assert text.toPlainText() == "died"
    text.setPlainText("died and sex = female")
    text.take()
    assert len(cards(view)) == 2
    assert "“female”" in view.words._sentence.accessibleName()
    view.undo.click()
    assert text.toPlainText() == "died"


def test_a_mistake_in_the_text_is_pointed_at_and_nothing_is_asked(view: ExploreView) -> None:
    shown(view, "died")
    view.words.set_unfolded(True)
    view.words.editor.setPlainText("died and agee >= 60")
    view.words.editor.take()
    assert "Did you mean: age?" in view.words.wrong
    (mark,) = view.words.editor.extraSelections()
    assert mark.cursor.selectedText() == "agee"
    assert view.board.text == "died"
    assert not view.analysis.button.isEnabled()
    view.words.editor.setPlainText("died and age >= 60")
    view.words.editor.take()
    assert view.words.wrong == ""
    assert view.analysis.button.isEnabled()


# --- the catalogue ----------------------------------------------------------------------------------------------------


def listed(view: ExploreView) -> list[str]:
    model = view.catalogue.model
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_searching_lists_what_is_found_and_leaving_shows_the_tree(view: ExploreView, qtbot: QtBot) -> None:
    view.catalogue.search.setText("ag")
    view.catalogue.search.wanted.emit("ag")
    assert listed(view) == ["Age"]
    qtbot.keyClick(view.catalogue.search, KEY.Key_Return)
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    assert view.board.text == "age known"
    view.catalogue.show_in_tree("age")
    assert "Numbers" in listed(view)
    view.catalogue.search.setText("xyz")
    view.catalogue.search.wanted.emit("xyz")
    assert view.catalogue._stack.currentIndex() == 1


def test_filters_favourites_and_what_was_used_lately(view: ExploreView, qtbot: QtBot) -> None:
    view.catalogue._kind.set_value("category")
    view.catalogue._kind.chosen.emit("category")
    assert listed(view) == ["Categories"]
    view.catalogue._kind.set_value("")
    view.catalogue._cover.set_value("all")
    view.catalogue._cover.chosen.emit("all")
    assert not view.catalogue.model.index_of(view.board.places["weight_loss"]).isValid()
    view.catalogue._cover.set_value("any")
    view.catalogue._cover.chosen.emit("any")
    view.catalogue.set_favourite("weight_loss", True)
    view.catalogue._star.click()
    assert listed(view) == ["Weight loss in the last six months"]
    view.catalogue._star.click()
    select(view, "died")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    view.catalogue._latest.click()
    assert listed(view) == ["Died during follow-up"]


def test_the_sheet_says_who_holds_a_variable(view: ExploreView, qtbot: QtBot) -> None:
    select(view, "weight_loss")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Space)
    assert view.details.isVisible()
    words = " ".join(each.text() for each in view.details.findChildren(QLabel))
    assert "Bern does not have it" in words
    assert "Geneva has it" in words
    qtbot.keyClick(view.details, KEY.Key_Escape)
    assert not view.details.isVisible()


def test_refreshing_keeps_what_is_selected_and_built(view: ExploreView, fake_bridge: FakeBridge) -> None:
    select(view, "weight_loss")
    drop(end(view), variables("age"))
    row = rows(view)[0]
    fake_bridge.stir()
    assert view.catalogue._codes() == ["weight_loss"]
    assert rows(view)[0] is row
    assert asked(fake_bridge, "catalogue.show")[-1] == {"have": explore.HASH}
