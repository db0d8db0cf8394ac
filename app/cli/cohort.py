"""``consilium cohort``: saved cohorts, which can be used in questions as ``cohort:"name"``."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

cohort = typer.Typer(help="Save cohorts, use them in questions, share them with other sites.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The saved cohort.")]
OfferSite = Annotated[str, typer.Argument(metavar="SITE", help="The site that offers it.")]
To = Annotated[str, typer.Option("--to", metavar="NEW", help="Save it under this name.")]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Also if a variable means something else in this federation's catalogue.")
]


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
def edit(
    name: Name,
    profile: Profile,
    definition: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="The new criteria; without them an editor opens.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what a saved cohort says; the versions before are kept."""
    current = _call(profile, "cohort.show", {"name": name, "version": 0})
    if definition is None:
        definition = _edited(current["text"])
    found = _call(profile, "cohort.save", {"name": current["name"], "text": definition})
    if found["version"] == current["version"]:
        said = text("cli.cohort.unchanged", name=found["name"])
    else:
        said = text("cli.cohort.saved", name=found["name"], version=found["version"])
    answer(_for_json(found), as_json, said)


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


@cohort.command()
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to save it.")],
    profile: Profile,
    version: Annotated[int, typer.Option(min=0, metavar="N", help="This version; 0: the latest.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the file if there is one.")] = False,
    as_json: Json = False,
) -> None:
    """Save a cohort in a small text file, for other federations and for keeping."""
    values = {"name": name, "version": version, "path": str(file.absolute()), "replace": replace}
    found = _call(profile, "cohort.export", values)
    answer(_for_json(found), as_json, text("cli.cohort.exported", name=found["name"], path=file))


@cohort.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that was exported.")],
    profile: Profile,
    to: To = "",
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """Save the cohort in FILE. Nothing that is here is replaced."""
    found = _call(profile, "cohort.import", {"path": str(file.absolute()), "to": to, "anyway": anyway})
    _tell_kept(found, as_json)


@cohort.command()
def share(
    name: Name,
    profile: Profile,
    site: Annotated[
        list[str] | None, typer.Option("--site", metavar="SITE", help="Only with this site; may be given repeatedly.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Offer a saved cohort to the other sites. Only its definition travels."""
    found = _call(profile, "cohort.share", {"name": name, "sites": list(site or ())})
    lines = [text("cli.cohort.shared_with", name=found["name"], sites=", ".join(found["sites"]))]
    if found["unread"]:
        lines.append(text("cli.cohort.not_shared_with", sites=", ".join(found["unread"])))
    answer(found, as_json, *lines)


@cohort.command()
def shared(profile: Profile, as_json: Json = False) -> None:
    """List what other sites offer."""
    found = _call(profile, "cohort.shared", {})["cohorts"]
    lines = [line for each in found for line in _offer_lines(each)] or [text("cli.cohort.nothing_shared")]
    answer({"cohorts": [_for_json(each) for each in found]}, as_json, *lines)


@cohort.command()
def accept(
    site: OfferSite,
    name: Name,
    profile: Profile,
    to: To = "",
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """Save what SITE offers as NAME. Nothing that is here is replaced."""
    _tell_kept(_call(profile, "cohort.accept", {"site": site, "name": name, "to": to, "anyway": anyway}), as_json)


@cohort.command()
def decline(site: OfferSite, name: Name, profile: Profile, as_json: Json = False) -> None:
    """Remove what SITE offers as NAME from the list."""
    found = _call(profile, "cohort.decline", {"site": site, "name": name})
    answer(found, as_json, text("cli.cohort.declined", name=found["name"], site=site))


def _edited(definition: str) -> str:
    """Return what a person makes of a definition in an editor, in one line."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(text("cli.cohort.no_editor"), param_hint="TEXT")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if sys.platform == "win32" else "vi")
    with tempfile.TemporaryDirectory(prefix="consilium-") as directory:
        file = Path(directory, "cohort.txt")
        file.write_text(definition + "\n", "utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)  # noqa: S603 - the person's own editor
        except (OSError, subprocess.CalledProcessError) as error:
            raise typer.BadParameter(text("cli.cohort.editor_failed", editor=editor), param_hint="TEXT") from error
        return " ".join(file.read_text("utf-8").split("\n")).strip()


def _tell_kept(found: dict[str, Any], as_json: bool) -> None:
    lines = [text("cli.cohort.saved", name=found["name"], version=found["version"])]
    if found["meaning"]:
        lines.append(text("cli.cohort.means_otherwise", variables=", ".join(found["meaning"])))
    answer(_for_json(found), as_json, *lines)


def _offer_lines(found: dict[str, Any]) -> list[str]:
    said = {name: found[name] for name in ("site", "name", "text")}
    lines = [text("cli.cohort.offer", **said, when=_moment(found["received"]))]
    if found["saved"]:
        lines.append(text("cli.cohort.offer_saved", name=found["saved"]))
    if found["missing"]:
        lines.append(text("cli.cohort.offer_missing", variables=", ".join(found["missing"])))
    if found["meaning"]:
        lines.append(text("cli.cohort.means_otherwise", variables=", ".join(found["meaning"])))
    return lines


def _call(profile: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call(name, values)


def _line(found: dict[str, Any]) -> str:
    said = {name: found[name] for name in ("name", "version", "text")}
    return text("cli.cohort.line", **said, when=_moment(found["saved"]))


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _for_json(found: dict[str, Any]) -> dict[str, Any]:
    """Return a cohort without its canonical bytes, which its text says as well."""
    return {name: value for name, value in found.items() if name != "query"}
