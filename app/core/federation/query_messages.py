"""The messages of a query's life, read strictly.

All bodies are sealed; ``attempt`` counts from 1. A commitment names the request by its hash: everyone must have heard
the same one. Another quorum is another attempt: re-randomised contributions, new
pads, fresh flooding; the set of contributing sites stays what the first close said. The readers of a contribution
are the quorum and the asker.

    query.request       {query, noise, contributors, quorum, minimum, key, meanings, purpose, deadline}  asker → all
    query.state         {state}       "delivered", "waiting" for a person, "approved"             contributor → asker
                        {state, percent}  "computing"
    query.note          {text}        a question, a reason; empty: a reminder                    asker ↔ site
    query.finish        {}            close with those who have answered                         asker → itself
    query.commit        {attempt, request, hash, noise_bits}                                     contributor → all
    query.decline       {code}                                                                   contributor → all
    query.refuse        {code}        takes no further part, in the quorum neither               any site    → all
    query.close         {contributors, hashes}                                                   asker → all
    query.retry         {attempt, quorum}                                                        asker → all
    query.contribution  {attempt, blob, size}                                                    its readers
    query.share         {attempt, sealed}                                                        quorum → asker
    query.released      {}                                                                       asker → all
    query.fail          {code}                                                                   asker → all
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from app.core import codec
from app.core.crypto.identity import SEAL_BYTES, SealingPublicKey
from app.core.federation.mailroom import Reader
from app.core.fields import Fields
from app.core.query.model import MAX_BYTES as QUERY_LIMIT
from app.core.query.model import Query, codes

REQUEST = "query.request"
COMMIT = "query.commit"
DECLINE = "query.decline"
REFUSE = "query.refuse"
STATE = "query.state"
NOTE = "query.note"
FINISH = "query.finish"
CLOSE = "query.close"
RETRY = "query.retry"
CONTRIBUTION = "query.contribution"
SHARE = "query.share"
RELEASED = "query.released"
FAIL = "query.fail"
MOST_ATTEMPTS = 3
MOST_NOTE = 2000
DELIVERED, WAITING, APPROVED, COMPUTING = "delivered", "waiting", "approved", "computing"
SITE_STATES = (DELIVERED, WAITING, APPROVED, COMPUTING)
_MALFORMED = "query.malformed_message"
_LARGEST_EPSILON = 1 << 20
_SEALED_LIMIT = 1 << 16
CONTRIBUTION_LIMIT = 1 << 20
_MOST_NOISE_BITS = 200
"""More than any release modulus has."""


@dataclass(frozen=True)
class Request:
    """What the asker wants. ``epsilon`` None asks for exact numbers; ``meanings`` are the variables' hashes by code."""

    query: Query
    epsilon: Fraction | None
    contributors: tuple[int, ...]
    quorum: tuple[int, ...]
    minimum: int
    key: SealingPublicKey = field(repr=False)
    meanings: Mapping[str, bytes] = field(repr=False)
    purpose: str
    deadline: int = 0
    """UTC milliseconds at which the set of contributing sites closes; 0 for none."""

    @property
    def results(self) -> int:
        """How many packed numbers the analysis opens."""
        return 1

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the canonical body: what a commitment answers."""
        return codec.digest(["consilium request v1", self.to_body()])

    def to_body(self) -> dict[str, Any]:
        """Return the message's body."""
        epsilon = [] if self.epsilon is None else [self.epsilon.numerator, self.epsilon.denominator]
        return {
            "query": self.query.to_cbor(),
            "noise": epsilon,
            "contributors": list(self.contributors),
            "quorum": list(self.quorum),
            "minimum": self.minimum,
            "key": self.key.value,
            "meanings": dict(self.meanings),
            "purpose": self.purpose,
            "deadline": self.deadline,
        }

    @classmethod
    def from_body(cls, body: object, sites: int, quorum: int) -> Request:
        """Read a request from outside; the quorum must have the roster's size.

        Raises ProtocolViolation ``query.malformed_message``, ``query.malformed`` or ``identity.bad_public_key``.
        """
        fields = Fields(body, _MALFORMED)
        epsilon = fields.items("noise", 2)
        if epsilon and (
            len(epsilon) != 2 or any(type(part) is not int or not 1 <= part <= _LARGEST_EPSILON for part in epsilon)
        ):
            fields.refuse("noise")
        meanings = fields.any("meanings")
        if not isinstance(meanings, dict) or any(
            type(code) is not str or type(value) is not bytes or len(value) != 32 for code, value in meanings.items()
        ):
            fields.refuse("meanings")
        members = fields.positions("quorum", sites)
        if len(members) != quorum:
            fields.refuse("quorum")
        contributors = fields.positions("contributors", sites)
        query = Query.from_cbor(fields.bytes("query", 1, QUERY_LIMIT))
        if set(meanings) != set(codes(query.cohort)):
            fields.refuse("meanings")
        request = cls(
            query=query,
            epsilon=Fraction(*epsilon) if epsilon else None,
            contributors=contributors,
            quorum=members,
            minimum=fields.number("minimum", 1, len(contributors)),
            key=SealingPublicKey(fields.bytes("key", SEAL_BYTES)),
            meanings=meanings,
            purpose=fields.text("purpose", 500),
            deadline=fields.number("deadline", 0, 1 << 52),
        )
        fields.done()
        return request


@dataclass(frozen=True)
class Commitment:
    """A contributor's commitment: to which request, the hash of its contribution, and log2 of its noise bound."""

    request: bytes
    hash: bytes
    noise_bits: int


@dataclass(frozen=True)
class Close:
    """The set of contributing sites, once and for all, and their commitments in the order of ``contributors``."""

    contributors: tuple[int, ...]
    hashes: tuple[bytes, ...]


@dataclass(frozen=True)
class BlobName:
    """A contribution's blob."""

    name: bytes
    size: int


def read_commit(body: object) -> tuple[int, Commitment]:
    """Read ``query.commit``: (attempt, commitment)."""
    fields = Fields(body, _MALFORMED)
    attempt = fields.number("attempt", 1, MOST_ATTEMPTS)
    request, hash_ = fields.bytes("request", 32), fields.bytes("hash", 32)
    commitment = Commitment(request, hash_, fields.number("noise_bits", 1, _MOST_NOISE_BITS))
    fields.done()
    return attempt, commitment


def read_code(body: object) -> str:
    """Read ``query.decline``, ``query.refuse`` or ``query.fail``: a reason's code."""
    fields = Fields(body, _MALFORMED)
    code = fields.text("code", 64)
    fields.done()
    return code


def read_close(body: object, sites: int) -> Close:
    """Read ``query.close``."""
    fields = Fields(body, _MALFORMED)
    contributors = fields.positions("contributors", sites)
    hashes = fields.items("hashes", sites)
    if len(hashes) != len(contributors) or any(type(value) is not bytes or len(value) != 32 for value in hashes):
        fields.refuse("hashes")
    fields.done()
    return Close(contributors, tuple(hashes))


def read_retry(body: object, sites: int, quorum: int) -> tuple[int, tuple[int, ...]]:
    """Read ``query.retry``: (attempt, the other quorum)."""
    fields = Fields(body, _MALFORMED)
    attempt, members = fields.number("attempt", 2, MOST_ATTEMPTS), fields.positions("quorum", sites)
    if len(members) != quorum:
        fields.refuse("quorum")
    fields.done()
    return attempt, members


def read_contribution(body: object) -> tuple[int, BlobName]:
    """Read ``query.contribution``: (attempt, blob)."""
    fields = Fields(body, _MALFORMED)
    attempt = fields.number("attempt", 1, MOST_ATTEMPTS)
    blob = BlobName(fields.bytes("blob", 32), fields.number("size", 1, CONTRIBUTION_LIMIT))
    fields.done()
    return attempt, blob


def read_share(body: object) -> tuple[int, bytes]:
    """Read ``query.share``: (attempt, share sealed to the asker's one-time key)."""
    fields = Fields(body, _MALFORMED)
    attempt, sealed = fields.number("attempt", 1, MOST_ATTEMPTS), fields.bytes("sealed", 1, _SEALED_LIMIT)
    fields.done()
    return attempt, sealed


def read_state(body: object) -> tuple[str, int | None]:
    """Read ``query.state``: (state, percent of a computation)."""
    fields = Fields(body, _MALFORMED)
    state = fields.text("state", 16)
    percent = fields.number("percent", 0, 100) if state == COMPUTING else None
    fields.done()
    if state not in SITE_STATES:
        fields.refuse("state")
    return state, percent


def read_note(body: object) -> str:
    """Read ``query.note``: text, empty for a reminder."""
    fields = Fields(body, _MALFORMED)
    text = fields.any("text")
    fields.done()
    if not isinstance(text, str) or len(text) > MOST_NOTE or not text.replace("\n", " ").isprintable():
        fields.refuse("text")
    return text


def read_finish(body: object) -> None:
    """Read ``query.finish``, which says nothing more."""
    Fields(body, _MALFORMED).done()


def read_released(body: object) -> None:
    """Read ``query.released``, which says nothing more."""
    Fields(body, _MALFORMED).done()


MESSAGE_TYPES: Mapping[str, Reader] = {
    REQUEST: lambda body, roster: Request.from_body(body, len(roster.sites), roster.quorum),
    COMMIT: lambda body, roster: read_commit(body),
    DECLINE: lambda body, roster: read_code(body),
    REFUSE: lambda body, roster: read_code(body),
    STATE: lambda body, roster: read_state(body),
    NOTE: lambda body, roster: read_note(body),
    FINISH: lambda body, roster: read_finish(body),
    CLOSE: lambda body, roster: read_close(body, len(roster.sites)),
    RETRY: lambda body, roster: read_retry(body, len(roster.sites), roster.quorum),
    CONTRIBUTION: lambda body, roster: read_contribution(body),
    SHARE: lambda body, roster: read_share(body),
    RELEASED: lambda body, roster: read_released(body),
    FAIL: lambda body, roster: read_code(body),
}
