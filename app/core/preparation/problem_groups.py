"""Problems that a person mends in one go, put together, with what probably mends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.core.catalogue import units
from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import read_decimal
from app.core.preparation.column_matching import means_nothing, read_levels
from app.core.preparation.mapping import Mapping as MappingFile
from app.core.preparation.mapping import VariableMapping
from app.core.preparation.problems import Problem, Problems, State

EXAMPLES = 5
_ORDERS = {"YMD": "%Y-%m-%d", "DMY": "%d-%m-%Y", "MDY": "%m-%d-%Y"}
_UNITS = ("mg/dL", "g/dL", "g/L", "mg/L", "ug/L", "mmol/L", "umol/L", "g", "kg", "cm", "m", "d", "wk", "mo", "a")


@dataclass(frozen=True)
class Group:
    """All problems of one sort: ``first`` is one of them, ``different`` how many different values were kept of them,
    ``fix`` what mends them: {kind: decimal, dates, values, missing or unit, and what that needs}."""

    first: Problem
    count: int
    different: int
    examples: tuple[str, ...]
    fix: Mapping[str, Any] | None


def groups(problems: Problems, mapping: MappingFile, catalogue: Catalogue) -> tuple[Group, ...]:
    """Return the groups, those that lose rows first, then the largest."""
    kept: dict[tuple[str, str, str, str], list[Problem]] = {}
    for problem in problems:
        kept.setdefault(problem.sort, []).append(problem)
    counts = problems.counts()
    found = [_group(counts[sort], each, mapping, catalogue) for sort, each in kept.items()]
    states = list(State)
    return tuple(sorted(found, key=lambda group: (states.index(group.first.state), -group.count)))


def _group(count: int, kept: Sequence[Problem], mapping: MappingFile, catalogue: Catalogue) -> Group:
    values = list(dict.fromkeys(each.found for each in kept if each.found))
    fix = _fix(kept[0], values, mapping, catalogue)
    return Group(kept[0], count, len(values), tuple(values[:EXAMPLES]), fix)


def _fix(first: Problem, values: Sequence[str], mapping: MappingFile, catalogue: Catalogue) -> dict[str, Any] | None:
    variable = catalogue.find(first.variable or "")
    how = mapping.variables.get(first.variable or "", VariableMapping())
    if variable is None or not values:
        return None
    source = (how.table or mapping.patients or "").partition(".")[0]
    found: dict[str, Any] | None = None
    match first.code:
        case "value.decimal_sign":
            found = {"kind": "decimal", "source": source, "value": "," if first.more == "." else "."}
        case "value.date_order" | "value.not_a_date" if order := _order(values):
            found = {"kind": "dates", "source": source, "value": order}
        case "value.out_of_range" if unit := _unit(values, variable, how):
            found = {"kind": "unit", "variable": variable.code, "unit": unit}
        case "csv.unknown_level" | "csv.not_a_flag" if read := read_levels(variable, values):
            found = {"kind": "values", "variable": variable.code, "suggested": read}
        case _ if nothing := [each for each in values if means_nothing(each)]:
            found = {"kind": "missing", "variable": variable.code, "values": nothing}
    return found


def _order(values: Iterable[str]) -> str | None:
    """Return the one order in which all values are dates."""
    plain = [each.replace(".", "-").replace("/", "-")[:10].strip() for each in values]
    fitting = [order for order, form in _ORDERS.items() if all(_is_date(each, form) for each in plain)]
    return fitting[0] if len(fitting) == 1 else None


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False
    return True


def _unit(values: Iterable[str], variable: Variable, how: VariableMapping) -> str | None:
    """Return the one unit of those that laboratories use in which all values are plausible."""
    if variable.kind is not Kind.NUMBER or variable.unit is None or how.unit is not None or how.factor is not None:
        return None
    numbers = [number for each in values if (number := read_decimal(each.replace(",", "."))) is not None]
    wanted = variable.unit
    fitting = [
        unit
        for unit in _UNITS
        if unit != wanted
        and units.same_dimension(unit, wanted)
        and all(_plausible(units.convert(each, unit, wanted), variable) for each in numbers)
    ]
    return fitting[0] if numbers and len(fitting) == 1 else None


def _plausible(value: Decimal, variable: Variable) -> bool:
    low, high = variable.minimum, variable.maximum
    return (low is None or value >= low) and (high is None or value <= high)
