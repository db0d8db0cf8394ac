"""The criteria that are being edited, as cards: a frozen tree with stable ids, and pure functions that edit it.

Between cards stands *and*. Inside a card stands *or* (``every``: *and*); a card can be one that patients must not have
(``negated``), and it can hold cards. Every cohort can be shown like this: what is no row of simple cards becomes cards
within cards. The way back may leave out what changes nothing (a group of one, a double negation), never what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from app.core.errors import UserError
from app.core.query.model import EVERYONE, All, Any, Cohort, Flag, Known, Not, Occurs, Saved, check_size
from app.core.query.model import Term as Asked

Content: TypeAlias = Asked | Saved
"""What a term asks for; what is not narrowed yet asks for any known value, an event for having happened."""


@dataclass(frozen=True, slots=True)
class Term:
    """One row of a card."""

    id: int
    content: Content
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A group of criteria: any of its parts, or all of them (``every``)."""

    id: int
    parts: tuple[Part, ...]
    every: bool = False
    negated: bool = False


Part: TypeAlias = Term | Card


@dataclass(frozen=True, slots=True)
class Into:
    """The place at the end of a card."""

    card: int


@dataclass(frozen=True, slots=True)
class Between:
    """The place before the ``index``-th card of the canvas: a card of its own."""

    index: int


Place: TypeAlias = Into | Between


@dataclass(frozen=True, slots=True)
class Criteria:
    """All cards; ``next_id`` is an id that nothing had yet. Editing returns other criteria."""

    cards: tuple[Card, ...] = ()
    next_id: int = 1

    # --- looking --------------------------------------------------------------------------------------------------

    def find(self, id: int) -> Part | None:
        """Return the part with this id, or None."""
        return next((part for part in walk(self.cards) if part.id == id), None)

    def card_of(self, id: int) -> Card | None:
        """Return the card that holds the part ``id`` directly; None for a card of the canvas."""
        cards = (part for part in walk(self.cards) if isinstance(part, Card))
        return next((card for card in cards if any(part.id == id for part in card.parts)), None)

    def cohort(self) -> Cohort:
        """Return the cohort that the cards say. Raises UserError ``query.too_deep``, ``query.too_many_terms``."""
        said = [_said(card) for card in self.cards]
        cohort = said[0] if len(said) == 1 else All(tuple(said)) if said else EVERYONE
        check_size(cohort)
        return cohort

    # --- editing --------------------------------------------------------------------------------------------------

    def add(self, contents: Iterable[Content], place: Place) -> Criteria:
        """Add terms to a card, or as a new card. Raises UserError ``criteria.already_there`` if nothing is new."""
        criteria, terms = self, []
        there = {part.content for part in self._parts_at(place) if isinstance(part, Term) and not part.negated}
        for content in dict.fromkeys(contents):
            if content not in there:
                terms.append(Term(criteria.next_id, content))
                criteria = replace(criteria, next_id=criteria.next_id + 1)
        if not terms:
            raise UserError("criteria.already_there")
        return criteria._placed(terms, place)

    def remove(self, id: int) -> Criteria:
        """Take a part away, and the card with its last part."""
        return replace(self, cards=_cards(_without(self.cards, id)))

    def move(self, id: int, place: Place) -> Criteria:
        """Put a part somewhere else; a card put into a card is nested. Raises UserError ``criteria.into_itself``."""
        part = self.find(id)
        if part is None:
            return self
        if isinstance(place, Into):
            inside = {each.id for each in walk((part,))}
            if place.card in inside:
                raise UserError("criteria.into_itself")
            if any(each.id == id for each in self._parts_at(place)):
                return self
            if isinstance(part, Term) and any(
                isinstance(each, Term) and (each.content, each.negated) == (part.content, part.negated)
                for each in self._parts_at(place)
            ):
                raise UserError("criteria.already_there")
        else:
            before = [card.id for card in self.cards[: place.index]]
            place = Between(place.index - (id in before))
        emptied = self._emptied_before(id, place)
        if isinstance(place, Between):
            place = Between(place.index - emptied)
        return self.remove(id)._placed([part], place)

    def _emptied_before(self, id: int, place: Place) -> int:
        """Return 1 if the canvas loses a card before ``place`` because its only part, ``id``, goes away."""
        if not isinstance(place, Between):
            return 0
        return sum(len(_without((card,), id)) == 0 and card.id != id for card in self.cards[: place.index])

    def duplicate(self, id: int) -> Criteria:
        """Put a copy of a part after it."""
        part = self.find(id)
        if part is None:
            return self
        copy, next_id = _numbered(part, self.next_id)
        return self.edited(id, lambda found: (found, copy), next_id)

    def negate(self, id: int) -> Criteria:
        """Turn must have into must not have, or back."""
        return self.edited(id, lambda part: (replace(part, negated=not part.negated),))

    def set_every(self, id: int, every: bool) -> Criteria:
        """Let a card ask for all of its parts, or for any of them."""
        return self.edited(id, lambda part: (replace(part, every=every) if isinstance(part, Card) else part,))

    def set_content(self, id: int, content: Content) -> Criteria:
        """Change what a term asks for."""
        return self.edited(id, lambda part: (replace(part, content=content) if isinstance(part, Term) else part,))

    def paste(self, cohort: Cohort, place: Place) -> Criteria:
        """Add what a cohort says."""
        added = from_cohort(cohort, self.next_id)
        criteria = replace(self, next_id=added.next_id)
        if isinstance(place, Between):
            cards = (*self.cards[: place.index], *added.cards, *self.cards[place.index :])
            return replace(criteria, cards=cards)
        parts: list[Part] = []
        for card in added.cards:  # those that say "any of", or have one part, need no card within the card
            if len(card.parts) == 1 and isinstance(card.parts[0], Term):
                parts.append(replace(card.parts[0], negated=card.negated != card.parts[0].negated))
            elif card.every or card.negated or len(added.cards) > 1:
                parts.append(card)
            else:
                parts += card.parts
        if len(parts) > 1 and len(added.cards) > 1:  # copied cards are joined by "and"
            parts = [Card(added.next_id, tuple(parts), every=True)]
            criteria = replace(criteria, next_id=added.next_id + 1)
        return criteria._placed(parts, place)

    def _parts_at(self, place: Place) -> tuple[Part, ...]:
        card = self.find(place.card) if isinstance(place, Into) else None
        return card.parts if isinstance(card, Card) else ()

    def _placed(self, parts: Sequence[Part], place: Place) -> Criteria:
        if isinstance(place, Into):
            added = self.edited(
                place.card,
                lambda card: (replace(card, parts=(*card.parts, *parts)) if isinstance(card, Card) else card,),
            )
            if added is self:  # the card went away with the part that moves out of it
                return self._placed(parts, Between(len(self.cards)))
            return added
        if len(parts) == 1 and isinstance(parts[0], Card):
            card, next_id = parts[0], self.next_id
        else:
            card, next_id = Card(self.next_id, tuple(parts)), self.next_id + 1
            if len(parts) == 1 and parts[0].negated:  # on a card of its own, the card says must not have
                card = Card(card.id, (replace(parts[0], negated=False),), negated=True)
        return Criteria((*self.cards[: place.index], card, *self.cards[place.index :]), next_id)

    def edited(self, id: int, edit: Callable[[Part], tuple[Part, ...]], next_id: int = 0) -> Criteria:
        """Return the criteria with the part ``id`` replaced; the same ones if it is not there."""
        parts = _edited(self.cards, id, edit)
        if parts is self.cards:
            return self
        return Criteria(tuple(part for part in parts if isinstance(part, Card)), max(next_id, self.next_id))


def walk(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield every part, each before what it holds."""
    for part in parts:
        yield part
        if isinstance(part, Card):
            yield from walk(part.parts)


def initial(code: str, kind: str) -> Content:
    """Return the term with which a variable of this kind comes onto the canvas."""
    return Flag(code) if kind == "flag" else Occurs(code, 1) if kind == "event" else Known(code)


def from_cohort(cohort: Cohort, next_id: int = 1) -> Criteria:
    """Return the cards that say ``cohort``, with ids from ``next_id`` on."""
    base, negated = _bare(cohort)
    children: tuple[Cohort, ...] = (cohort,)
    if isinstance(base, All) and not isinstance(base, Saved) and not negated:
        children = base.cohorts
    cards: list[Card] = []
    for child in children:
        part, next_id = _part(child, next_id)
        if isinstance(part, Term):
            bare = replace(part, negated=False)
            part, next_id = Card(next_id, (bare,), negated=part.negated), next_id + 1
        cards.append(part)
    return Criteria(tuple(cards), next_id)


def adopted(new: Criteria, old: Criteria) -> Criteria:
    """Return ``new`` with the cards of ``old`` where they say the same, so that what is shown of them stays."""
    left = list(old.cards)
    found: list[Card] = []
    next_id = max(old.next_id, 1)
    for card in new.cards:
        same = next((each for each in left if _said(each) == _said(card)), None)
        if same is not None:
            left.remove(same)
            found.append(same)
        else:
            copy, next_id = _numbered(card, next_id)
            found += [copy] if isinstance(copy, Card) else []
    return Criteria(tuple(found), next_id)


def _said(part: Part) -> Cohort:
    cohort: Cohort
    if isinstance(part, Term):
        cohort = part.content
    elif len(part.parts) == 1:
        cohort = _said(part.parts[0])
    else:
        parts = tuple(map(_said, part.parts))
        cohort = All(parts) if part.every else Any(parts)
    if not part.negated:
        return cohort
    return cohort.cohort if isinstance(cohort, Not) else Not(cohort)


def _bare(cohort: Cohort) -> tuple[Cohort, bool]:
    """Return ``cohort`` without negations and groups of one around it, and whether it is negated."""
    negated = False
    while True:
        match cohort:
            case Saved():
                return cohort, negated
            case Not(child):
                cohort, negated = child, not negated
            case All((child,)) | Any((child,)):
                cohort = child
            case _:
                return cohort, negated


def _part(cohort: Cohort, next_id: int) -> tuple[Part, int]:
    base, negated = _bare(cohort)
    match base:
        case Saved():
            return Term(next_id, base, negated), next_id + 1
        case All(children) | Any(children):
            parts, id = [], next_id
            next_id += 1
            for child in children:
                part, next_id = _part(child, next_id)
                parts.append(part)
            return Card(id, tuple(parts), every=isinstance(base, All), negated=negated), next_id
        case Not():
            raise AssertionError("the negations were taken off")
        case _:
            return Term(next_id, base, negated), next_id + 1


def _numbered(part: Part, next_id: int) -> tuple[Part, int]:
    """Return a copy with ids from ``next_id`` on."""
    if isinstance(part, Term):
        return replace(part, id=next_id), next_id + 1
    id, parts = next_id, []
    next_id += 1
    for each in part.parts:
        copy, next_id = _numbered(each, next_id)
        parts.append(copy)
    return replace(part, id=id, parts=tuple(parts)), next_id


def _edited(parts: tuple[Part, ...], id: int, edit: Callable[[Part], tuple[Part, ...]]) -> tuple[Part, ...]:
    found: list[Part] = []
    changed = False
    for part in parts:
        if part.id == id:
            found += edit(part)
            changed = True
        elif isinstance(part, Card):
            inner = _edited(part.parts, id, edit)
            changed |= inner is not part.parts
            found.append(part if inner is part.parts else replace(part, parts=inner))
        else:
            found.append(part)
    return tuple(found) if changed else parts


def _without(parts: Iterable[Part], id: int) -> tuple[Part, ...]:
    """Return the parts without one; a card that loses its last part goes, one left with a single card becomes that."""
    found: list[Part] = []
    for part in parts:
        if part.id == id:
            continue
        if isinstance(part, Term) or not any(each.id == id for each in walk(part.parts)):
            found.append(part)
            continue
        inner = _without(part.parts, id)
        if len(inner) == 1 and isinstance(inner[0], Card):
            only = inner[0]
            found.append(replace(only, id=part.id, negated=only.negated != part.negated))
        elif inner:
            found.append(replace(part, parts=inner))
    return tuple(found)


def _cards(parts: Iterable[Part]) -> tuple[Card, ...]:
    return tuple(part for part in parts if isinstance(part, Card))
