"""``consilium``: all commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app import __version__
from app.cli import boundary
from app.cli.agent import agent
from app.cli.audit import audit
from app.cli.budget import budget
from app.cli.catalogue import catalogue
from app.cli.cohort import cohort
from app.cli.data import data
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.federation import federation
from app.cli.keys import keys
from app.cli.people import people
from app.cli.policy import policy
from app.cli.pretend import pretend
from app.cli.profile import profile
from app.cli.project import project
from app.cli.query import query
from app.cli.relay import relay
from app.cli.request import request
from app.cli.self_test import self_test
from app.cli.settings import settings
from app.cli.site import site
from app.cli.update import update

commands = typer.Typer(
    name="consilium",
    help="One question, many hospitals, nobody's data moves. Research use only.",
    epilog="Without a command the window opens; “consilium open FILE” opens a package or an invitation in it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
commands.add_typer(data, name="data", help="Prepare, check and import datasets.", no_args_is_help=True)
commands.add_typer(catalogue, name="catalogue", help="What can be asked about.", no_args_is_help=True)
commands.add_typer(query, name="query", help="Ask questions.", no_args_is_help=True)
commands.add_typer(cohort, name="cohort", help="Save cohorts and use them in questions.", no_args_is_help=True)
commands.add_typer(request, name="request", help="Answer what other sites ask.", no_args_is_help=True)
commands.add_typer(policy, name="policy", help="Say what this site answers.", no_args_is_help=True)
commands.add_typer(audit, name="audit", help="What was asked, given and refused here.", no_args_is_help=True)
commands.add_typer(people, name="people", help="Say who may ask, and who speaks for this site.", no_args_is_help=True)
commands.add_typer(project, name="project", help="Propose and approve projects.", no_args_is_help=True)
commands.add_typer(budget, name="budget", help="See what answers have cost.", no_args_is_help=True)
commands.add_typer(keys, name="keys", help="Look after this site's keys.", no_args_is_help=True)
commands.add_typer(settings, name="settings", help="See what IT has fixed here.", no_args_is_help=True)
commands.add_typer(site, name="site", help="Make this computer a site.", no_args_is_help=True)
commands.add_typer(federation, name="federation", help="Create, join and watch a federation.", no_args_is_help=True)
commands.add_typer(relay, name="relay", help="Run a relay, or check the way to one.", no_args_is_help=True)
commands.add_typer(pretend, name="pretend", help="Three pretend hospitals to try it with.", no_args_is_help=True)
commands.add_typer(profile, name="profile", help="The profiles on this workstation.", no_args_is_help=True)
commands.command("agent")(agent)
commands.command("demo")(demo)
commands.command("self-test")(self_test)
commands.command("doctor")(doctor)
commands.add_typer(update, name="update", help="Look for newer versions.", no_args_is_help=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"consilium {__version__}")
        raise typer.Exit


@commands.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; ``arguments`` are those of the process unless given."""
    return boundary.run(commands, sys.argv[1:] if arguments is None else arguments)
