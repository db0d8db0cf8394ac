"""A relay that has moved: every site can be told, and an agent that rests calls it at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trustme

from app.core.errors import UserError
from app.core.federation.trust import RelayAddress
from app.core.services.carrying import Backoff
from app.core.services.connect import connect
from app.core.services.membership import Membership, keep_membership, membership
from tests.agent_sites import Sites, opened
from tests.fake_relay import FakeLine, FakeRelay


def test_an_agent_that_rests_calls_the_relay_at_once(tmp_path: Path) -> None:
    sites, elsewhere = Sites(tmp_path, FakeRelay()), FakeRelay()
    sites.relay.down = True
    made: list[FakeLine] = []

    def line(_: object) -> FakeLine:
        made.append(FakeLine(elsewhere, 1))
        return made[-1]

    rests = partial(Backoff, 1e6, 1e6)
    with sites.owner(1) as owner, sites.agent(owner, 1, backoff=rests, make_line=line) as agent:
        while agent.connection == "connecting":
            agent.turn(60.0)
        assert agent.connection == "offline"
        agent.reconnect()
        while agent.connection != "connected" or owner.profile.store.outbox.unsent():
            agent.turn(60.0)
    assert len(made) == 1
    assert len(elsewhere.sent) == 1  # what was kept has left


def test_only_the_address_changes(tmp_path: Path) -> None:
    sites = Sites(tmp_path, FakeRelay(), count=2)
    authority = trustme.CA().cert_pem.bytes().decode()
    before = Membership(True, RelayAddress("https://old.example:8443", authority), sites.roster.federation_id)
    with opened(sites.directories[0]) as profile, profile.store.database.atomic():
        keep_membership(profile, before)
    with connect(sites.directories[0], open_profile=opened) as site:
        assert site.call("federation.move_relay", {"url": "https://new.example:9443/"}) == {
            "relay": "https://new.example:9443"
        }
        with pytest.raises(UserError, match=r"relay\.bad_address"):
            site.call("federation.move_relay", {"url": "http://new.example"})
    with opened(sites.directories[0]) as profile:
        after = membership(profile)
    assert after is not None
    assert (after.address.url, after.creator, after.federation_id) == (
        "https://new.example:9443",
        True,
        sites.roster.federation_id,
    )
    assert after.address.trust.strip() == authority.strip()


def test_a_site_without_a_federation_has_no_relay(place: Path) -> None:
    with connect(place) as site, pytest.raises(UserError, match=r"joining\.no_federation"):
        site.call("federation.move_relay", {"url": "https://new.example"})
