"""Which version of the catalogue a request means, and what a site says of a request that it cannot follow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.catalogue.holding import pack, unpack
from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.crypto.identity import SealingKey
from app.core.errors import EnvironmentProblem, PeerProblem, UserError
from app.core.federation import holdings
from app.core.federation.contributing import DatasetContributor
from app.core.federation.known_catalogues import KnownCatalogues
from app.core.federation.query_messages import Request
from app.core.query.model import All, Flag, Known, Levels, Query, Range
from app.core.query.sentence import sentence
from app.core.services.coverage import Coverage
from app.core.services.explaining import part_of
from app.texts import text
from tests.catalogue_sites import Publishing, version
from tests.federation_sites import CATALOGUE

ANSWERS = (Level("yes", Label("yes")), Level("no", Label("no")))
RELABELLED = replace(CATALOGUE.variables[0], label=Label("Smokes now"))
OTHER = replace(version(2), variables=(RELABELLED, Variable("died", Kind.CATEGORY, Label("Died"), levels=ANSWERS)))


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Publishing]:
    with Publishing(tmp_path) as found:
        yield found


def meanings(catalogue: Catalogue, *codes: str) -> dict[str, bytes]:
    return {code: catalogue.meaning(code) for code in codes}


def test_a_request_is_read_with_the_version_that_it_means(sites: Publishing) -> None:
    known = sites.federation[2].site.catalogues
    new, old = meanings(OTHER, "died"), meanings(CATALOGUE, "died")
    assert known.with_meanings(new) is None
    sites.desks[1].publish(OTHER)
    sites.settle()
    assert known.with_meanings(new) == OTHER, "known, though not accepted yet"
    assert known.with_meanings(old) == CATALOGUE
    assert known.with_meanings(meanings(OTHER, "smoker")) == CATALOGUE, "the one in force, if it will do"
    assert known.with_meanings({**old, "else": bytes(32)}) is None
    sites.desks[2].accept(2)
    assert (known.with_meanings(new), known.with_meanings(old)) == (OTHER, CATALOGUE)
    assert known.with_meanings(meanings(CATALOGUE, "smoker")) == OTHER
    assert known.with_meanings({}) == OTHER


def test_a_catalogue_that_is_not_here_is_a_damaged_profile(sites: Publishing) -> None:
    known = KnownCatalogues(sites.federation[1].profile, bytes(32))
    sites.federation[1].profile.settings.remove("catalogue")
    with pytest.raises(EnvironmentProblem, match=r"profile\.incomplete"):
        _ = known.in_force


def test_what_means_something_else_is_declined_by_name(sites: Publishing, monkeypatch: pytest.MonkeyPatch) -> None:
    site = sites.federation[2].site
    monkeypatch.setattr(site.profile.datasets, "active", object)
    cohort = All((Flag("smoker"), Flag("died")))
    asked = {**meanings(CATALOGUE, "smoker"), "died": bytes(32)}
    request = Request(Query(cohort), None, (1, 2), (1, 2), 1, SealingKey.generate(os.urandom).public, asked, "A test")
    with pytest.raises(UserError) as declined:
        DatasetContributor(site, sites.mailrooms[2]).contribute(bytes(32), 1, request)
    assert (declined.value.code, declined.value.params) == ("query.variable_differs", {"variable": "died"})


def test_what_sites_hold_is_counted_in_terms_of_the_catalogue_in_force_here(sites: Publishing) -> None:
    sites.desks[1].publish(OTHER)
    sites.settle()
    for position, catalogue in ((1, OTHER), (2, CATALOGUE)):
        held = pack(catalogue, {"smoker", "died"})
        holdings.announce(sites.federation[position].site, sites.mailrooms[position], held, 1)
    sites.settle()

    class Nothing:
        held = b""

    def covered(position: int) -> list[tuple[bool, set[str]]]:
        site, mailroom = sites.federation[position].site, sites.mailrooms[position]
        found = Coverage(site, mailroom, Nothing()).sites()  # type: ignore[arg-type]
        for each in found:
            assert unpack(site.catalogue, each.held) == each.codes if each.held else not each.codes
        return [(each.known, set(each.codes)) for each in found if not each.own]

    assert covered(3) == [(True, {"smoker"}), (True, {"smoker", "died"})]
    sites.desks[3].accept(2)
    assert covered(3) == [(True, {"smoker", "died"}), (True, {"smoker"})]


def away(name: bytes, limit: int) -> list[bytes]:
    raise PeerProblem("post.blob_missing", name=name.hex())


def test_who_has_told_of_a_catalogue_that_is_not_here_has_told_nothing(
    sites: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites.federation.post, "fetch", away)
    sites.desks[1].publish(OTHER)
    holdings.announce(sites.federation[1].site, sites.mailrooms[1], pack(OTHER, {"smoker"}), 1)
    sites.settle()
    site = sites.federation[3].site

    class Nothing:
        held = b""

    first, *_ = Coverage(site, sites.mailrooms[3], Nothing()).sites()  # type: ignore[arg-type]
    assert (first.known, first.codes, first.lacks(["died"])) == (False, frozenset(), [])


def test_a_question_about_what_is_not_known_is_still_said() -> None:
    cohort = All((
        Flag("smoker"), Levels("stage", frozenset({"II", "I"})), Range("age", Decimal(50), None), Known("height"),
    ))  # fmt: skip
    query = Query(cohort)
    part = part_of(CATALOGUE, query)
    assert [variable.code for variable in part] == ["smoker"]
    said = sentence(query, part, "en", text)
    assert "Smokes" in said
    for word in ("stage", "I", "II", "age", "50", "height"):
        assert word in said
