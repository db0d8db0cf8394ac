"""A request as it travels: what is new is only there where it is used, and what is wrong in it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.crypto.identity import SealingKey
from app.core.errors import ProtocolViolation
from app.core.federation.query_messages import Authority, Request, SmallestCount
from app.core.query.model import Flag, Query

PLAIN = Request(
    query=Query(Flag("died")),
    epsilon=None,
    contributors=(1, 2, 3),
    quorum=(1, 2, 3),
    minimum=3,
    key=SealingKey.generate(lambda count: bytes(range(count))).public,
    meanings={"died": bytes(32)},
    purpose="A study",
)
AUTHORITY = Authority(delegation=b"signed", project=b"p" * 16, signature=b"s" * 64)
ASKED = replace(PLAIN, authority=AUTHORITY, smallest=SmallestCount(11, zeros=False))


def read(body: object) -> Request:
    return Request.from_body(body, 3, 3)


@pytest.mark.parametrize("request_", [PLAIN, ASKED, replace(PLAIN, smallest=SmallestCount(5, zeros=True))])
def test_it_is_read_as_it_was_written(request_: Request) -> None:
    assert read(request_.to_body()) == request_


def test_what_programs_from_before_read_is_written_as_before() -> None:
    assert not {"authority", "smallest"} & PLAIN.to_body().keys()
    assert (PLAIN.version, ASKED.version) == (1, 3)


def test_a_person_signs_all_but_their_own_signature() -> None:
    unsigned = replace(AUTHORITY, signature=b"")
    signed = {each.signed_part() for each in (ASKED, replace(ASKED, authority=unsigned))}
    assert len(signed) == 1
    changed = [replace(ASKED, smallest=None), replace(ASKED, minimum=2), replace(ASKED, purpose="Another")]
    changed += [replace(ASKED, authority=replace(AUTHORITY, project=each)) for each in (b"", b"q" * 16)]
    changed += [replace(ASKED, authority=replace(AUTHORITY, delegation=b"a stronger one"))]
    assert not signed & {each.signed_part() for each in changed}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("smallest", {"least": 6}),
        ("smallest", {"least": True}),
        ("smallest", {"zeros": 1}),
        ("smallest", {"more": 1}),
        ("authority", {"signature": b"s" * 63}),
        ("authority", {"project": b"p" * 15}),
        ("authority", {"delegation": b""}),
        ("authority", {"delegation": bytes(4097)}),
    ],
)
def test_what_is_wrong_is_refused(field: str, change: dict[str, Any]) -> None:
    body = ASKED.to_body()
    with pytest.raises(ProtocolViolation, match=r"query\.malformed_message"):
        read({**body, field: {**body[field], **change}})


@pytest.mark.parametrize("value", [None, [], b"", "smallest"])
@pytest.mark.parametrize("field", ["smallest", "authority"])
def test_what_is_no_map_is_refused(field: str, value: object) -> None:
    with pytest.raises(ProtocolViolation, match=r"query\.malformed_message"):
        read({**ASKED.to_body(), field: value})


def test_noised_numbers_are_not_withheld_by_cryptography() -> None:
    body = replace(PLAIN, smallest=SmallestCount(11, zeros=False)).to_body()
    with pytest.raises(ProtocolViolation, match=r"query\.malformed_message"):
        read({**body, "noise": [1, 2]})
