"""Talking with the relay without standing still.

A talk is a generator that does its part in the owner's thread and hands out what has to be asked of the relay, as a
function without arguments; whoever leads it has that done wherever it likes, and gives back the answer or the trouble.
So a use case reads from top to bottom, and neither the database nor the network waits for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from app.core.errors import ConsiliumError
from app.core.services.errands import errand
from app.core.services.owner import Owner

T = TypeVar("T")

Ask: TypeAlias = Callable[[], Any]
Talk: TypeAlias = Generator[Ask, Any, T]

_LOOK_SECONDS = 60.0


def at_once(talk: Talk[T]) -> T:
    """Lead a talk here and now, waiting for every answer."""
    try:
        ask = next(talk)
        while True:
            try:
                answer = ask()
            except ConsiliumError as trouble:
                ask = talk.throw(trouble)
            else:
                ask = talk.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def aside(owner: Owner, talk: Talk[T]) -> Generator[float, None, T]:
    """Lead a talk in a command while its owner goes on; one at a time, for each reads what the one before has done."""
    while owner.talking:
        yield _LOOK_SECONDS
    owner.talking = True
    try:
        try:
            ask = next(talk)
            while True:
                try:
                    answer = yield from errand(owner, ask)
                except ConsiliumError as trouble:
                    ask = talk.throw(trouble)
                else:
                    ask = talk.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
    finally:
        owner.talking = False
        talk.close()
