"""The elements of a FHIR R4 resource: codings, quantities, dates as exact as they are.

A resource is looked at through :class:`Element`, which refuses what has not the shape that R4 gives it, with the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from app.core.preparation.sources.clinical import MAX_TEXT, SYSTEMS, UCUM, decimal_text

EXACT_DATE = 10
_UNSAFE = re.compile("[\0\ud800-\udfff]")
_TIME = re.compile(
    r"(?P<day>\d{4}(-\d\d(-\d\d)?)?)(T(?P<clock>\d\d:\d\d(:\d\d(\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
LITERAL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?", re.ASCII)


Note = Callable[[str, str, str | None], None]
"""Takes a problem that is not the end of a resource: its key, the path, and what is there."""


class WrongShape(ValueError):
    """A resource is not as FHIR R4 says; ``path`` is where, ``found`` what is there."""

    def __init__(self, path: str, found: object = None) -> None:
        super().__init__(path)
        self.path = path
        self.found = None if found is None else str(found)


class Element:
    """An object of a resource and its path; what is not there is an empty object, None, or an empty list."""

    __slots__ = ("data", "path")

    def __init__(self, data: dict[str, Any], path: str) -> None:
        self.data, self.path = data, path

    def __bool__(self) -> bool:
        return bool(self.data)

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def get(self, name: str) -> object:
        """Return whatever ``name`` is."""
        return self.data.get(name)

    def either(self, name: str) -> list[Element]:
        """Return the objects ``name``, of which some resources have one and others an array; codes are no objects."""
        found = self.data.get(name)
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return []
        return [self.at(name)] if isinstance(found, dict) else self.all(name)

    def at(self, name: str) -> Element:
        """Return the object ``name``."""
        found = self.data.get(name, {})
        if not isinstance(found, dict):
            raise WrongShape(f"{self.path}.{name}")
        return Element(found, f"{self.path}.{name}")

    def all(self, name: str) -> list[Element]:
        """Return the objects of the array ``name``."""
        found = self.data.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise WrongShape(f"{self.path}.{name}")
        return [Element(each, f"{self.path}.{name}") for each in found]

    def text(self, name: str) -> str | None:
        """Return a text, number or truth as text, None where there is none or an empty one."""
        found = self.data.get(name)
        if isinstance(found, bool):
            return "true" if found else "false"
        if found is None or isinstance(found, str):
            if found and (len(found) > MAX_TEXT or _UNSAFE.search(found)):
                raise WrongShape(f"{self.path}.{name}", f"{len(found)}")
            return found or None
        raise WrongShape(f"{self.path}.{name}")


@dataclass(frozen=True, slots=True)
class Coding:
    """A code, the vocabulary that it is from, and what it is called."""

    code: str | None
    system: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """What was found: ``value`` only if it is exactly that; ``number`` also where ``operator`` says it is a bound."""

    value: str | None = None
    value_text: str | None = None
    value_codes: str | None = None
    number: str | None = None
    operator: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """When: ``time`` and ``end`` only if they are days (and clock times, as they were written, without their zone)."""

    time: str | None = None
    end: str | None = None
    time_written: str | None = None


def target(reference: str | None) -> str | None:
    """Return ``Type/id`` of a relative or absolute reference; what names its target otherwise (urn:uuid) unchanged."""
    if reference is None:
        return None
    literal = LITERAL.fullmatch(reference)
    return literal[1] if literal else reference


def codings(concept: Element) -> list[Coding]:
    """Return the codings of a CodeableConcept; one without codings is called by its text, in no system."""
    text = concept.text("text")
    found = [coding(each, text) for each in concept.all("coding")]
    return [each for each in found if each.code] or ([Coding(text, None, text)] if text else [])


def coding(element: Element, text: str | None = None) -> Coding:
    """Return a Coding; ``text`` is what it is called if it does not say."""
    system = element.text("system")
    return Coding(element.text("code"), SYSTEMS.get(system or "", system), element.text("display") or text)


def moment(written: str | None, path: str) -> str | None:
    """Check a date, dateTime or instant and return it without its zone. Raises WrongShape."""
    if written is None:
        return None
    parts = _TIME.fullmatch(written)
    try:
        if parts is None:
            raise ValueError
        date.fromisoformat(f"{parts['day']}-01-01"[:EXACT_DATE])
        if clock := parts["clock"]:
            time.fromisoformat(clock[:8].replace(":60", ":59"))
    except ValueError:
        raise WrongShape(path, written) from None
    return parts["day"] + ("T" + clock if clock else "")


def period(start: str | None, end: str | None, path: str) -> Time:
    """Return the time of a row from what is written; a month or a year is only kept as it was written."""
    first, last = moment(start, path), moment(end, path)
    return Time(_exact(first), _exact(last), start)


def _exact(written: str | None) -> str | None:
    return written if written and len(written) >= EXACT_DATE else None


def when(element: Element, names: tuple[str, ...]) -> Time:
    """Return the first of the choices ``names`` that is there: ``onsetDateTime``, ``onsetPeriod``, ``recordedDate``."""
    for name in names:
        if name not in element:
            continue
        path = f"{element.path}.{name}"
        if name.endswith(("Period", "period")):
            span = element.at(name)
            return period(span.text("start"), span.text("end"), path)
        if name.endswith("Timing"):
            span = element.at(name).at("repeat").at("boundsPeriod")
            return period(span.text("start"), span.text("end"), path)
        if name.endswith("Age"):
            return Time(time_written=" ".join(filter(None, map(element.at(name).text, ("value", "unit")))))
        if name.endswith("String"):
            return Time(time_written=element.text(name))
        return period(element.text(name), None, path)
    return Time()


def value_of(element: Element, note: Note) -> Value:
    """Return what value[x] holds."""
    if quantity := element.at("valueQuantity"):
        return quantity_of(quantity)
    if concept := element.at("valueCodeableConcept"):
        found = codings(concept)
        first = found[0] if found else Coding(None)
        codes = " ".join(f"{each.system}|{each.code}" for each in found if each.system) or None
        return Value(first.code, concept.text("text") or first.name, codes)
    for name in ("valueBoolean", "valueInteger", "valueString", "valueTime"):
        if (text := element.text(name)) is not None:
            return Value(text, text)
    if (written := element.text("valueDateTime")) is not None:
        if (exact := _exact(moment(written, f"{element.path}.valueDateTime"))) is None:
            note("clinical.inexact_date", f"{element.path}.valueDateTime", written)
        return Value(exact, written)
    for name, low, between, high in (("Range", "low", " - ", "high"), ("Ratio", "numerator", ":", "denominator")):
        if both := element.at(f"value{name}"):
            return Value(value_text=between.join(both.at(side).text("value") or "" for side in (low, high)))
    for name in ("valueSampledData", "valuePeriod"):
        if name in element:
            note("clinical.value_not_read", f"{element.path}.{name}", None)
    return Value()


def quantity_of(quantity: Element) -> Value:
    """Return a Quantity: its number, and its unit as UCUM if it has one."""
    number, operator = decimal_text(written := quantity.text("value")), quantity.text("comparator")
    if written is not None and number is None:
        raise WrongShape(f"{quantity.path}.value", written)
    ucum = quantity.text("code") if quantity.text("system") == UCUM else None
    text = None if number is None else f"{operator or ''}{number}"
    return Value(None if operator else number, text, None, number, operator, ucum or quantity.text("unit"))
