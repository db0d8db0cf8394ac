"""The commands about saved cohorts and the draft, as a window calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import ProtocolViolation
from app.core.query.model import Query
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    return Sites(tmp_path, FakeRelay(), count=2)


def test_cohorts_travel_with_their_canonical_bytes(sites: Sites) -> None:
    with sites.running(1):
        saved = sites.call(1, "cohort.save", {"name": "Smokers", "text": "smoker"})
        assert sites.call(1, "cohort.list", {}) == {"cohorts": [saved]}
        assert sites.call(1, "cohort.show", {"name": "smokers", "version": 0}) == saved
        assert sites.call(1, "cohort.versions", {"name": "Smokers"}) == {"cohorts": [saved]}
        assert Query.from_cbor(saved["query"]).to_cbor() == saved["query"]
        renamed = sites.call(1, "cohort.rename", {"name": "Smokers", "to": "S"})
        assert renamed == {**saved, "name": "S"}
        assert sites.call(1, "cohort.delete", {"name": "S"}) == {"name": "S", "versions": 1}


def test_the_draft_comes_back_as_it_was_left(sites: Sites) -> None:
    settings = {"epsilon": "1/2", "left out": ["Site 2"], "least": 2}
    with sites.running(1):
        assert sites.call(1, "draft.load", {}) == {"drafts": []}
        saved = sites.call(1, "draft.save", {"text": "smoker and", "settings": settings})
        assert sites.call(1, "draft.load", {}) == {"drafts": [saved]}
    with sites.running(1):  # whoever owned the profile is gone
        assert sites.call(1, "draft.load", {}) == {"drafts": [saved]}
        assert sites.call(1, "draft.clear", {})["version"] == 2
        with pytest.raises(ProtocolViolation, match=r"owner\.malformed"):
            sites.call(1, "draft.save", {"text": "smoker", "settings": ["no map"]})


def test_explaining_says_how_wide_the_noise_will_be(sites: Sites) -> None:
    with sites.running(1):
        exact = sites.call(1, "query.explain", {"text": "smoker"})
        some = sites.call(1, "query.explain", {"text": "smoker", "epsilon": "1", "contributors": 2})
        more = sites.call(1, "query.explain", {"text": "smoker", "epsilon": "1/4", "contributors": 2})
    assert exact["half_width"] == 0
    assert 0 < some["half_width"] < more["half_width"]
