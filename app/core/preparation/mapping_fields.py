"""Reading the tables of a mapping file key by key, with mistakes that are named by file and field."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

from app.core.errors import SafeParam, UserError

T = TypeVar("T")
_SHOWN = {str: '"…"', int: "1", bool: "true", list: '["…"]', dict: "{…}"}


class Fields:
    """One table being read: each key is taken once with its type, and what is left over is a mistake."""

    def __init__(self, plain: object, file: str, place: str) -> None:
        self._file, self._place = file, place
        if not isinstance(plain, dict):
            refuse("wrong_type", file, field=place, expected=_SHOWN[dict])
        self._left: dict[str, Any] = dict(plain)
        self._known: list[str] = []

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        """Take a value, which must be there unless there is a default."""
        value = self.optional(name, kind)
        if value is None and (value := default) is None:
            refuse("missing_field", self._file, field=self._path(name))
        return value

    def optional(self, name: str, kind: type[T]) -> T | None:
        """Take a value, or None if it is not there."""
        self._known.append(name)
        value = self._left.pop(name, None)
        if value is not None and type(value) is not kind:
            refuse("wrong_type", self._file, field=self._path(name), expected=_SHOWN[kind])
        return value

    def choice(self, name: str, default: str | None, allowed: tuple[str, ...], *, optional: bool = False) -> Any:
        """Take one of the texts of ``allowed``."""
        self._known.append(name)
        value = self._left.pop(name, default)
        if value is None:
            if not optional:
                refuse("missing_field", self._file, field=self._path(name))
        elif value not in allowed:
            shown = ", ".join(repr(str(each)) for each in allowed)
            refuse("not_allowed", self._file, field=self._path(name), found=str(value)[:40], allowed=shown)
        return value

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take a list of texts."""
        values = self.take(name, list, list(default))
        if not all(isinstance(value, str) for value in values):
            refuse("wrong_type", self._file, field=self._path(name), expected=_SHOWN[list])
        return tuple(values)

    def named_texts(self, name: str) -> dict[str, str]:
        """Take a table of texts."""
        values = self.take(name, dict, {})
        for key, value in values.items():
            if not isinstance(value, str):
                refuse("wrong_type", self._file, field=f"{self._path(name)}.{key}"[:100], expected=_SHOWN[str])
        return values

    def done(self) -> None:
        """Refuse what was not taken, with the name that is most like it."""
        for name in self._left:
            place = self._path(name)[:100]
            if near := get_close_matches(name, self._known, 1):
                refuse("unknown_field_near", self._file, field=place, near=near[0])
            refuse("unknown_field", self._file, field=place)

    def _path(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name


def refuse(problem: str, file: str, **params: SafeParam) -> NoReturn:
    """Raise the UserError for a mistake in a mapping file."""
    raise UserError(f"mapping.{problem}", file=file, **params)
