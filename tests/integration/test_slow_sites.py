"""What an asker sees of sites that take their time: delivered, approved, computing 40 %, answered; and afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import evaluations, query_words
from app.core.federation.evaluations import Made, Work
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_messages import Request
from app.core.jobs.job import Job, Progress
from app.core.services import member as members
from app.core.services.commands import Context, Steps, Values, Waiting, command
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber

ASKED = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 3, "deadline": 0, "purpose": "A test", "wait": 0}


class Slow(KnownNumber):
    """The third site: it computes step by step, when it is told to; its worker may be killed, and people decide."""

    def __init__(self, site: LocalSite, control: Control) -> None:
        super().__init__(300, keys=site.key_directory)
        self._control = control

    def contribute(self, session: bytes, asker: int, request: Request) -> Work | None:  # type: ignore[override]
        if self._control.undecided:
            return None
        made = super().contribute

        def work(job: Job) -> Made:
            self._control.attempts += 1
            if self._control.dying:
                self._control.dying -= 1
                raise EnvironmentProblem("worker.killed")
            while (fraction := self._control.next()) is not None:
                job.report(Progress(fraction, "job.evaluate", None))
            return made(session, asker, request)

        return work


class Control:
    """What the test tells the third site."""

    def __init__(self) -> None:
        self.undecided = False
        self.dying = 0
        self.attempts = 0
        self._steps: list[float | None] = []
        self._there = threading.Semaphore(0)

    def tell(self, fraction: float | None) -> None:
        self._steps.append(fraction)
        self._there.release()

    def next(self) -> float | None:
        assert self._there.acquire(timeout=120)
        return self._steps.pop(0)


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, control: Control) -> Iterator[Sites]:
    """Three sites with agents; the third is slow, and everything is worth telling."""
    for module in (evaluations, query_words):
        monkeypatch.setattr(module, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(query_words, "WORTH_TELLING", 0.0)

    def contributor(site: LocalSite, _mailroom: Mailroom) -> KnownNumber:
        return Slow(site, control) if site.position == 3 else KnownNumber(100 * site.position, keys=site.key_directory)

    monkeypatch.setattr(members, "DatasetContributor", contributor)
    found = Sites(tmp_path, FakeRelay())
    with found.running(1, 2, 3):
        for position in (1, 2, 3):
            found.call(position, "test.told")
        yield found


@command("test.state_of")
def state_of(context: Context, values: Values) -> Steps:
    """Wait until the third site of the newest query is in ``state``; return what is known of it."""
    from app.core.services import asking

    state, percent = values.text("state", 32), values.any("percent")
    while True:
        view = asking.view_to_plain(asking.list_queries(context.owner.member)[0])
        third = next(each for each in view["sites"] if each["site"] == "Site 3")
        if third["state"] == state and third["percent"] == percent:
            return {"third": third, "query": {**view, "query": b""}}
        yield 3600.0


def ask(sites: Sites, **values: Any) -> str:
    with pytest.raises(Waiting):
        sites.call(1, "query.run", {**ASKED, **values})
    return str(sites.call(1, "query.list")["queries"][0]["id"])


def seen(sites: Sites, state: str, percent: int | None = None) -> dict[str, Any]:
    return sites.call(1, "test.state_of", {"state": state, "percent": percent})["third"]


def test_computing_is_told_in_percent_and_nobody_stands_still(sites: Sites, control: Control) -> None:
    id_ = ask(sites)
    seen(sites, "computing", 0)
    control.tell(0.4)
    third = seen(sites, "computing", 40)
    assert third["since"] > 0
    assert sites.call(3, "owner.status")["site"] == "Site 3", "its owner answers while it computes"
    assert sites.call(1, "query.show", {"id": id_})["awaited"] == {"what": "commit", "sites": ["Site 3"]}
    control.tell(None)
    found = sites.call(1, "query.wait", {"id": id_, "wait": 60})
    assert (found["state"], found["answer"]["count"]) == ("released", 600)
    assert [each["state"] for each in found["sites"]] == ["answered"] * 3
    assert control.attempts == 1


def test_a_person_who_answers_is_seen_to_have_approved(sites: Sites, control: Control) -> None:
    control.undecided = True
    id_ = ask(sites)
    seen(sites, "waiting")
    control.undecided = False
    sites.call(3, "test.begin")  # it looks again
    seen(sites, "computing", 0)
    said = [each["state"] for each in states_said(sites, id_)]
    assert said == ["waiting", "approved", "computing"]
    control.tell(None)
    assert sites.call(1, "query.wait", {"id": id_, "wait": 60})["state"] == "released"


def states_said(sites: Sites, id_: str) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = sites.call(1, "test.words", {"id": id_})["words"]
    return said


@command("test.words")
def words(context: Context, values: Values) -> dict[str, Any]:
    """Return what the third site has said of itself, in order."""
    from app.core.federation import query_messages

    member = context.owner.member
    said = member.mailroom.heard(bytes.fromhex(values.text("id", 64)), query_messages.STATE)
    return {"words": [{"state": state, "percent": percent} for sender, (state, percent) in said if sender == 3]}


def test_a_site_whose_workers_die_has_the_question_and_tries_again(
    sites: Sites, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_words, "WORTH_TELLING", 3600.0)
    control.dying = 1
    control.tell(None)
    id_ = ask(sites)
    assert sites.call(1, "query.wait", {"id": id_, "wait": 60})["state"] == "released"
    assert control.attempts == 2
    assert [each["state"] for each in states_said(sites, id_)] == ["delivered"]


def test_a_cancelled_query_stops_the_computation_and_is_not_waited_for(sites: Sites, control: Control) -> None:
    id_ = ask(sites)
    seen(sites, "computing", 0)
    cancelled = sites.call(1, "query.cancel", {"id": id_})
    assert cancelled["state"] == "cancelled"
    assert {each["site"]: each["state"] for each in cancelled["sites"]}["Site 3"] == "not needed"
    sites.call(3, "test.computing", {"wanted": False})
    control.tell(0.5)  # it notices here, and lets go
    control.tell(None)
    assert ask(sites, wait=0) != id_
    newest = sites.call(1, "query.list")["queries"][0]["id"]
    control.tell(None)
    assert sites.call(1, "query.wait", {"id": newest, "wait": 60})["state"] == "released"


@command("test.computing")
def computing(context: Context, values: Values) -> Steps:
    """Wait until something is computed, or nothing is any more."""
    wanted = values.flag("wanted")
    while context.owner.computing != wanted:
        yield 0.01
    return {}


def test_an_expired_query_says_who_was_late(sites: Sites, control: Control) -> None:
    deadline = sites.call(1, "test.now")["now"] + 1500
    ask(sites, deadline=deadline)
    found = sites.call(1, "test.state_of", {"state": "late", "percent": None})
    assert (found["query"]["state"], found["query"]["code"]) == ("expired", "query.expired")
    control.tell(None)


@command("test.now")
def now(context: Context, values: Values) -> dict[str, Any]:
    """Return the owner's time."""
    return {"now": context.profile.clock.now()}


@pytest.mark.parametrize(
    ("policy", "asked", "code"),
    [
        ({"exact": False}, {}, "policy.own_no_exact"),
        ({"noised": False}, {"epsilon": "1/2"}, "policy.own_no_noised"),
        ({"mode": "never"}, {}, "policy.own_never"),
        ({"others": 2}, {"minimum": 2}, "policy.own_too_few_sites"),
    ],
)
def test_our_own_policy_is_asked_before_anybody_else(
    sites: Sites, policy: dict[str, Any], asked: dict[str, Any], code: str
) -> None:
    sites.call(1, "policy.set", {"mode": None, "exact": None, "noised": None, "others": None, **policy})
    with pytest.raises(UserError) as raised:
        sites.call(1, "query.run", {**ASKED, **asked})
    assert raised.value.code == code
    assert sites.call(1, "query.list") == {"queries": []}
    with pytest.raises(Waiting):  # what does not concern our own patients is not ours to refuse
        sites.call(1, "query.run", {**ASKED, "minimum": 2, **asked, "sites": ["Site 2", "Site 3"]})
