"""Sites on their way into a federation, in one program, around a relay that may be told to misbehave."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.core import codec
from app.core.crypto.identity import MemberKey, MemberPublicKey
from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem, UserError
from app.core.federation import envelope as envelopes
from app.core.federation.relay_protocol import RelayMember, admission_of, secret_hash
from app.core.federation.trust import RelayAddress
from app.core.secret import SecretBytes
from app.core.services import site as service
from app.core.services.membership import desk_of, membership
from app.core.services.profile import OpenProfile
from app.core.services.talking import at_once
from app.core.store.profile import Profile
from tests.federation_sites import CATALOGUE, PARAMETERS, Ticks

ADDRESS = RelayAddress("https://relay.example:8443")
CODE = "ABCDE-FGHJK"


@dataclass
class Member:
    key: MemberPublicKey
    founder: bool
    invitation: bytes
    place: int | None
    mailbox: list[bytes] = field(default_factory=list)


class FakeRelay:
    """What app/relay does, in memory: one federation, no sessions, no limits."""

    def __init__(self, clock: Ticks) -> None:
        self.clock = clock
        self.federation = b""
        self.members: list[Member] = []
        self.invitations: dict[bytes, tuple[int, Member | None]] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.seen: set[bytes] = set()
        self.log: list[bytes] = []
        self.down = False
        self.swap: Callable[[MemberPublicKey], MemberPublicKey] = lambda key: key
        self.on_the_way: Callable[[bytes], Iterable[bytes]] = lambda data: (data,)

    def at(self, place: int) -> Member:
        return next(each for each in self.members if each.place == place)

    def connect(self, key: MemberKey) -> Connection:
        return Connection(self, key)


@dataclass
class Connection:
    """One site's dealings with the relay, as RelayPost has them."""

    relay: FakeRelay
    key: MemberKey

    def _me(self) -> Member:
        if self.relay.down:
            raise EnvironmentProblem("relay.unreachable", host="relay.example", port=8443)
        found = next((each for each in self.relay.members if each.key == self.key.public), None)
        if found is None or found.place is None:
            raise PeerProblem("relay.not_a_member")
        return found

    def _founder(self) -> None:
        if not self._me().founder:
            raise PeerProblem("relay.founder_only")

    def found(self, code: str) -> None:
        if code != CODE:
            raise UserError("relay.code_refused")
        if not self.relay.members:
            self.relay.members.append(Member(self.key.public, True, b"", 1))
        self._founder()

    def invite(self, invitation_secret: SecretBytes, expires: int) -> None:
        self._founder()
        hash_ = secret_hash(admission_of(invitation_secret).reveal())
        self.relay.invitations.setdefault(hash_, (expires, None))

    def revoke(self, invitation_secret: SecretBytes) -> None:
        self._founder()
        self.relay.invitations.pop(secret_hash(admission_of(invitation_secret).reveal()), None)

    def join(self, invitation_secret: SecretBytes) -> None:
        if self.relay.down:
            raise EnvironmentProblem("relay.unreachable", host="relay.example", port=8443)
        hash_ = secret_hash(admission_of(invitation_secret).reveal())
        known = next((each for each in self.relay.members if each.key == self.key.public), None)
        expires, used = self.relay.invitations.get(hash_, (0, None))
        if used is not None and used is known:
            return
        if used is not None or known is not None or expires < self.relay.clock.now():
            raise UserError("relay.invitation_refused")
        place = max(each.place or 0 for each in self.relay.members) + 1
        self.relay.members.append(Member(self.key.public, False, hash_, place))
        self.relay.invitations[hash_] = (expires, self.relay.members[-1])

    def give_places(self, fingerprints: tuple[bytes, ...]) -> None:
        self._founder()
        for each in self.relay.members:
            each.place = None
        for place, fingerprint in enumerate(fingerprints, start=1):
            next(each for each in self.relay.members if each.key.fingerprint == fingerprint).place = place
        self.relay.invitations = {hash_: kept for hash_, kept in self.relay.invitations.items() if kept[1]}

    def members(self) -> tuple[RelayMember, ...]:
        self._me()
        return tuple(
            RelayMember(each.place or 0, self.relay.swap(each.key), each.founder, b"", each.invitation, 0)
            for each in self.relay.members
        )

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        me, message = self._me(), envelopes.claimed(envelope)
        keys = {each.place: each.key for each in self.relay.members if each.place is not None}
        envelopes.open_envelope(
            envelope, federation=message.federation, roster=keys, me=None, types={message.type}, limit=1 << 20
        )
        assert message.sender == me.place
        assert message.recipients == recipients
        if envelope in self.relay.seen:
            return
        self.relay.seen.add(envelope)
        self.relay.log.append(envelope)
        for place in recipients:
            self.relay.at(place).mailbox += self.relay.on_the_way(envelope)

    def publish(self, name: bytes, path: Path) -> None:
        self._me()
        self.relay.blobs[name] = path.read_bytes()

    def withdraw(self, name: bytes) -> None:
        self.relay.blobs.pop(name, None)

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        self._me()
        if name not in self.relay.blobs:
            raise PeerProblem("post.blob_missing", name=name.hex())
        return [self.relay.blobs[name]]


class Memory:
    """A keyring of one's own."""

    kind = "secret-service"
    description = "memory"

    def __init__(self, root: SecretBytes) -> None:
        self.root = root

    def get(self, name: str) -> SecretBytes | None:
        return self.root

    def put(self, name: str, secret: SecretBytes) -> None:
        raise NotImplementedError

    def delete(self, name: str) -> None:
        raise NotImplementedError


def open_site(directory: Path, name: str, clock: Ticks, *, contact: str = "") -> OpenProfile:
    """A real profile whose root is that of its name; made if it is not there."""
    root = SecretBytes(hashlib.sha256(f"root of {directory.name}".encode()).digest())
    new = not directory.exists()
    store = (Profile.create if new else Profile.open)(directory, program="tests", now=clock.now())
    if new:
        with store.database.atomic():
            store.settings.put("secret store", b"keyring")
            store.settings.put("site name", name.encode())
            store.settings.put("site contact", (contact or f"{name}, +41 21 000 00 00").encode())
            store.settings.put("member key", codec.encode(MemberKey.from_root(root).public.to_dict()))
    return OpenProfile(store, lambda: Memory(root), clock)


class Gathering:
    """A creator called A and whoever it invites, below ``base``. Use it as a context manager."""

    def __init__(self, base: Path, names: Iterable[str] = ("B", "C")) -> None:
        self.base = base
        self.clock = Ticks()
        self.relay = FakeRelay(self.clock)
        self.sites: dict[str, OpenProfile] = {}
        for name in ("A", *names):
            self.open(name)

    def open(self, name: str, directory: str = "") -> OpenProfile:
        self.sites[directory or name] = open_site(self.base / (directory or name), name, self.clock)
        return self.sites[directory or name]

    def reopen(self, name: str) -> OpenProfile:
        """As after a kill: what was not committed is gone."""
        self.sites[name].close()
        return self.open(name)

    def __getitem__(self, name: str) -> OpenProfile:
        return self.sites[name]

    def __enter__(self) -> Gathering:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sites.values():
            each.close()

    def line(self, name: str) -> Connection:
        return self.relay.connect(self[name].member_key)

    def connector(self, name: str) -> service.Connect:
        return lambda address, federation: self.line(name)

    def create(self, quorum: int | None = None) -> None:
        at_once(
            service.create_federation(
                self["A"],
                self.connector("A"),
                address=ADDRESS,
                code=CODE,
                name="Lung",
                catalogue=CATALOGUE,
                quorum=quorum,
                parameters=PARAMETERS,
            )
        )

    def invite(self, name: str, **options: int) -> str:
        return at_once(service.invite(self["A"], self.line("A"), name, **options)).to_text()

    def join(self, name: str, text: str | None = None) -> service.Introduced:
        return at_once(service.join(self[name], self.connector(name), text or self.invite(name)))

    def work(self, name: str) -> bool:
        """Let one site do all it can; return whether anything was new. What is refused is in its refusals."""
        profile, line = self[name], self.line(name)
        if membership(profile) is None:
            return False
        new = False
        with suppress(PeerProblem):  # not a member any more
            new |= self.receive(name)
            with suppress(ConsiliumError):
                new |= at_once(service.advance(profile, line))
        return new

    def receive(self, name: str) -> bool:
        """Let one site take in what waits for it; return whether anything was new."""
        me, new = self.line(name)._me(), False
        while me.mailbox:
            with suppress(ConsiliumError):
                new |= service.receive(self[name], me.mailbox[0])
            me.mailbox.pop(0)
        return new

    def settle(self) -> None:
        for _ in range(50):
            news = [self.work(name) for name in self.sites]
            listening = [each.member_public for each in self.sites.values() if membership(each) is not None]
            if not any(news) and not any(m.mailbox for m in self.relay.members if m.place and m.key in listening):
                return
        raise AssertionError("the sites do not settle")

    def words(self, name: str) -> str:
        """The words that an invited site shows."""
        return " ".join(service.introduced(desk_of(self[name])).words)  # type: ignore[arg-type]

    def confirm(self, name: str) -> None:
        service.confirm(self[name], "a", self.words(name))
        service.confirm(self["A"], name, self.words(name))

    def gather(self, *names: str) -> None:
        """Create, invite, join and confirm."""
        self.create()
        for name in names:
            self.join(name)
        self.settle()
        for name in names:
            self.confirm(name)
        self.settle()

    def refusals(self, name: str) -> list[str]:
        return [each.code for each in self[name].store.refusals.all()]


def altered(message: object, **changes: object) -> object:
    """A copy of a message with other fields."""
    return dataclasses.replace(message, **changes)  # type: ignore[type-var]
