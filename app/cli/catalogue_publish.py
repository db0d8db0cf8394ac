"""``consilium catalogue publish``, ``versions``, ``accept``: new versions of the catalogue of a running federation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.core.services.connect import connect
from app.texts import text

_SHOWN = 12
"""How many codes of a sort a line names."""

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register these commands with ``consilium catalogue``."""
    for command in (publish, versions, accept):
        app.command()(command)


def publish(
    profile: Profile,
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The catalogue (TOML).")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What the others should know about it.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Sign a new version of the federation's catalogue and send it to all sites; it is in force here at once."""
    path = str(file.absolute())
    with connect(profile) as site:
        if not (yes or as_json):
            found = site.call("catalogue.check", {"path": path})
            _ask(found, text("cli.catalogue.ask_publish", version=found["version"]))
        done = site.call("catalogue.publish", {"path": path, "note": note})
    answer(done, as_json, text("cli.catalogue.published", version=done["version"]), text("cli.catalogue.export_again"))


def accept(
    profile: Profile,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The version, as “versions” lists it.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a version that another site has published into force here."""
    with connect(profile) as site:
        if not (yes or as_json):
            found = site.call("catalogue.changes", {"version": version})
            _ask(found, text("cli.catalogue.ask_accept", version=version, site=found["author"]))
        done = site.call("catalogue.accept", {"version": version})
    answer(done, as_json, text("cli.catalogue.accepted", version=version), text("cli.catalogue.export_again"))


def versions(profile: Profile, as_json: Json = False) -> None:
    """List the versions of the federation's catalogue: who published them, what is in force where."""
    with connect(profile) as site:
        found = site.call("catalogue.versions")
    answer(found, as_json, *_listed(found))


def _ask(found: Mapping[str, Any], question: str) -> None:
    """Say what a version changes, and go on only if the person says yes."""
    for line in _changes(found):
        typer.echo(line, err=True)
    typer.confirm(question, abort=True, err=True)


def _changes(found: Mapping[str, Any]) -> Iterator[str]:
    yield text("cli.catalogue.from_to", previous=found["previous"], version=found["version"])
    changes: Mapping[str, Sequence[str]] = found["changes"]
    if not any(changes.values()):
        yield text("cli.catalogue.nothing_changes")
    for what in ("added", "removed", "meaning", "shown", "groups"):
        if changes[what]:
            yield text(f"cli.catalogue.change.{what}", count=len(changes[what]), codes=_some(changes[what]))
    if found["unusable"]:
        yield text("cli.catalogue.unusable", count=len(found["unusable"]), codes=_some(found["unusable"]))


def _some(codes: Sequence[str]) -> str:
    return ", ".join(codes[:_SHOWN]) + (", …" if len(codes) > _SHOWN else "")


def _listed(found: Mapping[str, Any]) -> Iterator[str]:
    for each in found["versions"]:
        published = _local(each["published"]) if each["published"] else "–"
        state = text(f"cli.catalogue.state.{each['state']}")
        where = ", ".join(each["sites"]) or "–"
        shown = {"version": each["version"], "site": each["author"], "time": published, "state": state, "sites": where}
        yield text("cli.catalogue.version", **shown)
        if each["note"]:
            yield f"    {each['note']}"
        if each["state"] == "waiting":
            yield text("cli.catalogue.accept_it", version=each["version"])
    if found["overtaken"]:
        yield text("cli.catalogue.overtaken", version=found["in_force"])


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
