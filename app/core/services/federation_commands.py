"""The commands with which a federation comes together. Relay codes and invitations are secrets here."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from app.core import settings
from app.core.catalogue.file import load_catalogue
from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem, UserError
from app.core.federation.invitation import MOST_CONTACT, MOST_URL
from app.core.federation.public_file import save_public_file
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from app.core.secret import SecretBytes
from app.core.services import site as service
from app.core.services.commands import Context, Result, Steps, Values, Waiting, command
from app.core.services.federation_status import FederationStatus, SiteStatus, ceremony_times
from app.core.services.federation_status import status as federation_status
from app.core.services.membership import member_of
from app.core.services.membership import move_relay as move
from app.core.services.talking import aside

_TRUST = 1 << 14
_WORDS = 1000


@command("federation.create")
def create(context: Context, values: Values) -> Steps:
    """Create the federation ``name`` at ``relay`` with ``code``; ``trust`` is "system" or a private CA's PEM."""
    address = RelayAddress(values.string("relay", MOST_URL), values.string("trust", _TRUST))
    fixed = settings.current()
    fixed.require("create", address.url)
    fixed.require_relay(address.url)
    code, name = values.secret("code").reveal().decode(), values.string("name", 1000)
    catalogue, quorum = load_catalogue(values.path("catalogue")), values.any("quorum")
    values.done()
    if quorum is not None and type(quorum) is not int:
        values.refuse("quorum")
    with _connections(context) as connect:
        talk = service.create_federation(
            context.profile, connect, address=address, code=code, name=name, catalogue=catalogue, quorum=quorum
        )
        known = yield from aside(context.owner, talk)
    return {"federation": known.federation_id.hex(), "name": name, "relay": known.address.url}


@command("federation.invite")
def invite(context: Context, values: Values) -> Steps:
    """Return the invitation for ``site``; ``again`` makes a new one in any case."""
    site, again = values.string("site", 1000), values.flag("again")
    values.done()
    with _relay(context) as relay:
        invitation = yield from aside(context.owner, service.invite(context.profile, relay, site, again=again))
    text = SecretBytes(invitation.to_text().encode())
    return {"site": invitation.site, "federation": invitation.federation, "expires": invitation.expires, "text": text}


@command("federation.join")
def join(context: Context, values: Values) -> Steps:
    """Use an ``invitation``; return the words to compare, and with whom."""
    invitation = values.secret("invitation").reveal().decode()
    values.done()
    with _connections(context) as connect:
        found = yield from aside(context.owner, service.join(context.profile, connect, invitation))
    return {
        "federation": found.federation,
        "creator": found.creator,
        "contact": found.contact,
        "words": list(found.words),
    }


@command("federation.confirm")
def confirm(context: Context, values: Values) -> Steps:
    """Note that ``words`` are those that ``site`` has read out.

    ``told`` is False while an invited site cannot tell the creator yet, who has not sent what it needs to know: the
    confirmation is kept, and sent as soon as that has come.
    """
    site, words = values.string("site", MOST_CONTACT), values.string("words", _WORDS)
    values.done()
    trouble = yield from _caught_up(context)
    service.confirm(context.profile, site, words)
    yield from _sent(context, trouble)
    return {"site": site, "confirmed": True, "told": service.told(context.profile)}


@command("federation.start")
def start(context: Context, values: Values) -> Steps:
    """Propose the roster to all confirmed sites but those ``without``; return who has to sign."""
    without = values.items("without", 64)
    values.done()
    if any(type(each) is not str for each in without):
        values.refuse("without")
    trouble = yield from _caught_up(context)
    if trouble is not None:  # who has confirmed can be known only with the relay
        raise trouble
    service.start(context.profile, without=without)
    yield from _sent(context, None)
    return status_to_plain(federation_status(context.profile))


@command("federation.status")
def status(context: Context, values: Values) -> Steps:
    """Return where the federation stands, with what the relay has to say about joining if it can be reached."""
    values.done()
    trouble = yield from _caught_up(context)
    return {
        **status_to_plain(federation_status(context.profile)),
        "trouble": None if trouble is None else {"code": trouble.code, "params": dict(trouble.params)},
    }


@command("federation.show", passive=True)
def show(context: Context, values: Values) -> Result:
    """Return what this site itself knows of where the federation stands, without asking the relay.

    As ``federation.status`` returns it, and ``ceremony``: when it ``began`` and ``ended`` here (UTC ms, 0 for not yet),
    and ``parts``: when the latest part of each site came in, by its name.
    """
    values.done()
    return {**status_to_plain(federation_status(context.profile)), "ceremony": ceremony_times(context.profile)}


@command("federation.export_public")
def export_public(context: Context, values: Values) -> Result:
    """Write the federation's public file to the file ``path``."""
    path = values.path("path")
    values.done()
    federation = context.profile.federation
    if federation is None:
        raise UserError("joining.not_ready")
    save_public_file(federation, path)
    return {"path": str(path), "transcript": federation.transcript.hex()}


@command("federation.move_relay")
def move_relay(context: Context, values: Values) -> Result:
    """Note that the relay is at the address ``url`` now; who is connected with it connects anew."""
    url = values.string("url", MOST_URL)
    values.done()
    settings.current().require_relay(url)
    known = move(context.profile, url)
    if context.owner.carrier is not None:
        context.owner.carrier.reconnect()
    return {"relay": known.address.url}


def status_to_plain(found: FederationStatus) -> Result:
    """Return a status as it travels, and as ``--json`` prints it."""
    return {
        "site": found.site,
        "stage": found.stage.value,
        "creator": found.creator,
        "name": found.name,
        "federation": found.federation.hex(),
        "relay": found.relay,
        "sites": [_site_to_plain(each) for each in found.sites],
        "quorum": found.quorum,
        "of": found.of,
        "traffic_bytes": found.traffic,
        "formats": dict(found.formats),
        "round": found.round,
        "code": found.code,
        "blamed": found.blamed,
        "awaited": list(found.awaited),
        "refusals": [{"time": each.at, "code": each.code, "params": dict(each.details)} for each in found.refusals],
    }


def _site_to_plain(site: SiteStatus) -> dict[str, Any]:
    return {
        "name": site.name,
        "state": site.state.value,
        "contact": site.contact,
        "program": site.program,
        "words": list(site.words),
        "since": site.since,
        "reason": site.reason,
    }


# --- the relay ------------------------------------------------------------------------------------------------------


@contextmanager
def _connections(context: Context) -> Iterator[service.Connect]:
    """Give what makes a connection; it is closed in the end."""
    made: list[RelayPost] = []

    def connect(address: RelayAddress, federation_id: bytes) -> RelayPost:
        made.append(RelayPost(address, federation_id, context.profile.member_key, clock=context.profile.clock))
        return made[-1]

    try:
        yield connect
    finally:
        for each in made:
            each.close()


@contextmanager
def _relay(context: Context) -> Iterator[service.Relay]:
    known = member_of(context.profile)
    with _connections(context) as connect:
        yield connect(known.address, known.federation_id)


def _caught_up(context: Context) -> Generator[float, None, ConsiliumError | None]:
    """Take in what waits at the relay; return what stood in the way, if anything did."""
    if not service.open_to_joining(context.profile) and not service.unsaid(context.profile):
        return None
    try:
        with _relay(context) as relay:
            yield from aside(context.owner, service.catch_up(context.profile, relay))
    except (EnvironmentProblem, PeerProblem) as trouble:
        service.shut_out(context.profile, trouble)
        return trouble
    return None


def _sent(context: Context, trouble: ConsiliumError | None) -> Generator[float, None, None]:
    """Send what was said; raises Waiting ``agent.kept`` if that has to wait."""
    if trouble is None:
        try:
            with _relay(context) as relay:
                yield from aside(context.owner, service.advance(context.profile, relay))
        except (EnvironmentProblem, PeerProblem) as error:
            trouble = error
    if trouble is not None:
        raise Waiting("agent.kept", reason=trouble.code)
