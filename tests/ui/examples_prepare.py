"""A dataset being prepared, as the commands tell of it, for the tests and pictures of the wizard."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.errors import ConsiliumError
from app.core.jobs.job import Cancelled, Progress
from app.ui.models.preparing_federation import Federation

FEDERATION = "/media/stick/melanoma.public"
SITES = ("Lausanne", "Geneva", "Bern", "Zürich")
FOLDER = "/data/export"
WORDS = "village basket orient lemon castle travel harbor window maple silver garden bridge"
DIGITS = "0f3a 9b22 71c4 5e08"


def _label(en: str, fr: str, de: str) -> Label:
    return Label(en, fr, de)


def _number(code: str, label: Label, unit: str, cuts: list[int]) -> Variable:
    return Variable(code, Kind.NUMBER, label, unit=unit, cut_points=tuple(map(Decimal, cuts)))


def _category(code: str, label: Label, *levels: tuple[str, str, str, str]) -> Variable:
    return Variable(code, Kind.CATEGORY, label, levels=tuple(Level(level, _label(*names)) for level, *names in levels))


def catalogue() -> Catalogue:
    """A catalogue with every kind of variable."""
    return Catalogue(
        "Melanoma registry",
        3,
        (
            _category(
                "sex",
                _label("Sex", "Sexe", "Geschlecht"),
                ("female", "female", "femme", "weiblich"),
                ("male", "male", "homme", "männlich"),
            ),
            _number(
                "age", _label("Age at diagnosis", "Âge au diagnostic", "Alter bei Diagnose"), "a", [40, 50, 60, 70]
            ),
            _category(
                "stage",
                _label("Stage", "Stade", "Stadium"),
                *((each, each, each, each) for each in ("I", "II", "III", "IV")),
            ),
            Variable(
                "ICD10:C43",
                Kind.FLAG,
                _label("Malignant melanoma of skin", "Mélanome malin de la peau", "Bösartiges Melanom der Haut"),
            ),
            Variable("ICD10:C79.3", Kind.FLAG, _label("Brain metastases", "Métastases cérébrales", "Hirnmetastasen")),
            Variable("gene:BRAF", Kind.FLAG, _label("BRAF mutation", "Mutation BRAF", "BRAF-Mutation")),
            _number(
                "lab:creatinine",
                _label(
                    "Creatinine, last before treatment",
                    "Créatinine, dernière avant traitement",
                    "Kreatinin, letztes vor Behandlung",
                ),
                "umol/L",
                [60, 90, 120],
            ),
            _number(
                "lab:ldh", _label("LDH at diagnosis", "LDH au diagnostic", "LDH bei Diagnose"), "U/L", [200, 400, 800]
            ),
            _number("breslow", _label("Breslow thickness", "Épaisseur de Breslow", "Breslow-Dicke"), "mm", [1, 2, 4]),
            Variable(
                "diagnosis_date",
                Kind.DATE,
                _label("Date of diagnosis", "Date du diagnostic", "Datum der Diagnose"),
                calendar=Calendar(Granularity.MONTH, date(2010, 1, 1), date(2026, 12, 1)),
            ),
            Variable(
                "rx:pembrolizumab",
                Kind.EVENT,
                _label("Pembrolizumab given", "Pembrolizumab administré", "Pembrolizumab gegeben"),
                periods=Periods(Decimal(30), 24, 0),
            ),
            Variable(
                "os",
                Kind.SURVIVAL,
                _label("Overall survival", "Survie globale", "Gesamtüberleben"),
                periods=Periods(Decimal(30), 60, 0),
            ),
            Variable("autopsy", Kind.FLAG, _label("Autopsy done", "Autopsie faite", "Obduktion durchgeführt")),
        ),
    )


def federation() -> Federation:
    """The federation that the dataset is prepared for."""
    return Federation(FEDERATION, "Swiss melanoma network", SITES, catalogue())


def column(name: str, type: str, filled: int, distinct: int | None, *examples: str, **more: Any) -> dict[str, Any]:
    """A column as ``data map`` tells of it."""
    told = {"name": name, "type": type, "filled": filled, "distinct": distinct, "examples": list(examples)}
    return {**told, "label": None, "unit": None, "identifier": None, **more}


def source(name: str, file: str, rows: int, columns: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A source as ``data map`` tells of it."""
    settings = {"encoding": "windows-1252", "delimiter": ";", "decimal": ".", "dates": "DMY", "missing": [""]}
    table = {"name": name, "file": file, "rows": rows, "patient": "patient_id", "long": None, "columns": columns}
    return {
        "name": name,
        "format": "csv",
        "files": [f"{FOLDER}/{file}"],
        "settings": {**settings, **more.pop("settings", {})},
        "found_out": ["encoding", "delimiter", "decimal", "dates"],
        "tables": [{**table, **more}],
    }


SOURCES = [
    source(
        "patients",
        "patients.csv",
        8214,
        [
            column("patient_id", "code", 8213, None, "P-00017", "P-00018", "P-00021"),
            column("name", "text", 8214, None, identifier="name"),
            column("birth_date", "date", 8190, 7821, identifier="birth_date"),
            column("gender", "code", 8201, 4, "1", "2", "w", "9", values={"1": "male", "2": "female"}),
            column("age_dx", "number", 8102, 71, "61", "74", "52", "48"),
            column("ajcc", "text", 7020, 9, "IIIA", "II", "IV", "I"),
            column("breslow_mm", "number", 6911, 214, "1,02", "0,94", "2,4"),
            column("dx_date", "date", 8188, 3122, "14.06.2019", "02.02.2021", "30.09.2018"),
            column("days_fu", "number", 8080, 2611, "412", "1830", "77"),
            column("dead", "flag", 8214, 2, "0", "1"),
        ],
    ),
    source(
        "labs",
        "lab.csv",
        31_806,
        [
            column("patient_id", "code", 31_806, None, "P-00017", "P-00018"),
            column("loinc", "code", 31_806, 12, "2160-0", "2532-0", "718-7"),
            column("result", "number", 31_540, None, "1,02", "0,94", "213"),
            column("unit", "text", 31_806, 4, "mg/dL", "U/L"),
            column("taken", "date", 31_806, None, "13.06.2019", "01.02.2021"),
        ],
        long={
            "code": "loinc",
            "value": "result",
            "time": "taken",
            "unit": "unit",
            "system": "LOINC",
            "end": None,
            "modifier": None,
        },
    ),
    source(
        "diagnoses",
        "diagnoses.csv",
        6_902,
        [
            column("patient_id", "code", 6_902, None, "P-00017"),
            column("icd", "code", 6_902, 88, "C43.5", "C79.3", "c43.5"),
            column("coded", "date", 6_880, None, "14.06.2019"),
            column("remark", "text", 611, 580, identifier="free_text"),
        ],
    ),
    source(
        "follow_up",
        "follow_up.csv",
        1_291,
        [
            column("patient_id", "code", 1_291, None, "P-00017"),
            column("drug", "code", 1_291, 9, "L01FF02", "L01EC01"),
            column("given", "date", 1_290, 1_002, "20.07.2019"),
        ],
    ),
]


def _variable(code: str, how: dict[str, Any] | None, confidence: float, reason: str, *others: Any) -> dict[str, Any]:
    meant = catalogue().variable(code)
    alternatives = [{"how": each, "confidence": sure, "reason": why} for each, sure, why in others]
    return {
        "code": code,
        "label": meant.label.en,
        "kind": meant.kind.value,
        "unit": meant.unit,
        "how": how,
        "confidence": confidence,
        "reason": reason,
        "alternatives": alternatives,
    }


_LAB = {"table": "labs", "rule": "last", "codes": ["2160-0"], "unit": "mg/dL", "window": {"from": -365, "to": 0}}
VARIABLES = [
    _variable(
        "sex",
        {"table": "patients", "column": "gender", "values": {"1": "male", "2": "female"}, "missing": ["9"]},
        0.97,
        "the column is called gender, and its labels are the levels",
    ),
    _variable("age", {"table": "patients", "column": "age_dx"}, 0.93, "the name and the values fit"),
    _variable("stage", {"table": "patients", "column": "ajcc"}, 0.78, "most of its values are levels"),
    _variable(
        "ICD10:C43",
        {"table": "diagnoses", "rule": "ever", "codes": ["C43*"], "code_column": "icd"},
        0.96,
        "its codes are in the column icd",
    ),
    _variable(
        "ICD10:C79.3",
        {"table": "diagnoses", "rule": "ever", "codes": ["C79.3"], "code_column": "icd"},
        0.96,
        "its codes are in the column icd",
    ),
    _variable("gene:BRAF", None, 0.0, ""),
    _variable(
        "lab:creatinine",
        _LAB,
        0.92,
        "LOINC 2160-0 is creatinine; the unit is converted",
        ({**_LAB, "rule": "first"}, 0.61, "the same, the first value"),
        ({**_LAB, "rule": "mean"}, 0.4, "the same, the mean of all values"),
    ),
    _variable(
        "lab:ldh",
        {"table": "labs", "rule": "last", "codes": ["2532-0"], "unit": "U/L"},
        0.74,
        "LOINC 2532-0 is LDH in serum",
    ),
    _variable(
        "breslow", {"table": "patients", "column": "breslow_mm", "unit": "mm"}, 0.95, "the name says it, with the unit"
    ),
    _variable(
        "diagnosis_date",
        {"table": "patients", "column": "dx_date"},
        0.91,
        "the column is called dx_date, and holds dates",
    ),
    _variable(
        "rx:pembrolizumab",
        {"table": "follow_up", "codes": ["L01FF02"], "code_column": "drug", "time_column": "given"},
        0.7,
        "ATC L01FF02 is pembrolizumab",
    ),
    _variable(
        "os",
        {"table": "patients", "column": "days_fu", "event_column": "dead", "event_values": ["1"]},
        0.9,
        "days of follow-up beside a flag of death",
    ),
    _variable("autopsy", None, 0.0, ""),
]

MAPPING = """
format = "consilium-mapping"
version = 2
site = "Lausanne"
catalogue = "Melanoma registry"
catalogue_version = 3
patients = "patients"

[index]
table = "patients"
column = "dx_date"
""" + "".join(
    f'\n[sources.{each["name"]}]\nformat = "csv"\nfiles = ["{each["files"][0]}"]\npatient = "patient_id"\n'
    for each in SOURCES
)


def mapped(**changes: Any) -> dict[str, Any]:
    """What ``data map`` tells."""
    told = {
        "sources": SOURCES,
        "variables": VARIABLES,
        "mapping": MAPPING,
        "output": None,
        "changes": [],
        "left_out": ["gene:BRAF", "autopsy"],
        "unused_columns": ["patients.name", "diagnoses.remark"],
        "index": {"table": "patients", "column": "dx_date"},
        "patients": "patients",
    }
    return copy.deepcopy({**told, **changes})


CHANGES = [
    {"code": "lab:ldh", "what": "lab.csv has a new column “unit”: LDH is read in U/L, as it says."},
    {"code": "stage", "what": "The column ajcc has new values: IIIA, IIIB."},
    {"code": "gene:BRAF", "what": "The column braf is no longer there: the BRAF mutation has no values."},
]


def problem(
    state: str, row: int, file: str, name: str, found: str, what: str, happens: str, **more: str
) -> dict[str, Any]:
    """A problem as ``data check`` tells of it."""
    told = {"state": state, "row": row, "file": file, "column": name, "found": found, "what": what, "happens": happens}
    return {**told, "code": "values.not_a_number", "variable": None, **more}


_LEFT, _EMPTY = "Row left out", "Value left empty"
_COMMA = {"code": "values.decimal_comma", "variable": "lab:creatinine"}
PROBLEMS = [
    problem(
        "refused",
        1284,
        "patients.csv",
        "birth_date",
        "31.02.1961",
        "This day does not exist",
        _LEFT,
        code="values.no_such_day",
    ),
    problem("refused", 2071, "patients.csv", "patient_id", "", "No patient number", _LEFT, code="csv.no_patient"),
    problem("empty", 3310, "lab.csv", "result", "1,02", "Decimal comma", _EMPTY, **_COMMA),
    problem("empty", 3311, "lab.csv", "result", "0,94", "Decimal comma", _EMPTY, **_COMMA),
    problem("empty", 4876, "lab.csv", "result", ">1200", "Not a number", _EMPTY, variable="lab:ldh"),
    problem(
        "empty",
        5120,
        "lab.csv",
        "result",
        "21000",
        "Above the catalogue’s range, 0 to 10000",
        _EMPTY,
        variable="lab:ldh",
        code="values.out_of_range",
    ),
    problem(
        "empty", 6003, "diagnoses.csv", "icd", "C43.99", "Not in the catalogue", _EMPTY, code="values.unknown_code"
    ),
    problem(
        "repaired",
        6644,
        "diagnoses.csv",
        "icd",
        "c43.5",
        "Written in small letters",
        "Read as C43.5",
        code="values.small_letters",
    ),
    problem(
        "refused",
        7702,
        "follow_up.csv",
        "given",
        "2019-03-02",
        "Before the diagnosis, 2019-06-14",
        _LEFT,
        code="values.before_index",
        variable="os",
    ),
    problem(
        "repaired",
        8115,
        "patients.csv",
        "gender",
        "w",
        "German for female",
        "Read as female",
        code="values.read_as",
        variable="sex",
    ),
    problem("empty", 8230, "lab.csv", "result", "0,71", "Decimal comma", _EMPTY, **_COMMA),
]


def group(title: str, count: int, different: int, examples: list[str], fix: Any, **more: Any) -> dict[str, Any]:
    """A group of problems as ``data check`` tells of it."""
    told = {
        "code": "values.x",
        "state": "empty",
        "title": title,
        "words": _EMPTY,
        "count": count,
        "different": different,
    }
    return {**told, "file": "", "column": "", "variable": None, "examples": examples, "fix": fix, **more}


GROUPS = [
    group(
        "Decimal comma",
        164,
        41,
        ["1,02", "0,94"],
        {"kind": "decimal", "source": "labs", "value": ","},
        code="values.decimal_comma",
        file="lab.csv",
        column="result",
        variable="lab:creatinine",
    ),
    group(
        "Levels that the catalogue does not have",
        61,
        7,
        ["IIIA", "IIIB"],
        {"kind": "values", "variable": "stage", "values": ["IIIA", "IIIB", "IIIC", "IVA", "0", "X", "in situ"]},
        code="values.unknown_level",
        file="patients.csv",
        column="ajcc",
        variable="stage",
    ),
    group(
        "Dates in the wrong order",
        29,
        29,
        ["2019-03-02"],
        None,
        code="values.before_index",
        state="refused",
        file="follow_up.csv",
        column="given",
    ),
    group(
        "Not a number",
        14,
        2,
        [">1200"],
        {"kind": "missing", "variable": "lab:ldh", "values": [">1200"]},
        code="values.not_a_number",
        file="lab.csv",
        column="result",
        variable="lab:ldh",
    ),
]


def _spread(code: str, known: int | None, missing: int | None, counts: list[int]) -> dict[str, Any]:
    meant = catalogue().variable(code)
    bins: list[dict[str, Any]]
    if meant.levels:
        bins = [{"levels": [each.code], "count": count} for each, count in zip(meant.levels, counts, strict=False)]
    else:
        bins = [{"from": place * 10, "to": place * 10 + 10, "count": count} for place, count in enumerate(counts)]
    return {
        "code": code,
        "label": meant.label.en,
        "kind": meant.kind.value,
        "known": known,
        "missing": missing,
        "bins": bins,
    }


IDENTIFIERS = [
    {
        "table": "diagnoses",
        "column": "remark",
        "kind": "free_text",
        "why": "Long texts that are almost all different.",
        "values": 580,
        "confirmed": False,
        "used": True,
    },
    {
        "table": "patients",
        "column": "birth_date",
        "kind": "birth_date",
        "why": "Dates with day, month and year of birth.",
        "values": 7821,
        "confirmed": False,
        "used": True,
    },
    {
        "table": "patients",
        "column": "name",
        "kind": "name",
        "why": "First and family names.",
        "values": 8190,
        "confirmed": False,
        "used": False,
    },
]
NOTES = [
    {
        "code": "notes.age_over_89",
        "what": "12 patients are older than 89. Ask whether the top of the scale should be lower.",
        "variable": "age",
    },
    {"code": "notes.rare_level", "what": "Stage IV has fewer than 10 patients.", "variable": "stage"},
]


def checked(**changes: Any) -> dict[str, Any]:
    """What ``data check`` tells."""
    told = {
        "rows": 48_213,
        "patients": 8_171,
        "refused_rows": 43,
        "states": {"refused": 43, "empty": 268, "repaired": 15},
        "groups": GROUPS,
        "problems": PROBLEMS,
        "problem_count": 326,
        "variables": [
            _spread("sex", 8_160, 11, [3_980, 4_180]),
            _spread("age", 8_060, 111, [610, 1_320, 2_240, 2_410, 1_480]),
            _spread("stage", 6_950, 1_221, [2_310, 2_100, 1_610, 930]),
            _spread("ICD10:C43", 7_902, 269, []),
            _spread("ICD10:C79.3", 611, 7_560, []),
            _spread("lab:creatinine", 7_421, 750, [1_800, 3_900, 1_300, 421]),
            _spread("breslow", 6_880, 1_291, [3_120, 1_970, 1_110, 680]),
            _spread("diagnosis_date", 8_150, 21, [310, 480, 620, 700, 810, 900, 1_010, 1_120]),
            _spread("os", 8_040, 131, [2_100, 1_700, 1_400, 1_140, 900, 800]),
            _spread("rx:pembrolizumab", None, None, []),
        ],
        "identifiers": [],
        "notes": NOTES,
        "blocked": False,
        "left_out": ["gene:BRAF", "autopsy"],
        "unused_columns": ["patients.name", "diagnoses.remark"],
    }
    return copy.deepcopy({**told, **changes})


CHOICES = {
    "choices": [
        {"residues": 5, "terms": 4, "bytes": 412_000_000, "seconds": 95.0, "recommended": True},
        {"residues": 6, "terms": 8, "bytes": 495_000_000, "seconds": 114.0, "recommended": False},
        {"residues": 7, "terms": 16, "bytes": 577_000_000, "seconds": 133.0, "recommended": False},
    ]
}


def sealed(**changes: Any) -> dict[str, Any]:
    """What ``data prepare`` tells."""
    return {
        "dataset": "c3" * 32,
        "package": f"{FOLDER}/lausanne.consilium",
        "bytes": 409_000_000,
        "preparer": DIGITS,
        "preparer_words": WORDS,
        "rows": 48_213,
        "patients": 8_171,
        "refused_rows": 43,
        "columns": 236,
        "residues": 5,
        "seconds": 101.0,
        "changes": [],
        **changes,
    }


class FakeProgram:
    """What the wizard runs instead of commands: they end at once with what is in ``answers``, by their second word;
    one without an answer stays under way until ``end``."""

    def __init__(self, **answers: dict[str, Any] | ConsiliumError) -> None:
        self.answers = answers
        self.commands: list[list[str]] = []
        self.inputs: list[bytes] = []
        self.cancelled = 0

    def __call__(
        self,
        arguments: list[str],
        *,
        of: QObject,
        done: Callable[[Mapping[str, Any]], object],
        failed: Callable[[ConsiliumError], object],
        progress: Callable[[Progress], object],
        standard_input: bytes = b"",
    ) -> FakeProgram:
        self.commands.append(arguments)
        self.inputs.append(standard_input)
        self.done, self.failed, self.progress = done, failed, progress
        if (answer := self.answers.get(arguments[1])) is not None:
            self.end(answer)
        return self

    def end(self, answer: dict[str, Any] | ConsiliumError) -> None:
        """Have the latest command end."""
        if isinstance(answer, ConsiliumError):
            self.failed(answer)
        else:
            self.done(copy.deepcopy(answer))

    def cancel(self) -> None:
        self.cancelled += 1
        self.failed(Cancelled())

    def last(self, name: str) -> list[str]:
        """Return the latest command of this name."""
        return [each for each in self.commands if each[1] == name][-1]


def read_federation(
    file: str, *, of: QObject, done: Callable[[Federation], object], failed: Callable[[ConsiliumError], object]
) -> None:
    """What the wizard reads public files with."""
    found = federation()
    done(Federation(str(Path(file)), found.name, found.sites, found.catalogue))
