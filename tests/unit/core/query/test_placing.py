"""Where numbers lie: whatever an asker says of the sites, what is opened is no more than the question tells."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, STANDARD_1
from app.core.errors import UserError
from app.core.query.cells import Cell, Linear
from app.core.query.model import All
from app.core.query.placing import Placing, placed

BIT, DIGIT, PRODUCT = (
    Cell((name,), All(()), factors)
    for name, factors in (
        ("bit", ()),
        ("digit", (Linear((), 0, 31),)),
        ("product", (Linear((), -16, 15), Linear((), -16, 15))),
    )
)
CELLS = (BIT, DIGIT, PRODUCT)
BLOCKS = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def made(blocks: list[int], *, per_site: bool) -> Placing | None:
    try:
        return placed(CELLS, STANDARD_1, blocks, per_site=per_site)
    except UserError as error:
        if error.code != "query.too_many_results":
            raise
        return None


@given(BLOCKS, st.booleans(), st.randoms(use_true_random=False))
def test_numbers_are_read_as_they_were_placed(blocks: list[int], per_site: bool, chosen: random.Random) -> None:
    if (placing := made(blocks, per_site=per_site)) is None:
        return
    opened = [0] * placing.results
    wanted = [[0] * len(CELLS) for _ in blocks]
    owner: dict[int, tuple[int, int]] = {}
    for site, count in enumerate(blocks):
        for number, cell in enumerate(CELLS):
            cut = placing.ranges(site, number, count)
            assert [block for _, first, end in cut for block in range(first, end)] == list(range(count))
            assert len({place for place, _, _ in cut}) == len(cut) == placing.draws(site, number)
            for place, first, end in cut:
                assert owner.setdefault(place, (number, site if per_site else -1))[0] == number
                assert not per_site or owner[place][1] == site
                assert {placing.place(site, number, block) for block in range(first, end)} == {place}
                value = sum(chosen.choice(cell.bounds) * STANDARD_1.slots for _ in range(first, end))
                opened[place] += value
                wanted[site][number] += value
    half = STANDARD_1.plain_modulus // 2
    centred = [(value + half) % STANDARD_1.plain_modulus - half for value in opened]
    rows = tuple(map(tuple, wanted)) if per_site else (tuple(map(sum, zip(*wanted, strict=True))),)
    assert placing.read(centred) == rows


@given(st.lists(st.tuples(st.integers(3, 60), st.integers(3, 60)), min_size=2, max_size=6))
def test_an_asker_cannot_choose_where_a_dataset_is_cut(told: list[tuple[int, int]]) -> None:
    """Else noise, drawn for the blocks of a place, would average out over all the cuts."""
    cuts = []
    for blocks in map(list, zip(*told, strict=True)):
        for per_site in (False, True):
            placing = made(blocks, per_site=per_site)
            cuts += [] if placing is None else [placing.ranges(0, cell, 3) for cell in range(len(CELLS))]
    found = {(cell, tuple((first, end) for _, first, end in cut)) for cell, cut in enumerate(cuts)}
    assert all(len({cut for cell, cut in found if cell % len(CELLS) == each}) <= 2 for each in range(len(CELLS)))


@pytest.mark.parametrize("others", [1, 883, 884, 885, 4000])
def test_an_asker_cannot_have_one_site_alone_in_a_place(others: int) -> None:
    placing = placed([BIT], STANDARD_1, (others, 2, others), per_site=False)
    assert [placing.ranges(site, 0, 2) for site in range(3)] == [[(0, 0, 2)]] * 3


def test_noise_has_room() -> None:
    placing = placed([PRODUCT], INSECURE_TEST_PARAMETERS, (40, 40, 40), per_site=False)
    assert placing.spans[0] * placing.sharers[0] * 496 * 1024 * 8 <= INSECURE_TEST_PARAMETERS.plain_modulus * 7
