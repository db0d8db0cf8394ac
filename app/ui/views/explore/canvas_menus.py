"""The menus of cards and terms: all that a drag does, and more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from app.core.query.model import Relation
from app.texts import text
from app.ui import icons
from app.ui.models.criteria import Between, Card, Into, Place, Term, walk
from app.ui.models.links import event_of
from app.ui.views.explore import wording
from app.ui.views.explore.card import CardWidget

if TYPE_CHECKING:
    from app.ui.views.explore.canvas import Canvas


def menu_of(canvas: Canvas, id: int) -> QMenu:
    """Return the menu of a card or term."""
    part, board = canvas.board.criteria.find(id), canvas.board
    menu = QMenu(canvas)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def entry(words: str, do: object, keys: str = "", icon_name: str = "") -> None:
        action = QAction(words, menu)
        if keys:
            action.setShortcut(QKeySequence(keys))
            action.setShortcutVisibleInContextMenu(True)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        if icon_name:
            action.setIcon(icons.icon(icon_name))
        action.triggered.connect(do)
        menu.addAction(action)

    negated = part is not None and part.negated
    words = text("ui.explore.must") if negated else text("ui.explore.must_not")
    entry(words, lambda: board.do(lambda c: c.negate(id), text("ui.explore.did.negate")), "-")
    if isinstance(part, Card) and len(part.parts) > 1:
        every = text("ui.explore.any_of") if part.every else text("ui.explore.all_of")
        entry(every, lambda: board.do(lambda c: c.set_every(id, not part.every), text("ui.explore.did.change")))
    if isinstance(part, Term) and event_of(part.content) is not None:
        _fill_links(canvas, menu.addMenu(icons.icon("link"), text("ui.explore.link_with")), id)
        if isinstance(part.content, Relation):
            entry(text("ui.explore.unlink"), lambda: board.unlink(id))
    menu.addSeparator()
    entry(text("ui.explore.copy"), lambda: canvas.copy(id), "Ctrl+C", "copy")
    entry(text("ui.explore.cut"), lambda: canvas.cut(id), "Ctrl+X")
    entry(text("ui.explore.paste"), canvas.paste, "Ctrl+V")
    entry(text("ui.explore.duplicate"), lambda: canvas.duplicate(id), "Ctrl+D")
    menu.addSeparator()
    entry(text("ui.explore.move_up"), lambda: canvas.move_part(id, -1), "Alt+Up", "chevron-up")
    entry(text("ui.explore.move_down"), lambda: canvas.move_part(id, 1), "Alt+Down", "chevron-down")
    targets = _targets(canvas, id)
    if targets:
        into = menu.addMenu(text("ui.explore.move_into"))
        for place, words in targets:
            into.addAction(words, partial(canvas.move_to, id, place))
    menu.addSeparator()
    entry(text("ui.explore.remove_it"), lambda: canvas.remove(id), "Del", "trash")
    return menu


def link_menu(canvas: Canvas, id: int) -> QMenu:
    """Return the menu of what a term about an event can be linked with in time."""
    menu = QMenu(canvas)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.addSection(text("ui.explore.link_with"))
    _fill_links(canvas, menu, id)
    return menu


def _fill_links(canvas: Canvas, menu: QMenu, id: int) -> None:
    """Offer every other row about an event: "then" it, at the latest so many days after this one."""
    board = canvas.board
    rows = [part for part in walk(board.criteria.cards) if isinstance(part, Term) and part.id != id]
    for row in rows:
        if event_of(row.content) is None:
            continue
        words = text("ui.explore.then", name=wording.name(row, board)).replace("&", "&&")
        action = menu.addAction(words, partial(_link, canvas, id, row.id))
        if refusal := board.link_refusal(id, row.id):
            action.setEnabled(False)
            action.setText(f"{words}: {refusal}")
    if not any(event_of(row.content) is not None for row in rows):
        menu.addAction(text("ui.explore.no_other_event")).setEnabled(False)


def _link(canvas: Canvas, source: int, target: int) -> None:
    if canvas.board.link(source, target):
        canvas.focus(canvas.board.opened)


def _targets(canvas: Canvas, id: int) -> list[tuple[Place, str]]:
    """Return where a part can go: other cards, or a card of its own."""
    found: list[tuple[Place, str]] = []
    holder = canvas.board.criteria.card_of(id)
    for shown in canvas.widgets():
        if isinstance(shown, CardWidget) and shown.card.id != id and (not holder or shown.card.id != holder.id):
            words = text("ui.explore.card_named", words=shown.accessibleName())
            found.append((Into(shown.card.id), words[:80]))
    if holder is not None:
        found.append((Between(len(canvas.board.criteria.cards)), text("ui.explore.own_card")))
    return found
