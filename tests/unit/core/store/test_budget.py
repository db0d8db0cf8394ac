"""The ledger of charges, and the sets of sites that answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from app.core.store.budget import AnsweredSet, Charge
from app.core.store.profile import Profile

CHARGE = Charge(
    session=b"s" * 32,
    at=5,
    release=b"r" * 32,
    query_hash=b"q" * 32,
    dataset=b"d" * 32,
    dataset_version=2,
    asker=3,
    person="Dr Who",
    project=b"p" * 16,
    epsilon=Fraction(1, 3),
    exact=0,
)
COHORTS = (b"a" * 32, b"b" * 32)


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    with Profile.create(tmp_path / "profile", program="test", now=1) as opened:
        yield opened


def test_a_charge_is_kept_exactly_and_once(profile: Profile) -> None:
    charges = profile.charges
    with profile.database.atomic():
        charges.add(CHARGE)
        charges.add(replace(CHARGE, session=b"t" * 32, release=b"x" * 32, epsilon=Fraction(0), exact=1))
    assert [each.epsilon for each in charges.all()] == [Fraction(1, 3), Fraction(0)]
    assert charges.all()[0] == charges.of_session(CHARGE.session) == CHARGE
    assert charges.has(CHARGE.release)
    assert not charges.has(b"z" * 32)
    assert charges.of_session(b"z" * 32) is None
    for twice in (replace(CHARGE, session=b"u" * 32), replace(CHARGE, release=b"y" * 32)):
        with pytest.raises(sqlite3.IntegrityError), profile.database.atomic():
            charges.add(twice)
    with pytest.raises(sqlite3.ProgrammingError):
        charges.add(replace(CHARGE, session=b"u" * 32, release=b"y" * 32))  # not in the transaction of what it pays


def test_sets_are_kept_by_cohort_and_dataset(profile: Profile) -> None:
    sets, first = profile.answered_sets, AnsweredSet(b"1" * 32, 1, (1, 2, 3))
    sets.note(first, COHORTS, b"d", now=1)
    sets.note(AnsweredSet(b"2" * 32, 2, (1, 2)), COHORTS[:1], b"d", now=2)
    sets.note(AnsweredSet(b"3" * 32, 2, (1, 2, 3)), COHORTS[:1], b"d", now=3)  # the same set again
    sets.note(AnsweredSet(b"4" * 32, 2, (2, 3)), COHORTS[:1], b"another dataset", now=4)
    assert sets.of_cohort(COHORTS[0], b"d") == ((1, 2, 3), (1, 2))
    assert sets.of_cohort(COHORTS[1], b"d") == ((1, 2, 3),)
    assert sets.of_cohort(COHORTS[0], b"another dataset") == ((2, 3),)
    sets.note(replace(first, sites=(9,)), COHORTS, b"d", now=9)  # the first word stands
    assert sets.of_cohort(COHORTS[1], b"d") == ((1, 2, 3),)


def test_what_is_not_kept_yet_is_known(profile: Profile) -> None:
    for session in (b"1" * 32, b"2" * 32):
        profile.sessions.add(session, kind="query", state="open", data=b"", now=1)
    profile.sessions.add(b"3" * 32, kind="ceremony", state="open", data=b"", now=1)
    profile.answered_sets.note(AnsweredSet(b"1" * 32, 1, (1, 2)), COHORTS, b"", now=1)
    assert profile.answered_sets.unknown("query") == (b"2" * 32,)
    assert profile.answered_sets.known(b"1" * 32)
    assert not profile.answered_sets.known(b"2" * 32)
