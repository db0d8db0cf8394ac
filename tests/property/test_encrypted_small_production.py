"""Small cohorts at production parameters: 64 columns a ciphertext, noise within the plan's bound, numbers exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.query import worker
from app.core.query.analyses import Analysis, Breakdown, Correlate, Count, Grouping, Survival
from app.core.query.canonical import canonical_query
from app.core.query.cells import cells_of
from app.core.query.model import All, Any, Cohort, Flag, Levels, Not, Query, Range
from app.core.query.oracle import numbers
from app.core.query.placing import placed
from app.core.query.planner import Openers, make_plan
from tests.cohorts import CLINICAL, patients
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_extraction_keys, write_keys

pytestmark = pytest.mark.production

ROWS = patients(228, seed=5, catalogue=CLINICAL)
OLDER = Range("age", Decimal(50), None)
MASK = All((Flag("smoker"), Not(Levels("stage", frozenset(["IV"]))), Any((Flag("dx:C50"), OLDER))))
QUESTIONS: list[tuple[Cohort, Analysis]] = [
    (Flag("smoker"), Count()),
    (All((Flag("smoker"), OLDER)), Count()),
    (MASK, Count()),
    (Flag("dx:C50"), Breakdown("stage")),
    (MASK, Survival("os", Grouping("sex"))),
    (Flag("smoker"), Correlate(("bmi", "dx:C50"))),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SealedDataset]:
    directory = tmp_path_factory.mktemp("production")
    people = parties(3, 2, STANDARD_1)
    keys = write_keys(people, directory / "keys", range(3, 9))
    write_extraction_keys(people, keys)
    yield seal_rows(directory / "dataset.db", keys, people, CLINICAL, ROWS, 8, 64)
    for path in keys.iterdir():  # half a gigabyte
        path.unlink()


@pytest.mark.parametrize(("cohort", "analysis"), QUESTIONS)
def test_exact_and_within_the_bound(dataset: SealedDataset, cohort: Cohort, analysis: Analysis) -> None:
    query, people = canonical_query(Query(cohort, analysis), CLINICAL), dataset.people
    plan = make_plan(query, CLINICAL, dataset.shape, Openers(people.sites, people.quorum), blocks=(1,))
    measured = math.log2(max(1, people.noise(dataset.ciphertext(plan))))
    assert measured <= plan.noise_bits < measured + 20
    opened = dataset.numbers(plan, worker.run_all(dataset.work(plan), ()))
    placing = placed(cells_of(query, CLINICAL).cells, people.parameters, (1,), per_site=False)
    assert placing.read(opened) == (numbers(query, ROWS, CLINICAL),)
