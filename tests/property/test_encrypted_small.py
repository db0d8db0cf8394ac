"""Small cohorts, whose columns share ciphertexts: any question is answered as by the plaintext oracle."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings

from app.core.errors import UserError
from app.core.jobs.pool import WorkerPool
from app.core.query import worker
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
from app.core.query.canonical import canonical_query
from app.core.query.cells import cells_of
from app.core.query.evaluator import evaluate, product_shares
from app.core.query.model import All, Any, Cohort, Flag, Levels, Not, Query, Range
from app.core.query.oracle import Row, count, numbers
from app.core.query.placing import placed
from app.core.query.plan import Plan
from app.core.query.planner import Openers, make_plan
from tests.cohorts import CLINICAL, EVERY_TERM, cohorts, patients
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_extraction_keys, write_keys

PEOPLE = parties(3, 2)
LOOSE_BITS = 20
SIZES = {2: 500, 4: 256, 16: 60, 64: 14}
"""Patients by the number of columns that share a ciphertext, at 1,024 slots."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = write_keys(PEOPLE, tmp_path_factory.mktemp("small") / "keys")
    write_extraction_keys(PEOPLE, directory)
    return directory


@pytest.fixture(scope="module")
def datasets(keys: Path) -> dict[int, SealedDataset]:
    return {
        sharing: seal_rows(keys.parent / f"{sharing}.db", keys, PEOPLE, CLINICAL, rows(sharing), 8, sharing)
        for sharing in SIZES
    }


def rows(sharing: int) -> list[Row]:
    return patients(SIZES[sharing], seed=sharing, catalogue=CLINICAL)


def planned(dataset: SealedDataset, query: Query, blocks: tuple[int, ...] | None = None) -> Plan:
    openers = Openers(PEOPLE.sites, PEOPLE.quorum)
    return make_plan(query, CLINICAL, dataset.shape, openers, blocks=blocks or (1,))


def check_noise(dataset: SealedDataset, plan: Plan) -> None:
    measured = math.log2(max(1, PEOPLE.noise(dataset.ciphertext(plan))))
    assert measured <= plan.noise_bits
    assert plan.noise_bits - measured < LOOSE_BITS


@pytest.mark.parametrize("sharing", SIZES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cohort=cohorts(EVERY_TERM, leaves=8))
def test_any_cohort_is_counted(datasets: dict[int, SealedDataset], sharing: int, cohort: Cohort) -> None:
    dataset = datasets[sharing]
    try:
        plan = planned(dataset, Query(cohort))
    except UserError as error:
        if error.code not in ("query.needs_more_residues", "query.does_not_fit"):
            raise
        reject()
    check_noise(dataset, plan)
    opened = dataset.opened(plan, worker.run_all(dataset.work(plan), ()))
    assert opened == count(cohort, rows(sharing), CLINICAL)


MASK = All(
    (Flag("smoker"), Not(Levels("stage", frozenset(["IV"]))), Any((Flag("dx:C50"), Range("age", Decimal(50), None))))
)
ANALYSES: tuple[Analysis, ...] = (
    Count(),
    Attrition(),
    Breakdown("stage"),
    Histogram("bmi"),
    Histogram("diagnosed"),
    Table(Grouping("stage"), Grouping("sex")),
    Summary(("bmi", "height")),
    Compare("bmi", Grouping("sex")),
    Correlate(("bmi", "smoker")),
    Regress("bmi", ("height", "dx:C50")),
    Survival("os", Grouping("sex")),
)


@pytest.mark.parametrize("cohort", [Flag("dx:C50"), MASK], ids=["flag", "mask"])
@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda each: each.name)
@pytest.mark.parametrize("sharing", [2, 16, 64])
def test_every_analysis(datasets: dict[int, SealedDataset], sharing: int, analysis: Analysis, cohort: Cohort) -> None:
    query, dataset = canonical_query(Query(cohort, analysis), CLINICAL), datasets[sharing]
    plan = planned(dataset, query)
    check_noise(dataset, plan)
    opened = dataset.numbers(plan, worker.run_all(dataset.work(plan), ()))
    assert answer(query, (1,), opened) == numbers(query, rows(sharing), CLINICAL)


@pytest.mark.parametrize("sharing", [16, 64])
def test_two_workers_divide_the_products(datasets: dict[int, SealedDataset], sharing: int) -> None:
    query, dataset = canonical_query(Query(All(()), Survival("os", Grouping("sex"))), CLINICAL), datasets[sharing]
    plan = replace(planned(dataset, query), seconds=1.0)
    shares = product_shares(plan, 2)
    assert len(shares) == 2
    assert sorted(leaf.place for share in shares for leaf in share.leaves) == [leaf.place for leaf in plan.leaves]
    assert not shares[0].used_finals & shares[1].used_finals
    moduli = np.array(plan.parameters.data_primes[: plan.release_level])[:, None]
    total = sum(dataset.ciphertext(share) for share in shares) % moduli
    measured = math.log2(PEOPLE.noise(total))
    assert plan.noise_bits - LOOSE_BITS < measured <= plan.noise_bits
    with WorkerPool(2) as pool:
        opened = dataset.numbers(plan, evaluate(plan, dataset.path, dataset.keys, pool))
    assert answer(query, (1,), opened) == numbers(query, rows(sharing), CLINICAL)


def test_products_stay_together_where_a_second_worker_gains_nothing(datasets: dict[int, SealedDataset]) -> None:
    groups = replace(planned(datasets[64], Query(All(()), Survival("os", Grouping("sex")))), seconds=1.0)
    assert product_shares(groups, 1) == []
    assert product_shares(replace(groups, seconds=0.01), 2) == []
    one_mask = replace(planned(datasets[64], Query(Flag("smoker"), Survival("os"))), seconds=1.0)
    assert any(leaf.shares for leaf in one_mask.leaves)
    assert product_shares(one_mask, 2) == []


def answer(query: Query, blocks: tuple[int, ...], opened: list[int]) -> tuple[int, ...]:
    cells = cells_of(query, CLINICAL).cells
    (found,) = placed(cells, PEOPLE.parameters, blocks, per_site=False).read(opened)
    return found
