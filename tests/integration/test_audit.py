"""What sites with agents record of a query, and how the others notice when one of them loses records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.federation.mailroom import Mailroom
from app.core.services import member as members
from app.core.services.audit import verify_file
from tests.agent_sites import Sites
from tests.audit_chains import opened
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber

ASKED = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 0, "deadline": 0, "purpose": "A test", "wait": 120}
NUMBER = 641


@pytest.fixture(autouse=True)
def known_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sites answer so that their sum is no number that stands in a record for another reason."""

    def contributor(site: Any, _mailroom: Mailroom | None = None) -> KnownNumber:
        return KnownNumber(NUMBER - 200 if site.position == 1 else 100, keys=site.key_directory)

    monkeypatch.setattr(members, "DatasetContributor", contributor)


def test_a_query_is_recorded_everywhere_and_what_is_lost_is_missed(tmp_path: Path) -> None:
    sites = Sites(tmp_path, FakeRelay(0, 0.0))
    with sites.running(1, 2, 3):
        for position in (1, 2, 3):
            sites.call(position, "test.ready")
            sites.call(position, "test.told")
        assert sites.call(1, "query.run", ASKED)["answer"]["count"] == NUMBER
        found = {position: recorded(sites, position) for position in (1, 2, 3)}
        assert {"request.sent", "contribution", "share", "released"} <= kinds(found[1])
        for position in (2, 3):
            assert {"key.ceremony", "request.received", "contribution", "share"} <= kinds(found[position])
            assert "released" not in kinds(found[position])
        assert asked_for(found[2]) == asked_for(found[1]) == {"smoker"}
        assert str(NUMBER) not in json.dumps([each["what"] for listed in found.values() for each in listed])
        assert sorted(sites.call(1, "audit.ask", {"wait": 60})["answered"]) == ["Site 2", "Site 3"]
        verified = sites.call(1, "audit.verify")
        assert (verified["ok"], verified["findings"]) == (True, [])
        assert {each["site"] for each in verified["held"] if each["agrees"]} == {"Site 2", "Site 3"}
        check_exports(sites, tmp_path)
    with opened(sites.directories[0] / "site.db") as database:
        database.execute("DELETE FROM audit WHERE kind IN ('released', 'share') OR number > 6")
    with sites.running(1, 2, 3):
        sites.call(1, "audit.ask", {"wait": 60})
        verified = sites.call(1, "audit.verify")
        assert {"audit.held_longer", "audit.held_otherwise"} & {each["code"] for each in verified["problems"]}
        others = sites.call(2, "audit.verify")
        assert others["ok"], "the records of site 2 are whole"
        assert [(each["code"], each["params"]["site"]) for each in others["findings"]] == [
            ("audit.shortened", "Site 1")
        ]


def check_exports(sites: Sites, directory: Path) -> None:
    """What is exported carries what the others hold: records that are missing at its end are missed too."""
    federation = sites.directories[0] / "federation.public"
    for format_ in ("csv", "fhir"):
        path = directory / f"trail.{format_}"
        sites.call(1, "audit.export", {"path": str(path), "format": format_})
        found = verify_file(path, federation)
        assert (found.verified.ok, found.site, found.against) == (True, "Site 1", "federation")
        assert {each.site for each in found.verified.held} == {"Site 2", "Site 3"}
    lines = (directory / "trail.csv").read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not line.split(b",")[0].isdigit() or int(line.split(b",")[0]) <= 5]
    (directory / "cut.csv").write_bytes(b"".join([*kept, *(line for line in lines if b"audit.held" in line)]))
    missed = {each.code for each in verify_file(directory / "cut.csv", federation).verified.problems}
    assert missed == {"audit.held_longer"}


def recorded(sites: Sites, position: int) -> list[dict[str, Any]]:
    listed = sites.call(position, "audit.show", {"after": 0, "kind": "", "text": "", "most": 1000})["records"]
    return [dict(each) for each in listed]


def kinds(records: list[dict[str, Any]]) -> set[str]:
    return {each["kind"] for each in records}


def asked_for(records: list[dict[str, Any]]) -> set[str]:
    return {each["what"]["question"] for each in records if "question" in each["what"]}
