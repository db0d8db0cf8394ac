"""What workers do in these tests."""

import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from app.core.errors import UserError

_begun: list[str] = []


def begin(word: str) -> None:
    _begun.append(word)


def prepare() -> None:
    begin("prepared")


def greeting() -> str:
    (word,) = _begun
    return word


def square(number: int) -> int:
    return number * number


def refuse() -> None:
    raise UserError("csv.made_up", row=3)


def hang() -> None:
    threading.Event().wait()


def hang_on(_: int) -> None:
    hang()


def hang_but_for_0(number: int) -> None:
    if number:
        hang()


def stop_halfway(end: Callable[[], None]) -> None:
    """Have this worker stop in the middle of telling its result."""

    def half(connection: Connection, message: Any, *_: object) -> None:
        os.write(connection.fileno(), bytes(message[: len(message) // 2]))
        end()

    Connection._send = half  # type: ignore[attr-defined, method-assign]


def hang_halfway(_: int) -> bytes:
    stop_halfway(hang)
    return bytes(8192)


def die_halfway(_: int) -> bytes:
    stop_halfway(lambda: os._exit(1))
    return bytes(8192)
