"""Studies as clear rows, the numbers that their cells would open, and draws of the sites' noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from lifelines import datasets

from app.core.analysis.numbers import Numbers
from app.core.catalogue.columns import PRESENT, Column
from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import FollowUp, Periods
from app.core.query.cells import Cells, cells_of
from app.core.query.model import All, Cohort, Flag, Known, Levels, Not, Query
from app.core.query.oracle import cell_numbers

Row = Mapping[str, object]
MONTH = Decimal("30.4375")


@dataclass(frozen=True)
class Study:
    """Clear rows and what the catalogue calls them; ``time`` and ``event`` of the survival variable ``os``."""

    catalogue: Catalogue
    rows: tuple[Row, ...]

    def frame(self, days: Decimal | float) -> pd.DataFrame:
        """Return the rows as a table, with times rounded to the ends of periods of so many days."""
        frame = pd.DataFrame([{code: value for code, value in row.items() if code != "os"} for row in self.rows])
        ends: list[Any] = [row["os"] for row in self.rows]
        frame["time"] = [float((int(end.days // Decimal(days)) + 1) * Decimal(days)) for end in ends]
        frame["event"] = [int(end.event) for end in ends]
        return frame


def category(code: str, *levels: str) -> Variable:
    return Variable(code, Kind.CATEGORY, Label(code), levels=tuple(Level(level, Label(level)) for level in levels))


def number(code: str, cuts: Sequence[int], low: int, high: int, step: str = "1") -> Variable:
    cut_points = tuple(map(Decimal, cuts))
    scale = {"minimum": Decimal(low), "maximum": Decimal(high), "step": Decimal(step)}
    return Variable(code, Kind.NUMBER, Label(code), cut_points=cut_points, **scale)  # type: ignore[arg-type]


def flag(code: str) -> Variable:
    return Variable(code, Kind.FLAG, Label(code))


def follow_up(days: Decimal, count: int) -> Variable:
    return Variable("os", Kind.SURVIVAL, Label("Overall survival"), periods=Periods(days, count))


@cache
def lung() -> Study:
    """The NCCTG study: 228 patients, the one without an institution included."""
    variables = (
        category("sex", "male", "female"),
        category("ecog", "0", "1", "2", "3"),
        number("age", [50, 55, 60, 65, 70], 30, 100),
        number("loss", [0, 5, 10, 20], -40, 80),
        number("karnofsky", [60, 70, 80, 90], 0, 100, "10"),
        flag("old"),
        follow_up(MONTH, 34),
    )
    rows = [
        {
            "sex": "male" if record["sex"] == 1 else "female",
            "ecog": None if math.isnan(record["ph.ecog"]) else str(int(record["ph.ecog"])),
            "age": int(record["age"]),
            "loss": None if math.isnan(record["wt.loss"]) else int(record["wt.loss"]),
            "karnofsky": None if math.isnan(record["ph.karno"]) else int(record["ph.karno"]),
            "old": record["age"] >= 65,
            "os": FollowUp(Decimal(int(record["time"])), record["status"] == 1),
        }
        for record in datasets.load_lung().to_dict("records")
    ]
    return Study(Catalogue("lung", 1, variables), tuple(rows))


@cache
def gbsg2() -> Study:
    """The German Breast Cancer Study Group 2: 686 patients, three grades."""
    variables = (
        category("grade", "I", "II", "III"),
        number("age", [40, 50, 60, 70], 0, 110),
        number("size", [20, 30, 50], 0, 200),
        flag("therapy"),
        follow_up(Decimal(30), 90),
    )
    rows = [
        {
            "grade": record["tgrade"],
            "age": int(record["age"]),
            "size": int(record["tsize"]),
            "therapy": record["horTh"] == "yes",
            "os": FollowUp(Decimal(int(record["time"])), record["cens"] == 1),
        }
        for record in datasets.load_gbsg2().to_dict("records")
    ]
    return Study(Catalogue("gbsg2", 1, variables), tuple(rows))


@cache
def rossi() -> Study:
    """Recidivism (Rossi): 432 people over 52 weeks, of which all is censored at the last."""
    variables = (
        number("age", [20, 25, 30], 0, 60),
        number("prio", [1, 3, 6], 0, 20),
        flag("fin"),
        flag("mar"),
        follow_up(Decimal(7), 53),
    )
    rows = [
        {
            "age": int(record["age"]),
            "prio": int(record["prio"]),
            "fin": record["fin"] == 1,
            "mar": record["mar"] == 1,
            "os": FollowUp(Decimal(7 * int(record["week"])), record["arrest"] == 1),
        }
        for record in datasets.load_rossi().to_dict("records")
    ]
    return Study(Catalogue("rossi", 1, variables), tuple(rows))


def clear_numbers(query: Query, study: Study) -> Numbers:
    """Return what a query of pooled rows opens without noise."""
    cells = cells_of(query, study.catalogue)
    return Numbers(cells, cell_numbers(cells, study.rows, study.catalogue))


def scales_of(cells: Cells, epsilon: Fraction) -> tuple[Fraction, ...]:
    """Return the scale of each cell's noise: parts share a budget."""
    scales = [Fraction(1)] * len(cells.cells)
    for part in cells.parts:
        for cell in part.cells:
            scales[cell] = len(cells.parts) * part.sensitivity / epsilon
    return tuple(scales)


def noised(clear: Numbers, epsilon: Fraction, sites: int, source: np.random.Generator) -> Numbers:
    """Return the numbers with a draw of each site's noise added."""
    scales = scales_of(clear.cells, epsilon)
    chance = -np.expm1([-1 / float(scale) for scale in scales])
    # a discrete Laplace draw is the difference of two geometric ones, and the sum of several of these is binomial
    draws = source.negative_binomial(sites, chance) - source.negative_binomial(sites, chance)
    values = tuple(value + int(draw) for value, draw in zip(clear.values, draws, strict=True))
    return Numbers(clear.cells, values, scales, sites)


# --- generated patients, as columns -------------------------------------------------------------------------------

Array = np.ndarray[Any, Any]


@dataclass
class Columns:
    """The sealed columns of generated patients, who all have every value; quick enough for thousands of studies."""

    catalogue: Catalogue
    count: int

    def __post_init__(self) -> None:
        self._columns: dict[Column, Array] = {PRESENT: np.ones(self.count, np.int64)}

    def add_flag(self, code: str, has: Array) -> None:
        self._columns[Column(code, "has")] = has.astype(np.int64)

    def add_category(self, code: str, levels: Array) -> None:
        for place, level in enumerate(self.catalogue.variable(code).levels):
            self._columns[Column(code, f"level:{level.code}")] = (levels == place).astype(np.int64)

    def add_number(self, code: str, values: Array) -> None:
        """Add whole numbers of a variable whose step is 1."""
        variable = self.catalogue.variable(code)
        self._columns[Column(code, "known")] = np.ones(self.count, np.int64)
        for cut in variable.cut_points:
            self._columns[Column(code, f"ge:{cut}")] = (values >= int(cut)).astype(np.int64)
        assert variable.minimum is not None
        v = values.astype(np.int64) - int(variable.minimum)
        for place in range(8):
            self._columns[Column(code, f"digit:{place}")] = v // 32**place % 32
            self._columns[Column(code, f"square:{place}")] = v * v // 32**place % 32

    def add_survival(self, code: str, periods: Array, event: Array) -> None:
        scale = self.catalogue.variable(code).periods
        assert scale is not None
        for period in scale.numbers:
            for ended, wanted in (("event", event), ("censored", ~event)):
                self._columns[Column(code, f"{ended}:{period}")] = ((periods == period) & wanted).astype(np.int64)

    def numbers(self, query: Query) -> Numbers:
        """Return what the query opens without noise."""
        cells = cells_of(query, self.catalogue)
        masks: dict[Cohort, Array] = {}
        values = []
        for cell in cells.cells:
            if cell.mask not in masks:
                masks[cell.mask] = self._who(cell.mask)
            total: Array = masks[cell.mask].astype(np.int64)
            for factor in cell.factors:
                total = total * (sum(weight * self._columns[c] for c, weight in factor.weights) + factor.constant)
            values.append(int(total.sum()))
        return Numbers(cells, tuple(values))

    def _who(self, cohort: Cohort) -> Array:
        match cohort:
            case All(children):
                return np.asarray(np.logical_and.reduce([np.ones(self.count, bool), *map(self._who, children)]))
            case Not(child):
                return ~self._who(child)
            case Flag(code):
                return np.asarray(self._columns[Column(code, "has")] == 1)
            case Known(code):
                return np.asarray(self._columns[Column(code, "known")] == 1)
            case Levels(code, levels):
                return np.any([self._columns[Column(code, f"level:{level}")] for level in levels], axis=0)
            case _:
                raise NotImplementedError(cohort)
