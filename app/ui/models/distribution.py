"""How the own site's patients are distributed, for the editors: what ``data.report`` tells, as frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import decimal_text


@dataclass(frozen=True)
class Bar:
    """So many patients in the places [first, end): levels of a category, or ranges between a number's cut points."""

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
    """Return the bars of a category or a number; None where the report has none, or those of other ranges."""
    if plain is None:
        return None
    if variable.kind not in (Kind.CATEGORY, Kind.NUMBER):
        return Distribution(plain.get("known"), ())
    places = {level.code: place for place, level in enumerate(variable.levels)}
    cuts = {decimal_text(cut): place + 1 for place, cut in enumerate(variable.cut_points)}
    bars = []
    for each in plain.get("bins", ()):
        if variable.levels:
            found = sorted(places[code] for code in each["levels"] if code in places)
            bars += [Bar(place, place + 1, each["count"]) for place in found if len(found) == 1]
        else:
            low = 0 if each.get("from") is None else cuts.get(each["from"])
            high = len(cuts) + 1 if each.get("to") is None else cuts.get(each["to"])
            if low is None or high is None:
                return None
            bars.append(Bar(low, high, each["count"]))
    return Distribution(plain.get("known"), tuple(bars))
