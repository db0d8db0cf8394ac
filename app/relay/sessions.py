"""Who is asking: a challenge, a signature by a member key, and a token for the next hour.

Challenges are not stored: they carry their time and a MAC under a key that lives as long as the process, so strangers
asking for them cost nothing. One that was answered is remembered until it ends. Tokens live in memory; after a restart
a client answers a new challenge.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from app.relay.membership import Member

TOKEN_SECONDS = 3600
_CHALLENGE_MS = 60_000
_NONCE, _TIME, _MAC = 16, 8, 32
_MOST_PER_MEMBER = 8


@dataclass(frozen=True)
class _Token:
    member: int
    expires: int


class Sessions:
    """Challenges and tokens of this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._answered: dict[bytes, int] = {}
        self._tokens: dict[bytes, _Token] = {}
        self._of_member: dict[int, list[bytes]] = {}

    def challenge(self, now: int) -> bytes:
        """Return a new challenge."""
        value = secrets.token_bytes(_NONCE) + now.to_bytes(_TIME, "big")
        return value + self._mac(value)

    def answered(self, challenge: bytes, now: int) -> bool:
        """Return whether ``challenge`` is ours, in time and not answered before; from now on it is answered."""
        value, mac = challenge[: _NONCE + _TIME], challenge[_NONCE + _TIME :]
        if len(challenge) != _NONCE + _TIME + _MAC or not hmac.compare_digest(mac, self._mac(value)):
            return False
        ends = int.from_bytes(value[_NONCE:], "big") + _CHALLENGE_MS
        if ends < now or challenge in self._answered:
            return False
        self._answered = {each: end for each, end in self._answered.items() if end >= now}
        self._answered[challenge] = ends
        return True

    def open(self, member: Member, now: int) -> str:
        """Return a new token for ``member``; its ninth ends its first."""
        token = secrets.token_urlsafe(32)
        name = _name(token)
        self._tokens[name] = _Token(member.number, now + TOKEN_SECONDS * 1000)
        names = self._of_member.setdefault(member.number, [])
        names.append(name)
        for old in names[:-_MOST_PER_MEMBER]:
            self._tokens.pop(old, None)
        del names[:-_MOST_PER_MEMBER]
        return token

    def member(self, token: str, now: int) -> int | None:
        """Return the number of the member whose token this is, or None."""
        found = self._tokens.get(_name(token))
        return found.member if found is not None and found.expires >= now else None

    def _mac(self, value: bytes) -> bytes:
        return hmac.digest(self._key, value, "sha256")


def _name(token: str) -> bytes:
    """What the table knows a token by: a lookup then tells nothing about the tokens in it, however it is timed."""
    return hashlib.sha256(token.encode()).digest()
