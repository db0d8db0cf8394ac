"""``consilium profile``: the profiles on this workstation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.core import paths
from app.texts import text

if TYPE_CHECKING:
    from app.core.services.profiles import Found

profile = typer.Typer(help="The profiles on this workstation.")


@profile.command("list")
def list_(
    profile: Profile,
    directories: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]…", help="Look here too: a profile, or a folder of profiles.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List profiles: site, federation, how far it is, and which program has it open."""
    from app.core.services.pretend import own_profile
    from app.core.services.profiles import find_profiles

    given = [profile, *(directories or []), own_profile()]
    found = list(find_profiles(paths.default_profile().parent, given))
    body = {"profiles": [_plain(each) for each in found]}
    answer(body, as_json, *([_line(each) for each in found] or [text("cli.profile.none")]))


def _plain(found: Found) -> dict[str, object]:
    owner = found.owner
    return {
        "path": str(found.directory),
        "site": found.site,
        "federation": found.federation,
        "state": found.state,
        "owner": None
        if owner is None
        else {"program": owner.program, "pid": owner.pid, "state": owner.state, "version": owner.version},
        "problem": found.problem or None,
        "pretend": found.pretend,
    }


def _line(found: Found) -> str:
    states = {
        "new": text("cli.profile.state_new"),
        "joining": text("cli.profile.state_joining"),
        "running": text("cli.profile.state_ceremony"),
        "failed": text("cli.profile.state_failed"),
        "ready": text("cli.profile.state_ready"),
    }
    owners = {
        "command": text("cli.profile.owner_command"),
        "agent": text("cli.profile.owner_agent"),
        "offline": text("cli.profile.owner_offline"),
    }
    owner = text("cli.profile.owner_none") if found.owner is None else owners.get(found.owner.state, "?")
    if found.problem:
        owner = text("cli.profile.problem", code=found.problem)
    return text(
        "cli.profile.line",
        path=found.directory,
        site=found.site or "?",
        federation=found.federation or text("cli.profile.no_federation"),
        state=states.get(found.state, text("cli.profile.state_unreadable")),
        owner=owner,
    )
