"""What one question costs this site: the amount, before and after, and when it refills."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtWidgets import QFrame

from app.texts import text
from app.ui.models import paying as wording
from app.ui.models.budget import Budget
from app.ui.models.policy import amount
from app.ui.models.requests import Price
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.widgets.chips import Meter
from app.ui.widgets.layout import column
from app.ui.widgets.text import Label


class PriceCard(QFrame):
    """The card; hidden while there is no price. A ``compact`` one leaves to others what it says besides."""

    def __init__(self, *, compact: bool = False) -> None:
        super().__init__()
        self._compact = compact
        set_role(self, role="card", tone="sunken" if compact else "")
        self.words = Label("", Style.SMALL if compact else Style.STRONG, wrap=True)
        self._change = Label("", Style.SMALL, "text2", wrap=True)
        self.meter = Meter(6)
        self._refill = Label("", Style.SMALL, "text2", wrap=True)
        self._short = Label("", Style.SMALL, "dan", wrap=True)
        parts = (self.words, self._change, self.meter, self._refill, self._short)
        self.setLayout(column(*parts, gap=6, margins=(14, 12, 14, 12)))
        self.hide()

    def show_price(self, price: Price | None, budget: Budget | None = None) -> None:
        """Show a price, and where it stands in the budget if that is known."""
        told = price is not None and bool(price.free or price.epsilon or price.exact)
        self.setVisible(told)
        if price is None or not told:
            return
        self.words.setText(wording.price(price))
        bounded = budget is not None and bool(budget.cap) and bool(price.epsilon) and not price.free
        self.meter.setVisible(bounded)
        self._change.setVisible(bounded and not self._compact)
        if budget is not None and bounded:
            before, cap = Fraction(price.left or budget.left or 0), amount(budget.cap)
            after = max(before - Fraction(price.epsilon), Fraction(0))
            words = text("ui.budget.change", before=amount(before), after=amount(after), cap=cap)
            self._change.setText(words)
            self.meter.set_parts(wording.shares(price, budget), words)
        short = wording.short(price, budget)
        self._short.setText(short)
        self._short.setVisible(bool(short) and not self._compact)
        self._refill.setVisible(bounded and not short and not self._compact)
        self._refill.setText(wording.refill(budget) if budget is not None else "")
