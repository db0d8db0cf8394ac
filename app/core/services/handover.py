"""When whoever looks after a site leaves: what has to happen, in which order, and how far it has come.

1. ``backup``: a backup of the site's keys that is newer than the beginning of the handover;
2. ``restore``: the keys open under another account of this computer than the one it began under;
3. ``custodian``: a new custodian's key, if the site has one at all: the leaver knows the passphrase of the old one;
4. ``revoke``: nothing that the leaver was endorsed for is left.
"""

from __future__ import annotations

import getpass
import hashlib
from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import custodian, people
from app.core.federation.people import Endorsed
from app.core.secret import SecretBytes
from app.core.services.member import Member
from app.core.services.people import revoke as revoke_all

_SETTING = "handover"


@dataclass(frozen=True)
class _Handover:
    leaver: str
    begun: int
    account: bytes
    key: bytes


def begin(member: Member, leaver: str) -> None:
    """Note that ``leaver`` hands over, unless it is noted already; raises UserError ``handover.under_way`` for another
    one, ``people.bad_name``."""
    leaver = leaver.strip()
    if not leaver or not leaver.isprintable():
        raise UserError("people.bad_name", most=people.MOST_NAME)
    under_way, site = _under_way(member), member.site
    if under_way is not None and under_way.leaver != leaver:
        raise UserError("handover.under_way", leaver=under_way.leaver)
    if under_way is None:
        key = custodian.keys_of(site, site.position).current
        noted = {"leaver": leaver, "begun": site.clock.now(), "account": _account(), "key": key}
        member.profile.store.settings.put(_SETTING, codec.encode(noted))


def status(member: Member) -> dict[str, Any]:
    """Return ``leaver``, ``begun`` (UTC ms), the ``steps`` [{step, state: done | open | not needed, at, count}] in
    their order, and whether all are ``done``; without a handover under way leaver is empty."""
    under_way, site = _under_way(member), member.site
    if under_way is None:
        return {"leaver": "", "begun": 0, "steps": [], "done": False}
    backup = max((at for at, _ in member.profile.backups() if at >= under_way.begun), default=0)
    keys, held = custodian.keys_of(site, site.position), _held(member, under_way.leaver)
    moved = _account() != under_way.account and _opens(member)
    custodian_state = "not needed" if not keys.custodian else "done" if keys.current != under_way.key else "open"
    steps: list[dict[str, Any]] = [
        {"step": "backup", "state": "done" if backup else "open", "at": backup, "count": 0},
        {"step": "restore", "state": "done" if moved else "open", "at": 0, "count": 0},
        {"step": "custodian", "state": custodian_state, "at": 0, "count": 0},
        {"step": "revoke", "state": "open" if held else "done", "at": 0, "count": len(held)},
    ]
    done = all(each["state"] != "open" for each in steps)
    return {"leaver": under_way.leaver, "begun": under_way.begun, "steps": steps, "done": done}


def revoke(member: Member, passphrase: SecretBytes | None, *, as_site: bool = False) -> None:
    """Take back all that the leaver is endorsed for, with one signature.

    Raises UserError ``handover.none``, ``handover.no_backup`` (first things first), and as ``people.revoke``.
    """
    under_way = _under_way(member)
    if under_way is None:
        raise UserError("handover.none")
    if status(member)["steps"][0]["state"] == "open":
        raise UserError("handover.no_backup")
    if held := _held(member, under_way.leaver):
        ids = [each.delegation.id for each in held]
        revoke_all(member, ids, "", passphrase=passphrase, as_site=as_site)


def end(member: Member) -> None:
    """Forget the handover, whether it is done or was begun by mistake."""
    member.profile.store.settings.remove(_SETTING)


def _under_way(member: Member) -> _Handover | None:
    stored = member.profile.store.settings.get(_SETTING)
    return None if stored is None else _Handover(**codec.decode(stored, 1 << 12))


def _held(member: Member, leaver: str) -> list[Endorsed]:
    """Return what a person of this site still holds, or will hold later."""
    found, now = people.endorsed(member.site, member.site.position), member.site.clock.now()
    return [each for each in found if each.delegation.person == leaver and each.state(now) in ("valid", "not yet")]


def _opens(member: Member) -> bool:
    """Return whether this account's keyring holds the site's root."""
    try:
        root = member.profile.secrets.get(member.profile.profile_id)
    except EnvironmentProblem:
        return False
    return root is not None and MemberKey.from_root(root).public == member.profile.member_public


def _account() -> bytes:
    """Return what tells one account of this computer from another; not its name, which is a person's."""
    return hashlib.sha256(b"consilium account\0" + getpass.getuser().encode()).digest()
