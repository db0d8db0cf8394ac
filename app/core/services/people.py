"""People of this site: a custodian with a passphrase, keys of those who ask, endorsements, and asking in one's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.core.crypto.identity import SigningKey
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import audit, custodian, people, people_messages, projects
from app.core.federation.custodian import NewKey, fingerprint
from app.core.federation.endorsement import EndorsementRequest, read_request
from app.core.federation.local_site import LocalSite
from app.core.federation.people import Asked, Delegation, Endorsed, Role
from app.core.federation.query_messages import Authority, Request
from app.core.federation.signed_records import CUSTODIAN, DELEGATION, ID_BYTES, REVOCATION, Record, is_text
from app.core.secret import SecretBytes
from app.core.services.member import Member

LONGEST = 3 * 366 * 24 * 3_600_000
"""For how long a person can be endorsed at the most, in milliseconds: three years, then it is to be thought over."""


# --- the custodian ------------------------------------------------------------------------------------------------


def make_custodian(
    member: Member, passphrase: SecretBytes, *, old: SecretBytes | None = None, lost: bool = False
) -> dict[str, Any]:
    """Make this site's custodian key, or one that follows it, and tell the others; return its fingerprint.

    Raises UserError ``passphrase.too_short``, ``passphrase.wrong``, ``custodian.passphrase_needed``.
    """
    site = member.site
    with site.profile.database.atomic():
        record = custodian.make(site, passphrase, old=old, lost=lost)
    _tell(member)
    new = NewKey.of(record)
    return {"fingerprint": fingerprint(new.key), "number": new.number, "waits": lost and new.number > 1}


def accept_custodian(member: Member, site: str, digits: str) -> dict[str, Any]:
    """Accept the key with the fingerprint ``digits`` as that of another site's custodian, whose passphrase was lost.

    Raises UserError ``custodian.not_waiting``, ``custodian.fingerprint_differs``, ``roster.unknown_site``.
    """
    other = member.site.roster.site_named(site)
    waiting = custodian.waiting(member.site, other.position)
    if not waiting:
        raise UserError("custodian.not_waiting", site=other.name)
    typed = "".join(digits.split()).lower()
    keys = {fingerprint(new.key).replace(" ", ""): new.key for new in map(NewKey.of, waiting)}
    if typed not in keys:
        raise UserError("custodian.fingerprint_differs", site=other.name)
    with member.profile.store.database.atomic():
        people_messages.accept(member.site, other.position, keys[typed])
    return {"site": other.name, "fingerprint": fingerprint(keys[typed])}


# --- keys of people -----------------------------------------------------------------------------------------------


def make_key(member: Member, person: str) -> EndorsementRequest:
    """Return what is to be endorsed: the person's key on this workstation, made the first time.

    Raises UserError ``people.bad_name``; EnvironmentProblem ``keyring.*``.
    """
    profile, site, person = member.profile, member.site, _name(person)
    if (key := profile.store.own_keys.of(person)) is None or profile.secrets.get(
        _stored(profile.profile_id, key)
    ) is None:
        secret = SecretBytes(site.random(32))
        key = SigningKey(secret).public
        profile.secrets.put(_stored(profile.profile_id, key), secret)
        with profile.store.database.atomic():
            profile.store.own_keys.add(key, person, now=site.clock.now())
            audit.record(site, "key.person", who=person, what={"fingerprint": fingerprint(key)})
    return EndorsementRequest(site.roster.federation_id, site.position, person, key)


def request_text(member: Member, request: EndorsementRequest) -> str:
    """Return an endorsement request as text, signed with its key; raises EnvironmentProblem ``people.key_gone``."""
    return request.to_text(_signing(member, request.person, request.key))


def _signing(member: Member, person: str, key: bytes) -> SigningKey:
    secret = member.profile.secrets.get(_stored(member.profile.profile_id, key))
    if secret is None:
        raise EnvironmentProblem("people.key_gone", person=person)
    return SigningKey(secret)


def _stored(profile: str, key: bytes) -> str:
    return f"{profile} person {key.hex()[:32]}"


# --- endorsing ----------------------------------------------------------------------------------------------------


def endorse(
    member: Member,
    request: EndorsementRequest,
    role: Role,
    *,
    until: int,
    since: int = 0,
    passphrase: SecretBytes | None = None,
) -> Endorsed:
    """Endorse a person of this site in a role, from ``since`` (UTC ms, 0: now) until ``until``, and tell all sites.

    Raises UserError ``people.request_elsewhere``, ``people.until_past``, ``people.until_too_late``, and as
    ``custodian.signer``.
    """
    site, now = member.site, member.site.clock.now()
    if (request.federation, request.site) != (site.roster.federation_id, site.position):
        raise UserError("people.request_elsewhere", person=request.person)
    since = since or now
    if until <= max(since, now):
        raise UserError("people.until_past")
    if until - since > LONGEST:
        raise UserError("people.until_too_late", years=3)
    by = custodian.signer(site, passphrase)
    wanted = Delegation(b"", site.position, request.person, request.key, role, since, until, by.key, now)
    with site.profile.database.atomic():
        record = people_messages.issue(site, by, DELEGATION, wanted.to_content())
    _tell(member)
    return Endorsed(Delegation.of(record), None, True)


def read_endorsement(text: str) -> EndorsementRequest:
    """Read the text of an endorsement request; raises UserError ``endorsement.*``."""
    return read_request(text)


def revoke(
    member: Member,
    ids: Sequence[bytes],
    reason: str = "",
    *,
    passphrase: SecretBytes | None = None,
    as_site: bool = False,
) -> list[Endorsed]:
    """Take endorsements of this site back with one signature, and tell all sites; return them.

    ``as_site`` signs with the member key, for when nobody has the passphrase any more. Raises UserError
    ``people.unknown_id``, ``people.not_ours``, ``people.already_revoked``, ``people.bad_reason``, and as
    ``custodian.signer``.
    """
    site, reason = member.site, reason.strip()
    if len(reason) > people.MOST_REASON or not is_text(reason):
        raise UserError("people.bad_reason", most=people.MOST_REASON)
    found = [find(site, id) for id in ids]
    for each in found:
        if each.delegation.site != site.position:
            name = site.site_name(each.delegation.site)
            raise UserError("people.not_ours", person=each.delegation.person, site=name)
        if each.revoked is not None:
            raise UserError("people.already_revoked", person=each.delegation.person)
    by = custodian.member(site) if as_site else custodian.signer(site, passphrase)
    with site.profile.database.atomic():
        for first in range(0, len(ids), people.MOST_REVOKED):
            content = {"delegations": list(ids[first : first + people.MOST_REVOKED]), "reason": reason}
            people_messages.issue(site, by, REVOCATION, content)
    _tell(member)
    return [find(site, id) for id in ids]


def find(site: LocalSite, id: bytes) -> Endorsed:
    """Return a delegation by its id, or the beginning of one; raises UserError ``people.unknown_id``."""
    found = [each for each in people.endorsed(site) if id and each.delegation.id.startswith(id)]
    if len(found) != 1:
        raise UserError("people.unknown_id", id=id.hex()[:32])
    return found[0]


def find_named(site: LocalSite, name: str) -> Endorsed:
    """Return a delegation by the beginning of its id in hexadecimal, or this site's valid one by the person's name.

    Raises UserError ``people.unknown_id``.
    """
    wanted, all_ = name.strip(), people.endorsed(site)
    known = [each for each in all_ if wanted and each.delegation.id.hex().startswith(wanted.lower())]
    if not known:
        named = [each for each in all_ if each.delegation.site == site.position and each.delegation.person == wanted]
        known = [each for each in named if each.revoked is None]
    if len(known) != 1:
        raise UserError("people.unknown_id", id=wanted[:64])
    return known[0]


# --- asking -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InName:
    """Asking in a person's name: who that is, as every site will see it, and what signs the request."""

    asked: Asked
    sign: Callable[[Request], Authority]


def in_name_of(member: Member, person: str, project: str = "") -> InName:
    """Return what asks in the name of ``person``, under the project called ``project`` (title or id; may be empty).

    Raises UserError ``people.no_key`` (none was made on this workstation), ``people.not_endorsed``,
    ``people.project_needs_person``, ``project.unknown``; EnvironmentProblem ``people.key_gone``. Signing raises as
    :func:`.people.asked_by`: what the other sites would refuse is not sent.
    """
    site, person = member.site, person.strip()
    if not person:
        raise UserError("people.project_needs_person")
    if (key := member.profile.store.own_keys.of(person)) is None:
        raise UserError("people.no_key", person=person)
    delegation = _own_delegation(site, person, key)
    under = find_project(site, project) if project else None
    signing, row = _signing(member, person, key), site.profile.records.get(delegation.id)
    record, id = b"" if row is None else row.record, b"" if under is None else under.id

    def sign(request: Request) -> Authority:
        unsigned = replace(request, authority=Authority(record, id))
        found = Authority(record, id, signing.sign(people.ASKED, unsigned.signed_part()))
        people.asked_by(site, site.position, replace(request, authority=found))
        return found

    return InName(Asked(delegation.person, delegation.role, under), sign)


def _own_delegation(site: LocalSite, person: str, key: bytes) -> Delegation:
    """Return the strongest valid delegation of a key of this site; else any, so that it is said why it is not."""
    own = [each for each in people.endorsed(site, site.position) if each.delegation.key == key]
    found = people.strongest(own, site.clock.now())
    if found is None and not own:
        raise UserError("people.not_endorsed", person=person, site=site.site_name(site.position))
    return own[-1].delegation if found is None else found


def find_project(site: LocalSite, name: str) -> projects.Project:
    """Return a project by its title, or the beginning of its id; raises UserError ``project.unknown``."""
    wanted, known = name.strip(), projects.known(site)
    found = [each for each in known if wanted and each.id.hex().startswith(wanted.lower())]
    found = found or [each for each in known if each.title.casefold() == wanted.casefold()]
    if len(found) > 1:  # of several with one title, that which is still open
        now = site.clock.now()
        states = {each.id: projects.state_of(each, projects.verdicts(site, each), site.position, now) for each in found}
        found = [each for each in found if states[each.id] in ("approved", "proposed")]
    if len(found) != 1:
        raise UserError("project.unknown", project=wanted[:100])
    return found[0]


# --- telling ------------------------------------------------------------------------------------------------------


def listed(member: Member) -> dict[str, Any]:
    """Return who is endorsed by whom, whose keys are here, and who speaks for each site, as plain values."""
    site, now = member.site, member.site.clock.now()
    here = dict(member.profile.store.own_keys.all())
    found = people.endorsed(site)
    return {
        "own": {
            "custodian": custodian.exists(site),
            "person": next(reversed(here.values()), None),
            "people": list(dict.fromkeys(here.values())),
        },
        "people": [endorsed_to_plain(site, each, now, own=each.delegation.key in here) for each in found],
        "custodians": [_custodian(site, position) for position in site.roster.positions],
    }


def endorsed_to_plain(site: LocalSite, found: Endorsed, now: int, *, own: bool) -> dict[str, Any]:
    """Return one endorsement as it travels."""
    delegation = found.delegation
    signed_by = "site" if delegation.issuer == site.roster.sites[delegation.site - 1].key.verify else "custodian"
    return {
        "id": delegation.id.hex(),
        "person": delegation.person,
        "site": site.site_name(delegation.site),
        "role": delegation.role.value,
        "since": delegation.since,
        "until": delegation.until,
        "state": found.state(now),
        "own": own,
        "fingerprint": fingerprint(delegation.key),
        "signed_by": signed_by,
        "revoked": None if found.revoked is None else {"at": found.revoked.at, "reason": found.revoked.reason},
    }


def _custodian(site: LocalSite, position: int) -> dict[str, Any]:
    keys, waiting = custodian.keys_of(site, position), custodian.waiting(site, position)
    accepted = [row for row in site.profile.records.all(CUSTODIAN, position) if row.issuer and row.accepted is not None]
    since = next((each.at for each in map(_record, accepted) if NewKey.of(each).key == keys.current), 0)
    return {
        "site": site.site_name(position),
        "own": position == site.position,
        "custodian": keys.custodian,
        "fingerprint": fingerprint(keys.current) if keys.custodian else "",
        "since": since,
        "waiting": fingerprint(NewKey.of(waiting[-1]).key) if waiting else "",
    }


def _record(row: Any) -> Record:
    return Record.from_cbor(row.record)


def id_of(text: str) -> bytes:
    """Return an id given in hexadecimal; raises UserError ``people.unknown_id``."""
    try:
        id = bytes.fromhex(text)
    except ValueError:
        raise UserError("people.unknown_id", id=text[:64]) from None
    if len(id) != ID_BYTES:
        raise UserError("people.unknown_id", id=text[:64])
    return id


def _tell(member: Member) -> None:
    people_messages.announce(member.site, member.mailroom)


def _name(person: str) -> str:
    person = person.strip()
    if not 1 <= len(person) <= people.MOST_NAME or not person.isprintable():
        raise UserError("people.bad_name", most=people.MOST_NAME)
    return person
