"""How terms are said on a card: short, in the reader's language."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox

from app.core.catalogue.model import Kind, Variable
from app.core.query.model import Dates, Happened, Known, Levels, Moment, Occurs, Range, Relation, Saved
from app.texts import preferred_language, text
from app.ui.models.board import Board
from app.ui.models.catalogue import unit_of
from app.ui.models.criteria import Card, Content, Part, Term
from app.ui.models.links import BEFORE, WITHIN, Sides, event_of
from app.ui.models.scales import DateScale, number_text, periods_of, time_text

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


def code_of(term: Term, board: Board) -> str:
    """Return the code of the variable that a row is about; empty for a saved cohort."""
    content = term.content
    if isinstance(content, Saved):
        return ""
    if isinstance(content, Relation):
        sides = board.sides(term)
        return "" if sides is None else sides.about.code
    return content.code


def name(term: Term, board: Board) -> str:
    """Return what a row is about."""
    if isinstance(term.content, Saved):
        return term.content.name
    return named(code_of(term, board), board)


def named(code: str, board: Board) -> str:
    """Return what the variable with a code is called; the code where the catalogue has none."""
    variable = board.variable(code)
    return code if variable is None else label(variable)


def icon_of(content: Content, board: Board) -> str:
    """Return the icon of a term."""
    if isinstance(content, Saved):
        return "people"
    event = event_of(content)
    variable = board.variable(event.code if event is not None else getattr(content, "code", ""))
    return "warning" if variable is None else ICONS[variable.kind]


def value(term: Term, board: Board) -> str:  # noqa: PLR0911 - one return a kind of term
    """Return which values a row asks for; empty for a flag or a saved cohort."""
    content = term.content
    if isinstance(content, Saved) or (variable := board.variable(code_of(term, board))) is None:
        return ""
    match content:
        case Known() if variable.kind is Kind.SURVIVAL:
            return text("ui.explore.followed")
        case Known() if variable.kind is Kind.DATE:
            return text("ui.explore.any_date")
        case Known():
            return text("ui.explore.any_value")
        case Levels():
            return _levels(content, variable)
        case Range():
            return _range(content, unit_of(variable, preferred_language())).rstrip()
        case Dates():
            return _dates(content, DateScale(variable))
        case Occurs():
            return text(f"ui.explore.occurs.{content.least}")
        case Happened():
            return text(f"ui.explore.happened_when.{content.which}", when=_window(content, variable))
        case _:
            sides = board.sides(term)
            return "" if sides is None else relation_words(sides, board)


def _dates(content: Dates, scale: DateScale) -> str:
    low, high = ("" if each is None else scale.calendar.text(each) for each in (content.low, content.high))
    if not high:
        return text("ui.explore.dates_from", low=low)
    return text("ui.explore.dates_between", low=low, high=high) if low else text("ui.explore.dates_under", high=high)


def _window(content: Happened, variable: Variable) -> str:
    periods = periods_of(variable)
    low, high = ("" if each is None else time_text(each, periods) for each in (content.low, content.high))
    if not high:
        return text("ui.explore.window_from", low=low)
    return text("ui.explore.window_between", low=low, high=high) if low else text("ui.explore.window_under", high=high)


def relation_words(sides: Sides, board: Board) -> str:
    """Return a relation as its row says it, without the event of the row: "first, within 90 days after first X"."""
    which = text(f"ui.explore.which.{sides.about.which}")
    other = moment_words(sides.other, board)
    return text(f"ui.explore.related.{sides.how}", which=which, apart=apart(sides, board), other=other)


def moment_words(moment: Moment, board: Board) -> str:
    """Return the first or last time of an event in words."""
    return text(f"ui.explore.moment.{moment.which}", name=named(moment.code, board))


def apart(sides: Sides, board: Board) -> str:
    """Return how long is between the two events: "within 90 days", "at least 30 days"; "any time" without bounds."""
    variable = board.variable(sides.about.code)
    if variable is None or variable.periods is None:
        return ""
    least, most = (None if each is None else time_text(each, variable.periods) for each in (sides.least, sides.most))
    if least is None and most is None:
        return text("ui.explore.apart.any")
    if least is None:
        return text("ui.explore.apart.most", most=most)
    return (
        text("ui.explore.apart.least", least=least)
        if most is None
        else text("ui.explore.apart.both", least=least, most=most)
    )


def link_words(sides: Sides, board: Board) -> str:
    """Return what stands on the drawn link: the time between the events, briefly."""
    variable = board.variable(sides.about.code)
    if variable is None or variable.periods is None:
        return ""
    least, most = (None if each is None else time_text(each, variable.periods) for each in (sides.least, sides.most))
    if most is not None:
        return f"± {most}" if sides.how == WITHIN else f"≤ {most}" if least is None else f"{least} – {most}"
    if least is not None:
        return f"≥ {least}"
    return text("ui.explore.link_before") if sides.how == BEFORE else text("ui.explore.link_after")


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
    said = " ".join(filter(None, (name(part, board), value(part, board))))
    return text("ui.explore.not_term", term=said) if part.negated else said


def mode(negated: bool) -> str:
    """Return what a card asks of patients."""
    return text("ui.explore.must_not") if negated else text("ui.explore.must")
