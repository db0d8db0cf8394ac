"""Explore: building criteria by drag, by keyboard and by menu."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.ui.context import Context
from app.ui.models.terms import TERMS_MIME, Offer, offer_to_bytes
from app.ui.views.explore import ExploreView
from app.ui.views.explore.dragging import NO, REFUSED, TARGET
from tests.ui import examples_explore as explore
from tests.ui.exploring import (
    cards,
    drop,
    end,
    gaps,
    hover,
    opened,
    part,
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


def test_dropping_on_empty_space_between_cards_and_on_a_card(view: ExploreView) -> None:
    drop(end(view), variables("sex"))
    drop(end(view), variables("died"))
    assert view.board.text == "sex known and died"
    drop(gaps(view)[1], variables("age"))
    assert view.board.text == "sex known and age known and died"
    drop(cards(view)[2], variables("ICD10:C34"))
    assert view.board.text == "sex known and age known and (died or ICD10:C34)"


def test_cards_and_terms_are_dragged_too_and_cards_nest(view: ExploreView) -> None:
    shown(view, "sex = female and (died or ICD10:C34)")
    drop(cards(view)[1], part(view, view.board.criteria.cards[0].id))
    assert view.board.text == "died or ICD10:C34 or sex = female"
    assert len(cards(view)) == 2
    drop(end(view), part(view, rows(view)[0].term.id))
    assert view.board.text == "(ICD10:C34 or sex = female) and died"


def test_a_drag_says_what_would_happen_or_why_not(view: ExploreView) -> None:
    shown(view, "died and age >= 60")
    first = cards(view)[0]
    assert hover(first, variables("sex")) == TARGET
    assert hover(first, variables("died")) == REFUSED
    assert first.drag_reason == "This is already on the card."
    foreign = QMimeData()
    foreign.setData(TERMS_MIME, offer_to_bytes(Offer(b"another", (("died", None),))))
    assert hover(first, foreign) == REFUSED
    assert hover(first, part(view, first.card.id)) == REFUSED
    assert first.drag_reason == "A card cannot be put into itself."
    words = QMimeData()
    words.setText("died")
    first._set_drag(NO)
    assert hover(first, words) == NO
    before = view.board.text
    drop(first, foreign)
    assert view.board.text == before
    assert not view.banners.isHidden()


def test_only_this_canvas_moves_its_parts(view: ExploreView) -> None:
    shown(view, "died and age >= 60")
    data = QMimeData()
    stranger = Offer(explore.HASH, canvas=b"somebody", parts=(view.board.criteria.cards[1].id,))
    data.setData(TERMS_MIME, offer_to_bytes(stranger))
    drop(cards(view)[0], data)
    assert view.board.text == "died and age >= 60"


# --- by keyboard and menu ---------------------------------------------------------------------------------------------


def test_enter_adds_to_the_current_card_and_shift_enter_to_a_new_one(view: ExploreView, qtbot: QtBot) -> None:
    select(view, "died")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    select(view, "ICD10:C34")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    assert view.board.text == "died or ICD10:C34"
    select(view, "sex")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert view.board.text == "(died or ICD10:C34) and sex known"
    select(view, "ecog", "weight_loss")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    assert view.board.text == "(died or ICD10:C34) and (sex known or ecog known or weight_loss known)"


def test_cards_and_terms_take_the_keyboard(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, "died and (ICD10:C34 or sex = female)")
    first = cards(view)[0]
    first.setFocus()
    qtbot.keyClick(first, KEY.Key_Minus)
    assert view.board.text == "not died and (ICD10:C34 or sex = female)"
    qtbot.keyClick(first, KEY.Key_Down)
    qtbot.keyClick(rows(view)[0], KEY.Key_Down)
    assert view.canvas.focused() == view.board.criteria.cards[1].id
    qtbot.keyClick(cards(view)[1], KEY.Key_Down)
    row = rows(view)[1]
    assert view.canvas.focused() == row.term.id
    assert view.board.current == view.board.criteria.cards[1].id
    qtbot.keyClick(row, KEY.Key_Delete)
    assert view.board.text == "not died and sex = female"
    assert view.canvas.focused() == view.board.criteria.cards[1].id


def test_shortcuts_move_copy_and_paste(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, "died and sex = female")
    second = cards(view)[1]
    second.setFocus()
    view.canvas.move_part(second.card.id, -1)
    assert view.board.text == "sex = female and died"
    view.canvas.copy(second.card.id)
    assert QApplication.clipboard().text() == "sex = female"
    view.canvas.duplicate(second.card.id)
    assert view.board.text == "sex = female and sex = female and died"
    QApplication.clipboard().setText("age >= 60 and (ICD10:C34 or died)")
    view.board.attend(0)
    view.canvas.paste()
    assert view.board.text.endswith("and died and age >= 60 and (ICD10:C34 or died)")
    QApplication.clipboard().setText("what is this?")
    before = view.board.text
    view.canvas.paste()
    assert view.board.text == before
    assert not view.banners.isHidden()


def test_the_focus_stays_with_what_is_moved(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, "died and (ICD10:C34 or sex = female)")
    row = rows(view)[1]
    row.setFocus()
    id = row.term.id
    view.canvas.move_part(id, -1)
    assert view.board.text == "(died or ICD10:C34) and sex = female"
    qtbot.waitUntil(lambda: view.canvas.focused() == id)
    view.canvas.duplicate(id)
    qtbot.waitUntil(lambda: view.canvas.focused() == id)


def test_everything_of_a_card_is_in_its_menu(view: ExploreView) -> None:
    shown(view, "died and (ICD10:C34 or sex = female)")
    menu = view.canvas.menu_of(view.board.criteria.cards[1].id)
    words = [action.text() for action in menu.actions() if action.text()]
    assert words == [
        "Must not have",
        "all of",
        "Copy",
        "Cut",
        "Paste",
        "Duplicate",
        "Move up",
        "Move down",
        "Move to",
        "Remove",
    ]
    next(action for action in menu.actions() if action.text() == "all of").trigger()
    assert view.board.text == "died and (ICD10:C34 and sex = female)"
    into = next(action.menu() for action in menu.actions() if action.text() == "Move to")
    assert isinstance(into, QMenu)
    into.actions()[0].trigger()
    assert view.board.text == "died or ICD10:C34 and sex = female"


def test_undo_and_redo_go_all_the_way(view: ExploreView) -> None:
    for code in ("died", "sex", "age"):
        drop(end(view), variables(code))
    view.undo.click()
    view.undo.click()
    assert view.board.text == "died"
    view.redo.click()
    assert view.board.text == "died and sex known"
    view.undo.click()
    view.undo.click()
    assert view.board.text == ""
    assert not view.undo.isEnabled()
