"""What a window asks an owner for: being told of changes, how the site stands, what can be asked, ending."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from app.core.catalogue import holding
from app.core.catalogue.model import Catalogue
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation.relay_protocol import Presence
from app.core.jobs.job import Cancelled, CancelToken, Job
from app.core.services import agent as agents
from app.core.services import member as members
from app.core.services import owner_commands
from app.core.services.active_dataset import ActiveDataset
from app.core.services.commands import Context, Result, Steps, Values, command
from app.core.services.connect import connect
from app.core.services.owner import Owner
from app.core.services.owner_clients import Call
from app.core.services.profile import create_profile
from tests.agent_sites import Sites, opened, passphrase
from tests.fake_relay import FakeRelay
from tests.federation_sites import CATALOGUE, Inline, KnownNumber


@pytest.fixture(autouse=True)
def known_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every site answers 100 times its position."""
    monkeypatch.setattr(
        members, "DatasetContributor", lambda site, _mailroom: KnownNumber(100 * site.position, keys=site.key_directory)
    )


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    return Sites(tmp_path, FakeRelay())


@command("test.change")
def change(context: Context, values: Values) -> Result:
    """Change something in the database."""
    context.profile.store.settings.put("test", values.bytes("value", 0, 64))
    return {}


class Watching:
    """A client that watches in a thread."""

    def __init__(self, sites: Sites, position: int, after: int, wait: int = 600) -> None:
        self.found: list[object] = []
        self.cancel = CancelToken()
        self._thread = threading.Thread(target=self._watch, args=(sites, position, {"after": after, "wait": wait}))
        self._thread.start()

    def _watch(self, sites: Sites, position: int, values: dict[str, Any]) -> None:
        try:
            with connect(sites.directories[position - 1], become=False) as site:
                self.found.append(site.call("site.watch", values, Job(lambda _progress: None, self.cancel))["number"])
        except Exception as error:
            self.found.append(error)

    def result(self) -> object:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.found[0]


def number(sites: Sites, position: int = 1) -> int:
    return int(sites.call(position, "site.watch", {"after": 0, "wait": 0})["number"])


def settled(sites: Sites, position: int = 1) -> int:
    """The number when nothing more changes by itself: the ceremony is over and its news have come."""
    for each in (1, 2, 3):
        sites.call(each, "test.told")
    return number(sites, position)


def test_watchers_hear_of_a_change_at_once_and_of_nothing_else(sites: Sites) -> None:
    with sites.running(1, 2, 3):
        before = settled(sites)
        watching = [Watching(sites, 1, before) for _ in range(3)]
        assert sites.call(1, "site.watch", {"after": before, "wait": 0}) == {"number": before}
        sites.call(1, "site.overview")
        sites.call(1, "query.list")
        assert number(sites) == before, "looking changes nothing"
        sites.call(1, "test.change", {"value": b"x"})
        after = [each.result() for each in watching]
        assert set(after) == {number(sites)}
        assert number(sites) > before


def test_what_changes_in_one_go_is_told_together(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_commands, "_TOGETHER_SECONDS", 5.0)
    with sites.running(1, 2, 3):
        watching = Watching(sites, 1, settled(sites))
        sites.call(1, "test.watched", {"wanted": True})
        for value in (b"x", b"y", b"z"):
            sites.call(1, "test.change", {"value": value})
        assert watching.result() == number(sites)


def test_a_watch_of_an_earlier_owner_returns_at_once(sites: Sites) -> None:
    with sites.running(1):
        assert sites.call(1, "site.watch", {"after": 5, "wait": 600})["number"] > 5
        assert sites.call(1, "site.watch", {"after": 1 << 52, "wait": 600})["number"] < 1 << 52


def test_a_watch_wakes_when_the_line_is_lost_and_found(sites: Sites) -> None:
    with sites.running(1, 2, 3):
        watching = Watching(sites, 1, settled(sites))
        with sites.relay.changed:
            sites.relay.down = True
            sites.relay.changed.notify_all()
        lost = watching.result()
        assert isinstance(lost, int)
        assert sites.call(1, "site.overview")["relay"]["state"] == "offline"
        watching = Watching(sites, 1, lost)
        sites.relay.down = False
        assert isinstance(watching.result(), int)
        while sites.call(1, "site.overview")["relay"]["state"] != "connected":
            assert isinstance(Watching(sites, 1, number(sites), wait=30).result(), int)


def test_watching_does_not_keep_an_agent_from_being_idle_and_ends_with_it(sites: Sites) -> None:
    with sites.owner(1) as owner, sites.agent(owner, 1) as agent:
        outcomes: list[object] = []
        job = Job(lambda _progress: None, CancelToken())
        owner.submit(Call("site.watch", {"after": owner.changes + (1 << 40), "wait": 0}, job, outcomes.append))
        owner.submit(Call("test.forever", {}, job, outcomes.append))
        assert agent.run(until_idle=True)
        assert owner.watched
    assert [type(each) for each in outcomes] == [dict, EnvironmentProblem]


@command("test.forever", passive=True)
def forever(context: Context, values: Values) -> Steps:
    """Only look, for ever."""
    while True:
        yield 3600.0


def test_a_client_that_stops_watching_is_forgotten(sites: Sites) -> None:
    with sites.running(1, 2, 3):
        before = settled(sites)
        script = (
            "import sys\nfrom pathlib import Path\nfrom app.core.services.connect import connect\n"
            "with connect(Path(sys.argv[1]), become=False) as site:\n"
            "    print('watching', flush=True)\n"
            "    site.call('site.watch', {'after': int(sys.argv[2]), 'wait': 600})\n"
        )
        arguments = [sys.executable, "-c", script, str(sites.directories[0]), str(before)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as dying:
            assert dying.stdout is not None
            assert dying.stdout.readline() == "watching\n"
            sites.call(1, "test.watched", {"wanted": True})
            dying.kill()
        cancelled = Watching(sites, 1, before)
        cancelled.cancel.cancel()
        assert type(cancelled.result()).__name__ == "Cancelled"
        sites.call(1, "test.watched", {"wanted": False})


@command("test.watched")
def watched(context: Context, values: Values) -> Steps:
    """Wait until somebody watches, or nobody does any more."""
    wanted = values.flag("wanted")
    while context.owner.watched != wanted:
        yield 0.01
    return {}


# --- overview -------------------------------------------------------------------------------------------------------


def test_the_overview_before_there_is_a_federation(tmp_path: Path) -> None:
    create_profile(tmp_path / "new", name="South", contact="+41", passphrase=passphrase).close()
    with connect(tmp_path / "new", open_profile=opened) as site:
        found = site.call("site.overview")
    assert found == {
        "site": "South", "pretend": False, "relay": {"url": "", "state": "none", "code": ""}, "backup": 0,
        "federation": "", "stage": "none", "sites": [], "quorum": 0,
        "waiting_requests": 0, "open_queries": 0, "waiting_catalogue": 0, "dataset": None,
    }  # fmt: skip


def test_the_overview_of_a_federation_at_work(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    sites.relay.present = {1: Presence(60_000, True), 2: Presence(120_000, True), 3: Presence(60_000, False)}
    with sites.running(1, 2, 3):
        settled(sites)
        asked = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 3, "deadline": 0, "purpose": "x", "wait": 0}
        sites.call(3, "policy.set", {"mode": "ask", "exact": None, "noised": None, "others": None})
        with pytest.raises(Exception, match=r"cli\.query\.waiting"):
            sites.call(1, "query.run", asked)
        sites.call(1, "test.present")
        found = sites.call(1, "site.overview")
        assert (found["federation"], found["stage"], found["quorum"]) == ("Tests", "ready", 3)
        assert found["relay"]["state"] == "connected"
        assert [(each["name"], each["own"], each["reachable"], each["last_seen"]) for each in found["sites"]] == [
            ("Site 1", True, True, 60_000), ("Site 2", False, True, 120_000), ("Site 3", False, False, 60_000),
        ]  # fmt: skip
        assert all(each["program"] and each["contact"] == "+41" for each in found["sites"])
        assert (found["open_queries"], found["waiting_requests"], found["dataset"]) == (1, 0, None)


def test_who_is_there_is_asked_for_while_somebody_watches(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "LOOK_ROUND_SECONDS", 0.01)
    with sites.running(1, 2, 3):
        settled(sites)
        watching = Watching(sites, 1, number(sites))
        sites.call(1, "test.watched", {"wanted": True})
        sites.relay.present = {2: Presence(60_000, True)}
        assert isinstance(watching.result(), int)
        assert [each["reachable"] for each in sites.call(1, "site.overview")["sites"]] == [True, True, None]


def test_a_relay_that_cannot_be_reached_makes_nobody_reachable(sites: Sites) -> None:
    sites.relay.present = {2: Presence(60_000, True)}
    with sites.running(1, 2, 3):
        settled(sites)
        sites.call(1, "test.present")
        with sites.relay.changed:
            sites.relay.down = True
            sites.relay.changed.notify_all()
        while sites.call(1, "site.overview")["relay"]["state"] == "connected":
            sites.call(1, "site.watch", {"after": number(sites), "wait": 5})
        found = sites.call(1, "site.overview")
        assert found["relay"]["code"] == "relay.unreachable"
        assert [each["reachable"] for each in found["sites"]] == [False, None, None]
        assert found["sites"][1]["last_seen"] == 60_000


# --- what can be asked ----------------------------------------------------------------------------------------------


def test_the_catalogue_says_which_sites_hold_what(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [variable.code for variable in CATALOGUE]
    held = {"Site 1": codes, "Site 2": codes[:1]}  # and the third has no dataset

    def bits(dataset: ActiveDataset) -> bytes:
        mine = held.get(dataset._profile.site_name)
        return b"" if mine is None else holding.pack(CATALOGUE, mine)

    monkeypatch.setattr(ActiveDataset, "held", property(bits))
    with sites.running(1, 2, 3):
        settled(sites)
        found = sites.call(1, "catalogue.show")
        assert Catalogue.from_cbor(found["catalogue"]) == CATALOGUE
        assert found["held"] == {codes[0]: 2, **dict.fromkeys(codes[1:], 1)}
        assert (found["own"], found["sites"]) == (sorted(codes), 3)
        assert [(each["site"], each["known"], each["codes"]) for each in found["by_site"]] == [
            ("Site 1", True, len(codes)), ("Site 2", True, 1), ("Site 3", True, 0)
        ]  # fmt: skip
        assert holding.unpack(CATALOGUE, found["by_site"][1]["held"]) == {codes[0]}
        again = sites.call(1, "catalogue.show", {"have": found["hash"]})
        assert (again["catalogue"], again["held"]) == (b"", found["held"])
        explained = sites.call(2, "query.explain", {"text": "smoker and died"})
        assert [(each["dataset"], each["lacks"]) for each in explained["by_site"]] == [
            (True, []), (True, ["died"]), (False, ["died", "smoker"])
        ]  # fmt: skip
        held["Site 3"] = codes
        before = number(sites, 1)
        sites.call(3, "test.begin")  # it looks again, and tells
        sites.call(1, "site.watch", {"after": before, "wait": 60})
        assert sites.call(1, "catalogue.show")["held"][codes[0]] == 3


def test_a_question_is_explained_beside_the_owner(sites: Sites) -> None:
    with sites.running(1, 2, 3):
        settled(sites)
        found = sites.call(1, "query.explain", {"text": "smoker"})
        assert (found["fits"], found["problem"], found["supposed"]) == (True, None, True)
        plan = found["explained"]["plan"]
        assert (plan["levels"], plan["products"], len(plan["columns"])) == (0, 0, 1)
        assert plan["seconds"] > 0
        assert [each["dataset"] for each in found["by_site"]] == [False] * 3
        wrong = sites.call(1, "query.explain", {"text": "smoker and\n  nonsense"})
        assert (wrong["fits"], wrong["explained"]) == (False, None)
        place = {name: wrong["problem"]["params"][name] for name in ("line", "column")}
        assert place == {"line": 2, "column": 3}


# --- ending ---------------------------------------------------------------------------------------------------------


def test_an_agent_is_ended_by_a_command_after_it_has_answered(sites: Sites) -> None:
    with sites.running(1):
        assert sites.call(1, "owner.stop") == {"stopped": True}
        assert sites.call(1, "owner.stop") == {"stopped": False}, "the agent has let go, and this command was the owner"


def test_an_owner_that_is_no_agent_is_not_ended(sites: Sites) -> None:
    assert sites.call(1, "owner.stop") == {"stopped": False}


def test_the_relay_is_checked_while_other_commands_go_on(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.federation.relay_check import Finding
    from app.core.services import relay_commands

    go = threading.Event()

    def slow(*_arguments: object) -> list[Finding]:
        assert go.wait(60)
        return [
            Finding("reach", {"url": "u"}),
            Finding("clock", {"seconds": 300}, UserError("relay.clock", seconds=300)),
        ]

    monkeypatch.setattr(relay_commands, "check_relay", slow)
    found: list[dict[str, Any]] = []
    with sites.running(1):
        asking = threading.Thread(
            target=lambda: found.append(sites.call(1, "relay.check", {"url": "https://relay.example"}))
        )
        asking.start()
        sites.call(1, "test.watched", {"wanted": True})
        assert sites.call(1, "owner.status")["site"] == "Site 1"
        go.set()
        asking.join(60)
    assert found[0]["usable"] is False
    assert [each["problem"] and each["problem"]["code"] for each in found[0]["findings"]] == [None, "relay.clock"]
    with pytest.raises(UserError, match=r"joining\.no_federation"):
        sites.call(1, "relay.check")


def test_the_network_of_joining_holds_up_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that does not answer: other commands are done meanwhile, another talk waits, and cancelling ends one."""
    from app.core.services import federation_commands, site
    from app.core.services.talking import Talk

    asked, go = threading.Semaphore(0), threading.Semaphore(0)

    def answered_late() -> str:
        asked.release()
        assert go.acquire(timeout=60)
        return "answer"

    def catch_up(_profile: object, _relay: object) -> Talk[None]:
        assert (yield answered_late) == "answer"

    create_profile(tmp_path / "new", name="South", contact="+41", passphrase=passphrase).close()
    monkeypatch.setattr(site, "open_to_joining", lambda _profile: True)
    monkeypatch.setattr(site, "catch_up", catch_up)
    monkeypatch.setattr(federation_commands, "_relay", lambda _context: nullcontext())
    done: list[str] = []
    cancel = CancelToken()

    def ask(name: str, job: Job) -> None:
        try:
            with connect(tmp_path / "new", become=False) as found:
                assert found.call("federation.status", None, job)["stage"] == "none"
            done.append(name)
        except Cancelled:
            done.append(f"{name} cancelled")

    with running_owner(tmp_path / "new"), connect(tmp_path / "new", become=False) as other:
        jobs = {"first": Job(), "second": Job(cancel=cancel), "third": Job()}
        threads = {name: threading.Thread(target=ask, args=(name, job)) for name, job in jobs.items()}
        threads["first"].start()
        assert asked.acquire(timeout=60)
        assert other.call("owner.status")["site"] == "South"
        threads["second"].start()
        threads["third"].start()
        assert other.call("site.overview")["stage"] == "none"
        cancel.cancel()
        threads["second"].join(60)
        assert done == ["second cancelled"]
        go.release()
        assert asked.acquire(timeout=60)
        go.release()
        for thread in threads.values():
            thread.join(60)
    assert sorted(done) == ["first", "second cancelled", "third"]


@contextmanager
def running_owner(directory: Path) -> Iterator[None]:
    """An owner in a thread, until the block ends."""
    started, stop = threading.Event(), threading.Event()

    def live() -> None:
        with Owner(opened(directory), program="tests", executor=Inline()) as owner:
            started.set()
            while not stop.is_set():
                owner.turn(0.05)

    thread = threading.Thread(target=live)
    thread.start()
    assert started.wait(60)
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
