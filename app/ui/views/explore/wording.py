"""How terms are said on a card: short, in the reader's language."""

from __future__ import annotations

from decimal import Decimal

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.query.model import Known, Levels, Range, Saved
from app.texts import preferred_language, text
from app.ui.locale import locale
from app.ui.models.board import Board
from app.ui.models.catalogue import unit_of
from app.ui.models.criteria import Card, Content, Part

_SHOWN = 3
ICONS = {Kind.FLAG: "flag", Kind.CATEGORY: "category", Kind.NUMBER: "number"}


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
    if variable is None:
        return ""
    unit = unit_of(variable, preferred_language())
    match content:
        case Known():
            return text("ui.explore.any_value")
        case Levels(_, levels):
            shown = [each.label.text(preferred_language()) for each in variable.levels if each.code in levels]
            if not shown:
                return text("ui.explore.no_level")
            more = len(shown) - _SHOWN
            listed = ", ".join(shown[:_SHOWN])
            return text("ui.explore.levels_more", levels=listed, count=more) if more > 0 else listed
        case Range(_, low, None) if low is not None:
            return text("ui.explore.at_least", low=number_text(low), unit=unit).rstrip()
        case Range(_, None, high) if high is not None:
            return text("ui.explore.under", high=number_text(high), unit=unit).rstrip()
        case Range(_, low, high) if low is not None and high is not None:
            return text("ui.explore.between", low=number_text(low), high=number_text(high), unit=unit).rstrip()
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
