"""Survival and correlation, each end to end at production parameters: planned, computed, packed, opened."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.query import worker
from app.core.query.analyses import Analysis, Correlate, Grouping, Survival
from app.core.query.canonical import canonical_query
from app.core.query.cells import cells_of
from app.core.query.model import Query
from app.core.query.oracle import numbers
from app.core.query.placing import placed
from app.core.query.planner import Openers, make_plan
from app.core.query.text import parse
from tests.cohorts import CLINICAL, MONTH, patients
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_keys

ROWS = patients(2000, seed=23, catalogue=CLINICAL)
pytestmark = pytest.mark.production


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> SealedDataset:
    directory: Path = tmp_path_factory.mktemp("production")
    people = parties(3, 2, STANDARD_1)
    keys = write_keys(people, directory / "keys")
    return seal_rows(directory / "data.db", keys, people, CLINICAL, ROWS, 7)


@pytest.mark.parametrize(
    ("analysis", "cohort"),
    [
        (Survival("os", Grouping("sex"), Decimal(3) * MONTH), "smoker and age >= 40"),
        (Correlate(("bmi", "smoker")), "not (sex = male and age >= 60)"),
    ],
)
def test_end_to_end(dataset: SealedDataset, analysis: Analysis, cohort: str) -> None:
    query = canonical_query(Query(parse(cohort, CLINICAL), analysis), CLINICAL)
    plan = make_plan(query, CLINICAL, dataset.shape, Openers(3, 2))
    placing = placed(cells_of(query, CLINICAL).cells, STANDARD_1, (dataset.shape.blocks,) * 3, per_site=False)
    measured = math.log2(dataset.people.noise(dataset.ciphertext(plan)))
    assert plan.noise_bits - 20 < measured <= plan.noise_bits
    opened = dataset.numbers(plan, worker.run_all(dataset.work(plan), ()))
    assert placing.read(opened) == (numbers(query, ROWS, CLINICAL),)
