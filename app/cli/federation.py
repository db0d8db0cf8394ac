"""``consilium federation``: creating or joining a federation, confirming the others, starting, its status."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.core.errors import PeerProblem
from app.core.files import read_limited, write_atomic
from app.core.secret import SecretBytes
from app.core.services.connect import connect
from app.texts import explain, preferred_language, text

federation = typer.Typer(help="Create or join a federation.")

_PEM_LIMIT = 1 << 14
_TEXT_LIMIT = 1 << 16
_LARGE = 100_000_000
"""Bytes from which on they are told in GB."""


@federation.command()
def create(
    profile: Profile,
    relay: Annotated[str, typer.Option(metavar="URL", help="The relay's address: https://…")],
    relay_code: Annotated[str, typer.Option(metavar="CODE", help="The code from the relay's administrator.")],
    name: Annotated[str, typer.Option(metavar="N", help="The federation's name.")],
    catalogue: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The catalogue (TOML).")],
    quorum: Annotated[
        int | None,
        typer.Option(min=2, metavar="T", help="How many sites open a result together (3: all; more: all but one)."),
    ] = None,
    relay_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The relay's private CA (PEM), if it has one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a federation, with this site as its first."""
    trust = "system" if relay_ca is None else read_limited(relay_ca, _PEM_LIMIT).decode("ascii", "replace")
    asked = {"relay": relay, "trust": trust, "code": SecretBytes(relay_code.encode()), "name": name, "quorum": quorum}
    with connect(profile) as site:
        done = site.call("federation.create", {**asked, "catalogue": str(catalogue.absolute())})
    answer(done, as_json, text("cli.federation.created", name=name), text("cli.federation.created_next"))


@federation.command()
def invite(
    profile: Profile,
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="The name of the hospital that is invited.")],
    again: Annotated[
        bool, typer.Option("--again", help="Make a new invitation; the old one, and who joined by it, are worthless.")
    ] = False,
    qr: Annotated[bool, typer.Option("--qr", help="Show the QR code here as well.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the QR code to FILE (SVG).")] = None,
    as_json: Json = False,
) -> None:
    """Invite a hospital: prints a text to send to it. One hospital can use it, once."""
    from app.core.federation import invitation as codes

    with connect(profile) as here:
        done = here.call("federation.invite", {"site": site, "again": again})
    written = done.pop("text").reveal().decode()
    if svg is not None:
        write_atomic(svg, codes.svg(written).encode())
    lines = [text("cli.federation.invited", site=done["site"], time=_local(done["expires"])), "", written]
    lines += ["", codes.terminal(written)] if qr else []
    answer({**done, "invitation": written}, as_json, *lines, "", text("cli.federation.invited_next", site=done["site"]))


@federation.command()
def join(
    profile: Profile,
    invitation: Annotated[
        str, typer.Argument(metavar="INVITATION", help="The invitation's text; “-” reads it from standard input.")
    ],
    as_json: Json = False,
) -> None:
    """Join the federation that an invitation is for."""
    written = sys.stdin.read(_TEXT_LIMIT) if invitation == "-" else invitation
    with connect(profile) as site:
        done = site.call("federation.join", {"invitation": SecretBytes(written.encode())})
    answer(
        done,
        as_json,
        text("cli.federation.joined", federation=done["federation"]),
        text("cli.federation.telephone", site=done["creator"], contact=done["contact"]),
        "",
        f"    {' '.join(done['words'])}",
        "",
        text("cli.federation.compare", site=done["creator"]),
    )


@federation.command()
def confirm(
    profile: Profile,
    site: Annotated[str, typer.Argument(metavar="SITE", help="The hospital that has read out the words.")],
    words: Annotated[
        str | None, typer.Option(metavar="WORDS", help="The six words that it has read out; without it, type them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Confirm a hospital by the six words that its person reads out on the telephone."""
    typed = words if words is not None else str(typer.prompt(text("cli.federation.ask_words", site=site), err=True))
    with connect(profile) as here:
        done = here.call("federation.confirm", {"site": site, "words": typed})
    kept = [] if done["told"] else [text("cli.federation.confirmed_kept", site=site)]
    answer(done, as_json, text("cli.federation.confirmed", site=site), *kept)


@federation.command()
def start(
    profile: Profile,
    without: Annotated[
        list[str] | None, typer.Option(metavar="SITE", help="Leave out a hospital that has confirmed (repeatable).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start with those who have joined and were confirmed on both sides: all sign, then the ceremony begins."""
    with connect(profile) as site:
        done = site.call("federation.start", {"without": without or []})
    answer(done, as_json, text("cli.federation.started"), *_lines(done))


@federation.command()
def status(profile: Profile, as_json: Json = False) -> None:
    """Say where the federation stands, and who is awaited."""
    with connect(profile) as site:
        found = site.call("federation.status")
    answer(found, as_json, *_lines(found))


@federation.command("export-public")
def export_public(
    profile: Profile,
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Where to write the public file.")],
    as_json: Json = False,
) -> None:
    """Write the file that offline preparation needs: nothing in it is secret."""
    with connect(profile) as site:
        done = site.call("federation.export_public", {"path": str(file.absolute())})
    answer(done, as_json, text("cli.federation.exported", path=file))


@federation.command()
def catalogue(profile: Profile, as_json: Json = False) -> None:
    """List the variables that can be asked about, and at how many sites each is."""
    from app.core.catalogue.model import Catalogue

    with connect(profile) as here:
        found = here.call("catalogue.show")
    language, variables = preferred_language(), Catalogue.from_cbor(found["catalogue"])
    listed = [
        {"code": each.code, "label": each.label.text(language), "sites": found["held"].get(each.code, 0)}
        for each in variables
    ]
    own = set(found["own"])
    body = {
        "name": variables.name,
        "version": variables.version,
        "sites": found["sites"],
        "variables": [{**each, "own": each["code"] in own} for each in listed],
    }
    lines = [text("cli.federation.variable", None, **each, told=found["sites"]) for each in listed]
    answer(body, as_json, *lines)


@federation.command("move-relay")
def move_relay(
    profile: Profile,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the relay is now: https://…")],
    as_json: Json = False,
) -> None:
    """Say that the federation's relay has another address now. Every site does this for itself."""
    with connect(profile) as site:
        done = site.call("federation.move_relay", {"url": url})
    answer(done, as_json, text("cli.federation.relay_moved", relay=done["relay"]))


# --- sentences ------------------------------------------------------------------------------------------------------


def _lines(found: dict[str, Any]) -> list[str]:
    """Return a federation's status in sentences."""
    if found["stage"] == "none":
        return [text("cli.federation.none", site=found["site"])]
    lines = [text("cli.federation.name", name=found["name"], stage=_stage(found))]
    if found["stage"] == "failed":
        lines.append(_said(found["code"], {"site": found["blamed"]}))
    lines += [f"  {line}" for each in found["sites"] for line in _site(each)]
    if found["awaited"]:
        lines.append(text("cli.federation.awaited", sites=", ".join(found["awaited"])))
    if found["quorum"] >= 2:
        lines.append(_quorum(found["quorum"], found["of"]))
    if found["stage"] in {"joining", "signing", "ceremony"} and found["traffic_bytes"]:
        lines.append(text("cli.federation.traffic", sites=found["of"], size=_size(found["traffic_bytes"])))
    if found["refusals"]:
        last = found["refusals"][-1]
        lines.append(
            text("cli.federation.refused", time=_local(last["time"]), what=_said(last["code"], last["params"]))
        )
    if trouble := found.get("trouble"):
        lines.append(text("cli.federation.offline", what=_said(trouble["code"], trouble["params"])))
    return lines


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= _LARGE else f"{max(1, round(count / 1e6))} MB"


def _stage(found: dict[str, Any]) -> str:
    stages = {
        "joining": text("cli.federation.stage_joining"),
        "signing": text("cli.federation.stage_signing"),
        "ceremony": text("cli.federation.stage_ceremony", round=_round(found["round"])),
        "failed": text("cli.federation.stage_failed"),
        "ready": text("cli.federation.stage_ready"),
    }
    return stages[found["stage"]]


def _round(name: str) -> str:
    rounds = {
        "randomness": text("cli.federation.round_randomness"),
        "public key": text("cli.federation.round_public_key"),
        "relinearization 1": text("cli.federation.round_relinearization_1"),
        "relinearization 2": text("cli.federation.round_relinearization_2"),
        "rotation": text("cli.federation.round_rotation"),
        "dealing": text("cli.federation.round_dealing"),
        "check": text("cli.federation.round_check"),
        "confirm": text("cli.federation.round_confirm"),
    }
    return rounds.get(name, name)


def _site(site: dict[str, Any]) -> list[str]:
    states = {
        "us": text("cli.federation.state_us"),
        "invited": text("cli.federation.state_invited"),
        "expired": text("cli.federation.state_expired"),
        "joined": text("cli.federation.state_joined"),
        "confirmed by us": text("cli.federation.state_confirmed_by_us"),
        "confirmed by them": text("cli.federation.state_confirmed_by_them"),
        "confirmed": text("cli.federation.state_confirmed"),
        "asked to sign": text("cli.federation.state_asked"),
        "late to sign": text("cli.federation.state_late"),
        "does not sign": text("cli.federation.state_refused"),
        "signed": text("cli.federation.state_signed"),
        "in the ceremony": text("cli.federation.state_ceremony"),
        "awaited": text("cli.federation.state_awaited"),
        "ready": text("cli.federation.state_ready"),
        "ready, not backed up": text("cli.federation.state_not_backed_up"),
        "left out": text("cli.federation.state_left_out"),
    }
    program = text("cli.federation.program", version=site["program"]) if site["program"] else ""
    lines = [text("cli.federation.site", name=site["name"], state=states[site["state"]]) + program]
    if site["words"]:
        lines.append("  " + text("cli.federation.words", words=" ".join(site["words"]), contact=site["contact"]))
    elif site["state"] in {"late to sign", "awaited", "does not sign"} and site["contact"]:
        lines.append("  " + text("cli.federation.contact", contact=site["contact"]))
    if site["reason"]:
        lines.append("  " + _said(site["reason"], {"site": site["name"]}))
    return lines


def _quorum(quorum: int, sites: int) -> str:
    if quorum == sites:
        return text("cli.federation.quorum_all", sites=sites)
    return text("cli.federation.quorum", quorum=quorum, sites=sites)


def _said(code: str, params: dict[str, Any]) -> str:
    return explain(PeerProblem(code, **params)).what


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
