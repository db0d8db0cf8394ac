"""The planner: what a plan reads and costs, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto import release
from app.core.crypto.parameters import STANDARD_1, ParameterSet
from app.core.errors import UserError
from app.core.query.analyses import Breakdown, Grouping, Table
from app.core.query.model import EVERYONE, NOBODY, All, Any, Cohort, Flag, Not, Query
from app.core.query.plan import PRESENT, DatasetShape, Plan
from app.core.query.planner import Openers, make_plan, ways
from app.core.query.text import parse
from tests.cohorts import CATALOGUE

FLAGS = Catalogue("Flags", 1, tuple(Variable(f"f{i}", Kind.FLAG, Label(f"f{i}")) for i in range(40)))
TERMS = [Flag(variable.code) for variable in FLAGS]


def shape(
    residues: int = 7, blocks: int = 8, catalogue: Catalogue = FLAGS, parameters: ParameterSet = STANDARD_1
) -> DatasetShape:
    columns = [(column.variable, column.part) for variable in catalogue for column in variable.columns]
    meanings = {variable.code: variable.meaning for variable in catalogue}
    return DatasetShape(parameters, residues, blocks, (PRESENT, *columns), meanings)


THREE_SITES = Openers(3, 2)


def plan(cohort: Cohort, residues: int = 7, blocks: int = 8, openers: Openers = THREE_SITES) -> Plan:
    return make_plan(Query(cohort), FLAGS, shape(residues, blocks), openers)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("smoker", {("smoker", "has")}),
        ("not smoker", {("smoker", "has"), PRESENT}),
        ("age >= 50 and age < 70", {("age", "ge:50"), ("age", "ge:70")}),
        ("age < 50", {("age", "known"), ("age", "ge:50")}),
        ("stage in {I, II}", {("stage", "level:I"), ("stage", "level:II")}),
        ("not stage = IV", {("stage", "level:IV"), PRESENT}),
        ("age >= 40 and age < 50 or age >= 70", {("age", "ge:40"), ("age", "ge:50"), ("age", "ge:70")}),
    ],
)
def test_one_variable_takes_no_product_and_three_residues(text: str, columns: set[tuple[str, str]]) -> None:
    made = make_plan(Query(parse(text, CATALOGUE)), CATALOGUE, shape(catalogue=CATALOGUE), Openers(3, 2))
    assert {(column.code, column.part) for column in made.columns} == columns
    assert (made.products, made.levels, made.residues) == (0, 0, 3)


def test_everyone_and_nobody() -> None:
    assert [(column.code, column.part) for column in plan(EVERYONE).columns] == [PRESENT]
    assert plan(NOBODY).columns == ()
    assert plan(All((TERMS[0], Not(TERMS[0])))).columns == ()


@pytest.mark.parametrize(("terms", "residues"), [(2, 3), (4, 5), (8, 6), (16, 7)])
def test_residues_that_an_and_needs(terms: int, residues: int) -> None:
    """5 residues serve 4 terms, 6 serve 8, 7 serve 16."""
    for cohort in (All(tuple(TERMS[:terms])), Any(tuple(TERMS[:terms]))):
        made = plan(cohort, residues)
        assert made.residues <= residues
        assert {column.index for column in made.columns} >= set(range(1, terms + 1))


def test_an_and_of_two_reads_three_residues_of_a_deep_dataset() -> None:
    made = plan(All((TERMS[0], TERMS[1])), 8)
    assert [column.residues for column in made.columns] == [3, 3]
    assert (made.levels, made.products, made.stages) == (1, 1, ())


def test_equal_parts_are_computed_once() -> None:
    shared = Any((TERMS[0], TERMS[1]))
    deep = [All((shared, TERMS[2], TERMS[3])), All((shared, TERMS[4], TERMS[5]))]
    other = [deep[0], All((Any((TERMS[6], TERMS[7])), TERMS[4], TERMS[5]))]
    assert plan(Any(tuple(deep))).products < plan(Any(tuple(other))).products


def test_what_fits_is_proved_for_release() -> None:
    """With the noise that sites announce: in whole bits, and one more when they contribute to another attempt."""
    for sites in range(2, 17):
        for terms in range(1, 9):
            made = plan(All(tuple(TERMS[:terms])), openers=Openers(sites, sites))
            announced = math.ceil(made.noise_bits) + 1
            bound = release.total_noise_bound(STANDARD_1, sites, sites, announced)
            assert made.flooding_bits == release.flooding_bits(STANDARD_1, bound, 1)
            release.check_fits(STANDARD_1, made.release_level, made.flooding_bits, sites)


def test_noise_grows_with_sites_and_blocks() -> None:
    cohort = All((TERMS[0], TERMS[1]))
    assert plan(cohort, openers=Openers(4, 3)).noise_bits > plan(cohort).noise_bits
    assert math.isclose(plan(cohort, blocks=16).noise_bits, plan(cohort).noise_bits + 0.5, abs_tol=0.01)


def test_too_deep_for_the_dataset_says_how_deep_it_must_be() -> None:
    with pytest.raises(UserError, match="query.needs_more_residues") as caught:
        plan(All(tuple(TERMS[:16])), 5)
    assert caught.value.params == {"terms": 16, "needed": 6, "stored": 5}
    assert plan(All(tuple(TERMS[:16])), 6).residues == 6


def test_too_deep_for_any_dataset() -> None:
    cohort: Cohort = TERMS[0]
    for place in range(1, 12):  # each variable decides only after the one within
        cohort = (All if place % 2 else Any)((TERMS[place], cohort))
    with pytest.raises(UserError, match="query.does_not_fit"):
        plan(cohort, 8)


def test_more_sites_take_another_residue_where_flooding_would_not_fit() -> None:
    """Noise and the flooding that hides it grow with the sites: sixteen of them open a product one prime later."""
    made = plan(All((TERMS[0], TERMS[1])), openers=Openers(16, 8))
    assert (made.residues, made.release_level) == (4, 3)


def test_a_count_that_could_pass_the_plain_modulus_is_told_in_two_parts() -> None:
    one, two = plan(TERMS[0], blocks=295), plan(TERMS[0], blocks=296)  # 885 · 16,384 is all that fits
    assert (one.results, two.results) == (1, 2)
    parts = [(0, 0, 295), (1, 295, 296)]  # the same blocks of all sites
    assert [(leaf.place, leaf.first, leaf.end) for leaf in two.leaves] == parts
    last = make_plan(Query(TERMS[0]), FLAGS, shape(7, 296), THREE_SITES, blocks=(296,) * 3, contributor=2)
    assert [(leaf.place, leaf.first, leaf.end) for leaf in last.leaves] == parts


@pytest.mark.parametrize(("blocks", "staged"), [(1, True), (8, False), (61, False)])
def test_a_mask_of_several_results_is_a_stage_where_that_is_cheaper(blocks: int, staged: bool) -> None:
    """Relinearized once a block instead of once a result; both ways are compared."""
    query = Query(All((Flag("smoker"), Flag("dx:C50"))), Breakdown("sex"))
    dataset = shape(7, blocks, CATALOGUE)
    plans = [each for each in ways(query, CATALOGUE, dataset, THREE_SITES) if each.residues <= 7]
    assert {bool(each.stages) for each in plans} == {True, False}
    chosen = make_plan(query, CATALOGUE, dataset, THREE_SITES)
    assert chosen.seconds == min(each.seconds for each in plans)
    assert bool(chosen.stages) == staged


def test_packing_and_its_flooding_are_proved_to_fit() -> None:
    """More results are noisier and need more flooding: a product of two columns then takes another residue."""
    for sites in (2, 3, 8, 16):
        openers = Openers(sites, sites)
        for analysis in (Breakdown("sex"), Table(Grouping("and"), Grouping("stage"))):
            query = Query(Flag("smoker"), analysis, per_site=True)
            made = make_plan(query, CATALOGUE, shape(7, 8, CATALOGUE), openers)
            bound = release.total_noise_bound(STANDARD_1, sites, sites, math.ceil(made.noise_bits) + 1)
            assert made.flooding_bits == release.flooding_bits(STANDARD_1, bound, made.results)
            release.check_fits(STANDARD_1, made.release_level, made.flooding_bits, sites)
    both = Query(All((Flag("smoker"), Flag("dx:C50"))))
    alone = make_plan(both, CATALOGUE, shape(7, 8, CATALOGUE), THREE_SITES)
    assert (alone.results, alone.residues) == (1, 3)
    assert made.residues > 3


def test_every_site_has_places_of_its_own() -> None:
    query = Query(TERMS[0], per_site=True)
    made = make_plan(query, FLAGS, shape(7, 8), THREE_SITES, blocks=(8, 4, 8), contributor=2)
    assert (made.results, [(leaf.place, leaf.first, leaf.end) for leaf in made.leaves]) == (4, [(2, 0, 8)])


def test_a_dataset_that_does_not_have_what_is_asked() -> None:
    full = shape()
    lacking = replace(full, columns=tuple(each for each in full.columns if each[0] != "f3"))
    with pytest.raises(UserError, match="query.variable_not_in_dataset"):
        make_plan(Query(TERMS[3]), FLAGS, lacking, Openers(3, 2))
    other = replace(full, meanings={**full.meanings, "f3": bytes(32)})
    with pytest.raises(UserError, match="query.variable_differs"):
        make_plan(Query(TERMS[3]), FLAGS, other, Openers(3, 2))
    assert make_plan(Query(TERMS[4]), FLAGS, other, Openers(3, 2)).columns[0].code == "f4"
