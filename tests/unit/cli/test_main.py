from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from app import __version__
from app.cli.main import commands, main


def leaves(command: object, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command with the names of its options."""
    group = getattr(command, "commands", None)
    if group is None:
        yield path, {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]
    else:
        for name, child in group.items():
            yield from leaves(child, f"{path} {name}".strip())


COMMANDS = dict(leaves(typer.main.get_command(commands)))


def test_these_are_the_commands() -> None:
    assert COMMANDS.keys() >= {
        *("data prepare", "data inspect", "data verify", "data import", "data list"),
        *("keys status", "keys backup", "keys restore"),
        *("query explain", "demo", "self-test"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_shared_options_and_a_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMANDS[name] >= {"--profile", "--json"}
    assert main([*name.split(), "--help"]) == 0
    assert "--profile" in capsys.readouterr().out


def test_wrong_usage_is_two() -> None:
    assert main(["no-such-command"]) == 2


def test_starts_from_anywhere(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-P", "-m", "app", "--version"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == f"consilium {__version__}\n"
