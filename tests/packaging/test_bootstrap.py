"""The bootstrap's decisions, with pip and apt replaced; the real thing is what starts these tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[2] / "installers/bootstrap.py"


class Interrupted(BaseException):
    pass


def places(checkout: Path) -> dict[str, object]:
    environment = checkout / ".venv"
    return {
        "CHECKOUT": checkout,
        "ENVIRONMENT": environment,
        "PYTHON": environment / "python",
        "STAMP": environment / "consilium.json",
        "GUARD": checkout / ".venv.lock",
    }


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The bootstrap of a small checkout, which writes down what it would have done in ``module.done``."""
    specification = importlib.util.spec_from_file_location("bootstrap", SOURCE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    checkout = tmp_path / "checkout"
    for name in ("installers/locks/run.txt", "installers/locks/dev.txt", "pyproject.toml"):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    replaced: dict[str, object] = {
        **places(checkout),
        "done": [],
        "install_system_packages": lambda packages: None,
        "say": lambda line: None,
    }

    def make_environment() -> None:
        module.done.append("venv")
        module.ENVIRONMENT.mkdir(exist_ok=True)
        module.PYTHON.touch()

    replaced["make_environment"] = make_environment
    replaced["pip_install"] = lambda *arguments: module.done.append(arguments[-1])
    for name, value in replaced.items():
        monkeypatch.setattr(module, name, value, raising=False)
    return module


RUN = ["venv", "installers/locks/run.txt", "."]


def did(bootstrap: ModuleType, lock: str) -> list[str]:
    bootstrap.done.clear()
    bootstrap.install(lock)
    return list(bootstrap.done)


def test_installs_once(bootstrap: ModuleType) -> None:
    assert did(bootstrap, "run") == RUN
    assert did(bootstrap, "run") == []


def test_adds_what_tests_need(bootstrap: ModuleType) -> None:
    did(bootstrap, "run")
    assert did(bootstrap, "dev") == ["installers/locks/dev.txt"]
    assert did(bootstrap, "dev") == did(bootstrap, "run") == []


def test_tests_first(bootstrap: ModuleType) -> None:
    assert did(bootstrap, "dev") == ["venv", "installers/locks/dev.txt", "."]
    assert did(bootstrap, "run") == []


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_a_changed_lock_installs_afresh(bootstrap: ModuleType, lock: str) -> None:
    did(bootstrap, "dev")
    (bootstrap.CHECKOUT / f"installers/locks/{lock}.txt").write_text("another")
    assert did(bootstrap, "run") == (RUN if lock == "run" else [])
    assert did(bootstrap, "dev")[-1:] == (["installers/locks/dev.txt"] if lock == "run" else ["."])


def test_a_changed_project_is_only_linked_again(bootstrap: ModuleType) -> None:
    did(bootstrap, "run")
    (bootstrap.CHECKOUT / "pyproject.toml").write_text("another")
    assert did(bootstrap, "run") == ["."]


@pytest.mark.parametrize("step", range(3))
def test_an_interrupted_installation_is_made_afresh(
    bootstrap: ModuleType, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(whole: Callable[..., None], at: int) -> Callable[..., None]:
        def call(*arguments: str) -> None:
            if len(bootstrap.done) == at:
                raise Interrupted
            whole(*arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("make_environment", "pip_install"):
            patch.setattr(bootstrap, name, interrupt(getattr(bootstrap, name), step))
        with pytest.raises(Interrupted):
            bootstrap.install("run")
    assert did(bootstrap, "run") == RUN


def test_an_interrupted_addition_is_made_afresh(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: str) -> None:
        raise Interrupted

    did(bootstrap, "run")
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "pip_install", interrupt)
        with pytest.raises(Interrupted):
            bootstrap.install("dev")
    assert did(bootstrap, "run") == RUN


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": 1}'])
def test_a_damaged_stamp_counts_for_nothing(bootstrap: ModuleType, content: str) -> None:
    did(bootstrap, "run")
    bootstrap.STAMP.write_text(content)
    assert did(bootstrap, "run") == RUN


def test_a_python_that_has_gone_is_replaced(bootstrap: ModuleType) -> None:
    did(bootstrap, "run")
    bootstrap.PYTHON.unlink()
    assert did(bootstrap, "run") == RUN


def test_a_checkout_that_was_moved_is_installed_afresh(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    did(bootstrap, "run")
    moved = bootstrap.CHECKOUT.rename(bootstrap.CHECKOUT.with_name("moved"))
    for name, value in places(moved).items():
        monkeypatch.setattr(bootstrap, name, value)
    assert did(bootstrap, "run") == RUN


def test_two_runs_at_once_install_once(bootstrap: ModuleType) -> None:
    runs = [threading.Thread(target=bootstrap.install, args=("run",)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert bootstrap.done == RUN


@pytest.mark.parametrize(("root", "sudo"), [(True, False), (False, True), (False, False)])
def test_system_packages(
    bootstrap: ModuleType, root: bool, sudo: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap.sys, "platform", "linux")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    monkeypatch.setattr(bootstrap, "succeeds", lambda command: sudo or command[0] != "sudo")
    monkeypatch.setattr(bootstrap, "ran", lambda command: commands.append(command) or True)
    packages = {"dbus": "dbus-daemon", "libc6": "libc.so.6", "libnone1": "libnone.so.1"}
    bootstrap.install_system_packages(packages)
    prefix = [] if root else ["sudo", "-n"]
    update = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update"]
    if root or sudo:
        assert [command[: len(update)] for command in commands][0] == update
        assert {"dbus", "libnone1"} <= set(commands[1])
        assert ("libc6" in commands[1]) == (sys.platform != "linux")  # a library is looked for by loading it
    else:
        assert not commands
        assert "sudo apt-get install --yes --no-install-recommends" in capsys.readouterr().err


def test_an_older_python_is_refused_in_words() -> None:
    pretend = f"import sys; sys.version_info = (3, 10, 1, 'final', 0); exec(open({str(SOURCE)!r}).read())"
    result = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("Consilium needs Python 3.11 or newer; this is Python 3.10.\n")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["dance"], 2), (["--help"], 0)])
def test_says_what_it_can_do(arguments: list[str], code: int) -> None:
    result = subprocess.run([sys.executable, str(SOURCE), *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == code
    assert "bootstrap.py demo" in result.stdout
