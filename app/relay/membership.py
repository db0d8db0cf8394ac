"""Federations and their members: relay codes, founding, invitations, joining, places.

The functions that take a connection are jobs for the writer. :class:`Directory` is what they have left behind, in
memory, so that no request needs the disk to know who is asking.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from app.core import codec
from app.core.crypto.identity import MemberPublicKey
from app.core.federation.relay_protocol import Admission, RelayMember, code_secret, secret_hash
from app.relay.refusals import Refusal

_KEY_LIMIT = 4096
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that is misread
_CODE_LETTERS = 30


@dataclass(frozen=True)
class Member:
    """A member of a federation. ``number`` is the relay's own, ``place`` None until the roster has one for it."""

    number: int
    federation: bytes
    place: int | None
    founder: bool
    key: MemberPublicKey
    introduction: bytes
    invitation: bytes
    joined: int

    def listed(self) -> RelayMember:
        """Return what other members may see."""
        return RelayMember(self.place or 0, self.key, self.founder, self.introduction, self.invitation, self.joined)


@dataclass(frozen=True)
class Federation:
    """The members of one federation, in the order in which they joined."""

    id: bytes
    members: tuple[Member, ...]

    @cached_property
    def by_fingerprint(self) -> Mapping[bytes, Member]:
        """Members by the fingerprint of their key."""
        return {member.key.fingerprint: member for member in self.members}

    @cached_property
    def by_place(self) -> Mapping[int, Member]:
        """Members that have a place, by it."""
        return {member.place: member for member in self.members if member.place is not None}

    @cached_property
    def keys(self) -> Mapping[int, MemberPublicKey]:
        """Member keys by place."""
        return {place: member.key for place, member in self.by_place.items()}


class Directory:
    """All federations, in memory."""

    def __init__(self, federations: list[Federation]) -> None:
        self._federations = {federation.id: federation for federation in federations}
        self._members = {member.number: member for each in federations for member in each.members}

    def __len__(self) -> int:
        return len(self._federations)

    def __iter__(self) -> Iterator[Federation]:
        return iter(tuple(self._federations.values()))

    def update(self, federation: Federation) -> None:
        """Take in a federation as it is now."""
        self._federations[federation.id] = federation
        self._members.update({member.number: member for member in federation.members})

    def federation(self, id_: bytes) -> Federation | None:
        """Return a federation, or None."""
        return self._federations.get(id_)

    def member(self, number: int) -> Member | None:
        """Return a member by the relay's number."""
        return self._members.get(number)


# --- relay codes ----------------------------------------------------------------------------------------------------


def new_code(connection: sqlite3.Connection, *, now: int, expires: int) -> str:
    """Store the hash of a new code (150 bits) and return the code, which is nowhere else."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS))
    hash_ = secret_hash(code_secret(letters).reveal())
    connection.execute("INSERT INTO codes VALUES (?, ?, ?, NULL)", (hash_, now, expires))
    return "-".join(letters[start : start + 5] for start in range(0, _CODE_LETTERS, 5))


# --- jobs -----------------------------------------------------------------------------------------------------------


def found(connection: sqlite3.Connection, request: Admission, now: int) -> Federation:
    """Make a federation with its founder at place 1. The same request again finds it made.

    Raises Refusal ``relay.code_refused`` (unknown, used or expired) or ``relay.federation_exists``.
    """
    existing = load_federation(connection, request.federation)
    hash_ = secret_hash(request.secret)
    row = connection.execute("SELECT expires, federation FROM codes WHERE hash = ?", (hash_,)).fetchone()
    if row is None or (row[1] is None and row[0] < now) or row[1] not in (None, request.federation):
        raise Refusal("relay.code_refused")
    if existing is not None:
        member = existing.by_fingerprint.get(request.key.fingerprint)
        if member is None or not member.founder or row[1] is None:
            raise Refusal("relay.federation_exists")
        return existing
    connection.execute("UPDATE codes SET federation = ? WHERE hash = ?", (request.federation, hash_))
    connection.execute("INSERT INTO federations VALUES (?, ?)", (request.federation, now))
    _insert(connection, request, founder=True, place=1, invitation=b"", now=now)
    return _existing(connection, request.federation)


def invite(connection: sqlite3.Connection, federation: bytes, hash_: bytes, expires: int) -> None:
    """Register an invitation by the hash of its admission secret; again changes when it ends, if it is not used."""
    connection.execute(
        "INSERT INTO invitations VALUES (?, ?, ?, NULL) ON CONFLICT DO UPDATE SET expires = excluded.expires",
        (federation, hash_, expires),
    )


def revoke(connection: sqlite3.Connection, federation: bytes, hash_: bytes) -> None:
    """Forget an invitation that nobody has used."""
    connection.execute(
        "DELETE FROM invitations WHERE federation = ? AND hash = ? AND member IS NULL", (federation, hash_)
    )


def join(connection: sqlite3.Connection, request: Admission, most: int, now: int) -> Federation:
    """Take in the site that shows an invitation's secret, at the next place. The same request again changes nothing.

    Raises Refusal ``relay.invitation_refused`` (unknown, used by another key, or expired), ``relay.federation_full``.
    """
    hash_ = secret_hash(request.secret)
    row = connection.execute(
        "SELECT expires, member FROM invitations WHERE federation = ? AND hash = ?", (request.federation, hash_)
    ).fetchone()
    federation = load_federation(connection, request.federation)
    if row is None or federation is None:
        raise Refusal("relay.invitation_refused")
    expires, used_by = row
    known = federation.by_fingerprint.get(request.key.fingerprint)
    if used_by is not None:
        if known is None or known.number != used_by:
            raise Refusal("relay.invitation_refused")
        return federation
    if expires < now or known is not None:
        raise Refusal("relay.invitation_refused")
    if len(federation.members) >= most:
        raise Refusal("relay.federation_full", most=most)
    place = max(federation.by_place, default=0) + 1
    number = _insert(connection, request, founder=False, place=place, invitation=hash_, now=now)
    connection.execute(
        "UPDATE invitations SET member = ? WHERE federation = ? AND hash = ?", (number, request.federation, hash_)
    )
    return _existing(connection, request.federation)


def give_places(connection: sqlite3.Connection, federation: bytes, fingerprints: tuple[bytes, ...]) -> Federation:
    """Give these members the places 1 … n and all others none; open invitations end.

    The founder must be among them. Raises Refusal ``relay.malformed`` for a stranger or a missing founder.
    """
    found_ = _existing(connection, federation)
    founders = [member.key.fingerprint for member in found_.members if member.founder]
    if not set(founders) <= set(fingerprints) <= found_.by_fingerprint.keys():
        raise Refusal("relay.malformed", field="members")
    connection.execute("UPDATE members SET place = NULL WHERE federation = ?", (federation,))
    connection.executemany(
        "UPDATE members SET place = ? WHERE federation = ? AND fingerprint = ?",
        [(place, federation, each) for place, each in enumerate(fingerprints, start=1)],
    )
    connection.execute("DELETE FROM invitations WHERE federation = ? AND member IS NULL", (federation,))
    return _existing(connection, federation)


def forget_expired(connection: sqlite3.Connection, now: int) -> None:
    """Remove codes and invitations that ended unused."""
    connection.execute("DELETE FROM codes WHERE federation IS NULL AND expires < ?", (now,))
    connection.execute("DELETE FROM invitations WHERE member IS NULL AND expires < ?", (now,))


# --- reading --------------------------------------------------------------------------------------------------------


def load_directory(connection: sqlite3.Connection) -> Directory:
    """Read all federations."""
    ids = [row[0] for row in connection.execute("SELECT id FROM federations")]
    return Directory([_existing(connection, id_) for id_ in ids])


def load_federation(connection: sqlite3.Connection, id_: bytes) -> Federation | None:
    """Read one federation, or return None."""
    rows = connection.execute(
        "SELECT number, place, founder, key, introduction, invitation, joined FROM members "
        "WHERE federation = ? ORDER BY number",
        (id_,),
    ).fetchall()
    if not rows:
        return None
    members = [
        Member(
            number=number,
            federation=id_,
            place=place,
            founder=bool(founder),
            key=MemberPublicKey.from_dict(codec.decode(key, _KEY_LIMIT)),
            introduction=introduction,
            invitation=invitation,
            joined=joined,
        )
        for number, place, founder, key, introduction, invitation, joined in rows
    ]
    return Federation(id_, tuple(members))


def _existing(connection: sqlite3.Connection, id_: bytes) -> Federation:
    return load_federation(connection, id_) or Federation(id_, ())


def _insert(
    connection: sqlite3.Connection, request: Admission, *, founder: bool, place: int, invitation: bytes, now: int
) -> int:
    cursor = connection.execute(
        "INSERT INTO members (federation, fingerprint, key, founder, place, introduction, invitation, joined) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.federation,
            request.key.fingerprint,
            codec.encode(request.key.to_dict()),
            founder,
            place,
            request.introduction,
            invitation,
            now,
        ),
    )
    return int(cursor.lastrowid or 0)
