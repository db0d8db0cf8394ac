"""The options that every command has, and how a command answers.

>>> @keys.command()
... def status(profile: Profile, as_json: Json = False) -> None:
...     answer({"state": "ready"}, as_json, text("cli.keys.ready"))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from app.core import log, paths
from app.core.services.commands import Waiting as Waiting  # noqa: PLC0414 - this is where commands look for it


def _use(profile: Path) -> Path:
    if profile.is_dir():  # a mistyped name must not leave a directory behind
        log.write_to(paths.profile_log(profile))
    return profile


Profile = Annotated[
    Path,
    typer.Option(
        "--profile",
        metavar="DIR",
        default_factory=paths.default_profile,
        callback=_use,
        file_okay=False,
        show_default=False,
        help="The profile to work with: one site in one federation on this workstation.",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.", show_default=False)]


def answer(value: Mapping[str, object], as_json: bool, *lines: str) -> None:
    """Print the result of a command: ``value`` as one JSON object, or ``lines`` for a person."""
    for line in [json.dumps(value, ensure_ascii=False)] if as_json else lines:
        typer.echo(line)
