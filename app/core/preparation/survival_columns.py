"""Survival in a table with one row a patient: a column of times and one that says whether the event ended them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.preparation.column_matching import Because, Match, unit_of
from app.core.preparation.name_words import (
    compact,
    folded,
    roots,
    word_set,
    words,
)
from app.core.preparation.sources.source import Column, Table

if TYPE_CHECKING:
    from app.core.preparation.column_contents import Contents

_TIME_WORDS = word_set("time days day months month years follow survival tage monate jours mois")
_LAST_WORDS = word_set("last letzter letzte kontakt contact dernier derniere nouvelles end ende follow")
_EVENT_WORDS = word_set("status event death censor censored relapse recurrence progression rezidiv")
_ENDED = ("dead", "died", "deceased", "event", "progress", "recurr", "relapse", "tot", "verstorben", "decede")
_UNITS = {"months": "mo", "month": "mo", "monate": "mo", "mois": "mo", "years": "a", "jahre": "a", "weeks": "wk"}
_MOST_VALUES = 6


def survivals(
    catalogue: Catalogue, table: Table, contents: Contents, *, dated: bool
) -> Iterator[tuple[Variable, Match]]:
    """Yield the survival variables that a table may hold; ``dated``: there is a day to count from."""
    asked = [variable for variable in catalogue if variable.kind is Kind.SURVIVAL]
    if not asked:
        return
    times = [column for column in table.columns if column.type == "number" and _says(column, _TIME_WORDS)]
    if dated:
        times += [column for column in table.columns if column.type == "date" and _says(column, _LAST_WORDS)]
    events = [
        (column, ended)
        for column in table.columns
        if _says(column, _EVENT_WORDS) and (ended := _ended(column, contents.values(table, column.name)))
    ]
    for variable in asked:
        for time in times:
            for event, ended in events:
                if confidence := _fit(variable, time, event, alone=len(asked) == 1 and len(events) == 1):
                    said = {"time": time.name, "event": event.name}
                    more: dict[str, object] = {"end_column" if time.type == "date" else "column": time.name}
                    if time.type == "number" and (unit := _unit(time)) not in (None, "d"):
                        more["unit"] = unit
                    more |= {"event_column": event.name, "event_values": ended}
                    yield variable, Match(confidence, Because("preparing.because.survival", said), more)


def _fit(variable: Variable, time: Column, event: Column, *, alone: bool) -> float:
    short = compact(variable.code.rpartition(":")[2])
    if compact(time.name).startswith(short) and compact(event.name).startswith(short):  # OS_MONTHS and OS_STATUS
        return 0.95
    named = roots(variable.code).union(*map(roots, variable.label.parts().values()))
    shared = (roots(time.name) | roots(event.name)) & named - {"time", "status"}
    return 0.75 if shared else 0.6 if alone else 0.0


def _says(column: Column, wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(roots(column.name) | roots(column.label or "") | set(words(column.name)))


def _unit(column: Column) -> str | None:
    return unit_of(column) or next((_UNITS[word] for word in words(column.name) if word in _UNITS), None)


def _ended(column: Column, values: Mapping[str, int] | None) -> list[str]:
    """Return the values that mean that the event happened."""
    if not values or len(values) > _MOST_VALUES:
        return []
    said = {value: folded(column.values.get(value, value)) for value in values}
    told = [value for value, text in said.items() if any(each in text for each in _ENDED)]
    told = [value for value in told if "free" not in said[value]]
    if told or values.keys() <= {"0", "1"}:
        return sorted(told or ["1"])
    return ["2"] if values.keys() <= {"1", "2"} else [each for each in values if folded(each) in ("true", "yes", "ja")]
