"""Clear tables made of Python values, patient by patient, by the catalogue's own encoding: nothing is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, FollowUp, Granularity, Periods
from app.core.preparation.planes import width
from app.core.preparation.problems import Problem, Problems, State
from app.core.preparation.table import ClearTable
from app.core.store.documents import SealedColumn

KINDS = Catalogue(
    "All kinds",
    1,
    (
        Variable("smoker", Kind.FLAG, Label("Smoker")),
        Variable("stage", Kind.CATEGORY, Label("Stage"), levels=tuple(Level(code, Label(code)) for code in "abc")),
        Variable(
            "weight",
            Kind.NUMBER,
            Label("Weight"),
            cut_points=(Decimal(50), Decimal(80)),
            minimum=Decimal(0),
            maximum=Decimal(300),
            step=Decimal("0.5"),
        ),
        Variable(
            "diagnosed",
            Kind.DATE,
            Label("Diagnosed"),
            calendar=Calendar(Granularity.MONTH, date(2020, 1, 1), date(2020, 6, 1)),
        ),
        Variable("relapse", Kind.EVENT, Label("Relapse"), periods=Periods(Decimal(30), 4, -1)),
        Variable("os", Kind.SURVIVAL, Label("Survival"), periods=Periods(Decimal(90), 4)),
    ),
)


def clear_table(catalogue: Catalogue, patients: Sequence[Mapping[str, object]]) -> ClearTable:
    """Return the table of patients with these values, all variables of the catalogue sealed."""
    columns = [PRESENT, *(column for variable in catalogue for column in variable.columns)]
    encoded = [
        [1, *(value for variable in catalogue for value in variable.encode(patient.get(variable.code)))]
        for patient in patients
    ]
    values = np.array(encoded, np.uint8).reshape(len(patients), len(columns)).T
    planes = [values[place] >> bit & 1 for place, column in enumerate(columns) for bit in range(width(column))]
    meanings = {"": PRESENT_MEANING, **{variable.code: catalogue.meaning(variable.code) for variable in catalogue}}
    problems = Problems()
    problems.add(Problem("csv.unknown_level", State.REFUSED, "a.csv", 7, "Stage", "stage", "z"), 12)
    return ClearTable(
        columns=tuple(SealedColumn(column.variable, meanings[column.variable], column.part) for column in columns),
        planes=np.packbits(np.array(planes, np.uint8), axis=1),
        patients=len(patients),
        rows=len(patients) + 12,
        refused_rows=12,
        problems=problems,
        variables=tuple(variable.code for variable in catalogue),
        left_out=(),
        unused_columns=(),
    )


def people(count: int, seed: int = 1) -> list[dict[str, object]]:
    """Return made-up patients of :data:`KINDS`; some have no value."""
    draw = np.random.default_rng(seed)

    def sometimes(value: object) -> object:
        return value if draw.random() < 0.9 else None

    return [
        {
            "smoker": bool(draw.random() < 0.3),
            "stage": sometimes("abc"[draw.integers(3)]),
            "weight": sometimes(Decimal(int(draw.integers(0, 601))) / 2),
            "diagnosed": sometimes(date(2019, 12, 1) + timedelta(days=int(draw.integers(0, 250)))),
            "relapse": sometimes([Decimal(int(day)) for day in draw.integers(-60, 160, draw.integers(0, 5))]),
            "os": sometimes(FollowUp(Decimal(int(draw.integers(0, 500))), bool(draw.random() < 0.4))),
        }
        for _ in range(count)
    ]
