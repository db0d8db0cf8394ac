"""Site 3 says whatever it likes, with valid keys: forging what it says, and what all of it must come to."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.crypto.identity import MemberKey, SealingKey
from app.core.errors import ProtocolViolation
from app.core.federation import envelope as envelopes
from app.core.federation import query_messages as messages
from app.core.federation import rounds
from app.core.federation.ceremony_messages import COMMIT, REVEAL, STOP
from app.core.federation.query_session import FAILED
from app.core.secret import SecretBytes
from tests.federation_sites import (
    SMOKERS,
    Federation,
    ready_federation,
)

SESSION = bytes(range(32))
GOOD = {"code": "query.too_few_sites"}


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ready_federation(tmp_path) as ready:
        yield ready


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """One federation for tests that leave nothing behind."""
    with ready_federation(tmp_path_factory.mktemp("lasting")) as ready:
        yield ready


def forged(sites: Federation, said: object = GOOD, *, key: MemberKey | None = None, **changed: Any) -> bytes:
    """An envelope of site 3 to all, saying ``said`` sealed to all, with any field changed before it is signed."""
    fields = {
        "federation": sites.roster.federation_id,
        "type": messages.FAIL,
        "sender": 3,
        "recipients": (),
        "session": SESSION,
        "id": sites[3].site.random(16),
        "time": 1,
    } | {name: value for name, value in changed.items() if name != "body"}
    bound = {name: value for name, value in fields.items() if name != "time"}
    context = envelopes.body_context(**bound)
    sealed = changed.get("body", envelopes.seal_body(codec.encode(said), sites.roster.keys, context))
    return envelopes.sign(envelopes.Envelope(**fields, body=sealed), key or sites[3].site.key)


def refused(federation: Federation, data: bytes, code: str) -> None:
    """Site 1 refuses ``data`` with this one recorded code, and its inbox stays as it is."""
    node = federation[1]
    before, kept = len(node.refusals), node.profile.inbox.unhandled()
    with pytest.raises(ProtocolViolation) as raised:
        node.mailroom.receive(data)
    assert raised.value.code == code
    assert [each[0] for each in node.refusals[before:]] == [code]
    assert node.profile.inbox.unhandled() == kept
    assert node.profile.refusals.all()[-1].details == raised.value.params


def check_others_go_on(federation: Federation) -> None:
    """A further query between all sites is answered."""
    session = federation.ask(2, quorum=(1, 3))
    federation.settle()
    result = federation[2].desk.result(session)
    assert result is not None
    assert result.numbers[0] == sum(node.contributor.number for node in federation.nodes.values())


def shares_of(federation: Federation, session: bytes) -> set[int]:
    """Who let a decryption share of this query go."""
    return {each.sender for each in federation.post.messages(messages.SHARE) if each.session == session}


def check_refused_query(federation: Federation, session: bytes, code: str, site: int | None) -> None:
    """The query failed for this reason, recorded once where it was found; no honest share left; others go on."""
    recorded: list[tuple[str, int | None]] = []
    for position in (1, 2):
        status = federation[position].desk.status(session)
        assert status.state == FAILED
        assert status.code == code
        assert federation[position].refusals in ([], [(code, site)])  # none if the asker was told first and said so
        recorded += federation[position].refusals
        assert federation[position].profile.shares.of_session(session) == ()
    assert recorded
    assert shares_of(federation, session) <= {3}
    check_others_go_on(federation)


def good_bodies(federation: Federation) -> dict[str, dict[str, Any]]:
    """A well-formed body of every type."""
    request = messages.Request(
        SMOKERS,
        Fraction(1, 2),
        (1, 2, 3),
        (1, 2),
        1,
        SealingKey(SecretBytes(bytes(range(96)))).public,
        {"smoker": federation.catalogue.variable("smoker").meaning},
        "A test",
    )
    return {
        messages.REQUEST: request.to_body(),
        messages.COMMIT: {"attempt": 1, "request": bytes(32), "hash": bytes(32), "noise_bits": 40},
        messages.DECLINE: {"code": "data.no_dataset"},
        messages.REFUSE: {"code": "query.close_differs"},
        messages.CLOSE: {"contributors": [1, 2], "hashes": [bytes(32), bytes(32)]},
        messages.RETRY: {"attempt": 2, "quorum": [1, 3]},
        messages.CONTRIBUTION: {"attempt": 1, "blob": bytes(32), "size": 100},
        messages.MASK_COMMIT: {"attempt": 1, "hash": bytes(32)},
        messages.MASKS: {"attempt": 1, "blob": bytes(32), "size": 100, "shares": [bytes(100)]},
        messages.SHARE: {"attempt": 1, "sealed": bytes(100)},
        messages.RELEASED: {},
        messages.FINISH: {},
        messages.STATE: {"state": messages.WAITING},
        messages.NOTE: {"text": "What exactly do you mean?"},
        messages.REASON: {"code": "policy.too_few_patients", "params": {"smallest": 500, "variable": "stage"}},
        messages.FAIL: {"code": "query.too_few_sites"},
        COMMIT: {"round": rounds.CHECK, "transcript": bytes(32), "commitment": bytes(32)},
        REVEAL: {"round": rounds.CHECK, "salt": bytes(32), "payload": b"payload"},
        STOP: {"code": "ceremony.check_failed"},
    }
