"""Heads of audit chains, exchanged between sites: what one of them rewrites of its past, the others can show.

``audit.head`` {"number", "hash", "first", "steps", "held": [[position, number, hash, signature]…], "ask"}, in the
session :func:`session_of` of the roster. A site tells the number and hash of its chain's last record, and the digests
of the records (32 bytes each, no word of what they say) from the one that its readers know, number ``first``, on: they
compute the new hash from the one that they hold. What does not follow is a rewritten history, whoever rewrote it; each
site records that in its own chain. ``held`` is what the sender holds of the others (after a break also the last head
before it), each signed for itself, so that every site sees what is held of it, two different histories told to two
sites come out, and an export can carry proof. ``ask`` asks a site for the same in return; a new profile into which keys
were restored does so with its first head: it begins again what the others know longer (:func:`lost`).

It is sent to the sites whose news say that they read it, when there is something new and an hour has passed. A message
about heads makes no record, so that two quiet sites stay quiet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, MemberPublicKey
from app.core.errors import ProtocolViolation
from app.core.federation import news
from app.core.federation.audit import FINDING, SALT_BYTES, Entry, begin, record
from app.core.federation.joining_messages import AUDIT_FORMAT
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Reader
from app.core.federation.roster import Roster
from app.core.fields import Fields
from app.core.store.audit import HASH_BYTES, Head, Witness, walked

HEAD = "audit.head"
VERSION = 1
HOUR = 3_600_000
DAY = 24 * HOUR
ANSWER_PAUSE = 10_000
"""Milliseconds, as HOUR and DAY are."""
MOST_STEPS = 1 << 14
"""How many records one message leads over; a longer way takes several."""
_MOST = 1 << 53
HELD_PURPOSE = "audit held v1"
_TOLD = "audit told"
_TOLD_LIMIT = 1 << 16
_FINDINGS = 1_000
_MOST_FINDINGS = 100
"""Findings about one site, of the last thousand: what it tells beyond that fills nobody's disk."""
_MALFORMED = "audit.malformed_message"

RESTORED = "key.restored"
"""The kind of the audit record of keys that were brought back from a backup."""
REWRITTEN, SHORTENED, UNPROVEN, TWO_HISTORIES = "audit.rewritten", "audit.shortened", "audit.unproven", "audit.two"
OWN_REWRITTEN, OWN_SHORTENED = "audit.own_rewritten", "audit.own_shortened"


@dataclass(frozen=True)
class Held:
    """What a site holds of another one's chain, with its signature."""

    position: int
    number: int
    hash: bytes
    signature: bytes


@dataclass(frozen=True)
class Told:
    """One ``audit.head``."""

    number: int
    hash: bytes
    first: int
    steps: bytes
    held: tuple[Held, ...]
    ask: bool


def _read(body: Any, roster: Roster) -> Told:
    fields = Fields(body, _MALFORMED)
    number, hash_ = fields.number("number", 1, _MOST), fields.bytes("hash", HASH_BYTES)
    first, steps = fields.number("first", 0, number), fields.bytes("steps", 0, HASH_BYTES * MOST_STEPS)
    held = tuple(_read_held(each, len(roster.sites)) for each in fields.items("held", 2 * len(roster.sites)))
    ask = fields.any("ask")
    fields.done()
    if type(ask) is not bool or len(steps) != HASH_BYTES * (number - first):
        fields.refuse("steps")
    return Told(number, hash_, first, steps, held, ask)


def _read_held(value: object, sites: int) -> Held:
    if not isinstance(value, list) or len(value) != 4:
        raise ProtocolViolation(_MALFORMED, field="held")
    fields = Fields(dict(zip(("position", "number", "hash", "signature"), value, strict=True)), _MALFORMED)
    return Held(
        fields.number("position", 1, sites),
        fields.number("number", 1, _MOST),
        fields.bytes("hash", HASH_BYTES),
        fields.bytes("signature", SIGNATURE_BYTES),
    )


MESSAGE_TYPES: Mapping[str, Reader] = {HEAD: _read}


def session_of(roster: Roster) -> bytes:
    """Return the session of the heads of a roster's sites."""
    return codec.digest(["consilium audit heads v1", roster.hash])


def check_held(holder: MemberPublicKey, owner: MemberPublicKey, number: int, hash: bytes, signature: bytes) -> None:
    """Verify that ``holder`` has signed that it holds this head of the chain of ``owner``.

    Raises ProtocolViolation ``identity.bad_signature``.
    """
    holder.check(HELD_PURPOSE, codec.encode([owner.verify, number, hash]), signature)


# --- telling ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _State:
    """What was told: when last, up to which number whom, and when each site's asking was last answered."""

    at: int
    numbers: Mapping[int, int]
    answered: Mapping[int, int]


def readers(site: LocalSite, mailroom: Mailroom) -> tuple[int, ...]:
    """Return the positions of the other sites whose program reads heads, as far as they have told."""
    return tuple(
        position
        for position, told in sorted(news.heard(site, mailroom).items())
        if position != site.position and VERSION in told.program.formats.get(AUDIT_FORMAT, ())
    )


def announce(site: LocalSite, mailroom: Mailroom) -> None:
    """Queue this site's head if there is something new, at most once an hour."""
    number, _ = site.profile.audit.head()
    state = _state(site)
    if site.clock.now() - state.at < HOUR or not number:
        return
    behind = [each for each in readers(site, mailroom) if state.numbers.get(each, 0) < number]
    if behind:
        _tell(site, mailroom, behind, ask=not state.at and bool(site.profile.audit.of_kind(RESTORED, 1)))


def ask(site: LocalSite, mailroom: Mailroom) -> tuple[int, ...]:
    """Ask the other sites what they hold of our chain; return the positions of those who will answer."""
    others = readers(site, mailroom)
    _tell(site, mailroom, others, ask=True)
    return others


def _tell(site: LocalSite, mailroom: Mailroom, recipients: Collection[int], *, ask: bool = False) -> None:
    """Queue the head for each recipient, from where it knows our chain on."""
    with site.profile.database.atomic():
        begin(site.profile, site.key, site.clock)
        state, (last, _) = _state(site), site.profile.audit.head()
        groups: dict[int, list[int]] = {}
        for position in recipients:
            groups.setdefault(min(state.numbers.get(position, last), last), []).append(position)
        for known, positions in sorted(groups.items()):
            first = known
            while True:
                rows = site.profile.audit.after(first, MOST_STEPS) if first < last else ()
                end = rows[-1] if rows else site.profile.audit.get(first)
                if end is None:  # our own chain lacks what was told of it: a verification says so
                    break
                body = {
                    "number": end.number,
                    "hash": end.hash,
                    "first": end.number - len(rows),
                    "steps": b"".join(row.content for row in rows),
                    "held": _held(site),
                    "ask": ask and end.number == last,
                }
                mailroom.post(HEAD, session_of(site.roster), body, tuple(positions))
                first = end.number
                if first >= last:
                    break
        numbers = {**state.numbers, **dict.fromkeys(recipients, last)}
        _keep(site, _State(site.clock.now(), numbers, state.answered))


def _held(site: LocalSite) -> list[list[Any]]:
    held = []
    for each in site.roster.sites:
        heads = site.profile.audit_heads
        for head in filter(None, (heads.before_break(each.key.verify), heads.last(each.key.verify))):
            signature = site.key.sign(HELD_PURPOSE, codec.encode([each.key.verify, head.number, head.hash]))
            held.append([each.position, head.number, head.hash, signature])
    return held


def _state(site: LocalSite) -> _State:
    stored = site.profile.settings.get(_TOLD)
    if stored is None:
        return _State(0, {}, {})
    roster, at, numbers, answered = codec.decode(stored, _TOLD_LIMIT)
    return _State(at, dict(numbers), dict(answered)) if roster == site.roster.hash else _State(0, {}, {})


def _keep(site: LocalSite, state: _State) -> None:
    plain = [site.roster.hash, state.at, sorted(state.numbers.items()), sorted(state.answered.items())]
    site.profile.settings.put(_TOLD, codec.encode(plain))


# --- hearing ------------------------------------------------------------------------------------------------------


def take_in(site: LocalSite, mailroom: Mailroom) -> None:
    """Look at every new message once: keep the heads, record what does not fit, answer who asks."""
    profile = site.profile
    for message in profile.inbox.unhandled():
        if message.type != HEAD:
            continue
        told, now = mailroom.read(message), site.clock.now()
        with profile.database.atomic():
            if message.session != session_of(site.roster):
                mailroom.refuse(ProtocolViolation(_MALFORMED, field="session"), message.sender)
            elif message.sender != site.position:
                _take(site, mailroom, message.sender, told, now)
                _compare(site, mailroom, message.sender, told, now)
                if told.ask:
                    _answer(site, mailroom, message.sender, now)
            profile.inbox.mark_handled(message.sender, message.id, now=now)


def _take(site: LocalSite, mailroom: Mailroom, sender: int, told: Told, now: int) -> None:
    """Keep a head, with the way to it where it follows from the one that is held."""
    heads, owner = site.profile.audit_heads, site.roster.keys[sender].verify
    last = heads.last(owner)
    if last is None:
        heads.add(owner, Head(told.number, told.hash, now, told.number, b""))
        return
    known = {"site": site.site_name(sender), "known": last.number, "known_hash": last.hash, "since": last.at}
    if told.number < last.number:
        code = SHORTENED
    elif told.first > last.number:  # a message was lost, or something is hidden: what is held stays, and is told
        if now - last.at > DAY:
            _find(site, UNPROVEN, known)
        _answer(site, mailroom, sender, now)
        return
    else:
        steps = told.steps[HASH_BYTES * (last.number - told.first) :]
        if walked(last.hash, steps) == told.hash:
            heads.add(owner, Head(told.number, told.hash, now, last.number, steps))
            return
        code = REWRITTEN
    if _find(site, code, {**known, "number": told.number, "hash": told.hash}):
        heads.add(owner, Head(told.number, told.hash, now, told.number, b""))


def _compare(site: LocalSite, mailroom: Mailroom, sender: int, told: Told, now: int) -> None:
    """Compare what the sender holds: of our chain with our chain, of the others' with what they have told us."""
    for held in told.held:
        owner = site.roster.sites[held.position - 1]
        try:
            check_held(site.roster.keys[sender], owner.key, held.number, held.hash, held.signature)
        except ProtocolViolation as error:
            mailroom.refuse(error, sender)
            continue
        what = {"site": owner.name, "holder": site.site_name(sender), "number": held.number, "hash": held.hash}
        if held.position == site.position:
            ours = site.profile.audit.get(held.number)
            agrees = ours is not None and ours.hash == held.hash
            witness = Witness(site.roster.keys[sender].verify, held.number, held.hash, now, held.signature)
            if agrees:
                _know(site, sender, held.number)
            if agrees or _find(site, OWN_SHORTENED if ours is None else OWN_REWRITTEN, what):
                site.profile.audit_heads.witness(witness, agrees=agrees)
        elif held.position != sender:
            known = site.profile.audit_heads.hashes_at(owner.key.verify, held.number)
            if known and held.hash not in known:
                _find(site, TWO_HISTORIES, what)


def _know(site: LocalSite, reader: int, number: int) -> None:
    """Tell the reader from here on next time, if it holds less than it was told."""
    state = _state(site)
    if number < state.numbers.get(reader, 0):
        _keep(site, replace(state, numbers={**state.numbers, reader: number}))


def _answer(site: LocalSite, mailroom: Mailroom, sender: int, now: int) -> None:
    """Tell the sender our head and what we hold, at most every ten seconds."""
    state = _state(site)
    if sender not in readers(site, mailroom) or now - state.answered.get(sender, 0) < ANSWER_PAUSE:
        return
    _tell(site, mailroom, (sender,))
    state = _state(site)
    _keep(site, replace(state, answered={**state.answered, sender: now}))


def _find(site: LocalSite, code: str, what: Mapping[str, Any]) -> bool:
    """Record that a history does not fit, once; return whether it was recorded now or before."""
    who = str(what.get("holder", what["site"]))
    said = Entry(who, what, code).encode(bytes(SALT_BYTES))
    known = [Entry.decode(row.body) for row in site.profile.audit.of_kind(FINDING, _FINDINGS)]
    if said in (each.encode(bytes(SALT_BYTES)) for each in known):
        return True
    if sum(each.who == who for each in known) >= _MOST_FINDINGS:
        return False
    record(site, FINDING, who=who, what=what, why=code)
    return True


def lost(site: LocalSite, since: int) -> bool:
    """Return whether this site's own chain is older than what others hold of it, as found after record ``since``.

    Two sites have to say so, or the only other one: one alone could keep everybody's budget shut with a lie.
    """
    holders = set()
    for row in site.profile.audit.of_kind(FINDING, _FINDINGS):
        if row.number <= since:
            break
        entry = Entry.decode(row.body)
        if entry.why in (OWN_REWRITTEN, OWN_SHORTENED):
            holders.add(entry.who)
    return len(holders) >= min(2, len(site.roster.sites) - 1)
