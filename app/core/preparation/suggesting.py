"""What a mapping probably says: for every variable of a catalogue the likeliest column or rule, why, and what else.

Names in any of the languages, the values of columns, units, and the codes that rows bear are looked at; formats say
themselves where patients, codes and times are. What is hardly better than a guess is not suggested, and a column that
two variables want goes to the one that it fits better, unless both are sure of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.preparation.coded_tables import Coded, coded_tables
from app.core.preparation.column_matching import (
    Because,
    Match,
    by_name,
    fit,
)
from app.core.preparation.name_words import (
    compact,
    roots,
    word_set,
    words,
)
from app.core.preparation.sources.source import Column, Staged, Table, table_reference
from app.core.preparation.survival_columns import survivals

if TYPE_CHECKING:
    from app.core.preparation.column_contents import Contents
    from app.core.preparation.mapping import Mapping as MappingFile

ENOUGH = 0.5
"""Below this confidence nothing is suggested."""
_ALTERNATIVE = 0.3
_ALTERNATIVES = 4
_SURE = 0.9
_SHOWN = 5
_COMMON = 300  # variables that share a word: it says nothing about any of them
_PATIENT = (
    "patientid personid subjectid patientnum patient patientnumber patientno patientennummer patientnr patnr pid "
    "recordid numeropatient nopatient idpatient subject participantid id mrn caseid fallnummer ipp"
)
_NUMBER = word_set("id nr no num number nummer numero key code")
_INDEX = word_set("index diagnosis inclusion einschluss enrolment enrollment baseline admission entry")


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to get a variable: ``how`` is what the mapping says under ``[variables.<code>]``."""

    how: Mapping[str, object]
    confidence: float
    because: Because


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is suggested for a variable (``best``, None if nothing is good enough), and what else it could be."""

    variable: str
    best: Choice | None
    alternatives: tuple[Choice, ...]


@dataclass(frozen=True)
class Suggested:
    """A mapping's contents: the table with one row a patient, the index date, the variables in the catalogue's order;
    ``keys`` is the column that names the patient, by table."""

    patients: str | None
    index: Mapping[str, object] | None
    keys: Mapping[str, str]
    variables: tuple[Suggestion, ...] = field(default_factory=tuple)


def suggest(
    catalogue: Catalogue, sources: Sequence[Staged], contents: Contents, before: MappingFile | None = None
) -> Suggested:
    """Return what is likeliest; ``before`` is a mapping that knows already which table has one row a patient, and which
    columns name the patients."""
    tables = [(table_reference(source, table), table) for source in sources for table in source.tables]
    keys = {name: key for name, table in tables if (key := _said(table, before) or patient_column(table)) is not None}
    known = None if before is None else before.patients
    whole = [
        (name, table)
        for name, table in tables
        if name in keys and (name == known or _once(table, keys[name], contents))
    ]
    patients = max(whole, key=lambda each: (each[0] == known, each[1].rows, len(each[1].columns)), default=None)
    index = _index(*patients) if patients and _needs_index(catalogue) else None
    found: dict[str, list[Choice]] = defaultdict(list)
    named = _Index(catalogue)
    for name, table in whole:
        for code, choice in _columns(named, name, table, keys[name], contents):
            found[code].append(choice)
        for variable, match in survivals(catalogue, table, contents, dated=index is not None):
            found[variable.code].append(_choice({"table": name}, match))
    for coded in coded_tables(catalogue, [each for each in tables if each not in whole], keys, contents):
        for code, choice in _rules(catalogue, coded, events=index is not None):
            found[code].append(choice)
    return Suggested(
        patients=patients[0] if patients else None,
        index=index,
        keys=keys,
        variables=tuple(_assigned(catalogue, found)),
    )


def patient_column(table: Table) -> str | None:
    """Return the column that names the patient: what the format says, else the likeliest by its name."""
    if table.patient is not None:
        return table.patient
    spelled = {compact(column.name): column.name for column in reversed(table.columns)}
    numbered = [each.name for each in table.columns if "patient" in (said := roots(each.name)) and said & _NUMBER]
    return next((spelled[name] for name in _PATIENT.split() if name in spelled), next(iter(numbered), None))


def _said(table: Table, before: MappingFile | None) -> str | None:
    """Return the column that names the patient in the mapping before, if it is there."""
    source = None if before is None else before.sources.get(table.source)
    said = None if source is None else source.patient
    return said if any(column.name == said for column in table.columns) else None


def _once(table: Table, key: str, contents: Contents) -> bool:
    return table.rows > 0 and contents.once(table, key)


def _columns(index: _Index, name: str, table: Table, key: str, contents: Contents) -> Iterator[tuple[str, Choice]]:
    """Yield what the columns of a table with one row a patient may be."""
    for column in table.columns:
        if column.name == key or not column.filled:
            continue
        values: Mapping[str, int] | None = None
        looked = False
        for variable in index.near(column):
            named = by_name(column, variable)
            if named is None:
                continue
            if not looked:
                values, looked = contents.values(table, column.name), True
            if (fits := fit(column, variable, values)) is not None:
                confidence = round(named.confidence * fits.confidence, 3)
                because = named.because if fits.confidence == 1 and "unit" not in fits.more else fits.because
                yield (
                    variable.code,
                    _choice({"table": name, "column": column.name}, Match(confidence, because, fits.more)),
                )


class _Index:
    """Finds the variables that share a word or a spelling with a column."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._by_word: dict[str, list[Variable]] = defaultdict(list)
        for variable in catalogue:
            labels = (variable.code, *variable.label.parts().values(), *variable.synonyms)
            spelled = {compact(label) for label in (*labels, variable.code.rpartition(":")[2])}
            for word in spelled.union(*map(roots, labels)):
                self._by_word[word].append(variable)

    def near(self, column: Column) -> Iterable[Variable]:
        names = [name for name in (column.name, column.label, column.name.rpartition(".")[2]) if name]
        asked = {compact(name) for name in names}.union(*map(roots, names))
        found = {
            variable.code: variable
            for word in asked
            if len(near := self._by_word.get(word, ())) <= _COMMON
            for variable in near
        }
        return found.values()


def _rules(catalogue: Catalogue, coded: Coded, *, events: bool) -> Iterator[tuple[str, Choice]]:
    """Yield the rules that rows with codes give."""
    for variable in catalogue:
        if (seen := coded.seen(variable)) is None:
            continue
        how: dict[str, object] = {"table": coded.table}
        match variable.kind:
            case Kind.FLAG:
                how["rule"] = "ever"
            case Kind.NUMBER if coded.value is not None:
                how["rule"] = "last"
            case Kind.DATE if coded.time is not None:
                how["rule"] = "first"
            case Kind.EVENT if coded.time is not None and events:  # whose times are counted from the index date
                pass
            case _:
                continue
        how["codes"] = list(seen.codes)
        if seen.system is not None:
            how["system"] = seen.system
        how |= coded.columns(value=variable.kind is Kind.NUMBER)
        because = Because("preparing.because.codes", {"rows": seen.rows, "codes": ", ".join(seen.codes[:_SHOWN])})
        yield variable.code, Choice(how, 0.95, because)


def _choice(where: Mapping[str, object], match: Match) -> Choice:
    return Choice({**where, **match.more}, match.confidence, match.because)


def _assigned(catalogue: Catalogue, found: Mapping[str, list[Choice]]) -> Iterator[Suggestion]:
    """Give columns to the variables that they fit best."""
    wanted = sorted(
        ((choice.confidence, code, place) for code, choices in found.items() for place, choice in enumerate(choices)),
        key=lambda each: (-each[0], each[1], each[2]),
    )
    taken: set[tuple[object, object]] = set()
    best: dict[str, Choice] = {}
    for confidence, code, place in wanted:
        choice = found[code][place]
        column = (choice.how.get("table"), choice.how.get("column"))
        free = "rule" in choice.how or column not in taken or confidence >= _SURE
        if confidence >= ENOUGH and code not in best and free:
            best[code] = choice
            taken.add(column)
    for variable in catalogue:
        choices = sorted(found.get(variable.code, ()), key=lambda each: -each.confidence)
        chosen = best.get(variable.code)
        others = [each for each in choices if each is not chosen and each.confidence >= _ALTERNATIVE]
        yield Suggestion(variable.code, chosen, tuple(others[:_ALTERNATIVES]))


def _needs_index(catalogue: Catalogue) -> bool:
    return any(variable.kind in (Kind.EVENT, Kind.SURVIVAL) for variable in catalogue)


def _index(name: str, table: Table) -> Mapping[str, object] | None:
    """Return the date that a patient's times are probably measured from."""
    dates = [column for column in table.columns if column.type == "date" and column.filled]
    named = [column for column in dates if not _INDEX.isdisjoint(roots(column.name) | set(words(column.label or "")))]
    best = max(named, key=lambda column: column.filled, default=None)
    return None if best is None else {"table": name, "column": best.name}
