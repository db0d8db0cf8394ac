"""A message that the relay refuses for good is given up, recorded, and holds up nothing; any other trouble is waited
out."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem
from app.core.federation.relay_problems import _KINDS
from app.core.federation.relay_protocol import STATUS
from app.core.services import undeliverable
from tests.agent_sites import Sites, opened
from tests.fake_relay import FakeLine, FakeRelay


def test_an_agent_gives_up_what_will_never_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sites, tried = Sites(tmp_path, FakeRelay()), []

    def refuse(_line: FakeLine, envelope: bytes, _recipients: tuple[int, ...]) -> None:
        tried.append(envelope)
        raise PeerProblem("relay.message_expired")

    with monkeypatch.context() as patch:
        patch.setattr(FakeLine, "send", refuse)
        assert sites.until_idle(1)
    with opened(sites.directories[0]) as profile:
        assert profile.store.outbox.unsent() == ()
        found = [(each.code, dict(each.details)) for each in profile.store.refusals.all()]
    assert len(tried) == len(set(tried)) == len(found) == 1
    assert found == [("mail.undeliverable", {"reason": "relay.message_expired", "type": "ceremony.commit"})]


@pytest.mark.parametrize("code", ["relay.mailbox_full", "relay.disk_full", "relay.too_many_requests", "relay.failed"])
def test_what_may_get_better_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    sites = Sites(tmp_path, FakeRelay())

    def refuse(*_arguments: object) -> None:
        raise PeerProblem(code)

    with monkeypatch.context() as patch:
        patch.setattr(FakeLine, "send", refuse)
        with pytest.raises(PeerProblem, match=code.replace(".", r"\.")):
            sites.until_idle(1)
    with opened(sites.directories[0]) as profile:
        assert len(profile.store.outbox.unsent()) == 1
    assert sites.until_idle(1)


def test_only_refusals_of_the_relay_itself_are_final() -> None:
    final = {code for code in STATUS if undeliverable.is_final(_KINDS.get(code, PeerProblem)(code))}
    assert final == {
        "relay.malformed",
        "relay.not_yours",
        "relay.id_used_twice",
        "relay.too_large",
        "relay.envelope_refused",
        "relay.recipient_unknown",
        "relay.message_expired",
    }
    assert all(400 <= STATUS[code] < 500 for code in final)
    others: tuple[ConsiliumError, ...] = (EnvironmentProblem("relay.timeout"), PeerProblem("relay.unauthenticated"))
    assert not any(map(undeliverable.is_final, others))
