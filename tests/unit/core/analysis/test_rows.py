from __future__ import annotations

import pytest

from app.core.analysis.analyse import analyse
from app.core.analysis.results import SurvivalResult
from app.core.analysis.rows import DIFFERENCE, MAIN, TOTAL, TwinTable, table_of, tables_of
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.model import EVERYONE, Flag, Query
from tests.analysed import clear_numbers, lung


def tables(asked: Analysis) -> dict[str, TwinTable]:
    query = Query(Flag("old") if isinstance(asked, Attrition) else EVERYONE, asked)
    return tables_of(analyse(query, lung().catalogue, clear_numbers(query, lung())))


@pytest.mark.parametrize(
    ("asked", "names", "rows"),
    [
        (Count(), [MAIN], 1),
        (Attrition(), [MAIN], 2),
        (Breakdown("sex"), [MAIN], 4),
        (Table(Grouping("sex"), Grouping("old")), [MAIN, "tests"], 9),
        (Summary(("age", "loss")), [MAIN, "between"], 2),
        (Compare("age", Grouping("sex")), [MAIN, "tests"], 3),
        (Correlate(("age", "loss", "old")), [MAIN], 3),
        (Regress("loss", ("age", "old")), [MAIN, "fit"], 3),
        (Survival("os", Grouping("sex")), [MAIN, "medians", "tests", "hazard_ratios"], 68),
    ],
)
def test_every_analysis_has_its_tables(asked: Analysis, names: list[str], rows: int) -> None:
    found = tables(asked)
    assert list(found) == names
    assert len(found[MAIN].rows) == rows
    for table in found.values():
        assert len(set(table.columns)) == len(table.columns)
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_a_count() -> None:
    assert tables(Count())[MAIN] == TwinTable(("count", "low", "high", "raw"), ((228, 228, 228, 228),))


def test_totals_of_a_table() -> None:
    rows = {row[:2]: row[2] for row in tables(Table(Grouping("sex"), Grouping("old")))[MAIN].rows}
    assert rows["male", "yes"] == 67
    assert rows["male", TOTAL] == 138
    assert rows[TOTAL, "yes"] == 100
    assert rows[TOTAL, TOTAL] == 228


def test_the_difference_stands_below_the_means() -> None:
    male, female, difference = tables(Compare("age", Grouping("sex")))[MAIN].rows
    assert difference[0] == DIFFERENCE
    assert difference[2] == pytest.approx(male[2] - female[2])  # type: ignore[operator]


def test_the_rows_of_curves_are_what_is_drawn() -> None:
    query = Query(EVERYONE, Survival("os", Grouping("sex")))
    result = analyse(query, lung().catalogue, clear_numbers(query, lung()))
    assert isinstance(result, SurvivalResult)
    table = table_of(result)
    drawn = dict(zip(table.columns, table.rows[5], strict=True))
    curve = result.curves[0]
    assert (drawn["group"], drawn["end"], drawn["survival"]) == ("male", curve.ends[5], curve.survival[5])
    (ratio,) = tables_of(result)["hazard_ratios"].rows
    assert ratio[:2] == ("female", "male")
    assert ratio[2] == pytest.approx(0.5818, abs=5e-5)
