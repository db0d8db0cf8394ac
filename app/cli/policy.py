"""``consilium policy``: what this site answers by itself. The minimal policy, until governance comes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

policy = typer.Typer(help="Say what this site answers.")


class Mode(StrEnum):
    """As the policy has it; a name of its own, so that a usage error comes before anything is loaded."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    NEVER = "never"


@policy.command()
def show(profile: Profile, as_json: Json = False) -> None:
    """Show this site's policy."""
    from app.core.services.connect import connect

    with connect(profile) as site:
        _tell(site.call("policy.show"), as_json)


@policy.command("set")
def set_(
    profile: Profile,
    mode: Annotated[Mode | None, typer.Option(help="Answer by itself, ask a person, or never.")] = None,
    exact: Annotated[bool | None, typer.Option("--exact/--no-exact", help="Whether exact numbers may leave.")] = None,
    noised: Annotated[bool | None, typer.Option("--noised/--no-noised", help="Whether noised ones may.")] = None,
    others: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="How many sites besides the asker's must contribute.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change this site's policy; what is not named stays."""
    from app.core.services.connect import connect

    values = {"mode": None if mode is None else mode.value, "exact": exact, "noised": noised, "others": others}
    with connect(profile) as site:
        _tell(site.call("policy.set", values), as_json)


def _tell(found: dict[str, Any], as_json: bool) -> None:
    lines = [text(f"cli.policy.mode.{found['mode']}"), text("cli.policy.others", others=found["others"])]
    lines.append(text("cli.policy.exact") if found["exact"] else text("cli.policy.no_exact"))
    lines.append(text("cli.policy.noised") if found["noised"] else text("cli.policy.no_noised"))
    answer(found, as_json, *lines)
