"""Whose word counts for a site: its first custodian, one that follows, and one whose passphrase was lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.crypto.identity import VerifyingKey
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import custodian, people_messages
from app.core.federation.custodian import NewKey
from app.core.federation.people import Role, asked_by, endorsed
from app.core.federation.signed_records import CUSTODIAN, REVOCATION
from app.core.secret import SecretBytes
from tests.federation_sites import ready_federation
from tests.people import OTHER, PASSPHRASE, Town, asked


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ready_federation(tmp_path) as federation:
        yield Town(federation)


def refused(town: Town, record: object, position: int = 2) -> str:
    with pytest.raises(UserError) as caught:
        asked_by(town[position], 1, asked(record))  # type: ignore[arg-type]
    return caught.value.code


def test_without_a_custodian_the_member_key_signs(town: Town) -> None:
    assert not custodian.exists(town[1])
    signed = custodian.sign(town[1], None, "a purpose", b"a message")
    assert (signed.by, signed.key) == ("site", town[1].key.public.verify)
    town[2].roster.sites[0].key.check("a purpose", b"a message", signed.signature)


def test_a_custodian_signs_with_the_passphrase_and_nothing_else(town: Town) -> None:
    record = town.custodian(1, PASSPHRASE)
    with pytest.raises(UserError, match=r"custodian\.passphrase_needed"):
        custodian.sign(town[1], None, "a purpose", b"a message")
    with pytest.raises(UserError, match=r"passphrase\.wrong"):
        custodian.sign(town[1], OTHER, "a purpose", b"a message")
    signed = custodian.sign(town[1], PASSPHRASE, "a purpose", b"a message")
    assert (signed.by, signed.key) == ("custodian", NewKey.of(record).key)
    VerifyingKey(signed.key).check("a purpose", b"a message", signed.signature)
    with pytest.raises(ProtocolViolation):
        VerifyingKey(signed.key).check("another purpose", b"a message", signed.signature)


def test_a_short_passphrase_protects_nothing(town: Town) -> None:
    with pytest.raises(UserError, match=r"passphrase\.too_short"):
        town.custodian(1, SecretBytes(b"short"))
    assert not custodian.exists(town[1])


def test_the_private_half_lies_nowhere_in_the_clear(town: Town) -> None:
    """Neither the sealed secret nor, opened with the site root, the locked one holds what the passphrase gives."""
    town.custodian(1, PASSPHRASE)
    locked = town[1].secret("custodian key")
    assert locked is not None
    private = custodian.unlock("custodian", locked, PASSPHRASE, 1 << 12)
    sealed = town[1].profile.sealed_secrets.get("custodian key")
    assert sealed is not None
    assert len(private) == 32
    assert private not in locked
    assert private not in sealed


def test_the_first_key_and_one_signed_by_it_count_everywhere_at_once(town: Town) -> None:
    early = town.endorse(1)
    first = town.custodian(1, PASSPHRASE)
    second = town.custodian(1, OTHER, old=PASSPHRASE)
    assert town.hand(early, [2]) + town.hand(first, [2]) + town.hand(second, [2]) == []
    keys = custodian.keys_of(town[2], 1)
    assert (keys.current, keys.custodian) == (NewKey.of(second).key, True)
    assert keys.earlier == {town[1].key.public.verify, NewKey.of(first).key}
    assert asked_by(town[2], 1, asked(early)).person == "Ada"  # heard of in time: it goes on counting


def test_what_an_earlier_key_signs_too_late_counts_nowhere(town: Town) -> None:
    """Whoever still has the key from before can announce nothing with it, nor ask with what was never announced."""
    first = town.custodian(1, PASSPHRASE)
    by = custodian.signer(town[1], PASSPHRASE)
    second = town.custodian(1, OTHER, old=PASSPHRASE)
    town.hand(first, [2])
    town.hand(second, [2])
    for signer in (by, custodian.member(town[1])):
        late = town.endorse(1, by=signer)
        assert refused(town, late) == "people.unknown"
        assert town.hand(late, [2]) == ["people.not_the_custodian"]
        assert refused(town, late) == "people.unknown"
    assert endorsed(town[2]) == []


def test_a_key_that_replaces_a_lost_one_waits_until_a_person_accepts_it(town: Town) -> None:
    first = town.custodian(1, PASSPHRASE)
    before = town.endorse(1, by=custodian.signer(town[1], PASSPHRASE))
    second = town.custodian(1, OTHER, lost=True)
    after = town.endorse(1, role=Role.SITES_EXACT, by=custodian.signer(town[1], OTHER))
    assert [town.hand(each, [2]) for each in (first, before, second, after)] == [[], [], [], []]

    assert custodian.keys_of(town[2], 1).current == NewKey.of(first).key
    assert [NewKey.of(each).number for each in custodian.waiting(town[2], 1)] == [2]
    assert asked_by(town[2], 1, asked(before)).role is Role.TOTAL_EXACT
    assert refused(town, after) == "people.unknown"
    with town[2].profile.database.atomic():
        people_messages.accept(town[2], 1, NewKey.of(second).key)
    assert asked_by(town[2], 1, asked(after)).role is Role.SITES_EXACT
    assert refused(town, before) == "people.unknown", "nobody can say who has the lost key"
    assert custodian.waiting(town[2], 1) == ()
    with pytest.raises(UserError, match=r"custodian\.not_waiting"):
        people_messages.accept(town[2], 1, NewKey.of(second).key)


def test_what_follows_a_key_that_was_accepted_is_accepted_with_it(town: Town) -> None:
    records = [
        town.custodian(1, PASSPHRASE),
        town.custodian(1, OTHER, lost=True),
        town.custodian(1, PASSPHRASE, old=OTHER),
    ]
    records.append(town.endorse(1, by=custodian.signer(town[1], PASSPHRASE)))
    for record in records:
        town.hand(record, [2])
    with town[2].profile.database.atomic():
        people_messages.accept(town[2], 1, NewKey.of(records[1]).key)
    assert custodian.keys_of(town[2], 1).current == NewKey.of(records[2]).key
    assert asked_by(town[2], 1, asked(records[3])).person == "Ada"


def test_no_site_speaks_for_another(town: Town) -> None:
    record = town.custodian(1, PASSPHRASE)
    assert town.hand(record, [2], sender=3) == ["people.malformed_record"]
    assert not custodian.keys_of(town[2], 1).custodian


def test_the_member_key_may_take_back_what_a_custodian_gave(town: Town) -> None:
    town.hand(town.custodian(1, PASSPHRASE), [2])
    given = town.endorse(1, by=custodian.signer(town[1], PASSPHRASE))
    town.hand(given, [2])
    taken = town.issue(1, REVOCATION, {"delegations": [given.id], "reason": ""})
    assert town.hand(taken, [2]) == []
    assert refused(town, given) == "people.revoked"


def test_a_key_that_nobody_has_proved_to_have_is_refused(town: Town) -> None:
    content = dict(town.custodian(1, PASSPHRASE).content)
    for changed in ({"number": 2}, {"proof": bytes(64)}, {"key": town[2].key.public.verify}):
        with pytest.raises(ProtocolViolation, match=r"people\.altered_record"):
            town.issue(1, CUSTODIAN, {**content, **changed})


def test_a_backup_from_before_the_present_key_does_not_sign(town: Town) -> None:
    town.custodian(1, PASSPHRASE)
    old = town[1].profile.sealed_secrets.get("custodian key")
    assert old is not None
    town.custodian(1, OTHER, old=PASSPHRASE)
    town[1].profile.sealed_secrets.replace("custodian key", old)
    with pytest.raises(UserError, match=r"custodian\.not_here"):
        custodian.signer(town[1], PASSPHRASE)
