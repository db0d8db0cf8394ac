"""The smallest count at production parameters: a whole query's worth of it, every boundary, exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.crypto.smallest_count import LEAST_COUNTS, SmallestCountRule
from tests.crypto_parties import Parties, parties
from tests.sealed_datasets import write_keys
from tests.smallest_parties import SmallestParties

pytestmark = pytest.mark.production


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Parties, Path]]:
    people, directory = parties(4, 3, STANDARD_1), tmp_path_factory.mktemp("production") / "keys"
    yield people, write_keys(people, directory, range(6, 8))
    for path in directory.iterdir():
        path.unlink()


@pytest.mark.parametrize(("least", "zeros"), [(least, zeros) for least in LEAST_COUNTS for zeros in (False, True)])
def test_every_boundary_is_exact(keys: tuple[Parties, Path], tmp_path: Path, least: int, zeros: bool) -> None:
    people, directory = keys
    sites = SmallestParties(people, directory, (2, 3, 4), least, zeros, tmp_path)
    others = [0, 1, 3, least - 1, least, least + 1, 500, 16_000]
    parts = [[7] * 8, [each // 2 for each in others], [each - each // 2 for each in others], [0] * 8]
    found = sites.asked(f"{least} {zeros}".encode(), [sites.contribution(each) for each in parts])
    roots = SmallestCountRule(STANDARD_1, least, zeros).roots
    assert found == [None if each in roots else each + 7 for each in others]
