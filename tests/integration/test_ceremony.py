"""Whole ceremonies: sites with real profiles come to the same keys, the same transcript and the same public file."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from app.core import codec
from app.core.crypto import keygen
from app.core.crypto.identity import MemberKey
from app.core.crypto.parameters import EXTRACTION_PRIMES
from app.core.crypto.ring import Array
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import ceremony as ceremonies
from app.core.federation import rounds
from app.core.federation.public_file import PublicFederation, load_public_file, save_public_file, sign_statement
from app.core.federation.roster import Roster
from app.core.secret import SecretBytes
from tests.federation_sites import OTHER_CATALOGUE, Federation, make_roster, ready_federation, root_of

SIXTEEN_SECONDS = 120.0
"""Far above what sixteen sites need in one process (25 s on two cores): a check against a change of order."""


def check_ready(federation: Federation) -> PublicFederation:
    """All sites are ready, agree on everything, and keep nothing they do not need."""
    results = []
    for node in federation.nodes.values():
        status = node.ceremony.advance()
        assert (status.state, status.waiting_for, status.code) == (ceremonies.READY, (), "")
        results.append(node.ceremony.result())
        assert node.refusals == []
        assert list(node.profile.blobs.names()) == []
        assert node.profile.sealed_secrets.names() == ("dealt share",)
        dealt = node.site.dealt_share()
        assert set(dealt.pads) == set(federation.positions) - {node.position}
    assert len({result.to_bytes() for result in results}) == 1
    for i, j in combinations(federation.positions, 2):  # each pair shares a pad key of its own
        assert federation[i].site.dealt_share().pads[j] == federation[j].site.dealt_share().pads[i]
    pads = [key.reveal() for node in federation.nodes.values() for key in node.site.dealt_share().pads.values()]
    assert len(set(pads)) == len(pads) // 2
    return results[0]


@pytest.mark.parametrize(("sites", "quorum"), [(n, q) for n in (2, 3, 5) for q in range(2, n + 1)])
def test_every_size_of_quorum(tmp_path: Path, sites: int, quorum: int) -> None:
    with Federation(tmp_path, sites, quorum) as federation:
        federation.settle()
        public = check_ready(federation)
        assert (public.quorum, len(public.sites)) == (quorum, sites)
        for chosen in list(combinations(federation.positions, quorum))[:: 3 if sites == 5 else 1]:
            session = federation.ask(sites, quorum=chosen)
            federation.settle()
            result = federation[sites].desk.result(session)
            assert result is not None
            assert result.numbers == (100 * sum(federation.positions),)


def test_a_ceremony_from_before_makes_no_keys_to_extract_columns(tmp_path: Path) -> None:
    """Its roster is of version 1, as are its public file and its shares; datasets give every column its ciphertexts."""
    with Federation(tmp_path, 3, 2, extraction=0) as federation:
        federation.settle()
        public = check_ready(federation)
        assert (public.extraction, public.roster.to_plain()["version"]) == (0, 1)
        assert codec.decode(public.to_bytes(), 1 << 24)["version"] == 1
        names = {path.name for path in federation[1].site.key_directory.iterdir()}
        assert not any(name.startswith("extraction") for name in names)


def test_a_wrong_key_that_extracts_columns_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last component of the last automorphism: only products with eight primes would meet it."""
    original = keygen.RotationProtocol.generate_share

    def wrong(self: keygen.RotationProtocol, share: keygen.KeyShare, randomness: bytes) -> Array:
        rows = original(self, share, randomness)
        if len(self.primes) == EXTRACTION_PRIMES + 1:
            rows[-1, 0, 0] = (rows[-1, 0, 0] + 1) % self.primes[0]
        return rows

    monkeypatch.setattr(keygen.RotationProtocol, "generate_share", wrong)
    with Federation(tmp_path, 2, 2) as federation:
        federation.settle()
        status = federation[1].ceremony.advance()
        assert (status.state, status.code) == (ceremonies.FAILED, "ceremony.check_failed")


def test_sixteen_sites(tmp_path: Path) -> None:
    began = time.monotonic()
    with Federation(tmp_path, 16, 8) as federation:
        federation.settle()
        assert time.monotonic() - began < SIXTEEN_SECONDS
        check_ready(federation)
        session = federation.ask(9, quorum=(1, 3, 5, 7, 8, 11, 14, 16), contributors=(2, 9, 16))
        federation.settle()
        result = federation[9].desk.result(session)
        assert result is not None
        assert result.numbers == (2700,)


def test_sites_that_come_late_are_waited_for(tmp_path: Path) -> None:
    with Federation(tmp_path, 3, 2) as federation:
        federation.stop(2)
        federation.settle()
        status = federation[1].ceremony.advance()
        assert (status.state, status.round, status.waiting_for) == ("running", rounds.RANDOMNESS, ("Site 2",))
        federation.stop(3)
        federation.start(2)
        federation.settle()
        federation.start(3)
        federation.settle()
        check_ready(federation)


def test_messages_that_come_twice_or_in_another_order_change_nothing(tmp_path: Path) -> None:
    with Federation(tmp_path, 3, 3) as federation:
        held: list[tuple[int, bytes]] = []

        def alter(position: int, data: bytes) -> list[tuple[int, bytes]]:
            held.append((position, data))
            return [(position, data)] * 2 if len(held) % 3 else [(position, data), *reversed(held[-5:])]

        federation.post.alter = alter
        federation.settle()
        check_ready(federation)


class AlteringPost:
    """A relay that gives out other bytes than were asked for."""

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        raise AssertionError("only fetches")

    def fetch(self, name: bytes, limit: int) -> list[bytes]:
        return [b"other bytes"]


def test_a_blob_that_cannot_be_fetched_is_waited_for_and_named(tmp_path: Path) -> None:
    with Federation(tmp_path, 2, 2) as federation:
        federation[1].ceremony._parts._post = AlteringPost()
        federation.settle()
        status = federation[1].ceremony.advance()
        assert (status.state, status.round) == ("running", rounds.RELINEARIZATION_2)
        assert (status.waiting_for, status.code) == (("Site 2",), "post.blob_altered")
        assert {code for code, _ in federation[1].refusals} == {"blob.altered"}
        federation[1].ceremony._parts._post = federation.post
        federation.settle()
        assert {node.ceremony.advance().state for node in federation.nodes.values()} == {ceremonies.READY}


def test_another_ceremony_has_other_shares(tmp_path: Path) -> None:
    """A new roster of the same sites: nothing of the first ceremony is used again."""
    with ready_federation(tmp_path) as federation:
        first = check_ready(federation)
        salts = {node.ceremony._stored()["salt"] for node in federation.nodes.values()}
        shares = [node.site.dealt_share().value for node in federation.nodes.values()]
        for position in federation.positions:
            federation.stop(position)
        federation.roster = make_roster(federation.roots, 3, nonce=bytes([1]) * 32, previous=first.roster.hash)
        for position in federation.positions:
            federation.start(position)
        federation.settle()
        second = check_ready(federation)
        assert second.roster.previous == first.roster.hash
        assert second.public_key != first.public_key
        assert salts.isdisjoint(node.ceremony._stored()["salt"] for node in federation.nodes.values())
        assert all(node.site.dealt_share().value not in shares for node in federation.nodes.values())


# --- the public file ----------------------------------------------------------------------------------------------


@pytest.fixture
def public(tmp_path: Path) -> PublicFederation:
    with ready_federation(tmp_path) as federation:
        return federation[1].ceremony.result()


def keys() -> list[MemberKey]:
    return [MemberKey.from_root(root_of(position)) for position in (1, 2, 3)]


def refused(federation: PublicFederation) -> str:
    with pytest.raises(ProtocolViolation) as raised:
        PublicFederation.from_bytes(federation.to_bytes())
    return raised.value.code


def test_the_public_file_comes_back_as_it_was(public: PublicFederation, tmp_path: Path) -> None:
    path = tmp_path / "lung.federation"
    save_public_file(public, path)
    assert load_public_file(path) == public
    assert path.read_bytes() == public.to_bytes()


def test_an_altered_public_file_is_refused(public: PublicFederation) -> None:
    roster, other = public.roster, make_roster([SecretBytes(bytes([i]) * 32) for i in (1, 2, 3)], 2)
    swapped = bytearray(public.public_key)
    swapped[40] ^= 1
    assert refused(replace(public, public_key=bytes(swapped))) == "federation.bad_signature"
    assert refused(replace(public, transcript=bytes(32))) == "federation.bad_signature"
    assert refused(replace(public, catalogue=OTHER_CATALOGUE)) == "federation.foreign_catalogue"
    assert refused(replace(public, signatures=public.signatures[:2])) == "federation.malformed"
    assert refused(replace(public, signatures=public.signatures[:2] + (bytes(64),))) == "federation.bad_signature"
    reordered = (public.signatures[1], public.signatures[0], public.signatures[2])
    assert refused(replace(public, signatures=reordered)) == "federation.bad_signature"
    assert refused(replace(public, roster=other)) == "federation.bad_signature"
    assert refused(replace(public, roster=replace(roster, quorum=3))) == "federation.bad_signature"
    assert refused(replace(public, roster=replace(roster, name="Others"))) == "federation.bad_signature"
    assert refused(replace(public, roster=replace(roster, nonce=bytes([9]) * 32))) == "federation.bad_signature"
    assert refused(replace(public, roster=replace(roster, sites=roster.sites[::-1]))) == "federation.bad_signature"
    assert refused(replace(public, public_key=public.public_key[:-6])) == "format.wrong_size"
    assert refused(replace(public, public_key=b"no key" + public.public_key[6:])) == "format.wrong_header"


def test_the_one_whose_signature_is_missing_is_named(public: PublicFederation) -> None:
    broken = replace(public, signatures=(public.signatures[0], bytes(64), public.signatures[2]))
    with pytest.raises(ProtocolViolation) as raised:
        broken.verify()
    assert raised.value.params == {"site": "Site 2"}


def test_one_site_alone_cannot_swap_the_key(public: PublicFederation) -> None:
    own = bytearray(public.public_key)
    own[100] ^= 1
    signed = sign_statement(keys()[0], public.roster, bytes(own), public.transcript)
    swapped = replace(public, public_key=bytes(own), signatures=(signed, *public.signatures[1:]))
    assert refused(swapped) == "federation.bad_signature"


def test_every_field_and_every_cut_of_the_file_counts(public: PublicFederation, tmp_path: Path) -> None:
    whole = codec.decode(public.to_bytes(), 1 << 25)
    for field in whole:
        lacking = {name: value for name, value in whole.items() if name != field}
        for changed in (lacking, whole | {field: 7}, whole | {"more": 1}, whole | {field: None}):
            with pytest.raises(ProtocolViolation):
                PublicFederation.from_bytes(codec.encode(changed))
    data = public.to_bytes()
    path = tmp_path / "cut.federation"
    for cut in (b"", data[:1], data[:1000], data[:-1], data + b"\0", b"not at all " + data):
        path.write_bytes(cut)
        with pytest.raises(ProtocolViolation) as raised:
            load_public_file(path)
        assert raised.value.code == "federation.file_refused"
        assert raised.value.params["file"] == "cut.federation"


def test_every_field_of_the_roster_counts(public: PublicFederation) -> None:
    plain = public.roster.to_plain()
    for field in plain:
        lacking = {name: value for name, value in plain.items() if name != field}
        for changed in (lacking, plain | {field: None}, plain | {field: [b"x"]}, plain | {"more": 1}):
            with pytest.raises(ProtocolViolation):
                Roster.from_plain(changed)
    for changed in (
        plain | {"quorum": 1},
        plain | {"quorum": 4},
        plain | {"sites": plain["sites"][:1]},
        plain | {"sites": [plain["sites"][0]] * 3},
        plain | {"parameters": "standard-0"},
        plain | {"previous": bytes(31)},
        plain | {"version": 1},
        plain | {"version": 3},
        plain | {"extraction": 0},
        plain | {"extraction": 9},
        plain | {"name": ""},
        plain | {"name": "two\nlines"},
    ):
        with pytest.raises(ProtocolViolation):
            Roster.from_plain(changed)


def test_a_roster_needs_every_signature() -> None:
    roots = [SecretBytes(bytes([i]) * 32) for i in (1, 2, 3)]
    roster = make_roster(roots, 2)
    signatures = {i: roster.sign(MemberKey.from_root(root)) for i, root in enumerate(roots, start=1)}
    roster.check(signatures)
    for wrong in ({1: signatures[1], 2: signatures[2]}, signatures | {3: signatures[1]}, {}):
        with pytest.raises(ProtocolViolation) as raised:
            roster.check(wrong)
        assert raised.value.code == "roster.bad_signature"
    with pytest.raises(ProtocolViolation):
        replace(roster, quorum=3).check(signatures)
    assert roster.site_named("Site 2").position == 2
    with pytest.raises(UserError, match="unknown_site"):
        roster.site_named("Site 9")
