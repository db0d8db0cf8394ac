"""What workers do in these tests."""

import threading

from app.core.errors import UserError

_begun: list[str] = []


def begin(word: str) -> None:
    _begun.append(word)


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
