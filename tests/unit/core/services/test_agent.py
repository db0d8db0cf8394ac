"""The agent: until idle, offline, stopped, ticking; what it sends and in which order."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem
from app.core.federation import ceremony_messages, query_messages
from app.core.federation.query_messages import BlobName
from app.core.federation.rounds import Reveal
from app.core.jobs.pool import WorkerPool, outcome
from app.core.services import agent as agents
from app.core.services import carrying
from app.core.services import member as members
from app.core.services.agent import Agent
from app.core.services.agent_program import run_agent, stopped_by_signals
from app.core.services.carrying import Backoff, Courier, offered_blobs, wanted_blobs
from app.core.services.commands import Context, Result, Steps, Values, Waiting, command
from app.core.services.local_socket import reach
from app.core.services.owner import Owner
from app.core.store.messages import Outbox
from app.core.store.settings import Settings
from tests.agent_sites import Sites, opened
from tests.fake_relay import FakeLine, FakeRelay
from tests.federation_sites import Inline, KnownNumber
from tests.killed_preparation import leave_clear_data


@pytest.fixture(autouse=True)
def known_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every site answers 100 times its position."""
    monkeypatch.setattr(
        members, "DatasetContributor", lambda site, _mailroom: KnownNumber(100 * site.position, keys=site.key_directory)
    )


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    return Sites(tmp_path, FakeRelay())


@command("test.until")
def until(context: Context, values: Values) -> Steps:
    """Wait until the owner is in ``state``."""
    state = values.text("state", 32)
    while context.owner.state != state:
        yield 3600.0
    return {}


@command("test.say", online=True)
def say(context: Context, values: Values) -> Result:
    """Queue a message to everyone."""
    member = context.owner.member
    with context.profile.store.database.atomic():
        member.mailroom.post(ceremony_messages.STOP, bytes(32), {"code": "test.code"})
    return {"unsent": len(context.profile.store.outbox.unsent())}


def test_until_idle_leaves_nothing_to_do(sites: Sites) -> None:
    for _ in range(30):
        for position in (1, 2, 3):
            assert sites.until_idle(position)
            with opened(sites.directories[position - 1]) as profile:
                assert profile.store.outbox.unsent() == ()
        if not any(sites.relay.waiting(position) for position in (1, 2, 3)):
            break
    for position in (1, 2, 3):
        assert sites.call(position, "test.ready") == {"state": "ready", "code": ""}


def test_until_idle_gives_up_when_the_relay_stays_away(sites: Sites) -> None:
    sites.relay.down = True
    with pytest.raises(EnvironmentProblem, match=r"relay\.unreachable"):
        sites.until_idle(1)
    with opened(sites.directories[0]) as profile:
        assert len(profile.store.outbox.unsent()) == 1  # its first word is kept
    sites.relay.down = False
    assert sites.until_idle(1)
    assert sites.relay.waiting(2) == sites.relay.waiting(3) == 1


def test_offline_is_said_and_nothing_is_lost(sites: Sites) -> None:
    relay = sites.relay
    with sites.running(1, 2, 3):
        sites.call(1, "test.ready")
        with relay.changed:
            relay.down = True
            relay.changed.notify_all()
        sites.call(1, "test.until", {"state": "offline"})
        found = reach(sites.directories[0])
        assert found is not None
        assert found[1].state == "offline"
        found[0].release()
        assert sites.call(1, "owner.status")["trouble"] == "relay.unreachable"
        with pytest.raises(Waiting) as caught:
            sites.call(1, "test.say")
        assert (caught.value.key, caught.value.params) == ("agent.kept", {"reason": "relay.unreachable"})
        assert sites.call(1, "owner.status")["unsent"] >= 1
        relay.down = False
        sites.call(1, "test.until", {"state": "agent"})
        sites.call(1, "test.say")  # sent, and what was kept before it


def test_without_an_agent_an_online_command_sends_for_itself(sites: Sites) -> None:
    assert sites.call(1, "test.begin") == {"state": "running"}
    assert sites.relay.waiting(2) == 1
    sites.relay.down = True
    with pytest.raises(Waiting) as caught:
        sites.call(1, "test.say")
    assert caught.value.key == "agent.kept"


def test_blobs_are_at_the_relay_before_the_message_that_names_them(sites: Sites) -> None:
    relay = sites.relay
    missing: list[bytes] = []
    send = FakeLine.send

    def checked(line: FakeLine, envelope: bytes, recipients: tuple[int, ...]) -> None:
        missing.extend(name for name in named(line) if name not in relay.blobs)
        send(line, envelope, recipients)

    def named(line: FakeLine) -> list[bytes]:
        return [name for name, _ in offers.get(line._position, [])]

    offers: dict[int, list[tuple[bytes, Path]]] = {}
    deliver = Agent._deliver

    def noted(agent: Agent, message: Any, blobs: list[tuple[bytes, Path]]) -> None:
        offers[agent.line._position] = blobs  # type: ignore[attr-defined]
        deliver(agent, message, blobs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeLine, "send", checked)
        patch.setattr(Agent, "_deliver", noted)
        with sites.running(1, 2, 3):
            for position in (1, 2, 3):
                sites.call(position, "test.ready")
    assert missing == []
    assert len(relay.blobs) == 3 * 4 + 3 * 3  # four key rounds, and what each dealt to each


def test_a_message_is_acknowledged_only_when_it_is_stored(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    sites.until_idle(1)
    assert sites.relay.waiting(2) == 1
    put = Settings.put

    def full(settings: Settings, key: str, value: bytes) -> None:
        if key == "relay cursor":
            raise EnvironmentProblem("disk.full", path="/")
        put(settings, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(Settings, "put", full)
        with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
            sites.until_idle(2)
    assert sites.relay.waiting(2) == 1
    with opened(sites.directories[1]) as profile:
        assert {message.sender for message in profile.store.inbox.unhandled()} == {2}
    assert sites.until_idle(2)
    assert sites.relay.waiting(2) == 0


def test_a_message_is_sent_again_when_it_was_not_noted(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_args: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "mark_sent", killed)
        with pytest.raises(Killed):
            sites.until_idle(1)
    sites.until_idle(1)
    (_, first), (_, again) = sites.relay.sent
    assert first == again
    sites.until_idle(2)
    with opened(sites.directories[1]) as profile:
        assert [message.sender for message in profile.store.inbox.unhandled()].count(1) == 1


def test_a_blob_that_is_nowhere_and_nobody_asks_for_again_is_not_waited_for(sites: Sites) -> None:
    asked: list[int] = []

    def once(agent: Agent) -> int | None:
        if not asked:
            asked.append(1)
            with pytest.raises(PeerProblem, match=r"agent\.blob_on_its_way"):
                agent.fetch(bytes(32), 10)
        return None

    def again_and_again(agent: Agent) -> int | None:
        with pytest.raises(PeerProblem):
            agent.fetch(bytes(32), 10)
        asked.append(2)
        return None

    assert sites.until_idle(1, duties=(once,))
    assert sites.until_idle(1, duties=(again_and_again,))
    assert asked.count(2) >= agents.TRIES


def test_rubbish_from_the_relay_is_recorded_and_stops_nothing(sites: Sites) -> None:
    with sites.relay.changed:
        sites.relay.put(1, b"rubbish")
        sites.relay.put(1, b"")
    sites.until_idle(2)
    assert sites.until_idle(1)
    with opened(sites.directories[0]) as profile:
        assert [refusal.code for refusal in profile.store.refusals.all()] == ["envelope.malformed"] * 2
        assert {message.sender for message in profile.store.inbox.unhandled()} == {1, 2}


def test_a_mistake_of_the_line_ends_the_agent_loudly(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(FakeLine, "receive", broken)
    with pytest.raises(RuntimeError, match="broken"):
        sites.until_idle(1)


def test_duties_are_done_when_they_are_due_and_again_after_trouble(sites: Sites) -> None:
    done: list[str] = []

    def due_soon(agent: Agent) -> int | None:
        done.append("due")
        if len(done) >= 4:
            agent.stop()
        return agent.owner.profile.clock.now() - 1

    def troubled(_agent: Agent) -> int | None:
        done.append("troubled")
        if len(done) == 2:
            raise PeerProblem("test.trouble")
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "_LEAST_PAUSE", 0.001)
        with sites.owner(1) as owner, sites.agent(owner, 1, duties=(due_soon, troubled)) as agent:
            assert agent.run() is False
    assert done[:5] == ["due", "troubled", "due", "troubled", "due"]


def test_until_idle_raises_what_stays_in_the_way_of_a_duty(sites: Sites) -> None:
    def troubled(_agent: Agent) -> int | None:
        raise EnvironmentProblem("keyring.locked")

    with pytest.raises(EnvironmentProblem, match=r"keyring\.locked"):
        sites.until_idle(1, duties=(troubled,))

    def wrong(_agent: Agent) -> int | None:
        raise Bug("test.bug")

    with pytest.raises(Bug), sites.owner(1) as owner, sites.agent(owner, 1, duties=(wrong,)) as agent:
        agent.run()


def test_stop_ends_it_in_the_middle_of_computing(sites: Sites) -> None:
    began = threading.Event()

    def compute(agent: Agent) -> int | None:
        future = agent.owner.executor.submit(time.sleep, 3600)
        began.set()
        outcome(future)
        return None

    owner = Owner(opened(sites.directories[0]), executor=WorkerPool(1))
    with owner, Agent(owner, sites.line(1), duties=(compute,)) as agent:

        def stop() -> None:
            began.wait(60)
            agent.stop()

        stopping = threading.Thread(target=stop)
        stopping.start()
        assert agent.run() is False
        stopping.join()
    with opened(sites.directories[0]):
        pass


def test_stop_ends_it_while_it_begins(sites: Sites) -> None:
    owner = Owner(opened(sites.directories[0]), executor=WorkerPool(1))
    with owner, Agent(owner, sites.line(1), duties=()) as agent:

        class Stopped(WorkerPool):
            """A pool whose end comes when the first task is handed to it."""

            def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
                future = super().submit(time.sleep, 3600)
                threading.Thread(target=agent.stop).start()
                return future

        owner.executor = Stopped(1)
        assert agent.run() is False
    with opened(sites.directories[0]):
        pass


def test_signals_stop_it(sites: Sites) -> None:
    def came(_agent: Agent) -> int | None:
        signal.raise_signal(signal.SIGTERM)
        return None

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with sites.owner(1) as owner, sites.agent(owner, 1, duties=(came,)) as agent:
        with stopped_by_signals(agent.stop) as numbers:
            assert agent.run() is False
        assert numbers == [signal.SIGTERM]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_the_program_waits_a_moment_for_a_command_and_runs_until_idle(sites: Sites) -> None:
    directory = sites.directories[0]
    said: list[str] = []
    busy = opened(directory)
    opening: Callable[[Path], Any] = opened
    tries: list[Path] = []

    def patiently(path: Path) -> Any:
        tries.append(path)
        if len(tries) == 2:
            busy.close()
        return opening(path)

    end = run_agent(
        directory, until_idle=True, began=said.append, open_profile=patiently, line=lambda _profile: sites.line(1)
    )
    assert (end.idle, end.stopped, end.unsent, said) == (True, False, 0, ["Site 1"])
    with opened(directory), pytest.raises(EnvironmentProblem, match=r"profile\.in_use"):
        run_agent(directory, open_profile=opened, patience=0.0)
    with pytest.raises(ConsiliumError, match=r"agent\.no_relay"):
        run_agent(directory, open_profile=opened)
    with opened(directory):
        pass


def test_an_agent_that_starts_removes_clear_data_of_a_killed_preparation(sites: Sites) -> None:
    left = leave_clear_data()
    run_agent(sites.directories[0], until_idle=True, open_profile=opened, line=lambda _profile: sites.line(1))
    assert not left.exists()


def test_back_off_doubles_up_to_its_limit_and_is_never_in_step() -> None:
    high, low = Backoff(1, 10, lambda: 1.0), Backoff(1, 10, lambda: 0.0)
    assert [high.fail() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert [low.fail() for _ in range(3)] == [0.5, 1, 2]
    high.reset()
    assert (high.failures, high.fail()) == (0, 1)
    for _ in range(2000):
        assert high.fail() <= 10


def test_a_courier_pauses_after_trouble_and_ends_in_the_pause() -> None:
    told: list[tuple[object, float]] = []
    done = threading.Event()

    def then(result: object, pause: float) -> None:
        told.append((result, pause))
        done.set()

    def fails() -> None:
        raise PeerProblem("test.trouble")

    courier = Courier("test", lambda action: action(), Backoff(3600, 3600, lambda: 1.0))
    courier.ask(fails, then)
    assert done.wait(30)
    courier.ask(lambda: told.append(("never", 0.0)), then)
    assert courier.failures == 1
    courier.close()
    assert [(type(problem), pause) for problem, pause in told] == [(PeerProblem, 3600)]


def reveal(payload: object) -> tuple[str, Reveal]:
    return "key", Reveal(bytes(32), codec.encode(payload))


def test_blobs_are_found_in_what_is_said() -> None:
    name, other = bytes(32), bytes([1]) * 32
    dealt = reveal({"blobs": [[name, 5], [other, 6]]})
    assert offered_blobs(ceremony_messages.REVEAL, reveal({"blob": name, "size": 5})) == ((name, 5),)
    assert offered_blobs(ceremony_messages.REVEAL, dealt) == ((name, 5), (other, 6))
    assert wanted_blobs(ceremony_messages.REVEAL, dealt, 2) == ((other, 6),)
    assert wanted_blobs(ceremony_messages.REVEAL, dealt, 3) == ()
    assert offered_blobs(query_messages.CONTRIBUTION, (1, BlobName(name, 7))) == ((name, 7),)
    assert offered_blobs(query_messages.COMMIT, (1, None)) == ()
    sizes: list[object] = [{"blob": name, "size": 0}, {"blob": name, "size": 1 << 40}]
    odds: list[object] = [[], {"random": name}, *sizes, {"blobs": 3}]
    for odd in odds:
        assert offered_blobs(ceremony_messages.REVEAL, reveal(odd)) == ()
    assert offered_blobs(ceremony_messages.REVEAL, ("key", Reveal(bytes(32), b"\xff"))) == ()
    assert partial(carrying.Backoff, 1)().failures == 0


def test_an_executor_of_another_kind_is_left_alone(sites: Sites) -> None:
    with Owner(opened(sites.directories[0]), executor=Inline()) as owner:
        owner.interrupt()
        owner.turn(0.0)
