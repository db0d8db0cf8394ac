"""What ``consilium data compare`` and ``data import`` say of a change, in words."""

from __future__ import annotations

from app.cli.data_compare import changes

FOUND = {
    "older": 2,
    "newer": 3,
    "patients": {"before": 1200, "after": 1340},
    "refused_rows": {"before": None, "after": 40},
    "added": ["bmi"],
    "removed": [],
    "redefined": ["stage"],
    "variables": [{"code": "sex", "known": {"before": None, "after": 20}}],
    "problems": [
        {"code": "csv.not_a_number", "column": "Age", "variable": "age", "count": {"before": 10, "after": None}},
        {"code": "csv.ragged_row", "column": "", "variable": "", "count": {"before": None, "after": 30}},
    ],
}


def test_changes_are_said_in_order() -> None:
    assert changes(FOUND) == [
        "From version 2 to version 3:",
        "Patients: 1200 → 1340",
        "New variables: bmi",
        "Variables that mean something else now: stage",
        "sex: a few → 20 with a value",
        "Problem csv.not_a_number (age, Age): 10 → a few",
        "Problem csv.ragged_row (–): a few → 30",
        "Counts are rounded to tens; changes of fewer than ten are not told.",
    ]


def test_versions_without_counts_of_problems() -> None:
    assert changes({**FOUND, "problems": None, "variables": [], "added": [], "redefined": []}) == [
        "From version 2 to version 3:",
        "Patients: 1200 → 1340",
        "Counts are rounded to tens; changes of fewer than ten are not told.",
    ]
