"""An analysis with noise, asked of whole sites: what is opened is the truth and just the draws that the sites say.

The sites have so many blocks that products of two numbers need several places, each with noise of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS as PARAMETERS
from app.core.disclosure.noise import Noise, half_width, laplace_scale
from app.core.disclosure.policy import Policy
from app.core.disclosure.sensitivity import sensitivities
from app.core.federation.contributing import asked_cells
from app.core.query.canonical import query_hash
from app.core.query.oracle import cell_numbers
from app.core.query.placing import Placing, placed
from app.core.query.text import parse_query
from app.core.services import asking
from app.core.services.answers import Answer
from tests.analysis_sites import AnalysisSites


def _number(code: str) -> Variable:
    """A number of one digit in base 32."""
    scale = {"minimum": Decimal(0), "maximum": Decimal(31), "step": Decimal(1)}
    return Variable(code, Kind.NUMBER, Label(code), cut_points=(Decimal(10),), **scale)  # type: ignore[arg-type]


CATALOGUE = Catalogue("Two numbers", 1, (_number("dose"), _number("age")))
QUERY = parse_query("correlate dose, age", CATALOGUE)
CELLS = asked_cells(QUERY, CATALOGUE)
EPSILON = Fraction(1, 2)
BLOCKS = (15, 14)
"""Products of two digits have room for 27 blocks a place: 13 of each site."""


def _people(blocks: int, seed: int) -> list[dict[str, object]]:
    """Patients who just begin their last block."""
    draw = np.random.default_rng(seed)
    kinds = [{"dose": Decimal(dose), "age": Decimal(age)} for dose, age in draw.integers(0, 32, (64, 2)).tolist()]
    return [dict(kinds[place % 64]) for place in range((blocks - 1) * PARAMETERS.slots + 1)]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisSites]:
    patients = [_people(blocks, seed) for seed, blocks in enumerate(BLOCKS)]
    policy = Policy(others=1, per_site=True, noised=True)
    made = AnalysisSites(tmp_path_factory.mktemp("sites"), CATALOGUE, patients, policy=policy)
    yield made
    made.close()


def _answer(sites: AnalysisSites, *, per_site: bool = False) -> Answer:
    told = sites.asked("correlate dose, age", epsilon=EPSILON, per_site=per_site)
    assert told["state"] == "released", told
    answer = asking.show(sites.members[0], bytes.fromhex(told["id"])).answer
    assert answer is not None
    return answer


def _draws(sites: AnalysisSites, placing: Placing) -> list[list[int]]:
    """Return what each site's noise adds to each cell."""
    found = []
    for contributor, member in enumerate(sites.members):
        noise, dataset = Noise(member.site.root.derive("noise key v1")), member.site.profile.datasets.active()
        assert dataset is not None
        row = []
        for cell, sensitivity in enumerate(sensitivities(CELLS)):
            ranges = placing.ranges(contributor, cell, BLOCKS[contributor])
            parts = [(first, end) if len(ranges) > 1 else None for _, first, end in ranges]
            drawn_for = query_hash(QUERY, CATALOGUE), dataset.id, EPSILON, sensitivity, cell
            row.append(sum(noise.laplace(*drawn_for, part) for part in parts))
        found.append(row)
    return found


def _truth(sites: AnalysisSites) -> list[Sequence[int]]:
    return [cell_numbers(CELLS, patients, CATALOGUE) for patients in sites.patients]


def test_what_is_opened_is_the_truth_and_the_draws_of_every_place(sites: AnalysisSites) -> None:
    answer = _answer(sites)
    placing = placed(CELLS.cells, PARAMETERS, BLOCKS, per_site=False)
    assert set(answer.draws) == {1, 2}, "some numbers need two places at each site"
    noise, truth = _draws(sites, placing), _truth(sites)
    assert answer.total == tuple(map(sum, zip(*truth, *noise, strict=True)))
    width = asking.width_of_noise(sites.members[0], QUERY, EPSILON, (1, 2))
    assert answer.half_width == width == half_width([answer.scales[0]] * 2, 0.95)

    apart = _answer(sites, per_site=True)
    expected = [tuple(map(sum, zip(*rows, strict=True))) for rows in zip(truth, noise, strict=True)]
    assert list(apart.rows) == expected, "told apart each site's numbers have the noise that they have in the total"


def test_the_width_that_is_foretold_counts_every_draw(sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only with millions of patients does a count need several places, so the sites are said to have them."""
    many = (10_000, 10_000)
    monkeypatch.setattr(asking, "blocks_of", lambda *_: many)
    query = parse_query("histogram dose", CATALOGUE)
    cells = asked_cells(query, CATALOGUE)
    draws = placed(cells.cells, PARAMETERS, many, per_site=False).draws(0, 0)
    assert draws > 1
    scale = laplace_scale(EPSILON, sensitivities(cells)[0])
    assert asking.width_of_noise(sites.members[0], query, EPSILON, (1, 2)) == half_width([scale] * 2 * draws, 0.95)


def test_statistics_that_fail_are_a_note_and_no_error(sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("app.core.analysis.analyse.correlate", fails)
    told = sites.asked("correlate dose, age where dose >= 10", epsilon=EPSILON)
    [total] = told["answer"]["results"]
    assert total["result"]["notes"] == ["not_computed"]
    assert total["result"]["pairs"] == []
    assert asking.list_queries(sites.members[0])[0].state == "released"
