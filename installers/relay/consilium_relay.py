"""``consilium-relay``: the commands of ``consilium relay`` alone, for a server that runs nothing else of Consilium."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Annotated

import typer

from app import __version__
from app.cli import boundary
from app.cli.relay import relay


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"consilium-relay {__version__}")
        raise typer.Exit


@relay.callback(no_args_is_help=True)
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Carries sealed messages between hospitals. It can read none of them."""


def main() -> None:
    """Run one command and leave with its exit code."""
    multiprocessing.freeze_support()
    sys.exit(boundary.run(relay, sys.argv[1:], name="consilium-relay"))


if __name__ == "__main__":
    main()
