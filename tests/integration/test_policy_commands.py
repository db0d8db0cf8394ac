"""``consilium policy`` on a real profile: shown, changed, signed by a custodian, fixed by IT, previewed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core import paths
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS
from app.core.federation import custodian
from app.core.secret import SecretBytes
from app.core.services.profile import create_profile, open_profile
from tests.federation_sites import CATALOGUE, Inline
from tests.founding import found

Command = Callable[..., dict[str, Any]]
PASSPHRASE = b"correct horse battery staple"


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile of the first of three sites of a federation."""
    directory = tmp_path_factory.mktemp("sites")
    profiles = [
        create_profile(directory / name, name=name, contact="+41", passphrase=lambda: SecretBytes(PASSPHRASE))
        for name in ("North", "South", "East")
    ]
    found(profiles, name="Tests", catalogue=CATALOGUE, parameters=INSECURE_TEST_PARAMETERS)
    for each in profiles:
        each.close()
    return directory / "North"


@pytest.fixture
def run(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command at the first of three sites; return its JSON, or its text under ``said``."""
    shutil.copytree(profile, tmp_path / "North")
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.setenv("CONSILIUM_LANGUAGE", "en")
    monkeypatch.setattr(paths, "managed_settings", lambda: tmp_path / "managed.toml")

    def command(*arguments: str, text: bool = False) -> dict[str, Any]:
        options = ["--profile", str(tmp_path / "North"), *([] if text else ["--json"])]
        code = main([*arguments[:2], *options, *arguments[2:]])
        said = capsys.readouterr()
        body = {"said": said.out + said.err} if text else json.loads(said.out)
        return {**body, "exit": code}

    return command


def test_a_policy_is_shown_changed_and_kept_in_versions(run: Command) -> None:
    shown = run("policy", "show")
    assert (shown["version"], shown["signed_by"], shown["history"]) == (0, "", [])
    assert (shown["policy"]["others"], shown["policy"]["smallest"]) == (2, 11)
    assert "the default holds" in run("policy", "show", text=True)["said"]
    changed = run(
        "policy", "set", "--mode", "ask", "--no-exact", "--min-patients", "50", "--epsilon", "1/2",
        "--never", "died", "--never", "smoker=yes", "--people", "endorsed", "--smallest", "5", "--no-zeros",
    )  # fmt: skip
    wanted = {"mode": "ask", "exact": False, "min_patients": 50, "epsilon": "1/2", "people": "endorsed"}
    wanted |= {"never": [["died", ""], ["smoker", "yes"]], "smallest": 5, "zeros": False, "others": 2}
    assert wanted.items() <= changed["policy"].items()
    assert (changed["version"], changed["signed_by"]) == (1, "site")
    assert run("policy", "set", "--epsilon", "none", "--never", "none")["policy"]["never"] == []
    assert [each["version"] for each in run("policy", "show")["history"]] == [2, 1]
    assert run("policy", "set", "--mode", "ask")["version"] == 2  # nothing was changed
    said = run("policy", "show", text=True)["said"]
    assert "anybody at this workstation could have changed it" in said
    assert "Only people whom the custodian of a member site has endorsed may ask." in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--others", "3"), "policy.bad_others"),
        (("--smallest", "7"), "policy.bad_value"),
        (("--epsilon", "a lot"), "policy.malformed"),
    ],
)
def test_what_cannot_be_is_refused(run: Command, arguments: tuple[str, ...], code: str) -> None:
    refused = run("policy", "set", *arguments)
    assert (refused["exit"], refused["error"]["code"]) == (1, code)
    assert run("policy", "show")["version"] == 0


def test_a_policy_is_edited_as_toml(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        'mode = "ask"\nrules = [{ mode = "never", analysis = "regress" }]\nbudget = { cap = "3", exact = 10 }\n'
        'never = [["died", ""]]\n',
        "utf-8",
    )
    shown = run("policy", "edit", "--file", str(file))
    assert shown["policy"]["rules"] == [
        {"mode": "never", "site": 0, "person": "", "project": "", "analysis": "regress"}
    ]
    assert (shown["policy"]["budget"]["cap"], shown["policy"]["budget"]["exact"]) == ("3", 10)
    said = run("policy", "show", text=True)["said"]
    assert "But requests for the analysis “regress” are declined." in said
    assert "The variable died is never used." in said
    assert "Nothing was changed" in run("policy", "edit", "--file", str(file), text=True)["said"]
    for wrong in ("mode =", "modes = 1"):
        file.write_text(wrong, "utf-8")
        assert run("policy", "edit", "--file", str(file), text=True)["exit"] == 2


def test_with_a_custodian_a_change_waits_for_the_signature(run: Command, tmp_path: Path) -> None:
    run("policy", "set", "--others", "1")
    with open_profile(tmp_path / "North") as opened, opened.store.database.atomic():
        custodian.make(opened.local_site(Inline()), SecretBytes(PASSPHRASE))
    file = str(tmp_path / "passphrase")
    assert run("policy", "sign", "--passphrase-file", file)["signed_by"] == "custodian"  # the policy as it is
    drafted = run("policy", "set", "--no-exact")
    assert (drafted["policy"]["exact"], drafted["draft"]["exact"], drafted["version"]) == (True, False, 2)
    assert "waits for the custodian’s signature" in run("policy", "show", text=True)["said"]
    assert run("policy", "set", "--exact")["draft"] is None  # as it was: nothing is left to sign
    assert run("policy", "sign", "--passphrase-file", file)["error"]["code"] == "policy.nothing_to_sign"
    run("policy", "set", "--no-exact")
    (tmp_path / "wrong").write_bytes(b"a wrong passphrase, this one")
    wrong = run("policy", "sign", "--passphrase-file", str(tmp_path / "wrong"))
    assert (wrong["exit"], wrong["error"]["code"]) == (1, "passphrase.wrong")
    signed = run("policy", "sign", "--passphrase-file", file)
    assert (signed["policy"]["exact"], signed["draft"], signed["version"]) == (False, None, 3)
    assert [each["signed_by"] for each in signed["history"]] == ["custodian", "custodian", "site"]
    assert "Signed by the custodian." in run("policy", "show", text=True)["said"]


def test_what_it_has_fixed_is_marked_and_cannot_be_changed(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "managed.toml"
    file.write_text('[policy]\nmode = "ask"\nexact = false\n', "utf-8")
    shown = run("policy", "show")
    assert (shown["managed"], shown["managed_source"]) == ({"mode": "ask", "exact": False}, str(file))
    assert f"Exact numbers do not leave. [fixed in {file}]" in run("policy", "show", text=True)["said"]
    refused = run("policy", "set", "--exact")
    assert refused["error"]["code"] == "policy.fixed"
    assert str(file) in refused["error"]["what"]
    said = run("policy", "preview", "smoker", text=True)["said"]
    assert said.startswith("It would be declined.")
    assert "✗ Exact numbers do not leave. (fixed by this computer’s IT)" in said
    file.write_text("[policy]\nmodus = 1\n", "utf-8")
    assert run("policy", "show")["error"]["code"] == "managed.unknown_key"


def test_a_preview_says_what_would_happen_and_why(run: Command) -> None:
    run("policy", "set", "--mode", "ask", "--others", "1", "--never", "died")
    found = run("policy", "preview", "smoker", "--noise", "1", "--min-sites", "2", "--asker", "South")
    assert found["verdict"] == "ask"
    assert {each["rule"]: each["holds"] for each in found["findings"]}["two"] is True
    said = run("policy", "preview", "smoker", "--min-sites", "2", text=True)["said"]
    assert "It would wait for a person of this site." in said
    assert "who asks can take its own numbers from an exact total" in said
    declined = run("policy", "preview", "died", "--person", "Ada", text=True)["said"]
    assert declined.startswith("It would be declined.")
    assert "The question uses died" in declined
    assert "(this site’s policy, version 1)" in declined
    assert run("policy", "preview", text=True)["exit"] == 2
    assert run("policy", "preview", "smoker and")["exit"] == 1
    assert run("policy", "preview", "--request", "abc")["error"]["code"] == "query.unknown"
    assert run("request", "list")["requests"] == []
