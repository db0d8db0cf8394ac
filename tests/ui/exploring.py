"""What the tests of Explore do: look for cards, rows and places, drag onto them, read what was asked of the owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.ui.context import Context
from app.ui.models.criteria import Term
from app.ui.models.terms import TERMS_MIME, Offer, offer_to_bytes
from app.ui.views.explore import ExploreView
from app.ui.views.explore.card import CardWidget
from app.ui.views.explore.dragging import DropPlace
from app.ui.views.explore.places import EmptyPlace, Gap
from app.ui.views.explore.term_row import TermRow
from app.ui.widgets.fields import Choice
from tests.ui import examples_explore as explore
from tests.ui.fakes import Answer, FakeBridge


def opened(context: Context, fake_bridge: FakeBridge, qtbot: QtBot, answers: Mapping[str, Answer]) -> ExploreView:
    """Show Explore, as wide as in a window of 1280×800."""
    fake_bridge.answers.update(answers)
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.resize(1196, 748)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    made.check()
    return made


def asked(fake_bridge: FakeBridge, name: str) -> list[Mapping[str, Any]]:
    return [call.values for call in fake_bridge.named(name)]


def shown(view: ExploreView, text: str) -> None:
    view.board.begin(text)
    QApplication.processEvents()  # what is new is shown


def select(view: ExploreView, *codes: str) -> None:
    for place, code in enumerate(codes):
        view.catalogue.select(code, only=place == 0)


def variables(*codes: str) -> QMimeData:
    data = QMimeData()
    data.setData(TERMS_MIME, offer_to_bytes(Offer(explore.HASH, tuple((code, None) for code in codes))))
    return data


def part(view: ExploreView, id: int) -> QMimeData:
    data = QMimeData()
    data.setData(TERMS_MIME, offer_to_bytes(Offer(explore.HASH, canvas=view.board.token, parts=(id,))))
    return data


def hover(place: DropPlace, data: QMimeData) -> str:
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDragEnterEvent(QPoint(4, 4), copy, data, left, Qt.KeyboardModifier.NoModifier)
    place.dragEnterEvent(event)
    return place.drag_state


def drop(place: DropPlace, data: QMimeData) -> None:
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    place.dropEvent(QDropEvent(QPointF(4, 4), copy, data, left, Qt.KeyboardModifier.NoModifier))


def cards(view: ExploreView) -> list[CardWidget]:
    return [each for each in view.canvas.widgets() if isinstance(each, CardWidget)]


def rows(view: ExploreView) -> list[TermRow]:
    return [each for each in view.canvas.widgets() if isinstance(each, TermRow)]


def gaps(view: ExploreView) -> list[Gap]:
    QApplication.processEvents()  # what is new is shown
    return sorted(
        (each for each in view.canvas.findChildren(Gap) if each.isVisibleTo(view)), key=lambda gap: gap._index
    )


def end(view: ExploreView) -> EmptyPlace:
    return view.canvas.findChild(EmptyPlace)


def editor(view: ExploreView, text: str, *, card: int = 0) -> Any:
    """Show these criteria and open the editor of a card's first term."""
    shown(view, text)
    id = view.board.criteria.cards[card].parts[0].id
    view.board.toggle(id)
    return next(row for row in rows(view) if row.term.id == id).editor


def content(view: ExploreView, *, card: int = 0) -> object:
    """What a card's first term asks for."""
    term = view.board.criteria.cards[card].parts[0]
    assert isinstance(term, Term)
    return term.content


def choose(choice: Choice, value: str) -> None:
    """Choose an entry as a person does."""
    choice.set_value(value)
    assert choice.value == value
    choice.chosen.emit(value)
