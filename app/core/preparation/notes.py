"""What a data manager should know before sealing, though nothing is wrong: ages, rare levels, few patients, units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.errors import SafeParam
from app.core.preparation.name_words import roots

if TYPE_CHECKING:
    from app.core.preparation.table import ClearTable

RARE = 10
"""Fewer patients than these with a level or a flag are pointed out."""
FEW_PATIENTS = 50
OLDEST = Decimal(89)
"""Ages beyond this in years identify people, many rules say: one class of 90 or older is what they ask for."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note: ``code`` is the key of its text, ``params`` what it says; about one variable, or about all (None)."""

    code: str
    variable: str | None = None
    params: Mapping[str, SafeParam] = field(default_factory=dict)


def notes(table: ClearTable, catalogue: Catalogue, units_assumed: Iterable[str] = ()) -> tuple[Note, ...]:
    """Return the notes on a table, general ones first; ``units_assumed`` are variables whose unit nobody says."""
    return tuple(_notes(table, catalogue, frozenset(units_assumed)))


def _notes(table: ClearTable, catalogue: Catalogue, units_assumed: frozenset[str]) -> Iterator[Note]:
    if table.patients < FEW_PATIENTS:
        yield Note("preparing.note.few_patients", params={"patients": table.patients})
    counts: dict[str, dict[str, int]] = {}
    for index, column in enumerate(table.columns):
        counts.setdefault(column.variable, {})[column.part] = table.count(index)
    for variable in map(catalogue.variable, table.variables):
        of_parts = counts[variable.code]
        yield from _about(variable, of_parts)
        if variable.code in units_assumed and any(of_parts.values()):
            told: dict[str, SafeParam] = {"variable": variable.code, "unit": variable.unit}
            yield Note("preparing.note.unit_assumed", variable.code, told)


def _about(variable: Variable, counts: Mapping[str, int]) -> Iterator[Note]:
    named: dict[str, SafeParam] = {"variable": variable.code}
    if not any(counts.values()):
        yield Note("preparing.note.nobody", variable.code, named)
        return
    if variable.kind in (Kind.FLAG, Kind.CATEGORY):
        rare = [part.removeprefix("level:") for part, count in counts.items() if 0 < count < RARE]
        if variable.kind is Kind.FLAG and rare:
            yield Note("preparing.note.rare_flag", variable.code, {**named, "limit": RARE})
        elif rare:
            yield Note("preparing.note.rare_levels", variable.code, {**named, "levels": ", ".join(rare), "limit": RARE})
    if _is_age(variable):
        beyond = [cut for cut in variable.cut_points if cut > OLDEST + 1]
        if beyond:
            patients = counts[f"ge:{decimal_text(beyond[0])}"]
            told = {**named, "cuts": ", ".join(map(decimal_text, beyond)), "patients": patients}
            yield Note("preparing.note.old_cuts", variable.code, told)
        if variable.digits is not None and variable.digits.maximum > OLDEST + 1:
            yield Note("preparing.note.old_sums", variable.code, named)


def _is_age(variable: Variable) -> bool:
    if variable.kind is not Kind.NUMBER or variable.unit not in ("a", "mo", None):
        return False
    return "age" in roots(variable.code).union(*map(roots, variable.label.parts().values()))
