"""Tables with one row an observation: which of their columns hold codes, times and values, and whose codes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from app.core.catalogue.model import Catalogue, Variable
from app.core.preparation.name_words import compact, word_set, words
from app.core.preparation.sources.source import Column, Long, Table

if TYPE_CHECKING:
    from app.core.preparation.column_contents import Code, Contents

_SYSTEMS = {
    "icd10": "ICD10 ICD10CM ICD10GM ICD10WHO ICD10CH",
    "loinc": "LOINC LNC LN",
    "atc": "ATC WHOATC ANATOMICALTHERAPEUTICCHEMICAL",
    "snomed": "SNOMED SNOMEDCT SCT SNOMEDCTUS",
    "rxnorm": "RXNORM RXCUI RX",
    "hgnc": "HGNC GENE HUGO HUGOSYMBOL HGNCSYMBOL",
    "cpt": "CPT CPT4",
    "chop": "CHOP",
    "ops": "OPS",
}
_KNOWN = {spelled.lower(): system for system, names in _SYSTEMS.items() for spelled in names.split()}
_TREES = frozenset({"icd10", "atc"})  # whose codes begin with the codes above them
_CODE_WORDS = word_set("code loinc icd icd10 atc snomed concept gene symbol analyte test item")
_VALUE_WORDS = word_set("value result wert resultat ergebnis valeur messwert val")
_UNIT_WORDS = word_set("unit units einheit unite einheiten")
_PREFIXED = 20  # letters of a system before a colon


@dataclass(frozen=True, slots=True)
class VariableCodes:
    """The codes of a variable as a mapping lists them (a star stands for all that begin so), the vocabulary that the
    rows say they are of, and how many rows have one."""

    codes: tuple[str, ...]
    system: str | None
    rows: int


@dataclass(frozen=True)
class Coded:
    """A table whose rows bear codes. ``said`` is whether the format itself says which columns do what."""

    table: str
    code: str
    time: str | None
    value: str | None
    unit: str | None
    said: bool
    _rows: Mapping[Code, int]
    _sorted: Sequence[tuple[str, Code]]
    """Codes without system, points and case, each with how it is written; ascending."""

    def seen(self, variable: Variable) -> VariableCodes | None:
        """Return which of the codes are the variable's; None if there are none."""
        system, code = _own_code(variable)
        if code is None:
            return None
        plain, below = _plain(code), system in _TREES
        found: list[Code] = []
        for bare, written in islice(self._sorted, bisect_left(self._sorted, (plain,)), None):
            if not (bare.startswith(plain) if below else bare == plain):
                break
            if _fits_system(written, system):
                found.append(written)
        if not found:
            return None
        systems = {name for name, _ in found}
        codes = {_above(text, plain) if below else text for _, text in found}
        named = systems.pop() if len(systems) == 1 else ""
        return VariableCodes(tuple(sorted(codes)), named or None, sum(self._rows[each] for each in found))

    def columns(self, *, value: bool) -> dict[str, object]:
        """Return what a mapping has to say about the columns, where the format does not."""
        if self.said:
            return {}
        named = {"code_column": self.code, "time_column": self.time}
        if value:
            named |= {"value_column": self.value, "unit_column": self.unit}
        return {key: name for key, name in named.items() if name is not None}


def coded_tables(
    catalogue: Catalogue, tables: Sequence[tuple[str, Table]], keys: Mapping[str, str], contents: Contents
) -> Iterator[Coded]:
    """Yield the tables whose rows bear codes: where the format says so, or where codes of the catalogue are met."""
    asked = {_plain(code) for variable in catalogue if (code := _own_code(variable)[1]) is not None}
    for name, table in tables:
        long = table.long or (_guessed(table, keys[name], asked, contents) if name in keys else None)
        if long is not None:
            rows = contents.codes(table, long.code, long.system)
            bare = sorted((_plain(_without_system(text)), (system, text)) for system, text in rows)
            yield Coded(name, long.code, long.time, long.value, long.unit, table.long is not None, rows, bare)


def _guessed(table: Table, key: str, asked: set[str], contents: Contents) -> Long | None:
    """Return the columns of a table that says nothing of them: the code column holds codes of the catalogue."""
    met: dict[str, int] = {}
    for column in table.columns:
        numbers = column.type == "number" and _CODE_WORDS.isdisjoint(words(column.name))
        if column.name != key and column.type not in ("date", "flag") and not numbers:
            codes = contents.codes(table, column.name, None)
            met[column.name] = sum(count for (_, text), count in codes.items() if _met(text, asked))
    best = max(met, key=lambda name: met[name], default=None)
    if best is None or not met[best]:
        return None
    rest = [column for column in table.columns if column.name not in (key, best)]
    return Long(
        code=best,
        time=_first(rest, lambda column: column.type == "date"),
        value=_first(rest, lambda column: not _VALUE_WORDS.isdisjoint(words(column.name)))
        or _first(rest, lambda column: column.type == "number"),
        unit=_first(rest, lambda column: not _UNIT_WORDS.isdisjoint(words(column.name))),
    )


def _first(columns: Sequence[Column], test: Callable[[Column], bool]) -> str | None:
    return next((column.name for column in columns if test(column)), None)


def _met(written: str, asked: set[str]) -> bool:
    plain = _plain(_without_system(written))
    return any(plain[:length] in asked for length in range(3, len(plain) + 1))


def _own_code(variable: Variable) -> tuple[str | None, str | None]:
    """Return the (system, code) of a variable: what the catalogue says, else what its own code looks like."""
    if variable.system_code is not None:
        return _system(variable.system or ""), variable.system_code
    prefix, colon, code = variable.code.partition(":")
    system = _system(prefix) if colon else None
    return (system, code) if system is not None else (None, None)


def _system(text: str) -> str | None:
    return _KNOWN.get(compact(text.rpartition("/")[2]))


def _plain(code: str) -> str:
    return code.replace(".", "").strip().upper()


def _without_system(written: str) -> str:
    prefix, colon, rest = written.partition(":")
    return rest if colon and len(prefix) <= _PREFIXED and rest else written


def _fits_system(written: Code, system: str | None) -> bool:
    name, text = written
    prefix, colon, _ = text.partition(":")
    found = _system(name) or (_system(prefix) if colon else None)
    return found is None or system is None or found == system


def _above(text: str, plain: str) -> str:
    """Return the pattern of all that is below a code, in the spelling in which one of them was met."""
    rest = _without_system(text)
    length = next(end for end in range(len(rest) + 1) if _plain(rest[:end]) == plain)
    return f"{text[: len(text) - len(rest)]}{rest[:length]}*"
