"""Progress of a long command, on the terminal's error output; nothing where there is no terminal.

A window that runs a command sets CONSILIUM_PROGRESS=json, and gets a line of JSON each time:
``{"progress": {"fraction", "step", "remaining"}}``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from app.core.jobs.job import Job, Progress
from app.texts import text

VARIABLE = "CONSILIUM_PROGRESS"


@contextmanager
def shown_progress() -> Iterator[Job]:
    """Give a job whose steps are drawn as bars, with the time they still need."""
    if os.environ.get(VARIABLE) == "json":
        yield Job(_write)
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"))
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        steps: dict[str, TaskID] = {}

        def report(progress: Progress) -> None:
            if progress.step not in steps:
                steps[progress.step] = bars.add_task(text(progress.step), total=1.0, left="")
            left = "" if progress.remaining_seconds is None else _left(progress.remaining_seconds)
            bars.update(steps[progress.step], completed=progress.fraction, left=left)

        yield Job(report)


def _write(progress: Progress) -> None:
    told = {"fraction": progress.fraction, "step": progress.step, "remaining": progress.remaining_seconds}
    print(json.dumps({"progress": told}), file=sys.stderr, flush=True)  # noqa: T201 - this is what it is for


def _left(seconds: float) -> str:
    if seconds >= 5400:
        return text("cli.progress.hours", hours=round(seconds / 3600, 1))
    if seconds >= 90:
        return text("cli.progress.minutes", minutes=round(seconds / 60))
    return text("cli.progress.seconds", seconds=round(seconds))
