"""What one site says in each round of the ceremony: computing it, and checking what the others have said before.

Whoever lives through the ceremony is :mod:`app.core.federation.ceremony`; what is computed in a worker is
:mod:`app.core.federation.ceremony_work`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from app.core import codec
from app.core.crypto import release
from app.core.crypto.identity import SIGNATURE_BYTES
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.errors import PeerProblem, ProtocolViolation
from app.core.federation import ceremony_work as work
from app.core.federation import check, rounds
from app.core.federation.ceremony_messages import KEY_ROUNDS, dealt_blobs, payload
from app.core.federation.local_site import DealtShare, LocalSite
from app.core.federation.mailroom import Mailroom, Post
from app.core.federation.opening import decryption_share
from app.core.federation.public_file import (
    PublicFederation,
    assemble,
    check_statement,
    sign_statement,
    statement,
)
from app.core.federation.rounds import Heard
from app.core.fields import Fields
from app.core.files import private_directory, publish_directory
from app.core.secret import SecretBytes

T = TypeVar("T")

BLOB_LIMIT = 1 << 27
NOBODY = 0
"""Whom to blame when nothing says who is at fault."""


class Parts:
    """The parts of one site in the ceremony of its roster. ``salt`` makes its key share unlike any other ceremony's."""

    def __init__(self, site: LocalSite, mailroom: Mailroom, post: Post, salt: Callable[[], bytes]) -> None:
        self._site = site
        self._mailroom = mailroom
        self._post = post
        self._session = site.roster.ceremony
        self._parameters = site.roster.parameters
        self._salt = salt
        self.payloads: dict[str, Callable[[Heard, SecretBytes, str], dict[str, Any]]] = {
            rounds.RANDOMNESS: self._randomness,
            **dict.fromkeys(KEY_ROUNDS, self._key_share),
            rounds.DEALING: self._dealing,
            rounds.CHECK: self._check,
            rounds.CONFIRM: self._confirm,
        }
        """What makes this site's part of each round."""

    @property
    def building(self) -> Path:
        """Where the collective keys are built before they are whole."""
        return self._site.key_directory.with_name(f"{self._site.key_directory.name}.building")

    def name(self, what: str) -> str:
        """Return the name under which a secret of this ceremony is kept."""
        return f"ceremony/{self._session.hex()}/{what}"

    def federation(self, heard: Heard) -> PublicFederation:
        """Return the federation's public side, which all sites have signed."""
        roster = self._site.roster
        public_key = (self._site.key_directory / "public_key.bin").read_bytes()
        transcript = rounds.transcript_before(heard, rounds.CONFIRM)
        message = statement(roster.hash, public_key, transcript)
        signatures = {}
        for position, fields in self._read(heard, rounds.CONFIRM).items():
            with blaming(position):
                signatures[position] = fields.bytes("signature", SIGNATURE_BYTES)
                fields.done()
                check_statement(roster.sites[position - 1], message, signatures[position])
        return assemble(roster, self._site.catalogue, public_key, transcript, signatures)

    def _read(self, heard: Heard, round_: str) -> dict[int, Fields]:
        """Return every site's payload of a finished round, ready to be taken apart."""
        read = {}
        for position in self._site.roster.positions:
            with blaming(position):
                read[position] = payload(heard.reveals[round_, position])
        return read

    def _randomness(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        return {"random": randomness.derive("ceremony randomness").reveal()}

    def _crs(self, heard: Heard) -> bytes:
        """The seed of every common polynomial: federation, roster and all that was revealed in the first round."""
        revealed = []
        for position, fields in self._read(heard, rounds.RANDOMNESS).items():
            with blaming(position):
                revealed.append(fields.bytes("random", 32))
                fields.done()
        return codec.digest(["consilium crs v1", self._site.roster.federation_id, self._site.roster.hash, revealed])

    def _seed(self) -> SecretBytes:
        """The seed of this site's key share for this ceremony."""
        return self._site.root.derive("key share v1", self._salt())

    def _key_share(self, heard: Heard, randomness: SecretBytes, round_: str) -> dict[str, Any]:
        # the second round of the relinearization key goes on with the first one's ephemeral secret
        name = self.name(f"{rounds.RELINEARIZATION_1}/randomness")
        fresh = self._site.reserved_randomness(name) if round_ == rounds.RELINEARIZATION_2 else randomness
        first = self._files(heard, rounds.RELINEARIZATION_1) if round_ == rounds.RELINEARIZATION_2 else {}
        shares, extraction = list(first.values()), self._site.roster.extraction
        arguments = (self._parameters.name, round_, self._crs(heard), self._seed(), fresh, shares, extraction)
        files = {rounds.RELINEARIZATION_1: first}
        return self._offer(self._sum(files, lambda: self._site.compute(work.generate_share, *arguments)))

    def _offer(self, data: bytes) -> dict[str, Any]:
        return {"blob": self._site.profile.blobs.put(data, limit=BLOB_LIMIT), "size": len(data)}

    def _files(self, heard: Heard, round_: str) -> dict[int, Path]:
        """Fetch every site's blob of a key round; return their paths by position, checked against their names."""
        paths = {}
        for position, fields in self._read(heard, round_).items():
            with blaming(position):
                name, size = fields.bytes("blob", 32), fields.number("size", 1, BLOB_LIMIT)
                fields.done()
                self._fetch(position, name)
                paths[position] = self._site.profile.blobs.verified_path(name, limit=size)
        return paths

    def _fetch(self, position: int, name: bytes) -> None:
        try:
            self._mailroom.blob(self._post, name, BLOB_LIMIT)
        except PeerProblem as problem:
            raise Unreachable(position, problem.code) from problem

    def _sum(self, files: dict[str, dict[int, Path]], compute: Callable[[], T]) -> T:
        """Run ``compute``, which sums over the sites' files; if it fails, find whose file is at fault."""
        try:
            return compute()
        except ProtocolViolation:
            for round_, paths in files.items():
                for position, path in paths.items():
                    with blaming(position):
                        extraction = self._site.roster.extraction
                        self._site.compute(work.check_share, self._parameters.name, round_, path, extraction)
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
                "dealt share v1", plaintext, self.dealt_context(self._site.position, other.position)
            )
            blobs.append([self._site.profile.blobs.put(sealed, limit=BLOB_LIMIT), len(sealed)])
        return {"blobs": blobs}

    @staticmethod
    def _pad_key(randomness: SecretBytes, position: int) -> SecretBytes:
        return randomness.derive("pad key", position.to_bytes(2, "big"))

    def dealt_context(self, dealer: int, receiver: int) -> bytes:
        """Return what a dealt share is sealed for: this ceremony, from whom, to whom."""
        return codec.encode([self._session, dealer, receiver])

    def _collect_dealt(self, heard: Heard) -> None:
        """Open what every site dealt to us; store σ and the pad keys."""
        me, roster = self._site.position, self._site.roster
        own = self._site.reserved_randomness(self.name(f"{rounds.DEALING}/randomness"))
        values, pads = {}, {}
        for dealer, fields in self._read(heard, rounds.DEALING).items():
            with blaming(dealer):
                name, size = dealt_blobs(fields, len(roster.sites))[me - 1]
                self._fetch(dealer, name)
                sealed = self._site.profile.blobs.get(name, limit=size)
                opened = self._site.key.open("dealt share v1", sealed, self.dealt_context(dealer, me))
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
        building = self.building
        shutil.rmtree(building, ignore_errors=True)
        private_directory(building)
        files = {round_: self._files(heard, round_) for round_ in KEY_ROUNDS}
        shares = {round_: list(paths.values()) for round_, paths in files.items()}
        arguments = (self._parameters.name, self._crs(heard), building, shares, self._site.roster.extraction)
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
        data, value = self._site.compute(
            work.check_ciphertext, self._parameters.name, directory, transcript, window, self._site.roster.extraction
        )
        total = release.Contribution.from_bytes(self._parameters, data, RELEASE_PRIMES, 1)
        bound = release.total_noise_bound(self._parameters, len(self._site.roster.sites), 1, check.NOISE_BITS)
        bits = release.flooding_bits(self._parameters, bound, 1)
        return release.Opening(self._session, window + 1, quorum, total), bits, value

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
            with blaming(position):
                for item in fields.items("shares", len(self._site.roster.sites)):
                    if not (isinstance(item, list) and [type(part) for part in item] == [int, bytes]):
                        fields.refuse("shares")
                    received[item[0], position] = release.share_from_bytes(self._parameters, item[1], RELEASE_PRIMES, 1)
                for other, tag in zip(self._site.roster.positions, self._taken_tags(fields), strict=True):
                    tags[position, other] = tag
                fields.done()
        if any(tags[one, other] != tags[other, one] for one, other in tags):
            raise Blamed(NOBODY, "ceremony.check_failed")  # two sites deny each other: nothing says who is right
        for window, quorum in self._windows():
            for position in quorum:
                if (window, position) not in received:
                    raise Blamed(position, "ceremony.check_share_missing")
            opening, bits, value = self._known(heard, window, quorum)
            shares = {position: received[window, position] for position in quorum}
            number = release.DecryptionProtocol(opening, bits).finish(shares)[0]
            if check.opened_value(self._parameters, number) != value:
                raise Blamed(NOBODY, "ceremony.check_failed")  # a wrong key or share: nothing says whose

    def _taken_tags(self, fields: Fields) -> list[bytes]:
        sites = len(self._site.roster.sites)
        tags = fields.items("pads", sites)
        if len(tags) != sites or any(type(tag) is not bytes or len(tag) not in (0, 32) for tag in tags):
            fields.refuse("pads")
        return tags


class Blamed(Exception):
    """A site's part of a round is not what the protocol asks for."""

    def __init__(self, position: int, code: str) -> None:
        super().__init__(position, code)
        self.position = position
        self.code = code


class Unreachable(Exception):
    """What a site offers cannot be fetched now."""

    def __init__(self, position: int, code: str) -> None:
        super().__init__(position, code)
        self.position = position
        self.code = code


@contextmanager
def blaming(position: int) -> Iterator[None]:
    """Turn a protocol violation inside the block into blame for one site."""
    try:
        yield
    except ProtocolViolation as error:
        raise Blamed(position, error.code) from error
