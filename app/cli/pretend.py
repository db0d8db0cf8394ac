"""``consilium pretend``: three pretend hospitals on this computer, to try everything with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.cli.progress import shown_progress
from app.core import log, paths
from app.core.services import pretend as service
from app.texts import text

pretend = typer.Typer(help="Three pretend hospitals on this computer, to try everything with.")

Place = Annotated[
    Path,
    typer.Option(
        "--place",
        metavar="DIR",
        default_factory=paths.pretend_place,
        file_okay=False,
        show_default=False,
        help="Where they live, instead of among this user's own data.",
    ),
]


@pretend.command()
def start(profile: Profile, place: Place, as_json: Json = False) -> None:
    """Make three pretend hospitals, or wake those that are there, and let them run until “pretend stop”."""
    place = place.absolute()
    with shown_progress() as job:
        holding = service.start(job, place)
    if holding is not None:
        holding.leave()
    _say_running(place, as_json)


@pretend.command()
def run(
    profile: Profile,
    place: Place,
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="End with the program that started this and holds its input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """As “start”, but end them when this ends: with Ctrl-C, or with the program that started it."""
    from app.core.services.pretend_holder import hold

    place = place.absolute()
    service.claim(place)  # before anything is written there
    log.write_to(paths.profile_log(place))
    with shown_progress() as job:
        hold(
            place,
            job,
            lambda _: _say_running(place, as_json),
            federation=text("pretend.federation"),
            until_input_ends=until_input_ends,
        )


@pretend.command()
def status(profile: Profile, place: Place, as_json: Json = False) -> None:
    """Say whether there are pretend hospitals, and whether they run."""
    found = service.status(place.absolute())
    lines = {
        service.NONE: [text("cli.pretend.none")],
        service.MAKING: [text("cli.pretend.making")],
        service.RUNNING: _running(found.profile),
        service.STOPPED: [text("cli.pretend.stopped_now")],
        service.UNFINISHED: [text("cli.pretend.unfinished")],
    }
    answer(_plain(found), as_json, *lines[found.state])


@pretend.command()
def stop(profile: Profile, place: Place, as_json: Json = False) -> None:
    """End the pretend hospitals; what they have is kept."""
    stopped = service.stop(place.absolute())
    answer({"stopped": stopped}, as_json, text("cli.pretend.stopped" if stopped else "cli.pretend.not_running"))


@pretend.command()
def remove(profile: Profile, place: Place, as_json: Json = False) -> None:
    """End the pretend hospitals and delete all that there is of them."""
    removed = service.remove(place.absolute())
    answer({"removed": removed}, as_json, text("cli.pretend.removed" if removed else "cli.pretend.none"))


def _say_running(place: Path, as_json: bool) -> None:
    answer(_plain(service.Status(service.RUNNING, service.own_profile(place))), as_json, *_running(place / "site-1"))


def _plain(found: service.Status) -> dict[str, object]:
    return {"state": found.state, "profile": str(found.profile), "sites": list(service.NAMES)}


def _running(profile: Path) -> list[str]:
    return [
        text("cli.pretend.running", sites=", ".join(service.NAMES)),
        text("cli.pretend.try", profile=profile),
        text("cli.pretend.end"),
    ]
