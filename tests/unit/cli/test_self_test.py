from __future__ import annotations

import json
import sys
from pathlib import Path

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


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither window nor relay: their processes take seconds, and one test starts them."""
    monkeypatch.setattr(service, "_window", lambda: "")
    monkeypatch.setattr(service, "_relay", lambda: "")


@pytest.mark.usefixtures("secret_service")
def test_everything_in_order(commands: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(commands, ["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["usable"]
    assert all(check["passed"] for check in found["checks"])


@pytest.mark.usefixtures("no_processes")
def test_without_a_keyring_a_server_can_still_work(commands: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(commands, []) == 0
    assert "Keyring: not available." in capsys.readouterr().out


@pytest.mark.usefixtures("no_processes")
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


def test_without_a_screens_libraries_the_commands_can_still_be_used(
    commands: typer.Typer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "import sys; sys.stderr.write('libEGL.so.1: cannot open shared object file\\n'); sys.exit(1)"
    monkeypatch.setattr(service, "_relay", lambda: "")
    monkeypatch.setattr(service, "program", lambda: [sys.executable, "-c", words])
    assert boundary.run(commands, []) == 0
    out = capsys.readouterr().out
    assert "Window: not available. No window can be drawn on this computer: libEGL.so.1: cannot open" in out


@pytest.mark.usefixtures("no_processes")
def test_a_text_that_lacks_in_one_language_is_found(
    commands: typer.Typer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for language, keys in (("en", '["a"]\n["b"]\n'), ("de", '["a"]\n')):
        (tmp_path / f"house.{language}.toml").write_text(keys)
    resource = service.paths.resource
    monkeypatch.setattr(
        service.paths, "resource", lambda *parts: tmp_path if parts == ("translations",) else resource(*parts)
    )
    assert boundary.run(commands, ["--json"]) == 1
    found = {check["name"]: check["error"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert found["translations"] == "house.resource_missing"
