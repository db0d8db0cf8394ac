"""Columns that name people directly: each in use is confirmed by itself, or nothing is sealed."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QWidget

from app.texts import text
from app.ui.locale import number
from app.ui.models.preparing_check import Checked, Identifier
from app.ui.tokens import PANE, Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import card, clear, column, row, scrolling
from app.ui.widgets.text import Label

_KINDS = ("name", "national_id", "birth_date", "email", "phone", "address", "free_text", "patient_number")


class IdentifiersPage(QWidget):
    """What was found, and the notes on what could give people away."""

    def __init__(self, preparation: Preparation) -> None:
        super().__init__()
        self._preparation = preparation
        self._shown: object = None
        self._cards = column(gap=10)
        self.setLayout(column(scrolling(column(self._cards, None, gap=0, margins=(0, 4, 8, 8))), gap=0))

    def show_checked(self, checked: Checked) -> None:
        """Show what a dry run has found."""
        confirmed = frozenset(self._preparation.draft.confirmed)
        if self._shown == (checked, confirmed):
            return
        only_confirmed = self._shown is not None and self._shown[0] is checked  # type: ignore[index]
        self._shown = (checked, confirmed)
        if only_confirmed:  # the boxes are as the person has set them
            return
        clear(self._cards)
        if not checked.identifiers and not checked.notes:
            self._cards.addWidget(Label(text("ui.prepare.no_identifiers"), Style.BODY, "text2", wrap=True))
        for each in sorted(checked.identifiers, key=lambda each: not each.used):
            self._cards.addWidget(self._identifier(each, each.confirmed or each.key in confirmed))
        if checked.notes:
            lines = [row_of(Icon("info", 15, "acc"), Label(words, Style.BODY, wrap=True)) for words, _ in checked.notes]
            self._cards.addWidget(card(Label(text("ui.prepare.notes"), Style.STRONG), *lines, gap=8, padding=PANE))

    def _identifier(self, found: Identifier, confirmed: bool) -> QWidget:
        kind = text(f"ui.prepare.identifier.{found.kind}") if found.kind in _KINDS else found.kind
        chip = Chip(kind, "caution" if found.used else "plain", "eye-off")
        title = Label(text("ui.prepare.identifier_in", table=found.table, column=found.column), Style.STRONG, wrap=True)
        head = row(title, chip, gap=10)
        head.setStretch(0, 1)
        words = " · ".join(filter(None, (found.why[:1].upper() + found.why[1:], _values(found))))
        items: list[QWidget] = [Label(words, Style.SMALL, "text2", wrap=True)]
        if found.used:
            box = QCheckBox(text("ui.prepare.confirm"))
            box.setAccessibleName(f"{text('ui.prepare.confirm')} {found.key}")
            box.setChecked(confirmed)
            box.clicked.connect(lambda wanted: self._preparation.confirm(found.key, wanted))
            items.append(box)
        else:
            items.append(Label(text("ui.prepare.not_used"), Style.SMALL, "pos", wrap=True))
        return card(head, *items, gap=6, padding=PANE)


def _values(found: Identifier) -> str:
    return text("ui.prepare.identifier_values", count=number(found.values)) if found.values else ""


def row_of(sign: QWidget, words: QWidget) -> QWidget:
    """Return a sign beside words that may take several lines."""
    made = QWidget()
    layout = row(sign, words, gap=8)
    layout.setStretch(1, 1)
    made.setLayout(layout)
    return made
