"""How versions of a catalogue follow each other: signatures, chains, and which branch goes on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.errors import ProtocolViolation
from app.core.federation.catalogue_links import LINK_LIMIT, Link, chain_to, check_chain, chosen
from tests.federation_sites import make_roster, root_of

ROOTS = [root_of(position) for position in (1, 2, 3)]
KEYS = [MemberKey.from_root(root) for root in ROOTS]
ROSTER = make_roster(ROOTS, 2)
FIRST = ROSTER.catalogue_hash


def name(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


def link(author: int, previous: bytes, catalogue: bytes, version: int) -> Link:
    return Link(author, previous, catalogue, version, 1_700_000_000_000).signed(ROSTER.federation_id, KEYS[author - 1])


A, B, C, D = (name(word) for word in "abcd")
LOW, HIGH = sorted((A, B))


def test_a_chain_leads_away_from_the_rosters_catalogue() -> None:
    chain = (link(1, FIRST, A, 2), link(3, A, B, 5))
    check_chain(chain, ROSTER)
    check_chain((), ROSTER)
    assert [Link.from_plain(each.to_plain()) for each in chain] == list(chain)
    largest = replace(chain[0], author=64, version=2**31 - 1, time=1 << 52)
    assert len(codec.encode(largest.to_plain())) <= LINK_LIMIT


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        ((link(1, A, B, 3),), "catalogue.broken_chain"),
        ((link(1, FIRST, A, 3), link(2, FIRST, B, 4)), "catalogue.broken_chain"),
        ((link(1, FIRST, A, 3), link(2, A, B, 3)), "catalogue.broken_chain"),
        ((replace(link(1, FIRST, A, 3), version=4),), "catalogue.bad_signature"),
        ((replace(link(1, FIRST, A, 3), catalogue=B),), "catalogue.bad_signature"),
        ((replace(link(1, FIRST, A, 3), time=1),), "catalogue.bad_signature"),
        ((replace(link(1, FIRST, A, 3), author=2),), "catalogue.bad_signature"),
        ((replace(link(1, FIRST, A, 3), author=4),), "catalogue.malformed_link"),
        ((Link(1, FIRST, A, 3, 1).signed(bytes(32), KEYS[0]),), "catalogue.bad_signature"),
    ],
)
def test_what_is_not_signed_by_a_site_or_does_not_follow_is_refused(chain: tuple[Link, ...], code: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        check_chain(chain, ROSTER)
    assert refused.value.code == code


def test_the_lower_hash_goes_on_and_what_was_built_upon_stays() -> None:
    low, high = link(1, FIRST, LOW, 2), link(2, FIRST, HIGH, 2)
    assert chosen(FIRST, (low, high), {FIRST, LOW, HIGH}) == (low,)
    assert chosen(FIRST, (low, high), {FIRST, HIGH}) == (high,), "the other has not come yet"
    later = link(3, HIGH, C, 3)
    assert chosen(FIRST, (low, high, later), {FIRST, LOW, HIGH, C}) == (high, later)
    assert chosen(FIRST, (low, high, later), {FIRST, LOW, C}) == (high, later), "a version in between may be missing"
    assert chosen(FIRST, (), {FIRST}) == ()
    assert chain_to(FIRST, (low, high, later), C) == (high, later)
    assert chain_to(FIRST, (later,), C) == ()


def test_the_same_catalogue_may_follow_two_others() -> None:
    """Who has lost publishes the same file again on top of the other."""
    lost, won, again = link(1, FIRST, D, 5), link(2, FIRST, A, 2), link(1, A, D, 5)
    assert chosen(FIRST, (lost, won, again), {FIRST, A, D}) == (won, again)
    assert chain_to(FIRST, (lost,), D) == (lost,)


_LINKS = st.lists(
    st.builds(
        Link,
        author=st.integers(1, 3),
        previous=st.sampled_from([FIRST, A, B, C, D]),
        catalogue=st.sampled_from([FIRST, A, B, C, D]),
        version=st.integers(1, 5),
        time=st.just(0),
    ),
    max_size=12,
)


@given(_LINKS, st.sets(st.sampled_from([A, B, C, D])), st.randoms())
def test_it_ends_and_depends_on_what_is_known_alone(links: list[Link], here: set[bytes], random: object) -> None:
    """Whatever sites may have signed: circles, the same catalogue under two numbers, links to nowhere."""
    first = chosen(FIRST, links, {FIRST, *here})
    shuffled = list(links)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert [(each.previous, each.catalogue) for each in chosen(FIRST, shuffled, {FIRST, *here})] == [
        (each.previous, each.catalogue) for each in first
    ]
    places = [FIRST, *(each.catalogue for each in first)]
    assert [each.previous for each in first] == places[:-1]
    assert len(set(places)) == len(places)
    assert [each.version for each in first] == sorted({each.version for each in first})
    assert not first or first[-1].catalogue in here
