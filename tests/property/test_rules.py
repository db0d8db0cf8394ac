"""Whatever the rows say, the sealed columns are what a plain reading of them, row by row, comes to."""

import csv
import tempfile
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.core.catalogue.model import Catalogue, Group, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, FollowUp, Granularity, Periods
from app.core.preparation.mapping_reading import parse_mapping
from app.core.preparation.reading import read

TODAY = date(2026, 1, 1)
INDEX = date(2020, 3, 1)


def number(code: str, **more: object) -> Variable:
    cuts = (Decimal(0), Decimal("0.3"), Decimal(2), Decimal(5), Decimal("88.4"))
    return Variable(code, Kind.NUMBER, Label(code), cut_points=cuts, **more)  # type: ignore[arg-type]


LEVELS = (Level("low", Label("Low", de="tief")), Level("high", Label("High")))
CATALOGUE = Catalogue(
    "Rules",
    1,
    (
        Variable("ever", Kind.FLAG, Label("ever")),
        Variable("leaf", Kind.FLAG, Label("leaf"), parents=("tree",)),
        Variable("twig", Kind.FLAG, Label("twig"), parents=("tree",)),
        Variable("tree", Kind.FLAG, Label("tree"), rollup=True),
        Variable("said", Kind.FLAG, Label("said")),
        Variable("level", Kind.CATEGORY, Label("level"), levels=LEVELS),
        number("first", minimum=Decimal(-10), maximum=Decimal(100), step=Decimal("0.1"), unit="umol/L"),
        number("last"),
        number("count"),
        number("min"),
        number("max"),
        number("mean"),
        Variable(
            "day",
            Kind.DATE,
            Label("day"),
            calendar=Calendar(Granularity.MONTH, date(2020, 1, 1), date(2020, 6, 1)),
        ),
        Variable("event", Kind.EVENT, Label("event"), periods=Periods(Decimal("30.5"), 4, -1)),
        Variable("os", Kind.SURVIVAL, Label("os"), periods=Periods(Decimal(30), 3)),
        Variable("wide", Kind.EVENT, Label("wide"), periods=Periods(Decimal(7), 5)),
    ),
    (Group("g", Label("g")),),
)
MAPPING = """
format = "consilium-mapping"
version = 2
site = "A"
patients = "patients"
[sources.patients]
format = "csv"
files = ["patients.csv"]
patient = "id"
dates = "DMY"
[sources.labs]
format = "csv"
files = ["labs.csv"]
patient = "who"
decimal = "."
dates = "YMD"
missing = ["", "NA"]
[index]
table = "patients"
column = "diagnosed"
[variables.ever]
table = "labs"
rule = "ever"
codes = ["A1", "B*"]
code_column = "code"
only = { status = ["final", "amended"] }
[variables.leaf]
table = "labs"
rule = "ever"
codes = ["A2"]
code_column = "code"
[variables.said]
table = "labs"
rule = "last"
codes = ["Q"]
code_column = "code"
value_column = "value"
time_column = "taken"
values = { "9" = "0", "1.5" = "1" }
missing = ["7"]
[variables.level]
table = "labs"
rule = "first"
codes = ["Q", "A1"]
code_column = "code"
value_column = "value"
time_column = "taken"
values = { "2" = "low", "9" = "high" }
window = { to = 10 }
[variables.first]
table = "labs"
rule = "first"
codes = ["A*"]
code_column = "code"
value_column = "value"
time_column = "taken"
unit_column = "unit"
[variables.last]
table = "labs"
rule = "last"
codes = ["A1", "A2"]
code_column = "code"
value_column = "value"
time_column = "taken"
window = { from = -20, to = 5 }
[variables.count]
table = "labs"
rule = "count"
codes = ["B1"]
code_column = "code"
[variables.min]
table = "labs"
rule = "min"
codes = ["A1"]
code_column = "code"
value_column = "value"
factor = "88.4"
[variables.max]
table = "labs"
rule = "max"
codes = ["A*", "B2"]
code_column = "code"
value_column = "value"
missing = ["9"]
[variables.mean]
table = "labs"
rule = "mean"
codes = ["A1", "B1"]
code_column = "code"
value_column = "value"
[variables.day]
table = "labs"
rule = "last"
codes = ["A1", "B1"]
code_column = "code"
time_column = "taken"
[variables.event]
table = "labs"
codes = ["B*"]
code_column = "code"
time_column = "taken"
window = { from = -25 }
[variables.os]
end_column = "seen"
event_column = "died"
event_values = ["dead"]
[variables.wide]
column = "relapse"
"""

CODES = ["A1", "A2", "B1", "B2", "Q", "Z9", "a1"]
VALUES = ["", "NA", "0.1", "0.2", "0.3", "1.5", "2", "9", "7", "-3", "1e1", "<5", "1,5", "low", "TIEF", "99.95", "ja"]
TIMES = [
    "",
    "2020-02-30",
    "2020-02-10",
    "2020-03-01",
    "2020-03-06",
    "2020-03-06 10:00",
    "2020-03-06T09:00:00Z",
    "2020-04-20",
    "soon",
]
LAB = st.fixed_dictionaries(
    {
        "who": st.sampled_from(["p1", "p2", "p3", " p1 ", "p9", ""]),
        "code": st.sampled_from(CODES),
        "value": st.sampled_from(VALUES),
        "taken": st.sampled_from(TIMES),
        "unit": st.sampled_from(["umol/L", "mmol/L", "mg/dL", ""]),
        "status": st.sampled_from(["final", "amended", "wrong", ""]),
    }
)
PATIENT = st.fixed_dictionaries(
    {
        "diagnosed": st.sampled_from(["", "01.03.2020", "20.02.2020"]),
        "seen": st.sampled_from(["", "01.03.2020", "15.03.2020", "29.04.2020", "01.01.2022"]),
        "died": st.sampled_from(["", "dead", "alive"]),
        "relapse": st.sampled_from(["", "01.03.2020", "07.03.2020", "08.03.2020", "01.01.2021", "01.01.2020"]),
    }
)
Row = Mapping[str, str]


def moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None


def day(text: str) -> date | None:
    return datetime.strptime(text, "%d.%m.%Y").date() if text else None


def plain(text: str) -> Decimal | None:
    return Decimal(text) if text and text not in ("NA", "<5", "1,5", "low", "TIEF", "ja") else None


class Oracle:
    """One patient's values, from the rows as a person would go through them."""

    def __init__(self, patient: Row, labs: list[Row]) -> None:
        self.patient, self.labs = patient, labs
        self.index = day(patient["diagnosed"])

    def rows(self, *codes: str) -> list[Row]:
        def fits(code: str) -> bool:
            return any(code.startswith(c[:-1]) if c.endswith("*") else code == c for c in codes)

        repaired = [
            {**row, "code": "A1" if row["code"] == "a1" and "A1" in codes else row["code"]} for row in self.labs
        ]
        return [row for row in repaired if fits(row["code"])]

    def after(self, row: Row) -> int | None:
        time = moment(row["taken"])
        return None if time is None or self.index is None else (time.date() - self.index).days

    def inside(self, rows: list[Row], low: int, high: int) -> list[Row]:
        return [row for row in rows if (days := self.after(row)) is not None and low <= days <= high]

    @staticmethod
    def ordered(pairs: list[tuple[Row, object]]) -> list[object]:
        timed = [(time, value) for row, value in pairs if (time := moment(row["taken"])) and value is not None]
        return [value for _, value in sorted(timed, key=lambda each: each[0])]

    def value(self, code: str) -> object:  # noqa: PLR0911, PLR0912 - one a variable
        match code:
            case "ever":
                return any(row["status"] in ("final", "amended") for row in self.rows("A1", "B*"))
            case "leaf" | "tree":
                return bool(self.rows("A2"))
            case "said":
                meant = {"9": False, "1.5": True, "ja": True}
                found = self.ordered([(row, meant.get(row["value"])) for row in self.rows("Q")])
                return found[-1] if found else None
            case "level":
                meant = {"2": "low", "9": "high", "low": "low", "TIEF": "low"}
                rows = self.inside(self.rows("Q", "A1"), -10_000, 10)
                found = self.ordered([(row, meant.get(row["value"])) for row in rows])
                return found[0] if found else None
            case "first":
                factor = {"umol/L": Decimal(1), "mmol/L": Decimal(1000)}
                pairs = [(row, plain(row["value"])) for row in self.rows("A*")]
                converted = [
                    (row, v * factor[row["unit"]]) for row, v in pairs if v is not None and row["unit"] in factor
                ]
                found = self.ordered([(row, v) for row, v in converted if -10 <= v <= 100])
                return found[0] if found else None
            case "last":
                rows = self.inside(self.rows("A1", "A2"), -20, 5)
                found = self.ordered([(row, plain(row["value"])) for row in rows])
                return found[-1] if found else None
            case "count":
                return Decimal(len(self.rows("B1")))
            case "min" | "max" | "mean":
                codes = {"min": ("A1",), "max": ("A*", "B2"), "mean": ("A1", "B1")}[code]
                values = [plain(row["value"]) for row in self.rows(*codes) if code != "max" or row["value"] != "9"]
                known = [value for value in values if value is not None]
                if not known:
                    return None
                if code == "mean":
                    return Decimal(f"{sum(known) / len(known):.12g}")
                return min(known) * Decimal("88.4") if code == "min" else max(known)
            case "day":
                found = [time for row in self.rows("A1", "B1") if (time := moment(row["taken"]))]
                return max(found).date() if found else None
            case "event":
                days = [self.after(row) for row in self.rows("B*")]
                return [Decimal(each) for each in days if each is not None and each >= -25]
            case "os":
                end = day(self.patient["seen"])
                if end is None or self.index is None or not self.patient["died"]:
                    return None
                return FollowUp(Decimal((end - self.index).days), self.patient["died"] == "dead")
            case "wide":
                relapse = day(self.patient["relapse"])
                return [Decimal((relapse - self.index).days)] if relapse and self.index else None
        return None


@settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(people=st.lists(PATIENT, min_size=3, max_size=3), labs=st.lists(LAB, max_size=25))
def test_rules_agree_with_reading_row_by_row(people: list[Row], labs: list[Row]) -> None:
    rows = [{"id": f"p{number}", **row} for number, row in enumerate(people, start=1)]
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        for name, table, names in (("patients", rows, ["id", *people[0]]), ("labs", labs, list(LAB_COLUMNS))):
            with open(base / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows(table)
        mapping = parse_mapping(MAPPING.encode(), "m.toml")
        table = read(mapping, CATALOGUE, base, skip_bad_rows=True, today=TODAY)
    expected = []
    for person in rows:
        kept = [row for row in labs if row["who"].strip() == person["id"] and not refused(row)]
        oracle = Oracle(person, kept)
        if oracle.index is not None and (end := day(person["seen"])) is not None and end < oracle.index:
            continue  # the row, which is the patient, is refused
        expected.append(
            [v for each in CATALOGUE for v in each.encode(oracle.value(each.code)) if each.code in table.variables]
        )
    found = [list(map(int, table.values(column))) for column in range(1, len(table.columns))]
    names = [f"{c.variable} {c.part}" for c in table.columns[1:]]
    differences = [
        (place, name, has, should)
        for place, (patient, wanted) in enumerate(zip(zip(*found, strict=True), expected, strict=True))
        for name, has, should in zip(names, patient, wanted, strict=True)
        if has != should
    ]
    assert not differences


LAB_COLUMNS = ("who", "code", "value", "taken", "unit", "status")


def refused(row: Row) -> bool:
    """Whether the row's day does not exist, and somebody asks for it: for what is only dated, or has a value."""
    asks = row["code"] in ("A1", "a1", "B1", "B2") or (row["code"] in ("A2", "Q") and row["value"] not in ("", "NA"))
    return row["taken"] == "2020-02-30" and asks
