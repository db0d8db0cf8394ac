"""Hospitals on this computer: a relay and an agent for each site, every one a process of its own.

All of them end with this process, however it ends (:mod:`app.core.services.lifeline`). This module is light.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.core.errors import EnvironmentProblem
from app.core.files import private_directory, read_limited
from app.core.secret import SecretBytes
from app.core.services.lifeline import LAST_SECONDS

_STOP_SECONDS = 10.0
_AGAIN_SECONDS = 0.2
_CA_LIMIT = 1 << 16
_RELAY = "relay"
_WITH_US = "--until-input-ends"


def program() -> list[str]:
    """Return the command that starts this very program."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]


class Network:
    """A relay that runs, and the agents started beside it. Use it as a context manager: it ends all of them.

    ``port`` is the relay's if nobody else has it; 0 is any.
    """

    def __init__(self, directory: Path, port: int = 0) -> None:
        self._directory = private_directory(directory)
        self._data = private_directory(directory / _RELAY)
        self._wanted = port
        self._running = ExitStack()
        self._processes: dict[str, _Process] = {}
        self.url = ""
        self.authority = ""
        """The relay's private CA (PEM)."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._running = stack
            ready = self._relay()
            self.url = str(ready["url"])
            self.authority = read_limited(Path(ready["authority"]), _CA_LIMIT).decode("ascii")
            self._running = stack.pop_all()
        return self

    @property
    def port(self) -> int:
        """The relay's port."""
        return int(self.url.rpartition(":")[2])

    def new_code(self) -> SecretBytes:
        """Return a code with which a federation can be created, as the relay's administrator makes it."""
        command = [*program(), "relay", "code", "new", "--data", str(self._data), "--json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise EnvironmentProblem("demo.process_failed", name=_RELAY, log=str(self._directory))
        made: dict[str, Any] = json.loads(done.stdout)
        return SecretBytes(str(made["code"]).encode())

    def start_agents(self, profiles: Sequence[Path]) -> None:
        """Start the agents of these profiles side by side and wait until all serve."""
        started = [self._start(each.name, ["agent", "--profile", str(each)]) for each in profiles]
        for process in started:
            process.first_line()

    def end_agent(self, profile: Path) -> None:
        """End the agent of a profile, so that another process can have it."""
        self._processes.pop(profile.name).end()

    @property
    def whole(self) -> bool:
        """Whether all that was started still runs."""
        return all(process.runs for process in self._processes.values())

    def _relay(self) -> dict[str, Any]:
        """Start the relay and return what it says of itself; one that was left behind may still be ending."""
        deadline, pause, port = time.monotonic() + LAST_SECONDS, threading.Event(), self._wanted
        while True:
            arguments = ["serve", "--data", str(self._data), "--port", str(port), "--json"]
            process = self._start(_RELAY, [_RELAY, *arguments])
            ready: dict[str, Any] = json.loads(process.first_line())
            if "error" not in ready:
                return ready
            process.end()
            code = ready["error"]["code"]
            if code == "relay.address_in_use" and port != 0:
                port = 0
            elif code != "relay.in_use" or time.monotonic() > deadline:
                raise EnvironmentProblem("demo.process_failed", name=_RELAY, log=str(self._data / "logs"))
            else:
                pause.wait(_AGAIN_SECONDS)

    def _start(self, name: str, arguments: list[str]) -> _Process:
        process = _Process(name, [*program(), *arguments, _WITH_US], self._directory / f"{name}.log")
        self._processes[name] = process
        self._running.callback(process.end)
        return process

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()


class _Process:
    """A process that ends when it is told to, or with this one. What it complains of is in its log, if anything."""

    def __init__(self, name: str, command: list[str], errors: Path) -> None:
        self._name = name
        self._errors = errors
        with errors.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def first_line(self) -> bytes:
        """Return the first line that it prints; raises EnvironmentProblem ``demo.process_failed``."""
        line = self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line:
            raise EnvironmentProblem("demo.process_failed", name=self._name, log=str(self._errors))
        return line

    def end(self) -> None:
        """End it kindly, then not. A second call does nothing."""
        with suppress(OSError):  # it has ended already
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        with suppress(OSError):
            if self._errors.stat().st_size == 0:
                self._errors.unlink()
