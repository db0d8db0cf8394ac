"""How two events follow each other: first or last on each side, before, after or within, and by how long."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from PySide6.QtWidgets import QWidget

from app.core.catalogue.model import Kind
from app.core.errors import UserError
from app.core.query.model import FIRST, LAST, Moment, Relation
from app.texts import explain, text
from app.ui.models.board import Board
from app.ui.models.criteria import Content, Term, walk
from app.ui.models.links import AFTER, BEFORE, USUAL_DAYS, WITHIN, Sides, event_of
from app.ui.models.scales import UNITS, Unreadable, number_text, periods_of, read_time, units_of
from app.ui.tokens import Style
from app.ui.views.explore.editor import Bound, Editor, Mistake
from app.ui.views.explore.wording import label, wide_enough
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import Flow, column, row
from app.ui.widgets.text import Label

_MOST_EVENTS = 60


class RelationEditor(Editor):
    """The label of a link. ``about`` is the row's own event, ``other`` the one that the link goes to."""

    def __init__(self, id: int, board: Board) -> None:
        super().__init__()
        self._id, self._board = id, board
        self._run = 0
        self._sides: Sides | None = None
        whiches = [(which, text(f"ui.explore.which.{which}")) for which in (FIRST, LAST)]
        self.which = Choice(text("ui.explore.which_own"), whiches)
        self._own = Label("", Style.STRONG, wrap=True)
        self.how = Choice(
            text("ui.explore.how_related"), [(how, text(f"ui.explore.how.{how}")) for how in (AFTER, BEFORE, WITHIN)]
        )
        self.other_which = Choice(text("ui.explore.which_other"), whiches)
        self.other = Choice(text("ui.explore.other_event"), [])
        self.least = Bound(text("ui.explore.least_apart"), lambda typed: self._typed(0, typed))
        self.most = Bound(text("ui.explore.most_apart"), lambda typed: self._typed(1, typed))
        self.unit = Choice(text("ui.explore.unit_of_time"), [])
        self._least_word = Label(text("ui.explore.at_least_apart"), ink="text2")
        self._most_word = Label(text("ui.explore.at_most_apart"), ink="text2")
        self._wrong = Mistake()
        self.unlink = Button(text("ui.explore.unlink"), LINK, size="small", pressed=lambda: board.unlink(self._id))
        first, second = Flow(gap=6), Flow(gap=6)
        relation: tuple[QWidget, ...] = (self.which, self._own, self.how, self.other_which, self.other)
        time: tuple[QWidget, ...] = (self._least_word, self.least, self._most_word, self.most, self.unit)
        for flow, items in ((first, relation), (second, time)):
            for each in items:
                flow.addWidget(each)
        for choice in (self.which, self.how, self.other_which):
            wide_enough(choice)
        self._words = Label("", Style.CAPTION, "text2", wrap=True)
        self.setLayout(column(first, second, self._wrong, self._words, row(self.unlink, None), gap=6))
        for choice in (self.which, self.how, self.other_which, self.other):
            choice.chosen.connect(lambda _value: self._chosen())
        self.unit.chosen.connect(lambda _value: self._show_bounds())

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self.how

    def show_content(self, content: Content) -> None:
        """Show the relation as its row says it."""
        row = self._board.criteria.find(self._id)
        if not isinstance(row, Term) or not isinstance(content, Relation):
            return
        sides = self._board.sides(row)
        own = None if sides is None else self._board.variable(sides.about.code)
        if sides is None or own is None:
            return
        anew = self._sides is None or self._sides.about.code != sides.about.code
        self._sides = sides
        if anew:
            self._fill()
        self._own.setText(label(own))
        self.which.set_value(sides.about.which)
        self.how.set_value(sides.how)
        self.other_which.set_value(sides.other.which)
        self.other.set_value(sides.other.code)
        for each in (self._least_word, self.least):
            each.setVisible(sides.how != WITHIN)
        days = periods_of(own).days
        self._words.setText(text("ui.explore.relation_words", days=number_text(days)))
        self._show_bounds()

    def _fill(self) -> None:
        """Offer the events with periods of the same length: those on the cards first."""
        board = self._board
        own = None if self._sides is None else board.variable(self._sides.about.code)
        if self._sides is None or own is None:
            return
        days = periods_of(own).days
        rows = [event_of(part.content) for part in walk(board.criteria.cards) if isinstance(part, Term)]
        codes = dict.fromkeys([self._sides.other.code, *(event.code for event in rows if event is not None)])
        codes |= dict.fromkeys(each.code for each in board.kinds[Kind.EVENT][:_MOST_EVENTS])
        self.other.clear()
        for code in codes:
            variable = board.variable(code)
            if variable is not None and variable.kind is Kind.EVENT and periods_of(variable).days == days:
                self.other.addItem(label(variable), code)
        wide_enough(self.other)
        self.unit.clear()
        for name in units_of(periods_of(own)):
            self.unit.addItem(text(f"ui.explore.units.{name}"), name)
        wide_enough(self.unit)

    def _show_bounds(self) -> None:
        if self._sides is None:
            return
        unit = UNITS[self.unit.value]
        for bound, days in ((self.least, self._sides.least), (self.most, self._sides.most)):
            bound.setText("" if days is None else number_text(days / unit))
        self._wrong.take_back(self.least, self.most)

    def _chosen(self) -> None:
        sides = self._sides
        if sides is None:
            return
        most = sides.most
        if self.how.value == WITHIN and most is None:
            own = self._board.variable(sides.about.code)
            days = Decimal(1) if own is None else periods_of(own).days
            most = max(Decimal(1), USUAL_DAYS // days) * days
        self._take(
            Sides(
                self.how.value,
                Moment(self.which.value, sides.about.code),
                Moment(self.other_which.value, self.other.value),
                None if self.how.value == WITHIN else sides.least,
                most,
            )
        )

    def _typed(self, which: int, typed: str) -> None:
        bound, sides = (self.least, self.most)[which], self._sides
        own = None if sides is None else self._board.variable(sides.about.code)
        if sides is None or own is None:
            return
        try:
            days = read_time(typed, self.unit.value, periods_of(own)) if typed.strip() else None
            if days is None and which == 1 and sides.how == WITHIN:
                raise Unreadable(text("ui.explore.within_needs"))
            self._take(replace(sides, least=days) if which == 0 else replace(sides, most=days))
        except Unreadable as refused:
            self._wrong.say(bound, str(refused))

    def _take(self, sides: Sides) -> None:
        if sides == self._sides:
            self._show_bounds()
            return
        try:
            relation = sides.relation()
        except UserError as error:
            self._wrong.say(self.most, explain(error).what)
            return
        self._run += 1
        self.edited.emit(relation, self._run)
