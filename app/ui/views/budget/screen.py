"""The screen: how much is left of the whole, who has spent what, and every charge."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QStackedWidget, QVBoxLayout, QWidget

from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import number
from app.ui.models import paying as wording
from app.ui.models.budget import Budget, Spent
from app.ui.models.policy import amount
from app.ui.tokens import PANE, VIEW, Style
from app.ui.views.budget.entries import Column, EntriesModel
from app.ui.views.view import View
from app.ui.widgets.buttons import Button
from app.ui.widgets.chips import Meter
from app.ui.widgets.feedback import Banner, EmptyState
from app.ui.widgets.layout import card, clear, column, header, row, scrolling
from app.ui.widgets.tables import plain_table
from app.ui.widgets.text import Label

_WIDEST = 980
_ROW, _MOST_ROWS = 30, 12


class BudgetView(View):
    """Budget. It is reached from Requests and from the status bar."""

    name: ClassVar[str] = "budget"
    rail: ClassVar[str] = "requests"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.budget: Budget | None = None
        back = Button(text("ui.policy.back"), icon_name="chevron-left", pressed=lambda: context.navigate("requests"))
        policy = Button(text("ui.rail.policy"), icon_name="shield", pressed=lambda: context.navigate("policy"))
        self.page.addWidget(header(text("ui.rail.budget"), text("ui.budget.subtitle"), policy, back))
        self._left = Label("", Style.WELCOME)
        self._of = Label("", Style.BODY, "text2", wrap=True)
        self._meter = Meter(8)
        self._refill = Label("", Style.SMALL, "text2", wrap=True)
        self._exact = Label("", Style.WELCOME)
        self._exact_of = Label("", Style.BODY, "text2", wrap=True)
        self._shares = QVBoxLayout()
        self._shares.setSpacing(12)
        self.entries = EntriesModel()
        widths = {Column.WHEN: 150, Column.WHO: 210, Column.COST: 90, Column.EXACT: 80, Column.VERSION: 90}
        self.table = plain_table(text("ui.budget.entries"), self.entries, widths, Column.PROJECT)
        self.table.activated.connect(lambda index: self._open(index.row()))  # a double click, or Enter
        self._no_entries = Label(text("ui.budget.no_entries"), Style.SMALL, "text2", wrap=True)
        nowhere = EmptyState("federation", text("ui.requests.nowhere"), text("ui.requests.nowhere_words"))
        self._stack = QStackedWidget()
        for each in (QWidget(), self._make_page(), nowhere):
            self._stack.addWidget(each)
        self.page.addWidget(self._stack, 1)
        context.standing.changed.connect(self._stand)
        self._stand()

    def _make_page(self) -> QWidget:
        noised = card(
            Label(text("ui.budget.with_noise"), Style.STRONG),
            self._left,
            self._of,
            self._meter,
            self._refill,
            None,
            gap=6,
            padding=PANE,
        )
        exact = card(
            Label(text("ui.budget.exact"), Style.STRONG), self._exact, self._exact_of, None, gap=6, padding=PANE
        )
        both = row(noised, exact, gap=16)
        both.setStretch(0, 3)
        both.setStretch(1, 2)
        inside = QWidget()
        inside.setMaximumWidth(_WIDEST)
        inside.setLayout(
            column(
                self.banners,
                both,
                card(Label(text("ui.budget.shares"), Style.STRONG), self._shares, gap=12, padding=PANE),
                card(
                    Label(text("ui.budget.entries"), Style.STRONG), self._no_entries, self.table, gap=10, padding=PANE
                ),
                Label(text("ui.budget.rule"), Style.SMALL, "text2", wrap=True),
                None,
                gap=16,
            )
        )
        centred = row(None, inside, None, margins=(VIEW, VIEW, VIEW, VIEW), gap=0)
        centred.setStretch(1, 100)
        return scrolling(centred)

    def refresh(self) -> None:
        """Ask how the budget stands."""
        if self.context.standing.overview.ready:
            self.context.bridge.call("budget.show", of=self, done=self._take, failed=self.fail)

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if not overview.ready:
            self._stack.setCurrentIndex(2 if overview.site else 0)
            return
        self._stack.setCurrentIndex(1 if self.budget is not None else 0)
        if self.isVisible() and self.budget is None:
            self.refresh()

    def _take(self, found: Result) -> None:
        budget = Budget.from_plain(found)
        if budget == self.budget:
            return
        self.budget = budget
        self._show(budget)
        self._stand()

    def _show(self, budget: Budget) -> None:
        if budget.cap:
            self._left.setText(text("ui.budget.amount_left", left=amount(budget.left or "0")))
            self._of.setText(text("ui.budget.of", cap=amount(budget.cap), spent=amount(budget.spent)))
        else:
            self._left.setText(text("ui.budget.unlimited"))
            self._of.setText(text("ui.budget.spent", spent=amount(budget.spent)))
        self._meter.setVisible(bool(budget.cap))
        self._meter.set_parts([(budget.share_spent, "dan" if budget.exhausted else "accfill")], self._of.text())
        self._refill.setText(wording.refill(budget))
        if budget.quota is None:
            self._exact.setText(text("ui.budget.unlimited"))
            self._exact_of.setText(text("ui.budget.exact_spent", spent=number(budget.exact_spent)))
        else:
            self._exact.setText(text("ui.budget.exact_left", left=number(budget.exact_left or 0)))
            words = text("ui.budget.exact_of", quota=number(budget.quota), spent=number(budget.exact_spent))
            self._exact_of.setText(words)
        clear(self._shares)
        for kind in ("researcher", "project"):
            theirs = [each for each in budget.by if each.kind == kind]
            if theirs:
                self._shares.addWidget(_share_table(text(f"ui.budget.by.{kind}"), theirs, budget))
        if not budget.by:
            self._shares.addWidget(Label(text("ui.budget.no_shares"), Style.SMALL, "text2", wrap=True))
        self.entries.show_entries(budget.entries)
        self.table.setVisible(bool(budget.entries))
        rows = min(len(budget.entries), _MOST_ROWS)
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + rows * _ROW + 6)
        self._no_entries.setVisible(not budget.entries)
        if budget.exhausted:
            words = wording.refill(budget)
            self.banners.show_only(Banner("caution", text("ui.budget.exhausted"), words))
        else:
            self.banners.show_only()

    def _open(self, place: int) -> None:
        """Show the request of a charge."""
        entry = self.entries.entries[place]
        own = entry.asker == self.context.standing.overview.site
        self.context.navigate("results" if own else "requests", entry.query)


def _share_table(title: str, shares: list[Spent], budget: Budget) -> QWidget:
    """Return who has spent what, each with a bar of what they may."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(6)
    grid.addWidget(Label(title, Style.CAPTION, "text2"), 0, 0, 1, 3)
    for place, each in enumerate(shares, start=1):
        name = Label(each.name or text(f"ui.budget.nobody.{each.kind}"), wrap=True)
        name.setMinimumWidth(220)
        most = each.share or budget.cap
        spent = amount(each.spent)
        words = text("ui.budget.share_of", spent=spent, most=amount(most)) if most else spent
        meter = Meter(6)
        part = 0.0 if not most else min(_ratio(each.spent, most), 1.0)
        meter.set_parts([(part, "accfill")], f"{each.name}: {words}")
        grid.addWidget(name, place, 0)
        grid.addWidget(meter, place, 1, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(Label(words, Style.SMALL, "text2"), place, 2, Qt.AlignmentFlag.AlignRight)
    grid.setColumnStretch(1, 1)
    made = QWidget()
    made.setLayout(grid)
    return made


def _ratio(part: str, whole: str) -> float:
    return float(Fraction(part) / Fraction(whole)) if Fraction(whole) else 1.0
