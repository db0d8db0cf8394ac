"""Shared cohorts: strictly read, kept apart, bounded, and only told to programs that read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation import cohort_sharing, news
from app.core.federation.cohort_sharing import SHARED, SharedCohort, readers, share, take_in
from app.core.federation.joining_messages import THIS_PROGRAM
from app.core.federation.mailroom import Mailroom
from app.core.query.analyses import Histogram
from app.core.query.model import Flag, Levels, Query, Range
from tests.cohorts import CATALOGUE
from tests.federation_sites import Federation, ready_federation

TYPES = {**news.MESSAGE_TYPES, **cohort_sharing.MESSAGE_TYPES}
SMOKERS = Query(Flag("smoker"))
MEANINGS = {"smoker": CATALOGUE.meaning("smoker")}
BOTH = {"smoker": bytes(32), "age": bytes(32)}
BODY = SharedCohort("Smokers", SMOKERS, MEANINGS, 5).to_plain()


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ready_federation(tmp_path) as found:
        yield found


def mailroom(federation: Federation, position: int) -> Mailroom:
    return Mailroom(federation[position].site, TYPES)


def say(federation: Federation, sender: int, body: object, session: bytes | None = None) -> None:
    """Have site 1 hear and look at what another says."""
    session = session or cohort_sharing.session_of(federation.roster)
    mailroom(federation, 1).receive(mailroom(federation, sender).draft(SHARED, session, body).envelope)
    take_in(federation[1].site, mailroom(federation, 1))


def offered(federation: Federation) -> list[tuple[int, str, bytes]]:
    return [(row.sender, row.name, row.query) for row in federation[1].profile.shared_cohorts.all()]


def test_it_goes_to_programs_that_read_it(federation: Federation) -> None:
    formats = {name: each for name, each in THIS_PROGRAM.formats.items() if name != "shared cohorts"}
    for sender, program in ((2, THIS_PROGRAM), (3, replace(THIS_PROGRAM, formats=formats))):
        body = {"number": 1, "program": program.to_plain(), "backed_up": 0}
        draft = mailroom(federation, sender).draft(news.NEWS, news.session_of(federation.roster), body)
        mailroom(federation, 1).receive(draft.envelope)
    site, room = federation[1].site, mailroom(federation, 1)
    assert readers(site, room) == (2,)
    share(site, room, "Smokers", SMOKERS, (2,))
    take_in(site, room)
    assert offered(federation) == [], "nobody offers something to himself"
    [(_, said)] = room.heard(cohort_sharing.session_of(federation.roster), SHARED)
    assert said == SharedCohort("Smokers", SMOKERS, MEANINGS, said.time)


def test_the_latest_of_a_name_counts_whatever_comes_first(federation: Federation) -> None:
    older = Query(Range("age", None, CATALOGUE.variable("age").cut_points[0]))
    meanings = {"age": CATALOGUE.meaning("age")}
    say(federation, 2, BODY)
    say(federation, 2, SharedCohort("SMOKERS", older, meanings, 4).to_plain())
    say(federation, 3, SharedCohort("Smokers", older, meanings, 1).to_plain())
    assert offered(federation) == [(2, "Smokers", SMOKERS.to_cbor()), (3, "Smokers", older.to_cbor())]
    say(federation, 2, SharedCohort("SMOKERS", older, meanings, 6).to_plain())
    assert offered(federation)[0] == (2, "SMOKERS", older.to_cbor())


def test_one_site_fills_only_its_own_place(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort_sharing, "MOST_OFFERS", 3)
    say(federation, 3, BODY)
    for number in range(6):
        say(federation, 2, {**BODY, "name": f"Smokers {number}"})
    assert [name for sender, name, _ in offered(federation) if sender == 2] == ["Smokers 3", "Smokers 4", "Smokers 5"]
    assert [name for sender, name, _ in offered(federation) if sender == 3] == ["Smokers"]


def test_another_session_counts_for_nothing(federation: Federation) -> None:
    say(federation, 2, BODY, session=bytes(32))
    assert offered(federation) == []
    assert federation[1].refusals == [("cohort.malformed_message", 2)]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": " Smokers"},
        {"name": 'say "a"'},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"query": b""},
        {"query": b"x"},
        {"query": codec.encode({"format": "consilium-query"})},
        {"query": Query(Flag("smoker"), per_site=True).to_cbor()},
        {
            "query": Query(Flag("smoker"), Histogram("age")).to_cbor(),
            "meanings": {"smoker": bytes(32), "age": bytes(32)},
        },
        {"query": Query(Flag("a\x1b[2J")).to_cbor(), "meanings": {"a\x1b[2J": bytes(32)}},
        {"query": Query(Flag('a" or "b')).to_cbor(), "meanings": {'a" or "b': bytes(32)}},
        {"query": Query(Flag("a" * 101)).to_cbor(), "meanings": {"a" * 101: bytes(32)}},
        {"query": Query(Levels("sex", frozenset({'f"} or smoker'}))).to_cbor(), "meanings": {"sex": bytes(32)}},
        {"meanings": {}},
        {"meanings": {"smoker": bytes(31)}},
        {"meanings": {"smoker": "x" * 32}},
        {"meanings": BOTH},
        {"meanings": None},
        {"time": -1},
        {"time": True},
        {"more": 1},
    ],
)
def test_what_is_malformed_is_refused(federation: Federation, changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match=r"cohort\.malformed_message|query\.malformed|codec\."):
        say(federation, 2, {**BODY, **changes})
    assert offered(federation) == []
