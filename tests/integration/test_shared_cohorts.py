"""Sites with agents and a real relay share cohorts: offered apart, accepted under a free name, used in questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.catalogue.writing import format_catalogue
from app.core.errors import UserError
from app.core.services.connect import Site, connect
from tests import agent_sites
from tests.agent_sites import opened
from tests.cohorts import CATALOGUE
from tests.relay_server import RelayServer, relay
from tests.relay_sites import RelaySites

__all__ = ["relay"]


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The federation's catalogue has numbers and categories."""
    monkeypatch.setattr(agent_sites, "CATALOGUE", CATALOGUE)


@pytest.fixture
def sites(relay: RelayServer, tmp_path: Path) -> Iterator[RelaySites]:
    made = RelaySites(tmp_path / "sites", relay)
    with made.running(1, 2, 3):
        for position in (1, 2, 3):
            assert made.call(position, "test.ready")["state"] == "ready"
        yield made


def until(sites: RelaySites, position: int, done: Callable[[Site], Any]) -> Any:
    """What ``done`` returns of a site once it is true, looking again whenever something has changed there."""
    with connect(sites.directories[position - 1], become=False) as site:
        while True:
            number = site.call("site.watch", {"after": 0, "wait": 0})["number"]
            if found := done(site):
                return found
            site.call("site.watch", {"after": number, "wait": 60})


def offers(sites: RelaySites, position: int, wanted: int = 1) -> list[dict[str, Any]]:
    """What others offer to a site, once there is as much as is ``wanted``."""

    def offered(site: Site) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = site.call("cohort.shared")["cohorts"]
        return found if len(found) >= wanted else []

    found: list[dict[str, Any]] = until(sites, position, offered)
    return found


def share(sites: RelaySites, position: int, name: str, *others: str) -> dict[str, Any]:
    """Share a cohort, once all sites have told what their programs read."""
    until(sites, position, lambda site: all(each["program"] for each in site.call("site.overview")["sites"]))
    return sites.call(position, "cohort.share", {"name": name, "sites": list(others)})


def save(sites: RelaySites, position: int, name: str, text: str) -> dict[str, Any]:
    return sites.call(position, "cohort.save", {"name": name, "text": text})


def accept(sites: RelaySites, position: int, name: str, to: str = "", *, anyway: bool = False) -> dict[str, Any]:
    return sites.call(position, "cohort.accept", {"site": "Site 1", "name": name, "to": to, "anyway": anyway})


def names(sites: RelaySites, position: int) -> list[str]:
    return [each["name"] for each in sites.call(position, "cohort.list")["cohorts"]]


def test_a_cohort_goes_from_one_site_to_the_others(sites: RelaySites) -> None:
    save(sites, 1, "Older smokers", "smoker and age >= 60")
    told = share(sites, 1, "Older smokers")
    assert told == {"name": "Older smokers", "version": 1, "sites": ["Site 2", "Site 3"], "unread": []}
    for position in (2, 3):
        (offer,) = offers(sites, position)
        assert (offer["site"], offer["name"], offer["text"]) == ("Site 1", "Older smokers", "smoker and age >= 60")
        assert (offer["missing"], offer["meaning"], offer["saved"]) == ([], [], "")
        assert names(sites, position) == [], "an offer is not a saved cohort"
        with pytest.raises(UserError, match=r"query\.no_such_cohort"):
            save(sites, position, "Not them", 'not cohort:"Older smokers"')
    assert sites.call(1, "cohort.shared") == {"cohorts": []}

    assert accept(sites, 2, "older SMOKERS")["text"] == "smoker and age >= 60"
    assert save(sites, 2, "Not them", 'not cohort:"Older smokers"')["text"] == "not (smoker and age >= 60)"
    assert sites.call(2, "cohort.shared") == {"cohorts": []}
    with pytest.raises(UserError, match=r"cohort\.not_offered"):
        accept(sites, 2, "Older smokers")

    # what one has by that name stays
    save(sites, 3, "older smokers", "not smoker")
    with pytest.raises(UserError, match=r"cohort\.exists"):
        accept(sites, 3, "Older smokers")
    assert accept(sites, 3, "Older smokers", "Theirs")["name"] == "Theirs"
    assert [each["text"] for each in sites.call(3, "cohort.list")["cohorts"]] == ["not smoker", "smoker and age >= 60"]

    # the same name again takes the offer's place; only who is named gets it
    save(sites, 1, "Older smokers", "smoker and age >= 50")
    assert share(sites, 1, "Older smokers", "Site 2")["sites"] == ["Site 2"]
    assert offers(sites, 2)[0]["text"] == "smoker and age >= 50"
    with pytest.raises(UserError, match=r"cohort\.exists"):
        accept(sites, 2, "Older smokers")
    assert sites.call(2, "cohort.decline", {"site": "Site 1", "name": "Older smokers"}) == {"name": "Older smokers"}
    assert sites.call(2, "cohort.shared") == sites.call(3, "cohort.shared") == {"cohorts": []}
    for wrong, code in (("Site 1", "cohort.not_to_oneself"), ("Site 9", "roster.unknown_site")):
        with pytest.raises(UserError, match=code):
            sites.call(1, "cohort.share", {"name": "Older smokers", "sites": [wrong]})


def test_another_meaning_is_said_and_never_taken_silently(sites: RelaySites, tmp_path: Path) -> None:
    later, file = tmp_path / "later.toml", tmp_path / "cohort.toml"
    age = replace(CATALOGUE.variable("age"), cut_points=(Decimal(50), Decimal(60), Decimal(65)))
    kept = tuple(age if each.code == "age" else each for each in CATALOGUE if each.code != "smoker")
    later.write_text(format_catalogue(replace(CATALOGUE, version=2, variables=kept)), "utf-8")
    save(sites, 1, "Older", "age >= 60")
    save(sites, 1, "Smokers", "smoker")
    for name in ("Older", "Smokers"):
        share(sites, 1, name)
    values = {"name": "Older", "version": 0, "path": str(file), "replace": False}
    assert sites.call(1, "cohort.export", values)["path"] == str(file)
    with pytest.raises(UserError, match=r"export\.exists"):
        sites.call(1, "cohort.export", values)
    offers(sites, 2, 2)
    sites.call(2, "catalogue.publish", {"path": str(later), "note": ""})

    older, smokers = offers(sites, 2)
    assert (older["name"], older["missing"], older["meaning"]) == ("Older", [], ["age"])
    assert (smokers["name"], smokers["missing"], smokers["meaning"]) == ("Smokers", ["smoker"], [])
    with pytest.raises(UserError) as caught:
        accept(sites, 2, "Smokers", anyway=True)
    assert (caught.value.code, caught.value.params["variables"]) == ("cohort.variables_missing", "smoker")
    with pytest.raises(UserError) as caught:
        accept(sites, 2, "Older")
    assert (caught.value.code, caught.value.params["variables"]) == ("cohort.means_otherwise", "age")
    with pytest.raises(UserError, match=r"cohort\.means_otherwise"):
        sites.call(2, "cohort.import", {"path": str(file), "to": "", "anyway": False})
    assert names(sites, 2) == []
    assert sites.call(2, "cohort.import", {"path": str(file), "to": "", "anyway": True})["meaning"] == ["age"]
    assert accept(sites, 2, "Older", anyway=True)["version"] == 1, "the same is not kept twice"
    assert names(sites, 2) == ["Older"]
    assert sites.call(3, "cohort.import", {"path": str(file), "to": "Mine", "anyway": False})["meaning"] == []


def test_a_file_uses_what_it_says_and_no_saved_cohorts(sites: RelaySites, tmp_path: Path) -> None:
    file = tmp_path / "cohort.toml"
    save(sites, 1, "Smokers", "smoker")
    head = 'format = "consilium-cohort"\nversion = 1\nname = "Mine"\n'

    def imported(text: str, more: str = "") -> dict[str, Any]:
        file.write_text(f"{head}text = '{text}'\n{more}", "utf-8")
        return sites.call(1, "cohort.import", {"path": str(file), "to": "", "anyway": False})

    with pytest.raises(UserError, match=r"query\.no_such_cohort"):
        imported('cohort:"Smokers"')
    with pytest.raises(UserError) as caught:
        imported("smoker", f'[meanings]\nage = "{CATALOGUE.meaning("age").hex()}"')
    assert caught.value.code == "cohort.file_field"
    assert dict(caught.value.params) == {"file": "cohort.toml", "line": 6, "field": "meanings.age"}
    assert imported("age >= 50")["text"] == "age >= 50"


def test_what_is_offered_is_still_there_after_a_restart(relay: RelayServer, tmp_path: Path) -> None:
    sites = RelaySites(tmp_path / "sites", relay, count=2)
    with sites.running(1, 2):
        assert {sites.call(position, "test.ready")["state"] for position in (1, 2)} == {"ready"}
        save(sites, 1, "Smokers", "smoker")
        share(sites, 1, "Smokers")
        offers(sites, 2)
    with opened(sites.directories[1]) as profile:
        assert [(row.sender, row.name) for row in profile.store.shared_cohorts.all()] == [(1, "Smokers")]
