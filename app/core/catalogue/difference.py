"""What changed between two versions of a catalogue, and for which variables datasets must be prepared again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.core.catalogue.model import Catalogue, Variable
from app.core.catalogue.plain import plain_group, plain_variable

_SCALE = ("minimum", "maximum", "step")


class Change(StrEnum):
    """What became of a variable or group."""

    ADDED = "added"
    REMOVED = "removed"
    MEANING = "meaning"
    """It means something else: datasets that were prepared for the old version do not have it any more."""
    SHOWN = "shown"
    """Only what people see of it changed, or where it hangs."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A field that changed: what it was and what it is. Of a list, only what is there once and not any more."""

    field: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    means: bool
    """Whether the meaning depends on it."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A variable (``group`` False) or group that is not as it was."""

    code: str
    change: Change
    details: tuple[Detail, ...] = ()
    group: bool = False

    @property
    def unusable(self) -> bool:
        """Whether a dataset of the old version cannot answer for it in the new one."""
        return not self.group and self.change in (Change.MEANING, Change.REMOVED)


def differences(old: Catalogue, new: Catalogue) -> tuple[Changed, ...]:
    """Return what changed, in the order of the new catalogue; what was removed comes last."""
    return (*_variables(old, new), *_groups(old, new))


def _variables(old: Catalogue, new: Catalogue) -> Iterator[Changed]:
    for after in new:
        if (before := old.find(after.code)) is None:
            yield Changed(after.code, Change.ADDED)
            continue
        details = (*_details(_plain(before), _plain(after), _means(before, after)), *_members(old, new, after.code))
        if old.meaning(after.code) != new.meaning(after.code):
            yield Changed(after.code, Change.MEANING, details)
        elif details:
            yield Changed(after.code, Change.SHOWN, details)
    yield from (Changed(each.code, Change.REMOVED) for each in old if new.find(each.code) is None)


def _groups(old: Catalogue, new: Catalogue) -> Iterator[Changed]:
    for after in new.groups:
        if (before := old.group(after.code)) is None:
            yield Changed(after.code, Change.ADDED, group=True)
        elif details := tuple(_details(_flat(plain_group(before)), _flat(plain_group(after)), frozenset())):
            yield Changed(after.code, Change.SHOWN, details, group=True)
    gone = (each.code for each in old.groups if new.group(each.code) is None)
    yield from (Changed(code, Change.REMOVED, group=True) for code in gone)


def _means(before: Variable, after: Variable) -> frozenset[str]:
    """Return the fields that the meaning depends on: the range only where sums are kept exactly."""
    always = {"kind", "levels", "cut_points", "unit", "granularity", "first", "last"}
    always |= {"period_days", "periods", "first_period", "rollup"}
    return frozenset(always | (set(_SCALE) if before.digits or after.digits else set()))


def _members(old: Catalogue, new: Catalogue, code: str) -> Iterator[Detail]:
    """Yield the flags that a roll-up has no more, and those that it has now."""
    if old.variable(code).rollup and new.variable(code).rollup:
        before, after = old.rolled_up(code), new.rolled_up(code)
        if before != after:
            yield Detail("below", *_apart(before, after), True)


def _details(before: Mapping[str, Any], after: Mapping[str, Any], means: frozenset[str]) -> Iterator[Detail]:
    for field in dict.fromkeys((*before, *after)):
        was, is_ = before.get(field), after.get(field)
        if was == is_:
            continue
        if isinstance(was or is_, tuple):
            yield Detail(field, *_apart(was or (), is_ or ()), field in means)
        else:
            yield Detail(field, _text(was), _text(is_), field in means)


def _apart(before: Sequence[str], after: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is in one only; both whole where only the order differs."""
    if sorted(before) == sorted(after):
        return tuple(before), tuple(after)
    kept = set(before) & set(after)
    return tuple(each for each in before if each not in kept), tuple(each for each in after if each not in kept)


def _plain(variable: Variable) -> dict[str, Any]:
    plain = plain_variable(variable)
    levels = plain.pop("levels", ())
    flat = _flat(plain)
    flat |= {f"levels.{level['code']}.{name}": text for level in levels for name, text in level["label"].items()}
    return flat | ({"levels": tuple(level["code"] for level in levels)} if levels else {})


def _flat(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with lists as tuples and labels by language (``label.fr``)."""
    flat: dict[str, Any] = {}
    for field, value in plain.items():
        if isinstance(value, Mapping):
            flat |= {f"{field}.{language}": text for language, text in value.items()}
        else:
            flat[field] = tuple(value) if isinstance(value, list) else value
    return flat


def _text(value: object) -> tuple[str, ...]:
    return () if value is None else (str(value).lower() if isinstance(value, bool) else str(value),)
