"""A site's noise in every place that it uses: who asks sees all of them, not their sum alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from app.core.crypto.parameters import STANDARD_1
from app.core.federation.contributing import DatasetContributor, asked_cells
from app.core.query.analyses import Correlate
from app.core.query.model import All, Query
from app.core.query.placing import placed
from app.core.secret import SecretBytes
from tests.cohorts import CLINICAL

QUERY = Query(All(()), Correlate(("bmi", "height")))
OWN = 3


def noise(blocks: tuple[int, ...], *, per_site: bool = False) -> tuple[tuple[int, ...], dict[tuple[int, int], int]]:
    """The noise of the first site, with 3 blocks: at every place, and for each (cell, first block) that it has."""
    site: Any = SimpleNamespace(root=SecretBytes(b"r" * 32))
    mailroom: Any = None
    query = replace(QUERY, per_site=per_site)
    cells = asked_cells(query, CLINICAL)
    placing = placed(cells.cells, STANDARD_1, blocks, per_site=per_site)
    ranges = [placing.ranges(0, cell, OWN) for cell in range(len(cells.cells))]
    request: Any = SimpleNamespace(epsilon=Fraction(1, 100), query=query)
    drawn = DatasetContributor(site, mailroom)._noise(request, CLINICAL, b"dataset", cells, placing, ranges)
    used = {(cell, first): drawn[place] for cell, cut in enumerate(ranges) for place, first, _ in cut}
    assert not any(value for place, value in enumerate(drawn) if place not in {p for cut in ranges for p, _, _ in cut})
    return drawn, used


def test_every_place_has_noise_of_its_own() -> None:
    _, used = noise((OWN, 1, 1))
    assert any((cell, 1) in used for cell, _ in used)  # products of digits have room for one block a place
    assert all(used.values())
    assert len(set(used.values())) == len(used)


def test_it_is_the_same_whatever_the_asker_says_of_the_others_and_per_site() -> None:
    _, used = noise((OWN, 1, 1))
    assert noise((OWN, 1, 1), per_site=True)[1] == used
    assert noise((OWN, 4, 5))[1] == used
