"""The agent as a program: it opens a profile, works until a signal comes or nothing is left to do, and lets go."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from app.core.errors import EnvironmentProblem
from app.core.services import profile as profiles
from app.core.services.agent import Agent, relay_line
from app.core.services.carrying import Line
from app.core.services.local_socket import PATIENCE
from app.core.services.owner import Owner
from app.core.services.profile import OpenProfile

_PROGRAM = "consilium agent"
_AGAIN_SECONDS = 0.1


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
    began: Callable[[str], None] = lambda _site: None,
    open_profile: Callable[[Path], OpenProfile] | None = None,
    line: Callable[[OpenProfile], Line] = relay_line,
    patience: float = PATIENCE,
) -> AgentEnd:
    """Be the agent of the profile in ``directory`` until a signal comes, or until it is idle.

    ``began`` is told the site's name. Raises UserError ``agent.no_relay``; EnvironmentProblem ``profile.in_use`` after
    ``patience`` seconds (a command may be running), ``keys.*``, ``keyring.*``.
    """
    profile = _patiently(partial(open_profile or _opened, directory), patience)
    try:
        owner = Owner(profile, program=_PROGRAM)
    except BaseException:
        profile.close()
        raise
    with owner, Agent(owner, line(profile)) as agent, stopped_by_signals(agent.stop) as came:
        began(profile.site_name)
        idle = agent.run(until_idle=until_idle)
        unsent = len(profile.store.outbox.unsent())
        return AgentEnd(idle, not idle, came[0] if came else 0, unsent)


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
