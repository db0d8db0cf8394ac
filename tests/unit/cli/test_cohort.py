"""``consilium cohort``: what it prints, and that its cohorts can be used in questions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli.cohort import cohort
from app.cli.query import query
from app.core.errors import UserError
from app.core.services.profile import PASSPHRASE_VARIABLE
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay

commands = typer.Typer()
commands.add_typer(cohort, name="cohort")
commands.add_typer(query, name="query")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, str(secret))
    return Sites(tmp_path, FakeRelay(), count=2).directories[0]


def run(place: Path, *line: str) -> Any:
    result = CliRunner().invoke(commands, [*line, "--profile", str(place)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return json.loads(result.stdout) if "--json" in line else result.stdout


def test_a_cohort_from_its_first_to_its_last_day(place: Path) -> None:
    assert run(place, "cohort", "list") == "There are no saved cohorts.\n"
    said = run(place, "cohort", "save", "Smokers", "smoker")
    assert said == 'Saved “Smokers”, version 1. Use it in questions as cohort:"Smokers".\n'
    assert run(place, "cohort", "save", "Smokers", "not not smoker", "--json")["version"] == 2
    (listed,) = run(place, "cohort", "list", "--json")["cohorts"]
    assert (listed["name"], listed["version"], listed["text"]) == ("Smokers", 2, "not not smoker")
    assert "query" not in listed
    assert run(place, "cohort", "show", "smokers", "--version", "1", "--json")["text"] == "smoker"
    assert [each["version"] for each in run(place, "cohort", "show", "Smokers", "--versions", "--json")["cohorts"]] == [
        2,
        1,
    ]
    explained = run(place, "query", "explain", 'cohort:"Smokers"', "--json")
    assert (explained["text"], explained["canonical"]) == ('cohort:"Smokers"', "smoker")
    assert run(place, "cohort", "rename", "Smokers", "They smoke") == "The cohort is now called “They smoke”.\n"
    with pytest.raises(UserError, match=r"query\.no_such_cohort"):
        run(place, "query", "explain", 'cohort:"Smokers"')
    assert run(place, "cohort", "delete", "They smoke") == "Deleted “They smoke” (versions: 2).\n"


def test_a_mistake_in_a_definition_is_pointed_at(place: Path) -> None:
    with pytest.raises(UserError, match=r"query\.unknown_variable|query\.no_such_variable"):
        run(place, "cohort", "save", "Wrong", "nothing_like_it")


def test_editing_saves_the_next_version(place: Path) -> None:
    run(place, "cohort", "save", "Smokers", "smoker")
    assert run(place, "cohort", "edit", "smokers", "not smoker").startswith("Saved “Smokers”, version 2.")
    assert run(place, "cohort", "edit", "Smokers", "not smoker") == "“Smokers” says that already; nothing was saved.\n"
    result = CliRunner().invoke(commands, ["cohort", "edit", "Smokers", "--profile", str(place)])
    assert result.exit_code == 2
    assert "there is no terminal" in " ".join(result.output.replace("│", " ").split())
    with pytest.raises(UserError, match=r"cohort\.unknown"):
        run(place, "cohort", "edit", "Nobody", "smoker")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX terminal")
@pytest.mark.parametrize(("editor", "code", "text"), [("append", 0, "smoker or not smoker"), ("fail", 2, "smoker")])
def test_editing_in_an_editor(place: Path, tmp_path: Path, editor: str, code: int, text: str) -> None:
    import pty

    run(place, "cohort", "save", "Smokers", "smoker")
    script = tmp_path / "editor"
    script.write_text({"append": '#!/bin/sh\necho "or not smoker" >> "$1"\n', "fail": "#!/bin/sh\nexit 3\n"}[editor])
    script.chmod(0o700)
    terminal, stdin = pty.openpty()
    try:
        command = [sys.executable, "-m", "app", "cohort", "edit", "Smokers", "--profile", str(place), "--json"]
        environment = {**os.environ, "EDITOR": str(script), "VISUAL": ""}
        done = subprocess.run(command, check=False, stdin=stdin, capture_output=True, env=environment, timeout=60)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert done.returncode == code, done.stderr
    assert run(place, "cohort", "show", "Smokers", "--json")["text"] == text


def test_files_go_out_and_come_in(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "smokers.toml"
    run(place, "cohort", "save", "Smokers", "smoker")
    assert run(place, "cohort", "export", "Smokers", str(file)) == f"Saved “Smokers” in {file}.\n"
    assert 'text = "smoker"\n' in file.read_text("utf-8")
    with pytest.raises(UserError, match=r"export\.exists"):
        run(place, "cohort", "export", "Smokers", str(file))
    assert run(place, "cohort", "export", "Smokers", str(file), "--replace", "--json")["version"] == 1
    assert run(place, "cohort", "import", str(file), "--to", "They smoke", "--json")["name"] == "They smoke"
    assert run(place, "cohort", "import", str(file)).startswith("Saved “Smokers”, version 1.")
    run(place, "cohort", "edit", "Smokers", "not smoker")
    with pytest.raises(UserError, match=r"cohort\.exists"):
        run(place, "cohort", "import", str(file))
    file.write_text("format = 'consilium-cohort'\nversion = 1\nname = 7\ntext = 'smoker'\n", "utf-8")
    with pytest.raises(UserError) as caught:
        run(place, "cohort", "import", str(file))
    assert dict(caught.value.params) == {"file": "smokers.toml", "line": 3, "field": "name"}


def test_cohorts_are_shared(tmp_path: Path) -> None:
    sites = Sites(tmp_path, FakeRelay(), count=2)
    ours, theirs = sites.directories
    with sites.running(1, 2):
        for position in (1, 2):
            assert sites.call(position, "test.ready")["state"] == "ready"
            sites.call(position, "test.told")
        run(ours, "cohort", "save", "Smokers", "smoker")
        assert run(ours, "cohort", "share", "Smokers", "--site", "Site 2") == "Offered “Smokers” to: Site 2.\n"
        number = 0
        while "no other site" in (said := run(theirs, "cohort", "shared").lower()):
            number = sites.call(2, "site.watch", {"after": number, "wait": 60})["number"]
        assert said.startswith("site 1 offers “smokers” since ")
        assert said.endswith(": smoker\n")
        assert run(theirs, "cohort", "shared", "--json")["cohorts"][0]["missing"] == []
        assert run(theirs, "cohort", "accept", "Site 1", "Smokers", "--to", "Theirs").startswith("Saved “Theirs”")
        assert run(theirs, "cohort", "shared") == "No other site offers a cohort.\n"
        with pytest.raises(UserError, match=r"cohort\.not_offered"):
            run(theirs, "cohort", "decline", "Site 1", "Smokers")
