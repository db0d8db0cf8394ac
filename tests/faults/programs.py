"""The product's programs as processes that start quickly and can be killed: relay, agents, commands.

They are forked from a server process that has imported everything (where the system can; elsewhere they are spawned),
and run :func:`app.cli.main.main` with a command line, exactly as ``consilium`` does. With ``inline`` an agent computes
in its own process instead of in worker processes, which at test parameters would take longer to start than to work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from tests.packages import Inline

_PRELOAD = [
    "app.cli.main",
    "app.core.preparation.sealing",
    "app.core.services.agent_program",
    "app.core.services.commands",
    "app.core.services.data_commands",
    "app.core.services.federation_commands",
    "app.core.services.query_commands",
    "app.relay.server",
    "tests.faults.hospitals",  # what a process of theirs would import again
    "tests.faults.warm",
]


class InlinePool(Inline):
    """What an agent takes for its workers; what a worker does ``first`` is done here."""

    def __init__(self, first: Callable[[], object]) -> None:
        super().__init__()
        first()

    def kill(self, *, close: bool = False) -> None:
        """There is nobody to kill."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(fn, *args, **kwargs)


def context() -> BaseContext:
    """Return how processes are started here."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_PRELOAD)
    return found


@dataclass
class Program:
    """One process; ``arguments`` are those of ``consilium``, what it prints goes to ``output``."""

    arguments: tuple[str, ...]
    output: Path
    inline: bool = True

    def __post_init__(self) -> None:
        self.started = 0
        self._process: Any = None

    def start(self) -> None:
        """Start it, or start it again."""
        self.close()
        self.started += 1
        options = {"arguments": self.arguments, "output": str(self.output), "inline": self.inline}
        self._process = context().Process(target=_run, kwargs={**options, "environment": _environment()})
        self._process.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """How it ended; negative for a signal, None while it runs or before it was started."""
        return None if self._process is None else self._process.exitcode

    def kill(self) -> bool:
        """Kill it without warning; return whether it was alive until then."""
        was = self.alive
        if was:
            self._process.kill()
            self._process.join()
        return was and self._process.exitcode in (-signal.SIGKILL if os.name == "posix" else None, signal.SIGTERM)

    def stop(self, seconds: float = 20.0) -> int | None:
        """Ask it to end, wait, and return how it did."""
        if self.alive:
            self._process.terminate()
            self._process.join(seconds)
            if self.alive:
                self.kill()
                return None
        return self.exit_code

    def close(self) -> None:
        """Kill it if it runs, and forget it."""
        if self._process is not None:
            self.kill()
            self._process.close()
            self._process = None


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CONSILIUM", "XDG", "DBUS"))}


def _run(arguments: tuple[str, ...], output: str, environment: dict[str, str], inline: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    os.environ.update(environment)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from app.cli.main import main  # noqa: PLC0415
    from app.core.services import owner  # noqa: PLC0415

    if inline:
        setattr(owner, "WorkerPool", InlinePool)  # noqa: B010
    sys.exit(main(list(arguments)))


def _end_with_the_tests() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
