"""The owner of a profile: the one process that has it open, and the one thread that works in it.

Others ask it over the local socket (:mod:`app.core.services.local_socket`). Everything reaches the owner's thread
through one queue: commands, what the network threads bring, wishes to stop. Messages on the socket, maps by ``type``:

    client: call {name, plain, secret} · cancel {}
    owner: progress {fraction, step, remaining} · result {plain, secret} · error {error} · waiting {waiting} · leaving {}

One call at a time on a connection. A client that leaves cancels its call. ``leaving`` means that the call was not begun.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from app.core import log
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.federation.schema import Fields
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.jobs.pool import WorkerPool
from app.core.services import commands
from app.core.services.commands import Context, Result, Steps, Values, Waiting
from app.core.services.local_socket import MALFORMED, PATIENCE, Address, Channel, Disconnected, Server, greeting
from app.core.services.member import Member
from app.core.services.profile import OpenProfile

LOOK_SECONDS = 1.0
_log = log.logger("owner")


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
        self.steps: Steps | None = None
        self.again = 0.0
        self._tell = tell

    def finish(self, outcome: Outcome) -> None:
        """Tell the outcome."""
        self.finished = True
        self._tell(outcome)


class Carrier(Protocol):
    """What connects the owner with the other sites."""

    @property
    def trouble(self) -> str:
        """The code of why nothing can be sent at the moment, or empty."""
        ...

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """As ``Post.fetch``."""
        ...


class Owner:
    """An open profile that serves its socket. Make it, use it and close it in one thread."""

    def __init__(
        self,
        profile: OpenProfile,
        *,
        program: str = "consilium",
        executor: Executor | None = None,
        address: Address | None = None,
    ) -> None:
        self.profile = profile
        self.executor: Executor = executor or WorkerPool()
        self.carrier: Carrier | None = None
        self.state = commands.STATES[0]
        self.stirred = False
        """Whether a command has begun or ended since this was last set to False."""
        self._member: Member | None = None
        self._actions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._parked: list[Call] = []
        self._current: Call | None = None
        self._lock = threading.Lock()
        self._visitors: set[_Visitor] = set()
        self._closing = False
        if (previous := profile.store.previous_owner) is not None:
            _log.warning("previous_owner_died", pid=previous.pid, program=previous.program)
        self._server = Server(
            profile.directory,
            self._visit,
            lambda: greeting(profile.directory, program, self.state),
            address=address,
        )
        _log.info("opened", program=program)

    # --- what commands use ------------------------------------------------------------------------------------

    @property
    def member(self) -> Member:
        """This site at work in its federation; raises UserError ``profile.no_federation`` before it has joined."""
        roster = self.profile.roster
        if roster is None:
            raise UserError("profile.no_federation", path=str(self.profile.directory))
        if self._member is None or self._member.site.roster.hash != roster.hash:
            self._member = Member(self.profile, self.executor, self)
        return self._member

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        """Refuse: messages leave through the outbox, which the agent empties."""
        raise Bug("owner.sends_from_the_outbox")

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """Ask the agent for a blob; raises PeerProblem: it comes later, or not at all."""
        if self.carrier is None:
            raise PeerProblem("agent.no_line", name=name.hex())
        return self.carrier.fetch(name, limit)

    # --- the thread's work ------------------------------------------------------------------------------------

    def soon(self, action: Callable[[], None]) -> None:
        """Have ``action`` done by the owner's thread; from any thread."""
        self._actions.put(action)

    def submit(self, call: Call) -> None:
        """Have a command run by the owner's thread; from any thread."""
        with self._lock:
            if not self._closing:
                self.soon(lambda: self._begin(call))
                return
        call.finish(Leaving())

    def turn(self, seconds: float) -> None:
        """Do the next thing that is asked for, waiting for it at most ``seconds``; then look at waiting commands."""
        now = time.monotonic()
        wait = min([seconds, *(call.again - now for call in self._parked)])
        try:
            action = self._actions.get(timeout=max(wait, 0.0))
        except queue.Empty:
            pass
        else:
            action()
        for call in tuple(self._parked):
            self._step(call)

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for."""
        return not self._parked and self._actions.empty()

    def interrupt(self) -> None:
        """Stop what is being computed, for good, and the command that runs; from any thread."""
        if (call := self._current) is not None:
            call.job.cancel.cancel()
        if isinstance(self.executor, WorkerPool):
            self.executor.kill(close=True)
        self.soon(_nothing)

    def _begin(self, call: Call) -> None:
        if self._closing:
            call.finish(Leaving())
            return
        self.stirred = True
        call.steps = self._steps(call)
        self._parked.append(call)
        self._step(call)

    def _steps(self, call: Call) -> Steps:
        call.job.cancel.check()
        command = commands.find(call.name)
        try:
            result = command.function(Context(self, call.job), Values(call.values))
            if isinstance(result, Generator):
                result = yield from result
        except Waiting:
            if command.online:
                yield from self._until_sent()
            raise
        if command.online:
            yield from self._until_sent()
        return result

    def _until_sent(self) -> Generator[float, None, None]:
        """Wait until this site's messages have left; raises Waiting ``agent.kept`` when they cannot for now."""
        while self.profile.store.outbox.unsent():
            if self.carrier is None or self.carrier.trouble:
                raise Waiting("agent.kept", reason=self.carrier.trouble if self.carrier else "agent.no_line")
            yield LOOK_SECONDS

    def _step(self, call: Call) -> None:
        if call.steps is None or call not in self._parked:  # another step has ended it
            return
        self._current = call
        try:
            if call.job.cancel.cancelled:
                seconds = call.steps.throw(Cancelled())
            else:
                seconds = next(call.steps)
        except StopIteration as end:
            self._end(call, end.value)
        except (ConsiliumError, Waiting) as outcome:
            self._end(call, outcome)
        except Exception as error:  # a mistake in one command is its client's news, not the owner's end
            _log.error("command_failed", command=call.name, places=log.places(error))
            self._end(call, error)
        else:
            call.again = time.monotonic() + seconds
        finally:
            self._current = None

    def _end(self, call: Call, outcome: Outcome) -> None:
        self._parked.remove(call)
        self.stirred = True
        code = outcome.code if isinstance(outcome, ConsiliumError) else type(outcome).__name__
        _log.info("command", command=call.name, outcome="done" if isinstance(outcome, dict) else code)
        call.finish(outcome)

    # --- the socket -------------------------------------------------------------------------------------------

    def _visit(self, channel: Channel) -> None:
        visitor = _Visitor(self, channel)
        with self._lock:
            if self._closing:
                return
            self._visitors.add(visitor)
        try:
            visitor.talk()
        finally:
            with self._lock:
                self._visitors.discard(visitor)

    def close(self) -> None:
        """Let go: no more clients, calls not begun are sent away, workers end, the profile closes."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        try:
            self._server.close()
            while not self._actions.empty():
                self._actions.get()()
            for call in tuple(self._parked):
                self._leave(call)
            with self._lock:
                visitors = tuple(self._visitors)
            for visitor in visitors:
                visitor.dismiss()
            if isinstance(self.executor, WorkerPool):
                self.executor.kill(close=True)
        finally:
            self.profile.close()
        _log.info("closed")

    def _leave(self, call: Call) -> None:
        """Let a command that waits say what its client shall be told; by default that the owner has left."""
        outcome: Outcome = EnvironmentProblem("owner.left", path=str(self.profile.directory))
        try:
            if call.steps is not None:
                call.steps.throw(outcome)
        except (ConsiliumError, Waiting) as said:
            outcome = said
        except StopIteration as end:
            outcome = end.value
        self._end(call, outcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Visitor:
    """One client of the socket. A thread reads what it asks; another writes, so that nobody waits for a slow client."""

    def __init__(self, owner: Owner, channel: Channel) -> None:
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
        """Hang up when all answers are written."""
        self._answers.put(None)
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
        self._owner.soon(_nothing)  # a command that waits is looked at

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


def _nothing() -> None:
    """Wakes the owner's thread."""
