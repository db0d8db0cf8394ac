"""Relations in time as links between cards: which rows they are drawn between, and how two rows are linked.

A relation is one term, about two events; its row stands on the card of one of them, and the link goes to a row that is
about the other. Nothing of this is kept: it is seen in the terms, so that text and cards always say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from app.core.catalogue.model import Catalogue, Kind
from app.core.errors import UserError
from app.core.query.model import FIRST, Before, Happened, Moment, Occurs, Relation, Within
from app.ui.models.criteria import Card, Content, Criteria, Into, Part, Place, Term, walk
from app.ui.models.scales import periods_of

AFTER, BEFORE, WITHIN = "after", "before", "within"
USUAL_DAYS = Decimal(90)
"""How far a new link reaches."""


@dataclass(frozen=True)
class Sides:
    """A relation as its row says it: the event ``about`` which the row is happened ``how`` (after, before, within)
    the ``other`` one, by at least and at most so many days."""

    how: str
    about: Moment
    other: Moment
    least: Decimal | None = None
    most: Decimal | None = None

    def relation(self) -> Relation:
        """Return the term. Raises UserError ``query.empty_range``."""
        if self.how == WITHIN:
            return Within(self.about, self.other, USUAL_DAYS if self.most is None else self.most)
        earlier, later = (self.other, self.about) if self.how == AFTER else (self.about, self.other)
        return Before(earlier, later, self.least, self.most)


@dataclass(frozen=True)
class Link:
    """A link to draw: from the row of a relation to the row about the other event."""

    term: int
    anchor: int


def event_of(content: Content) -> Moment | None:
    """Return the event that a term is about, and which time of it; None for no event.

    A relation is about the later event, or the one named first if they are in any order.
    """
    match content:
        case Occurs(code):
            return Moment(FIRST, code)
        case Happened(which, code):
            return Moment(which, code)
        case Before(_, later):
            return later
        case Within(one):
            return one
        case _:
            return None


def sides_of(criteria: Criteria, id: int, relation: Relation) -> Sides:
    """Return a relation as the row ``id`` says it: about the later event (the one named first, if they are in any
    order), unless another row is about that one and none about the other."""
    rows = _plain_rows(criteria, id)
    if isinstance(relation, Within):
        about, other = relation.one, relation.other
    else:
        about, other = relation.later, relation.earlier
    turned = other.code not in rows and about.code in rows
    if turned:
        about, other = other, about
    if isinstance(relation, Within):
        return Sides(WITHIN, about, other, None, relation.most)
    return Sides(BEFORE if turned else AFTER, about, other, relation.least, relation.most)


def links_of(criteria: Criteria) -> tuple[Link, ...]:
    """Return the links to draw, in the order of their rows."""
    found = []
    for part in walk(criteria.cards):
        if isinstance(part, Term) and isinstance(part.content, Relation):
            other = sides_of(criteria, part.id, part.content).other.code
            anchor = _plain_rows(criteria, part.id).get(other) or _related_rows(criteria, part.id).get(other)
            if anchor is not None:
                found.append(Link(part.id, anchor))
    return tuple(found)


def _plain_rows(criteria: Criteria, without: int) -> dict[str, int]:
    """Return the first row of each event that asks whether, how often or when it happened."""
    found: dict[str, int] = {}
    for part in walk(criteria.cards):
        if isinstance(part, Term) and part.id != without and isinstance(part.content, Occurs | Happened):
            found.setdefault(part.content.code, part.id)
    return found


def _related_rows(criteria: Criteria, without: int) -> dict[str, int]:
    """Return the first row of each event that a relation is about."""
    found: dict[str, int] = {}
    for part in walk(criteria.cards):
        if isinstance(part, Term) and part.id != without and isinstance(part.content, Relation):
            event = event_of(part.content)
            if event is not None:
                found.setdefault(event.code, part.id)
    return found


def event_row(criteria: Criteria, place: Place, source: int) -> int:
    """Return the first row about an event on the card at ``place``, other than ``source``; 0 for none."""
    card = criteria.find(place.card) if isinstance(place, Into) else None
    rows = card.parts if isinstance(card, Card) else ()
    events = (row.id for row in rows if isinstance(row, Term) and event_of(row.content) is not None)
    return next((id for id in events if id != source), 0)


def check_link(criteria: Criteria, source: int, target: int, catalogue: Catalogue) -> tuple[Moment, Moment]:
    """Return the two events that a link would relate.

    Raises UserError ``criteria.not_events``, ``criteria.same_row`` or ``criteria.periods_differ``.
    """
    rows = [criteria.find(id) for id in (source, target)]
    events = [event_of(row.content) if isinstance(row, Term) else None for row in rows]
    if events[0] is None or events[1] is None:
        raise UserError("criteria.not_events")
    one, other = (catalogue.variable(event.code) for event in events if event is not None)
    if source == target or events[0] == events[1]:
        raise UserError("criteria.same_row")
    if any(each.kind is not Kind.EVENT for each in (one, other)):
        raise UserError("criteria.not_events")
    if periods_of(one).days != periods_of(other).days:
        raise UserError("criteria.periods_differ")
    return events[0], events[1]


def linked(criteria: Criteria, source: int, target: int, catalogue: Catalogue) -> Criteria:
    """Return the criteria with "``source``, then, within 90 days, ``target``". Raises UserError as :func:`check_link`.

    A row that only says that the event happened becomes the relation, which implies it. Where it says more, the
    relation comes beside it, and both are asked for. The id ``next_id`` is new then.
    """
    one, other = check_link(criteria, source, target, catalogue)
    days = periods_of(catalogue.variable(one.code)).days
    reach = max(Decimal(1), USUAL_DAYS // days) * days
    relation = Before(one, other, None, reach)
    row = criteria.find(target)
    if not isinstance(row, Term):
        return criteria
    if row.content == Occurs(other.code, 1):
        return criteria.set_content(target, relation)
    new = Term(criteria.next_id, relation)
    holder = criteria.card_of(target)
    after = replace(criteria, next_id=criteria.next_id + 2)

    def both(part: Part) -> tuple[Part, ...]:
        if isinstance(part, Card):
            return (replace(part, every=True, parts=(*part.parts, new)),)
        kept = replace(part, negated=False)
        return (Card(criteria.next_id + 1, (kept, new), every=True, negated=part.negated),)

    alone = holder is not None and len(holder.parts) == 1 and not row.negated
    return after.edited(holder.id if alone and holder is not None else target, both)


def unlinked(criteria: Criteria, id: int) -> Criteria:
    """Return the criteria with a relation made into having happened at all."""
    row = criteria.find(id)
    if not isinstance(row, Term) or not isinstance(row.content, Relation):
        return criteria
    return criteria.set_content(id, Occurs(sides_of(criteria, id, row.content).about.code, 1))
