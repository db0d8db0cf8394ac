"""``consilium cohort``: what it prints, and that its cohorts can be used in questions."""

from __future__ import annotations

import json
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
