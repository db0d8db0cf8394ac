"""Any analysis of any cohort, computed under encryption, opens the oracle's numbers, with noise within the bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from app.core.catalogue.model import Kind
from app.core.errors import UserError
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
from app.core.query.model import EVERYONE, Before, Moment, Not, Query, Within
from app.core.query.oracle import Row, numbers
from app.core.query.placing import Placing, placed
from app.core.query.plan import Plan
from app.core.query.planner import Openers, make_plan
from app.core.query.text import parse
from tests.cohorts import CLINICAL, MONTH, cohorts, patients, terms_of
from tests.crypto_parties import parties
from tests.sealed_datasets import SealedDataset, seal_rows, write_keys

PEOPLE = parties(3, 2)
ROWS = [patients(count, seed, CLINICAL) for seed, count in enumerate((1500, 700, 2100))]  # two blocks, one, three
LOOSE_BITS = 20

NUMBERS = [each.code for each in CLINICAL if each.kind is Kind.NUMBER]
EXACT = [each.code for each in CLINICAL if each.digits is not None]
FLAGS = [each.code for each in CLINICAL if each.kind is Kind.FLAG]
CATEGORIES = [each.code for each in CLINICAL if each.kind is Kind.CATEGORY]
DATES = [each.code for each in CLINICAL if each.kind is Kind.DATE]
TERMS = st.one_of([terms_of(each) for each in CLINICAL])

GROUPINGS = st.sampled_from([*FLAGS, *CATEGORIES, *NUMBERS, *DATES]).map(Grouping)
OLD = Grouping("age", CLINICAL.variable("age").cut_points[1:2])
TWO_GROUPS = st.sampled_from([*map(Grouping, FLAGS), Grouping("sex"), OLD])
MIXED = st.lists(st.sampled_from([*EXACT, *FLAGS]), min_size=2, max_size=3, unique=True).map(tuple)
ANALYSES: st.SearchStrategy[Analysis] = st.one_of(
    st.just(Count()),
    st.just(Attrition()),
    st.builds(Breakdown, st.sampled_from([*FLAGS, *CATEGORIES])),
    st.builds(Histogram, st.sampled_from([*NUMBERS, *DATES])),
    st.lists(GROUPINGS, min_size=2, max_size=2, unique_by=lambda each: each.code).map(lambda both: Table(*both)),
    st.builds(Summary, st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3, unique=True).map(tuple)),
    st.builds(Compare, st.sampled_from(EXACT), TWO_GROUPS),
    st.builds(Correlate, MIXED),
    st.builds(Regress, st.just(EXACT[0]), st.sampled_from([(EXACT[1], FLAGS[0]), (FLAGS[0], FLAGS[1])])),
    st.builds(Survival, st.just("os"), st.none() | GROUPINGS, st.sampled_from([None, 3 * MONTH]), st.none()),
)


@dataclass(frozen=True)
class Asked:
    """A query planned at one site."""

    query: Query
    placing: Placing
    plan: Plan


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> list[SealedDataset]:
    directory = tmp_path_factory.mktemp("datasets")
    keys = write_keys(PEOPLE, directory / "keys")
    return [
        seal_rows(directory / f"{site}.db", keys, PEOPLE, CLINICAL, rows, residues)
        for site, (rows, residues) in enumerate(zip(ROWS, (8, 7, 8), strict=True))
    ]


def asked(site: SealedDataset, query: Query, blocks: Sequence[int], contributor: int) -> Asked:
    """Plan a query, or give this example up if the dataset is not deep enough for it or it opens too much."""
    openers = Openers(PEOPLE.sites, PEOPLE.quorum)
    try:
        canonical = canonical_query(query, CLINICAL)
        cells = cells_of(canonical, CLINICAL).cells
        placing = placed(cells, PEOPLE.parameters, blocks, per_site=query.per_site)
        plan = make_plan(query, CLINICAL, site.shape, openers, blocks=tuple(blocks), contributor=contributor)
    except UserError as error:
        if error.code not in ("query.needs_more_residues", "query.does_not_fit", "query.too_many_groups"):
            raise
        reject()
    return Asked(canonical, placing, plan)


def check(site: SealedDataset, rows: Sequence[Row], query: Query) -> None:
    one = asked(site, query, (site.shape.blocks,), 0)
    measured = math.log2(max(1, site.people.noise(site.ciphertext(one.plan))))
    assert measured <= one.plan.noise_bits
    assert one.plan.noise_bits - measured < LOOSE_BITS or one.plan.noise_bits < LOOSE_BITS
    opened = site.numbers(one.plan, worker.run_all(site.work(one.plan), ()))
    assert one.placing.read(opened) == (numbers(one.query, rows, CLINICAL),)


RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@RELAXED
@given(cohort=cohorts(TERMS, leaves=4), analysis=ANALYSES)
def test_exact_and_within_the_bound(sites: list[SealedDataset], cohort: object, analysis: Analysis) -> None:
    check(sites[0], ROWS[0], Query(cohort, analysis))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cohort",
    [
        Before(Moment("first", "relapse"), Moment("last", "rx:L01")),
        Not(Before(Moment("last", "relapse"), Moment("first", "rx:L01"), least=MONTH, most=3 * MONTH)),
        Within(Moment("first", "relapse"), Moment("first", "rx:L01"), MONTH),
    ],
)
@pytest.mark.parametrize("analysis", [Count(), Survival("os"), Summary(("bmi",)), Breakdown("smoker")])
def test_relations_in_time(sites: list[SealedDataset], cohort: object, analysis: Analysis) -> None:
    check(sites[0], ROWS[0], Query(cohort, analysis))  # type: ignore[arg-type]


@settings(RELAXED, max_examples=20)
@given(cohort=cohorts(TERMS, leaves=3), analysis=ANALYSES, per_site=st.booleans(), noise=st.integers(-(10**4), 10**4))
def test_sites_add_up(
    sites: list[SealedDataset], cohort: object, analysis: Analysis, per_site: bool, noise: int
) -> None:
    """Datasets of different depth and size; each site adds noise to the first cell."""
    query = Query(cohort, analysis, per_site)  # type: ignore[arg-type]
    blocks = [site.shape.blocks for site in sites]
    every = [asked(site, query, blocks, place) for place, site in enumerate(sites)]
    sent = []
    for place, (site, one) in enumerate(zip(sites, every, strict=True)):
        added = [0] * one.placing.results
        added[one.placing.place(place, 0, 0)] = noise
        sent.append(worker.run_all(site.work(one.plan), tuple(added)))
    loudest = max((one.plan for one in every), key=lambda plan: plan.noise_bits)
    found = every[0].placing.read(sites[0].numbers(loudest, *sent))
    truth = [numbers(every[0].query, rows, CLINICAL) for rows in ROWS]
    wanted = truth if per_site else [tuple(map(sum, zip(*truth, strict=True)))]
    first = noise if per_site else 3 * noise
    assert found == tuple((each[0] + first, *each[1:]) for each in wanted)


@pytest.mark.parametrize("analysis", [Count(), Summary(("bmi",)), Correlate(("bmi", "height"))])
def test_a_number_kept_in_several_places(sites: list[SealedDataset], analysis: Analysis) -> None:
    """So many sites, or so large ones, that a place has room for few blocks of each: this dataset's are cut."""
    query = canonical_query(Query(parse("smoker or age >= 50", CLINICAL), analysis), CLINICAL)
    cells = cells_of(query, CLINICAL).cells
    widest = max(high - low for low, high in (cell.bounds for cell in cells))
    many = PEOPLE.parameters.plain_modulus // (widest * PEOPLE.parameters.slots) // 2  # more blocks than have room
    one = asked(sites[2], query, (3,) * many, 1)
    assert min(one.placing.spans) < 3
    assert len({leaf.place for leaf in one.plan.leaves}) > len(cells)
    opened = sites[2].numbers(one.plan, worker.run_all(sites[2].work(one.plan), ()))
    assert one.placing.read(opened) == (numbers(one.query, ROWS[2], CLINICAL),)


def test_places_of_nobody_are_exactly_zero(sites: list[SealedDataset]) -> None:
    query = Query(parse("smoker", CLINICAL), Histogram("age"), per_site=True)
    one = asked(sites[1], query, (2, 1, 3), 1)
    own = {leaf.place for leaf in one.plan.leaves}
    opened = sites[1].numbers(one.plan, worker.run_all(sites[1].work(one.plan), ()))
    assert [value for place, value in enumerate(opened) if place not in own] == [0] * (one.plan.results - len(own))
    nobody = asked(sites[1], replace(query, cohort=Not(EVERYONE)), (2, 1, 3), 1)
    assert not nobody.plan.leaves
    assert not any(sites[1].numbers(nobody.plan, worker.run_all(sites[1].work(nobody.plan), ())))
