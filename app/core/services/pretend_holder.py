"""The program that makes the pretend hospitals and keeps them running; see :mod:`app.core.services.pretend`."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from app.core import log
from app.core.clock import SystemClock
from app.core.errors import EnvironmentProblem
from app.core.files import disk_problems, private_directory, write_atomic
from app.core.jobs.job import Job, Progress
from app.core.secret import SecretBytes
from app.core.services import demo_data, hospitals, pretend
from app.core.services.agent_program import stopped_by_signals
from app.core.services.connect import connect
from app.core.services.demo_network import Network
from app.core.services.hospitals import Hospitals
from app.core.services.lifeline import end_with_input
from app.core.services.local_socket import Channel, Server, greeting
from app.core.services.pretend import LOCK, MAKING, NAMES, NETWORK, RUNNING, Made
from app.core.services.profile import PRETEND_PASSPHRASE
from app.core.store.lock import OwnerLock

_PROGRAM = "consilium pretend"
_LOOK_SECONDS = 1.0
_BYTES = 1_000_000_000  # more than they ever take while they are made
_TRUSTED_AFTER = 0.05  # the part of the work after which its pace says something
_log = log.logger("pretend")


def hold(
    place: Path, job: Job, ready: Callable[[Path], None], *, federation: str, until_input_ends: bool = False
) -> None:
    """Make the pretend hospitals in ``place`` unless they are there, and run them until somebody wants this to end.

    ``ready`` is told our own profile when the first question can be asked. Ends by a signal, :func:`.pretend.stop`,
    ``job.cancel``, the end of the input, or when one of its processes ends. Raises Cancelled if it was not ready by
    then, and what the making raises; EnvironmentProblem ``pretend.busy`` if another holder is making them; UserError
    ``pretend.other_files``. Where they run already, this one looks on until they do not.
    """
    private_directory(place)
    if until_input_ends:
        end_with_input(job.cancel.cancel)
    with stopped_by_signals(job.cancel.cancel):
        if pretend.status(place).state == RUNNING:
            ready(pretend.own_profile(place))
            _wait(job, lambda: pretend.status(place).state == RUNNING)
            return
        holder = _Holder(place, job)
        with _alone(place), holder.serving(), holder.awake(federation) as network:
            holder.state = RUNNING
            ready(pretend.own_profile(place))
            _wait(job, lambda: network.whole)  # if one of its processes has ended, a new start repairs that
            if not network.whole:
                _log.warning("process_ended")


class _Holder:
    def __init__(self, place: Path, job: Job) -> None:
        self.state = MAKING
        self._place = place
        self._pace = _Pace(job)
        self._job = Job(self._pace.report, job.cancel)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Let other programs ask for the state, and for the end."""
        server = Server(self._place, self._visit, lambda: greeting(self._place, _PROGRAM, self.state))
        try:
            yield
        finally:
            server.close()

    def _visit(self, channel: Channel) -> None:
        if channel.receive() == {"type": "stop"}:
            self._job.cancel.cancel()

    @contextmanager
    def awake(self, federation: str) -> Iterator[Network]:
        """Run the relay and the two others as long as the block runs."""
        made = Made.load(self._place)
        with ExitStack() as stack:
            if made is None:
                pretend.claim(self._place)
                pretend.wait_for_sites(self._place)
                pretend.wipe(self._place)
                stack.callback(self._forget_unfinished)
                pretend.claim(self._place)
                self._check_space()
            self._begin("pretend.step.relay")
            network = stack.enter_context(Network(self._place / NETWORK, 0 if made is None else made.port))
            if made is None:
                self._make(network, federation)
            else:
                self._wake(network, made)
            yield network

    def _begin(self, step: str) -> None:
        self._job.cancel.check()
        self._job.report(Progress(0.0, step, None))

    def _forget_unfinished(self) -> None:
        if Made.load(self._place) is None:
            with suppress(EnvironmentProblem):  # the next start tries again
                pretend.wipe(self._place)

    def _check_space(self) -> None:
        """Refuse to begin what cannot end. Raises EnvironmentProblem ``disk.too_small``."""
        with disk_problems(self._place):
            free = shutil.disk_usage(self._place).free
        if free < _BYTES:
            raise EnvironmentProblem("disk.too_small", path=str(self._place), needed=_BYTES >> 20, free=free >> 20)

    def _make(self, network: Network, federation: str) -> None:
        passphrase = SecretBytes(secrets.token_hex(16).encode())
        write_atomic(self._place / PRETEND_PASSPHRASE, passphrase.reveal() + b"\n")
        data = demo_data.lung_study(len(NAMES))
        made = Hospitals(self._place, NAMES, network, lambda: passphrase, pretend=True)
        made.join(federation, len(NAMES), self._job)
        self._begin("pretend.step.agents")
        network.start_agents(made.places)
        with ExitStack() as stack:
            sites = [stack.enter_context(connect(place)) for place in made.places]
            made.hold_ceremony(sites, self._job)
            packages = made.prepare(data, sites[0], self._job)
            made.import_(sites, packages, self._job)
        self._job.cancel.check()
        network.end_agent(made.places[0])
        for path in self._place.glob("site-*.*"):  # exports, mappings and packages: imported by now
            path.unlink()
        Made.of(network.port).save(self._place)
        _log.info("made", sites=len(NAMES))

    def _wake(self, network: Network, made: Made) -> None:
        """Let the others answer again; where the relay had to take another port, tell everyone first."""
        places = [hospitals.place(self._place, position) for position in range(1, len(NAMES) + 1)]
        if network.port != made.port:
            for place in places:
                with connect(place) as site:
                    site.call("federation.move_relay", {"url": network.url}, Job(cancel=self._job.cancel))
            replace(made, port=network.port).save(self._place)
            _log.info("relay_moved", port=network.port)
        self._begin("pretend.step.agents")
        network.start_agents(places[1:])
        self._job.cancel.check()


class _Pace:
    """Adds to what the steps report how long the whole still takes."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._began = time.monotonic()

    def report(self, progress: Progress) -> None:
        done, elapsed = pretend.overall(progress), time.monotonic() - self._began
        remaining = elapsed / done * (1 - done) if done > _TRUSTED_AFTER else None
        self._job.report(replace(progress, remaining_seconds=remaining))


def _wait(job: Job, good: Callable[[], bool]) -> None:
    """Wait until somebody wants the end, or all is not ``good`` any more."""
    over = threading.Event()
    with job.cancel.interrupting(over.set):
        while not over.wait(_LOOK_SECONDS) and good():
            pass


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other holders away; raises EnvironmentProblem ``pretend.busy``."""
    try:
        lock = OwnerLock.acquire(place / LOCK, program=_PROGRAM, now=SystemClock().now())
    except EnvironmentProblem as problem:
        if problem.code == "profile.in_use":
            raise EnvironmentProblem("pretend.busy", path=str(place)) from problem
        raise
    with lock:
        yield
