"""A query's life as a pure state machine: what a site does next, given what it has heard.

A contribution is committed to before anyone reveals theirs, and revealed only to the quorum and the asker once the
set of contributing sites is closed; that set never changes. A member of the quorum answers only when every
contribution of the set is there and matches its commitment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.federation.query_messages import BlobName, Close, Commitment, Request


@dataclass(frozen=True)
class QueryHeard:
    """All that a site knows of a query. Maps hold the first message of each kind, by (attempt,) position."""

    me: int
    asker: int
    request: Request
    declined: Mapping[int, str] = field(default_factory=dict)
    committed: Mapping[tuple[int, int], Commitment] = field(default_factory=dict)
    close: Close | None = None
    retries: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    contributions: Mapping[tuple[int, int], BlobName] = field(default_factory=dict)
    shares: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    failed: str = ""
    released: bool = False

    @property
    def attempt(self) -> int:
        """The attempt under way: the highest that was asked for without a gap."""
        attempt = 1
        while attempt + 1 in self.retries:
            attempt += 1
        return attempt

    @property
    def quorum(self) -> tuple[int, ...]:
        """The quorum of the attempt under way."""
        return self.retries.get(self.attempt, self.request.quorum)

    @property
    def contributors(self) -> tuple[int, ...]:
        """Who contributes: the closed set, or until then those who were asked and have not declined."""
        if self.close is not None:
            return self.close.contributors
        return tuple(p for p in self.request.contributors if p not in self.declined)


@dataclass(frozen=True)
class Contribute:
    """Check the request, compute (or re-randomise) our contribution, store it and commit to it; or decline."""

    attempt: int


@dataclass(frozen=True)
class CloseSet:
    """Everyone asked has committed or declined: close the set (asker)."""

    contributors: tuple[int, ...]


@dataclass(frozen=True)
class GiveUp:
    """The query cannot be answered; ``code`` says why (asker)."""

    code: str


@dataclass(frozen=True)
class RevealContribution:
    """The set is closed and all have committed: send our stored contribution to the quorum and the asker."""

    attempt: int


@dataclass(frozen=True)
class AnswerShare:
    """Every contribution is here: add them up, check them, send our decryption share to the asker."""

    attempt: int


@dataclass(frozen=True)
class Combine:
    """Every share is here: open the result (asker)."""

    attempt: int


@dataclass(frozen=True)
class AwaitSites:
    """Nothing to do until these sites have done ``what``: "commit", "close", "contribute" or "open"."""

    what: str
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Over:
    """Nothing more to do for this site; ``code`` is why the query failed, if it did."""

    code: str = ""


QueryStep = Contribute | CloseSet | GiveUp | RevealContribution | AnswerShare | Combine | AwaitSites | Over


def next_step(heard: QueryHeard) -> QueryStep:  # noqa: PLR0911 - one return a step of the life
    """Return the one thing that this site does next."""
    attempt, me = heard.attempt, heard.me
    if heard.failed or heard.released:
        return Over(heard.failed)
    if me in heard.contributors and (attempt, me) not in heard.committed:
        return Contribute(attempt)
    uncommitted = tuple(p for p in heard.contributors if (attempt, p) not in heard.committed)
    if heard.close is None:
        return _before_close(heard, uncommitted)
    if uncommitted:
        return AwaitSites("commit", uncommitted)
    if me in heard.contributors and (attempt, me) not in heard.contributions:
        return RevealContribution(attempt)
    if me not in heard.quorum and me != heard.asker:
        return Over()
    if missing := tuple(p for p in heard.contributors if (attempt, p) not in heard.contributions):
        return AwaitSites("contribute", missing)
    if me in heard.quorum and (attempt, me) not in heard.shares:
        return AnswerShare(attempt)
    if me != heard.asker:
        return Over()
    if missing := tuple(p for p in heard.quorum if (attempt, p) not in heard.shares):
        return AwaitSites("open", missing)
    return Combine(attempt)


def _before_close(heard: QueryHeard, uncommitted: tuple[int, ...]) -> QueryStep:
    if uncommitted:
        return AwaitSites("commit", uncommitted)
    if heard.me != heard.asker:
        return AwaitSites("close", (heard.asker,))
    if len(heard.contributors) < heard.request.minimum:
        return GiveUp("query.too_few_sites")
    return CloseSet(heard.contributors)
