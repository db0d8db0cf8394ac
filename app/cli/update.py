"""``consilium update``: is there a newer version, and what would it change?"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer

from app import __version__
from app.cli.options import Json, Profile, answer
from app.core.clock import SystemClock
from app.core.errors import ConsiliumError
from app.texts import text

update = typer.Typer(help="Look for newer versions.")
NEWER = 4
"""Exit code where there is a newer version; 0 where there is none."""


@update.callback()
def _group() -> None:
    """Keep ``check`` a command of its own, also while it is the only one."""


@update.command()
def check(
    *,
    profile: Profile,
    manifest: Annotated[
        Path | None, typer.Option("--file", metavar="MANIFEST", help="A manifest on disk, in place of IT's address.")
    ] = None,
    key: Annotated[str, typer.Option(metavar="BASE64", help="Who signs it, where IT has not fixed that.")] = "",
    as_json: Json = False,
) -> None:
    """Read the signed manifest and say what a newer version would change. Nothing is downloaded or installed.

    Ends with 4 if there is a newer version, with 0 if there is none.
    """
    from app.core.services import updates

    try:
        known = base64.b64decode(key, validate=True) if key else None
    except ValueError as error:
        raise typer.BadParameter("this is no base64", param_hint="--key") from error
    found = updates.check(SystemClock(), file=manifest, key=known, in_use=_formats(profile))
    about = found.manifest
    said = {"version": about.version, "here": __version__}
    lines = [text("cli.update.newer", **said) if found.newer else text("cli.update.none", **said)]
    if found.newer:
        if about.notes:
            lines.append(text("cli.update.notes", notes=about.notes))
        lines += [text("cli.update.file", name=each.name, sha256=each.sha256) for each in about.files]
        lines.append(text("cli.update.migrates") if found.migrates else text("cli.update.as_it_is"))
        if found.unread:
            lines.append(text("cli.update.unread", formats=", ".join(found.unread)))
    body = {
        "here": __version__, "version": about.version, "newer": found.newer, "migrates": found.migrates,
        "unread": list(found.unread), "notes": about.notes, "published": about.published.isoformat(),
        "files": [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in about.files],
    }  # fmt: skip
    answer(body, as_json, *lines)
    if found.newer:
        raise typer.Exit(NEWER)


def _formats(profile: Path) -> dict[str, int]:
    """Return the formats that the profile's federation uses; none without a profile that can be read."""
    from app.core.services.connect import connect
    from app.core.store.peek import holds_profile

    if not holds_profile(profile):
        return {}
    try:
        with connect(profile) as site:
            return {str(name): int(number) for name, number in site.call("federation.show")["formats"].items()}
    except ConsiliumError:  # a site that stands alone, or cannot be opened: the doctor says what is wrong with it
        return {}
