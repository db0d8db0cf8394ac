"""The owner of a profile: the one process that has it open, and the one thread that works in it.

Others ask it over the local socket (:mod:`app.core.services.owner_clients`). Everything reaches the owner's thread
through one queue: commands, what the network threads bring, wishes to stop.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Executor
from types import TracebackType
from typing import Protocol, Self

from app.core import log
from app.core.crypto import self_test
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem, UserError
from app.core.federation.relay_protocol import Presence
from app.core.jobs.job import Cancelled
from app.core.jobs.pool import WorkerPool, outcome
from app.core.services import commands
from app.core.services.commands import Command, Context, Steps, Values, Waiting
from app.core.services.local_address import Address
from app.core.services.local_socket import Channel, Server, greeting
from app.core.services.member import Member
from app.core.services.owner_clients import Call, Leaving, Outcome, Visitor, nothing
from app.core.services.profile import OpenProfile

LOOK_SECONDS = 1.0
_log = log.logger("owner")


class Carrier(Protocol):
    """What connects the owner with the other sites."""

    @property
    def trouble(self) -> str:
        """The code of why nothing can be sent at the moment, or empty."""
        ...

    @property
    def connection(self) -> str:
        """How it stands with the relay: connecting, connected, offline or trouble."""
        ...

    def presence(self) -> Mapping[int, Presence]:
        """Return who was last when at the relay, by place, as far as is known by now."""
        ...

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """As ``Post.fetch``."""
        ...

    def reconnect(self) -> None:
        """Hang up and call the relay again at once, where the profile says that it is now."""
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
        self.executor: Executor = executor or WorkerPool(first=self_test.ensure)
        self.carrier: Carrier | None = None
        self.go_online: Callable[[], object] = _no_line
        """Makes :attr:`carrier`; called before the first online command."""
        self.state = commands.STATES[0]
        self.stirred = False
        """Whether a command that does more than look has begun or ended since this was last set to False."""
        self.talking = False
        """Whether something is being said about joining that others have to wait for."""
        self.end_agent: Callable[[], None] | None = None
        """Ends the agent that this owner is, once what it does now is done; None if it is none."""
        self._member: Member | None = None
        self._actions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._parked: list[Call] = []
        self._current: Call | None = None
        self._lock = threading.Lock()
        self._visitors: set[Visitor] = set()
        self._closing = False
        self._noted = profile.clock.now()
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
            self._member = Member(self.profile, self.executor, self, lambda: self.soon(self.stir))
        return self._member

    def try_workers(self) -> None:
        """See now whether workers can compute; raises EnvironmentProblem ``crypto.self_test_failed``, ``worker.*``.

        Otherwise the first computation finds out: most commands compute nothing.
        """
        outcome(self.executor.submit(self_test.ensure))

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        """Refuse: messages leave through the outbox, which the agent empties."""
        raise Bug("owner.sends_from_the_outbox")

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """Ask the agent for a blob; raises PeerProblem: it comes later, or not at all."""
        if self.carrier is None:
            raise PeerProblem("agent.not_connected")
        return self.carrier.fetch(name, limit)

    @property
    def changes(self) -> int:
        """A number that grows with whatever changes here, and from one owner of a profile to the next."""
        return self._noted + self.profile.store.database.changes

    def note_change(self) -> None:
        """Note that something has changed that is not in the database."""
        self._noted += 1

    # --- the thread's work ------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Have the agent look at what there is to do."""
        self.stirred = True

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
        self.look()

    def look(self) -> None:
        """Look at the commands that wait: something has happened. Those that only look see what the others did."""
        for call in sorted(self._parked, key=lambda each: each.passive):
            self._step(call)

    @property
    def idle(self) -> bool:
        """Whether nothing is computed, and nothing asked for but to be told of changes."""
        return self._actions.empty() and not self.computing and all(call.passive for call in self._parked)

    @property
    def computing(self) -> bool:
        """Whether a contribution is being computed."""
        return self._member is not None and self._member.evaluations.busy

    @property
    def watched(self) -> bool:
        """Whether somebody wants to be told of changes."""
        return any(call.passive for call in self._parked)

    def interrupt(self) -> None:
        """Stop what is being computed, for good, and the command that runs; from any thread."""
        if (call := self._current) is not None:
            call.job.cancel.cancel()
        if isinstance(self.executor, WorkerPool):
            self.executor.kill(close=True)
        self.soon(nothing)

    def _begin(self, call: Call) -> None:
        if self._closing:
            call.finish(Leaving())
            return
        try:
            call.command = commands.find(call.name)
        except UserError as error:
            call.finish(error)
            return
        self.stirred = self.stirred or not call.passive
        call.steps = self._steps(call, call.command)
        self._parked.append(call)
        self._step(call)

    def _steps(self, call: Call, command: Command) -> Steps:
        if command.online and self.carrier is None:
            self.go_online()
        said: dict[str, str | int | float] = {}
        try:
            result = command.function(Context(self, call.job), Values(call.values))
            if isinstance(result, Generator):
                result = yield from result
        except Waiting as waiting:
            said = waiting.params
            if command.online:
                yield from self._until_sent(call, said)
            raise
        if command.online:
            yield from self._until_sent(call, said)
        return result

    def _until_sent(self, call: Call, said: Mapping[str, str | int | float]) -> Generator[float, None, None]:
        """Wait until the messages of a command have left; raises Waiting ``agent.kept`` when they cannot for now.

        Where no agent goes on after it, this is the time for everything else that is on its way too.
        """
        yield 0.0  # the end of this step is when its messages are counted
        alone = self.end_agent is None  # nobody goes on when this command has ended
        while (own := call.queued & self._unsent()) or (alone and (self.computing or self._unsent())):
            if self.carrier is not None and self.carrier.trouble:
                if own:
                    raise Waiting("agent.kept", **{**said, "reason": self.carrier.trouble})
                return
            yield LOOK_SECONDS

    def _unsent(self) -> set[bytes]:
        return {message.id for message in self.profile.store.outbox.unsent()}

    def _step(self, call: Call) -> None:
        if call.steps is None or call not in self._parked:  # another step has ended it
            return
        self._current, before = call, self._unsent() if call.online else set[bytes]()
        try:
            seconds = call.steps.throw(Cancelled()) if call.job.cancel.cancelled else next(call.steps)
        except StopIteration as end:
            self._end(call, end.value)
        except (ConsiliumError, Waiting) as outcome:
            self._end(call, outcome)
        except Exception as error:  # a mistake in one command is its client's news, not the owner's end
            _log.error("command_failed", command=call.name, places=log.places(error))
            self._end(call, error)
        else:
            call.again = time.monotonic() + seconds
            if call.online:
                call.queued |= self._unsent() - before
        finally:
            self._current = None

    def _end(self, call: Call, outcome: Outcome) -> None:
        self._parked.remove(call)
        code = outcome.code if isinstance(outcome, ConsiliumError) else type(outcome).__name__
        if not call.passive:
            self.stirred = True
            _log.info("command", command=call.name, outcome="done" if isinstance(outcome, dict) else code)
        call.finish(outcome)

    # --- the socket -------------------------------------------------------------------------------------------

    def _visit(self, channel: Channel) -> None:
        visitor = Visitor(self, channel)
        with self._lock:
            if not self._closing:
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
        left = EnvironmentProblem("owner.left", path=str(self.profile.directory))
        outcome: Outcome = left
        try:
            if call.steps is not None:
                call.steps.throw(left)
        except StopIteration as end:
            outcome = end.value
        except Exception as said:
            outcome = said
        self._end(call, outcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _no_line() -> None:
    raise UserError("agent.no_relay")
