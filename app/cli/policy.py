"""``consilium policy``: what this site answers, in sentences; change it, sign it, ask what it would do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.cli.policy_words import edited, preview_lines, read_edited, shown_lines
from app.core.crypto.passphrase import passphrase_from_file, passphrase_from_text
from app.texts import text

policy = typer.Typer(help="Say what this site answers.")


class Mode(StrEnum):
    """As the policy has it; a name of its own, so that a usage error comes before anything is loaded."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    NEVER = "never"


class People(StrEnum):
    """As the policy has it."""

    ANYONE = "anyone"
    ENDORSED = "endorsed"


class Projects(StrEnum):
    """As the policy has it."""

    ANY = "any"
    APPROVED = "approved"
    LISTED = "listed"


@policy.command()
def show(profile: Profile, as_json: Json = False) -> None:
    """Show this site's policy, who has signed it, and what IT has fixed."""
    _tell(_call(profile, "policy.show", {}), as_json)


@policy.command("set")
def set_(
    *,
    profile: Profile,
    mode: Annotated[Mode | None, typer.Option(help="Answer by itself, ask a person, or never.")] = None,
    exact: Annotated[bool | None, typer.Option("--exact/--no-exact", help="Whether exact numbers may leave.")] = None,
    noised: Annotated[bool | None, typer.Option("--noised/--no-noised", help="Whether noised ones may.")] = None,
    per_site: Annotated[
        bool | None,
        typer.Option("--per-site/--no-per-site", help="Whether this site's numbers may be told apart from the total."),
    ] = None,
    others: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="How many sites besides the asker's must contribute.")
    ] = None,
    min_patients: Annotated[
        int | None, typer.Option(min=0, metavar="M", help="How many patients this site's dataset must have.")
    ] = None,
    people: Annotated[People | None, typer.Option(help="Who may ask.")] = None,
    projects: Annotated[Projects | None, typer.Option(help="Under which projects.")] = None,
    epsilon: Annotated[
        str | None, typer.Option(metavar="EPSILON", help="The largest ε of one release; “none” for any.")
    ] = None,
    never: Annotated[
        list[str] | None,
        typer.Option(metavar="VARIABLE[=LEVEL]", help="Never to be used; replaces all. “none” for nothing."),
    ] = None,
    smallest: Annotated[
        int | None, typer.Option(metavar="0|5|8|11", help="Below how many patients a number is withheld.")
    ] = None,
    zeros: Annotated[bool | None, typer.Option("--zeros/--no-zeros", help="Whether zeros are shown.")] = None,
    enforced: Annotated[
        bool | None, typer.Option("--enforced/--no-enforced", help="Whether cryptography must withhold them.")
    ] = None,
    rounding: Annotated[
        int | None, typer.Option(metavar="0|5|10", help="To a multiple of what counts are rounded.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change this site's policy; what is not named stays. Exceptions and the budget: see “policy edit”."""
    values = {
        "mode": None if mode is None else mode.value,
        "exact": exact,
        "noised": noised,
        "per_site": per_site,
        "others": others,
        "min_patients": min_patients,
        "people": None if people is None else people.value,
        "projects": None if projects is None else projects.value,
        "epsilon": "" if epsilon == "none" else epsilon,
        "never": _never(never),
        "smallest": smallest,
        "zeros": zeros,
        "enforced": enforced,
        "rounding": rounding,
    }
    _tell(_call(profile, "policy.set", values), as_json)


def _never(given: list[str] | None) -> list[list[str]] | None:
    if given is None:
        return None
    return [[code, level] for code, _, level in (each.partition("=") for each in given if each != "none")]


@policy.command()
def edit(
    profile: Profile,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with the fields to change, instead of an editor.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change all of the policy in an editor, as TOML: exceptions, variables never used and the budget too."""
    from app.core.services.connect import connect

    with connect(profile) as site:
        found = site.call("policy.show")
        before = found["draft"] or found["policy"]
        changed = read_edited(edited(before) if file is None else file.read_text("utf-8"), before)
        after = site.call("policy.set", changed) if changed else found
    same = (after["version"], after["draft"]) == (found["version"], found["draft"])
    answer(after, as_json, *([text("cli.policy.unchanged")] if same else shown_lines(after)))


@policy.command()
def sign(
    profile: Profile,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the custodian's passphrase.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put the changed policy into force, signed with the custodian's key."""
    from app.core.services.connect import connect

    with connect(profile) as site:
        values: dict[str, Any] = {}
        if passphrase_file is not None:
            values["passphrase"] = passphrase_from_file(passphrase_file)
        elif site.call("policy.show")["custodian"]:
            typed = typer.prompt(text("cli.policy.passphrase"), hide_input=True, err=True)
            values["passphrase"] = passphrase_from_text(typed)
        found = site.call("policy.sign", values)
    _tell(found, as_json)


@policy.command()
def preview(
    question: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="A question that somebody might ask.")
    ] = None,
    *,
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="A request that has come, by the beginning of its id.")
    ] = None,
    noise: Annotated[str, typer.Option("--noise", metavar="EPSILON", help="With noise of this ε.")] = "",
    per_site: Annotated[bool, typer.Option("--per-site", help="With each site's own numbers.")] = False,
    sites: Annotated[str, typer.Option(metavar="NAMES", help="Asked of these sites, by comma.")] = "",
    min_sites: Annotated[int, typer.Option(min=0, metavar="K", help="How many must answer at the least.")] = 0,
    person: Annotated[str, typer.Option(metavar="NAME", help="Asked by this person.")] = "",
    project: Annotated[str, typer.Option(metavar="TITLE", help="Asked under this project.")] = "",
    asker: Annotated[str, typer.Option(metavar="SITE", help="Asked by this site; by default any other.")] = "",
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Say what would happen to a question or a request, and why: every rule that is looked at."""
    if (question is None) == (request is None):
        raise typer.BadParameter(text("cli.policy.one_of"), param_hint="TEXT")
    if request is not None:
        found = _call(profile, "policy.preview", {"id": request})
    else:
        named = [name.strip() for name in sites.split(",") if name.strip()]
        values = {"text": question, "epsilon": noise, "per_site": per_site, "sites": named, "minimum": min_sites}
        values |= {"person": person, "project": project, "asker": asker}
        found = _call(profile, "policy.preview", values)
    answer(found, as_json, *preview_lines(found))


def _call(profile: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call(name, values)


def _tell(found: dict[str, Any], as_json: bool) -> None:
    answer(found, as_json, *shown_lines(found))
