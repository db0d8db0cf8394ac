"""How the budget is said: what is left, what something costs, when it refills."""

from __future__ import annotations

from fractions import Fraction

from app.texts import text
from app.ui.locale import day, number
from app.ui.models.budget import Budget
from app.ui.models.policy import amount
from app.ui.models.requests import Price


def left(budget: Budget) -> str:
    """Return what is left, in a few words: for the status bar."""
    if not budget.cap:
        return text("ui.budget.unlimited_short") if budget.exact_left is None else _exact_left(budget)
    if budget.exhausted:
        return text("ui.budget.none_short", cap=amount(budget.cap))
    return text("ui.budget.left_short", left=amount(budget.left), cap=amount(budget.cap))


def _exact_left(budget: Budget) -> str:
    return text("ui.budget.exact_short", left=number(budget.exact_left or 0))


def refill(budget: Budget) -> str:
    """Return whether and when something comes back."""
    if not budget.cap:
        return text("ui.budget.no_cap_words")
    if not budget.amount:
        return text("ui.budget.no_refill")
    words = text("ui.budget.refill", amount=amount(budget.amount), days=number(budget.days))
    return f"{words} {text('ui.budget.next', when=day(budget.next))}" if budget.next else words


def price(cost: Price) -> str:
    """Return what something costs and what is left, as a sentence."""
    if cost.free:
        return text("ui.budget.free")
    parts = []
    if cost.epsilon and cost.left:
        parts.append(text("ui.budget.costs_of", cost=amount(cost.epsilon), left=amount(cost.left)))
    elif cost.epsilon:
        parts.append(text("ui.budget.costs", cost=amount(cost.epsilon)))
    if cost.exact and cost.exact_left is None:
        parts.append(text("ui.budget.exact_costs"))
    elif cost.exact:
        parts.append(text("ui.budget.exact_costs_of", left=number(cost.exact_left or 0)))
    return " ".join(parts)


def short(cost: Price, budget: Budget | None) -> str:
    """Return why something cannot be paid for and when it can; empty if it can."""
    if cost.enough:
        return ""
    when = text("ui.budget.when_never")
    if budget is not None and budget.next and budget.amount:
        when = text("ui.budget.when", when=day(budget.next), amount=amount(budget.amount))
    if cost.epsilon and cost.left and Fraction(cost.epsilon) > Fraction(cost.left):
        return text("ui.budget.short", cost=amount(cost.epsilon), left=amount(cost.left), when=when)
    again = 0 if budget is None else budget.exact_next
    when = text("ui.budget.when_exact", when=day(again)) if again else text("ui.budget.when_never")
    return text("ui.budget.short_exact", when=when)


def shares(cost: Price, budget: Budget) -> list[tuple[float, str]]:
    """Return the parts of the bar: spent before, and what this costs."""
    cap = Fraction(budget.cap)
    now = Fraction(cost.left or budget.left or 0)
    price = Fraction(0) if cost.free or not cost.epsilon else Fraction(cost.epsilon)
    return [(float((cap - now) / cap), "text2"), (float(min(price, now) / cap), "accfill")]
