"""Projects: what every site says of one for itself, and who may ask under it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ProtocolViolation, UserError
from app.core.federation import projects
from app.core.federation.people import asked_by, claimed
from app.core.federation.projects import Participant, Project, Verdict, state_of
from app.core.federation.signed_records import PROJECT, VERDICT, Record
from tests.federation_sites import ready_federation
from tests.people import ADA, DAY, PASSPHRASE, REQUEST, Town, asked

NOW = 1_800_000_000_000
LUNGS = Project(bytes(16), 1, "Lungs", "Why", "", "", (Participant(1, "Ada", ADA.public),), NOW, 0)
YES, CLOSED = Verdict.APPROVED, Verdict.CLOSED


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ready_federation(tmp_path) as federation:
        yield Town(federation)


def propose(town: Town, **changes: Any) -> Record:
    record = town.issue(1, PROJECT, {**LUNGS.to_content(), **changes})
    town.hand(record, [2, 3])
    return record


def say(town: Town, position: int, project: Record, verdict: str) -> None:
    record = town.issue(position, VERDICT, {"project": project.id, "verdict": verdict})
    town.hand(record, {1, 2, 3} - {position})


def refused(town: Town, project: bytes, position: int = 2, arrived: int | None = None) -> str:
    with pytest.raises(UserError) as caught:
        asked_by(town[position], 1, asked(town.endorse(1), REQUEST, project), arrived=arrived)
    return caught.value.code


@pytest.mark.parametrize(
    ("said", "at", "state"),
    [
        ({1: YES}, NOW - 1, "proposed"),
        ({1: YES, 3: YES}, NOW - 1, "proposed"),
        ({1: YES, 2: YES}, NOW - 1, "approved"),
        ({1: YES, 2: YES}, NOW, "expired"),
        ({1: YES}, NOW, "expired"),
        ({1: YES, 2: YES, 3: CLOSED}, NOW - 1, "approved"),
        ({1: YES, 2: CLOSED}, NOW - 1, "closed"),
        ({1: CLOSED, 2: YES}, NOW - 1, "closed"),
        ({1: CLOSED, 2: YES}, NOW, "closed"),
    ],
)
def test_where_a_project_stands_at_the_second_site(said: dict[int, Verdict], at: int, state: str) -> None:
    assert state_of(LUNGS, said, 2, at) == state


def test_a_project_is_asked_under_where_it_is_approved(town: Town) -> None:
    project = propose(town)
    assert refused(town, project.id) == "project.not_approved"
    say(town, 2, project, "approved")
    found = asked_by(town[2], 1, asked(town.endorse(1), REQUEST, project.id))
    assert found.project == projects.find(town[2], project.id)
    assert claimed(town[2], asked(town.endorse(1), REQUEST, project.id)) == ("Ada", "Lungs")
    assert refused(town, project.id, position=3) == "project.not_approved", "each site for itself"
    assert asked_by(town[1], 1, asked(town.endorse(1), REQUEST, project.id)).project, "who proposes has approved"


def test_a_site_that_has_closed_a_project_does_not_open_it_again(town: Town) -> None:
    project = propose(town)
    say(town, 2, project, "approved")
    say(town, 2, project, "closed")
    say(town, 2, project, "approved")
    assert refused(town, project.id) == "project.closed"
    assert asked_by(town[1], 1, asked(town.endorse(1), REQUEST, project.id)).project


def test_who_proposed_a_project_closes_it_everywhere(town: Town) -> None:
    project = propose(town)
    say(town, 2, project, "approved")
    say(town, 1, project, "closed")
    assert {refused(town, project.id, position) for position in (1, 2, 3)} == {"project.closed"}


def test_a_project_ends_for_requests_that_come_later(town: Town) -> None:
    project = propose(town, until=town[1].clock.now() + DAY)
    say(town, 2, project, "approved")
    until = int(project.content["until"])
    asked_by(town[2], 1, asked(town.endorse(1), REQUEST, project.id), arrived=until - 1)
    assert refused(town, project.id, arrived=until) == "project.expired"


def test_only_its_members_ask_under_a_project(town: Town) -> None:
    """A member is a person of a site by their key: neither another site's, nor another key of the same name."""
    for member in ({"site": 2, "person": "Ada", "key": ADA.public}, {"site": 1, "person": "Ada", "key": bytes(32)}):
        project = propose(town, members=[member])
        say(town, 2, project, "approved")
        assert refused(town, project.id) == "project.not_a_member"
    assert refused(town, bytes(16)) == "project.unknown"


def test_an_approval_is_for_every_word_of_a_project(town: Town) -> None:
    first = propose(town)
    say(town, 2, first, "approved")
    other = propose(town, purpose="Something else")
    assert other.id != first.id
    assert refused(town, other.id) == "project.not_approved"


def test_what_custodians_sign_is_in_the_audit_of_every_site(town: Town) -> None:
    project = propose(town)
    say(town, 2, project, "approved")
    say(town, 1, project, "closed")
    town.hand(town.endorse(1), [2])
    town.hand(town.custodian(1, PASSPHRASE), [2])
    kinds = ["project.proposed", "project.approved", "project.closed", "people.endorsed", "key.custodian"]
    for position in (1, 2):
        rows = list(town[position].profile.audit.all())
        assert [row.kind for row in rows if row.kind.startswith(("people.", "project.", "key.cust"))] == kinds


@pytest.mark.parametrize(
    "changes",
    [
        {"title": ""},
        {"title": "Two\nlines"},
        {"purpose": " \n"},
        {"purpose": "\x1b[31m"},
        {"assessment": "a" * 20_001},
        {"members": [{"site": 1, "person": "Ada"}]},
        {"members": [{"site": 1, "person": "Ada", "key": ADA.public}] * 201},
        {"until": -1},
        {"more": ""},
    ],
)
def test_a_project_that_says_something_else_is_refused(town: Town, changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match=r"people\.malformed_record"):
        propose(town, **changes)


@pytest.mark.parametrize("content", [{"verdict": "maybe"}, {"project": bytes(15)}, {"more": 1}])
def test_a_verdict_that_says_something_else_is_refused(town: Town, content: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match=r"people\.malformed_record"):
        town.issue(1, VERDICT, {"project": bytes(16), "verdict": "approved", **content})
