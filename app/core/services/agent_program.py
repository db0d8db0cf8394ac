"""The agent as a program: it opens a profile, works until a signal comes or nothing is left to do, and lets go."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from app.core.errors import EnvironmentProblem
from app.core.preparation.scratch import sweep_leftovers
from app.core.services import profile as profiles
from app.core.services.agent import Agent, relay_line
from app.core.services.carrying import Line
from app.core.services.lifeline import end_with_input
from app.core.services.local_socket import PATIENCE
from app.core.services.membership import membership
from app.core.services.owner import Owner
from app.core.services.owner_clients import nothing
from app.core.services.profile import OpenProfile

_PROGRAM = "consilium agent"
_AGAIN_SECONDS = 0.1
_TICK_SECONDS = 60.0


@dataclass(frozen=True)
class AgentEnd:
    """Why an agent ended: idle, or stopped (by a ``signal``); and how many messages still have to leave."""

    idle: bool
    stopped: bool
    signal: int
    unsent: int


def run_agent(
    directory: Path,
    *,
    until_idle: bool = False,
    stay: bool = False,
    until_input_ends: bool = False,
    began: Callable[[str], None] = lambda _site: None,
    open_profile: Callable[[Path], OpenProfile] | None = None,
    line: Callable[[OpenProfile], Line] = relay_line,
    patience: float = PATIENCE,
) -> AgentEnd:
    """Be the agent of the profile in ``directory`` until a signal comes, or until it is idle.

    ``stay`` serves this computer's own commands even before there is a federation; ``until_input_ends`` ends it with
    the program that started it (:mod:`app.core.services.lifeline`). ``began`` is told the site's name.
    Raises UserError ``agent.no_relay``; EnvironmentProblem ``profile.in_use`` after
    ``patience`` seconds (a command may be running), ``keys.*``, ``keyring.*``.
    """
    sweep_leftovers()
    profile = _patiently(partial(open_profile or _opened, directory), patience)
    try:
        owner = Owner(profile, program=_PROGRAM)
    except BaseException:
        profile.close()
        raise
    with owner, ExitStack() as stack:
        stop = _Stop(owner)
        came = stack.enter_context(stopped_by_signals(stop))
        if until_input_ends:
            end_with_input(stop)
        if stay and membership(profile) is None:
            began(profile.site_name)
            agent = _serve_until_online(owner, stop, line)
        else:
            agent = Agent(owner, line(profile))
            began(profile.site_name)
        if agent is None:
            return AgentEnd(False, True, came[0] if came else 0, 0)
        stack.enter_context(agent)
        stop.agent = agent
        idle = not stop.wanted.is_set() and agent.run(until_idle=until_idle)
        unsent = len(profile.store.outbox.unsent())
        return AgentEnd(idle, not idle, came[0] if came else 0, unsent)


class _Stop:
    """Ends what there is to end: the agent, or the wait for a federation; from any thread."""

    def __init__(self, owner: Owner) -> None:
        self.wanted = threading.Event()
        self.agent: Agent | None = None
        self._owner = owner

    def __call__(self) -> None:
        self.wanted.set()
        if self.agent is not None:
            self.agent.stop()
        self._owner.soon(nothing)


def _serve_until_online(owner: Owner, stop: _Stop, line: Callable[[OpenProfile], Line]) -> Agent | None:
    """Run commands until one of them has made or joined a federation, then return its agent; None when stopped."""
    owner.state = "offline"
    owner.end_agent = stop
    while membership(owner.profile) is None:
        if stop.wanted.is_set():
            return None
        owner.turn(_TICK_SECONDS)
    return Agent(owner, line(owner.profile))


def _opened(directory: Path) -> OpenProfile:
    return profiles.open_profile(directory, program=_PROGRAM)


def _patiently(open_: Callable[[], OpenProfile], patience: float) -> OpenProfile:
    deadline, pause = time.monotonic() + patience, threading.Event()
    while True:
        try:
            return open_()
        except EnvironmentProblem as problem:
            if problem.code != "profile.in_use" or time.monotonic() >= deadline:
                raise
        pause.wait(_AGAIN_SECONDS)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Have ``stop`` called on SIGTERM, Ctrl-C or Ctrl-Break while the block runs; give the signals that came.

    A handler interrupts its thread anywhere, so it only wakes another thread, by what is safe to do there.
    """
    came: list[int] = []
    bell: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def handle(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        bell.put(True)

    def wait() -> None:
        if bell.get():
            stop()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in numbers}
    thread = threading.Thread(target=wait, name="agent stop", daemon=True)
    thread.start()
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bell.put(False)
        thread.join()
