"""Every parser of what arrives while a federation comes together: what is written is read, anything else is refused."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import joining_messages as messages
from app.core.federation.invitation import Invitation, read_invitation
from app.core.federation.joining_messages import READERS, THIS_PROGRAM, Facts, Introduction, Program, agreed_formats
from app.core.secret import SecretBytes
from app.core.services import site as service
from tests.federation_sites import make_roster
from tests.joining_sites import Gathering

NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=100)
HASHES = st.binary(min_size=32, max_size=32)
KEY = MemberKey.from_root(SecretBytes(bytes(32))).public
ROSTER = make_roster([SecretBytes(bytes([n]) * 32) for n in (1, 2)], 2)
PROGRAMS = st.builds(
    Program,
    st.text(string.ascii_letters + string.digits + ".", min_size=1, max_size=64),
    st.dictionaries(
        st.text(string.ascii_lowercase, min_size=1, max_size=20),
        st.lists(st.integers(1, 65535), max_size=5).map(tuple),
        max_size=8,
    ),
)
TIMES = st.integers(0, 2**53)
WRITTEN: dict[str, st.SearchStrategy[Any]] = {
    messages.INTRODUCTION: st.builds(Introduction, NAMES, NAMES, st.just(KEY), PROGRAMS, HASHES, TIMES, HASHES, HASHES),
    messages.FACTS: st.builds(
        Facts,
        NAMES,
        st.just("standard-1"),
        st.integers(0, 64),
        HASHES,
        HASHES,
        st.integers(1, messages.BLOB_LIMIT),
        HASHES.map(SecretBytes),
        PROGRAMS,
        st.lists(NAMES, max_size=5).map(tuple),
    ),
    messages.CONFIRMED: st.builds(messages.Confirmed, HASHES),
    messages.PROPOSAL: st.builds(messages.Proposal, st.just(ROSTER), st.tuples(PROGRAMS, PROGRAMS)),
    messages.SIGNATURE: st.builds(messages.Signature, st.binary(min_size=64, max_size=64)),
    messages.REFUSAL: st.builds(messages.Refusal, st.sampled_from(sorted(messages.REFUSALS))),
    messages.ROSTER: st.builds(
        messages.SignedBy, st.lists(st.binary(min_size=64, max_size=64), max_size=64).map(tuple)
    ),
}
INVITATIONS = st.builds(
    Invitation,
    st.just("https://relay.example"),
    st.binary(max_size=600),
    HASHES,
    NAMES,
    NAMES,
    NAMES,
    HASHES,
    NAMES,
    HASHES.map(SecretBytes),
    TIMES,
)
PLAIN = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=70) | st.text(max_size=20) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=8),
    max_leaves=20,
)


@given(INVITATIONS)
def test_an_invitation_is_read_as_it_was_written(invitation: Invitation) -> None:
    assert read_invitation(invitation.to_text()) == invitation


@given(INVITATIONS, st.data())
def test_an_invitation_with_any_character_changed_or_lost_is_not_read(invitation: Invitation, data: Any) -> None:
    text = invitation.to_text()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(["", *string.ascii_lowercase, *string.digits]))
    if text[place] == other:
        return
    with pytest.raises(UserError) as caught:
        read_invitation(text[:place] + other + text[place + 1 :])
    assert caught.value.code in {"invitation.missing", "invitation.incomplete", "invitation.mangled"}


@given(st.text())
@example("consilium-invitation:.")
@example("consilium-invitation:\u0130.")
def test_any_text_is_read_or_refused(text: str) -> None:
    for each in (text, f"consilium-invitation:{text}", f"consilium-invitation:{text}."):
        with pytest.raises(UserError):
            read_invitation(each)


@pytest.mark.parametrize("type_", sorted(WRITTEN))
def test_a_message_is_read_as_it_was_written(type_: str) -> None:
    @settings(max_examples=30)
    @given(WRITTEN[type_])
    def read(message: Any) -> None:
        assert READERS[type_](codec.decode(codec.encode(message.to_plain()), 1 << 20)) == message

    read()


@pytest.mark.parametrize("type_", sorted(WRITTEN))
def test_anything_else_is_refused(type_: str) -> None:
    @settings(max_examples=60)
    @given(WRITTEN[type_], st.data(), PLAIN)
    def refuse(message: Any, data: Any, value: Any) -> None:
        plain = codec.decode(codec.encode(message.to_plain()), 1 << 20)
        field = data.draw(st.sampled_from([*plain, "more"]))
        for changed in (value, {**plain, field: value}, {name: each for name, each in plain.items() if name != field}):
            try:
                read = READERS[type_](changed)
            except (ProtocolViolation, EnvironmentProblem):
                continue
            assert codec.encode(read.to_plain()) == codec.encode(changed)

    refuse()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_either_side_are_refused_and_recorded(gathering: Gathering, data: bytes) -> None:
    for name in "AB":
        before = len(gathering.refusals(name))
        with pytest.raises(ProtocolViolation):
            service.receive(gathering[name], data)
        assert len(gathering.refusals(name)) == before + 1


@pytest.fixture
def gathering(tmp_path: Path) -> Any:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        yield g


@given(st.lists(PROGRAMS, min_size=1, max_size=4))
def test_formats_that_somebody_does_not_read_are_not_used(programs: list[Program]) -> None:
    sites = {"A": THIS_PROGRAM} | {f"site {n}": each for n, each in enumerate(programs)}
    needed = [
        set.intersection(*(set(p.formats.get(name, ())) for p in sites.values())) for name in THIS_PROGRAM.formats
    ]
    if not all(needed):
        with pytest.raises(UserError, match=r"joining\.no_common_format"):
            agreed_formats(sites)
        return
    for name, version in agreed_formats(sites).items():
        assert all(version in each.formats[name] for each in sites.values())


def test_the_highest_common_version_is_used() -> None:
    ours = {name: (1, 2, 3) for name in THIS_PROGRAM.formats}
    theirs = {name: (1, 2) for name in THIS_PROGRAM.formats} | {"news": (1,)}
    agreed = agreed_formats({"A": Program("3", ours), "B": Program("2", theirs)})
    assert agreed == dict.fromkeys(THIS_PROGRAM.formats, 2)
