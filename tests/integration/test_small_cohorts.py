"""A federation of small and large hospitals: the small ones' columns share ciphertexts, and all numbers add up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.core.crypto.parameters import MOST_COLUMNS
from app.core.disclosure.policy import Policy
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS, people

PATIENTS = (14, 700, 230)
QUESTIONS = (
    "smoker and stage in {a, b}",
    "not (smoker or weight >= 80)",
    "breakdown stage where smoker",
    "summary weight where not stage = c",
    "survival os by smoker where weight known",
    "attrition where smoker and stage = a and weight >= 50",
)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisSites]:
    patients = [people(count, seed) for seed, count in enumerate(PATIENTS)]
    policy = Policy(others=1, per_site=True)
    made = AnalysisSites(
        tmp_path_factory.mktemp("small"), KINDS, patients, residues=7, policy=policy, sharing=MOST_COLUMNS
    )
    yield made
    made.close()


def test_small_sites_share_and_large_ones_do_not(sites: AnalysisSites) -> None:
    shapes = [member.dataset.find() for member in sites.members]
    assert [found.shape.columns_per_ciphertext for found in shapes if found is not None] == [64, 1, 4]


@pytest.mark.parametrize("text", QUESTIONS)
def test_totals_over_small_and_large_sites(sites: AnalysisSites, text: str) -> None:
    (total,) = sites.asked(text)["answer"]["results"]
    assert total["result"] == sites.expected(text, (0, 1, 2))


def test_each_sites_own_numbers(sites: AnalysisSites) -> None:
    results = sites.asked(QUESTIONS[2], per_site=True)["answer"]["results"]
    found = [each["result"] for each in results if each["site"]]
    assert found == [sites.expected(QUESTIONS[2], (position,)) for position in range(len(PATIENTS))]
