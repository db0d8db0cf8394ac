"""Units: what a UCUM code means, and how values are converted from one unit to another.

The units themselves are UCUM's own table (``ucum-essence.xml``, which the package ``ucumvert`` carries unchanged). They
are evaluated here, in exact fractions: pint, which ucumvert would hand them to, takes a second to start, and takes
arbitrary units for plain numbers, so that it would convert international units to anything.

A conversion is never guessed. Arbitrary units ([iU]), equivalents, osmoles and scales (pH, decibels) convert to
themselves only, and amounts of substance do not convert to masses or to counts: what would be needed (a molar mass, a
valence) is not in the unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

from app.core.errors import EnvironmentProblem, UserError

MAX_LENGTH = 100
_MAX_EXPONENT = 99
_DIMENSIONLESS: tuple[tuple[str, int], ...] = ()
_OWN_DIMENSION = frozenset(["mol", "eq", "osm"])
"""UCUM takes the first for a number, and the others for the first."""
_OFFSETS = {"Cel": (Fraction(1), Fraction("273.15")), "[degF]": (Fraction(5, 9), Fraction("459.67") * 5 / 9)} | {
    "[degRe]": (Fraction(5, 4), Fraction("273.15"))
}
"""What a temperature t in degrees is in kelvin, as (a, b) of a·t + b."""

_TOKEN = re.compile(r"[./()]|\{[!-z|~]*\}|(?:\[[^\[\]{}]*\]|[^\[\]{}./()])+")
_WITH_EXPONENT = re.compile(r"(?P<unit>.+?)(?P<exponent>[+-]?[1-9][0-9]*)")
_NAMESPACE = "{http://unitsofmeasure.org/ucum-essence}"
_WIDE = Context(prec=80)
_RESULT = Context(prec=34)


@dataclass(frozen=True, slots=True)
class Unit:
    """``factor`` times the product of base units to their powers; a temperature in degrees also has an ``offset``."""

    factor: Fraction
    powers: tuple[tuple[str, int], ...] = _DIMENSIONLESS
    offset: Fraction = Fraction(0)

    def times(self, other: Unit, sign: int = 1) -> Unit:
        """Return the product, or with ``sign`` -1 the quotient."""
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, 0) + sign * power
        return Unit(self.factor * other.factor**sign, _sorted(powers))

    def power(self, exponent: int) -> Unit:
        """Return the unit to a power."""
        return Unit(self.factor**exponent, tuple((name, power * exponent) for name, power in self.powers))


def known(code: str) -> bool:
    """Return whether ``code`` is a UCUM unit."""
    try:
        unit(code)
    except UserError:
        return False
    return True


def same_dimension(source: str, target: str) -> bool:
    """Return whether values in one unit can be converted to the other. Raises UserError ``units.unknown``."""
    return unit(source).powers == unit(target).powers


def convert(value: Decimal, source: str, target: str) -> Decimal:
    """Return ``value`` in another unit. Raises as :func:`converter`."""
    return converter(source, target)(value)


@cache
def converter(source: str, target: str) -> Callable[[Decimal], Decimal]:
    """Return what converts values; exact where 34 digits can say the result, else rounded to those.

    Raises UserError ``units.unknown``, ``units.not_convertible``.
    """
    have, want = unit(source), unit(target)
    if have.powers != want.powers:
        raise UserError("units.not_convertible", source=source, target=target)
    factor, offset = have.factor / want.factor, (have.offset - want.offset) / want.factor
    if factor == 1 and offset == 0:
        return _unchanged
    below = factor.denominator * offset.denominator
    times, plus = (Decimal((part * below).numerator) for part in (factor, offset))

    def converted(value: Decimal) -> Decimal:
        return _RESULT.divide(_WIDE.fma(value, times, plus), Decimal(below))

    return converted


def _unchanged(value: Decimal) -> Decimal:
    return value


@cache
def unit(code: str) -> Unit:
    """Return what a UCUM code means. Raises UserError ``units.unknown``; EnvironmentProblem ``units.table_missing``."""
    if code in _OFFSETS:
        factor, offset = _OFFSETS[code]
        return Unit(factor, (("K", 1),), offset)
    tokens = _TOKEN.findall(code) if len(code) <= MAX_LENGTH else []
    if not tokens or "".join(tokens) != code:
        _refuse(code)
    found, rest = _term(tokens, code)
    if rest:
        _refuse(code)
    return found


def _term(tokens: list[str], code: str) -> tuple[Unit, list[str]]:
    """Read ``component ([./] component)*``, perhaps with a stroke before it; return it and the tokens behind it."""
    found, sign = Unit(Fraction(1)), 1
    if tokens[:1] == ["/"]:
        sign, tokens = -1, tokens[1:]
    while True:
        component, tokens = _component(tokens, code)
        found = found.times(component, sign)
        if tokens[:1] not in (["."], ["/"]):
            return found, tokens
        sign, tokens = (1 if tokens[0] == "." else -1), tokens[1:]


def _component(tokens: list[str], code: str) -> tuple[Unit, list[str]]:
    """Read ``(term)`` or a unit, and the annotation behind it; an annotation alone is the number one."""
    if not tokens:
        _refuse(code)
    token, rest = tokens[0], tokens[1:]
    if token == "(":  # noqa: S105 - a parenthesis
        found, rest = _term(rest, code)
        if rest[:1] != [")"]:
            _refuse(code)
        rest = rest[1:]
    elif token.startswith("{"):
        return Unit(Fraction(1)), rest
    else:
        found = _simple(token, code)
    return found, rest[1:] if rest and rest[0].startswith("{") else rest


def _simple(token: str, code: str) -> Unit:
    """Read a unit with its prefix and exponent, or a whole number."""
    if (found := _prefixed(token)) is not None:
        return found
    if token.isdecimal() and token.isascii() and not token.startswith("0"):
        return Unit(Fraction(int(token)))
    match = _WITH_EXPONENT.fullmatch(token)
    if match and (found := _prefixed(match["unit"])) is not None:
        exponent = int(match["exponent"])
        if abs(exponent) <= _MAX_EXPONENT:
            return found.power(exponent)
    return _refuse(code)


def _prefixed(name: str) -> Unit | None:
    prefixes, atoms = _table()
    if name in atoms:
        return _atom(name)
    for length in (1, 2):
        prefix, rest = name[:length], name[length:]
        if prefix in prefixes and rest in atoms and atoms[rest].get("isMetric") != "no":
            return _atom(rest).times(Unit(prefixes[prefix]))
    return None


@cache
def _atom(name: str) -> Unit:
    """Return what one unit of UCUM's table means."""
    element = _table()[1][name]
    value = element.find(f"{_NAMESPACE}value")
    special = element.get("isSpecial") == "yes"
    # all names of the international unit mean the same
    arbitrary = element.get("isArbitrary") == "yes" and (value is None or value.get("Unit") == "1")
    if value is None or special or arbitrary or name in _OWN_DIMENSION:
        return Unit(Fraction(1), ((name, 1),))
    return unit(value.attrib["Unit"]).times(Unit(Fraction(value.attrib["value"])))


@cache
def _table() -> tuple[dict[str, Fraction], dict[str, ElementTree.Element]]:
    """Return UCUM's prefixes, and its units as they are written there."""
    package = find_spec("ucumvert")  # without loading it, and pint with it
    if package is None or package.origin is None:
        raise EnvironmentProblem("units.table_missing")
    path = Path(package.origin).with_name("vendor") / "ucum-essence.xml"
    root = ElementTree.parse(path).getroot()  # noqa: S314 - a file of an installed package
    prefixes = {
        each.attrib["Code"]: Fraction(each.find(f"{_NAMESPACE}value").attrib["value"])  # type: ignore[union-attr]
        for each in root.iter(f"{_NAMESPACE}prefix")
    }
    elements = (*root.iter(f"{_NAMESPACE}base-unit"), *root.iter(f"{_NAMESPACE}unit"))
    return prefixes, {each.attrib["Code"]: each for each in elements}


def _sorted(powers: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _refuse(code: str) -> NoReturn:
    raise UserError("units.unknown", unit=code[:MAX_LENGTH])
