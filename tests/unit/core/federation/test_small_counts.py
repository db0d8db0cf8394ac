"""What sites tell each other of the small counts they want withheld, and what a request has to say of it."""

from __future__ import annotations

from typing import Any

import pytest

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation import query_messages as messages
from app.core.federation import small_counts
from app.core.federation.joining_messages import SMALL_COUNTS_FORMAT, THIS_PROGRAM
from app.core.federation.query_messages import BlobName, Masks, SmallestCount
from app.core.federation.small_counts import Told, binding, strictest

ROSTER: Any = None
READ = small_counts.MESSAGE_TYPES[small_counts.SMALL_COUNTS]


def test_the_strictest_satisfies_everybody() -> None:
    five, eight, hidden = SmallestCount(5, zeros=True), SmallestCount(8, zeros=True), SmallestCount(5, zeros=False)
    assert strictest([]) is None
    assert strictest([None, None]) is None
    assert strictest([None, five]) == five
    assert strictest([five, eight]) == eight
    assert strictest([hidden, eight]) == SmallestCount(8, zeros=False)


def test_a_program_alone_binds_where_all_open_together() -> None:
    assert binding(3, 3) == small_counts.PROGRAM
    assert binding(4, 3) == small_counts.CRYPTOGRAPHY


def test_this_program_reads_it() -> None:
    assert THIS_PROGRAM.formats[SMALL_COUNTS_FORMAT] == (small_counts.VERSION,)


def test_what_is_told_is_read_strictly() -> None:
    assert READ({"number": 1, "least": 11, "zeros": False}, ROSTER) == Told(1, SmallestCount(11, zeros=False))
    assert READ({"number": 2, "least": 0, "zeros": True}, ROSTER) == Told(2, None)
    for wrong in ({"least": 6}, {"least": -5}, {"zeros": 1}, {"number": 0}, {"more": 1}):
        with pytest.raises(ProtocolViolation, match=r"news\.malformed"):
            READ({"number": 1, "least": 11, "zeros": False, **wrong}, ROSTER)


def test_masks_are_read_strictly() -> None:
    masks = Masks(BlobName(bytes(32), 9), (b"one", b"two"))
    body = codec.decode(codec.encode(masks.to_body(2)), 1 << 10)
    assert messages.read_masks(body) == (2, masks)
    assert messages.read_mask_commit({"attempt": 2, "hash": masks.hash}) == (2, masks.hash)
    wrong: list[dict[str, object]] = [
        {"shares": []},
        {"shares": [b"1", b"2", b"3"]},
        {"shares": ["text"]},
        {"shares": [bytes(1 << 16)]},
        {"size": messages.MASKS_LIMIT + 1},
        {"blob": bytes(31)},
        {"attempt": 4},
    ]
    for change in wrong:
        with pytest.raises(ProtocolViolation, match=r"query\.malformed_message"):
            messages.read_masks({**body, **change})


def test_a_commitment_binds_the_encryptions_and_each_share() -> None:
    masks = Masks(BlobName(bytes(32), 9), (b"one", b"two"))
    others = [
        Masks(BlobName(bytes([1]) * 32, 9), masks.shares),
        Masks(masks.blob, (b"two", b"one")),
        Masks(masks.blob, (b"onetwo",)),
    ]
    assert masks.hash not in {other.hash for other in others}
