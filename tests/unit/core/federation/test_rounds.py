"""The ceremony's state machine, without any cryptography: what is said when, whatever comes in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.federation import rounds
from app.core.federation.rounds import (
    ROUNDS,
    Abort,
    Await,
    Commit,
    Complete,
    Heard,
    Open,
    Prepare,
    Reveal,
    first_transcript,
    next_step,
    transcript_before,
)

SESSION = b"session" + bytes(25)


@dataclass
class Talk:
    """Sites that follow the protocol, and what each has heard so far."""

    sites: int
    commits: list[dict[tuple[str, int], Commit]] = field(default_factory=list)
    reveals: list[dict[tuple[str, int], Reveal]] = field(default_factory=list)
    drafts: dict[tuple[str, int], Reveal] = field(default_factory=dict)
    travelling: list[tuple[int, str, int, Commit | Reveal]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commits = [{} for _ in range(self.sites)]
        self.reveals = [{} for _ in range(self.sites)]

    def heard(self, site: int) -> Heard:
        return Heard(SESSION, self.sites, site, self.commits[site - 1], self.reveals[site - 1])

    def say(self, site: int, round_: str, what: Commit | Reveal) -> None:
        self.hear(site, round_, site, what)
        self.travelling += [(other, round_, site, what) for other in range(1, self.sites + 1) if other != site]

    def hear(self, reader: int, round_: str, sender: int, what: Commit | Reveal) -> None:
        book = self.commits if isinstance(what, Commit) else self.reveals
        book[reader - 1][round_, sender] = what  # type: ignore[assignment]

    def act(self, site: int) -> rounds.Step:
        """Take one step, checking that it may be taken."""
        heard = self.heard(site)
        step = next_step(heard)
        everyone = range(1, self.sites + 1)
        if isinstance(step, Prepare):
            for earlier in ROUNDS[: ROUNDS.index(step.round)]:
                assert set(heard.payloads(earlier)) == set(everyone)
            assert step.transcript == transcript_before(heard, step.round)
            reveal = Reveal(bytes([site]) * 32, f"{step.round} of {site}".encode())
            self.drafts[step.round, site] = reveal
            commitment = reveal.commitment(SESSION, step.round, site)
            self.say(site, step.round, Commit(step.transcript, commitment))
        elif isinstance(step, Open):
            agreed = {heard.commits[step.round, p].transcript for p in everyone}
            assert agreed == {transcript_before(heard, step.round)}
            self.say(site, step.round, self.drafts[step.round, site])
        return step

    def run(self) -> list[rounds.Step]:
        """Deliver everything in order until nothing moves; return every site's last step."""
        while True:
            moved = False
            for site in range(1, self.sites + 1):
                while isinstance(self.act(site), Prepare | Open):
                    moved = True
            travelling, self.travelling = self.travelling, []
            for message in travelling:
                self.hear(*message)
            if not moved and not travelling:
                return [next_step(self.heard(site)) for site in range(1, self.sites + 1)]


def talk_until(round_: str, sites: int = 3) -> Talk:
    """Everybody has committed to ``round_`` and heard all of it; nobody has revealed."""
    talk = Talk(sites)
    while any((round_, site) not in talk.commits[site - 1] for site in range(1, sites + 1)):
        for site in range(1, sites + 1):
            if not (isinstance(next_step(talk.heard(site)), Open) and (round_, site) in talk.commits[site - 1]):
                talk.act(site)
        travelling, talk.travelling = talk.travelling, []
        for message in travelling:
            talk.hear(*message)
    for message in talk.travelling:
        talk.hear(*message)
    talk.travelling = []
    return talk


@given(st.data(), st.integers(2, 4))
def test_any_order_of_delivery_comes_to_the_same_end(data: st.DataObject, sites: int) -> None:
    talk = Talk(sites)
    for _ in range(data.draw(st.integers(0, 120))):
        choice = data.draw(st.integers(0, sites + len(talk.travelling) - 1))
        if choice < sites:
            assert not isinstance(talk.act(choice + 1), Abort)
        else:
            talk.hear(*talk.travelling.pop(choice - sites))
    ends = talk.run()
    assert all(isinstance(end, Complete) for end in ends)
    assert len({end.transcript for end in ends if isinstance(end, Complete)}) == 1


@given(st.sampled_from(ROUNDS), st.booleans(), st.integers(2, 4), st.data())
def test_what_never_comes_is_waited_for_by_name(round_: str, commit: bool, sites: int, data: st.DataObject) -> None:
    silent = data.draw(st.integers(1, sites))
    talk = Talk(sites)
    while True:
        moved = False
        for site in range(1, sites + 1):
            step = talk.act(site)
            moved |= isinstance(step, Prepare | Open)
        kept = [
            each
            for each in talk.travelling
            if not (each[1] == round_ and each[2] == silent and isinstance(each[3], Commit) == commit)
        ]
        talk.travelling = []
        for message in kept:
            talk.hear(*message)
        if not moved and not kept:
            break
    for site in range(1, sites + 1):
        step = next_step(talk.heard(site))
        if site != silent:
            assert step == Await(round_, (silent,), committed=not commit)
    for book, reader in zip(talk.reveals, range(1, sites + 1), strict=True):
        if commit and reader != silent:  # nobody but the silent site has seen all commitments
            assert (round_, reader) not in book


@pytest.mark.parametrize("round_", ROUNDS)
def test_nothing_is_revealed_while_one_commitment_is_missing(round_: str) -> None:
    talk = talk_until(round_)
    assert next_step(talk.heard(1)) == Open(round_)
    del talk.commits[0][round_, 3]
    assert next_step(talk.heard(1)) == Await(round_, (3,), committed=False)
    talk.reveals[0][round_, 3] = talk.drafts[round_, 3]  # not even if the reveal is there already
    assert next_step(talk.heard(1)) == Await(round_, (3,), committed=False)


@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("site", [2, 3])
def test_a_commitment_upon_another_transcript_ends_it(round_: str, site: int) -> None:
    talk = talk_until(round_)
    commit = talk.commits[0][round_, site]
    talk.commits[0][round_, site] = replace(commit, transcript=bytes(32))
    assert next_step(talk.heard(1)) == Abort(round_, site, "ceremony.transcript_differs")


@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("wrong", ["salt", "payload", "copied"])
def test_a_reveal_that_does_not_open_its_commitment_ends_it(round_: str, wrong: str) -> None:
    talk = talk_until(round_)
    for site in (1, 2, 3):
        talk.say(site, round_, talk.drafts[round_, site])
    for message in talk.travelling:
        talk.hear(*message)
    honest = talk.drafts[round_, 2]
    changed = {
        "salt": replace(honest, salt=bytes(32)),
        "payload": replace(honest, payload=b"another"),
        "copied": talk.drafts[round_, 3],
    }
    talk.reveals[0][round_, 2] = changed[wrong]
    assert next_step(talk.heard(1)) == Abort(round_, 2, "ceremony.commitment_broken")


def test_a_copied_commitment_is_broken_by_its_copier() -> None:
    talk = talk_until(rounds.PUBLIC_KEY)
    talk.commits[0][rounds.PUBLIC_KEY, 3] = talk.commits[0][rounds.PUBLIC_KEY, 2]
    for site in (1, 2, 3):
        talk.reveals[0][rounds.PUBLIC_KEY, site] = talk.drafts[rounds.PUBLIC_KEY, min(site, 2)]
    assert next_step(talk.heard(1)) == Abort(rounds.PUBLIC_KEY, 3, "ceremony.commitment_broken")


@pytest.mark.parametrize("round_", ROUNDS)
def test_who_says_two_things_is_named(round_: str) -> None:
    talk = talk_until(round_)
    heard = replace(talk.heard(1), twice=frozenset({(round_, 3)}))
    assert next_step(heard) == Abort(round_, 3, "ceremony.said_twice")
    later = ROUNDS[ROUNDS.index(round_) + 1 :]
    if later:  # a round that has not come does not count yet
        assert next_step(replace(heard, twice=frozenset({(later[0], 3)}))) == Open(round_)


def test_an_equivocation_shows_in_the_next_round() -> None:
    """Site 3 commits to and reveals one thing to site 1 and another to site 2: neither goes on."""
    talk = talk_until(rounds.RANDOMNESS)
    other = Reveal(bytes(32), b"another number")
    transcript = talk.commits[1][rounds.RANDOMNESS, 3].transcript
    talk.commits[1][rounds.RANDOMNESS, 3] = Commit(transcript, other.commitment(SESSION, rounds.RANDOMNESS, 3))
    for site in (1, 2, 3):
        for reader in (1, 2, 3):
            talk.hear(reader, rounds.RANDOMNESS, site, talk.drafts[rounds.RANDOMNESS, site])
    talk.hear(2, rounds.RANDOMNESS, 3, other)
    for site in (1, 2):
        assert isinstance(talk.act(site), Prepare)
    for message in talk.travelling:
        talk.hear(*message)
    assert next_step(talk.heard(1)) == Abort(rounds.PUBLIC_KEY, 2, "ceremony.transcript_differs")
    assert next_step(talk.heard(2)) == Abort(rounds.PUBLIC_KEY, 1, "ceremony.transcript_differs")


def test_a_commitment_is_of_one_site_round_and_ceremony() -> None:
    reveal = Reveal(bytes(32), b"payload")
    commitments = {
        reveal.commitment(session, round_, position)
        for session in (SESSION, bytes(32))
        for round_ in ROUNDS
        for position in (1, 2)
    }
    assert len(commitments) == 2 * len(ROUNDS) * 2
    assert first_transcript(SESSION) != first_transcript(bytes(32))


def test_the_transcript_covers_every_message() -> None:
    ends = set()
    for changed in [None, *((round_, site) for round_ in ROUNDS for site in (1, 2))]:
        talk = Talk(2)
        original = talk.say

        def say(site: int, round_: str, what: Commit | Reveal, talk: Talk = talk, original=original, changed=changed):
            if (round_, site) == changed:
                reveal = replace(talk.drafts[round_, site], payload=b"changed")
                talk.drafts[round_, site] = reveal
                if isinstance(what, Commit):
                    what = replace(what, commitment=reveal.commitment(SESSION, round_, site))
            original(site, round_, what)

        talk.say = say  # type: ignore[method-assign]
        end = talk.run()[0]
        assert isinstance(end, Complete)
        ends.add(end.transcript)
    assert len(ends) == 1 + 2 * len(ROUNDS)
