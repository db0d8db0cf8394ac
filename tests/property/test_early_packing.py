"""Results packed before they are relinearized are those that are packed after, with noise within the bound."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.crypto import seal
from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES
from app.core.errors import EnvironmentProblem
from app.core.jobs.pool import WorkerPool
from app.core.query import worker
from app.core.query.analyses import Analysis, Grouping, Survival, Table
from app.core.query.canonical import canonical_query
from app.core.query.cells import cells_of
from app.core.query.early_nodes import TOGETHER, halves, nodes_of, rotations
from app.core.query.evaluator import evaluate, pack_parts, product_shares
from app.core.query.keys import EARLY_FILE, ROTATION_FILE, KeyFiles
from app.core.query.model import EVERYONE, Cohort, Query
from app.core.query.oracle import numbers
from app.core.query.placing import placed
from app.core.query.plan import Plan
from app.core.query.planner import Openers, make_plan, ways
from app.core.query.text import parse
from tests.cohorts import CLINICAL, MONTH, patients
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_keys

PEOPLE = parties(3, 2)
ROWS = patients(700, 3, CLINICAL)  # one block
LOOSE_BITS = 20
CONTEXT = seal.context(PEOPLE.parameters, ROTATION_PRIMES)
ANALYSES = (
    Survival("os", Grouping("sex")),
    Survival("os", Grouping("sex"), Decimal(3) * MONTH),  # forms of several columns
    Table(Grouping("age"), Grouping("stage")),  # several masks in a node
)
COHORTS = (EVERYONE, parse("smoker and age >= 40", CLINICAL))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> SealedDataset:
    directory = tmp_path_factory.mktemp("dataset")
    keys = write_keys(PEOPLE, directory / "keys")
    return seal_rows(directory / "data.db", keys, PEOPLE, CLINICAL, ROWS, 8)


def plans(dataset: SealedDataset, query: Query) -> dict[int, Plan]:
    """Return the cheapest plan for each number of results that a node takes together."""
    best: dict[int, Plan] = {}
    for plan in ways(query, CLINICAL, dataset.shape, Openers(3, 2), blocks=(1,)):
        if plan.residues <= 8 and (plan.together not in best or plan.seconds < best[plan.together].seconds):
            best[plan.together] = plan
    return best


@pytest.mark.parametrize("cohort", COHORTS, ids=["everyone", "cohort"])
@pytest.mark.parametrize("analysis", ANALYSES, ids=["survival", "survival in steps", "table"])
def test_the_same_numbers(dataset: SealedDataset, analysis: Analysis, cohort: Cohort) -> None:
    query = canonical_query(Query(cohort, analysis), CLINICAL)
    placing = placed(cells_of(query, CLINICAL).cells, PEOPLE.parameters, (1,), per_site=False)
    found = plans(dataset, query)
    assert set(found) == {1, *TOGETHER}
    for together, plan in found.items():
        assert (plan.together == 1) == (nodes_of(plan) is None or together == 1)
        measured = math.log2(PEOPLE.noise(dataset.ciphertext(plan)))
        assert plan.noise_bits - LOOSE_BITS < measured <= plan.noise_bits
        opened = dataset.numbers(plan, worker.run_all(dataset.work(plan), ()))
        assert placing.read(opened) == (numbers(query, ROWS, CLINICAL),)


def test_two_workers_share_the_nodes_and_no_columns(dataset: SealedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.query.evaluator._WORTH_A_SECOND", 2.0)  # however little there is to do here
    query = canonical_query(Query(COHORTS[1], ANALYSES[0]), CLINICAL)
    plan = replace(plans(dataset, query)[4], seconds=10.0)
    assert pack_parts(plan, 2) == []
    shares = product_shares(plan, 2)
    assert sorted(leaf.place for share in shares for leaf in share.leaves) == [leaf.place for leaf in plan.leaves]
    patterns = [{pattern for node in nodes_of(share) or () for pattern in node.patterns} for share in shares]
    assert not patterns[0] & patterns[1]
    together = [rotations(share, nodes_of(share) or ()) for share in shares]
    assert sum(together) <= rotations(plan, nodes_of(plan) or ()) + 2 * 3  # both turn the two masks
    placing = placed(cells_of(query, CLINICAL).cells, PEOPLE.parameters, (1,), per_site=False)
    with WorkerPool(2) as pool:
        opened = dataset.numbers(plan, evaluate(plan, dataset.path, dataset.keys, pool))
    assert placing.read(opened) == (numbers(query, ROWS, CLINICAL),)


def test_leaves_of_a_node_stay_together(dataset: SealedDataset) -> None:
    plan = plans(dataset, canonical_query(Query(EVERYONE, ANALYSES[0]), CLINICAL))[4]
    one, other = ({leaf.place // 4 for leaf in half} for half in halves(plan))
    assert one
    assert other
    assert not one & other


def test_several_blocks_are_packed_after(dataset: SealedDataset) -> None:
    """Each block would take the rotations again."""
    query = canonical_query(Query(EVERYONE, ANALYSES[0]), CLINICAL)
    shape = replace(dataset.shape, blocks=3)
    assert {plan.together for plan in ways(query, CLINICAL, shape, Openers(3, 2), blocks=(3,))} == {1}


def test_where_the_keys_are_not_there_nothing_is_packed_before(dataset: SealedDataset) -> None:
    """Federations of older programs have no such keys."""
    query = canonical_query(Query(EVERYONE, ANALYSES[0]), CLINICAL)
    found = ways(query, CLINICAL, dataset.shape, Openers(3, 2, early=False), blocks=(1,))
    assert {plan.together for plan in found} == {1}


def test_the_cheapest_is_chosen(dataset: SealedDataset) -> None:
    plan = make_plan(Query(EVERYONE, ANALYSES[0]), CLINICAL, dataset.shape, Openers(3, 2), blocks=(1,))
    assert plan.together > 1
    assert plan.seconds == min(each.seconds for each in plans(dataset, Query(EVERYONE, ANALYSES[0])).values())


# --- the keys -----------------------------------------------------------------------------------------------------


def test_a_few_keys_of_a_file_are_those_of_the_whole(dataset: SealedDataset) -> None:
    context = seal.context(PEOPLE.parameters, RELEASE_PRIMES)
    path = dataset.keys / ROTATION_FILE
    few, every = context.load_rotation_keys(path, [3, 9]), context.load_rotation_keys(path)
    zero = context.load(PEOPLE.encryptor(RELEASE_PRIMES).encrypt_zero())
    for element in (3, 9):
        one, other = context.rotate(zero, element, few), context.rotate(zero, element, every)
        assert (context.read(one).copy() == context.read(other)).all()
    with pytest.raises((RuntimeError, ValueError)):
        context.rotate(zero, 5, few)


def test_more_keys_are_loaded_when_they_are_needed(dataset: SealedDataset) -> None:
    keys = KeyFiles(PEOPLE.parameters, dataset.keys)
    first = keys.rotation(256, 4)
    assert keys.rotation(64, 8) is first
    more = keys.rotation(16)
    assert more is not first
    assert keys.rotation(256, 4) is more


@pytest.mark.parametrize("cut", [0, 10, 60, 5000, 1 << 18])
def test_a_damaged_file_is_named(dataset: SealedDataset, tmp_path: Path, cut: int) -> None:
    data = bytearray((dataset.keys / EARLY_FILE).read_bytes())
    (tmp_path / EARLY_FILE).write_bytes(data[:cut])
    with pytest.raises(EnvironmentProblem) as caught:
        KeyFiles(PEOPLE.parameters, tmp_path).early(4, CONTEXT)
    assert caught.value.code == "crypto.key_file_damaged"
    assert caught.value.params["path"] == str(tmp_path / EARLY_FILE)


def test_a_file_that_lies_about_its_parts_is_named(dataset: SealedDataset, tmp_path: Path) -> None:
    data = bytearray((dataset.keys / EARLY_FILE).read_bytes())
    place = 16 + 32 + 8 + 8 + 8  # the first key's first part
    data[place + 8 : place + 16] = (1 << 40).to_bytes(8, "little")
    (tmp_path / EARLY_FILE).write_bytes(data)
    with pytest.raises(EnvironmentProblem) as caught:
        KeyFiles(PEOPLE.parameters, tmp_path).early(4, CONTEXT)
    assert caught.value.code == "crypto.key_file_damaged"
