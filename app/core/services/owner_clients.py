"""Calls of commands, and the clients of an owner's socket who make them.

Messages on the socket, maps by ``type``:

    client: call {name, plain, secret} · cancel {}
    owner: progress {fraction, step, remaining} · result {plain, secret} · error {error} ·
        waiting {waiting} · leaving {}

One call at a time on a connection. A client that leaves cancels its call. After ``leaving`` a call was not begun.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from app.core import log
from app.core.errors import Bug, ConsiliumError, ProtocolViolation
from app.core.fields import Fields
from app.core.jobs.job import CancelToken, Job, Progress
from app.core.services import commands
from app.core.services.commands import Command, Result, Steps, Waiting
from app.core.services.local_address import MALFORMED
from app.core.services.local_socket import PATIENCE, Channel, Disconnected


class Leaving(Exception):
    """The owner closes and has not begun this call."""


Outcome: TypeAlias = "Result | BaseException"


class Call:
    """One command under way: what was asked, and whoever is told of its outcome, in the owner's thread."""

    def __init__(self, name: str, values: Mapping[str, Any], job: Job, tell: Callable[[Outcome], None]) -> None:
        self.name = name
        self.values = values
        self.job = job
        self.finished = False
        self.command: Command | None = None
        """What the name stands for, once it was looked up."""
        self.steps: Steps | None = None
        self.again = 0.0
        self.queued: set[bytes] = set()
        """The ids of the messages that this command has put into the outbox."""
        self._tell = tell

    @property
    def online(self) -> bool:
        """Whether it may send messages."""
        return self.command is not None and self.command.online

    @property
    def passive(self) -> bool:
        """Whether it only looks."""
        return self.command is not None and self.command.passive

    def finish(self, outcome: Outcome) -> None:
        """Tell the outcome."""
        self.finished = True
        self._tell(outcome)


class Owning(Protocol):
    """What a client needs of the owner; both from any thread."""

    def submit(self, call: Call) -> None:
        """Have a command run."""
        ...

    def soon(self, action: Callable[[], None]) -> None:
        """Have ``action`` done by the owner's thread."""
        ...


class Visitor:
    """One client of the socket. A thread reads what it asks; another writes, so that nobody waits for a slow client."""

    def __init__(self, owner: Owning, channel: Channel) -> None:
        self._owner = owner
        self._channel = channel
        self._call: Call | None = None
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="owner answers", daemon=True)

    def talk(self) -> None:
        """Read until the client leaves; raises Disconnected, ProtocolViolation."""
        self._writer.start()
        try:
            while True:
                self._read(Fields(self._channel.receive(), MALFORMED))
        except ProtocolViolation as error:
            self._answers.put({"type": "error", "error": commands.error_to_plain(error)})
            raise
        finally:
            if (call := self._call) is not None:
                self._cancel(call)
            self.dismiss()

    def dismiss(self) -> None:
        """Hang up when all answers are written; a call that was not read is told to go elsewhere."""
        self._answers.put({"type": "leaving"})
        self._answers.put(None)
        if self._writer.ident is not None:  # the owner may close before this client's thread has begun
            self._writer.join(PATIENCE)

    def _read(self, fields: Fields) -> None:
        type_ = fields.text("type", 16)
        if type_ == "call" and self._call is None:
            name, values = fields.text("name", 64), commands.unpack(fields)
            fields.done()
            self._call = Call(name, values, Job(self._report, CancelToken()), self._tell)
            self._owner.submit(self._call)
        elif type_ == "cancel":
            fields.done()
            if (call := self._call) is not None:
                self._cancel(call)
        else:
            fields.refuse("type")

    def _cancel(self, call: Call) -> None:
        call.job.cancel.cancel()
        self._owner.soon(nothing)  # a command that waits is looked at

    def _report(self, progress: Progress) -> None:
        fraction, remaining = float(progress.fraction), progress.remaining_seconds
        self._answers.put({"type": "progress", "fraction": fraction, "step": progress.step, "remaining": remaining})

    def _tell(self, outcome: Outcome) -> None:
        self._call = None
        match outcome:
            case dict():
                self._answers.put({"type": "result", **commands.pack(outcome)})
            case Waiting():
                self._answers.put({"type": "waiting", "waiting": commands.waiting_to_plain(outcome)})
            case Leaving():
                self._answers.put({"type": "leaving"})
            case ConsiliumError():
                self._answers.put({"type": "error", "error": commands.error_to_plain(outcome)})
            case _:
                bug = Bug("house.unexpected", kind=type(outcome).__name__, log=str(log.location()))
                self._answers.put({"type": "error", "error": commands.error_to_plain(bug)})

    def _write(self) -> None:
        try:
            while (answer := self._answers.get()) is not None:
                try:
                    self._channel.send(answer)
                except ProtocolViolation as error:  # a result that is too large
                    self._channel.send({"type": "error", "error": commands.error_to_plain(error)})
        except Disconnected:
            pass
        finally:
            self._channel.close()


def nothing() -> None:
    """Do nothing, but wake whose thread does it."""
