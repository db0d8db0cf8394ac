"""Errands: what a command does over the network, in a thread of its own, while its owner goes on with other work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TypeVar

from app.core.services.owner import Owner
from app.core.services.owner_clients import nothing

T = TypeVar("T")

_LOOK_SECONDS = 60.0


def errand(owner: Owner, work: Callable[[], T]) -> Generator[float, None, T]:
    """Do ``work`` elsewhere and wait for it in a command: ``result = yield from errand(context.owner, work)``.

    Raises what it raises. It must not touch the database, which belongs to the owner's thread. A command that is
    cancelled leaves it to end by itself.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # its command shall hear of it, whatever it is
            done.set_exception(error)
        owner.soon(nothing)  # a command that waits is looked at

    threading.Thread(target=run, name="owner errand", daemon=True).start()
    while not done.done():
        yield _LOOK_SECONDS
    return done.result()
