"""Numbers of several sites add up to those of the pooled patients, also where a site is missing."""

from __future__ import annotations

import pytest

from app.core.analysis.analyse import Numbers, analyse
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.cells import cells_of
from app.core.query.model import Flag, Not, Query
from app.core.query.oracle import cell_numbers
from tests.analysed import Row, lung

ANALYSES: list[Analysis] = [
    Count(),
    Attrition(),
    Breakdown("ecog"),
    Histogram("age"),
    Table(Grouping("sex"), Grouping("ecog")),
    Summary(("age", "loss")),
    Compare("age", Grouping("sex")),
    Correlate(("age", "loss", "old")),
    Regress("loss", ("age", "karnofsky")),
    Survival("os", Grouping("sex")),
]


@pytest.mark.parametrize("missing", [False, True], ids=["all", "one missing"])
@pytest.mark.parametrize("sites", [2, 3, 5])
@pytest.mark.parametrize("asked", ANALYSES, ids=lambda asked: asked.name)
def test_sites_together_are_the_pooled_patients(asked: Analysis, sites: int, missing: bool) -> None:
    study, query = lung(), Query(Not(Flag("old")) if isinstance(asked, Attrition) else Flag("old"), asked)
    cells = cells_of(query, study.catalogue)
    parts: list[tuple[Row, ...]] = [study.rows[site::sites] for site in range(sites)][int(missing) :]
    opened = [cell_numbers(cells, rows, study.catalogue) for rows in parts]
    together = Numbers(cells, tuple(map(sum, zip(*opened, strict=True))))
    pooled = Numbers(cells, cell_numbers(cells, [row for rows in parts for row in rows], study.catalogue))
    assert analyse(query, study.catalogue, together) == analyse(query, study.catalogue, pooled)
