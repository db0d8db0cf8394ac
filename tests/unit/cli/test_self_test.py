from __future__ import annotations

import json

import pytest
import typer

from app.cli import boundary
from app.cli.self_test import self_test
from app.core.errors import Bug
from app.core.services import self_test as service


@pytest.fixture
def commands() -> typer.Typer:
    commands = typer.Typer(pretty_exceptions_enable=False)
    commands.command()(self_test)
    return commands


@pytest.mark.usefixtures("secret_service")
def test_everything_in_order(commands: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(commands, ["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["usable"]
    assert all(check["passed"] for check in found["checks"])


def test_without_a_keyring_a_server_can_still_work(commands: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(commands, []) == 0
    assert "Keyring: not available." in capsys.readouterr().out


def test_a_broken_program_is_not_usable(
    commands: typer.Typer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*parts: str) -> None:
        raise Bug("house.resource_missing", name="translations")

    monkeypatch.setattr(service.paths, "resource", broken)
    assert boundary.run(commands, []) == 1
    out = capsys.readouterr().out
    assert "Program: FAILED. A part of the program is missing: translations." in out
    assert "cannot be used" in out
