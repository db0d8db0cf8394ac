"""Who asks: what a request carries is verified by every site for itself, each rule by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.crypto.identity import SigningKey
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import custodian
from app.core.federation.custodian import Signer
from app.core.federation.people import (
    ASKED,
    MOST_REVOKED,
    RESULTS,
    Asked,
    Delegation,
    Role,
    asked_by,
    claimed,
    endorsed,
    judge,
    kind_of,
    strongest,
)
from app.core.federation.people_messages import read_record
from app.core.federation.query_messages import Authority, Request
from app.core.federation.signed_records import DELEGATION, REVOCATION, Record
from app.core.secret import SecretBytes
from tests.federation_sites import ready_federation
from tests.people import ADA, DAY, REQUEST, Town, asked

NOW = 1_800_000_000_000
NOBODY = SigningKey(SecretBytes(bytes([7]) * 32))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ready_federation(tmp_path) as federation:
        yield Town(federation)


def delegation(role: Role = Role.SITES_EXACT, since: int = NOW, until: int = NOW + DAY) -> Delegation:
    return Delegation(bytes(16), 1, "Ada", ADA.public, role, since, until, bytes(32), NOW)


def verdict(given: Delegation, request: Request = REQUEST, at: int = NOW) -> str:
    """The rule that refuses, or an empty string."""
    try:
        judge(given, asked(b"record", request), "Site 1", revoked=None, at=at)
    except UserError as refused:
        return refused.code
    return ""


def refused(town: Town, request: Request, asker: int = 1, arrived: int | None = None) -> str:
    with pytest.raises(UserError) as caught:
        asked_by(town[2], asker, request, arrived=arrived)
    return caught.value.code


# --- roles ----------------------------------------------------------------------------------------------------------


def test_a_role_allows_everything_weaker_and_nothing_stronger() -> None:
    assert [role.value for role in RESULTS] == ["total-noised", "total-exact", "sites-noised", "sites-exact"]
    for weaker, stronger in pairwise(RESULTS):
        assert stronger.allows(weaker)
        assert not weaker.allows(stronger)
    assert all(role.allows(role) for role in RESULTS)


def test_who_does_not_ask_is_allowed_no_result() -> None:
    others = set(Role) - set(RESULTS)
    assert {role.value for role in others} == {"custodian", "data-manager", "auditor"}
    assert not any(role.allows(wanted) for role, wanted in product(others, Role))
    assert not any(role.allows(wanted) for role, wanted in product(RESULTS, others))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("exact", "per_site"), list(product((False, True), repeat=2)))
def test_every_role_is_held_to_the_kind_of_result(role: Role, exact: bool, per_site: bool) -> None:
    request = replace(
        REQUEST, epsilon=None if exact else Fraction(1, 2), query=replace(REQUEST.query, per_site=per_site)
    )
    wanted = kind_of(exact=exact, per_site=per_site)
    assert verdict(delegation(role), request) == ("" if role.allows(wanted) else "people.role_too_weak")


# --- one delegation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "code"),
    [(NOW - 1, "people.not_yet"), (NOW, ""), (NOW + DAY - 1, ""), (NOW + DAY, "people.expired")],
)
def test_an_endorsement_holds_from_its_first_to_before_its_last_moment(at: int, code: str) -> None:
    assert verdict(delegation(), at=at) == code


def test_a_signature_is_good_for_one_request_alone() -> None:
    signed, unsigned = asked(b"record"), replace(REQUEST, authority=Authority(b"record", b""))
    assert (authority := signed.authority) is not None
    others = (
        replace(signed, epsilon=Fraction(1)),
        replace(signed, purpose="Another"),
        replace(signed, minimum=1),
        replace(signed, authority=Authority(b"record", b"", ADA.sign("another purpose", unsigned.signed_part()))),
        replace(signed, authority=Authority(b"record", b"", NOBODY.sign(ASKED, unsigned.signed_part()))),
        replace(signed, authority=replace(authority, project=bytes(16))),
        replace(signed, authority=replace(authority, delegation=b"a stronger record of the same key")),
        replace(signed, authority=None),
    )
    judge(delegation(), signed, "Site 1", revoked=None, at=NOW)
    for other in others:
        with pytest.raises(UserError, match=r"people\.altered"):
            judge(delegation(), other, "Site 1", revoked=None, at=NOW)


def test_the_strongest_valid_endorsement_is_asked_with(town: Town) -> None:
    town.endorse(1, Role.TOTAL_NOISED)
    town.endorse(1, Role.AUDITOR)
    longer = town.endorse(1, Role.TOTAL_EXACT, until=NOW + 90 * DAY)
    town.endorse(1, Role.SITES_EXACT, since=NOW, until=NOW + DAY)  # from a later day on
    found = strongest(endorsed(town[1], 1), town[1].clock.now())
    assert found is not None
    assert found.id == longer.id
    assert strongest([], NOW) is None


# --- at another site --------------------------------------------------------------------------------------------------


def test_the_site_itself_asks_where_nobody_is_named(town: Town) -> None:
    assert asked_by(town[2], 1, REQUEST) == Asked("", None, None)
    assert claimed(town[2], REQUEST) == ("", "")


def test_an_endorsement_is_good_even_before_it_was_announced(town: Town) -> None:
    record = town.endorse(1)
    assert asked_by(town[2], 1, asked(record)) == Asked("Ada", Role.TOTAL_EXACT, None)
    assert claimed(town[2], asked(record)) == ("Ada", "")


def test_an_endorsement_is_good_for_its_own_site_and_federation_alone(town: Town) -> None:
    record = town.endorse(1)
    assert refused(town, asked(record), asker=3) == "people.foreign"
    elsewhere = replace(record, federation=bytes(32)).signed(_signer(town))
    assert refused(town, asked(elsewhere)) == "people.foreign"
    stranger = replace(record).signed(_Nobody())
    assert refused(town, asked(stranger)) == "people.unknown"


def test_no_byte_of_an_endorsement_can_be_changed(town: Town) -> None:
    data = town.endorse(1).to_cbor()
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert refused(town, asked(changed)) in ("people.altered", "people.foreign"), place


def test_a_stronger_role_cannot_be_written_into_an_endorsement(town: Town) -> None:
    record = town.endorse(1, Role.TOTAL_NOISED)
    stronger = replace(record, content={**record.content, "role": "sites-exact"})
    assert refused(town, asked(stronger)) == "people.altered"
    assert refused(town, asked(record)) == "people.role_too_weak"


def test_what_counts_is_when_the_request_came(town: Town) -> None:
    """It may wait for days until a person answers it."""
    record = town.endorse(1)
    until = int(record.content["until"])
    assert asked_by(town[2], 1, asked(record), arrived=until - 1).person == "Ada"
    assert refused(town, asked(record), arrived=until) == "people.expired"


def test_what_was_revoked_is_refused_whatever_it_says(town: Town) -> None:
    record, other = town.endorse(1), town.endorse(1, Role.TOTAL_NOISED)
    taken = town.issue(1, REVOCATION, {"delegations": [record.id], "reason": "Has left"})
    town.hand(taken, [2])  # before the endorsement itself was heard of
    assert refused(town, asked(record)) == "people.revoked"
    noised = replace(REQUEST, epsilon=Fraction(1))
    assert asked_by(town[2], 1, asked(other, noised)).role is Role.TOTAL_NOISED
    town.hand(record, [2])
    assert [each.state(town[2].clock.now()) for each in endorsed(town[2])] == ["revoked"]


def test_no_site_revokes_for_another(town: Town) -> None:
    record = town.endorse(1)
    taken = town.issue(3, REVOCATION, {"delegations": [record.id], "reason": ""})
    town.hand(taken, [2])
    assert asked_by(town[2], 1, asked(record)).person == "Ada"


# --- what may be written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"person": ""},
        {"person": "A\nda"},
        {"person": "A" * 101},
        {"role": "king"},
        {"key": bytes(32)},
        {"key": bytes(31)},
        {"since": 5, "until": 5},
        {"until": -1},
        {"more": 1},
    ],
)
def test_an_endorsement_that_says_something_else_is_refused(town: Town, changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match=r"people\.malformed_record"):
        town.endorse(1, **changes)


@pytest.mark.parametrize(
    "content",
    [
        {"delegations": [], "reason": ""},
        {"delegations": [bytes(15)], "reason": ""},
        {"delegations": [bytes(16)] * (MOST_REVOKED + 1), "reason": ""},
        {"delegations": [bytes(16)], "reason": "\0"},
        {"delegations": [bytes(16)]},
    ],
)
def test_a_revocation_that_says_something_else_is_refused(town: Town, content: dict[str, object]) -> None:
    with pytest.raises(ProtocolViolation, match=r"people\.malformed_record"):
        town.issue(1, REVOCATION, content)


def test_a_record_of_another_kind_endorses_nobody(town: Town) -> None:
    record = town.issue(1, REVOCATION, {"delegations": [bytes(16)], "reason": ""})
    assert refused(town, asked(record)) == "people.altered"


def test_a_newer_record_says_so(town: Town) -> None:
    plain = codec.decode(town.endorse(1).to_cbor(), 1 << 12)
    with pytest.raises(ProtocolViolation, match=r"people\.newer_record"):
        Record.from_cbor(codec.encode({**plain, "version": 2}))


def test_a_message_carries_records_of_this_federation_alone(town: Town) -> None:
    record = replace(town.endorse(1), federation=bytes(32)).signed(_signer(town))
    with pytest.raises(ProtocolViolation, match=r"people\.malformed_record"):
        read_record({"record": record.to_cbor()}, town[2].roster)
    assert record.kind == DELEGATION


class _Nobody:
    key = NOBODY.public
    sign = staticmethod(NOBODY.sign)


def _signer(town: Town) -> Signer:
    return custodian.member(town[1])
