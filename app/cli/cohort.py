"""``consilium cohort``: saved cohorts, which can be used in questions as ``cohort:"name"``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

cohort = typer.Typer(help="Save cohorts and use them in questions.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The saved cohort.")]


@cohort.command()
def save(
    name: Name,
    definition: Annotated[str, typer.Argument(metavar="TEXT", help="The criteria, for example: age >= 50")],
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Save TEXT as NAME; the same name again makes the next version."""
    found = _call(profile, "cohort.save", {"name": name, "text": definition})
    said = text("cli.cohort.saved", name=found["name"], version=found["version"])
    answer(_for_json(found), as_json, said)


@cohort.command("list")
def list_(profile: Profile, as_json: Json = False) -> None:
    """List the saved cohorts, by name."""
    found = _call(profile, "cohort.list", {})["cohorts"]
    lines = [_line(each) for each in found] or [text("cli.cohort.none")]
    answer({"cohorts": [_for_json(each) for each in found]}, as_json, *lines)


@cohort.command()
def show(
    name: Name,
    profile: Profile,
    version: Annotated[int, typer.Option(min=0, metavar="N", help="This version; 0: the latest.")] = 0,
    all_versions: Annotated[bool, typer.Option("--versions", help="Show every version.")] = False,
    as_json: Json = False,
) -> None:
    """Show a saved cohort."""
    if all_versions:
        found = _call(profile, "cohort.versions", {"name": name})["cohorts"]
        answer({"cohorts": [_for_json(each) for each in found]}, as_json, *map(_line, found))
        return
    shown = _call(profile, "cohort.show", {"name": name, "version": version})
    answer(_for_json(shown), as_json, _line(shown))


@cohort.command()
def rename(
    name: Name,
    to: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Give a saved cohort another name."""
    found = _call(profile, "cohort.rename", {"name": name, "to": to})
    answer(_for_json(found), as_json, text("cli.cohort.renamed", name=found["name"]))


@cohort.command()
def delete(name: Name, profile: Profile, as_json: Json = False) -> None:
    """Delete a saved cohort with all its versions. Questions that were asked keep what they asked."""
    found = _call(profile, "cohort.delete", {"name": name})
    answer(found, as_json, text("cli.cohort.deleted", name=found["name"], versions=found["versions"]))


def _call(profile: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call(name, values)


def _line(found: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(found["saved"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    return text("cli.cohort.line", name=found["name"], version=found["version"], when=when, text=found["text"])


def _for_json(found: dict[str, Any]) -> dict[str, Any]:
    """Return a cohort without its canonical bytes, which its text says as well."""
    return {name: value for name, value in found.items() if name != "query"}
