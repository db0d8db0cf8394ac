"""Any cohort counted under encryption is what the plaintext oracle counts, with noise within the plan's bound."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from app.core.errors import UserError
from app.core.query import worker
from app.core.query.model import Cohort
from app.core.query.oracle import count
from app.core.query.plan import Plan
from tests.cohorts import CATALOGUE, cohorts, patients
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_keys

ROWS = patients(1500, seed=11)  # two blocks of 1,024 slots, the second half empty
LOOSE_BITS = 20


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[int, SealedDataset]:
    directory = tmp_path_factory.mktemp("datasets")
    people = parties(3, 2)
    keys = write_keys(people, directory / "keys")
    return {
        residues: seal_rows(directory / f"{residues}.db", keys, people, CATALOGUE, ROWS, residues)
        for residues in (5, 6, 7, 8)
    }


def planned(dataset: SealedDataset, cohort: Cohort) -> Plan:
    """Plan a cohort, or give this example up if the dataset is not deep enough for it."""
    try:
        return dataset.plan(cohort)
    except UserError as error:
        if error.code not in ("query.needs_more_residues", "query.does_not_fit"):
            raise
        reject()


@pytest.mark.parametrize("residues", [5, 6, 7, 8])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cohort=cohorts(leaves=8))
def test_exact_and_within_the_bound(datasets: dict[int, SealedDataset], residues: int, cohort: Cohort) -> None:
    dataset = datasets[residues]
    plan = planned(dataset, cohort)
    measured = math.log2(max(1, dataset.people.noise(dataset.ciphertext(plan))))
    assert measured <= plan.noise_bits
    assert plan.noise_bits - measured < LOOSE_BITS or plan.noise_bits < LOOSE_BITS
    contribution = worker.run_all(dataset.work(plan), ())
    assert dataset.opened(plan, contribution) == count(cohort, ROWS, CATALOGUE)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cohort=cohorts(leaves=5), noise=st.integers(-(10**5), 10**5))
def test_sites_with_other_plans_add_up(datasets: dict[int, SealedDataset], cohort: Cohort, noise: int) -> None:
    """Datasets of different depth are computed differently, but every contribution has the same scale."""
    plans = [planned(datasets[residues], cohort) for residues in (5, 8)]
    sent = [
        worker.run_all(datasets[residues].work(plan), (noise,)) for residues, plan in zip((5, 8), plans, strict=True)
    ]
    loudest = max(plans, key=lambda plan: plan.noise_bits)
    assert datasets[8].opened(loudest, *sent) == 2 * (count(cohort, ROWS, CATALOGUE) + noise)
