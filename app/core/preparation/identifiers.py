"""Columns that say who a patient is: found by their names, their contents, and by what their format says of them.

Nothing that is found here leaves the machine: kinds and counts are told, never a value. A column that a mapping uses
is blocked until a person confirms it; one that lies beside is pointed out only, because nothing of it is sealed. The
column that holds the patients' own numbers is no finding: it is what rows are joined by, and is never sealed either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.jobs.job import Job
from app.core.preparation.name_words import compact, word_set, words
from app.core.preparation.national_ids import NATIONAL_IDS, NationalId
from app.core.preparation.sources.source import Column, Staged, Table, table_reference
from app.core.preparation.sql import quoted

if TYPE_CHECKING:
    from app.core.preparation.engine import Engine

SAMPLED = 20_000
"""How many rows of a table are looked at, about; of a smaller table all."""
KINDS = (
    "name",
    "national_id",
    "birth_date",
    "email",
    "phone",
    "address",
    "free_text",
    "patient_number",
    "identifier",
)
"""What is found; ``identifier`` is what a format calls so without saying what it is."""

TableColumn = tuple[str, str]
"""A table as mappings name it, and a column."""

_NAMED: Mapping[str, frozenset[str]] = {
    "name": word_set(
        "name nom nachname vorname prenom firstname lastname surname forename familyname givenname fullname "
        "patientname patientenname maidenname ledigname nomdefamille nompatient nomnaissance familienname given family"
    ),
    "national_id": word_set(
        "ahv avs ahvnr ahvnummer noavs numeroavs ssn svnr nir insee nhs nhsnumber nhsno kvnr steuerid socialsecurity "
        "socialsecuritynumber sozialversicherungsnummer versichertennummer passport passportnumber nationalid"
    ),
    "email": word_set("email mail emailaddress courriel"),
    "phone": word_set("phone phonenumber tel telefon telephone mobile mobil natel handy fax telefonnummer"),
    "address": word_set(
        "address adresse street strasse rue plz zip zipcode postcode postalcode postleitzahl npa codepostal city ort "
        "wohnort ville domicile addressline"
    ),
    "birth_date": word_set(
        "dob birthdate dateofbirth birthdatetime birthday geburtsdatum gebdat geburtstag datedenaissance "
        "datenaissance ddn"
    ),
    "patient_number": word_set(
        "mrn pid patientid patientno patientnumber patientennummer patientnr patnr patid patientnum fallnummer fallnr "
        "caseid casenumber hospitalnumber numeropatient nopatient ipp encounterid visitid subjectid"
    ),
    "free_text": word_set(
        "comment comments remark remarks bemerkung bemerkungen kommentar kommentare remarque remarques commentaire "
        "notes note notiz freitext freetext narrative notetext reporttext anamnese befund"
    ),
}
_TELLING = {  # words that say it in whatever company
    **dict.fromkeys(word_set("vorname nachname surname firstname lastname prenom forename"), "name"),
    **dict.fromkeys(word_set("email courriel"), "email"),
    **dict.fromkeys(word_set("telefon telephone phone natel"), "phone"),
    **dict.fromkeys(word_set("ahv ssn mrn nir"), "national_id"),
    **dict.fromkeys(word_set("dob birthdate geburtsdatum"), "birth_date"),
    "mrn": "patient_number",
}
_FIRST_NAMES = word_set(
    "anna maria marie peter hans thomas daniel michael martin andreas christian stefan markus sandra nicole barbara "
    "monika ursula elisabeth ruth verena claudia susanne karin petra sabine heidi jean pierre michel philippe alain "
    "patrick nathalie isabelle catherine francoise jacqueline monique sylvie christine anne claude andre jacques "
    "francois laurent pascal nicolas olivier julien camille chloe lea emma louis hugo lucas giovanni giuseppe antonio "
    "francesco marco luca paolo andrea laura sara giulia chiara anja julia lisa lena leonie mia noah leon luis felix "
    "paul max jonas elias david samuel john james robert william mary patricia jennifer linda susan jessica sarah "
    "karen nancy margaret elizabeth charles joseph richard george edward heinrich friedrich wolfgang klaus juergen "
    "dieter gerhard werner manfred helmut gisela ingrid renate brigitte carlos jose manuel ana luisa fernando pedro "
    "ivan dragan milan jelena ali mohamed mehmet fatma ayse yusuf"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(\+|00)[1-9][0-9]([ ()./-]*[0-9]){6,12}|0[1-9][0-9][ /.-]?[0-9]{3}[ .-][0-9]{2}[ .-][0-9]{2}")
_ADDRESS = re.compile(
    r".*(strasse|straße|str\.|gasse|weg|platz|allee|\brue\b|\bavenue\b|\bchemin\b|\broute\b|\bboulevard\b|\bstreet\b"
    r"|\broad\b|\blane\b|\bdrive\b|\bvia\b).*[0-9].*|.*[0-9].*(\brue\b|\bavenue\b|\bchemin\b|\broute\b|\bstreet\b"
    r"|\broad\b|\blane\b).*",
    re.IGNORECASE,
)
_TITLED = re.compile(r"(Herr|Frau|Hr\.|Fr\.|Mr\.?|Mrs\.?|Ms\.?|Mme|Mlle|M\.|Monsieur|Madame|Dr\.?) [A-ZÀ-Ý].*")
_NUMBERED = re.compile(r"[A-Za-z]{0,4}[-/ ]?[0-9]{6,12}")
_YEAR = re.compile(r"(?<![0-9])(1[89]|20)[0-9]{2}(?![0-9])")
_SHARE = 0.2  # of a column's values that tell a kind
_FEW = 5
_LONG_TEXT = 6  # words
_LOOKED_AT = 1_000  # characters of a value: what is longer takes its patterns hours
_LIFETIME = 45  # years that dates of birth spread over, and hardly any other dates of a register


@dataclass(frozen=True, slots=True)
class Identifier:
    """A column that tells who a patient is: how that is known (``name``, ``content`` or ``format``), and how many of
    the values that were looked at show it. ``used``: the mapping takes a variable's values from it."""

    table: str
    column: str
    kind: str
    why: str
    values: int
    used: bool
    confirmed: bool

    @property
    def blocks(self) -> bool:
        """Whether nothing may be sealed before a person has confirmed it."""
        return self.used and not self.confirmed


def find_identifiers(
    engine: Engine,
    sources: Sequence[Staged],
    *,
    used: Collection[TableColumn],
    patients: Collection[TableColumn],
    confirmed: Collection[TableColumn],
    job: Job,
) -> tuple[Identifier, ...]:
    """Return what is found in all staged tables, in their order.

    ``used`` are the columns that the mapping takes values from, ``patients`` those that name the patient.
    """
    tables = [(table_reference(source, table), table) for source in sources for table in source.tables]
    meter = job.meter("preparing.step.identifiers", sum(len(table.columns) for _, table in tables))
    found = []
    for name, table in tables:
        for column in table.columns:
            meter.advance()
            place = (name, column.name)
            if place in patients or column.name == table.patient or not column.filled:
                continue
            if (judged := judge(column, sample(engine, table, column))) is not None:
                kind, why, count = judged
                found.append(Identifier(*place, kind, why, count, used=place in used, confirmed=place in confirmed))
    return tuple(found)


def sample(engine: Engine, table: Table, column: Column) -> dict[str, int]:
    """Return the values of about :data:`SAMPLED` rows that lie all over the table, with how many rows have each."""
    step = max(1, table.rows // SAMPLED)
    value = f"left(trim({quoted(column.name)}), {_LOOKED_AT})"
    rows = engine.execute(
        f"SELECT {value}, count(*) FROM {quoted(table.source, table.name)} "
        f"WHERE hash(_row) % ? = 0 AND {value} <> '' GROUP BY 1",
        [step],
    ).fetchall()
    return {str(text): int(count) for text, count in rows}


def judge(column: Column, values: Mapping[str, int]) -> tuple[str, str, int] | None:
    """Return (kind, why, how many values show it) of a column with these values, or None if it tells nobody."""
    total = sum(values.values())
    if column.identifier is not None:
        return column.identifier if column.identifier in KINDS else "identifier", "format", total
    if not values or column.type == "flag":
        return None
    for kind, count in _by_content(column, values, total):
        return kind, "content", count
    named = _by_name(column)
    return (named, "name", total) if named is not None and _fits(named, column, values) else None


def _by_name(column: Column) -> str | None:
    for name in filter(None, (column.name, column.label)):
        spelled = compact(name)
        for kind, names in _NAMED.items():
            if spelled in names:
                return kind
        for word in words(name):
            if word in _TELLING:
                return _TELLING[word]
    return None


def _fits(kind: str, column: Column, values: Mapping[str, int]) -> bool:
    """Return whether the contents can be what the name says."""
    match kind:
        case "birth_date":
            return column.type == "date"  # a year of birth alone is none
        case "name":
            return column.type == "text" and not any(map(str.isdigit, values))
        case "free_text":
            return column.type == "text" and _count(values, lambda text: " " in text) > 0
        case _:
            return column.type != "date"


def _by_content(column: Column, values: Mapping[str, int], total: int) -> Iterator[tuple[str, int]]:
    if column.type == "date":
        if (years := _years(values)) and max(years) - min(years) >= _LIFETIME and len(values) > total / 4:
            yield "birth_date", total
        return
    for national in NATIONAL_IDS:
        if count := _national(national, values, total):
            yield "national_id", count
    if count := _count(values, lambda text: _EMAIL.search(text) is not None):
        yield "email", count
    if (count := _count(values, lambda text: _PHONE.fullmatch(text) is not None)) >= max(2, _SHARE * total):
        yield "phone", count
    if column.type in ("text", "code"):
        yield from _in_text(values, total)
    shapes = {(len(text), text[:1].isdigit()) for text in values}
    unique = len(values) == total >= 4 * _FEW and len(shapes) <= _FEW
    if unique and _count(values, lambda text: _NUMBERED.fullmatch(text) is not None) == total:
        yield "patient_number", total


def _in_text(values: Mapping[str, int], total: int) -> Iterator[tuple[str, int]]:
    enough = max(2, _SHARE * total)
    if (count := _count(values, lambda text: _ADDRESS.fullmatch(text) is not None)) >= enough:
        yield "address", count
    long_texts = _count(values, lambda text: len(text.split()) >= _LONG_TEXT)
    if long_texts >= enough and len(values) > max(_FEW, total / 4):  # a few long labels are no free text
        yield "free_text", long_texts
    if (count := _count(values, _is_person)) >= enough and len(values) >= min(total / 4, 2 * _FEW):
        yield "name", count


def _is_person(text: str) -> bool:
    return _TITLED.fullmatch(text) is not None or (len(text) <= 60 and not _FIRST_NAMES.isdisjoint(words(text)))


def _national(national: NationalId, values: Mapping[str, int], total: int) -> int:
    pattern = re.compile(national.pattern)
    formed = [text for text in values if pattern.fullmatch(text)]
    valid = sum(values[text] for text in formed if national.fits(text))
    of_form = sum(values[text] for text in formed)
    if national.typical:
        return valid if valid >= 0.3 * of_form else 0
    return valid if valid >= max(_FEW, 0.9 * of_form, 0.5 * total) and len(formed) >= _FEW else 0


def _count(values: Mapping[str, int], test: Callable[[str], bool]) -> int:
    return sum(count for text, count in values.items() if test(text))


def _years(values: Mapping[str, int]) -> list[int]:
    return [int(found[0]) for text in values if (found := _YEAR.search(text))]
