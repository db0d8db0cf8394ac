"""Running the ceremony for one site: computing, storing, sending, checking; resumable at any point.

The state machine is :mod:`app.core.federation.rounds`; what a site says in each round is
:mod:`app.core.federation.ceremony_parts`. A site's part of a round is made in four steps, each kept before the next:
draw and store 32 bytes of randomness; compute; store the signed reveal, encrypted, and queue the commitment in one
transaction; when every site has committed, queue the reveal. A process killed anywhere in between finds what is stored
and goes on, to the same bytes.

The messages are in :mod:`app.core.federation.ceremony_messages`. A ceremony that fails stays failed, says so to the
others, and forgets the salt of its key share: the next one has a new roster and new shares.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core import codec
from app.core.crypto.parameters import ROTATION_PRIMES
from app.core.errors import Bug, ProtocolViolation
from app.core.federation import audit, rounds
from app.core.federation.ceremony_messages import COMMIT, REVEAL, STOP, offered_blobs
from app.core.federation.ceremony_parts import BLOB_LIMIT, NOBODY, Blamed, Parts, Unreachable
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Draft, Mailroom, Post
from app.core.federation.public_file import PublicFederation, load_public_file, save_public_file
from app.core.federation.rounds import Abort, Await, Commit, Complete, Heard, Open, Prepare, Reveal

__all__ = ["BLOB_LIMIT", "FAILED", "KIND", "READY", "RUNNING", "Ceremony", "CeremonyStatus", "public_path"]

KIND = "ceremony"
RUNNING, READY, FAILED = "running", "ready", "failed"


@dataclass(frozen=True)
class CeremonyStatus:
    """Where the ceremony stands: its state, the round, who is awaited; for a failed one the code and the site.

    A running one may have a code too: why what a site offers cannot be fetched at the moment.
    """

    state: str
    round: str = ""
    waiting_for: tuple[str, ...] = ()
    code: str = ""
    site: str = ""


class Ceremony:
    """The ceremony of one roster, as one site lives it."""

    def __init__(self, site: LocalSite, mailroom: Mailroom, post: Post) -> None:
        self._site = site
        self._mailroom = mailroom
        self.session = site.roster.ceremony
        self._parts = Parts(site, mailroom, post, lambda: bytes(self._stored()["salt"]))

    # --- life -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make the session if it is not there. Its salt makes this ceremony's key share unlike any other's."""
        session = self._site.profile.sessions.get(self.session)
        if session is not None and session.state == FAILED:
            self._forget_blobs()  # nobody fetches our own any more
            self._sweep()  # a failing ceremony may have been cut off before it did
        if session is None:
            with self._site.profile.database.atomic():
                self._site.profile.sessions.add(
                    self.session,
                    kind=KIND,
                    state=RUNNING,
                    data=codec.encode({"salt": self._site.random(32)}),
                    now=self._site.clock.now(),
                )

    def advance(self) -> CeremonyStatus:
        """Do all that can be done now, and say what is awaited."""
        while True:
            session = self._stored()
            if session["state"] != RUNNING:
                return CeremonyStatus(session["state"], code=session.get("code", ""), site=session.get("site", ""))
            try:
                waiting = self._take_step(self.heard())
            except Blamed as blamed:
                self._abort(blamed.position, blamed.code)
            except ProtocolViolation as error:
                self._abort(NOBODY, error.code)
            else:
                if waiting is not None:
                    return waiting

    def _take_step(self, heard: Heard) -> CeremonyStatus | None:
        """Do the next thing; return what is awaited, or None to go on."""
        match rounds.next_step(heard):
            case Prepare(round_, transcript):
                try:
                    self._prepare(heard, round_, transcript)
                except Unreachable as problem:
                    if problem.position in heard.stopped:
                        raise Blamed(problem.position, rounds.STOPPED) from problem
                    name = self._site.site_name(problem.position)
                    return CeremonyStatus(RUNNING, round_, (name,), code=problem.code)
            case Open(round_):
                self._open(round_)
            case Await(round_, missing):
                return CeremonyStatus(RUNNING, round_, tuple(map(self._site.site_name, missing)))
            case Abort(_, position, code):
                self._abort(position, code)
            case Complete():
                self._complete(heard)
        return None

    def result(self) -> PublicFederation:
        """Return the ready federation's public side; raises Bug before the ceremony is done."""
        if self._stored()["state"] != READY:
            raise Bug("ceremony.not_ready")
        return load_public_file(public_path(self._site))

    def heard(self) -> Heard:
        """Gather every site's first commit and reveal of each round, and who said two different things."""
        commits: dict[tuple[str, int], Commit] = {}
        reveals: dict[tuple[str, int], Reveal] = {}
        twice: set[tuple[str, int]] = set()
        for sender, (round_, commit) in self._mailroom.heard(self.session, COMMIT):
            if commits.setdefault((round_, sender), commit) != commit:
                twice.add((round_, sender))
        for sender, (round_, reveal) in self._mailroom.heard(self.session, REVEAL):
            if reveals.setdefault((round_, sender), reveal) != reveal:
                twice.add((round_, sender))
        return Heard(
            session=self.session,
            sites=len(self._site.roster.sites),
            me=self._site.position,
            commits=commits,
            reveals=reveals,
            twice=frozenset(twice),
            stopped=frozenset(sender for sender, _ in self._mailroom.heard(self.session, STOP)),
        )

    def _stored(self) -> dict[str, Any]:
        session = self._site.profile.sessions.get(self.session)
        if session is None:
            raise Bug("ceremony.not_begun")
        data: dict[str, Any] = codec.decode(session.data, 1 << 12)
        return {**data, "state": session.state}

    def _abort(self, position: int, code: str) -> None:
        name = "" if position == NOBODY else self._site.site_name(position)
        with self._site.profile.database.atomic():
            self._mailroom.refuse(ProtocolViolation(code, site=name), position or None)
            self._mailroom.post(STOP, self.session, {"code": code})
            self._move(FAILED, {"code": code, "site": name})
        self._sweep()

    def _move(self, state: str, data: dict[str, Any]) -> None:
        with self._site.profile.database.atomic():
            self._site.profile.sessions.move(
                self.session, expected=RUNNING, state=state, data=codec.encode(data), now=self._site.clock.now()
            )
            for name in self._site.profile.sealed_secrets.names(self._parts.name("")):
                self._site.profile.sealed_secrets.remove(name)

    def _sweep(self) -> None:
        """Remove what a ceremony that failed had received and built; the other sites still need what we offered."""
        heard = self.heard()
        self._forget_blobs(kept=offered_blobs(heard, heard.me))
        for directory in (self._site.key_directory, self._parts.building):
            shutil.rmtree(directory, ignore_errors=True)

    # --- one round --------------------------------------------------------------------------------------------

    def _prepare(self, heard: Heard, round_: str, transcript: bytes) -> None:
        randomness = self._site.reserved_randomness(self._parts.name(f"{round_}/randomness"))
        payload = codec.encode(self._parts.payloads[round_](heard, randomness, round_))
        reveal = Reveal(randomness.derive("commitment salt").reveal(), payload)
        draft = self._mailroom.draft(
            REVEAL, self.session, {"round": round_, "salt": reveal.salt, "payload": reveal.payload}
        )
        kept = codec.encode({"id": draft.id, "envelope": draft.envelope})
        commitment = reveal.commitment(self.session, round_, self._site.position)
        commit = {"round": round_, "transcript": transcript, "commitment": commitment}
        with self._site.profile.database.atomic():
            self._site.keep_secret(self._parts.name(f"{round_}/reveal"), kept)
            self._mailroom.post(COMMIT, self.session, commit)

    def _open(self, round_: str) -> None:
        name = self._parts.name(f"{round_}/reveal")
        kept = self._site.secret(name)
        if kept is None:
            raise Bug("ceremony.reveal_lost", round=round_)
        value = codec.decode(kept, 1 << 22)
        with self._site.profile.database.atomic():
            self._mailroom.queue(Draft(value["id"], self.session, (), value["envelope"]))
            self._site.profile.sealed_secrets.remove(name)

    def _complete(self, heard: Heard) -> None:
        federation = self._parts.federation(heard)
        save_public_file(federation, public_path(self._site))
        (self._site.key_directory / f"rotation.{ROTATION_PRIMES}.seal").unlink(missing_ok=True)  # served the check only
        self._forget_blobs()  # every site has confirmed, so every site has fetched what it needed
        with self._site.profile.database.atomic():
            sites = [site.name for site in self._site.roster.sites]
            what = {"federation": federation.name, "sites": sites, "transcript": federation.transcript}
            audit.record(self._site, "key.ceremony", what=what)
            self._move(READY, {"salt": self._stored()["salt"]})

    def _forget_blobs(self, kept: frozenset[bytes] = frozenset()) -> None:
        """Remove all other blobs: what the sites offered, and what a computation that was cut off has left.

        A ceremony comes before every query of its roster, so no blob is anything else's.
        """
        for name in set(self._site.profile.blobs.names()) - kept:
            self._site.profile.blobs.remove(name)


def public_path(site: LocalSite) -> Path:
    """Where a profile keeps its federation's public file."""
    return site.profile.directory / "federation.public"
