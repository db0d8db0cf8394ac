"""The demo's network on this computer: a relay and an agent for each site, every one a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.core.errors import EnvironmentProblem
from app.core.files import private_directory, read_limited
from app.core.secret import SecretBytes

_STOP_SECONDS = 10.0
_CA_LIMIT = 1 << 16


def program() -> list[str]:
    """Return the command that starts this very program."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]


class Network:
    """A relay that runs, and the agents started beside it. Use it as a context manager: it ends all of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = private_directory(directory)
        self._data = private_directory(directory / "relay")
        self._running = ExitStack()
        self.url = ""
        self.authority = ""
        """The relay's private CA (PEM)."""

    def __enter__(self) -> Self:
        process = self._start("relay", ["relay", "serve", "--data", str(self._data), "--port", "0", "--json"])
        ready = json.loads(self._first_line(process, "relay"))
        self.url = str(ready["url"])
        self.authority = read_limited(Path(ready["authority"]), _CA_LIMIT).decode("ascii")
        return self

    def new_code(self) -> SecretBytes:
        """Return a code with which a federation can be created, as the relay's administrator makes it."""
        command = [*program(), "relay", "code", "new", "--data", str(self._data), "--json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise EnvironmentProblem("demo.process_failed", name="relay", log=str(self._directory))
        made: dict[str, Any] = json.loads(done.stdout)
        return SecretBytes(str(made["code"]).encode())

    def start_agent(self, profile: Path) -> None:
        """Start the agent of a profile and wait until it serves."""
        process = self._start(profile.name, ["agent", "--profile", str(profile)])
        self._first_line(process, profile.name)

    def _start(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        errors = self._running.enter_context((self._directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(  # noqa: S603 - this very program
            [*program(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        self._running.callback(_stop, process)
        return process

    def _first_line(self, process: subprocess.Popen[bytes], name: str) -> bytes:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line:
            raise EnvironmentProblem("demo.process_failed", name=name, log=str(self._directory / f"{name}.log"))
        return line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process kindly, then not."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
