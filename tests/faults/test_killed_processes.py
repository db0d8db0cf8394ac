"""Relay, agents and commands as real processes, killed at moments that a seed draws: done once, and rightly.

``python -m tests.benchmarks.kills`` does the same hundreds of times, and at production parameters.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.hospitals import Founded, Story, founded


@pytest.fixture(scope="module")
def base() -> Iterator[Founded]:
    with founded() as made:
        yield made


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_everything_is_done_once(base: Founded, tmp_path: Path, seed: int) -> None:
    """A ceremony, imports at three sites and a query; whoever dies is started again."""
    story = Story(base, tmp_path / "story", seed, pace=0.5, kills=3)
    story.run()
    assert story.killed.total() >= 3
