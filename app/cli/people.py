"""``consilium people``: the custodian, and who is endorsed at this site and at the others."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.cli.signing import (
    PassphraseFile,
    Until,
    asked,
    custodian_passphrase,
    end_of,
    last_day,
    new_passphrase,
    start_of,
)
from app.core.crypto.passphrase import passphrase_from_file
from app.core.services.connect import connect
from app.texts import text

people = typer.Typer(help="Say who may ask, and who speaks for this site.")

_TEXT_LIMIT = 1 << 14


class Role(StrEnum):
    """As endorsements have it; a name of its own, so that a usage error comes before anything is loaded."""

    TOTAL_NOISED = "total-noised"
    TOTAL_EXACT = "total-exact"
    SITES_NOISED = "sites-noised"
    SITES_EXACT = "sites-exact"
    CUSTODIAN = "custodian"
    DATA_MANAGER = "data-manager"
    AUDITOR = "auditor"


AsSite = Annotated[
    bool,
    typer.Option("--as-site", help="Sign with the site's own key: nobody has the custodian's passphrase any more."),
]


@people.command("list")
def list_(profile: Profile, as_json: Json = False) -> None:
    """List who is endorsed, by which site, as what and until when; and who speaks for each site."""
    with connect(profile) as site:
        found = site.call("people.list")
    lines = [_custodian_line(each) for each in found["custodians"]]
    lines += [_line(each) for each in found["people"]] or [text("cli.people.none")]
    answer(found, as_json, *lines)


@people.command()
def custodian(
    profile: Profile,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the new passphrase; without it, type it.")
    ] = None,
    old_passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the passphrase of the key before.")
    ] = None,
    lost: Annotated[
        bool, typer.Option("--lost", help="Nobody knows the passphrase before; every other site has to accept the key.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make this site's custodian key under a passphrase of its own, or one that follows it."""
    with connect(profile) as site:
        old = None
        if old_passphrase_file is not None:
            old = passphrase_from_file(old_passphrase_file)
        elif not lost and site.call("people.list")["own"]["custodian"]:
            old = asked(text("cli.people.ask_passphrase"))
        values = {"passphrase": new_passphrase(passphrase_file), "lost": lost}
        made = site.call("people.custodian", values if old is None else {**values, "old": old})
    lines = [text("cli.people.custodian_made", fingerprint=made["fingerprint"])]
    lines.append(text("cli.people.custodian_waits") if made["waits"] else text("cli.people.custodian_counts"))
    answer(made, as_json, *lines)


@people.command()
def accept(
    name: Annotated[str, typer.Argument(metavar="SITE", help="The hospital whose custodian has a new key.")],
    profile: Profile,
    fingerprint: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="The fingerprint that it has read out; without it, type it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Accept the new key of another site's custodian, whose passphrase was lost, by its fingerprint."""
    typed = fingerprint or typer.prompt(text("cli.people.ask_fingerprint", site=name), err=True)
    with connect(profile) as site:
        done = site.call("people.accept_custodian", {"site": name, "fingerprint": typed})
    answer(done, as_json, text("cli.people.custodian_accepted", site=done["site"]))


@people.command()
def key(
    person: Annotated[str, typer.Argument(metavar="NAME", help="Who sits at this workstation.")],
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Make a researcher's key on this workstation, and print what the custodian needs to endorse it."""
    with connect(profile) as site:
        found = site.call("people.key", {"person": person})
    answer(found, as_json, found["request"], text("cli.people.key_fingerprint", fingerprint=found["fingerprint"]))


@people.command()
def endorse(
    profile: Profile,
    role: Annotated[Role, typer.Option(help="What the person may do; each kind of result allows the weaker ones.")],
    until: Until,
    request: Annotated[
        str | None,
        typer.Argument(metavar="REQUEST", help="The endorsement request's text; “-” reads it from standard input."),
    ] = None,
    here: Annotated[
        str | None,
        typer.Option("--here", metavar="NAME", help="Make the key of somebody who sits here, and endorse it."),
    ] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="The first day; without it, now.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="The fingerprint was compared; do not ask.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Endorse a person of this site, as the custodian; all sites are told."""
    if (request is None) == (here is None):
        raise typer.BadParameter("give either REQUEST or --here NAME", param_hint="REQUEST / --here")
    values: dict[str, Any] = {"role": role.value, "until": end_of(until), "since": start_of(since)}
    written = (sys.stdin.read(_TEXT_LIMIT) if request == "-" else request) or ""
    with connect(profile) as site:
        if written and not yes:
            read = site.call("people.read_request", {"request": written})
            question = text("cli.people.compare", person=read["person"], fingerprint=read["fingerprint"])
            typer.confirm(question, abort=True, err=True)
        values |= {"request": written, "person": here or ""}
        if (passphrase := custodian_passphrase(site, passphrase_file)) is not None:
            values["passphrase"] = passphrase
        found = site.call("people.endorse", values)
    answer(found, as_json, text("cli.people.endorsed", **_said(found)))


@people.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="ID", help="The endorsement, by the beginning of its id or the name.")],
    profile: Profile,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; all sites see it.")] = "",
    as_site: AsSite = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Take an endorsement back; all sites are told, and refuse what is asked with it from then on."""
    with connect(profile) as site:
        values: dict[str, Any] = {"id": name, "reason": reason, "as_site": as_site}
        passphrase = None if as_site else custodian_passphrase(site, passphrase_file)
        found = site.call("people.revoke", values if passphrase is None else {**values, "passphrase": passphrase})
    answer(found, as_json, text("cli.people.revoked", **_said(found)))


@people.command()
def handover(
    profile: Profile,
    leaver: Annotated[str, typer.Option("--from", metavar="NAME", help="Begin: who hands over.")] = "",
    revoke_all: Annotated[
        bool, typer.Option("--revoke", help="Take back all that the leaver holds, with one signature.")
    ] = False,
    end: Annotated[bool, typer.Option("--end", help="Forget the handover: it is done, or was a mistake.")] = False,
    as_site: AsSite = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Show what has to happen when whoever looks after this site leaves, in its order, and how far it has come."""
    with connect(profile) as site:
        values: dict[str, Any] = {"leaver": leaver, "revoke": revoke_all, "end": end, "as_site": as_site}
        signs = revoke_all and not as_site
        passphrase = custodian_passphrase(site, passphrase_file) if signs else None
        found = site.call("people.handover", values if passphrase is None else {**values, "passphrase": passphrase})
    if not found["leaver"]:
        answer(found, as_json, text("cli.people.no_handover"))
        return
    lines = [text("cli.people.handover", leaver=found["leaver"], day=_day(found["begun"]))]
    for number, each in enumerate(found["steps"], start=1):
        done = {"done": "✓", "open": "·", "not needed": "–"}[each["state"]]
        lines.append(f"{done} {number}. " + text(f"cli.people.step_{each['step']}", count=each["count"]))
    if found["done"]:
        lines.append(text("cli.people.handover_done"))
    answer(found, as_json, *lines)


def _line(found: dict[str, Any]) -> str:
    line = text("cli.people.line", **_said(found), id=found["id"][:12])
    revoked = found["revoked"]
    if found["state"] == "revoked" and revoked is not None:
        return f"{line} {text('cli.people.line_revoked', day=_day(revoked['at']), reason=revoked['reason'])}".strip()
    states = {
        "expired": text("cli.people.expired"),
        "not yet": text("cli.people.not_yet", day=_day(found["since"])),
        "unaccepted": text("cli.people.unaccepted"),
    }
    return f"{line} {states.get(found['state'], '')}".strip()


def _custodian_line(found: dict[str, Any]) -> str:
    said = {"site": found["site"], "fingerprint": found["fingerprint"]}
    line = text("cli.people.has_custodian", **said) if found["custodian"] else text("cli.people.no_custodian", **said)
    if found["waiting"]:
        line += " " + text("cli.people.key_waits", site=found["site"], fingerprint=found["waiting"])
    return line


def _said(found: dict[str, Any]) -> dict[str, str]:
    role = text(f"cli.people.role.{found['role'].replace('-', '_')}")
    return {"person": found["person"], "site": found["site"], "role": role, "until": last_day(found["until"])}


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d")
