"""What custodians sign: the vectors keep loading, and no byte of a record can be changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation.endorsement import read_request
from app.core.federation.people_messages import _CONTENT
from app.core.federation.signed_records import LIMITS, Record
from tests.vectors.make_people_vectors import DIRECTORY, ENDORSEMENT, files, records

KINDS = sorted(LIMITS)


@pytest.mark.parametrize("name", sorted(files()))
def test_vectors_are_what_is_written_today(name: str) -> None:
    assert (DIRECTORY / name).read_bytes() == files()[name]


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_keep_loading(kind: str) -> None:
    record = Record.from_cbor((DIRECTORY / f"{kind}-1.cbor").read_bytes())
    assert record == records()[kind]
    assert _CONTENT[kind](record) is not None


def test_the_endorsement_request_keeps_loading() -> None:
    assert read_request((DIRECTORY / "endorsement-1.txt").read_text()) == ENDORSEMENT


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_a_record_can_be_changed(kind: str) -> None:
    data = records()[kind].to_cbor()
    for place in range(len(data)):
        with pytest.raises(ProtocolViolation) as refused:
            Record.from_cbor(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert refused.value.code.startswith("people."), place


def test_a_signature_is_good_for_one_kind_of_record_alone() -> None:
    verdict = records()["verdict"]
    with pytest.raises(ProtocolViolation, match=r"people\.altered_record"):
        Record.from_cbor(replace(verdict, kind="project").to_cbor())


def test_a_record_is_known_by_what_it_says_and_who_signed() -> None:
    record = records()["delegation"]
    assert record.id == Record.from_cbor(record.to_cbor()).id
    others = {replace(record, at=record.at + 1).id, replace(record, site=1).id, replace(record, issuer=bytes(32)).id}
    assert len(others) == 3
    assert record.id not in others


def test_each_kind_has_its_size() -> None:
    plain = codec.decode(records()["delegation"].to_cbor(), 1 << 12)
    large = codec.encode({**plain, "content": {"more": bytes(LIMITS["delegation"])}})
    with pytest.raises(ProtocolViolation, match=r"people\.malformed_record"):
        Record.from_cbor(large)
