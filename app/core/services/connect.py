"""Asking a profile's owner for a command, wherever it is: another process, or this one for as long as it takes.

>>> with connect(directory) as site:
...     found = site.call("data.list")
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from app import __version__
from app.core import codec
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.fields import Fields
from app.core.jobs.job import Job, Progress
from app.core.services import commands
from app.core.services.commands import Result, Waiting
from app.core.services.local_address import MALFORMED
from app.core.services.local_socket import (
    MESSAGE_LIMIT,
    PATIENCE,
    Channel,
    Disconnected,
    Silent,
    reach,
)

if TYPE_CHECKING:
    from app.core.services.agent import Agent
    from app.core.services.carrying import Line
    from app.core.services.owner_clients import Outcome
    from app.core.services.profile import OpenProfile

_AGAIN_SECONDS = 0.05
_LOOK_SECONDS = 1.0
"""How often a wait looks up: Windows does not interrupt a blocked program for Ctrl-C."""


class _Leaving(Exception):
    """This end did not begin the call; another one may."""


class _End(Protocol):
    def call(self, name: str, values: Mapping[str, Any], job: Job) -> Result: ...

    def close(self) -> None: ...


class Site:
    """A profile and whoever owns it. Use it as a context manager."""

    def __init__(self, open_end: Callable[[], _End]) -> None:
        self._open_end = open_end
        self._end = open_end()

    def call(self, name: str, values: Mapping[str, Any] | None = None, job: Job | None = None) -> Result:
        """Run a command and return its result, which is plain (see :mod:`app.core.services.commands`).

        Raises what the command raises, one of ``commands.KINDS``; Waiting; EnvironmentProblem ``owner.lost`` when the
        owner dies over it. KeyboardInterrupt and ``job.cancel`` stop the command, wherever it runs.
        """
        packed = _travelled(commands.pack(values or {}))
        while True:
            try:
                return self._end.call(name, packed, job or Job())
            except _Leaving:
                self._end.close()
                self._end = self._open_end()

    def close(self) -> None:
        """Hang up, or let go of the profile."""
        self._end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    directory: Path,
    *,
    program: str = "consilium",
    patience: float = PATIENCE,
    become: bool = True,
    open_profile: Callable[[Path], OpenProfile] | None = None,
    line: Callable[[OpenProfile], Line] | None = None,
) -> Site:
    """Reach the owner of the profile in ``directory``, or (if ``become``) become it.

    ``open_profile`` and ``line`` (how to reach the relay) are for when this process becomes the owner. Raises
    EnvironmentProblem ``owner.none``, ``owner.other_version``, ``owner.silent``, ``owner.not_ours``; ``profile.in_use``
    by a program that has not served its socket within ``patience`` seconds; and as ``services.profile.open_profile``.
    """

    def open_end() -> _End:
        deadline, pause = time.monotonic() + patience, threading.Event()
        while True:
            if (reached := reach(directory)) is not None:
                channel, greeting = reached
                if greeting.version != __version__:
                    channel.release()
                    raise EnvironmentProblem("owner.other_version", ours=__version__, theirs=greeting.version)
                return _There(channel, directory)
            if not become:
                raise EnvironmentProblem("owner.none", path=str(directory))
            try:
                return _Here(directory, program, open_profile, line)
            except EnvironmentProblem as problem:
                if problem.code != "profile.in_use" or time.monotonic() >= deadline:
                    raise
            pause.wait(_AGAIN_SECONDS)  # its owner has just begun, or is just leaving

    return Site(open_end)


class _There:
    """The owner is another process."""

    def __init__(self, channel: Channel, directory: Path) -> None:
        self._channel = channel
        self._directory = directory

    def call(self, name: str, values: Mapping[str, Any], job: Job) -> Result:
        try:
            self._channel.send({"type": "call", "name": name, **values})
        except Disconnected:
            raise _Leaving from None
        try:
            with job.cancel.interrupting(self._cancel):
                return self._outcome(job, None)
        except KeyboardInterrupt:
            self._cancel()
            with suppress(ConsiliumError, Waiting, _Leaving):
                self._outcome(Job(), PATIENCE)  # the owner says that it has stopped
            raise

    def close(self) -> None:
        self._channel.release()

    def _cancel(self) -> None:
        with suppress(Disconnected):
            self._channel.send({"type": "cancel"})

    def _outcome(self, job: Job, patience: float | None) -> Result:
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            fields = self._message(deadline)
            match fields.text("type", 16):
                case "progress":
                    job.report(_progress(fields))
                case "result":
                    return commands.unpack(fields)
                case "error":
                    raise commands.error_from_plain(fields.any("error"))
                case "waiting":
                    raise commands.waiting_from_plain(fields.any("waiting"))
                case "leaving":
                    raise _Leaving
                case _:
                    fields.refuse("type")

    def _message(self, deadline: float | None) -> Fields:
        while True:
            try:
                return Fields(self._channel.receive(_LOOK_SECONDS), MALFORMED)
            except Silent:
                if deadline is None or time.monotonic() < deadline:
                    continue
                raise EnvironmentProblem("owner.silent", path=str(self._directory)) from None
            except Disconnected as error:
                raise EnvironmentProblem("owner.lost", path=str(self._directory)) from error


class _Here:
    """This process owns the profile and runs its own commands, and those of others between them."""

    def __init__(
        self,
        directory: Path,
        program: str,
        open_profile: Callable[[Path], OpenProfile] | None,
        line: Callable[[OpenProfile], Line] | None,
    ) -> None:
        from app.core.services import owner, profile  # noqa: PLC0415  (a client does without numpy and the database)

        opened = profile.open_profile(directory, program=program) if open_profile is None else open_profile(directory)
        try:
            self._owner = owner.Owner(opened, program=program)
        except BaseException:
            opened.close()
            raise
        self._owner.go_online = self._go_online
        self._line = line
        self._agent: Agent | None = None

    def _go_online(self) -> None:
        from app.core.services import agent  # noqa: PLC0415

        self._agent = agent.Agent(self._owner, (self._line or agent.relay_line)(self._owner.profile))

    def call(self, name: str, values: Mapping[str, Any], job: Job) -> Result:
        from app.core.services.owner_clients import Call, nothing  # noqa: PLC0415

        outcomes: list[Outcome] = []
        call = Call(name, commands.unpack(Fields(values, MALFORMED)), job, outcomes.append)
        self._owner.submit(call)
        with job.cancel.interrupting(lambda: self._owner.soon(nothing)):
            while not outcomes:
                (self._agent or self._owner).turn(_LOOK_SECONDS)
        (outcome,) = outcomes
        if isinstance(outcome, BaseException):
            raise outcome
        return commands.unpack(Fields(_travelled(commands.pack(outcome)), MALFORMED))

    def close(self) -> None:
        try:
            if self._agent is not None:
                self._agent.close()
        finally:
            self._owner.close()


def _travelled(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``packed`` as it comes out of the socket, so that both ways give the same."""
    read: dict[str, Any] = codec.decode(codec.encode(packed), MESSAGE_LIMIT)
    return read


def _progress(fields: Fields) -> Progress:
    fraction, step, remaining = fields.any("fraction"), fields.text("step", 128), fields.any("remaining")
    if type(fraction) is not float or (remaining is not None and not isinstance(remaining, int | float)):
        fields.refuse("fraction")
    return Progress(fraction, step, remaining)
