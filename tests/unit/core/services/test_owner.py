"""One owner per profile: commands run here or there in the same way, also when it leaves, dies or is attacked."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import app
from app.core import codec, log
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.secret import SecretBytes
from app.core.services import connect as connecting
from app.core.services.commands import Waiting
from app.core.services.connect import Site, connect
from app.core.services.local_address import Address, identity
from app.core.services.local_socket import Greeting, Server
from app.core.services.owner import Owner
from app.core.services.profile import create_profile, open_profile
from tests.owner_program import ERRORS, owner_process

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A profile that another process owns."""
    directory = tmp_path_factory.mktemp("served")
    create_profile(directory, name="South", contact="+41", passphrase=lambda: SecretBytes(b"correct horse")).close()
    with owner_process(directory):
        yield directory


@pytest.fixture
def there(_served: Path) -> Path:
    """The profile that another process owns, counting from 0."""
    with connect(_served) as site:
        site.call("test.put", {"key": "test", "value": b"0"})
    return _served


@pytest.fixture(params=["here", "there"])
def site(request: pytest.FixtureRequest, place: Path) -> Iterator[Site]:
    """A profile whose owner is this process, or another one."""
    with connect(request.getfixturevalue("there") if request.param == "there" else place) as site:
        yield site


def test_a_command_and_its_secret_go_there_and_back(site: Site, request: pytest.FixtureRequest) -> None:
    values = {"value": {"list": (1, 2), "none": None, "bytes": b"x", "real": 0.5}, "secret": SecretBytes(b"abc")}
    found = site.call("test.echo", values)
    assert found["value"] == {"list": [1, 2], "none": None, "bytes": b"x", "real": 0.5}
    assert found["secret"] == SecretBytes(b"cba")
    assert (found["pid"] == os.getpid()) == request.node.name.endswith("[here]")


def test_progress_is_told_as_it_comes(site: Site) -> None:
    told: list[Progress] = []
    assert site.call("test.count", {"steps": 3}, Job(told.append))["number"] == 3
    assert told == [
        Progress(0.0, "test.step", None), Progress(0.1, "test.step", 1.5), Progress(0.2, "test.step", 1.5)
    ]  # fmt: skip
    assert site.call("test.count", {"steps": 2})["number"] == 5


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_come_back_as_they_were(site: Site, kind: str) -> None:
    with pytest.raises(ConsiliumError) as caught:
        site.call("test.fail", {"kind": kind})
    assert type(caught.value) is ERRORS[kind]
    assert caught.value.params == {"row": 3, "ratio": 0.5, "name": "x", "flag": True, "nothing": None}
    assert site.call("test.count", {"steps": 1})["number"] == 1  # the owner is none the worse


def test_waiting_comes_back(site: Site) -> None:
    with pytest.raises(Waiting) as caught:
        site.call("test.fail", {"kind": "Waiting"})
    assert (caught.value.key, caught.value.params) == ("test.later", {"days": 2})


def test_an_unknown_command_and_wrong_values_are_refused(site: Site) -> None:
    with pytest.raises(UserError, match=r"owner\.unknown_command"):
        site.call("no.such")
    with pytest.raises(ConsiliumError, match=r"owner\.malformed.*secret"):
        site.call("test.echo", {"value": 1, "secret": b"plain"})


def test_a_mistake_in_a_command_is_a_bug_that_tells_nothing(there: Path) -> None:
    with connect(there) as site:
        with pytest.raises(Bug, match="RuntimeError") as caught:
            site.call("test.fail", {"kind": "?"})
        assert "patient" not in str(caught.value)
        assert site.call("test.count", {"steps": 0})["number"] == 0


def test_cancelling_stops_the_command_wherever_it_runs(site: Site) -> None:
    cancel = CancelToken()

    def report(progress: Progress) -> None:
        assert progress.step == "test.began"
        threading.Thread(target=cancel.cancel).start()

    with pytest.raises(Cancelled):
        site.call("test.block", job=Job(report, cancel))
    with pytest.raises(Cancelled):
        site.call("test.wait", {"key": "never"}, Job(lambda _progress: cancel.cancel(), cancel))
    assert site.call("test.count", {"steps": 0})["number"] == 0


def test_ctrl_c_reaches_the_owner(there: Path) -> None:
    def interrupt(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with connect(there) as site:
        with pytest.raises(KeyboardInterrupt):
            site.call("test.block", job=Job(interrupt))
        assert site.call("test.count", {"steps": 0})["number"] == 0  # the owner is free again, and the line in order


def test_a_client_that_vanishes_cancels_its_command(there: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom app.core.jobs.job import Job\n"
        "from app.core.services.connect import connect\n"
        "connect(Path(sys.argv[1])).call('test.block', job=Job(lambda progress: os._exit(7)))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(there)], check=False).returncode == 7
    with connect(there) as site:
        assert site.call("test.count", {"steps": 0})["number"] == 0


def test_two_commands_at_the_same_time_are_both_done(there: Path) -> None:
    found: list[int] = []
    start = threading.Barrier(4)

    def count() -> None:
        with connect(there) as site:
            start.wait(30)
            for _ in range(20):
                found.append(site.call("test.count", {"steps": 5})["number"])

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == list(range(5, 401, 5))  # one after another: no step is lost


def test_a_command_that_waits_lets_others_work(there: Path) -> None:
    began = threading.Event()
    found: list[Any] = []

    def wait() -> None:
        with connect(there) as site:
            found.append(site.call("test.wait", {"key": "news"}, Job(lambda _progress: began.set())))

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert began.wait(30)
    with connect(there) as site:
        site.call("test.put", {"key": "news", "value": b"good"})
    waiting.join(30)
    assert found == [{"found": b"good"}]


def test_an_owner_that_leaves_ends_waiting_commands_and_sends_others_away(place: Path) -> None:
    outcomes: list[object] = []
    with owner_process(place) as process:
        began = threading.Event()

        def wait() -> None:
            try:
                with connect(place) as site:
                    site.call("test.wait", {"key": "never"}, Job(lambda _progress: began.set()))
            except Waiting as waiting:
                outcomes.append(waiting.key)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert began.wait(30)
        with connect(place) as site:
            first = site.call("test.leave")
            assert first == {}
            process.wait(30)
            assert site.call("test.echo", {"value": 1, "secret": SecretBytes(b"")})["pid"] == os.getpid()
        waiting.join(30)
    assert outcomes == ["test.awaited"]


@posix
def test_killed_in_the_middle_of_a_command(place: Path) -> None:
    with owner_process(place), connect(place) as site:
        with pytest.raises(EnvironmentProblem, match=r"owner\.lost"):
            site.call("test.die")
        assert site.call("test.die") == {"half": None}  # this process is the owner now, and half-written is nothing
    with owner_process(place), connect(place) as site:
        assert site.call("test.die") == {"half": None}


def test_without_an_owner_the_command_becomes_it_and_serves_others(place: Path) -> None:
    with connect(place) as site:
        found: list[int] = []

        def ask() -> None:
            with connect(place) as other:
                found.append(other.call("test.count", {"steps": 4})["pid"])

        asking = threading.Thread(target=ask)
        asking.start()
        site.call("test.wait", {"key": "test"})  # woken by the other's command
        asking.join(30)
        assert found == [os.getpid()]
    with open_profile(place):
        pass  # let go


def test_the_profile_is_let_go_when_opening_fails(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Address, "new", classmethod(lambda *_args, **_named: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            connect(place)
    with open_profile(place):
        pass


def test_a_profile_in_use_by_a_program_without_a_socket(place: Path) -> None:
    with open_profile(place), pytest.raises(EnvironmentProblem, match=r"profile\.in_use"):
        connect(place, patience=0.0)


def test_waits_for_an_owner_that_is_just_leaving(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_profile(place)
    tries: list[Path] = []

    def look(directory: Path) -> None:
        tries.append(directory)
        if len(tries) == 3:
            opened.close()

    monkeypatch.setattr(connecting, "reach", look)
    connect(place).close()
    assert len(tries) == 3


def test_another_version_is_said_before_anything_is_asked(place: Path) -> None:
    said = Greeting("0.0.9", identity(place), 1, "old", "agent")
    server = Server(place, lambda channel: channel.receive(), lambda: said)
    try:
        with pytest.raises(EnvironmentProblem, match=r"owner\.other_version") as caught:
            connect(place)
        assert caught.value.params == {"ours": app.__version__, "theirs": "0.0.9"}
    finally:
        server.close()


def test_there_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"profile\.not_found"):
        connect(tmp_path / "no")
    assert not (tmp_path / "no").exists()


def hostile(message: Callable[[], bytes]) -> bytes:
    data = message()
    return struct.pack("!i", len(data)) + data


@posix
@pytest.mark.parametrize(
    "message",
    [
        [],
        {"type": "call"},
        {"type": "call", "name": "test.count", "plain": {"steps": 1}, "secret": {}, "more": 1},
        {"type": "call", "name": "x" * 100, "plain": {}, "secret": {}},
        {"type": "result", "plain": {}, "secret": {}},
        {"type": "cancel", "more": 1},
    ],
)
def test_a_hostile_client_is_told_off_and_nobody_else(there: Path, message: object) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(there / "owner.sock"))
        line.sendall(hostile(lambda: codec.encode(message)))
        received = b""
        while piece := line.recv(4096):
            received += piece
    assert b"owner.malformed" in received
    with connect(there) as site:
        assert site.call("test.count", {"steps": 1})["number"] == 1


@posix
def test_two_calls_at_once_on_one_line_are_refused(there: Path) -> None:
    call = codec.encode({"type": "call", "name": "test.block", "plain": {}, "secret": {}})
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(there / "owner.sock"))
        line.sendall(2 * (struct.pack("!i", len(call)) + call))
        received = b""
        while piece := line.recv(4096):
            received += piece
    assert b"owner.malformed" in received
    with connect(there) as site:  # and what the first one did was stopped
        assert site.call("test.count", {"steps": 1})["number"] == 1


def test_a_client_that_does_not_read_does_not_hold_up_the_owner(place: Path) -> None:
    with Owner(open_profile(place)) as owner:
        call = codec.encode({"type": "call", "name": "test.count", "plain": {"steps": 1000}, "secret": {}})
        framed = struct.pack("!i", len(call)) + call
        with socket.socket(socket.AF_UNIX) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            line.connect(str(place / "owner.sock"))
            line.sendall(framed)
            while owner.profile.store.settings.get("test") != b"1000":
                owner.turn(1.0)


def test_secrets_and_values_never_reach_the_log(place: Path, tmp_path: Path) -> None:
    log.write_to(tmp_path / "logs")
    try:
        with connect(place) as site:
            site.call("test.echo", {"value": "value-of-a-patient", "secret": SecretBytes(b"passphrase-of-a-site")})
            with pytest.raises(RuntimeError):
                site.call("test.fail", {"kind": "secret-kind"})
        written = (tmp_path / "logs" / log.FILE_NAME).read_text()
    finally:
        log.write_to(tmp_path / "elsewhere")
    assert "test.echo" in written
    for word in ("value-of-a-patient", "passphrase-of-a-site", "secret-kind", "name of a patient"):
        assert word not in written


@posix
def test_the_next_owner_knows_that_the_last_one_died(place: Path) -> None:
    with owner_process(place) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        with open_profile(place) as profile:
            assert profile.store.previous_owner is not None
            assert profile.store.previous_owner.pid == process.pid
