"""A dozen cohorts at production parameters."""

from __future__ import annotations

import math

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.query import worker
from app.core.query.oracle import count
from app.core.query.text import parse
from tests.cohorts import CATALOGUE, patients
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_keys

pytestmark = pytest.mark.production

ROWS = patients(12_000, seed=5)
AND_OF_FOUR = "smoker and age >= 50 and sex = female and not stage = IV"
QUERIES = [
    "smoker",
    "not smoker",
    "age >= 50 and age < 70",
    "smoker and dx:C50",
    "smoker or dx:C50",
    "not (smoker or lab:crp >= 0.3)",
    "sex = female and stage in {I, II} and age >= 60",
    AND_OF_FOUR,
    "(smoker or dx:C50) and (sex = female or age < 40)",
    "smoker or dx:C50 or lab:crp < -0.5 or stage = IV",
    "smoker and (dx:C50 or (age >= 50 and not sex = male))",
    f"{AND_OF_FOUR} and lab:crp < 2.25 and lab:crp known and not dx:C50",
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> SealedDataset:
    directory = tmp_path_factory.mktemp("production")
    people = parties(3, 2, STANDARD_1)
    keys = write_keys(people, directory / "keys", range(3, 8))
    return seal_rows(directory / "dataset.db", keys, people, CATALOGUE, ROWS, 7)


@pytest.mark.parametrize("text", QUERIES)
def test_exact_and_within_the_bound(dataset: SealedDataset, text: str) -> None:
    cohort = parse(text, CATALOGUE)
    plan = dataset.plan(cohort)
    measured = math.log2(max(1, dataset.people.noise(dataset.ciphertext(plan))))
    assert measured <= plan.noise_bits < measured + 20
    assert dataset.opened(plan, worker.run_all(dataset.work(plan), ())) == count(cohort, ROWS, CATALOGUE)
