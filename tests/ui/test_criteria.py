"""The criteria as cards: every cohort can be shown, nothing is lost, editing does what it says."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import UserError
from app.core.query.canonical import canonical
from app.core.query.model import EVERYONE, All, Any, Cohort, Flag, Known, Levels, Not, Range, saved
from app.core.query.text import format as format_cohort
from app.core.query.text import parse
from app.ui.models.criteria import Between, Card, Criteria, Into, Term, adopted, from_cohort, walk
from app.ui.models.history import History
from tests.cohorts import CATALOGUE, cohorts

SMOKER, CANCER, SEX = Flag("smoker"), Flag("dx:C50"), Levels("sex", frozenset(["female"]))
AGE = Range("age", Decimal(50), None)


def criteria(text: str) -> Criteria:
    return from_cohort(parse(text, CATALOGUE))


def text(cards: Criteria) -> str:
    return format_cohort(cards.cohort(), CATALOGUE)


def term(cards: Criteria, content: object) -> int:
    return next(part.id for part in walk(cards.cards) if isinstance(part, Term) and part.content == content)


@given(cohorts())
def test_every_cohort_becomes_cards_that_say_the_same(cohort: Cohort) -> None:
    cards = from_cohort(cohort)
    assert canonical(cards.cohort(), CATALOGUE) == canonical(cohort, CATALOGUE)
    assert from_cohort(cards.cohort()) == cards or from_cohort(cards.cohort()).cohort() == cards.cohort()
    ids = [part.id for part in walk(cards.cards)]
    assert len(set(ids)) == len(ids)
    assert all(id < cards.next_id for id in ids)


@given(cohorts())
def test_the_text_of_cards_makes_the_same_cards(cohort: Cohort) -> None:
    cards = from_cohort(from_cohort(cohort).cohort())
    assert from_cohort(parse(text(cards), CATALOGUE)).cohort() == cards.cohort()


@given(cohorts(leaves=8), st.data())
def test_any_edit_keeps_ids_apart_and_the_rest_as_it_was(cohort: Cohort, data: st.DataObject) -> None:
    before = from_cohort(cohort)
    parts = list(walk(before.cards))
    if not parts:
        return
    part = data.draw(st.sampled_from(parts))
    after = data.draw(
        st.sampled_from(
            [
                before.remove(part.id),
                before.duplicate(part.id),
                before.negate(part.id),
                before.move(part.id, Between(len(before.cards))),
            ]
        )
    )
    ids = [each.id for each in walk(after.cards)]
    assert len(set(ids)) == len(ids)
    assert from_cohort(cohort) == before
    assert before.negate(part.id).negate(part.id) == before


@pytest.mark.parametrize(
    "said",
    [
        "smoker and sex = female",
        "(smoker or dx:C50) and not (sex = female or age >= 50)",
        "not smoker",
        "smoker or dx:C50 and (sex = female or age < 40)",
        "age in [40, 60) and not (smoker and dx:C50)",
    ],
)
def test_what_people_write_comes_back_as_they_wrote_it(said: str) -> None:
    assert text(criteria(said)) == said


def test_between_cards_is_and_inside_is_or() -> None:
    cards = Criteria().add([SMOKER], Between(0)).add([AGE], Between(1))
    assert cards.cohort() == All((SMOKER, AGE))
    cards = cards.add([CANCER], Into(cards.cards[0].id))
    assert cards.cohort() == All((Any((SMOKER, CANCER)), AGE))
    assert text(cards.set_every(cards.cards[0].id, True)) == "(smoker and dx:C50) and age >= 50"
    assert text(cards.negate(cards.cards[0].id)) == "not (smoker or dx:C50) and age >= 50"
    assert text(cards.add([SEX], Between(1))) == "(smoker or dx:C50) and sex = female and age >= 50"
    assert Criteria().cohort() == EVERYONE


def test_the_same_term_is_not_added_twice() -> None:
    cards = criteria("smoker or dx:C50")
    with pytest.raises(UserError, match=r"criteria\.already_there"):
        cards.add([SMOKER], Into(cards.cards[0].id))
    assert text(cards.add([SMOKER, SEX, SEX], Into(cards.cards[0].id))) == "smoker or dx:C50 or sex = female"


def test_moving_and_nesting() -> None:
    cards = criteria("smoker and (dx:C50 or sex = female) and age >= 50")
    first, second, third = (card.id for card in cards.cards)
    assert text(cards.move(third, Between(0))) == "age >= 50 and smoker and (dx:C50 or sex = female)"
    assert text(cards.move(first, Between(3))) == "(dx:C50 or sex = female) and age >= 50 and smoker"
    assert text(cards.move(term(cards, CANCER), Between(0))) == "dx:C50 and smoker and sex = female and age >= 50"
    assert text(cards.move(term(cards, SMOKER), Between(3))) == "(dx:C50 or sex = female) and age >= 50 and smoker"
    nested = cards.move(first, Into(second))
    assert isinstance(nested.cards[0].parts[2], Card)
    assert text(nested) == "(dx:C50 or sex = female or smoker) and age >= 50"
    with pytest.raises(UserError, match=r"criteria\.into_itself"):
        nested.move(second, Into(first))
    assert text(nested.move(first, Between(2))) == "(dx:C50 or sex = female) and age >= 50 and smoker"


def test_a_negated_term_alone_is_a_card_of_what_must_not_be() -> None:
    cards = criteria("smoker or not dx:C50")
    moved = cards.move(term(cards, CANCER), Between(1))
    assert text(moved) == "smoker and not dx:C50"
    assert moved.cards[1].negated


def test_removing_the_last_term_removes_the_card() -> None:
    cards = criteria("smoker and (dx:C50 or sex = female)")
    assert text(cards.remove(term(cards, SMOKER))) == "dx:C50 or sex = female"
    nested = criteria("smoker or (dx:C50 and sex = female)")
    assert text(nested.remove(term(nested, SMOKER))) == "dx:C50 and sex = female"


def test_terms_are_changed_where_they_stand() -> None:
    cards = Criteria().add([Known("age")], Between(0))
    assert text(cards) == "age known"
    assert text(cards.set_content(term(cards, Known("age")), AGE)) == "age >= 50"


def test_saved_cohorts_are_terms_and_keep_their_name() -> None:
    named = saved("Smokers", Any((SMOKER, CANCER)))
    cards = Criteria().add([named], Between(0)).add([AGE], Between(1))
    assert text(cards) == 'cohort:"Smokers" and age >= 50'
    assert text(cards.negate(cards.cards[0].id)) == 'not cohort:"Smokers" and age >= 50'
    definitions = {"Smokers": Any((SMOKER, CANCER))}
    assert from_cohort(parse(text(cards), CATALOGUE, definitions.get)).cohort() == cards.cohort()
    plain = All((Any((SMOKER, CANCER)), AGE))
    assert canonical(cards.cohort(), CATALOGUE) == canonical(plain, CATALOGUE)


def test_pasting_adds_what_was_copied() -> None:
    cards = criteria("smoker")
    pasted = cards.paste(parse("dx:C50 or sex = female", CATALOGUE), Into(cards.cards[0].id))
    assert text(pasted) == "smoker or dx:C50 or sex = female"
    pasted = cards.paste(parse("dx:C50 and sex = female", CATALOGUE), Between(1))
    assert text(pasted) == "smoker and dx:C50 and sex = female"
    pasted = cards.paste(parse("dx:C50 and sex = female", CATALOGUE), Into(cards.cards[0].id))
    assert text(pasted) == "smoker or dx:C50 and sex = female"
    pasted = cards.paste(Not(CANCER), Into(cards.cards[0].id))
    assert text(pasted) == "smoker or not dx:C50"


def test_cards_that_a_text_leaves_alone_keep_their_ids() -> None:
    cards = criteria("smoker and age >= 50")
    after = adopted(criteria("dx:C50 and age >= 50 and smoker"), cards)
    assert [card.id for card in after.cards[1:]] == [cards.cards[1].id, cards.cards[0].id]
    ids = [part.id for part in walk(after.cards)]
    assert len(set(ids)) == len(ids)


def test_history_goes_back_and_forth_and_merges_what_belongs_together(qapp: object) -> None:
    history = History(Criteria())
    steps = [Criteria().add([SMOKER], Between(0))]
    history.apply(steps[0], "add")
    for low in (40, 50, 60):
        after = steps[0].add([Range("age", Decimal(low), None)], Between(1))
        history.apply(after, "range", merging="1")
    assert history.stack.count() == 2
    history.stack.undo()
    assert history.value == steps[0]
    history.stack.undo()
    assert history.value == Criteria()
    history.stack.redo()
    history.stack.redo()
    assert text(history.value) == "smoker and age >= 60"
    assert history.stack.undoLimit() == 0
