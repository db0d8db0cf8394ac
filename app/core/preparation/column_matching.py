"""How well a column fits a variable: by their names, by the column's values, by its unit.

Nothing here reads data: columns come with the values that they have (:class:`.Contents`). What fits is a
:class:`Match`, how much is a number between 0 and 1, and why is a :class:`Because` that the program says in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.core.catalogue import units
from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import read_decimal
from app.core.errors import SafeParam
from app.core.preparation.name_words import (
    compact,
    folded,
    roots,
    word_set,
)
from app.core.preparation.sources.source import Column

_LEVEL_WORDS = {
    "female": "f w weiblich frau feminin femme female woman",
    "male": "m h maennlich mann masculin homme male man",
    "yes": "y j o yes ja oui true wahr vrai positive positiv positif present vorhanden",
    "no": "n no nein non false falsch faux negative negativ negatif absent keine",
    "never": "never nie jamais",
    "former": "former ex ehemalig ehemals ancien past frueher",
    "current": "current aktuell aktuel present active aktiv",
    "dead": "dead died deceased tot verstorben gestorben decede mort exitus 1:deceased",
    "alive": "alive living lebend lebt vivant 0:living",
}
_SAME_LEVEL = {word: root for root, same in _LEVEL_WORDS.items() for word in (root, *same.split())}
_NO_VALUE = word_set(
    "na n/a nan null none unknown unbekannt inconnu missing fehlend manquant nd k.a. unk -1 99 999 . - ?"
)
_ISO_5218 = {"1": "male", "2": "female", "0": None, "9": None}
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]{1,40})[)\]]\s*$")
_SPELLED_UNITS = {
    "years": "a",
    "year": "a",
    "jahre": "a",
    "ans": "a",
    "months": "mo",
    "monate": "mo",
    "mois": "mo",
    "weeks": "wk",
    "days": "d",
    "tage": "d",
    "jours": "d",
    "mmhg": "mm[Hg]",
    "µmol/l": "umol/L",
    "umol/l": "umol/L",
    "mmol/l": "mmol/L",
    "mg/dl": "mg/dL",
    "g/dl": "g/dL",
    "g/l": "g/L",
    "°c": "Cel",
    "kg/m2": "kg/m2",
}
_ENOUGH_WORDS = 0.5


@dataclass(frozen=True, slots=True)
class Because:
    """Why something is suggested: ``code`` is the key of a text, ``params`` what it says."""

    code: str
    params: Mapping[str, SafeParam] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """How well something fits, from 0 to 1, why, and what the mapping has to say beside the column."""

    confidence: float
    because: Because
    more: Mapping[str, object] = field(default_factory=dict)


def by_name(column: Column, variable: Variable) -> Match | None:
    """Return how well the names of a column fit a variable; None if they have nothing in common."""
    names = [name for name in (column.name, column.label, column.name.rpartition(".")[2]) if name]
    spelled = {compact(name) for name in names}
    if not spelled.isdisjoint({compact(variable.code), compact(variable.code.rpartition(":")[2])} - {""}):
        return Match(1.0, Because("preparing.because.code"))
    for confidence, known in ((0.95, variable.label.parts().values()), (0.9, variable.synonyms)):
        for label in known:
            if compact(label) in spelled:
                return Match(confidence, Because("preparing.because.label", {"label": label}))
    return _by_words(names, variable)


def _by_words(names: Iterable[str], variable: Variable) -> Match | None:
    best = 0.0
    said: frozenset[str] = frozenset()
    for have in filter(None, map(roots, names)):
        for label in (variable.code, *variable.label.parts().values(), *variable.synonyms):
            if (common := have & (want := roots(label))) and (share := len(common) / len(have | want)) > best:
                best, said = share, common
    if best < _ENOUGH_WORDS:
        return None
    return Match(0.45 + 0.4 * best, Because("preparing.because.words", {"words": ", ".join(sorted(said))}))


def fit(column: Column, variable: Variable, values: Mapping[str, int] | None) -> Match | None:
    """Return whether the contents can be the variable's; None if they cannot.

    ``values`` are all different values with how many rows have each; None where there are too many to look at.
    """
    match variable.kind:
        case Kind.FLAG:
            return _flag(column, values)
        case Kind.CATEGORY:
            return _category(column, variable, values)
        case Kind.NUMBER:
            return _number(column, variable)
        case Kind.DATE:
            return Match(1.0, Because("preparing.because.dates")) if column.type == "date" else None
        case _:
            return None


def _flag(column: Column, values: Mapping[str, int] | None) -> Match | None:
    if values is None:
        return None
    read: dict[str, str] = {}
    missing = []
    for value in values:
        said = _SAME_LEVEL.get(folded(column.values.get(value, value)).strip(), "")
        if value in ("0", "1") and value not in column.values:
            said = "yes" if value == "1" else "no"
        if said in ("yes", "dead"):
            read[value] = "yes"
        elif said in ("no", "alive"):
            read[value] = "no"
        elif folded(value) in _NO_VALUE:
            missing.append(value)
        else:
            return None
    if not read:
        return None
    odd = {value: said for value, said in read.items() if value.lower() not in _PLAIN_FLAGS}
    return Match(1.0, Because("preparing.because.flag"), _values(odd, missing))


_PLAIN_FLAGS = frozenset({"1", "0", "true", "false", "yes", "no"})


def _category(column: Column, variable: Variable, values: Mapping[str, int] | None) -> Match | None:
    if values is None:
        return None
    levels = {each: level.code for level in variable.levels for each in _level_names(level.code, level.label.parts())}
    read: dict[str, str] = {}
    missing = []
    for value in values:
        level = _level(value, column.values.get(value), levels)
        if level is not None:
            read[value] = level
        elif folded(value) in _NO_VALUE:
            missing.append(value)
    guessed = False
    if not read and set(values) <= _ISO_5218.keys() and {"male", "female"} <= set(map(_same, levels)):
        sexes = {_same(name): level for name, level in levels.items()}
        read = {value: sexes[sex] for value in values if (sex := _ISO_5218[value]) is not None}
        missing, guessed = [value for value in values if value not in read], True
    rows = sum(values.values()) - sum(values[each] for each in missing)
    share = sum(values[each] for each in read) / rows if rows else 0.0
    if share < _ENOUGH_WORDS:
        return None
    odd = {value: level for value, level in read.items() if value != level}
    said = {"known": len(read), "all": len(values) - len(missing)}
    because = Because("preparing.because.guessed" if guessed else "preparing.because.levels", said)
    return Match(share * (0.8 if guessed else 1.0), because, _values(odd, missing))


def read_levels(variable: Variable, values: Iterable[str]) -> dict[str, str]:
    """Return which of some values mean a level of a category, or yes or no of a flag, and which."""
    if variable.kind is Kind.FLAG:
        said = {value: _SAME_LEVEL.get(folded(value).strip()) for value in values}
        return {value: meant for value, meant in said.items() if meant in ("yes", "no")}
    levels = {each: level.code for level in variable.levels for each in _level_names(level.code, level.label.parts())}
    return {value: level for value in values if (level := _level(value, None, levels)) is not None}


def means_nothing(value: str) -> bool:
    """Return whether a value probably stands for "no value"."""
    return folded(value).strip() in _NO_VALUE


def _level_names(code: str, labels: Mapping[str, str]) -> set[str]:
    names = {folded(each).strip() for each in (code, *labels.values())}
    return names | {f"={_SAME_LEVEL[each]}" for each in names if each in _SAME_LEVEL}


def _level(value: str, label: str | None, levels: Mapping[str, str]) -> str | None:
    for text in filter(None, (label, value)):
        said = folded(text).strip()
        for name in (said, f"={_SAME_LEVEL.get(said, '')}"):
            if name in levels:
                return levels[name]
    return None


def _same(name: str) -> str:
    return name.removeprefix("=")


def _values(odd: Mapping[str, str], missing: Iterable[str]) -> dict[str, object]:
    more: dict[str, object] = {}
    if odd:
        more["values"] = dict(odd)
    if missing := sorted(missing):
        more["missing"] = missing
    return more


def _number(column: Column, variable: Variable) -> Match | None:
    if column.type not in ("number", "code", "flag"):
        return None
    unit = unit_of(column)
    if unit is not None and variable.unit is not None and unit != variable.unit:
        if not units.same_dimension(unit, variable.unit):
            return Match(0.5, Because("preparing.because.other_unit", {"unit": unit, "wanted": variable.unit}))
        said = {"unit": unit, "wanted": variable.unit}
        return Match(1.0, Because("preparing.because.unit", said), {"unit": unit})
    numbers = [number for text in column.examples if (number := read_decimal(text.replace(",", "."))) is not None]
    low, high = variable.minimum, variable.maximum
    outside = sum((low is not None and each < low) or (high is not None and each > high) for each in numbers)
    if numbers and 2 * outside > len(numbers):
        return Match(0.5, Because("preparing.because.range"))
    return Match(1.0, Because("preparing.because.numbers"), {} if unit is None else {"unit": unit})


def unit_of(column: Column) -> str | None:
    """Return the UCUM unit that a column is said to be in, by its format or behind its name; None if none is."""
    for text in (column.unit, *(found[1] for each in (column.name, column.label or "") if (found := _bracket(each)))):
        if text and (unit := ucum(text)) is not None:
            return unit
    return None


def ucum(text: str) -> str | None:
    """Return the UCUM unit that a text means, as people write units; None if it is none."""
    spelled = _SPELLED_UNITS.get(text.strip().lower(), text.strip().replace("µ", "u").replace("μ", "u"))
    return spelled if units.known(spelled) else None


def _bracket(text: str) -> re.Match[str] | None:
    return _IN_BRACKETS.search(text)
