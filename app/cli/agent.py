"""``consilium agent``: answers the other sites with nobody present."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from app.cli.boundary import INTERRUPTED
from app.cli.options import Json, Profile, answer
from app.texts import text


def agent(
    profile: Profile,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End as soon as there is nothing left to do, to send or to receive.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer the other sites as long as this runs, within this site’s policy. Ctrl-C ends it."""
    from app.core.services.agent_program import run_agent

    def began(site: str) -> None:
        if not as_json:
            typer.echo(text("cli.agent.began", site=site))

    end = run_agent(profile, until_idle=until_idle, began=began)
    said = text("cli.agent.idle") if end.idle else text("cli.agent.ended")
    body = {"idle": end.idle, "stopped": end.stopped, "unsent": end.unsent}
    answer(body, as_json, *([said, text("cli.agent.unsent", count=end.unsent)] if end.unsent else [said]))
    if end.stopped and (until_idle or end.signal != signal.SIGTERM):  # what ends a service ends it well
        raise typer.Exit(INTERRUPTED)
