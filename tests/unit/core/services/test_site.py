"""Coming together: from the first site to a roster that all have signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.services import site as service
from tests.joining_sites import Gathering


def test_three_sites_come_together(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B", "C")
        service.start(g["A"])
        g.settle()
        rosters = {g[name].roster for name in "ABC"}
        assert len({roster.hash for roster in rosters if roster is not None}) == 1
        roster = rosters.pop()
        assert roster is not None
        assert [site.name for site in roster.sites] == ["A", "B", "C"]
        assert roster.quorum == 3
        assert not any(g.refusals(name) for name in "ABC")
