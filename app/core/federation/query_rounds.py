"""A query's life as a pure state machine: what a site does next, given what it has heard.

A contribution is committed to before anyone reveals theirs, and revealed only to the quorum and the asker once the
set of contributing sites is closed; that set never changes. A member of the quorum answers only when every
contribution of the set is there and matches its commitment. A site that sees the protocol broken takes no further part
and says so; once the set is closed, the asker gives up when a site that is still needed has said that.

Where small counts are withheld the quorum has two rounds more before it answers: every member commits to its masks,
then all reveal them (:mod:`app.core.federation.query_smallest`). The asker's site is not one of them if a quorum can do
without it: a changed program there could otherwise shift what is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.federation.query_messages import BlobName, Close, Commitment, Masks, Reason, Request


@dataclass(frozen=True)
class QueryHeard:
    """All that a site knows of a query. Maps hold the first message of each kind, by (attempt,) position."""

    me: int
    asker: int
    request: Request
    declined: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    reasons: Mapping[int, Reason] = field(default_factory=dict)
    """What those who declined or refused say more of why; who asks hears it, and nobody has to say anything."""
    committed: Mapping[tuple[int, int], Commitment] = field(default_factory=dict)
    close: Close | None = None
    retries: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    contributions: Mapping[tuple[int, int], BlobName] = field(default_factory=dict)
    shares: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    mask_commits: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    masks: Mapping[tuple[int, int], Masks] = field(default_factory=dict)
    sites: int = 0
    """How many sites the federation has."""
    failed: str = ""
    released: bool = False
    states: Mapping[int, str] = field(default_factory=dict)
    """What contributors last said of themselves: delivered, waiting (for a person), approved, computing."""
    percents: Mapping[int, int] = field(default_factory=dict)
    """How much of their computation is done, of those who last said that they compute."""
    finish: bool = False
    """The asker wants to close with those who have answered."""
    now: int = 0

    def reason_of(self, position: int, code: str) -> dict[str, str | int | bool]:
        """Return what a site has said of its refusal with ``code``; empty if it has said nothing of just this one."""
        said = self.reasons.get(position)
        return dict(said.params) if said is not None and said.code == code else {}

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return 0 < self.request.deadline <= self.now

    @property
    def attempt(self) -> int:
        """The attempt under way: the highest that was asked for without a gap; the first until the set is closed."""
        attempt = 1
        while self.close is not None and attempt + 1 in self.retries:
            attempt += 1
        return attempt

    @property
    def quorum(self) -> tuple[int, ...]:
        """The quorum of the attempt under way."""
        return self.retries.get(self.attempt, self.request.quorum)

    @property
    def contributors(self) -> tuple[int, ...]:
        """Who contributes: the closed set, or until then those who were asked and have not declined or refused."""
        if self.close is not None:
            return self.close.contributors
        return tuple(p for p in self.request.contributors if p not in self.declined and p not in self.refused)


@dataclass(frozen=True)
class Contribute:
    """Check the request, compute (or re-randomise) our contribution, store it and commit to it; or decline."""

    attempt: int


@dataclass(frozen=True)
class CloseSet:
    """Everyone asked has committed or declined, or time is up: close the set with these (asker)."""

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
class HideCounts:
    """Every contribution is here and small counts are withheld: draw our masks, keep them, commit to them."""

    attempt: int


@dataclass(frozen=True)
class RevealMasks:
    """The whole quorum has committed: send it our kept masks."""

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
class Refuse:
    """The site at this position broke the protocol: take no further part, and say so."""

    site: int
    code: str


@dataclass(frozen=True)
class Over:
    """Nothing more to do for this site; ``code`` is why the query failed, if it did."""

    code: str = ""


Opening = HideCounts | RevealMasks | AnswerShare | Combine
QueryStep = Contribute | CloseSet | GiveUp | RevealContribution | Opening | AwaitSites | Refuse | Over


def next_step(heard: QueryHeard) -> QueryStep:  # noqa: PLR0911 - one return a step of the life
    """Return the one thing that this site does next."""
    attempt, me = heard.attempt, heard.me
    if heard.failed or heard.released:
        return Over(heard.failed)
    if (broken := _broken(heard)) is not None:
        return broken
    if me in heard.contributors and (attempt, me) not in heard.committed:
        return Contribute(attempt)
    uncommitted = tuple(p for p in heard.contributors if (attempt, p) not in heard.committed)
    if heard.close is None:
        return _before_close(heard, uncommitted)
    if uncommitted:
        return _waiting(heard, "commit", uncommitted)
    if me in heard.contributors and (attempt, me) not in heard.contributions:
        return RevealContribution(attempt)
    if me not in heard.quorum and me != heard.asker:
        return Over()
    if missing := tuple(p for p in heard.contributors if (attempt, p) not in heard.contributions):
        return _waiting(heard, "contribute", missing)
    if me in heard.quorum and (attempt, me) not in heard.shares:
        return AnswerShare(attempt) if heard.request.smallest is None else _hiding(heard)
    if me != heard.asker:
        return Over()
    if missing := tuple(p for p in heard.quorum if (attempt, p) not in heard.shares):
        return _waiting(heard, "open", missing)
    return Combine(attempt)


def _hiding(heard: QueryHeard) -> QueryStep:
    """Commit to our masks, reveal them once the whole quorum has committed, and answer once all are revealed."""
    attempt, me = heard.attempt, heard.me
    if (attempt, me) not in heard.mask_commits:
        return HideCounts(attempt)
    if missing := tuple(p for p in heard.quorum if (attempt, p) not in heard.mask_commits):
        return _waiting(heard, "open", missing)
    if (attempt, me) not in heard.masks:
        return RevealMasks(attempt)
    if missing := tuple(p for p in heard.quorum if (attempt, p) not in heard.masks):
        return _waiting(heard, "open", missing)
    return AnswerShare(attempt)


def _broken_hiding(heard: QueryHeard) -> Refuse | None:
    """Return who did not keep to what withholds small counts: the asker's site where it opens though it need not, or
    is left as the only one that contributes; a member of the quorum that reveals other masks than it committed to."""
    if heard.request.smallest is None:
        return None
    if heard.asker in heard.quorum and len(heard.quorum) < heard.sites:
        return Refuse(heard.asker, "query.asker_opens")
    if heard.close is not None and set(heard.close.contributors) <= {heard.asker}:
        return Refuse(heard.asker, "query.close_differs")
    for position in heard.quorum:
        place = heard.attempt, position
        if place in heard.masks and heard.mask_commits.get(place, heard.masks[place].hash) != heard.masks[place].hash:
            return Refuse(position, "query.commitment_broken")
    return None


def _broken(heard: QueryHeard) -> Refuse | None:
    """Return who did not keep to the protocol, if anyone.

    Everyone answers the same request. The closed set is among those who were asked, large enough, and names what each
    contributor signed; we are not in it without having committed. What is revealed is what was committed to.
    """
    if (broken := _broken_hiding(heard)) is not None:
        return broken
    close = heard.close
    if close is not None:
        promised = dict(zip(close.contributors, close.hashes, strict=True))
        committed = {p: heard.committed[1, p].hash for p in close.contributors if (1, p) in heard.committed}
        if (
            not set(close.contributors) <= set(heard.request.contributors)
            or len(close.contributors) < heard.request.minimum
            or any(promised[p] != value for p, value in committed.items())
            or (heard.me in promised and heard.me not in committed)
        ):
            return Refuse(heard.asker, "query.close_differs")
    for (attempt, position), commitment in heard.committed.items():
        if position not in heard.contributors:
            continue
        if commitment.request != heard.request.hash:
            return Refuse(position, "query.request_differs")
        blob = heard.contributions.get((attempt, position))
        if blob is not None and blob.name != commitment.hash:
            return Refuse(position, "query.commitment_broken")
    return None


def _waiting(heard: QueryHeard, what: str, missing: tuple[int, ...]) -> AwaitSites | GiveUp:
    """Wait for sites; the asker gives up if one of them will not come."""
    refused = [heard.refused[p] for p in missing if p in heard.refused]
    return GiveUp(refused[0]) if refused and heard.me == heard.asker else AwaitSites(what, missing)


def _before_close(heard: QueryHeard, uncommitted: tuple[int, ...]) -> QueryStep:
    """Wait for everyone, or close with those who have committed when the asker or the deadline says so."""
    committed = tuple(p for p in heard.contributors if p not in uncommitted)
    if heard.me != heard.asker:
        return AwaitSites("commit", uncommitted) if uncommitted else AwaitSites("close", (heard.asker,))
    if len(heard.contributors) < heard.request.minimum:
        return GiveUp("query.too_few_sites")
    if uncommitted and not heard.late and not (heard.finish and len(committed) >= heard.request.minimum):
        return AwaitSites("commit", uncommitted)
    if len(committed) < heard.request.minimum:
        return GiveUp("query.expired")
    if heard.request.smallest is not None and set(committed) <= {heard.asker}:
        return GiveUp("query.too_few_sites")
    return CloseSet(committed)
