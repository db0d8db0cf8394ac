"""``consilium project``: what questions are asked for; proposed by one site, approved by each for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.cli.signing import PassphraseFile, Until, custodian_passphrase, end_of, last_day
from app.core.services.connect import connect
from app.texts import text

project = typer.Typer(help="Propose projects, approve those of others.")

Name = Annotated[str, typer.Argument(metavar="ID", help="The project, by the beginning of its id or its title.")]


@project.command()
def new(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called.")],
    *,
    profile: Profile,
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="What is to be found out, and what for.")],
    until: Until,
    members: Annotated[
        list[str],
        typer.Option("--member", metavar="NAME", help="Somebody endorsed here, or SITE:NAME elsewhere (repeatable)."),
    ],
    legal_basis: Annotated[str, typer.Option(metavar="TEXT", help="On which legal basis.")] = "",
    assessment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file with the data-protection assessment.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Propose a project to all sites, and approve it here."""
    from app.core.federation.projects import MOST_ASSESSMENT
    from app.core.files import read_limited

    written = "" if assessment is None else _text(read_limited(assessment, 4 * MOST_ASSESSMENT), assessment)
    values: dict[str, Any] = {
        "title": title,
        "purpose": purpose,
        "legal_basis": legal_basis,
        "assessment": written,
        "members": [_member(each) for each in members],
        "until": end_of(until),
    }
    found = _signed(profile, "project.new", values, passphrase_file)
    answer(found, as_json, *_lines(found))


@project.command()
def approve(name: Name, profile: Profile, passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Approve a project for this site; read it first with “project list --json”."""
    found = _signed(profile, "project.approve", {"id": name}, passphrase_file)
    answer(found, as_json, *_lines(found))


@project.command()
def close(name: Name, profile: Profile, passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Close a project: everywhere if this site has proposed it, else for this site alone."""
    found = _signed(profile, "project.close", {"id": name}, passphrase_file)
    answer(found, as_json, *_lines(found))


@project.command("list")
def list_(profile: Profile, as_json: Json = False) -> None:
    """List the projects, newest first, with who has approved them."""
    with connect(profile) as site:
        found = site.call("project.list")["projects"]
    lines = [line for each in found for line in _lines(each)] or [text("cli.project.none")]
    answer({"projects": found}, as_json, *lines)


def _signed(profile: Path, command: str, values: dict[str, Any], passphrase_file: Path | None) -> dict[str, Any]:
    with connect(profile) as site:
        passphrase = custodian_passphrase(site, passphrase_file)
        return site.call(command, values if passphrase is None else {**values, "passphrase": passphrase})


def _member(said: str) -> dict[str, str]:
    site, found, person = said.rpartition(":")
    return {"site": site.strip() if found else "", "person": person.strip()}


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\t", " ")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"“{path}” is not UTF-8 text", param_hint="--assessment") from error


def _lines(found: dict[str, Any]) -> list[str]:
    said = {"title": found["title"], "site": found["proposed_by"], "until": last_day(found["until"])}
    members = ", ".join(f"{each['person']} ({each['site']})" for each in found["members"])
    lines = [text("cli.project.line", **said, id=found["id"][:12], state=_state(found["state"]))]
    lines.append("    " + text("cli.project.purpose", purpose=found["purpose"].replace("\n", " ")))
    if found["legal_basis"]:
        lines.append("    " + text("cli.project.legal_basis", basis=found["legal_basis"].replace("\n", " ")))
    lines.append("    " + text("cli.project.members", members=members))
    each_site = ", ".join(f"{each['site']}: {_state(each['state'])}" for each in found["approvals"])
    return [*lines, "    " + text("cli.project.approvals", approvals=each_site)]


def _state(state: str) -> str:
    states = {
        "proposed": text("cli.project.proposed"),
        "approved": text("cli.project.approved"),
        "expired": text("cli.project.expired"),
        "closed": text("cli.project.closed"),
    }
    return states[state]
