"""Running the ceremony for one site: computing, storing, sending, checking; resumable at any point.

The state machine is :mod:`app.core.federation.rounds`; the computing :mod:`app.core.federation.ceremony_work`. A
site's part of a round is made in four steps, each kept before the next: draw and store 32 bytes of randomness;
compute; store the signed reveal, encrypted, and queue the commitment in one transaction; when every site has
committed, queue the reveal. A process killed anywhere in between finds what is stored and goes on, to the same bytes.

The messages are in :mod:`app.core.federation.ceremony_messages`. A ceremony that fails stays failed, says so to the
others, and forgets the salt of its key share: the next one has a new roster and new shares.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.core import codec
from app.core.crypto import release
from app.core.crypto.identity import SIGNATURE_BYTES
from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES
from app.core.errors import Bug, PeerProblem, ProtocolViolation
from app.core.federation import ceremony_work as work
from app.core.federation import check, rounds
from app.core.federation.ceremony_messages import (
    COMMIT,
    KEY_ROUNDS,
    REVEAL,
    STOP,
    dealt_blobs,
    offered_blobs,
    payload,
)
from app.core.federation.local_site import DealtShare, LocalSite
from app.core.federation.mailroom import Draft, Mailroom, Post
from app.core.federation.opening import decryption_share
from app.core.federation.public_file import (
    PublicFederation,
    assemble,
    check_statement,
    load_public_file,
    save_public_file,
    sign_statement,
    statement,
)
from app.core.federation.rounds import Abort, Await, Commit, Complete, Heard, Open, Prepare, Reveal
from app.core.fields import Fields
from app.core.files import private_directory, publish_directory
from app.core.secret import SecretBytes

T = TypeVar("T")

KIND = "ceremony"
RUNNING, READY, FAILED = "running", "ready", "failed"

BLOB_LIMIT = 1 << 27
_NOBODY = 0


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
        self._post = post
        self.session = site.roster.ceremony
        self._parameters = site.roster.parameters
        self._payloads: dict[str, Callable[[Heard, SecretBytes, str], dict[str, Any]]] = {
            rounds.RANDOMNESS: self._randomness,
            **dict.fromkeys(KEY_ROUNDS, self._key_share),
            rounds.DEALING: self._dealing,
            rounds.CHECK: self._check,
            rounds.CONFIRM: self._confirm,
        }

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
            except _Blamed as blamed:
                self._abort(blamed.position, blamed.code)
            except ProtocolViolation as error:
                self._abort(_NOBODY, error.code)
            else:
                if waiting is not None:
                    return waiting

    def _take_step(self, heard: Heard) -> CeremonyStatus | None:
        """Do the next thing; return what is awaited, or None to go on."""
        match rounds.next_step(heard):
            case Prepare(round_, transcript):
                try:
                    self._prepare(heard, round_, transcript)
                except _Unreachable as problem:
                    if problem.position in heard.stopped:
                        raise _Blamed(problem.position, rounds.STOPPED) from problem
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
        name = "" if position == _NOBODY else self._site.site_name(position)
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
            for name in self._site.profile.sealed_secrets.names(self._name("")):
                self._site.profile.sealed_secrets.remove(name)

    def _sweep(self) -> None:
        """Remove what a ceremony that failed had received and built; the other sites still need what we offered."""
        heard = self.heard()
        self._forget_blobs(kept=offered_blobs(heard, heard.me))
        for directory in (self._site.key_directory, self._building):
            shutil.rmtree(directory, ignore_errors=True)

    @property
    def _building(self) -> Path:
        return self._site.key_directory.with_name(f"{self._site.key_directory.name}.building")

    def _name(self, what: str) -> str:
        return f"ceremony/{self.session.hex()}/{what}"

    # --- one round --------------------------------------------------------------------------------------------

    def _prepare(self, heard: Heard, round_: str, transcript: bytes) -> None:
        randomness = self._site.reserved_randomness(self._name(f"{round_}/randomness"))
        payload = codec.encode(self._payloads[round_](heard, randomness, round_))
        reveal = Reveal(randomness.derive("commitment salt").reveal(), payload)
        draft = self._mailroom.draft(
            REVEAL, self.session, {"round": round_, "salt": reveal.salt, "payload": reveal.payload}
        )
        kept = codec.encode({"id": draft.id, "envelope": draft.envelope})
        commitment = reveal.commitment(self.session, round_, self._site.position)
        commit = {"round": round_, "transcript": transcript, "commitment": commitment}
        with self._site.profile.database.atomic():
            self._site.keep_secret(self._name(f"{round_}/reveal"), kept)
            self._mailroom.post(COMMIT, self.session, commit)

    def _open(self, round_: str) -> None:
        name = self._name(f"{round_}/reveal")
        kept = self._site.secret(name)
        if kept is None:
            raise Bug("ceremony.reveal_lost", round=round_)
        value = codec.decode(kept, 1 << 22)
        with self._site.profile.database.atomic():
            self._mailroom.queue(Draft(value["id"], self.session, (), value["envelope"]))
            self._site.profile.sealed_secrets.remove(name)

    def _read(self, heard: Heard, round_: str) -> dict[int, Fields]:
        """Return every site's payload of a finished round, ready to be taken apart."""
        read = {}
        for position in self._site.roster.positions:
            with _blaming(position):
                read[position] = payload(heard.reveals[round_, position])
        return read

    # --- what each round says ---------------------------------------------------------------------------------

    def _randomness(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        return {"random": randomness.derive("ceremony randomness").reveal()}

    def _crs(self, heard: Heard) -> bytes:
        """The seed of every common polynomial: federation, roster and all that was revealed in the first round."""
        revealed = []
        for position, fields in self._read(heard, rounds.RANDOMNESS).items():
            with _blaming(position):
                revealed.append(fields.bytes("random", 32))
                fields.done()
        return codec.digest(["consilium crs v1", self._site.roster.federation_id, self._site.roster.hash, revealed])

    def _seed(self) -> SecretBytes:
        """The seed of this site's key share for this ceremony."""
        return self._site.root.derive("key share v1", self._stored()["salt"])

    def _key_share(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        # the second round of the relinearization key goes on with the first one's ephemeral secret
        name = self._name(f"{rounds.RELINEARIZATION_1}/randomness")
        fresh = self._site.reserved_randomness(name) if round_ == rounds.RELINEARIZATION_2 else randomness
        first = self._files(heard, rounds.RELINEARIZATION_1) if round_ == rounds.RELINEARIZATION_2 else {}
        arguments = (self._parameters.name, round_, self._crs(heard), self._seed(), fresh, list(first.values()))
        files = {rounds.RELINEARIZATION_1: first}
        return self._offer(self._sum(files, lambda: self._site.compute(work.generate_share, *arguments)))

    def _offer(self, data: bytes) -> dict[str, Any]:
        return {"blob": self._site.profile.blobs.put(data, limit=BLOB_LIMIT), "size": len(data)}

    def _files(self, heard: Heard, round_: str) -> dict[int, Path]:
        """Fetch every site's blob of a key round; return their paths by position, checked against their names."""
        paths = {}
        for position, fields in self._read(heard, round_).items():
            with _blaming(position):
                name, size = fields.bytes("blob", 32), fields.number("size", 1, BLOB_LIMIT)
                fields.done()
                self._fetch(position, name)
                paths[position] = self._site.profile.blobs.verified_path(name, limit=size)
        return paths

    def _fetch(self, position: int, name: bytes) -> None:
        try:
            self._mailroom.blob(self._post, name, BLOB_LIMIT)
        except PeerProblem as problem:
            raise _Unreachable(position, problem.code) from problem

    def _sum(self, files: dict[str, dict[int, Path]], compute: Callable[[], T]) -> T:
        """Run ``compute``, which sums over the sites' files; if it fails, find whose file is at fault."""
        try:
            return compute()
        except ProtocolViolation:
            for round_, paths in files.items():
                for position, path in paths.items():
                    with _blaming(position):
                        self._site.compute(work.check_share, self._parameters.name, round_, path)
            raise

    def _dealing(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        roster = self._site.roster
        values = self._site.compute(
            work.deal, self._parameters.name, self._seed(), randomness, roster.quorum, len(roster.sites)
        )
        blobs = []
        for other, value in zip(roster.sites, values, strict=True):
            plaintext = value + self._pad_key(randomness, other.position).reveal()
            sealed = other.key.seal_to(
                "dealt share v1", plaintext, self._dealt_context(self._site.position, other.position)
            )
            blobs.append([self._site.profile.blobs.put(sealed, limit=BLOB_LIMIT), len(sealed)])
        return {"blobs": blobs}

    @staticmethod
    def _pad_key(randomness: SecretBytes, position: int) -> SecretBytes:
        return randomness.derive("pad key", position.to_bytes(2, "big"))

    def _dealt_context(self, dealer: int, receiver: int) -> bytes:
        return codec.encode([self.session, dealer, receiver])

    def _collect_dealt(self, heard: Heard) -> None:
        """Open what every site dealt to us; store σ and the pad keys."""
        me, roster = self._site.position, self._site.roster
        own = self._site.reserved_randomness(self._name(f"{rounds.DEALING}/randomness"))
        values, pads = {}, {}
        for dealer, fields in self._read(heard, rounds.DEALING).items():
            with _blaming(dealer):
                name, size = dealt_blobs(fields, len(roster.sites))[me - 1]
                self._fetch(dealer, name)
                sealed = self._site.profile.blobs.get(name, limit=size)
                opened = self._site.key.open("dealt share v1", sealed, self._dealt_context(dealer, me))
                values[dealer], key = opened[:-32], opened[-32:]
                work.unpack_dealt(self._parameters, values[dealer])
            if dealer != me:
                ours = self._pad_key(own, dealer).reveal()
                ordered = [ours, key] if me < dealer else [key, ours]
                pads[dealer] = SecretBytes(codec.digest(["consilium pad key v1", *ordered]))
        total = self._site.compute(work.collect_dealt, self._parameters.name, roster.quorum, list(values.values()))
        self._site.keep_dealt_share(DealtShare(SecretBytes(total), pads))

    def _build_keys(self, heard: Heard) -> Path:
        directory = self._site.key_directory
        if directory.exists():
            return directory
        building = self._building
        shutil.rmtree(building, ignore_errors=True)
        private_directory(building)
        files = {round_: self._files(heard, round_) for round_ in KEY_ROUNDS}
        shares = {round_: list(paths.values()) for round_, paths in files.items()}
        arguments = (self._parameters.name, self._crs(heard), building, shares)
        self._sum(files, lambda: self._site.compute(work.build_keys, *arguments))
        publish_directory(building, directory)
        return directory

    def _check(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        self._collect_dealt(heard)
        shares = []
        for window, quorum in self._windows():
            if self._site.position in quorum:
                opening, bits, _ = self._known(heard, window, quorum)
                shares.append([window, decryption_share(self._site, opening, bits)])
        return {"shares": shares, "pads": self._pad_tags(heard)}

    def _pad_tags(self, heard: Heard) -> list[bytes]:
        """Return a tag of each pair's pad key, in roster order (empty for ourselves).

        Not every pair sits in one window of the check, and sites whose pad keys differ would open a random number.
        """
        dealt, transcript = self._site.dealt_share(), rounds.transcript_before(heard, rounds.CHECK)
        return [
            dealt.pads[position].derive("pad key check v1", transcript).reveal() if position in dealt.pads else b""
            for position in self._site.roster.positions
        ]

    def _windows(self) -> list[tuple[int, tuple[int, ...]]]:
        return list(enumerate(check.windows(len(self._site.roster.sites), self._site.roster.quorum)))

    def _known(self, heard: Heard, window: int, quorum: tuple[int, ...]) -> tuple[release.Opening, int, int]:
        directory = self._build_keys(heard)
        transcript = rounds.transcript_before(heard, rounds.CHECK)
        data, value = self._site.compute(work.check_ciphertext, self._parameters.name, directory, transcript, window)
        total = release.Contribution.from_bytes(self._parameters, data, RELEASE_PRIMES, 1)
        bound = release.total_noise_bound(self._parameters, len(self._site.roster.sites), 1, check.NOISE_BITS)
        bits = release.flooding_bits(self._parameters, bound, 1)
        return release.Opening(self.session, window + 1, quorum, total), bits, value

    def _confirm(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        self._verify_check(heard)
        public_key = (self._site.key_directory / "public_key.bin").read_bytes()
        transcript = rounds.transcript_before(heard, rounds.CONFIRM)
        return {"signature": sign_statement(self._site.key, self._site.roster, public_key, transcript)}

    def _verify_check(self, heard: Heard) -> None:
        """Open every window's known value from all shares; a wrong number means a wrong key or a wrong share."""
        received: dict[tuple[int, int], Any] = {}
        tags: dict[tuple[int, int], bytes] = {}
        for position, fields in self._read(heard, rounds.CHECK).items():
            with _blaming(position):
                for item in fields.items("shares", len(self._site.roster.sites)):
                    if not (isinstance(item, list) and [type(part) for part in item] == [int, bytes]):
                        fields.refuse("shares")
                    received[item[0], position] = release.share_from_bytes(self._parameters, item[1], RELEASE_PRIMES, 1)
                for other, tag in zip(self._site.roster.positions, self._taken_tags(fields), strict=True):
                    tags[position, other] = tag
                fields.done()
        if any(tags[one, other] != tags[other, one] for one, other in tags):
            raise _Blamed(_NOBODY, "ceremony.check_failed")  # two sites deny each other: nothing says who is right
        for window, quorum in self._windows():
            for position in quorum:
                if (window, position) not in received:
                    raise _Blamed(position, "ceremony.check_share_missing")
            opening, bits, value = self._known(heard, window, quorum)
            shares = {position: received[window, position] for position in quorum}
            number = release.DecryptionProtocol(opening, bits).finish(shares)[0]
            if check.opened_value(self._parameters, number) != value:
                raise _Blamed(_NOBODY, "ceremony.check_failed")  # a wrong key or share: nothing says whose

    def _taken_tags(self, fields: Fields) -> list[bytes]:
        sites = len(self._site.roster.sites)
        tags = fields.items("pads", sites)
        if len(tags) != sites or any(type(tag) is not bytes or len(tag) not in (0, 32) for tag in tags):
            fields.refuse("pads")
        return tags

    def _complete(self, heard: Heard) -> None:
        roster, directory = self._site.roster, self._site.key_directory
        public_key = (directory / "public_key.bin").read_bytes()
        transcript = rounds.transcript_before(heard, rounds.CONFIRM)
        message = statement(roster.hash, public_key, transcript)
        signatures = {}
        for position, fields in self._read(heard, rounds.CONFIRM).items():
            with _blaming(position):
                signatures[position] = fields.bytes("signature", SIGNATURE_BYTES)
                fields.done()
                check_statement(roster.sites[position - 1], message, signatures[position])
        federation = assemble(roster, self._site.catalogue, public_key, transcript, signatures)
        save_public_file(federation, public_path(self._site))
        (directory / f"rotation.{ROTATION_PRIMES}.seal").unlink(missing_ok=True)  # served the check only
        self._forget_blobs()  # every site has confirmed, so every site has fetched what it needed
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


class _Blamed(Exception):
    """A site's part of a round is not what the protocol asks for."""

    def __init__(self, position: int, code: str) -> None:
        super().__init__(position, code)
        self.position = position
        self.code = code


class _Unreachable(Exception):
    """What a site offers cannot be fetched now."""

    def __init__(self, position: int, code: str) -> None:
        super().__init__(position, code)
        self.position = position
        self.code = code


@contextmanager
def _blaming(position: int) -> Iterator[None]:
    """Turn a protocol violation inside the block into blame for one site."""
    try:
        yield
    except ProtocolViolation as error:
        raise _Blamed(position, error.code) from error
