"""The demo's clear data: the NCCTG lung cancer study split over its institutions, or a generated cohort like it.

The study (228 patients, 18 institutions; Loprinzi et al., J Clin Oncol 1994) is public: ``resources/demo/lung.csv``,
from where and under which terms says ``resources/licences/lung.md``. Each row is written as a hospital's own export
would look, with the study's column names, and also read straight into the catalogue's values: the truth that the demo
compares with never passes through mapping, sealing or cryptography.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path

from app.core.catalogue.scales import FollowUp
from app.core.errors import UserError
from app.core.files import write_atomic
from app.core.paths import resource
from app.core.query.oracle import Row

COLUMNS = (
    "patient_id",
    "lung_cancer",
    "sex",
    "age",
    "ph.ecog",
    "ph.karno",
    "pat.karno",
    "patient_lower",
    "meal.cal",
    "wt.loss",
    "time",
    "status",
)
_SEED = 20261123
_ECOG = {0: "0", 1: "1", 2: "2", 3: "3", 4: "4"}


@dataclass(frozen=True)
class Patient:
    """One row of the study. None is no value."""

    institution: int | None
    sex: int
    age: int
    ecog: int | None
    karnofsky_physician: int | None
    karnofsky_patient: int | None
    calories: int | None
    weight_loss: int | None
    days: int
    died: bool

    @property
    def patient_lower(self) -> bool:
        """Whether the patient's own score is at least 10 points below the physician's."""
        if self.karnofsky_physician is None or self.karnofsky_patient is None:
            return False
        return self.karnofsky_physician - self.karnofsky_patient >= 10

    def values(self) -> Row:
        """Return the patient's values by the catalogue's codes."""
        return {
            "ICD10:C34": True,
            "sex": "male" if self.sex == 1 else "female",
            "age": self.age,
            "ecog": None if self.ecog is None else _ECOG[self.ecog],
            "karnofsky:physician": self.karnofsky_physician,
            "karnofsky:patient": self.karnofsky_patient,
            "karnofsky:patient_lower": self.patient_lower,
            "meal_calories": self.calories,
            "weight_loss": self.weight_loss,
            "follow_up": self.days,
            "died": self.died,
            "os": FollowUp(Decimal(self.days), self.died),
        }

    def cells(self, identifier: str) -> list[str]:
        """Return the row of the hospital's export, as :data:`COLUMNS`."""
        cells = [
            1,
            self.sex,
            self.age,
            self.ecog,
            self.karnofsky_physician,
            self.karnofsky_patient,
            int(self.patient_lower),
            self.calories,
            self.weight_loss,
            self.days,
            int(self.died),
        ]
        return [identifier, *("" if cell is None else str(cell) for cell in cells)]


@dataclass(frozen=True)
class DemoData:
    """Patients by site; ``homeless`` of them had no institution and went to the first site."""

    name: str
    sites: tuple[tuple[Patient, ...], ...]
    homeless: int

    @property
    def patients(self) -> int:
        """All patients."""
        return sum(map(len, self.sites))

    def rows(self) -> list[Row]:
        """Return every patient's values, pooled: what the plaintext oracle counts."""
        return [patient.values() for site in self.sites for patient in site]


def lung_study(sites: int) -> DemoData:
    """Return the study split by institution into ``sites`` parts of about equal size.

    The largest institutions are placed first, each with the site that is smallest so far. The one patient without an
    institution goes to the first site. Raises UserError ``demo.too_many_sites`` for more sites than institutions.
    """
    with open(resource("demo", "lung.csv"), encoding="ascii", newline="") as file:
        patients = [_from_study(record) for record in csv.DictReader(file)]
    sizes = Counter(patient.institution for patient in patients if patient.institution is not None)
    if sites > len(sizes):
        raise UserError("demo.too_many_sites", sites=sites, most=len(sizes))
    totals, home = [0] * sites, {}
    for institution, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        home[institution] = totals.index(min(totals))
        totals[home[institution]] += size
    parts: list[list[Patient]] = [[] for _ in range(sites)]
    for patient in patients:
        parts[0 if patient.institution is None else home[patient.institution]].append(patient)
    homeless = sum(patient.institution is None for patient in patients)
    return DemoData("NCCTG lung cancer study", tuple(map(tuple, parts)), homeless)


def generated_cohort(patients: int, sites: int) -> DemoData:
    """Return a cohort drawn from distributions like the study's, the same every time, dealt out in turn."""
    if not sites <= patients <= 5_000_000:
        raise UserError("demo.bad_number_of_patients", patients=patients, least=sites, most=5_000_000)
    source = random.Random(_SEED)  # noqa: S311 - test data, not a secret
    drawn = [_drawn(source) for _ in range(patients)]
    return DemoData("generated cohort", tuple(tuple(drawn[site::sites]) for site in range(sites)), 0)


def write_export(patients: Sequence[Patient], path: Path) -> None:
    """Write a site's CSV export."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(patient.cells(f"P{number:07d}") for number, patient in enumerate(patients, start=1))
    write_atomic(path, text.getvalue().encode())


def _from_study(record: Mapping[str, str]) -> Patient:
    def number(name: str) -> int | None:
        return int(float(record[name])) if record[name] else None

    return Patient(
        institution=number("inst"),
        sex=int(record["sex"]),
        age=int(record["age"]),
        ecog=number("ph.ecog"),
        karnofsky_physician=number("ph.karno"),
        karnofsky_patient=number("pat.karno"),
        calories=number("meal.cal"),
        weight_loss=number("wt.loss"),
        days=int(record["time"]),
        died=record["status"] == "1",
    )


def _drawn(source: random.Random) -> Patient:
    def perhaps(value: int, missing: float) -> int | None:
        return None if source.random() < missing else value

    return Patient(
        institution=None,
        sex=1 if source.random() < 0.6 else 2,
        age=min(95, max(18, round(source.gauss(62, 9)))),
        ecog=perhaps(source.choices((0, 1, 2, 3), (28, 50, 21, 1))[0], 0.01),
        karnofsky_physician=perhaps(source.choices((50, 60, 70, 80, 90, 100), (3, 8, 14, 30, 32, 13))[0], 0.01),
        karnofsky_patient=perhaps(source.choices((40, 50, 60, 70, 80, 90, 100), (1, 2, 13, 18, 22, 27, 17))[0], 0.02),
        calories=perhaps(min(3000, max(90, round(source.gauss(930, 400)))), 0.2),
        weight_loss=perhaps(min(70, max(-25, round(source.gauss(10, 13)))), 0.06),
        days=max(5, round(source.expovariate(1 / 305))),
        died=source.random() < 0.72,
    )
