"""Everything wrong on the way to a real relay: messages lost, late, twice, out of order, cut and altered, both ways.

Joining, ceremony and query come to the right end; nothing is done or said twice; what was altered is refused and
recorded, and nothing else is.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import SystemClock
from app.core.crypto.identity import MemberKey
from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation
from app.core.federation import envelope as envelopes
from app.core.secret import SecretBytes
from app.core.services import joining_mail
from app.core.services import member as members
from app.core.services import site as service
from app.core.services.commands import Waiting
from app.core.services.membership import creator_desk, membership
from app.core.services.profile import OpenProfile
from app.core.services.talking import at_once
from app.core.store.peek import peek
from tests.agent_sites import opened
from tests.crash import leftovers
from tests.faults.hospitals import said_once
from tests.federation_sites import CATALOGUE, PARAMETERS, Inline, KnownNumber
from tests.joining_sites import open_site
from tests.middle import ALTERING, ANSWERS, ENVELOPES, REQUESTS, Middle
from tests.relay_server import RelayServer, relay
from tests.relay_sites import RelaySites, quick_post

__all__ = ["relay"]
EVERYTHING = (*REQUESTS, *ANSWERS, *ENVELOPES)
NOT_ALTERING = tuple(kind for kind in EVERYTHING if kind not in ALTERING)
GROUPS = {"whole": NOT_ALTERING, "altered": ALTERING, "everything": EVERYTHING}
ASKED = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 0, "deadline": 0, "purpose": "A test", "wait": 120}


@pytest.fixture
def between(relay: RelayServer) -> Iterator[Callable[..., Middle]]:
    made: list[Middle] = []

    def put(kinds: tuple[str, ...], rate: float, seed: int) -> Middle:
        made.append(Middle(relay, kinds, rate, seed))
        return made[-1]

    yield put
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def known_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every site answers 100 times its position."""
    monkeypatch.setattr(
        members, "DatasetContributor", lambda site, _mailroom: KnownNumber(100 * site.position, keys=site.key_directory)
    )


# --- ceremony and query ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", GROUPS)
def test_a_ceremony_and_a_query_come_to_their_end(
    tmp_path: Path, relay: RelayServer, between: Callable[..., Middle], group: str
) -> None:
    middle = between(GROUPS[group], 0.05, 7)
    sites = RelaySites(tmp_path / "sites", relay, middle.address)
    with sites.running(1, 2, 3):
        assert [sites.call(position, "test.ready")["state"] for position in (1, 2, 3)] == ["ready"] * 3
        assert asked(sites, 1)["answer"]["count"] == 600
        wait_until(lambda: all(set(queries(sites, position).values()) == {"done"} for position in (1, 2, 3)))
    assert {kind for kind, times in middle.done.items() if times} >= set(GROUPS[group]) - {"reorder request"}
    judge(sites, altered=group != "whole")


def asked(sites: RelaySites, asker: int) -> dict[str, Any]:
    """Ask, and wait for the answer, also when the relay could not be reached at first."""
    try:
        return sites.call(asker, "query.run", ASKED)
    except Waiting:
        newest = sites.call(asker, "query.list")["queries"][0]["id"]
    while True:
        with suppress(Waiting):
            return sites.call(asker, "query.wait", {"id": newest[:12], "wait": 60})


def queries(sites: RelaySites, position: int) -> dict[bytes, str]:
    return peek(sites.directories[position - 1], kind="query").sessions


def wait_until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    never = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if done():
            return
        never.wait(0.05)
    raise AssertionError("it never came to that")


def judge(sites: RelaySites, *, altered: bool) -> None:
    """One share a site, everything said once, nothing left over, and only what was altered refused."""
    refused: Counter[str] = Counter()
    [query] = queries(sites, 1)
    for position, directory in enumerate(sites.directories, start=1):
        with opened(directory) as profile:
            shares = profile.store.shares.of_session(query)
            assert [each.attempt for each in shares] == [1]
            assert profile.store.sealed_secrets.names() == ("dealt share",)
            assert leftovers(directory) == []
            member = members.Member(profile, Inline(), quick_post(*nowhere(profile)))
            said_once(member, query)
            if position == 1:
                result = member.desk.result(query)
                assert result is not None
                assert result.numbers == (600,)
            refused += Counter(each.code for each in profile.store.refusals.all())
    if altered:
        assert refused.keys() <= BY_ALTERING, refused
        assert refused
    else:
        assert not refused


BY_ALTERING = {
    "envelope.malformed", "envelope.unknown_version", "envelope.unknown_type", "envelope.foreign_federation",
    "envelope.stranger", "envelope.bad_signature", "envelope.not_for_us", "mail.id_used_twice", "blob.altered",
}  # fmt: skip
"""What altered bytes are refused as; a blob's are found out by its name."""


def nowhere(profile: OpenProfile) -> Any:
    from app.core.federation.trust import RelayAddress  # noqa: PLC0415

    return RelayAddress("https://nowhere.invalid"), bytes(32), profile.member_key


# --- a relay that alters for good -----------------------------------------------------------------------------------


def test_what_a_relay_alters_for_good_is_refused_and_shown(
    tmp_path: Path, relay: RelayServer, monkeypatch: pytest.MonkeyPatch, between: Callable[..., Middle]
) -> None:
    """Each message is asked for three times; nothing comes of it, and the ceremony waits for who was not heard."""
    middle = between((), 0.0, 1)

    def shuffled(_middle: Middle, waiting: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        return [(cursor, flipped(data, len(data) // 2)) for cursor, data in waiting]

    monkeypatch.setattr(Middle, "shuffled", shuffled)
    sites = RelaySites(tmp_path / "sites", relay, middle.address)
    with sites.running(1, 2, 3):
        wait_until(lambda: all(len(refused(directory)) == 2 for directory in sites.directories))
        shown = sites.call(1, "federation.status")
        assert {each["code"] for each in shown["refusals"]} == {"envelope.bad_signature"}
        for directory in sites.directories:
            assert set(refused(directory)) == {"envelope.bad_signature"}
            assert set(peek(directory, kind="ceremony").sessions.values()) == {"running"}


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def refused(directory: Path) -> list[str]:
    with sqlite3.connect(f"{(directory / 'site.db').as_uri()}?mode=ro", uri=True) as database:
        return [code for (code,) in database.execute("SELECT code FROM refusals")]


# --- two federations ------------------------------------------------------------------------------------------------


class OtherSites(RelaySites):
    """Sites of another federation."""

    federation = bytes([8]) * 32


@dataclass
class Mixer:
    """A relay that gives members what is not for them: another federation's messages, forged ones, too large ones."""

    times: int = 9
    known: dict[bytes, bytes] = field(default_factory=dict)

    def __call__(self, waiting: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        if not waiting:
            return waiting
        first, data = waiting[0]
        message = envelopes.claimed(data)
        self.known[message.federation] = data
        foreign = [each for federation, each in self.known.items() if federation != message.federation]
        if not foreign or not self.times:
            return waiting
        self.times -= 1
        stranger = MemberKey.from_root(SecretBytes(bytes([9]) * 32))
        forged = envelopes.sign(replace(message, id=os.urandom(16)), stranger)
        added = (foreign[0], forged, bytes(envelopes.DEFAULT_LIMIT + 1))[self.times % 3]
        return [(first - 1, added), *waiting]


def test_two_federations_on_one_relay_do_not_disturb_each_other(
    tmp_path: Path, relay: RelayServer, monkeypatch: pytest.MonkeyPatch, between: Callable[..., Middle]
) -> None:
    """Not even when it mixes them up. What is refused is recorded, and shown."""
    mixer = Mixer()
    monkeypatch.setattr(Middle, "shuffled", mixer)
    middle = between((), 0.0, 1)
    one = RelaySites(tmp_path / "one", relay, middle.address)
    other = OtherSites(tmp_path / "other", relay, middle.address)
    with one.running(1, 2, 3), other.running(1, 2, 3):
        for sites in (one, other):
            assert [sites.call(position, "test.ready")["state"] for position in (1, 2, 3)] == ["ready"] * 3
        assert asked(other, 2)["answer"]["count"] == 600
        shown = {
            each["code"]
            for sites in (one, other)
            for position in (1, 2, 3)
            for each in sites.call(position, "federation.status")["refusals"]
        }
    assert mixer.times == 0
    assert shown == {"envelope.foreign_federation", "envelope.bad_signature", "envelope.too_large"}
    assert [queries(one, position) for position in (1, 2, 3)] == [{}, {}, {}]
    assert len(queries(other, 1)) == len(queries(other, 3)) == 1


# --- joining --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["whole", "everything"])
def test_joining_comes_to_its_end(
    tmp_path: Path, relay: RelayServer, between: Callable[..., Middle], group: str
) -> None:
    middle = between(GROUPS[group], 0.05, 3)
    clock: Any = SystemClock()
    names = ("A", "B", "C")
    sites = {name: open_site(tmp_path / name, name, clock) for name in names}
    posts: dict[str, Any] = {}

    def connect(name: str) -> service.Connect:
        def made(address: Any, federation: bytes) -> Any:
            found = posts[name] = posts.get(name) or quick_post(address, federation, sites[name].member_key)
            return found

        return made

    def again(call: Callable[[], Any]) -> Any:
        for _ in range(60):
            with suppress(EnvironmentProblem, PeerProblem, ProtocolViolation):
                return call()
        return call()

    code = relay.code()

    def create() -> object:
        return at_once(
            service.create_federation(
                sites["A"], connect("A"), address=middle.address, code=code, name="Lung", catalogue=CATALOGUE,
                parameters=PARAMETERS,
            )
        )  # fmt: skip

    again(create)
    for name in names[1:]:
        profile, line = sites[name], connect(name)
        text = again(lambda name=name: at_once(service.invite(sites["A"], posts["A"], name))).to_text()
        met = again(lambda profile=profile, line=line, text=text: at_once(service.join(profile, line, text)))
        words = " ".join(met.words)
        wait_until(lambda name=name: joined(sites, posts, name))
        service.confirm(sites["A"], name, words)
        service.confirm(sites[name], "A", words)
    wait_until(lambda: everybody(sites, posts) and started(sites["A"]))
    wait_until(lambda: everybody(sites, posts) and all(each.roster is not None for each in sites.values()))
    hashes = {each.roster.hash for each in sites.values() if each.roster is not None}
    assert len(hashes) == 1
    for each in sites.values():
        codes_ = {refusal.code for refusal in each.store.refusals.all()}
        assert codes_ <= (BY_ALTERING | {"envelope.body_damaged"} if group == "everything" else set())
        each.close()
    for post in posts.values():
        post.close()


def joined(sites: dict[str, OpenProfile], posts: dict[str, Any], name: str) -> bool:
    everybody(sites, posts)
    return any(each.session.state == "joined" for each in creator_desk(sites["A"]).sites() if each.site == name)


def started(creator: OpenProfile) -> bool:
    try:
        service.start(creator)
    except ConsiliumError as error:
        return error.code == "joining.started"
    return True


def everybody(sites: dict[str, OpenProfile], posts: dict[str, Any]) -> bool:
    """Let every site that has a line read and say what there is."""
    for name, post in posts.items():
        if membership(sites[name]) is not None:
            with suppress(EnvironmentProblem, PeerProblem, ProtocolViolation):
                at_once(joining_mail.catch_up(sites[name], post))
    return True
