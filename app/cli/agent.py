"""``consilium agent``: answers the other sites with nobody present."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from app.cli.boundary import INTERRUPTED
from app.cli.options import Json, Profile, answer
from app.core.errors import EnvironmentProblem
from app.texts import text


def agent(
    profile: Profile,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End as soon as there is nothing left to do, to send or to receive.")
    ] = False,
    stay: Annotated[
        bool,
        typer.Option("--stay", help="Serve this computer's window and commands even before there is a federation."),
    ] = False,
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="End with the program that started this and holds its input.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the agent that runs for this profile.")] = False,
    as_json: Json = False,
) -> None:
    """Answer the other sites as long as this runs, within this site’s policy. Ctrl-C ends it."""
    if stop:
        _stop(profile, as_json)
        return
    from app.core.services.agent_program import run_agent

    def began(site: str) -> None:
        if not as_json:
            typer.echo(text("cli.agent.began", site=site))

    end = run_agent(profile, until_idle=until_idle, stay=stay, until_input_ends=until_input_ends, began=began)
    said = text("cli.agent.idle") if end.idle else text("cli.agent.ended")
    body = {"idle": end.idle, "stopped": end.stopped, "unsent": end.unsent}
    answer(body, as_json, *([said, text("cli.agent.unsent", count=end.unsent)] if end.unsent else [said]))
    if end.stopped and (until_idle or end.signal != signal.SIGTERM):  # what ends a service ends it well
        raise typer.Exit(INTERRUPTED)


def _stop(profile: Path, as_json: bool) -> None:
    from app.core.services.connect import connect

    try:
        with connect(profile, become=False) as site:
            found = site.call("owner.stop")
    except EnvironmentProblem as problem:
        if problem.code != "owner.none":
            raise
        found = {"stopped": False}
    answer(found, as_json, text("cli.agent.stopped") if found["stopped"] else text("cli.agent.none"))
