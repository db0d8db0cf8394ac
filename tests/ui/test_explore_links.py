"""Explore: relations in time are links between cards: drawn, edited, made by drag, by menu and by keyboard."""

from __future__ import annotations

from decimal import Decimal

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QMenu
from pytestqt.qtbot import QtBot

from app.core.query.model import Before, Moment, Within
from app.ui.context import Context
from app.ui.models.terms import TERMS_MIME, Offer, offer_to_bytes
from app.ui.views.explore import ExploreView
from app.ui.views.explore.dragging import NO, REFUSED, TARGET
from app.ui.views.explore.editor_relation import RelationEditor
from app.ui.views.explore.term_row import TermRow
from tests.ui import examples_melanoma as melanoma
from tests.ui.exploring import cards, choose, content, drop, opened, part, rows, shown
from tests.ui.exploring import hover as hover_card
from tests.ui.fakes import FakeBridge

BOTH = "dx:C43 occurs and rx:L01 occurs"
LINKED = "dx:C43 occurs and first dx:C43 before first rx:L01 by at most 90 days"
FIRST_MELANOMA, FIRST_DRUG = Moment("first", "dx:C43"), Moment("first", "rx:L01")


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    return opened(context, fake_bridge, qtbot, melanoma.answers())


def link(view: ExploreView, row: TermRow) -> QMimeData:
    data = QMimeData()
    data.setData(TERMS_MIME, offer_to_bytes(Offer(view.board.hash, canvas=view.board.token, link=row.term.id)))
    return data


def hover(row: TermRow, data: QMimeData) -> bool:
    """Whether the row takes what hovers."""
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDragEnterEvent(QPoint(4, 4), copy, data, left, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    row.dragEnterEvent(event)
    return event.isAccepted()


def drop_on(row: TermRow, data: QMimeData) -> None:
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    row.dropEvent(QDropEvent(QPointF(4, 4), copy, data, left, Qt.KeyboardModifier.NoModifier))


def relation_editor(view: ExploreView) -> RelationEditor:
    QApplication.processEvents()
    found = next(row.editor for row in rows(view) if row.term.id == view.board.opened)
    assert isinstance(found, RelationEditor)
    return found


def test_dragging_from_one_row_to_another_links_them_and_opens_the_label(view: ExploreView) -> None:
    shown(view, BOTH)
    first, second = rows(view)
    assert hover(second, link(view, first))
    assert second.drag_state == TARGET
    assert second._hint.text() == "then, within 90 days, this"
    drop_on(second, link(view, first))
    assert view.board.text == LINKED
    assert relation_editor(view).most.text() == "90"
    view.undo.click()
    assert view.board.text == BOTH
    view.redo.click()
    assert view.board.text == LINKED


def test_a_row_says_why_a_link_cannot_end_there_and_leaves_the_rest_to_its_card(view: ExploreView) -> None:
    shown(view, "dx:C43 occurs and relapse occurs and age >= 50")
    first, second, third = rows(view)
    assert hover(second, link(view, first))
    assert second.drag_state == REFUSED
    assert "periods of different lengths" in second._hint.text()
    assert not hover(third, link(view, first)), "a number takes no link: the card around it answers"
    assert third.drag_state == NO
    assert not hover(second, part(view, first.term.id))
    drop(cards(view)[2], link(view, first))
    assert "two events" in " ".join(label.text() for label in view.banners.findChildren(QLabel))
    stranger = QMimeData()
    stranger.setData(TERMS_MIME, offer_to_bytes(Offer(view.board.hash, canvas=b"somebody", link=first.term.id)))
    assert not hover(second, stranger)


def test_a_card_takes_a_link_for_its_event(view: ExploreView) -> None:
    shown(view, "dx:C43 occurs and (BRAF or rx:L01 occurs)")
    first = rows(view)[0]
    card = cards(view)[1]
    assert hover_card(card, link(view, first)) == TARGET
    assert card._hint.text() == "then, within 90 days, this"
    drop(card, link(view, first))
    assert view.board.text == "dx:C43 occurs and (BRAF or first dx:C43 before first rx:L01 by at most 90 days)"
    assert relation_editor(view).how.value == "after"


def test_the_menu_and_the_keyboard_link_too(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, BOTH + " and relapse occurs")
    first = rows(view)[0]
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_L)
    assert first.handle is not None
    menu = first.handle.menu_shown
    assert menu is not None
    words = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert words[0] == "then Antineoplastic agents"
    assert words[1].startswith("then Relapse: These two events are kept in periods")
    then = next(action for action in menu.actions() if action.text() == words[0])
    menu.hide()  # as when it is chosen
    with qtbot.waitActive(view):
        view.activateWindow()
    then.trigger()
    assert view.board.text == LINKED + " and relapse occurs"
    qtbot.waitUntil(lambda: view.canvas.focused() == view.board.opened)


def test_the_menu_of_a_row_links_and_lets_go(view: ExploreView) -> None:
    shown(view, LINKED)
    relation = rows(view)[1]
    menu = view.canvas.menu_of(relation.term.id)
    actions = {action.text(): action for action in menu.actions()}
    inner = actions["Link in time with"].menu()
    assert isinstance(inner, QMenu)
    assert [action.text() for action in inner.actions()][0].startswith("then Melanoma of skin")
    actions["Take the link away"].trigger()
    assert view.board.text == BOTH
    shown(view, "age >= 50 and rx:L01 occurs")
    alone = view.canvas.link_menu(rows(view)[1].term.id)
    assert [action.text() for action in alone.actions() if not action.isEnabled()] == ["Add another event first"]
    assert "Link in time with" not in {a.text() for a in view.canvas.menu_of(rows(view)[0].term.id).actions()}


def test_the_label_says_first_or_last_before_after_or_within_and_how_long(view: ExploreView) -> None:
    shown(view, LINKED)
    view.board.toggle(rows(view)[1].term.id)
    label = relation_editor(view)
    assert label.how.value == "after"
    choose(label.which, "last")
    assert content(view, card=1) == Before(FIRST_MELANOMA, Moment("last", "rx:L01"), None, Decimal(90))
    choose(label.how, "before")
    assert content(view, card=1) == Before(Moment("last", "rx:L01"), FIRST_MELANOMA, None, Decimal(90))
    assert rows(view)[1].accessibleName().startswith("Antineoplastic agents last time within 90 days before first")
    label.least.setText("30")
    label.least.editingFinished.emit()
    assert content(view, card=1) == Before(Moment("last", "rx:L01"), FIRST_MELANOMA, Decimal(30), Decimal(90))
    label.most.setText("")
    label.most.editingFinished.emit()
    assert content(view, card=1) == Before(Moment("last", "rx:L01"), FIRST_MELANOMA, Decimal(30), None)
    choose(label.how, "within")
    assert content(view, card=1) == Within(Moment("last", "rx:L01"), FIRST_MELANOMA, Decimal(90))
    assert label.least.isHidden()
    assert relation_editor(view) is label, "it is the same editor all the time"
    choose(label.other, "rx:L04")
    assert content(view, card=1) == Within(Moment("last", "rx:L01"), Moment("first", "rx:L04"), Decimal(90))
    for _ in range(6):
        view.undo.click()
    assert view.board.text == LINKED


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [("100", "", "90 or 120"), ("soon", "", "not a number"), ("120", "90", "empty|below|no value|nothing")],
)
def test_a_time_that_cannot_be_says_why(view: ExploreView, least: str, most: str, said: str) -> None:
    shown(view, LINKED)
    view.board.toggle(rows(view)[1].term.id)
    label = relation_editor(view)
    label.least.setText(least)
    label.least.editingFinished.emit()
    assert not label._wrong.isHidden()
    if not most:
        assert said in label._wrong.text()
    assert view.board.text == LINKED


def test_only_events_with_periods_of_the_same_length_are_offered(view: ExploreView) -> None:
    shown(view, LINKED)
    view.board.toggle(rows(view)[1].term.id)
    label = relation_editor(view)
    offered = [label.other.itemData(n) for n in range(label.other.count())]
    assert offered == ["dx:C43", "rx:L01", "rx:L04"]


def test_a_link_is_drawn_between_its_rows_and_opens_its_label(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, LINKED + " and age >= 50")
    qtbot.waitUntil(lambda: view.canvas.lines.isVisible() and bool(view.canvas.lines.lines()))
    lines = view.canvas.lines
    ((id, begin, end, x, to_row, to_anchor, words),) = lines.lines()
    first, second, _ = rows(view)
    assert id == second.term.id
    assert (to_row, to_anchor) == (True, False)
    assert words == "≤ 90 days"
    for point, row in ((begin, second), (end, first)):
        top = lines.mapFromGlobal(row.mapToGlobal(QPoint(0, 0))).y()
        assert top < point.y() < top + row.height()
    assert lines.geometry().left() >= cards(view)[0].geometry().right() - 1, "it covers no card"
    qtbot.mouseClick(lines, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round((begin.y() + end.y()) / 2)))
    assert view.board.opened == second.term.id
    view.board.unlink(second.term.id)
    QApplication.processEvents()
    assert not lines.isVisible()


def test_a_link_follows_what_the_other_rows_say(view: ExploreView) -> None:
    shown(view, LINKED)
    first, second = rows(view)
    assert second._name.text() == "Antineoplastic agents"
    assert second._value.whole == "first time within 90 days after first Melanoma of skin"
    view.canvas.remove(first.term.id)
    assert view.board.text == "first dx:C43 before first rx:L01 by at most 90 days"
    assert not view.canvas.lines.lines()
    view.board.attend(0)
    view.board.bring([("rx:L01", None)])
    relation = rows(view)[0]
    assert relation._name.text() == "Melanoma of skin"
    assert relation._value.whole == "first time within 90 days before first Antineoplastic agents"


def test_text_with_relations_becomes_cards_and_comes_back(view: ExploreView) -> None:
    text = view.words.editor
    text.setPlainText("first rx:L01 after first dx:C43 by at least 1 day")
    text.take()
    assert "30" in view.words.wrong or view.words.editor.extraSelections()
    for said in (
        "dx:C43 occurs and not last rx:L04 before first dx:C43 by at most 90 days",
        "first rx:L01 within 60 days of last rx:L04 or BRAF",
    ):
        text.setPlainText(said)
        text.take()
        assert view.board.text == said
        assert view.words.editor.extraSelections() == []
