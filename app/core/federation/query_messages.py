"""The messages of a query's life, read strictly.

All bodies are sealed; ``attempt`` counts from 1. A commitment names the request by its hash: everyone must have heard
the same one. Another quorum is another attempt: re-randomised contributions, new
pads, fresh flooding; the set of contributing sites stays what the first close said. The readers of a contribution
are the quorum and the asker.

    query.request       {query, noise, contributors, quorum, minimum, key, meanings, purpose, deadline}  asker → all
                        {…, blocks, results}  for a query of version 2, which programs of format "query" 2 read
                        {…, authority}  where a person asks, {…, smallest}  where small counts are withheld: format 3
    query.state         {state}       "delivered", "waiting" for a person, "approved"             contributor → asker
                        {state, percent}  "computing"
    query.note          {text}        a question, a reason; empty: a reminder                    asker ↔ site
    query.finish        {}            close with those who have answered                         asker → itself
    query.commit        {attempt, request, hash, noise_bits}                                     contributor → all
    query.decline       {code}                                                                   contributor → all
    query.reason        {code, params}  which rule of which version declined, of whom, by how much  contributor → asker
    query.refuse        {code}        takes no further part, in the quorum neither               any site    → all
    query.close         {contributors, hashes}                                                   asker → all
    query.retry         {attempt, quorum}                                                        asker → all
    query.contribution  {attempt, blob, size}                                                    its readers
    query.mask_commit   {attempt, hash}                 where small counts are withheld          quorum → quorum
    query.masks         {attempt, blob, size, shares}                                            quorum → quorum
    query.share         {attempt, sealed}                                                        quorum → asker
    query.released      {}                                                                       asker → all
    query.fail          {code}                                                                   asker → all
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from app.core import codec
from app.core.crypto.identity import SEAL_BYTES, SealingPublicKey
from app.core.federation.mailroom import Reader
from app.core.fields import Fields
from app.core.query.cells import MOST_CELLS
from app.core.query.model import MAX_BYTES as QUERY_LIMIT
from app.core.query.model import Query

REQUEST = "query.request"
COMMIT = "query.commit"
DECLINE = "query.decline"
REASON = "query.reason"
REFUSE = "query.refuse"
STATE = "query.state"
NOTE = "query.note"
FINISH = "query.finish"
CLOSE = "query.close"
RETRY = "query.retry"
CONTRIBUTION = "query.contribution"
MASK_COMMIT = "query.mask_commit"
MASKS = "query.masks"
SHARE = "query.share"
RELEASED = "query.released"
FAIL = "query.fail"
MOST_ATTEMPTS = 3
MOST_NOTE = 2000
MOST_REASON_PARAMS, MOST_REASON_NAME, MOST_REASON_TEXT = 16, 32, 200
DELIVERED, WAITING, APPROVED, COMPUTING = "delivered", "waiting", "approved", "computing"
SITE_STATES = (DELIVERED, WAITING, APPROVED, COMPUTING)
_MALFORMED = "query.malformed_message"
_LARGEST_EPSILON = 1 << 20
_MOST_BLOCKS = 1 << 12
_SEALED_LIMIT = 1 << 17
CONTRIBUTION_LIMIT = 1 << 20
MASKS_LIMIT = 1 << 23
_MOST_MASKED = 2
"""Masked openings: of the total, and of the total without the asker's site."""
_SHARE_LIMIT = 1 << 15
_MOST_NOISE_BITS = 200
"""More than any release modulus has."""
LEAST_COUNTS = (5, 8, 11)
PROJECT_BYTES = 16
_MOST_DELEGATION = 1 << 12


@dataclass(frozen=True)
class Authority:
    """For whom a request is made: a person whom the asker's site has endorsed, maybe under a project.

    ``delegation`` is the signed record that endorses the person, ``project`` the id of a project or empty;
    ``signature`` is made with the person's key over :meth:`Request.signed_part`. Before there is one it is empty.
    """

    delegation: bytes
    project: bytes
    signature: bytes = b""

    @classmethod
    def from_plain(cls, plain: object) -> Authority:
        """Read what a request has; raises ProtocolViolation ``query.malformed_message``."""
        fields = Fields(plain, _MALFORMED)
        authority = cls(
            delegation=fields.bytes("delegation", 1, _MOST_DELEGATION),
            project=fields.bytes("project", 0, PROJECT_BYTES),
            signature=fields.bytes("signature", 64),
        )
        fields.done()
        if len(authority.project) not in (0, PROJECT_BYTES):
            fields.refuse("project")
        return authority


@dataclass(frozen=True)
class SmallestCount:
    """Numbers below ``least`` patients (5, 8 or 11) are withheld, zero too unless ``zeros`` are shown."""

    least: int
    zeros: bool

    @classmethod
    def from_plain(cls, plain: object) -> SmallestCount:
        """Read what a request has; raises ProtocolViolation ``query.malformed_message``."""
        fields = Fields(plain, _MALFORMED)
        least, zeros = fields.number("least", 1, max(LEAST_COUNTS)), fields.any("zeros")
        fields.done()
        if least not in LEAST_COUNTS or type(zeros) is not bool:
            fields.refuse("least")
        return cls(least, zeros)


@dataclass(frozen=True)
class Request:
    """What the asker wants. ``epsilon`` None asks for exact numbers; ``meanings`` are the variables' hashes by code.

    ``blocks`` is how many blocks of patients each contributor's dataset has at the most: with the query it says which
    of the ``results`` numbers that are opened is what (:mod:`app.core.query.placing`). A request for a bare count, as
    programs from before read it, leaves it empty.
    """

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
    blocks: tuple[int, ...] = ()
    results: int = 1
    """How many packed numbers are opened, a power of two."""
    authority: Authority | None = field(default=None, repr=False)
    """None: the asker's site itself asks."""
    smallest: SmallestCount | None = None
    """None: every number is told as it is."""

    @property
    def version(self) -> int:
        """The version of the format "query" that a program must read to answer this."""
        return self.query.version if self.authority is None and self.smallest is None else 3

    def signed_part(self) -> bytes:
        """Return what the person who asks signs: SHA-256 of all but the signature.

        Role and project are signed too: nobody else puts the question under a stronger endorsement of the same key, or
        under another project.
        """
        body = self.to_body()
        if self.authority is not None:
            body["authority"] = {"delegation": self.authority.delegation, "project": self.authority.project}
        return codec.digest(["consilium asked by v1", body])

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
            **({"blocks": list(self.blocks), "results": self.results} if self.query.version > 1 else {}),
            **({} if self.authority is None else {"authority": asdict(self.authority)}),
            **({} if self.smallest is None else {"smallest": asdict(self.smallest)}),
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
        if set(meanings) != set(query.codes):
            fields.refuse("meanings")
        blocks: tuple[int, ...] = ()
        results = 1
        if query.version > 1:
            blocks, results = _blocks(fields, len(contributors)), fields.number("results", 1, MOST_CELLS)
            if results & (results - 1):
                fields.refuse("results")
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
            blocks=blocks,
            results=results,
            authority=Authority.from_plain(fields.any("authority")) if fields.given("authority") else None,
            smallest=SmallestCount.from_plain(fields.any("smallest")) if fields.given("smallest") else None,
        )
        fields.done()
        if request.smallest is not None and request.epsilon is not None:  # noised numbers need no rule
            fields.refuse("smallest")
        return request


def _blocks(fields: Fields, contributors: int) -> tuple[int, ...]:
    found = fields.items("blocks", contributors)
    if len(found) != contributors or any(type(each) is not int or not 1 <= each <= _MOST_BLOCKS for each in found):
        fields.refuse("blocks")
    return tuple(found)


@dataclass(frozen=True)
class Commitment:
    """A contributor's commitment: to which request, the hash of its contribution, and log2 of its noise bound."""

    request: bytes
    hash: bytes
    noise_bits: int


@dataclass(frozen=True)
class Reason:
    """What a contributor's refusal was about: the parameters of its error ``code``, such as rule and version."""

    code: str
    params: Mapping[str, str | int | bool]


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


@dataclass(frozen=True)
class Masks:
    """What one site of the quorum hides the counts with: the blob of its encryptions, and its masked shares."""

    blob: BlobName
    shares: tuple[bytes, ...]

    @property
    def hash(self) -> bytes:
        """What its site has committed to before anyone reveals theirs."""
        return codec.digest(["consilium masks v1", self.blob.name, list(self.shares)])

    def to_body(self, attempt: int) -> dict[str, Any]:
        """Return the message's body."""
        return {"attempt": attempt, "blob": self.blob.name, "size": self.blob.size, "shares": list(self.shares)}


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


def read_reason(body: object) -> Reason:
    """Read ``query.reason``."""
    fields = Fields(body, _MALFORMED)
    code, params = fields.text("code", 64), fields.any("params")
    fields.done()
    if not isinstance(params, dict) or len(params) > MOST_REASON_PARAMS:
        fields.refuse("params")
    read = Fields(params, _MALFORMED)
    for name, value in params.items():
        if not (name.isidentifier() and len(name) <= MOST_REASON_NAME):
            read.refuse("params")
        if type(value) is str and value:
            read.text(name, MOST_REASON_TEXT)
        elif value != "" and type(value) not in (int, bool):
            read.refuse("params")
    return Reason(code, params)


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


def read_mask_commit(body: object) -> tuple[int, bytes]:
    """Read ``query.mask_commit``: (attempt, hash of the masks)."""
    fields = Fields(body, _MALFORMED)
    attempt, hash_ = fields.number("attempt", 1, MOST_ATTEMPTS), fields.bytes("hash", 32)
    fields.done()
    return attempt, hash_


def read_masks(body: object) -> tuple[int, Masks]:
    """Read ``query.masks``: (attempt, masks)."""
    fields = Fields(body, _MALFORMED)
    attempt = fields.number("attempt", 1, MOST_ATTEMPTS)
    blob = BlobName(fields.bytes("blob", 32), fields.number("size", 1, MASKS_LIMIT))
    shares = fields.items("shares", _MOST_MASKED)
    if not shares or any(type(share) is not bytes or len(share) > _SHARE_LIMIT for share in shares):
        fields.refuse("shares")
    fields.done()
    return attempt, Masks(blob, tuple(shares))


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
    REASON: lambda body, roster: read_reason(body),
    REFUSE: lambda body, roster: read_code(body),
    STATE: lambda body, roster: read_state(body),
    NOTE: lambda body, roster: read_note(body),
    FINISH: lambda body, roster: read_finish(body),
    CLOSE: lambda body, roster: read_close(body, len(roster.sites)),
    RETRY: lambda body, roster: read_retry(body, len(roster.sites), roster.quorum),
    CONTRIBUTION: lambda body, roster: read_contribution(body),
    MASK_COMMIT: lambda body, roster: read_mask_commit(body),
    MASKS: lambda body, roster: read_masks(body),
    SHARE: lambda body, roster: read_share(body),
    RELEASED: lambda body, roster: read_released(body),
    FAIL: lambda body, roster: read_code(body),
}
