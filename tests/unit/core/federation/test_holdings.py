"""What sites tell each other of their datasets: once, when it changes, and only to programs that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ProtocolViolation
from app.core.federation import envelope as envelopes
from app.core.federation import holdings, news
from app.core.federation.holdings import Holdings, announce, heard
from app.core.federation.joining_messages import THIS_PROGRAM, Program
from app.core.federation.mailroom import Mailroom
from tests.federation_sites import Federation, ready_federation

TYPES = {**news.MESSAGE_TYPES, **holdings.MESSAGE_TYPES}
OLDER = Program("0.0.1", {name: each for name, each in THIS_PROGRAM.formats.items() if name != "holdings"})


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ready_federation(tmp_path) as found:
        yield found


def mailroom(federation: Federation, position: int) -> Mailroom:
    return Mailroom(federation[position].site, TYPES)


def tell(federation: Federation, sender: int, program: Program, number: int = 1) -> None:
    """Have site 1 hear the news of another."""
    body = {"number": number, "program": program.to_plain(), "backed_up": 0}
    other = mailroom(federation, sender)
    draft = other.draft(news.NEWS, news.session_of(federation.roster), body)
    mailroom(federation, 1).receive(draft.envelope)


def said(federation: Federation) -> list[tuple[tuple[int, ...], Holdings]]:
    """What site 1 has said of its holdings, and to whom."""
    rooms = mailroom(federation, 1)
    own = federation[1].profile.inbox.of_session(holdings.session_of(federation.roster), holdings.HOLDINGS)
    return [(envelopes.claimed(each.envelope).recipients, rooms.read(each)) for each in own]


def test_it_is_told_to_those_who_read_it_and_again_when_it_changes(federation: Federation) -> None:
    site, rooms = federation[1].site, mailroom(federation, 1)
    announce(site, rooms, b"\xc0", 2)
    assert said(federation) == [], "nobody has said that it reads it"
    tell(federation, 2, THIS_PROGRAM)
    tell(federation, 3, OLDER)
    for _ in range(2):
        announce(site, rooms, b"\xc0", 2)
    assert said(federation) == [((2,), Holdings(1, b"\xc0", blocks=2))]
    tell(federation, 3, replace(THIS_PROGRAM, version="9"), number=2)
    for bits in (b"\xc0", b"", b""):
        announce(site, rooms, bits, 2 * bool(bits))
    assert said(federation)[1:] == [((2, 3), Holdings(2, b"\xc0", blocks=2)), ((2, 3), Holdings(3, b"", blocks=0))]


def test_a_program_from_before_is_not_told_of_blocks(federation: Federation) -> None:
    site, rooms = federation[1].site, mailroom(federation, 1)
    before = replace(THIS_PROGRAM, formats={**THIS_PROGRAM.formats, holdings.HOLDINGS_FORMAT: (1, 2)})
    tell(federation, 2, THIS_PROGRAM)
    tell(federation, 3, before)
    announce(site, rooms, b"\xc0", 2)
    assert said(federation) == [((2,), Holdings(1, b"\xc0", blocks=2)), ((3,), Holdings(1, b"\xc0"))]


def test_the_highest_number_counts(federation: Federation) -> None:
    sender, reader = mailroom(federation, 2), mailroom(federation, 1)
    for number, bits in ((2, b"\x80"), (1, b"\x40")):
        body = {"number": number, "held": bits}
        reader.receive(sender.draft(holdings.HOLDINGS, holdings.session_of(federation.roster), body).envelope)
    assert heard(federation[1].site, reader) == {2: Holdings(2, b"\x80")}


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"number": 1},
        {"number": 0, "held": b""},
        {"number": True, "held": b""},
        {"number": 1, "held": "x"},
        {"number": 1, "held": bytes(12_501)},
        {"number": 1, "held": b"", "patients": 3},
    ],
)
def test_what_is_malformed_is_refused(federation: Federation, body: Any) -> None:
    with pytest.raises(ProtocolViolation, match=r"news\.malformed"):
        holdings.MESSAGE_TYPES[holdings.HOLDINGS](body, federation.roster)
