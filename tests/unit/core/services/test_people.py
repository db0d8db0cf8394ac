"""What a site's custodian and coordinator do: endorse, hand over, and bring their key back from a backup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.crypto.identity import SigningKey
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import custodian
from app.core.federation.mailroom import LocalPost
from app.core.federation.people import Role
from app.core.federation.projects import Verdict
from app.core.secret import SecretBytes
from app.core.services import handover, keys, people, projects
from app.core.services.member import Member
from app.core.services.profile import open_profile
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS
from tests.federation_sites import Inline
from tests.people import DAY, OTHER, PASSPHRASE


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites after their ceremony, made once."""
    directory = tmp_path_factory.mktemp("sites")
    AnalysisSites(directory, KINDS, [[], []]).close()
    return directory / "Site 1"


@pytest.fixture
def member(ready: Path, tmp_path: Path) -> Iterator[Member]:
    shutil.copytree(ready, tmp_path / "site")
    with open_profile(tmp_path / "site", passphrase=lambda: SecretBytes(b"correct horse battery")) as profile:
        yield Member(profile, Inline(), LocalPost())


def code(caught: pytest.ExceptionInfo[UserError]) -> str:
    return caught.value.code


def endorse(
    member: Member, person: str = "Ada", role: Role = Role.TOTAL_EXACT, days: int = 10, ahead: int = 0
) -> bytes:
    now = member.site.clock.now()
    since = now + ahead * DAY if ahead else 0
    request = people.make_key(member, person)
    passphrase = PASSPHRASE if custodian.exists(member.site) else None
    found = people.endorse(member, request, role, until=now + days * DAY, since=since, passphrase=passphrase)
    return found.delegation.id


def test_a_person_has_one_key_on_a_workstation(member: Member) -> None:
    first, again, other = (people.make_key(member, name) for name in ("Ada", " Ada ", "Bo"))
    assert first == again
    assert first.key != other.key
    assert people.read_endorsement(people.request_text(member, first)) == first
    for name in ("", "  ", "A\nda", "A" * 101):
        with pytest.raises(UserError, match=r"people\.bad_name"):
            people.make_key(member, name)


def test_a_key_that_left_the_keyring_is_made_anew(member: Member) -> None:
    first = people.make_key(member, "Ada")
    member.profile.secrets.delete(f"{member.profile.profile_id} person {first.key.hex()[:32]}")
    with pytest.raises(EnvironmentProblem, match=r"people\.key_gone"):
        people.request_text(member, first)
    assert people.make_key(member, "Ada").key != first.key


def test_only_people_of_this_site_are_endorsed_for_a_time(member: Member) -> None:
    request, now = people.make_key(member, "Ada"), member.site.clock.now()
    for other in (replace(request, site=2), replace(request, federation=bytes(32))):
        with pytest.raises(UserError, match=r"people\.request_elsewhere"):
            people.endorse(member, other, Role.TOTAL_EXACT, until=now + DAY)
    with pytest.raises(UserError, match=r"people\.until_past"):
        people.endorse(member, request, Role.TOTAL_EXACT, until=now - 1)
    with pytest.raises(UserError, match=r"people\.until_past"):
        people.endorse(member, request, Role.TOTAL_EXACT, since=now + 2 * DAY, until=now + DAY)
    with pytest.raises(UserError, match=r"people\.until_too_late"):
        people.endorse(member, request, Role.TOTAL_EXACT, until=now + 2 * people.LONGEST)
    assert people.listed(member)["people"] == []


def test_everybody_is_listed_with_where_they_stand(member: Member) -> None:
    endorse(member)
    people.make_custodian(member, PASSPHRASE)
    endorse(member, "Bo", Role.AUDITOR, ahead=2)
    gone = endorse(member, "Cy")
    people.revoke(member, [gone], "Has left", passphrase=PASSPHRASE)
    found = people.listed(member)
    assert found["own"] == {"custodian": True, "person": "Cy", "people": ["Ada", "Bo", "Cy"]}
    assert [(each["person"], each["state"], each["signed_by"]) for each in found["people"]] == [
        ("Ada", "valid", "site"),
        ("Bo", "not yet", "custodian"),
        ("Cy", "revoked", "custodian"),
    ]
    own, other = found["custodians"]
    assert (own["custodian"], own["fingerprint"] != "", other["custodian"], other["fingerprint"]) == (
        True,
        True,
        False,
        "",
    )


def test_what_cannot_be_revoked_says_why(member: Member) -> None:
    given = endorse(member)
    people.revoke(member, [given])
    with pytest.raises(UserError, match=r"people\.already_revoked"):
        people.revoke(member, [given])
    with pytest.raises(UserError, match=r"people\.unknown_id"):
        people.revoke(member, [bytes(16)])
    with pytest.raises(UserError, match=r"people\.bad_reason"):
        people.revoke(member, [endorse(member, "Bo")], "x" * 501)
    endorse(member, "Bo", Role.TOTAL_NOISED)
    with pytest.raises(UserError, match=r"people\.unknown_id"):  # two of them
        people.find_named(member.site, "Bo")


def test_nobody_asks_in_a_name_without_its_key_and_endorsement(member: Member) -> None:
    with pytest.raises(UserError, match=r"people\.no_key"):
        people.in_name_of(member, "Ada")
    people.make_key(member, "Ada")
    with pytest.raises(UserError, match=r"people\.not_endorsed"):
        people.in_name_of(member, "Ada")
    with pytest.raises(UserError, match=r"people\.project_needs_person"):
        people.in_name_of(member, "", "Lungs")
    endorse(member)
    with pytest.raises(UserError, match=r"project\.unknown"):
        people.in_name_of(member, "Ada", "Lungs")
    assert people.in_name_of(member, "Ada").asked.role is Role.TOTAL_EXACT


def test_a_project_names_people_who_are_endorsed(member: Member) -> None:
    now = member.site.clock.now()
    plain = {"title": "Lungs", "purpose": "Why", "legal_basis": "", "assessment": "", "until": now + DAY}

    def propose(*members: tuple[str, str], **changes: object) -> object:
        return projects.propose(member, **{**plain, "members": members, **changes})  # type: ignore[arg-type]

    with pytest.raises(UserError, match=r"project\.unknown_member"):
        propose(("", "Ada"))
    endorse(member)
    for changes, expected in (
        ({"until": now - 1}, "project.until_past"),
        ({"until": now + 2 * projects.LONGEST}, "project.until_too_late"),
        ({"title": " "}, "project.bad_text"),
        ({"purpose": "\x07"}, "project.bad_text"),
    ):
        with pytest.raises(UserError) as caught:
            propose(("", "Ada"), **changes)
        assert code(caught) == expected
    with pytest.raises(UserError, match=r"project\.no_members"):
        propose()
    propose(("", "Ada"), ("Site 1", "Ada"))
    [found] = projects.listed(member)
    assert found["members"] == [{"site": "Site 1", "person": "Ada"}]
    with pytest.raises(UserError, match=r"project\.already_approved"):
        projects.decide(member, "LUNGS", Verdict.APPROVED)
    projects.decide(member, found["id"][:8], Verdict.CLOSED)
    with pytest.raises(UserError, match=r"project\.closed"):
        projects.decide(member, found["id"], Verdict.APPROVED)


def test_a_backup_brings_the_custodians_key_back(member: Member, tmp_path: Path) -> None:
    """The passphrase alone opens it then as now: who has the backup's passphrase signs nothing."""
    people.make_custodian(member, PASSPHRASE)
    file = tmp_path / "backup.bin"
    keys.save_backup(member.profile, file, OTHER, now=member.site.clock.now())
    member.profile.store.sealed_secrets.remove("custodian key")
    with pytest.raises(UserError, match=r"custodian\.not_here"):
        custodian.signer(member.site, PASSPHRASE)
    restored = keys.restore(member.profile, keys.check_file(member.profile, file, OTHER))
    assert "custodian key" in restored.written
    with pytest.raises(UserError, match=r"passphrase\.wrong"):
        custodian.signer(member.site, OTHER)
    assert custodian.signer(member.site, PASSPHRASE).by == "custodian"


def test_a_handover_goes_in_its_order(member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def states() -> list[str]:
        return [each["state"] for each in handover.status(member)["steps"]]

    with pytest.raises(UserError, match=r"handover\.none"):
        handover.revoke(member, None)
    endorse(member)
    endorse(member, role=Role.AUDITOR, ahead=2)
    endorse(member, "Bo")
    handover.begin(member, "Ada")
    handover.begin(member, "Ada")
    with pytest.raises(UserError, match=r"handover\.under_way"):
        handover.begin(member, "Bo")
    assert states() == ["open", "open", "not needed", "open"]
    with pytest.raises(UserError, match=r"handover\.no_backup"):
        handover.revoke(member, None)
    keys.save_backup(member.profile, tmp_path / "backup.bin", OTHER, now=member.site.clock.now())
    handover.revoke(member, None)
    assert states() == ["done", "open", "not needed", "done"]
    assert [each["state"] for each in people.listed(member)["people"]] == ["revoked", "revoked", "valid"]
    assert member.profile.store.records.count("revocation", 1) == 1, "one signature for all"
    monkeypatch.setattr(handover.getpass, "getuser", lambda: "whoever follows")
    assert handover.status(member)["done"]
    handover.end(member)
    assert handover.status(member)["leaver"] == ""


def test_the_clear_key_of_a_person_is_in_no_database(member: Member) -> None:
    request = people.make_key(member, "Ada")
    secret = member.profile.secrets.get(f"{member.profile.profile_id} person {request.key.hex()[:32]}")
    assert secret is not None
    assert SigningKey(SecretBytes(secret.reveal())).public == request.key
    member.profile.store.database.copy_to(copy := member.profile.directory / "copy.db")
    assert secret.reveal() not in copy.read_bytes()
    assert request.key in copy.read_bytes()
