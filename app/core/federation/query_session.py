"""Living through queries as one site: contributing, opening for others, asking.

The state machine is :mod:`app.core.federation.query_rounds`, the messages :mod:`app.core.federation.query_messages`.
What a site says is stored, encrypted, in the transaction that queues it; a process killed anywhere goes on from
there. A contribution is made once per attempt; a decryption share once per ciphertext
(:mod:`app.core.federation.opening`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from app.core import codec
from app.core.crypto import release
from app.core.crypto.identity import SealingKey
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.crypto.release import Contribution, DecryptionProtocol, Opening
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.federation import ceremony_work as work
from app.core.federation import query_messages as messages
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Post
from app.core.federation.opening import decryption_share
from app.core.federation.query_hearing import (
    DONE,
    FAILED,
    KIND,
    OPEN,
    QueryHearing,
    asker_of,
    failure_of,
    session_data,
)
from app.core.federation.query_messages import CONTRIBUTION_LIMIT, Request
from app.core.federation.query_rounds import (
    AnswerShare,
    AwaitSites,
    CloseSet,
    Combine,
    Contribute,
    GiveUp,
    Over,
    QueryHeard,
    Refuse,
    RevealContribution,
    next_step,
)
from app.core.query.canonical import query_hash
from app.core.query.model import Query, codes
from app.core.secret import SecretBytes

__all__ = ["DONE", "FAILED", "OPEN", "Contributor", "Made", "QueryDesk", "QueryStatus", "Released"]

_SHARE_PURPOSE = "decryption share v1"
_PASSING = ("worker.killed", "disk.full")
CANCELLED = "query.cancelled"
PERSON = "person"
"""What a query waits for while a person of this site has to decide."""


@dataclass(frozen=True)
class Made:
    """A contribution ready to be committed to: its bytes, and log2 of its noise bound, rounded up."""

    contribution: bytes = field(repr=False)
    noise_bits: int


class Contributor(Protocol):
    """Decides whether this site answers a request, and computes its contribution."""

    def contribute(self, session: bytes, asker: int, request: Request) -> Made | None:
        """Return the contribution, or None while a person has to decide; raises UserError or EnvironmentProblem to
        decline with that code.

        What passes (a killed worker, a full disk) declines nothing: it is tried again.
        """
        ...


@dataclass(frozen=True)
class Released:
    """What the asker reads: the opened numbers and what they are made of."""

    session: bytes
    query: Query
    numbers: tuple[int, ...]
    epsilon: Fraction | None
    contributors: tuple[str, ...]
    declined: Mapping[str, str]


@dataclass(frozen=True)
class QueryStatus:
    """Where a query stands for this site: for an open one who is waited for to do what, else why it failed.

    An open one may have a code too: why a contribution cannot be fetched at the moment.
    """

    state: str
    waiting: str = ""
    waiting_for: tuple[str, ...] = ()
    code: str = ""


class QueryDesk:
    """All queries of one site."""

    def __init__(self, site: LocalSite, mailroom: Mailroom, post: Post, contributor: Contributor) -> None:
        self._site = site
        self._mailroom = mailroom
        self._post = post
        self._contributor = contributor
        self._parameters = site.roster.parameters
        self._hearing = QueryHearing(site, mailroom)

    # --- asking -----------------------------------------------------------------------------------------------

    def ask(
        self,
        query: Query,
        *,
        text: str,
        epsilon: Fraction | None,
        contributors: tuple[int, ...],
        quorum: tuple[int, ...],
        minimum: int,
        purpose: str,
        deadline: int = 0,
    ) -> bytes:
        """Send a request and return its session id; the one-time key is stored before anything is sent."""
        session = self._site.random(32)
        key = SealingKey.generate(self._site.random)
        meanings = {code: self._site.catalogue.variable(code).meaning for code in codes(query.cohort)}
        request = Request(query, epsilon, contributors, quorum, minimum, key.public, meanings, purpose, deadline)
        Request.from_body(request.to_body(), len(self._site.roster.sites), self._site.roster.quorum)
        now, data = self._site.clock.now(), session_data(self._site.position)
        with self._site.profile.database.atomic():
            self._site.keep_secret(self._key_name(session), key.private.reveal())
            self._site.profile.sessions.add(session, kind=KIND, state=OPEN, data=data, now=now)
            self._site.profile.runs.add(session, text=text, state=OPEN, data=b"", now=now)
            self._mailroom.post(messages.REQUEST, session, request.to_body())
        return session

    def retry(self, session: bytes, quorum: tuple[int, ...]) -> None:
        """Ask another quorum to open the result (asker): at most three attempts in all.

        Raises UserError ``query.not_closed`` before the set of sites is closed and once the query is over.
        """
        heard, stored = self.heard(session), self._site.profile.sessions.get(session)
        if stored is None or stored.state != OPEN or heard.close is None or heard.released or heard.failed:
            raise UserError("query.not_closed")
        if heard.asker != self._site.position or heard.attempt >= messages.MOST_ATTEMPTS:
            raise UserError("query.no_more_attempts", most=messages.MOST_ATTEMPTS)
        body = {"attempt": heard.attempt + 1, "quorum": list(quorum)}
        messages.read_retry(body, len(self._site.roster.sites), self._site.roster.quorum)
        with self._site.profile.database.atomic():
            self._mailroom.post(messages.RETRY, session, body)

    def finish(self, session: bytes) -> None:
        """Close the set with those who have answered, as soon as there are enough (asker).

        Raises UserError ``query.not_yours``, ``query.over``.
        """
        self._asking(session)
        self._say(messages.FINISH, session, {}, (self._site.position,))

    def cancel(self, session: bytes) -> None:
        """End the query (asker); raises as :meth:`finish`."""
        self._asking(session)
        self._say(messages.FAIL, session, {"code": CANCELLED})
        self._advance(session)

    def remind(self, session: bytes) -> tuple[str, ...]:
        """Remind the sites that are waited for, and return their names (asker); raises as :meth:`finish`."""
        heard = self._asking(session)
        waiting = next_step(heard)
        missing = waiting.missing if isinstance(waiting, AwaitSites) else ()
        others = tuple(p for p in missing if p != self._site.position)
        if others:
            self._say(messages.NOTE, session, {"text": ""}, others)
        return tuple(map(self._site.site_name, others))

    def note(self, session: bytes, text: str, position: int | None = None) -> None:
        """Ask back: send ``text`` to the asker, or as the asker to the site at ``position`` (all, if None)."""
        heard = self.heard(session)
        mine = heard.asker == self._site.position
        recipients = (() if position is None else (position,)) if mine else (heard.asker,)
        messages.read_note({"text": text})
        self._say(messages.NOTE, session, {"text": text}, recipients)

    def notes(self, session: bytes) -> tuple[tuple[str, str], ...]:
        """Return (site, text) of every note of a query that this site sent or got; an empty text is a reminder."""
        self.heard(session)
        said = self._mailroom.heard(session, messages.NOTE)
        return tuple((self._site.site_name(sender), text) for sender, text in said)

    def _asking(self, session: bytes) -> QueryHeard:
        """Return what was heard of an open query of our own."""
        heard = self.heard(session)
        stored = self._site.profile.sessions.get(session)
        if heard.asker != self._site.position:
            raise UserError("query.not_yours")
        if stored is None or stored.state != OPEN:
            raise UserError("query.over")
        return heard

    def result(self, session: bytes) -> Released | None:
        """Return what was released to this asker, or None while it is not."""
        stored = self._site.profile.releases.get(session)
        if stored is None:
            return None
        heard = self.heard(session)
        return Released(
            session=session,
            query=heard.request.query,
            numbers=tuple(codec.decode(stored.data, 1 << 16)),
            epsilon=heard.request.epsilon,
            contributors=tuple(self._site.site_name(p) for p in heard.contributors),
            declined={
                self._site.site_name(p): code for p, code in heard.declined.items() if p not in heard.contributors
            },
        )

    # --- life -------------------------------------------------------------------------------------------------

    def advance(self) -> dict[bytes, QueryStatus]:
        """Take in new messages, do all that can be done for every open query, and say where each stands.

        A problem of this computer with one query is raised when all others have been looked at.
        """
        self._hearing.take_in()
        statuses: dict[bytes, QueryStatus] = {}
        problems = []
        for session in self._site.profile.sessions.all(kind=KIND):
            if session.state == OPEN:
                try:
                    statuses[session.id] = self._advance(session.id)
                except EnvironmentProblem as problem:
                    problems.append(problem)
        if problems:
            raise problems[0]
        return statuses

    def status(self, session: bytes) -> QueryStatus:
        """Return where one query stands."""
        stored = self._site.profile.sessions.get(session)
        if stored is None or stored.kind != KIND:
            raise UserError("query.unknown", id=session.hex())
        if stored.state == OPEN:
            return self._advance(session)
        return QueryStatus(stored.state, code=failure_of(stored))

    def _advance(self, session: bytes) -> QueryStatus:
        """Do all that can be done now for one open query."""
        while True:
            try:
                status = self._take_step(session, self.heard(session))
            except PeerProblem as problem:
                return QueryStatus(OPEN, "contribute", code=problem.code)
            except (ProtocolViolation, UserError) as error:
                return self._refuse(session, error)
            if status is not None:
                return status

    def _take_step(self, session: bytes, heard: QueryHeard) -> QueryStatus | None:  # noqa: PLR0912 - one branch a step
        """Do the next thing; return where the query stands, or None to go on."""
        match next_step(heard):
            case Contribute(attempt):
                if not self._contribute(session, heard, attempt):
                    return QueryStatus(OPEN, PERSON, (self._site.site_name(self._site.position),))
            case CloseSet(contributors):
                hashes = [heard.committed[1, p].hash for p in contributors]
                self._say(messages.CLOSE, session, {"contributors": list(contributors), "hashes": hashes})
            case RevealContribution(attempt):
                self._reveal(session, heard, attempt)
            case AnswerShare(attempt):
                self._answer(session, heard, attempt)
            case Combine(attempt):
                self._release(session, heard, self._combined(session, heard, attempt))
            case GiveUp(code):
                self._say(messages.FAIL, session, {"code": code})
            case Refuse(position, code):
                raise ProtocolViolation(code, site=self._site.site_name(position))
            case AwaitSites(what, missing):
                return QueryStatus(OPEN, what, tuple(map(self._site.site_name, missing)))
            case Over(code):
                if code:
                    return self._end(session, FAILED, code)
                if heard.released:
                    return self._end(session, DONE)
                return QueryStatus(OPEN)  # another attempt may still ask something of us
        return None

    def _end(self, session: bytes, state: str, code: str = "") -> QueryStatus:
        """Close the session; what was kept for it, the one-time key included, goes with it."""
        now, stored = self._site.clock.now(), self._site.profile.sessions.get(session)
        if stored is None:
            raise Bug("query.session_lost")
        self._forget_blobs(session)
        with self._site.profile.database.atomic():
            data = session_data(asker_of(stored), code)
            self._site.profile.sessions.move(session, expected=OPEN, state=state, data=data, now=now)
            if self._site.profile.runs.get(session) is not None:
                self._site.profile.runs.update(session, state=state, data=code.encode(), now=now)
            for name in self._site.profile.sealed_secrets.names(f"query/{session.hex()}/"):
                self._site.profile.sealed_secrets.remove(name)
        return QueryStatus(state, code=code)

    def _forget_blobs(self, session: bytes) -> None:
        """Remove the contributions, those of others and our own, revealed or not."""
        names = {blob.name for blob in self.heard(session).contributions.values()}
        for attempt in range(1, messages.MOST_ATTEMPTS + 1):
            if self._site.secret(self._contribution_name(session, attempt)) is not None:
                names.add(hashlib.sha256(self._kept(session, attempt).contribution).digest())
        for name in names:
            self._site.profile.blobs.remove(name)

    def _refuse(self, session: bytes, error: ConsiliumError) -> QueryStatus:
        """A site broke the protocol in this query: note it, take no further part, and say so."""
        site = error.params.get("site")
        sender = self._site.roster.site_named(site).position if isinstance(site, str) else None
        type_ = messages.FAIL if self.heard(session).asker == self._site.position else messages.REFUSE
        with self._site.profile.database.atomic():
            self._mailroom.refuse(error, sender)
            self._mailroom.post(type_, session, {"code": error.code})
            return self._end(session, FAILED, error.code)

    def heard(self, session: bytes) -> QueryHeard:
        """Gather what was said in one query; raises UserError ``query.unknown``."""
        return self._hearing.heard(session)

    def _say(self, type_: str, session: bytes, body: object, recipients: tuple[int, ...] = ()) -> None:
        with self._site.profile.database.atomic():
            self._mailroom.post(type_, session, body, recipients)

    # --- contributing -----------------------------------------------------------------------------------------

    def _contribute(self, session: bytes, heard: QueryHeard, attempt: int) -> bool:
        """Commit to our contribution or decline; return False while a person has to decide."""
        try:
            made = self._made(session, heard, attempt)
        except ConsiliumError as error:
            if isinstance(error, Bug) or error.code in _PASSING or attempt > 1:
                raise
            self._say(messages.DECLINE, session, {"code": error.code})
            return True
        if made is None:
            if heard.states.get(self._site.position) != messages.WAITING:
                self._say(messages.STATE, session, {"state": messages.WAITING}, (heard.asker,))
            return False
        contribution = self._parsed(made.contribution, heard)
        body = {
            "attempt": attempt,
            "request": heard.request.hash,
            "hash": contribution.hash(),
            "noise_bits": made.noise_bits,
        }
        kept = codec.encode({"contribution": made.contribution, "noise_bits": made.noise_bits})
        with self._site.profile.database.atomic():
            self._site.keep_secret(self._contribution_name(session, attempt), kept)
            self._mailroom.post(messages.COMMIT, session, body)
        return True

    def _made(self, session: bytes, heard: QueryHeard, attempt: int) -> Made | None:
        if attempt == 1:
            return self._contributor.contribute(session, heard.asker, heard.request)
        first = self._kept(session, 1)
        again = self._site.compute(
            work.rerandomise, self._parameters.name, self._site.key_directory, first.contribution, heard.request.results
        )
        return Made(again, first.noise_bits + 1)  # a second encryption of zero is less than twice the noise

    def _kept(self, session: bytes, attempt: int) -> Made:
        kept = self._site.secret(self._contribution_name(session, attempt))
        if kept is None:
            raise Bug("query.contribution_lost")
        value = codec.decode(kept, 1 << 21)
        return Made(value["contribution"], value["noise_bits"])

    def _reveal(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        data = self._kept(session, attempt).contribution
        name = self._site.profile.blobs.put(data, limit=len(data))
        recipients = tuple(sorted({*heard.quorum, heard.asker}))
        body = {"attempt": attempt, "blob": name, "size": len(data)}
        self._say(messages.CONTRIBUTION, session, body, recipients)

    # --- opening ----------------------------------------------------------------------------------------------

    def _parsed(self, data: bytes, heard: QueryHeard) -> Contribution:
        return Contribution.from_bytes(self._parameters, data, RELEASE_PRIMES, heard.request.results)

    def _opening(self, session: bytes, heard: QueryHeard, attempt: int) -> tuple[Opening, int]:
        """Add up the contributions ourselves, each checked against its signed commitment and never seen before."""
        contributions = []
        for position in heard.contributors:
            with self._blaming(position, "query.wrong_contribution"):
                name = heard.committed[attempt, position].hash  # a blob's name is the hash that was committed to
                self._mailroom.blob(self._post, name, CONTRIBUTION_LIMIT)
                contribution = self._parsed(self._site.profile.blobs.get(name, limit=CONTRIBUTION_LIMIT), heard)
            with self._blaming(position, "query.contribution_repeated"):
                self._site.profile.shares.note_contribution(
                    contribution.mask_hash(), session=session, attempt=attempt, sender=position
                )
            contributions.append(contribution)
        total = release.aggregate_contributions(contributions)
        noise_bits = max(heard.committed[attempt, position].noise_bits for position in heard.contributors)
        bound = release.total_noise_bound(
            self._parameters, len(self._site.roster.sites), len(contributions), noise_bits
        )
        bits = release.flooding_bits(self._parameters, bound, heard.request.results)
        release.check_fits(self._parameters, RELEASE_PRIMES, bits, len(heard.quorum))
        return Opening(session, attempt, heard.quorum, total), bits

    def _answer(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        opening, bits = self._opening(session, heard, attempt)
        share = decryption_share(self._site, opening, bits)
        sealed = heard.request.key.seal_to(_SHARE_PURPOSE, share, opening.digest())
        self._say(messages.SHARE, session, {"attempt": attempt, "sealed": sealed}, (heard.asker,))

    def _combined(self, session: bytes, heard: QueryHeard, attempt: int) -> list[int]:
        opening, bits = self._opening(session, heard, attempt)
        private = self._site.secret(self._key_name(session))
        if private is None:
            raise Bug("query.key_lost")
        key = SealingKey(SecretBytes(private))
        shares = {}
        for position in heard.quorum:
            with self._blaming(position, "query.wrong_share"):
                share = key.open(_SHARE_PURPOSE, heard.shares[attempt, position], opening.digest())
                shares[position] = release.share_from_bytes(
                    self._parameters, share, RELEASE_PRIMES, heard.request.results
                )
        return DecryptionProtocol(opening, bits).finish(shares)

    def _release(self, session: bytes, heard: QueryHeard, numbers: list[int]) -> None:
        """Keep the result and tell everyone that the query is over; the one-time key goes with the session's
        secrets."""
        with self._site.profile.database.atomic():
            self._site.profile.releases.add(
                session,
                query_hash=query_hash(heard.request.query, self._site.catalogue),
                data=codec.encode(numbers),
                now=self._site.clock.now(),
            )
            self._mailroom.post(messages.RELEASED, session, {})

    @contextmanager
    def _blaming(self, position: int, code: str) -> Iterator[None]:
        """Turn a protocol violation inside the block into one that names the site."""
        try:
            yield
        except ProtocolViolation as error:
            raise ProtocolViolation(code, site=self._site.site_name(position), reason=error.code) from error

    @staticmethod
    def _key_name(session: bytes) -> str:
        return f"query/{session.hex()}/key"

    @staticmethod
    def _contribution_name(session: bytes, attempt: int) -> str:
        return f"query/{session.hex()}/contribution/{attempt}"
