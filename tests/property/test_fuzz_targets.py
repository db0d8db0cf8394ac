"""A taste of ``python -m tests.benchmarks.fuzz``: some hundred mutated inputs for every parser of what arrives."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.benchmarks.fuzz import fuzz
from tests.benchmarks.fuzz_targets import TARGETS


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("uvicorn.error")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutated_inputs_are_read_or_refused(name: str) -> None:
    found = fuzz(name, 300)
    assert found.findings == ()
    assert found.accepted < found.inputs
