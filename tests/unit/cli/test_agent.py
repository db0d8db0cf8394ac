"""The agent and profile commands: what they print, and their exit codes; the agent as a process that signals end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import agent as agent_command
from app.cli import profile as profile_command
from app.core import paths
from app.core.errors import UserError
from app.core.secret import SecretBytes
from app.core.services import agent_program
from app.core.services.agent_program import AgentEnd
from app.core.services.owner import Owner
from app.core.services.profile import create_profile, open_profile

agent = typer.Typer()
agent.command()(agent_command.agent)


def passphrase() -> SecretBytes:
    return SecretBytes(b"correct horse battery")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "north"
    create_profile(directory, name="North", contact="+41", passphrase=passphrase).close()
    return directory


@pytest.mark.parametrize(
    ("end", "until_idle", "code", "said"),
    [
        (AgentEnd(True, False, 0, 0), True, 0, "There is nothing left to do.\n"),
        (AgentEnd(False, True, signal.SIGTERM, 2), False, 0, "Messages that still have to leave: 2. They are kept.\n"),
        (AgentEnd(False, True, signal.SIGTERM, 0), True, 130, "The agent has ended.\n"),
        (AgentEnd(False, True, signal.SIGINT, 0), False, 130, "The agent has ended.\n"),
    ],
)
def test_how_the_agent_ends(
    place: Path, monkeypatch: pytest.MonkeyPatch, end: AgentEnd, until_idle: bool, code: int, said: str
) -> None:
    def run(directory: Path, *, until_idle: bool, began: Any, **_others: bool) -> AgentEnd:
        assert directory == place
        began("North")
        return end

    monkeypatch.setattr(agent_program, "run_agent", run)
    line = ["--profile", str(place), *(["--until-idle"] if until_idle else [])]
    result = CliRunner().invoke(agent, line)
    assert result.exit_code == code
    assert result.stdout.startswith("The agent of North is at work.")
    assert result.stdout.endswith(said)
    result = CliRunner().invoke(agent, [*line, "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (
        code,
        {"idle": end.idle, "stopped": end.stopped, "unsent": end.unsent},
    )


def test_a_site_without_a_relay_has_no_agent(place: Path) -> None:
    with pytest.raises(UserError, match=r"agent\.no_relay"):
        CliRunner().invoke(agent, ["--profile", str(place)], catch_exceptions=False)
    with open_profile(place):
        pass


AGENT = """
import sys, threading
from pathlib import Path
from app.core.services import agent as agents, agent_program
from tests.fake_relay import FakeLine, FakeRelay
if sys.argv[2] == "computing":
    def compute(agent):
        from app.core.jobs.pool import outcome
        import time
        future = agent.owner.executor.submit(time.sleep, 3600)
        print("computing", flush=True)
        outcome(future)
    agents.Agent.__init__.__kwdefaults__["duties"] = (compute,)
end = agent_program.run_agent(
    Path(sys.argv[1]), line=lambda profile: FakeLine(FakeRelay(), 1), began=lambda site: print(site, flush=True)
)
print(end)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("doing", ["waiting", "computing"])
def test_signals_end_the_process(place: Path, number: signal.Signals, doing: str) -> None:
    command = [sys.executable, "-c", AGENT, str(place), doing]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "North\n"
        if doing == "computing":
            assert process.stdout.readline() == "computing\n"
        process.send_signal(number)
        said = process.stdout.read()
        process.wait(20)
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert said == f"AgentEnd(idle=False, stopped=True, signal={int(number)}, unsent=0)\n"
        assert process.returncode == 0
    with open_profile(place) as profile:  # the lock is free, whatever happened
        assert (profile.store.previous_owner is not None) == (number == signal.SIGKILL)


def listed(*arguments: object) -> list[dict[str, Any]]:
    line = ["--profile", "/nowhere", "--json", *map(str, arguments)]
    result = CliRunner().invoke(profile_command.profile, line, catch_exceptions=False)
    assert result.exit_code == 0
    found: list[dict[str, Any]] = json.loads(result.stdout)["profiles"]
    return found


def test_profiles_are_listed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "default_profile", lambda: place.parent / "default")
    assert listed() == [
        {
            "path": str(place),
            "site": "North",
            "federation": "",
            "state": "new",
            "owner": None,
            "problem": None,
            "pretend": False,
        }
    ]
    (place.parent / "broken").mkdir()
    (place.parent / "broken" / "site.db").write_bytes(b"no database at all, and long enough to tell")
    with Owner(open_profile(place), program="test"):
        broken, north = listed(place)
    assert (broken["state"], broken["problem"]) == ("unreadable", "database.damaged")
    assert north["owner"]["pid"] == os.getpid()
    assert north["owner"]["program"] == "test"
    told = CliRunner().invoke(profile_command.profile, ["--profile", str(place)]).stdout.splitlines()
    assert told[1] == f"{place}: North, no federation, new; not open"
    assert told[0].endswith("cannot be read; cannot be asked (database.damaged)")


def test_there_are_no_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "default_profile", lambda: tmp_path / "profiles" / "default")
    assert listed() == []
