"""Sites with agents in threads (:mod:`tests.agent_sites`) whose lines are the real client, to a real relay."""

from __future__ import annotations

from pathlib import Path

from app.core.crypto.identity import MemberKey
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from app.core.secret import SecretBytes
from app.core.services.membership import Membership, keep_membership
from tests.agent_sites import Sites, opened
from tests.fake_relay import FakeRelay
from tests.relay_server import FAR, RelayServer

QUICK = 0.05
"""Pauses between tries, as a part of what they are."""


class RelaySites(Sites):
    """``count`` sites of one federation, members of ``relay``; they reach it at ``address`` (by default its own)."""

    def __init__(self, base: Path, relay: RelayServer, address: RelayAddress | None = None, count: int = 3) -> None:
        super().__init__(base, FakeRelay(), count)
        self._address = address or relay.address
        self._keys = [key_of(directory) for directory in self.directories]
        known = Membership(False, self._address, self.roster.federation_id)
        for directory in self.directories:
            with opened(directory) as profile, profile.store.database.atomic():
                keep_membership(profile, known)
        posts = [relay.post(self.roster.federation_id, key) for key in self._keys]
        posts[0].found(relay.code())
        for place, post in enumerate(posts[1:], start=2):
            secret = SecretBytes(bytes([place]) * 32)
            posts[0].invite(secret, FAR)
            post.join(secret)

    def line(self, position: int) -> RelayPost:  # type: ignore[override]
        """A line of a site to the relay."""
        return quick_post(self._address, self.roster.federation_id, self._keys[position - 1])


def key_of(directory: Path) -> MemberKey:
    """The private member key in a profile."""
    with opened(directory) as profile:
        return profile.member_key


def quick_post(address: RelayAddress, federation: bytes, key: MemberKey) -> RelayPost:
    """A client that does not pause long between its tries, and not at all once it is closed."""
    post = RelayPost(address, federation, key, proxy=ProxySetting("none"))
    post.line._sleep = lambda seconds: post.line._closed.wait(seconds * QUICK)
    return post
