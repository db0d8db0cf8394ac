from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from app.cli import boundary
from app.cli.options import Json, Profile, Waiting, answer
from app.core import log
from app.core.errors import Bug, EnvironmentProblem

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a small program with one group of commands through the boundary."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CONSILIUM_DEBUG", raising=False)
    commands = typer.Typer(pretty_exceptions_enable=False)

    @commands.command()
    def done(profile: Profile, as_json: Json = False) -> None:
        answer({"profile": str(profile)}, as_json, f"in {profile}")

    @commands.command()
    def fail(profile: Profile, kind: str, as_json: Json = False) -> None:
        raise {
            "environment": EnvironmentProblem("disk.full", path="/data"),
            "bug": Bug("no.such_code", row=3),
            "unexpected": ValueError("hunter2"),
            "waiting": Waiting("no.such_text", n=2),
            "interrupt": KeyboardInterrupt(),
        }[kind]

    return lambda *arguments: boundary.run(commands, list(arguments))


def test_done(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("done", "--profile", str(tmp_path)) == 0
    assert capsys.readouterr() == (f"in {tmp_path}\n", "")
    assert run("done", "--profile", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"profile": str(tmp_path)}


def test_an_error_is_said_in_sentences(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "environment") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "The disk is full: /data could not be written.",
        "Nothing half-written was kept; what was there before is unchanged.",
        "Free some space, then run the same command again.",
    ]


def test_an_error_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "environment", "--json") == 1
    out, err = capsys.readouterr()
    assert err == ""
    error = json.loads(out)["error"]
    assert error.keys() == {"code", "what", "safe", "next", "params"}
    assert (error["code"], error["params"]) == ("disk.full", {"path": "/data"})


def test_sentences_come_in_the_readers_language(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSILIUM_LANGUAGE", "fr")
    assert run("fail", "environment") == 1
    assert capsys.readouterr().err.startswith("Le disque est plein")


def test_what_nobody_foresaw_is_logged_without_its_message(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "unexpected") == 1
    _, err = capsys.readouterr()
    place = log.location()
    assert place is not None
    assert str(place) in err
    assert "ValueError" in err
    assert "hunter2" not in err + place.read_text()
    assert "test_boundary.py" in place.read_text()


def test_details_are_there_for_developers_who_ask(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSILIUM_DEBUG", "yes")
    assert run("fail", "unexpected") == 1
    assert "ValueError: hunter2" in capsys.readouterr().err


def test_a_bug_is_said_with_its_code(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "bug") == 1
    assert "no.such_code" in capsys.readouterr().err


def test_still_waiting(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "waiting") == 3
    assert run("fail", "waiting", "--json") == 3
    plain, machine = capsys.readouterr().out.splitlines()
    assert plain == "no.such_text n=2"
    assert json.loads(machine)["waiting"]["params"] == {"n": 2}


def test_interrupted(run: Run) -> None:
    assert run("fail", "interrupt") == 130


@pytest.mark.parametrize("arguments", [["no-such-command"], ["done", "--no-such-option"], ["fail"]])
def test_wrong_usage(run: Run, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err


def test_the_log_of_a_profile_lies_in_it(run: Run, tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    assert run("fail", "bug", "--profile", str(profile)) == 1
    assert not profile.exists()
    profile.mkdir()
    assert run("fail", "bug", "--profile", str(profile)) == 1
    assert (profile / "logs" / log.FILE_NAME).is_file()
