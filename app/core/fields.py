"""Strict reading of maps from outside: exact fields, exact types. What is not asked for is refused.

>>> body = Fields(value, "roster.malformed")
>>> name = body.text("name", most=200)
>>> body.done()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Self

from app.core import codec
from app.core.errors import ProtocolViolation, SafeParam


class Fields:
    """One map from outside; each getter takes its field out, :meth:`done` refuses what is left.

    What is refused is a ProtocolViolation ``code`` with ``params`` and the field's name.
    """

    def __init__(self, value: object, code: str, **params: SafeParam) -> None:
        self._code = code
        self._params = params
        if not isinstance(value, dict) or any(type(key) is not str for key in value):
            self.refuse("")
        self._left: dict[str, Any] = dict(value)

    @classmethod
    def decode(cls, data: bytes, limit: int, code: str, **params: SafeParam) -> Self:
        """Read canonical CBOR of at most ``limit`` bytes; what is none is refused in the same way."""
        try:
            value = codec.decode(data, limit)
        except ProtocolViolation as error:
            raise ProtocolViolation(code, field="", **params) from error
        return cls(value, code, **params)

    def refuse(self, field: str) -> NoReturn:
        """Raise ProtocolViolation with this map's code, naming the field."""
        raise ProtocolViolation(self._code, field=field, **self._params)

    def _take(self, field: str) -> Any:
        if field not in self._left:
            self.refuse(field)
        return self._left.pop(field)

    def bytes(self, field: str, least: int, most: int | None = None) -> bytes:
        """Take bytes of a length between ``least`` and ``most`` (default: exactly ``least``)."""
        value = self._take(field)
        if type(value) is not bytes or not least <= len(value) <= (least if most is None else most):
            self.refuse(field)
        return bytes(value)

    def text(self, field: str, most: int) -> str:
        """Take printable text of 1 to ``most`` characters."""
        value = self._take(field)
        if type(value) is not str or not 1 <= len(value) <= most or not value.isprintable():
            self.refuse(field)
        return str(value)

    def number(self, field: str, least: int, most: int) -> int:
        """Take an integer in [least, most]."""
        value = self._take(field)
        if type(value) is not int or not least <= value <= most:
            self.refuse(field)
        return int(value)

    def items(self, field: str, most: int) -> list[Any]:
        """Take a list of at most ``most`` items."""
        value = self._take(field)
        if not isinstance(value, list) or len(value) > most:
            self.refuse(field)
        return value

    def positions(self, field: str, sites: int) -> tuple[int, ...]:
        """Take a non-empty ascending list of roster positions."""
        values = self.items(field, sites)
        if not values or any(type(v) is not int or not 1 <= v <= sites for v in values):
            self.refuse(field)
        if values != sorted(set(values)):
            self.refuse(field)
        return tuple(values)

    def given(self, field: str) -> bool:
        """Return whether there is such a field that was not taken yet."""
        return field in self._left

    def any(self, field: str) -> Any:
        """Take a value that the caller checks."""
        return self._take(field)

    def exactly(self, expected: Mapping[str, object]) -> None:
        """Take the fields of ``expected``, which must have just these values."""
        for field, value in expected.items():
            found = self._take(field)
            if type(found) is not type(value) or found != value:
                self.refuse(field)

    def done(self) -> None:
        """Refuse any field that was not taken."""
        for field in self._left:
            self.refuse(field)
