"""Links in time between rows: what they say, what is drawn, how two rows are linked and let go."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.core.errors import UserError
from app.core.query.model import Before, Moment, Occurs, Within
from app.core.query.text import format as format_cohort
from app.core.query.text import parse
from app.ui.models.criteria import Criteria, Term, from_cohort, walk
from app.ui.models.links import AFTER, BEFORE, WITHIN, Link, Sides, linked, links_of, sides_of, unlinked
from tests.ui.examples_melanoma import CATALOGUE

BOTH = "dx:C43 occurs and rx:L01 occurs"


def criteria(text: str) -> Criteria:
    return from_cohort(parse(text, CATALOGUE))


def text(cards: Criteria) -> str:
    return format_cohort(cards.cohort(), CATALOGUE)


def rows(cards: Criteria) -> list[int]:
    return [part.id for part in walk(cards.cards) if isinstance(part, Term)]


def sides(cards: Criteria, row: int) -> Sides:
    part = cards.find(rows(cards)[row])
    assert isinstance(part, Term)
    assert isinstance(part.content, Before | Within)
    return sides_of(cards, part.id, part.content)


def test_linking_says_then_within_90_days() -> None:
    cards = criteria(BOTH)
    first, second = rows(cards)
    after = linked(cards, first, second, CATALOGUE)
    assert text(after) == "dx:C43 occurs and first dx:C43 before first rx:L01 by at most 90 days"
    assert links_of(after) == (Link(second, first),)
    assert sides(after, 1) == Sides(AFTER, Moment("first", "rx:L01"), Moment("first", "dx:C43"), None, Decimal(90))
    assert text(unlinked(after, second)) == BOTH


def test_what_must_not_be_is_linked_too() -> None:
    cards = criteria("dx:C43 occurs and not rx:L04 occurs")
    after = linked(cards, *rows(cards), CATALOGUE)
    assert text(after) == "dx:C43 occurs and not first dx:C43 before first rx:L04 by at most 90 days"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "dx:C43 occurs and rx:L01 at least 3 times",
            "dx:C43 occurs and (rx:L01 at least 3 times and first dx:C43 before first rx:L01 by at most 90 days)",
        ),
        (
            "last dx:C43 < 60 days and (rx:L01 at least 2 times or BRAF)",
            "last dx:C43 < 60 days and "
            "((rx:L01 at least 2 times and last dx:C43 before first rx:L01 by at most 90 days) or BRAF)",
        ),
    ],
)
def test_a_row_that_says_more_keeps_it(before: str, after: str) -> None:
    cards = criteria(before)
    first, second = rows(cards)[:2]
    found = linked(cards, first, second, CATALOGUE)
    assert found.cohort() == criteria(after).cohort()
    ids = [part.id for part in walk(found.cards)]
    assert len(set(ids)) == len(ids)
    assert all(id < found.next_id for id in ids)
    assert isinstance(found.find(cards.next_id), Term)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("dx:C43 occurs and age >= 50", "criteria.not_events"),
        ("dx:C43 occurs and dx:C43 at least 2 times", "criteria.same_row"),
        ("dx:C43 occurs and relapse occurs", "criteria.periods_differ"),
    ],
)
def test_what_cannot_be_linked_is_refused(said: str, code: str) -> None:
    cards = criteria(said)
    with pytest.raises(UserError, match=code.replace(".", r"\.")):
        linked(cards, *rows(cards), CATALOGUE)


def test_a_row_says_the_relation_from_its_own_side() -> None:
    cards = criteria("dx:C43 occurs and last rx:L04 before first dx:C43 by at most 90 days")
    assert sides(cards, 1) == Sides(BEFORE, Moment("last", "rx:L04"), Moment("first", "dx:C43"), None, Decimal(90))
    alone = criteria("last rx:L04 before first dx:C43")
    assert sides(alone, 0) == Sides(AFTER, Moment("first", "dx:C43"), Moment("last", "rx:L04"))
    assert links_of(alone) == ()
    either = criteria("first rx:L04 within 60 days of first dx:C43")
    assert sides(either, 0).about == Moment("first", "rx:L04")


def test_links_hang_together() -> None:
    cards = criteria(
        "dx:C43 occurs and first rx:L01 after first dx:C43 and first rx:L04 within 60 days of first rx:L01"
    )
    first, second, third = rows(cards)
    assert links_of(cards) == (Link(second, first), Link(third, second))


@pytest.mark.parametrize("how", [AFTER, BEFORE, WITHIN])
def test_what_a_row_says_is_what_it_says_again(how: str) -> None:
    cards = criteria("dx:C43 occurs and rx:L01 occurs")
    wanted = Sides(how, Moment("last", "rx:L01"), Moment("first", "dx:C43"), None, Decimal(120))
    after = cards.set_content(rows(cards)[1], wanted.relation())
    assert sides(after, 1) == wanted
    again = criteria(text(after))
    assert again.cohort() == after.cohort()
    assert sides(again, 1) == wanted


def test_only_relations_are_let_go() -> None:
    cards = criteria("rx:L01 at least 2 times")
    assert unlinked(cards, rows(cards)[0]) is cards
    related = criteria("first rx:L01 after first dx:C43")
    assert text(unlinked(related, rows(related)[0])) == "rx:L01 occurs"
    assert Occurs("rx:L01", 1) in {
        part.content for part in walk(unlinked(related, rows(related)[0]).cards) if isinstance(part, Term)
    }
