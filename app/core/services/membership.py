"""Which federation a profile belongs to or is on its way into, where its relay is, and this site's side of joining."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from pathlib import Path

from app.core import codec
from app.core.errors import UserError
from app.core.federation.invitation import MOST_NAME
from app.core.federation.joining import DATA_LIMIT, Desk
from app.core.federation.joining_creator import CreatorDesk, Founded
from app.core.federation.joining_invited import InvitedDesk
from app.core.federation.joining_messages import BLOB_LIMIT
from app.core.federation.roster import MOST_SITES
from app.core.federation.trust import SYSTEM, RelayAddress
from app.core.fields import Fields
from app.core.secret import SecretBytes
from app.core.services.profile import OpenProfile
from app.core.store.peek import peek

_RELAY = "joining relay"
_FOUNDED = "joining founded"
_BLOB_KEY = "joining catalogue key"


@dataclass(frozen=True)
class Membership:
    """Which federation a profile belongs to, or is on its way into, and where its relay is."""

    creator: bool
    address: RelayAddress
    federation_id: bytes


def membership(profile: OpenProfile) -> Membership | None:
    """Return which federation this is and where its relay is; None before one was created or joined."""
    kept = profile.store.settings.get(_RELAY)
    return None if kept is None else _read(kept)


def address_in(directory: Path) -> RelayAddress | None:
    """Return the relay of the profile in ``directory`` without opening the profile; errors as :func:`.peek`."""
    kept = peek(directory, kind="").settings.get(_RELAY)
    return None if kept is None else _read(kept).address


def _read(kept: bytes) -> Membership:
    fields = Fields(codec.decode(kept, DATA_LIMIT), "joining.malformed")
    url, authority = fields.text("url", 300), fields.bytes("authority", 0, 1 << 14)
    address = RelayAddress.with_authority(url, authority)
    return Membership(bool(fields.number("creator", 0, 1)), address, fields.bytes("federation", 32))


def keep_membership(profile: OpenProfile, kept: Membership) -> None:
    """Note which federation this is; inside ``database.atomic()``."""
    plain = {"url": kept.address.url, "authority": der_of(kept.address), "creator": int(kept.creator)}
    profile.store.settings.put(_RELAY, codec.encode({**plain, "federation": kept.federation_id}))


def move_relay(profile: OpenProfile, url: str) -> Membership:
    """Note that the relay of the profile's federation is at another address now, and return what is known of it.

    What proves that it is the relay stays the same. Raises UserError ``relay.bad_address``, ``joining.no_federation``.
    """
    known = member_of(profile)
    moved = replace(known, address=RelayAddress(url, known.address.trust))
    if moved != known:
        with profile.store.database.atomic():
            keep_membership(profile, moved)
    return moved


def der_of(address: RelayAddress) -> bytes:
    """Return the relay's own authority as invitations carry it; empty for the system's roots."""
    return b"" if address.trust == SYSTEM else ssl.PEM_cert_to_DER_cert(address.trust.strip())


def desk_of(profile: OpenProfile) -> CreatorDesk | InvitedDesk:
    """Return this site's side of joining; raises UserError ``joining.no_federation``."""
    known = member_of(profile)
    if not known.creator:
        return InvitedDesk(profile, known.federation_id)
    return CreatorDesk(profile, known.federation_id, decided=decided(profile, known))


def member_of(profile: OpenProfile) -> Membership:
    """As :func:`membership`; raises UserError ``joining.no_federation``."""
    known = membership(profile)
    if known is None:
        raise UserError("joining.no_federation")
    return known


def creator_desk(profile: OpenProfile) -> CreatorDesk:
    """Return the creator's desk; raises UserError ``joining.not_creator``."""
    desk = desk_of(profile)
    if not isinstance(desk, CreatorDesk):
        raise UserError("joining.not_creator")
    return desk


def decided(profile: OpenProfile, known: Membership) -> Founded:
    """Return what the creator has decided."""
    fields = Fields(codec.decode(profile.store.settings.get(_FOUNDED) or b"", DATA_LIMIT), "joining.malformed")
    key = Desk(profile, known.federation_id).secret(_BLOB_KEY)
    return Founded(
        name=fields.text("name", MOST_NAME),
        parameters=fields.text("parameters", 64),
        quorum=fields.number("quorum", 0, MOST_SITES),
        catalogue=fields.bytes("catalogue", 32),
        blob=fields.bytes("blob", 32),
        size=fields.number("size", 1, BLOB_LIMIT),
        blob_key=key or SecretBytes(b""),
    )


def keep_decided(profile: OpenProfile, known: Membership, founded: Founded) -> None:
    """Keep what the creator has decided; inside ``database.atomic()``."""
    plain = {"name": founded.name, "parameters": founded.parameters, "quorum": founded.quorum}
    blob = {"catalogue": founded.catalogue, "blob": founded.blob, "size": founded.size}
    profile.store.settings.put(_FOUNDED, codec.encode({**plain, **blob}))
    Desk(profile, known.federation_id).keep_secret(_BLOB_KEY, founded.blob_key)
