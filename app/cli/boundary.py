"""The one place where what went wrong becomes words and an exit code.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 sent and still waiting, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import traceback

import typer

from app.cli.options import Waiting
from app.core import log, paths
from app.core.errors import Bug, ConsiliumError
from app.core.jobs.job import Cancelled
from app.texts import explain, text

DONE, FAILED, WAITING, INTERRUPTED = 0, 1, 3, 130


def run(commands: typer.Typer, arguments: list[str], name: str = "consilium") -> int:
    """Run the command that ``arguments`` name and return the exit code of the process; ``name`` is the program's."""
    as_json = "--json" in arguments
    log.write_to(paths.user_log())
    try:
        typer.main.get_command(commands)(arguments, prog_name=name)
    except SystemExit as end:  # how typer ends every run, those of wrong usage (2) and interrupted ones (130) included
        return end.code if isinstance(end.code, int) else DONE
    except Waiting as waiting:
        return _report_waiting(waiting, as_json)
    except Cancelled:
        return INTERRUPTED
    except ConsiliumError as error:
        return _report(error, as_json)
    except Exception as error:  # the last line of defence: what is left is a bug, and a person is waiting
        return _report(_unexpected(error), as_json)
    return DONE


def _report(error: ConsiliumError, as_json: bool) -> int:
    log.logger("cli").warning("failed", error=error, places=log.places(error))
    told = explain(error)
    if as_json:
        body = {"code": error.code, "what": told.what, "safe": told.safe, "next": told.next, "params": error.params}
        typer.echo(json.dumps({"error": body}, ensure_ascii=False))
    else:
        for sentence in filter(None, (told.what, told.safe, told.next)):
            typer.echo(sentence, err=True)
    if "CONSILIUM_DEBUG" in os.environ:
        traceback.print_exception(error)
    return FAILED


def _report_waiting(waiting: Waiting, as_json: bool) -> int:
    said = text(waiting.key, None, **waiting.params)
    body = {"code": waiting.key, "what": said, "params": waiting.params}
    typer.echo(json.dumps({"waiting": body}, ensure_ascii=False) if as_json else said)
    return WAITING


def _unexpected(error: Exception) -> Bug:
    """Wrap what nobody foresaw. Its message stays out: nobody has checked that it carries no secret."""
    bug = Bug("house.unexpected", kind=type(error).__name__, log=str(log.location()))
    bug.__cause__ = error
    return bug
