"""A query's state machine, without any cryptography: who says what when, whatever comes in whatever order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto.identity import SealingKey
from app.core.federation.query_messages import BlobName, Close, Commitment, Masks, Request, SmallestCount
from app.core.federation.query_rounds import (
    AnswerShare,
    AwaitSites,
    CloseSet,
    Combine,
    Contribute,
    GiveUp,
    HideCounts,
    Over,
    QueryHeard,
    QueryStep,
    Refuse,
    RevealContribution,
    RevealMasks,
    next_step,
)
from app.core.query.model import Flag, Query
from app.core.secret import SecretBytes

KEY = SealingKey(SecretBytes(bytes(range(96)))).public


def request(contributors: tuple[int, ...] = (1, 2, 3), quorum: tuple[int, ...] = (1, 2), minimum: int = 1) -> Request:
    return Request(Query(Flag("smoker")), None, contributors, quorum, minimum, KEY, {"smoker": bytes(32)}, "A test")


def hash_of(attempt: int, position: int) -> bytes:
    return hashlib.sha256(bytes([attempt, position])).digest()


def commitment(asked: Request, attempt: int, position: int) -> Commitment:
    return Commitment(asked.hash, hash_of(attempt, position), 40)


def closing(contributors: tuple[int, ...]) -> Close:
    return Close(contributors, tuple(hash_of(1, p) for p in contributors))


def heard(
    me: int, asked: Request | None = None, *, asker: int = 1, until: str = "share", attempt: int = 1, **changed: Any
):
    """What a site has heard when everyone in ``attempt`` has done everything before ``until``."""
    asked = asked or request()
    done = ("commit", "close", "contribution", "share", "released").index(until)
    attempts = range(1, attempt + 1)
    pairs = [(a, p) for a in attempts for p in asked.contributors]
    return replace(
        QueryHeard(
            me=me,
            asker=asker,
            request=asked,
            committed={(a, p): commitment(asked, a, p) for a, p in pairs if a < attempt or done > 0},
            close=closing(asked.contributors) if done > 1 or attempt > 1 else None,
            retries={a: (1, 3) for a in attempts if a > 1},
            contributions={(a, p): BlobName(hash_of(a, p), 100) for a, p in pairs if a < attempt or done > 2},
            shares={(attempt, p): b"share" for p in asked.quorum if done > 3},
        ),
        **changed,
    )


@dataclass
class Talk:
    """Sites that follow the protocol, and what each has heard so far."""

    asked: Request
    asker: int
    sites: int
    declining: frozenset[int] = frozenset()
    books: dict[int, QueryHeard] = field(default_factory=dict)
    travelling: list[tuple[int, str, Any, Any]] = field(default_factory=list)
    closes: int = 0
    end: QueryStep | None = None

    def __post_init__(self) -> None:
        self.books = {p: QueryHeard(p, self.asker, self.asked) for p in range(1, self.sites + 1)}

    def say(self, site: int, name: str, key: Any, value: Any, readers: tuple[int, ...] = ()) -> None:
        self.hear(site, name, key, value)
        everyone = readers or tuple(self.books)
        self.travelling += [(reader, name, key, value) for reader in everyone if reader != site]

    def hear(self, reader: int, name: str, key: Any, value: Any) -> None:
        book = self.books[reader]
        if key is None:
            self.books[reader] = replace(book, **{name: value})
        else:
            self.books[reader] = replace(book, **{name: {**getattr(book, name), key: value}})

    def act(self, site: int) -> QueryStep:
        """Take one step, checking that it may be taken."""
        book = self.books[site]
        step = next_step(book)
        match step:
            case Contribute(attempt):
                assert (attempt, site) not in book.committed
                assert site not in book.declined
                if site in self.declining:
                    self.say(site, "declined", site, "data.no_dataset")
                else:
                    self.say(site, "committed", (attempt, site), commitment(self.asked, attempt, site))
            case CloseSet(contributors):
                assert site == self.asker
                assert book.close is None
                assert set(contributors) == set(self.asked.contributors) - self.declining
                assert len(contributors) >= self.asked.minimum
                self.closes += 1
                self.say(site, "close", None, closing(contributors))
            case RevealContribution(attempt):
                assert book.close is not None
                assert all((attempt, p) in book.committed for p in book.close.contributors)
                readers = tuple(sorted({*book.quorum, self.asker}))
                self.say(site, "contributions", (attempt, site), BlobName(hash_of(attempt, site), 100), readers)
            case AnswerShare(attempt):
                assert site in book.quorum
                assert book.close is not None
                assert all((attempt, p) in book.contributions for p in book.close.contributors)
                self.say(site, "shares", (attempt, site), b"share", (self.asker,))
            case Combine(attempt):
                assert site == self.asker
                assert all((attempt, p) in book.shares for p in book.quorum)
                self.end = step
                self.say(site, "released", None, True)
            case GiveUp(code):
                assert site == self.asker
                self.end = step
                self.say(site, "failed", None, code)
        return step

    def run(self) -> None:
        """Deliver everything in order until nothing moves."""
        while True:
            steps = [self.act(site) for site in self.books]
            travelling, self.travelling = self.travelling, []
            for message in travelling:
                self.hear(*message)
            if not travelling and all(isinstance(step, AwaitSites | Over) for step in steps):
                return


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    sites = draw(st.integers(2, 4))
    everyone = list(range(1, sites + 1))
    some = st.lists(st.sampled_from(everyone), min_size=1, unique=True).map(lambda found: tuple(sorted(found)))
    contributors = draw(some)
    quorum = draw(some.filter(lambda found: len(found) >= 2))
    minimum = draw(st.integers(1, len(contributors)))
    declining = draw(st.frozensets(st.sampled_from(contributors)))
    return Talk(request(contributors, quorum, minimum), draw(st.sampled_from(everyone)), sites, declining)


@given(talks(), st.data())
def test_any_order_of_delivery_comes_to_the_same_end(talk: Talk, data: st.DataObject) -> None:
    sites = len(talk.books)
    for _ in range(data.draw(st.integers(0, 80))):
        choice = data.draw(st.integers(0, sites + len(talk.travelling) - 1))
        if choice < sites:
            talk.act(choice + 1)
        else:
            talk.hear(*talk.travelling.pop(choice - sites))
    if data.draw(st.booleans()) and talk.books[talk.asker].close and not talk.end:
        talk.say(talk.asker, "retries", 2, talk.asked.quorum)
    talk.run()
    enough = len(talk.asked.contributors) - len(talk.declining) >= talk.asked.minimum
    assert isinstance(talk.end, Combine) if enough else talk.end == GiveUp("query.too_few_sites")
    assert talk.closes == enough
    assert all(next_step(book) == Over("" if enough else "query.too_few_sites") for book in talk.books.values())


@given(talks(), st.data())
def test_a_lost_message_opens_nothing(talk: Talk, data: st.DataObject) -> None:
    """Messages of one kind from one site never come: nobody takes a step that needs them."""
    kind = data.draw(st.sampled_from(["committed", "contributions", "shares"]))
    silent = data.draw(st.sampled_from(talk.asked.contributors if kind != "shares" else talk.asked.quorum))
    original = talk.hear

    def hear(reader: int, name: str, key: Any, value: Any) -> None:
        if not (name == kind and key[1] == silent and reader != silent):
            original(reader, name, key, value)

    talk.hear = hear  # type: ignore[method-assign]
    talk.run()
    if talk.end is None:
        waiting = next_step(talk.books[talk.asker])
        assert isinstance(waiting, AwaitSites)
        assert silent == talk.asker or waiting.missing == (silent,)


@pytest.mark.parametrize("me", [1, 2, 3])
def test_the_set_is_closed_by_the_asker_alone_and_once(me: int) -> None:
    before = heard(me, until="close")
    assert next_step(before) == (CloseSet((1, 2, 3)) if me == 1 else AwaitSites("close", (1,)))
    assert next_step(replace(before, close=closing((1, 2, 3)))) == RevealContribution(1)


@pytest.mark.parametrize("me", [1, 2, 3])
def test_the_order_of_steps(me: int) -> None:
    assert next_step(heard(me, until="commit")) == Contribute(1)
    assert next_step(heard(me, until="contribution")) == RevealContribution(1)
    assert next_step(heard(me, until="share")) == (AnswerShare(1) if me in (1, 2) else Over())
    assert next_step(heard(me, until="released")) == (Combine(1) if me == 1 else Over())
    assert next_step(heard(me, until="released", released=True)) == Over()


@pytest.mark.parametrize("me", [1, 2, 3])
@pytest.mark.parametrize("missing", [1, 2, 3])
def test_no_share_before_every_contribution_is_there(me: int, missing: int) -> None:
    full = heard(me)
    contributions = {key: blob for key, blob in full.contributions.items() if key != (1, missing)}
    step = next_step(replace(full, contributions=contributions))
    if me == missing:
        assert step == RevealContribution(1)
    else:
        assert step == (AwaitSites("contribute", (missing,)) if me in (1, 2) else Over())


def test_nothing_is_revealed_before_every_commitment_is_there() -> None:
    closed = heard(2, until="contribution")
    committed = {key: value for key, value in closed.committed.items() if key != (1, 3)}
    assert next_step(replace(closed, committed=committed)) == AwaitSites("commit", (3,))


@pytest.mark.parametrize("me", [2, 3])
@pytest.mark.parametrize(
    ("minimum", "close"),
    [
        (1, Close((1, 2, 3), (hash_of(1, 1), hash_of(1, 2), bytes(32)))),  # other hashes than the signed ones
        (1, Close((1, 2, 3, 4), tuple(hash_of(1, p) for p in (1, 2, 3, 4)))),  # somebody who was not asked
        (3, closing((2, 3))),  # too few
    ],
)
def test_a_close_that_differs_ends_it(me: int, minimum: int, close: Close) -> None:
    asked = request(minimum=minimum)
    assert next_step(heard(me, asked, until="contribution", close=close)) == Refuse(1, "query.close_differs")


@pytest.mark.parametrize("declined", [{}, {3: "data.no_dataset"}])
def test_a_close_with_a_site_that_has_not_committed_is_refused_there(declined: dict[int, str]) -> None:
    book = heard(3, until="contribution", declined=declined)
    committed = {key: value for key, value in book.committed.items() if key != (1, 3)}
    assert next_step(replace(book, committed=committed)) == Refuse(1, "query.close_differs")


@pytest.mark.parametrize("me", [1, 2, 3])
@pytest.mark.parametrize("until", ["close", "contribution", "share"])
def test_a_commitment_to_another_request_ends_it(me: int, until: str) -> None:
    book = heard(me, until=until)
    other = replace(book.committed[1, 3], request=bytes(32))
    book = replace(book, committed={**book.committed, (1, 3): other})
    assert next_step(book) == Refuse(3, "query.request_differs")


@pytest.mark.parametrize("me", [1, 2])
def test_a_contribution_other_than_the_committed_one_ends_it(me: int) -> None:
    book = heard(me)
    book = replace(book, contributions={**book.contributions, (1, 3): BlobName(bytes(32), 100)})
    assert next_step(book) == Refuse(3, "query.commitment_broken")


def test_those_without_a_say_change_nothing() -> None:
    asked = request(contributors=(1, 2))
    book = heard(1, asked, until="close")
    stranger = Commitment(bytes(32), bytes(32), 40)
    book = replace(book, committed={**book.committed, (1, 3): stranger}, contributions={(1, 3): BlobName(bytes(32), 1)})
    assert next_step(book) == CloseSet((1, 2))


def test_a_retry_begins_with_new_commitments() -> None:
    assert next_step(heard(3, until="released", retries={2: (1, 3)})) == Contribute(2)
    second = heard(3, attempt=2, until="contribution")
    assert next_step(second) == RevealContribution(2)
    assert next_step(heard(3, attempt=2)) == AnswerShare(2)
    assert next_step(heard(2, attempt=2)) == Over()


def test_a_retry_before_the_close_or_with_a_gap_waits() -> None:
    assert heard(3, until="close", retries={2: (1, 3)}).attempt == 1
    assert heard(3, until="share", retries={3: (1, 3)}).attempt == 1
    assert heard(3, until="share", retries={2: (1, 3), 3: (2, 3)}).attempt == 3
    assert heard(3, until="share", retries={2: (1, 3), 3: (2, 3)}).quorum == (2, 3)


def test_who_declines_contributing_may_still_be_in_the_quorum() -> None:
    asked = request()
    book = heard(1, asked, until="share", declined={2: "data.no_dataset"}, close=closing((1, 3)))
    book = replace(book, shares={(1, 1): b"share"})
    assert next_step(book) == AwaitSites("open", (2,))
    assert next_step(replace(book, refused={2: "query.wrong_contribution"})) == GiveUp("query.wrong_contribution")


def test_a_refusal_of_a_site_that_is_not_needed_stops_nothing() -> None:
    assert next_step(heard(1, until="released", refused={3: "query.wrong_contribution"})) == Combine(1)


def test_a_refusal_before_the_close_leaves_the_site_out() -> None:
    assert next_step(heard(1, until="close", refused={3: "query.request_differs"})) == CloseSet((1, 2))


def test_the_end_is_the_end() -> None:
    for until in ("commit", "close", "contribution", "share", "released"):
        assert next_step(heard(2, until=until, failed="query.too_few_sites")) == Over("query.too_few_sites")
        assert next_step(heard(2, until=until, released=True)) == Over()


# --- small counts withheld ------------------------------------------------------------------------------------------


def masks(attempt: int, position: int) -> Masks:
    return Masks(BlobName(hash_of(attempt, position), 9), (bytes([attempt, position]),))


def hiding(me: int, committed: tuple[int, ...] = (), revealed: tuple[int, ...] = (), **changed: Any) -> QueryHeard:
    """Site 1 asks, all contribute, sites 2 and 3 of three open: some have committed to masks, and revealed them."""
    asked = replace(request(quorum=(2, 3)), smallest=SmallestCount(11, zeros=False))
    found = heard(me, asked, until="share")
    given = {
        "shares": {},
        "sites": 3,
        "mask_commits": {(1, p): masks(1, p).hash for p in committed},
        "masks": {(1, p): masks(1, p) for p in revealed},
    }
    return replace(found, **{**given, **changed})


def test_the_quorum_commits_reveals_and_then_answers() -> None:
    assert next_step(hiding(2)) == HideCounts(1)
    assert next_step(hiding(2, (2,))) == AwaitSites("open", (3,))
    assert next_step(hiding(3, (2, 3))) == RevealMasks(1)
    assert next_step(hiding(3, (2, 3), (3,))) == AwaitSites("open", (2,))
    assert next_step(hiding(3, (2, 3), (2, 3))) == AnswerShare(1)
    assert next_step(hiding(1)) == AwaitSites("open", (2, 3))
    assert next_step(hiding(1, shares={(1, 2): b"", (1, 3): b""})) == Combine(1)


def test_nothing_is_revealed_before_the_whole_quorum_has_committed() -> None:
    for committed in ((), (2,), (3,)):
        assert not isinstance(next_step(hiding(2, committed)), RevealMasks | AnswerShare)


def test_the_asker_opens_only_where_no_quorum_can_do_without_it() -> None:
    asked = replace(request(quorum=(1, 2)), smallest=SmallestCount(5, zeros=True))
    for me in (1, 2, 3):
        opens = replace(heard(me, asked, until="commit"), sites=3)
        assert next_step(opens) == Refuse(1, "query.asker_opens")
    assert next_step(replace(heard(1, asked, until="share"), shares={}, sites=2)) == HideCounts(1)


def test_masks_that_differ_from_their_commitment_are_refused() -> None:
    differs = hiding(2, (2, 3), mask_commits={(1, 2): masks(1, 2).hash, (1, 3): bytes(32)}, masks={(1, 3): masks(1, 3)})
    assert next_step(differs) == Refuse(3, "query.commitment_broken")
    outside = hiding(2, (2, 3), masks={(1, 1): masks(1, 1), (2, 3): masks(2, 3)}, mask_commits={(1, 1): bytes(32)})
    assert next_step(outside) == HideCounts(1)  # who does not open has no say


def test_a_set_of_the_asker_alone_is_not_closed() -> None:
    asked = replace(request(quorum=(2, 3)), smallest=SmallestCount(11, zeros=False))
    alone = replace(heard(1, asked, until="close"), sites=3, declined={2: "x", 3: "x"})
    assert next_step(alone) == GiveUp("query.too_few_sites")
    closed = replace(heard(2, asked, until="contribution"), sites=3, close=closing((1,)))
    assert next_step(closed) == Refuse(1, "query.close_differs")
