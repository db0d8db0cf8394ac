"""How the own site's patients are distributed, for the editors: what ``data.report`` tells, as frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import decimal_text


@dataclass(frozen=True)
class Bar:
    """So many patients in the places [first, end): levels of a category, or ranges between the borders of a number,
    of a date or of an event's first time."""

    first: int
    end: int
    count: int


@dataclass(frozen=True)
class Distribution:
    """One variable at the own site. ``known`` None is a few."""

    known: int | None
    bars: tuple[Bar, ...]


def distributions_from_plain(plain: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what the report says of each variable, by code; made into bars when it is looked at."""
    return {str(each["code"]): each for each in plain}


def distribution(variable: Variable, plain: Mapping[str, Any] | None) -> Distribution | None:
    """Return the bars of a category, a number, a date or an event; None where the report has none, or those of other
    ranges. Of a flag and of survival there are none."""
    if plain is None:
        return None
    bins, known = plain.get("bins", ()), plain.get("known")
    if variable.kind is Kind.CATEGORY:
        return Distribution(known, _levels(variable, bins))
    if (places := _places(variable)) is None:
        return Distribution(known, ())
    first, last, borders = places
    bars = []
    for each in bins:
        low = first if each.get("from") is None else borders.get(each["from"])
        high = last if each.get("to") is None else borders.get(each["to"])
        if low is None or high is None or low >= high:
            return None
        bars.append(Bar(low, high, each["count"]))
    return Distribution(known, tuple(bars))


def _levels(variable: Variable, bins: Iterable[Mapping[str, Any]]) -> tuple[Bar, ...]:
    places = {level.code: place for place, level in enumerate(variable.levels)}
    bars = []
    for each in bins:
        found = sorted(places[code] for code in each["levels"] if code in places)
        bars += [Bar(place, place + 1, each["count"]) for place in found if len(found) == 1]
    return tuple(bars)


def _places(variable: Variable) -> tuple[int, int, dict[str, int]] | None:
    """Return the places of no lower and no upper bound, and those of the borders as the report writes them."""
    if variable.kind is Kind.NUMBER:
        texts = [decimal_text(cut) for cut in variable.cut_points]
    elif variable.calendar is not None:
        texts = [variable.calendar.text(start) for start in variable.calendar.starts()]
    elif variable.kind is Kind.EVENT and (periods := variable.periods) is not None:
        return 0, periods.count, {str(p): p - periods.first for p in range(periods.first, periods.numbers.stop + 1)}
    else:
        return None
    return 0, len(texts) + 1, {each: place for place, each in enumerate(texts, 1)}
