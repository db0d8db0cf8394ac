"""The choice of depth against the planner's own arithmetic and the size of real packages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto.parameters import RELEASE_PRIMES, STANDARD_1
from app.core.errors import UserError
from app.core.preparation.depth import Choice, choices
from app.core.query.explaining import supposed_dataset
from app.core.query.model import All, Any, Cohort, Flag, Not, Query
from app.core.query.planner import Openers, make_plan
from tests.packages import TEST, Maker

FLAGS = Catalogue("Flags", 1, tuple(Variable(f"f{i}", Kind.FLAG, Label(f"f{i}")) for i in range(40)))
CHOICES = {each.residues: each for each in choices(1_000_000, 200, STANDARD_1, cores=2)}
BLOCKS = 62


SHARED = {each.residues: each for each in choices(228, 200, STANDARD_1, cores=2, sharing=64)}


def fits(cohort: Cohort, residues: int, sharing: int = 1) -> bool:
    dataset = supposed_dataset(FLAGS, STANDARD_1, residues, BLOCKS if sharing == 1 else 1)
    try:
        make_plan(Query(cohort), FLAGS, replace(dataset, columns_per_ciphertext=sharing), Openers(3, 2))
    except UserError as error:
        return error.code != "query.needs_more_residues"
    return True


def some_tree(terms: int, draw: random.Random, flags: Iterator[Variable], under: bool | None = None) -> Cohort:
    """Return any arrangement of so many terms, "and" and "or" in turn, some of them negated."""
    if terms == 1:
        flag = Flag(next(flags).code)
        return Not(flag) if draw.random() < 0.3 else flag
    together = draw.random() < 0.5 if under is None else not under
    cuts = sorted(draw.sample(range(1, terms), min(draw.choice([2, 2, 2, 3, 4]), terms) - 1))
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, terms], strict=True)]
    return (All if together else Any)(tuple(some_tree(size, draw, flags, together) for size in sizes))


@pytest.mark.parametrize("choice", CHOICES.values(), ids=str)
def test_what_residues_serve_is_what_the_planner_takes(choice: Choice) -> None:
    flags = tuple(Flag(each.code) for each in FLAGS.variables[: choice.terms])
    for cohort in (All(flags), Any(flags)) if choice.terms > 1 else flags:
        assert fits(cohort, choice.residues)
    for seed in range(8):
        assert fits(some_tree(choice.nested, random.Random(seed), iter(FLAGS)), choice.residues)


@pytest.mark.parametrize("choice", SHARED.values(), ids=str)
@pytest.mark.parametrize("sharing", [2, 64])
def test_what_residues_serve_where_columns_share_ciphertexts(choice: Choice, sharing: int) -> None:
    flags = tuple(Flag(each.code) for each in FLAGS.variables[: choice.terms])
    for cohort in (All(flags), Any(flags)) if choice.terms > 1 else flags:
        assert fits(cohort, choice.residues, sharing)
    for seed in range(8):
        assert fits(some_tree(choice.nested, random.Random(seed), iter(FLAGS)), choice.residues, sharing)


def test_small_cohorts_take_little_and_keep_every_residue() -> None:
    (recommended,) = (each for each in SHARED.values() if each.recommended)
    assert (recommended.residues, recommended.terms) == (8, 16)
    (larger,) = (each for each in choices(228, 500, STANDARD_1, cores=2, sharing=64) if each.recommended)
    assert larger.bytes < 15e6
    alone = choices(228, 200, STANDARD_1, cores=2)
    assert 40 < alone[0].bytes / SHARED[3].bytes <= 64
    assert choices(8193, 200, STANDARD_1, cores=2, sharing=64) == choices(8193, 200, STANDARD_1, cores=2)


def test_fewer_residues_serve_nothing() -> None:
    assert min(CHOICES) == RELEASE_PRIMES
    assert not fits(Flag("f0"), RELEASE_PRIMES - 1)


def test_size_and_time() -> None:
    five, six = CHOICES[5], CHOICES[6]
    assert (five.terms, six.terms, CHOICES[7].terms) == (4, 8, 16)
    assert 200 * BLOCKS * 5 * 196_624 < five.bytes < 200 * BLOCKS * 5 * 196_624 * 1.1
    assert six.seconds > five.seconds
    assert choices(1_000_000, 200, STANDARD_1, cores=4)[2].seconds == five.seconds / 2
    assert [each.residues for each in CHOICES.values() if each.recommended] == [5]


def test_the_size_of_a_real_package(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    table = maker.table(9000)
    path, _ = maker.package(table)
    expected = choices(table.patients, len(table.columns), TEST, cores=1)[0].bytes
    assert 0.8 * expected < path.stat().st_size < 1.25 * expected  # short rows fill pages less well
