"""From texts to values: what a text means for a variable, in SQL for all rows at once, in Python for what is odd.

A value is a number while it is under way: a flag 0 or 1, a category the place of its level, a date the days since
1970-01-01. Numbers are doubles: texts of up to 15 digits keep their value exactly. Nothing is guessed: a text that
could mean two things (``1,234``) is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.preparation.problems import State

BLANKS = " \t\r\n\x0b\x0c\u00a0\ufeff"
"""What is cut off the ends of every text."""
FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "y", "ja", "j", "oui", "o", "wahr", "vrai"), True),
    **dict.fromkeys(("0", "false", "no", "n", "nein", "non", "falsch", "faux"), False),
}
EPOCH = date(1970, 1, 1)
FIRST_DAY = date(1850, 1, 1)
"""No date of a living memory is before this; two digits of a year become such dates."""

_NUMBER = "[+-]?[0-9]{1,30}([%s][0-9]{1,30})?([eE][+-]?[0-9]{1,2})?"
_FOREIGN = re.compile(r"[+-]?[0-9]+[.,][0-9]+")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}([ '’.,\u00a0\u202f][0-9]{3})+([.,][0-9]+)?")
_BOUND = re.compile(r"(<|>|≤|≥|&lt;|&gt;)=?\s*[+-]?[0-9].*")
_DATE = re.compile(r"([0-9]{1,4})[-./]([0-9]{1,2})[-./]([0-9]{1,4})([T ].*)?")
_FORMATS = {
    "YMD": ("%Y.%m.%d", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S", "%Y%m%d"),
    "DMY": tuple(f"%d{s}%m{s}%Y{time}" for s in "./-" for time in ("", " %H:%M", " %H:%M:%S")),
    "MDY": tuple(f"%m{s}%d{s}%Y{time}" for s in "./-" for time in ("", " %H:%M", " %H:%M:%S")),
}


class Reads(StrEnum):
    """What is read from a text."""

    PRESENCE = "presence"
    """Nothing: that there is a row, or any text, is all."""
    WORD = "word"
    """One of the words that a variable knows."""
    NUMBER = "number"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Words:
    """The texts that mean something for a variable: as they are written, and (``folded``) however they are written,
    each with the word that is meant."""

    exact: Table[str, float] = field(default_factory=dict)
    folded: Table[str, tuple[float, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a text means: a value (``used`` is the word if it had to be repaired), or a problem."""

    value: float | None = None
    used: str | None = None
    problem: str | None = None
    state: State = State.EMPTY
    more: str | None = None


def words_of(variable: Variable, values: Table[str, str]) -> Words:
    """Return the words of a flag or a category: the mapping's, then codes and labels of levels, or yes and no."""
    if variable.kind is Kind.FLAG:
        words = {text: float(FLAGS[meant.lower()]) for text, meant in values.items()}
        plain = {word: float(value) for word, value in FLAGS.items()}
        for written in (str.upper, str.capitalize, str.lower):
            words |= {written(word): value for word, value in plain.items() if written(word) not in words}
        return Words(words, {word.casefold(): (value, word) for word, value in words.items()})
    places = {level.code: float(place) for place, level in enumerate(variable.levels)}
    words = {text: places[meant] for text, meant in values.items()}
    for code, place in places.items():
        words.setdefault(code, place)
    labels: dict[str, set[float]] = {}
    for level in variable.levels:
        for label in level.label.parts().values():
            labels.setdefault(label, set()).add(places[level.code])
    for label, meant_places in labels.items():
        if len(meant_places) == 1:
            words.setdefault(label, *meant_places)
    folded: dict[str, set[float]] = {}
    for word, place in words.items():
        folded.setdefault(" ".join(word.casefold().split()), set()).add(place)
    codes = [level.code for level in variable.levels]
    return Words(words, {word: (min(of), codes[int(min(of))]) for word, of in folded.items() if len(of) == 1})


def number_sql(text: str, decimal: str | None) -> str:
    """Return SQL for the double that the SQL ``text`` writes, NULL if it writes none."""
    sign = decimal or "."
    plain = f"replace({text}, ',', '.')" if sign == "," else text
    return f"CASE WHEN regexp_full_match({text}, '{_NUMBER % sign}') THEN CAST({plain} AS DOUBLE) END"


def time_sql(text: str, dates: str | None, last: date) -> str:
    """Return SQL for the moment that ``text`` writes: ISO, or in the order ``dates``; NULL if none, or before
    :data:`FIRST_DAY` or after ``last``. Clocks are read as they are written, whatever their time zone."""
    formats = ", ".join(f"'{each}'" for each in _FORMATS[dates or "YMD"])
    digits = f"{text} >= '0' AND {text} < ':'"
    moment = f"coalesce(TRY_CAST({text} AS TIMESTAMP), try_strptime({text}, [{formats}]))"
    after = (last + timedelta(days=1)).isoformat()
    return (
        f"CASE WHEN {digits} AND {moment} >= TIMESTAMP '{FIRST_DAY}' AND {moment} < TIMESTAMP '{after}' "
        f"THEN {moment} END"
    )


def word(text: str, words: Words, kind: Kind) -> Meaning:
    """Return what a text that is none of the exact words means."""
    folded = " ".join(text.casefold().split())
    if folded in words.folded:
        value, used = words.folded[folded]
        if kind is Kind.FLAG:
            return Meaning(value)
        return Meaning(value, used, "value.repaired", State.REPAIRED)
    return Meaning(problem="csv.not_a_flag" if kind is Kind.FLAG else "csv.unknown_level")


def odd_number(text: str, decimal: str | None, variable: Variable | None) -> Meaning:
    """Return the problem of a text that is not a number, or one out of the plausible range."""
    sign = decimal or "."
    if re.fullmatch(_NUMBER % sign, text):
        return Meaning(problem="value.out_of_range", more=plausible(variable))
    if _BOUND.fullmatch(text):
        return Meaning(problem="value.only_a_bound")
    foreign = "." if sign == "," else ","
    if _FOREIGN.fullmatch(text) and foreign in text:
        return Meaning(problem="value.decimal_sign", more=sign)
    if _GROUPED.fullmatch(text):
        return Meaning(problem="value.thousands")
    return Meaning(problem="csv.not_a_number")


def odd_date(text: str, dates: str | None, last: date) -> Meaning:
    """Return the problem of a text that is not a date, or an impossible one."""
    order = dates or "YMD"
    if (found := _DATE.fullmatch(text)) is None:
        return Meaning(problem="value.not_a_date", more=order)
    parts = found.groups()[:3]
    order = "YMD" if len(parts[0]) == 4 else order
    named = dict(zip(order, parts, strict=True))
    if len(named["Y"]) != 4:
        return Meaning(problem="value.short_year" if len(parts[2]) != 4 else "value.not_a_date", more=order)
    year, month, day = (int(named[name]) for name in "YMD")
    if month > 12 and day <= 12:
        return Meaning(problem="value.date_order", more=order)
    try:
        meant = date(year, month, day)
    except ValueError:
        return Meaning(problem="value.no_such_day", state=State.REFUSED)
    if meant < FIRST_DAY or meant > last:
        return Meaning(problem="value.far_date", more=f"{FIRST_DAY} – {last}")
    return Meaning(problem="value.not_a_date", more=order)


def plausible(variable: Variable | None) -> str:
    """Return the plausible range of a number for people: ``0 – 10000 g/L``."""
    if variable is None:
        return ""
    low, high = ("…" if each is None else decimal_text(each) for each in (variable.minimum, variable.maximum))
    return f"{low} – {high} {variable.unit or ''}".rstrip()
