from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.crypto import private_keyring
from app.core.crypto.os_keyring import open_keyring
from app.core.crypto.private_keyring import PrivateSecretService
from app.core.errors import EnvironmentProblem
from app.core.secret import SecretBytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the Secret Service")

ROOT = SecretBytes(bytes(range(32)))


def test_keeps_a_secret_and_forgets_it_at_the_end() -> None:
    with PrivateSecretService() as service, service.in_use():
        store = open_keyring()
        store.put("a profile", ROOT)
        assert open_keyring().get("a profile") == ROOT
        home = Path(service.environment["HOME"])
        assert home.is_dir()
    assert not home.exists()
    with PrivateSecretService() as service, service.in_use():
        assert open_keyring().get("a profile") is None


def test_the_environment_is_as_before_afterwards() -> None:
    before = dict(os.environ)
    with PrivateSecretService() as service, service.in_use():
        assert os.environ["DBUS_SESSION_BUS_ADDRESS"] == service.environment["DBUS_SESSION_BUS_ADDRESS"]
    assert dict(os.environ) == before


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert PrivateSecretService.missing_programs() == ["dbus-daemon", "gnome-keyring-daemon"]
    with pytest.raises(EnvironmentProblem, match=r"keyring\.no_private_service"), PrivateSecretService():
        pass


def test_a_keyring_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "gnome-keyring-daemon"
    silent.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    silent.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(private_keyring, "START_SECONDS", 0.2)
    with pytest.raises(EnvironmentProblem, match=r"keyring\.no_private_service"), PrivateSecretService():
        pass


def test_nothing_goes_on_running_when_its_owner_is_killed() -> None:
    owner = (
        "import os, signal\n"
        "from app.core.crypto.private_keyring import PrivateSecretService\n"
        "with PrivateSecretService() as service:\n"
        "    print(service.environment['DBUS_SESSION_BUS_ADDRESS'], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {
        **os.environ,
        "TMPDIR": os.environ["XDG_DATA_HOME"],
    }  # what it leaves behind goes with the tests' home
    command = [sys.executable, "-c", owner]
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    address = Path(killed.stdout.removeprefix("unix:path=").split(",")[0])
    has_ended = (ConnectionError, FileNotFoundError)
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(*has_ended):
        connection.settimeout(10)
        connection.connect(str(address))
        assert connection.recv(1) == b""  # it ends now
