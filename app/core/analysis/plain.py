"""Frozen dataclasses as JSON types and back, by the types of their fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from app.core.errors import ProtocolViolation


def plain_of(value: Any) -> Any:
    """Return a dataclass as a dict (as its own ``to_plain`` says, if it has one), tuples as lists; a number that is not
    finite is None."""
    if hasattr(value, "to_plain"):
        return value.to_plain()
    if is_dataclass(value):
        return {field.name: plain_of(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain_of(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None  # numpy's floats are floats too
    return value


def read_as(wanted: Any, plain: Any) -> Any:
    """Return the value of this type: a dataclass, ``tuple[X, ...]``, ``X | None``, str, bool, int or float.

    Raises ProtocolViolation ``query.malformed`` if that is not what :func:`plain_of` returned.
    """
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (UnionType, Union):
        if plain is None:
            return None
        return read_as(next(each for each in arguments if each is not type(None)), plain)
    if origin is tuple:
        if not isinstance(plain, list | tuple):
            raise _malformed()
        return tuple(read_as(arguments[0], each) for each in plain)
    if hasattr(wanted, "from_plain"):
        return wanted.from_plain(plain)
    if is_dataclass(wanted) and isinstance(wanted, type):
        hints = _hints(wanted)
        if not isinstance(plain, Mapping) or set(plain) != set(hints):
            raise _malformed()
        return wanted(**{name: read_as(hint, plain[name]) for name, hint in hints.items()})
    fits = type(plain) in (int, float) and math.isfinite(plain) if wanted is float else type(plain) is wanted
    if not fits:
        raise _malformed()
    return plain


@cache
def _hints(wanted: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(wanted)
    return {field.name: hints[field.name] for field in fields(wanted)}


def _malformed() -> ProtocolViolation:
    return ProtocolViolation("query.malformed", problem="result")
