"""How terms are said on a card: short, in the reader's language."""

from __future__ import annotations

from decimal import Decimal

from PySide6.QtWidgets import QComboBox

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.query.model import Known, Levels, Range, Saved
from app.texts import preferred_language, text
from app.ui.locale import locale
from app.ui.models.board import Board
from app.ui.models.catalogue import unit_of
from app.ui.models.criteria import Card, Content, Part

_SHOWN = 3
ICONS = {
    Kind.FLAG: "flag",
    Kind.CATEGORY: "category",
    Kind.NUMBER: "number",
    Kind.DATE: "date",
    Kind.EVENT: "event",
    Kind.SURVIVAL: "survival",
}


def wide_enough(choice: QComboBox) -> None:
    """Give a choice the width of its longest entry, its frame and arrow included."""
    entries = [choice.itemText(place) for place in range(choice.count())]
    widest = max((choice.fontMetrics().horizontalAdvance(each) for each in entries), default=40)
    choice.setFixedWidth(widest + 46)


def label(variable: Variable) -> str:
    """Return what a variable is called."""
    return variable.label.text(preferred_language())


def name(content: Content, board: Board) -> str:
    """Return what a term is about."""
    if isinstance(content, Saved):
        return content.name
    variable = board.variable(content.code)
    return content.code if variable is None else label(variable)


def icon_of(content: Content, board: Board) -> str:
    """Return the icon of a term."""
    if isinstance(content, Saved):
        return "people"
    variable = board.variable(content.code)
    return "warning" if variable is None else ICONS[variable.kind]


def number_text(number: Decimal) -> str:
    """Return a cut point as people write it here."""
    return decimal_text(number).replace(".", locale().decimalPoint())


def value(content: Content, board: Board) -> str:
    """Return which values a term asks for; empty for a flag or a saved cohort."""
    variable = None if isinstance(content, Saved) else board.variable(content.code)
    match content:
        case Known() if variable is not None:
            return text("ui.explore.any_value")
        case Levels() if variable is not None:
            return _levels(content, variable)
        case Range() if variable is not None:
            return _range(content, unit_of(variable, preferred_language())).rstrip()
    return ""


def _levels(content: Levels, variable: Variable) -> str:
    shown = [each.label.text(preferred_language()) for each in variable.levels if each.code in content.levels]
    listed, more = text("ui.explore.or").join(shown[:_SHOWN]), len(shown) - _SHOWN
    if not shown:
        return text("ui.explore.no_level")
    return text("ui.explore.levels_more", levels=listed, count=more) if more > 0 else listed


def _range(content: Range, unit: str) -> str:
    low, high = ("" if bound is None else number_text(bound) for bound in (content.low, content.high))
    if not high:
        return text("ui.explore.at_least", low=low, unit=unit)
    return (
        text("ui.explore.between", low=low, high=high, unit=unit)
        if low
        else text("ui.explore.under", high=high, unit=unit)
    )


def times_of(variable: Variable) -> str:
    """Return which dates, or which time after the index date, a variable covers; empty for those without times."""
    if (calendar := variable.calendar) is not None:
        first, last = calendar.text(calendar.first), calendar.text(calendar.last)
        return text(f"ui.explore.dates.{calendar.granularity.value}", first=first, last=last)
    if (periods := variable.periods) is not None:
        ends = (periods.first * periods.days, (periods.first + periods.count) * periods.days)
        first, last, days = (number_text(each) for each in (*ends, periods.days))
        return text("ui.explore.periods", count=periods.count, days=days, first=first, last=last)
    return ""


def spoken(part: Part, board: Board) -> str:
    """Return a part as a screen reader says it."""
    if isinstance(part, Card):
        joint = text("ui.explore.all_of") if part.every else text("ui.explore.any_of")
        words = ", ".join(spoken(each, board) for each in part.parts)
        return f"{mode(part.negated)}, {joint}: {words}" if len(part.parts) > 1 else f"{mode(part.negated)}: {words}"
    said = " ".join(filter(None, (name(part.content, board), value(part.content, board))))
    return text("ui.explore.not_term", term=said) if part.negated else said


def mode(negated: bool) -> str:
    """Return what a card asks of patients."""
    return text("ui.explore.must_not") if negated else text("ui.explore.must")
