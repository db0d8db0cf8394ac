"""Sites of a federation in one program, each with a real profile on disk: what the protocols are tested with.

Everything is real (SQLite, blobs, signed and sealed envelopes, the share ledger) but the keyring, the clock, the
worker process and the carrier of messages.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto import seal
from app.core.crypto.identity import MemberKey
from app.core.crypto.parameters import EXTRACTION_PRIMES, INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.release import make_contribution
from app.core.crypto.vault import StorageCipher
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import ceremony as ceremonies
from app.core.federation import ceremony_messages, query_messages
from app.core.federation import envelope as envelopes
from app.core.federation.ceremony import Ceremony
from app.core.federation.envelope import Envelope
from app.core.federation.known_catalogues import FIRST, KnownCatalogues
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import LocalPost, Mailroom
from app.core.federation.query_messages import Request, SmallestCount
from app.core.federation.query_session import Made, QueryDesk
from app.core.federation.roster import Roster, Site
from app.core.query.model import Flag, Query
from app.core.secret import SecretBytes
from app.core.store.profile import Profile

PARAMETERS = INSECURE_TEST_PARAMETERS
CATALOGUE = Catalogue(
    "tests", 1, (Variable("smoker", Kind.FLAG, Label("Smokes")), Variable("died", Kind.FLAG, Label("Died")))
)
OTHER_CATALOGUE = Catalogue("others", 1, (Variable("smoker", Kind.FLAG, Label("Smokes")),))
MESSAGE_TYPES = {**ceremony_messages.MESSAGE_TYPES, **query_messages.MESSAGE_TYPES}
SMOKERS = Query(Flag("smoker"))
FRESH_NOISE_BITS = 40


class Inline(Executor):
    """Runs every task at once, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class Ticks:
    """A clock that goes on by a millisecond whenever somebody looks."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000

    def now(self) -> int:
        self.time += 1
        return self.time


class TappedPost(LocalPost):
    """Carries messages as a relay does, at least once, and remembers all of them.

    ``alter`` may change, drop or add (recipient, bytes) on the way. A message whose reader dies stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.queue: deque[tuple[int, bytes]] = deque()
        self.sent: dict[tuple[int, bytes], bytes] = {}
        self.alter: Callable[[int, bytes], Iterable[tuple[int, bytes]]] | None = None

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        message = parse(envelope)
        assert self.sent.setdefault(message.key, envelope) == envelope, "a message was sent again with other bytes"
        for position in recipients:
            self.queue.extend([(position, envelope)] if self.alter is None else self.alter(position, envelope))

    def carry(self) -> int:
        new = 0
        for _ in range(len(self.queue)):
            position, data = self.queue[0]
            mailroom = self._mailrooms.get(position)
            if mailroom is None:
                self.queue.rotate(-1)
                continue
            with suppress(ProtocolViolation, EnvironmentProblem):  # recorded by the receiver
                new += mailroom.receive(data)
            self.queue.popleft()
        return new

    def messages(self, type_: str, sender: int | None = None) -> list[Envelope]:
        """Every message of a type that was sent, each once."""
        found = [parse(data) for data in self.sent.values()]
        return [each for each in found if each.type == type_ and sender in (None, each.sender)]


def parse(data: bytes) -> Envelope:
    """The envelope in trusted bytes, nothing verified."""
    return envelopes.claimed(data)


@dataclass
class KnownNumber:
    """Answers every request with an encryption of ``number``; ``reason`` declines; noise if the request wants some."""

    number: int = 0
    reason: str = ""
    noise: int = 0
    made: list[bytes] = field(default_factory=list)
    keys: Path | None = None

    def contribute(self, session: bytes, asker: int, request: Request) -> Made:
        if self.reason:
            raise UserError(self.reason)
        assert self.keys is not None
        noise = (self.noise,) if request.epsilon is not None else ()
        self.made.append(encrypted(self.keys, self.number, noise))
        return Made(self.made[-1], FRESH_NOISE_BITS)


def encrypted(keys: Path, number: int, noise: tuple[int, ...] = ()) -> bytes:
    """A contribution of ``number`` under the collective key in ``keys``."""
    encryptor = seal.BlockEncryptor(PARAMETERS, (keys / "public_key.bin").read_bytes(), RELEASE_PRIMES)
    slots = np.zeros(PARAMETERS.slots, np.int64)
    slots[:2] = number - 1, 1
    return make_contribution(PARAMETERS, encryptor.encrypt(slots), 1, noise, encryptor.encrypt_zero()).to_bytes()


class Node:
    """One site, open."""

    def __init__(self, profile: Profile, root: SecretBytes, roster: Roster, position: int, federation: Federation):
        key = MemberKey.from_root(root)
        self.site = LocalSite(
            profile,
            root,
            key,
            StorageCipher(root),
            roster,
            KnownCatalogues(profile, roster.catalogue_hash),
            position,
            Inline(),
            federation.clock,
        )
        profile.settings.put(FIRST, federation.catalogue.to_cbor())
        self.position = position
        self.profile = profile
        self.post = federation.post
        self.contributor = federation.contributors[position]
        self.contributor.keys = self.site.key_directory
        self.mailroom = Mailroom(self.site, MESSAGE_TYPES)
        self.ceremony = Ceremony(self.site, self.mailroom, self.post)
        self.desk = QueryDesk(self.site, self.mailroom, self.post, self.contributor)

    def work(self) -> None:
        """Do all that can be done now, as services/member.py does."""
        if self.ceremony.advance().state == ceremonies.READY:
            self.desk.advance()
        self.mailroom.deliver(self.post)

    @property
    def refusals(self) -> list[tuple[str, int | None]]:
        """(code, sender) of everything refused so far."""
        return [(each.code, each.sender) for each in self.profile.refusals.all()]

    def say(self, type_: str, session: bytes, body: object, recipients: tuple[int, ...] = ()) -> None:
        """Sign and queue any message: a site that does not follow the protocol."""
        with self.profile.database.atomic():
            self.mailroom.post(type_, session, body, recipients)


class Federation:
    """``sites`` sites below ``base``. Use it as a context manager."""

    catalogue = CATALOGUE

    def __init__(self, base: Path, sites: int, quorum: int, extraction: int = EXTRACTION_PRIMES) -> None:
        self.base = base
        self.clock = Ticks()
        self.post = TappedPost()
        self.roots = [root_of(position) for position in range(1, sites + 1)]
        self.roster = make_roster(self.roots, quorum, extraction=extraction)
        self.contributors = {i: KnownNumber(100 * i) for i in range(1, sites + 1)}
        self.nodes: dict[int, Node] = {}
        for position in self.roster.positions:
            self.start(position)

    @property
    def positions(self) -> tuple[int, ...]:
        return self.roster.positions

    def __getitem__(self, position: int) -> Node:
        return self.nodes[position]

    def __enter__(self) -> Federation:
        return self

    def __exit__(self, *_: object) -> None:
        for position in list(self.nodes):
            self.stop(position)

    def directory(self, position: int) -> Path:
        return self.base / f"site-{position}"

    def start(self, position: int) -> Node:
        """Open (or make) a site's profile and connect it."""
        directory = self.directory(position)
        opened = Profile.open if directory.exists() else Profile.create
        profile = opened(directory, program="tests", now=self.clock.now())
        node = Node(profile, self.roots[position - 1], self.roster, position, self)
        node.ceremony.begin()
        self.nodes[position] = node
        self.post.connect(node.mailroom, profile)
        return node

    def stop(self, position: int) -> None:
        """Close a site."""
        self.post.disconnect(position)
        self.nodes.pop(position).profile.close()

    def settle(self) -> None:
        """Let the open sites work until none has anything new to read."""
        while True:
            for node in list(self.nodes.values()):
                node.work()
            if not self.post.carry():
                return

    def ask(
        self,
        asker: int = 1,
        *,
        epsilon: Fraction | None = None,
        contributors: tuple[int, ...] = (),
        quorum: tuple[int, ...] = (),
        minimum: int = 1,
        smallest: SmallestCount | None = None,
    ) -> bytes:
        """Ask how many smoke; by default everyone, opened by the first sites."""
        return self[asker].desk.ask(
            SMOKERS,
            text="smoker",
            epsilon=epsilon,
            contributors=contributors or self.positions,
            quorum=quorum or self.positions[: self.roster.quorum],
            minimum=minimum,
            purpose="A test",
            smallest=smallest,
        )


def root_of(position: int) -> SecretBytes:
    """The root of the site at a position, the same in every test."""
    return SecretBytes(hashlib.sha256(f"root of site {position}".encode()).digest())


def make_roster(
    roots: list[SecretBytes],
    quorum: int,
    nonce: bytes = bytes(32),
    previous: bytes = b"",
    extraction: int = EXTRACTION_PRIMES,
) -> Roster:
    """The roster of the sites with these roots."""
    keys = [MemberKey.from_root(root).public for root in roots]
    sites = tuple(Site(i, f"Site {i}", f"+41 {i}", key) for i, key in enumerate(keys, start=1))
    roster = Roster(bytes([7]) * 32, "Tests", PARAMETERS, quorum, CATALOGUE.hash, nonce, sites, previous, extraction)
    return Roster.from_plain(roster.to_plain())


@cache
def _template(sites: int, quorum: int) -> Path:
    """Profiles after a ceremony, made once for all tests of a process."""
    base = Path(tempfile.mkdtemp(prefix="consilium-tests-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    with Federation(base, sites, quorum) as federation:
        federation.settle()
        assert {node.ceremony.advance().state for node in federation.nodes.values()} == {ceremonies.READY}
    return base


def ready_federation(base: Path, sites: int = 3, quorum: int = 2) -> Federation:
    """A federation below ``base`` whose ceremony is done."""
    shutil.copytree(_template(sites, quorum), base, dirs_exist_ok=True)
    federation = Federation(base, sites, quorum)
    federation.clock.time += 1_000_000
    return federation
