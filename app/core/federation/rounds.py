"""The ceremony as a pure state machine: what a site does next, given what it has heard.

Every round is committed before anything of it is revealed, and a round starts only when all sites agree on the
transcript of the one before. Otherwise the last to speak chooses the sum: with round 1 of the relinearization key
forced to a constant, an honest round 2 would reveal a site's share of the secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from app.core import codec

RANDOMNESS = "randomness"
PUBLIC_KEY = "public key"
RELINEARIZATION_1 = "relinearization 1"
RELINEARIZATION_2 = "relinearization 2"
ROTATION = "rotation"
DEALING = "dealing"
CHECK = "check"
CONFIRM = "confirm"

STOPPED = "ceremony.stopped"
"""Code of the end of a ceremony that another site has ended."""

ROUNDS = (
    RANDOMNESS,
    PUBLIC_KEY,
    RELINEARIZATION_1,
    RELINEARIZATION_2,
    ROTATION,
    DEALING,
    CHECK,
    CONFIRM,
)


@dataclass(frozen=True)
class Commit:
    """A site's commitment for a round, made upon the transcript of the rounds before."""

    transcript: bytes
    commitment: bytes


@dataclass(frozen=True)
class Reveal:
    """What a site committed to."""

    salt: bytes
    payload: bytes

    def commitment(self, session: bytes, round_: str, position: int) -> bytes:
        """Return the commitment that this opens for one site in one round: a copy of another site's opens nothing."""
        payload = hashlib.sha256(self.payload).digest()
        return codec.digest(["consilium commitment v1", session, round_, position, self.salt, payload])


@dataclass(frozen=True)
class Heard:
    """All that a site knows of a ceremony: who it is, and every first commit and reveal by (round, position).

    ``twice`` says who committed to, or revealed, two different things in a round, ``stopped`` who takes no further
    part.
    """

    session: bytes
    sites: int
    me: int
    commits: Mapping[tuple[str, int], Commit]
    reveals: Mapping[tuple[str, int], Reveal]
    twice: frozenset[tuple[str, int]] = frozenset()
    stopped: frozenset[int] = frozenset()

    def payloads(self, round_: str) -> dict[int, bytes]:
        """Return the payloads revealed in ``round_`` by position."""
        return {p: self.reveals[round_, p].payload for p in range(1, self.sites + 1) if (round_, p) in self.reveals}


@dataclass(frozen=True)
class Prepare:
    """Compute our part of ``round``, store it, and commit to it upon ``transcript``."""

    round: str
    transcript: bytes


@dataclass(frozen=True)
class Open:
    """Every site has committed: reveal our stored part of ``round``."""

    round: str


@dataclass(frozen=True)
class Await:
    """Nothing to do until these sites commit (or, if ``committed``, reveal)."""

    round: str
    missing: tuple[int, ...]
    committed: bool


@dataclass(frozen=True)
class Abort:
    """A site did not follow the protocol; ``code`` says how."""

    round: str
    site: int
    code: str


@dataclass(frozen=True)
class Complete:
    """All rounds are done; the transcript covers every message."""

    transcript: bytes


Step = Prepare | Open | Await | Abort | Complete


def next_step(heard: Heard) -> Step:  # noqa: PLR0911 - one return a step
    """Return the one thing that this site does next."""
    transcript = first_transcript(heard.session)
    everyone = range(1, heard.sites + 1)
    for round_ in ROUNDS:
        for position in everyone:
            if (round_, position) in heard.twice:
                return Abort(round_, position, "ceremony.said_twice")
        if (round_, heard.me) not in heard.commits:
            return Prepare(round_, transcript)
        commits = {p: heard.commits[round_, p] for p in everyone if (round_, p) in heard.commits}
        for position, commit in commits.items():
            if not hmac.compare_digest(commit.transcript, transcript):
                return Abort(round_, position, "ceremony.transcript_differs")
        if missing := tuple(p for p in everyone if p not in commits):
            return _waiting(heard, Await(round_, missing, committed=False))
        if (round_, heard.me) not in heard.reveals:
            return Open(round_)
        reveals = {p: heard.reveals[round_, p] for p in everyone if (round_, p) in heard.reveals}
        for position, reveal in reveals.items():
            opened = reveal.commitment(heard.session, round_, position)
            if not hmac.compare_digest(opened, commits[position].commitment):
                return Abort(round_, position, "ceremony.commitment_broken")
        if missing := tuple(p for p in everyone if p not in reveals):
            return _waiting(heard, Await(round_, missing, committed=True))
        transcript = _fold(heard, transcript, round_)
    return Complete(transcript)


def _waiting(heard: Heard, step: Await) -> Await | Abort:
    """Wait, unless for a site that will not come."""
    stopped = [position for position in step.missing if position in heard.stopped]
    return Abort(step.round, stopped[0], STOPPED) if stopped else step


def first_transcript(session: bytes) -> bytes:
    """Return the transcript before the first round; the session id is made of the roster's hash."""
    return codec.digest(["consilium ceremony v1", session])


def transcript_before(heard: Heard, round_: str) -> bytes:
    """Return the transcript of all rounds before ``round_``, which must be complete."""
    transcript = first_transcript(heard.session)
    for earlier in ROUNDS[: ROUNDS.index(round_)]:
        transcript = _fold(heard, transcript, earlier)
    return transcript


def _fold(heard: Heard, transcript: bytes, round_: str) -> bytes:
    """Return the transcript after a round whose reveals have been checked against their commitments."""
    parts = [heard.commits[round_, position].commitment for position in range(1, heard.sites + 1)]
    return codec.digest(["consilium transcript v1", transcript, round_, parts])
