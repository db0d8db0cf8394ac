"""Versions of a policy: signed, chained, taken over from an older program, and refused if anybody else wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import codec
from app.core.crypto.passphrase import Argon2Cost
from app.core.disclosure.policy import Mode, Never, Policy
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import custodian, decisions, policy_versions
from app.core.federation.local_site import LocalSite
from app.core.federation.policy_versions import PolicyVersion
from app.core.secret import SecretBytes
from tests.federation_sites import Federation, ready_federation
from tests.vectors import policies as vectors

PASSPHRASE = SecretBytes(b"correct horse battery staple")
CHEAP = Argon2Cost(memory=8192, passes=1, lanes=1)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ready_federation(tmp_path) as opened:
        yield opened


@pytest.fixture
def site(federation: Federation) -> LocalSite:
    return federation[1].site


def numbers(site: LocalSite) -> list[tuple[int, str]]:
    return [(each.number, each.by) for each in policy_versions.history(site)]


def replaced(site: LocalSite, number: int, record: bytes) -> None:
    with site.profile.database.atomic():
        site.profile.database.write("UPDATE policies SET record = ? WHERE version = ?", (record, number))


def test_each_change_is_a_signed_version_that_names_the_one_before(site: LocalSite) -> None:
    assert policy_versions.current(site) is None
    assert decisions.in_force(site).version == 0
    decisions.set_policy(site, Policy(others=2))
    decisions.set_policy(site, Policy(Mode.ASK))
    first, second = policy_versions.history(site)
    assert numbers(site) == [(1, "site"), (2, "site")]
    assert second.previous == first.hash
    assert first.at < second.at
    assert decisions.in_force(site).policy == Policy(Mode.ASK)
    assert decisions.in_force(site).version == 2


@pytest.mark.parametrize(
    "plain",
    [
        {"version": 1, "mode": "ask", "exact": True, "noised": False, "others": 2},
        {"version": 2, "mode": "ask", "exact": True, "noised": False, "others": 2, "per_site": False},
    ],
)
def test_what_an_older_program_kept_becomes_version_1(site: LocalSite, plain: dict[str, object]) -> None:
    site.profile.settings.put("site policy", codec.encode(plain))
    assert decisions.policy_of(site) == Policy(Mode.ASK, noised=False, others=2, smallest=11)
    assert site.profile.settings.get("site policy") is None
    assert numbers(site) == [(1, "site")]
    [version] = policy_versions.history(site)
    assert version.written == codec.encode(plain)  # signed as it was
    decisions.set_policy(site, Policy(others=2))
    assert numbers(site) == [(1, "site"), (2, "site")]


def test_the_vectors_load_and_are_written_alike() -> None:
    for name, version in zip(("first-version-v1.cbor", "second-version-v1.cbor"), vectors.versions(), strict=True):
        assert PolicyVersion.from_cbor(vectors.read(name)).to_cbor() == version.to_cbor() == vectors.read(name)
    second = PolicyVersion.from_cbor(vectors.read("second-version-v1.cbor"))
    assert (second.number, second.by, second.policy) == (2, "custodian", vectors.POLICY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2), ("federation", b"x"), ("site", 0), ("number", 0), ("previous", b""), ("at", -1),
        ("policy", b"\xa0"), ("by", "nobody"), ("key", bytes(31)), ("signature", bytes(64)), ("more", 1),
    ],
)  # fmt: skip
def test_a_record_that_was_changed_is_refused(field: str, value: object) -> None:
    plain = codec.decode(vectors.read("second-version-v1.cbor"), 1 << 16)
    with pytest.raises(ProtocolViolation):
        PolicyVersion.from_cbor(codec.encode({**plain, field: value}))


def test_what_somebody_else_has_written_is_no_policy(federation: Federation, site: LocalSite) -> None:
    decisions.set_policy(site, Policy(exact=False))
    [own] = policy_versions.history(site)
    stranger = federation[2].site
    decisions.set_policy(stranger, Policy())
    [foreign] = policy_versions.history(stranger)
    by_stranger = PolicyVersion(own.federation, own.site, 1, bytes(32), own.at, Policy()).signed(
        custodian.member(stranger)
    )
    unsigned = PolicyVersion(own.federation, own.site, 1, bytes(32), own.at, Policy(), "site", own.key, own.signature)
    for record in (b"", foreign.to_cbor(), by_stranger.to_cbor(), unsigned.to_cbor(), own.to_cbor()[:-1]):
        replaced(site, 1, record)
        with pytest.raises(EnvironmentProblem, match=r"policy\.altered"):
            decisions.policy_of(site)
    replaced(site, 1, own.to_cbor())
    assert decisions.policy_of(site) == Policy(exact=False)


def test_a_version_that_was_left_out_or_put_in_is_found(site: LocalSite) -> None:
    for others in (1, 2, 1):
        decisions.set_policy(site, Policy(others=others))
    first, second, third = policy_versions.history(site)
    other = PolicyVersion(first.federation, first.site, 2, first.hash, first.at, Policy(Mode.ASK))
    for number, record in (
        (2, first.to_cbor()),
        (2, third.to_cbor()),
        (2, other.signed(custodian.member(site)).to_cbor()),
    ):
        replaced(site, number, record)
        with pytest.raises(EnvironmentProblem, match=r"policy\.altered"):
            policy_versions.history(site)
    replaced(site, 2, second.to_cbor())
    assert len(policy_versions.history(site)) == 3
    with site.profile.database.atomic():
        site.profile.database.write("DELETE FROM policies WHERE version = 1")
    with pytest.raises(EnvironmentProblem, match=r"policy\.altered"):
        policy_versions.history(site)


def test_with_a_custodian_only_its_key_makes_a_version(site: LocalSite) -> None:
    decisions.set_policy(site, Policy(others=2))
    with site.profile.database.atomic():
        custodian.make(site, PASSPHRASE, cost=CHEAP)
    assert decisions.policy_of(site) == Policy(others=2)  # goes on holding
    with pytest.raises(UserError, match=r"policy\.needs_custodian"):
        decisions.set_policy(site, Policy())
    decisions.set_policy(site, Policy(exact=False), custodian.signer(site, PASSPHRASE))
    assert numbers(site) == [(1, "site"), (2, "custodian")]
    last = policy_versions.history(site)[-1]
    slipped_in = PolicyVersion(last.federation, last.site, 3, last.hash, last.at + 1, Policy())
    site.profile.policies.add(3, slipped_in.signed(custodian.member(site)).to_cbor())
    with pytest.raises(EnvironmentProblem, match=r"policy\.altered"):
        policy_versions.history(site)
    with pytest.raises(EnvironmentProblem, match=r"policy\.altered"):
        decisions.policy_of(site)


def test_what_a_custodian_signed_holds_when_the_passphrase_is_lost(site: LocalSite) -> None:
    with site.profile.database.atomic():
        custodian.make(site, PASSPHRASE, cost=CHEAP)
    decisions.set_policy(site, Policy(exact=False), custodian.signer(site, PASSPHRASE))
    with site.profile.database.atomic():
        custodian.make(site, SecretBytes(b"another long passphrase"), lost=True, cost=CHEAP)
    assert decisions.policy_of(site) == Policy(exact=False)
    with pytest.raises(UserError):
        custodian.signer(site, PASSPHRASE)


def test_a_policy_that_names_too_much_is_refused(site: LocalSite) -> None:
    long = Policy(never=tuple(Never(f"{number:0200}", "x" * 200) for number in range(100)))
    with pytest.raises(UserError, match=r"policy\.too_large"):
        decisions.set_policy(site, long)
    assert policy_versions.current(site) is None
