"""The commands of custodians and researchers, as they are typed, at sites with agents and a real relay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.secret import SecretBytes
from app.core.services import handover
from app.core.services.connect import connect
from app.core.services.profile import OpenProfile, open_profile
from app.core.store.budget import Charge
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.relay_server import RelayServer, relay
from tests.relay_sites import RelaySites

__all__ = ["relay"]

Command = Callable[..., dict[str, Any]]
LATER = (datetime.now(UTC) + timedelta(days=100)).strftime("%Y-%m-%d")


@pytest.fixture
def sites(relay: RelayServer, tmp_path: Path) -> Iterator[RelaySites]:
    made = RelaySites(tmp_path / "sites", relay)
    with made.running(1, 2, 3):
        for position in (1, 2, 3):
            assert made.call(position, "test.ready")["state"] == "ready"
        yield made


@pytest.fixture
def run(sites: RelaySites, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command at a site; return its JSON, or its text under ``said``; ``exit`` is its exit code."""
    monkeypatch.setenv("CONSILIUM_LANGUAGE", "en")

    def command(position: int, *arguments: object, text: bool = False) -> dict[str, Any]:
        words = [str(each) for each in arguments]
        options = ["--profile", str(sites.directories[position - 1]), *([] if text else ["--json"])]
        code = main([*words[:2], *options, *words[2:]])
        said = capsys.readouterr()
        body = json.loads(said.out) if said.out and not text else {"said": said.out + said.err}
        return {**body, "exit": code}

    return command


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase.txt"
    path.write_text("the custodian’s passphrase\n", "utf-8")
    return path


def until(sites: RelaySites, position: int, command: str, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What ``command`` says at a site once that is ``done``, looking again whenever something has changed there."""
    with connect(sites.directories[position - 1], become=False) as site:
        while True:
            number = site.call("site.watch", {"after": 0, "wait": 0})["number"]
            if done(found := site.call(command)):
                return found
            site.call("site.watch", {"after": number, "wait": 60})


def endorse_ada(run: Command, secret: Path) -> dict[str, Any]:
    key = run(1, "people", "key", "Ada")
    options = ("--role", "total-exact", "--until", LATER, "--yes", "--passphrase-file", secret)
    return run(1, "people", "endorse", *options, key["request"])


def test_a_researcher_is_endorsed_and_works_in_a_project(run: Command, sites: RelaySites, secret: Path) -> None:
    made = run(1, "people", "custodian", "--passphrase-file", secret)
    assert (made["exit"], made["number"], made["waits"]) == (0, 1, False)
    found = endorse_ada(run, secret)
    assert (found["exit"], found["person"], found["state"], found["own"]) == (0, "Ada", "valid", True)
    unsigned = run(1, "people", "endorse", "--here", "Bo", "--role", "auditor", "--until", LATER)
    assert unsigned["exit"] != 0, "it asks for the passphrase, and nobody types one"

    people = until(sites, 3, "people.list", lambda said: len(said["people"]) == 1)
    assert (people["people"][0]["site"], people["people"][0]["signed_by"]) == ("Site 1", "custodian")
    assert {each["site"]: each["custodian"] for each in people["custodians"]}["Site 1"]
    assert "Ada (Site 1): exact totals, until " + LATER in run(3, "people", "list", text=True)["said"]

    options = ("--purpose", "Why", "--until", LATER, "--member", "Ada", "--passphrase-file", secret)
    project = run(1, "project", "new", *options, "Lungs")
    assert (project["exit"], project["state"]) == (0, "approved")
    until(sites, 2, "project.list", lambda said: len(said["projects"]) == 1)
    assert run(2, "project", "approve", "Lungs")["state"] == "approved"
    approved = {"Site 1": "approved", "Site 2": "approved", "Site 3": "proposed"}

    def told(said: dict[str, Any]) -> bool:
        return {each["site"]: each["state"] for each in said["projects"][0]["approvals"]} == approved

    until(sites, 1, "project.list", told)
    assert "Site 2: approved, Site 3: not approved yet" in run(1, "project", "list", text=True)["said"]

    who = ("--person", "Ada", "--project", "Lungs", "--wait", "0")
    asked = run(1, "query", "run", *who, "smoker")
    assert asked["exit"] in (1, 3), "nobody has a dataset: it is still waiting, or has found out"
    query = run(1, "query", "list")["queries"][0]
    assert (query["asked_by"], query["project"]) == ("Ada", "Lungs")
    assert "Asked by Ada under the project “Lungs”" in run(1, "query", "show", query["id"], text=True)["said"]
    refused = run(1, "query", "run", "--person", "Bo", "smoker", text=True)
    assert (refused["exit"], "no key of “Bo” on this workstation" in refused["said"]) == (1, True)

    closed = run(1, "project", "close", "--passphrase-file", secret, "Lungs")
    assert {each["state"] for each in closed["approvals"]} == {"closed"}
    taken = run(1, "people", "revoke", "--reason", "Has left", "--passphrase-file", secret, "Ada")
    assert (taken["state"], taken["revoked"]["reason"]) == ("revoked", "Has left")
    until(sites, 3, "people.list", lambda said: said["people"][0]["state"] == "revoked")


def test_a_lost_passphrase_and_a_key_that_the_others_accept(
    run: Command, sites: RelaySites, secret: Path, tmp_path: Path
) -> None:
    first = run(1, "people", "custodian", "--passphrase-file", secret)
    endorse_ada(run, secret)
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("not the passphrase at all")
    assert run(1, "people", "revoke", "--passphrase-file", wrong, "Ada", text=True)["exit"] == 1
    second = run(1, "people", "custodian", "--lost", "--passphrase-file", wrong)
    assert (second["number"], second["waits"]) == (2, True)

    def waiting(said: dict[str, Any]) -> bool:
        return bool(said["custodians"][0]["waiting"])

    found = until(sites, 2, "people.list", waiting)["custodians"][0]
    assert (found["fingerprint"], found["waiting"]) == (first["fingerprint"], second["fingerprint"])
    assert run(2, "people", "accept", "--fingerprint", first["fingerprint"], "Site 1", text=True)["exit"] == 1
    assert run(2, "people", "accept", "--fingerprint", second["fingerprint"].upper(), "Site 1")["exit"] == 0
    found = run(2, "people", "list")
    assert (found["custodians"][0]["fingerprint"], found["people"][0]["state"]) == (second["fingerprint"], "unaccepted")


def test_a_coordinator_hands_over(run: Command, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def states(said: dict[str, Any]) -> dict[str, str]:
        return {each["step"]: each["state"] for each in said["steps"]}

    run(1, "people", "custodian", "--passphrase-file", secret)
    endorse_ada(run, secret)
    begun = run(1, "people", "handover", "--from", "Ada")
    assert states(begun) == {"backup": "open", "restore": "open", "custodian": "open", "revoke": "open"}
    early = run(1, "people", "handover", "--revoke", "--passphrase-file", secret, text=True)
    assert (early["exit"], "no backup" in early["said"]) == (1, True)

    assert run(1, "keys", "backup", "--file", tmp_path / "b.bin", "--passphrase-file", secret)["exit"] == 0
    monkeypatch.setattr(handover.getpass, "getuser", lambda: "whoever follows")
    other = tmp_path / "other.txt"
    other.write_text("the next custodian’s passphrase", "utf-8")
    files = ("--passphrase-file", other, "--old-passphrase-file", secret)
    assert run(1, "people", "custodian", *files)["waits"] is False
    done = run(1, "people", "handover", "--revoke", "--passphrase-file", other)
    assert (done["done"], set(states(done).values())) == (True, {"done"})
    assert run(1, "people", "list")["people"][0]["state"] == "revoked"
    assert "All is done" in run(1, "people", "handover", "--end", text=True)["said"]
    assert run(1, "people", "handover")["leaver"] == ""


def test_the_profile_folder_and_a_backup_carry_all_to_another_account(tmp_path: Path) -> None:
    first, second, account = (
        SecretBytes(each.encode())
        for each in ("the words of the leaver", "the words of the next", "the words for the file")
    )
    sites, follower = Sites(tmp_path / "sites", FakeRelay()), tmp_path / "follower"
    with sites.running(1, 2, 3):
        for position in (1, 2, 3):
            sites.call(position, "test.ready")
    sites.call(1, "people.custodian", {"passphrase": first, "lost": False})
    request = sites.call(1, "people.key", {"person": "Ada"})["request"]
    until_then = int(datetime.fromisoformat(LATER).timestamp() * 1000)
    ada = {"request": request, "person": "", "role": "total-exact", "since": 0, "until": until_then}
    sites.call(1, "people.endorse", {**ada, "passphrase": first})
    sites.call(1, "policy.set", {"min_patients": 30})
    sites.call(1, "policy.sign", {"passphrase": first})
    with sites.owner(1) as owner, owner.profile.store.database.atomic():
        ids = (bytes([each]) * 32 for each in range(4))
        owner.profile.store.charges.add(
            Charge(next(ids)[:16], 1, next(ids), next(ids), next(ids)[:16], 1, 2, "Ada", b"", Fraction(1, 2), 0)
        )
    told = ("policy.show", "people.list", "budget.show")
    before = [sites.call(1, name) for name in told]
    sites.call(1, "keys.save_backup", {"path": str(tmp_path / "backup"), "passphrase": account})

    shutil.copytree(sites.directories[0], follower)
    (follower / "secrets.passphrase").unlink()  # the keyring of the leaver's account stays behind

    def call(name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        def opened(path: Path) -> OpenProfile:
            return open_profile(path, passphrase=lambda: SecretBytes(b"the words of the next account"), program="tests")

        with connect(follower, open_profile=opened, line=lambda _: sites.line(1)) as site:
            return site.call(name, values or {})

    with pytest.raises(EnvironmentProblem, match=r"keys\.missing"):
        call("policy.sign", {"passphrase": first})
    wishes = {"path": str(tmp_path / "backup"), "passphrase": account, "check": False, "replace": False}
    assert call("keys.restore_file", wishes)["restored"]
    assert [call(name) for name in told] == before
    assert call("audit.verify")["ok"]
    call("people.custodian", {"passphrase": second, "old": first, "lost": False})
    call("policy.set", {"min_patients": 40})
    with pytest.raises(ConsiliumError, match=r"passphrase\.wrong"):
        call("policy.sign", {"passphrase": first})
    signed = call("policy.sign", {"passphrase": second})
    assert (signed["version"], signed["policy"]["min_patients"]) == (2, 40)
