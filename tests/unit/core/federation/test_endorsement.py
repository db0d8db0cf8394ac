"""Endorsement requests: what a mail program does to them is undone; nobody has somebody else's key endorsed."""

from __future__ import annotations

import base64
import textwrap

import pytest

from app.core import codec
from app.core.errors import UserError
from app.core.federation import endorsement
from app.core.federation.endorsement import PREFIX, EndorsementRequest, read_request
from tests.people import ADA

REQUEST = EndorsementRequest(bytes(range(32)), 2, "Ada Lovelace", ADA.public)
TEXT = REQUEST.to_text(ADA)


def refused(text: str) -> str:
    with pytest.raises(UserError) as caught:
        read_request(text)
    return caught.value.code


def plain() -> dict[str, object]:
    letters = TEXT.removeprefix(PREFIX).removesuffix(".").upper()
    found: dict[str, object] = codec.decode(base64.b32decode(letters + "=" * (-len(letters) % 8))[:-4], 1 << 12)
    return found


def made(**changes: object) -> str:
    payload = codec.encode({**plain(), **changes})
    letters = base64.b32encode(payload + endorsement._checksum(payload)).decode().rstrip("=")
    return f"{PREFIX}{letters}."


def test_what_is_written_is_read() -> None:
    assert read_request(TEXT) == REQUEST


def test_what_a_mail_program_does_to_it_is_undone() -> None:
    quoted = textwrap.indent("\n".join(textwrap.wrap(TEXT.upper(), 60)), "> ")
    assert read_request(f"Dear custodian,\n\n{quoted}\n\nAda") == REQUEST


def test_what_cannot_be_undone_is_named() -> None:
    assert refused("Dear custodian") == "endorsement.missing"
    assert refused(TEXT[:-1]) == "endorsement.mangled"
    assert refused(TEXT[:-9] + ".") == "endorsement.mangled"
    assert refused(TEXT.replace("a", "b", 1).replace("consilium-endorsement", "x", 1)) == "endorsement.missing"


def test_no_character_can_be_changed() -> None:
    for place in range(len(PREFIX), len(TEXT) - 1):
        other = "a" if TEXT[place] != "a" else "b"
        assert refused(TEXT[:place] + other + TEXT[place + 1 :]) == "endorsement.mangled", place


def test_it_proves_that_who_asks_has_the_key() -> None:
    assert refused(made(person="Somebody else")) == "endorsement.malformed"
    assert refused(made(site=1)) == "endorsement.malformed"
    assert refused(made(federation=bytes(32))) == "endorsement.malformed"


def test_a_newer_one_says_so() -> None:
    assert refused(made(version=2)) == "endorsement.newer"
    assert refused(made(more=1)) == "endorsement.malformed"
