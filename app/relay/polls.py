"""Long polls: who waits for what, and waking them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Polls:
    """Waiting requests by member. One member has at most ``most`` of them; another one ends the oldest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def wait(self, member: int, seconds: float) -> None:
        """Return when there is something for ``member``, after ``seconds``, or when the relay ends."""
        if self._closed or seconds <= 0:
            return
        poll: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        polls = self._waiting.setdefault(member, [])
        polls.append(poll)
        for old in polls[: -self._most]:
            _end(old)
        try:
            async with asyncio.timeout(seconds):
                await poll
        except TimeoutError:
            return
        finally:
            polls.remove(poll)
            if not polls and self._waiting.get(member) is polls:
                del self._waiting[member]

    def wake(self, members: Iterable[int]) -> None:
        """End the polls of ``members``."""
        for member in members:
            for poll in self._waiting.get(member, ()):
                _end(poll)

    def close(self) -> None:
        """End all polls, and those to come at once."""
        self._closed = True
        self.wake(tuple(self._waiting))


def _end(poll: asyncio.Future[None]) -> None:
    if not poll.done():
        poll.set_result(None)
