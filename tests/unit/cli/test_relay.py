"""The relay command: what it prints, its exit codes, and that a relay started by it serves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from app.cli import boundary
from app.cli.relay import relay as commands
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from app.relay import server
from tests.relay_server import RelayServer, new_key, relay

__all__ = ["relay"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    whole = typer.Typer(pretty_exceptions_enable=False)
    whole.add_typer(commands, name="relay")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = boundary.run(whole, ["relay", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_code_founds_a_federation(run: Run, relay: RelayServer) -> None:
    code, out, _ = run("code", "new", "--data", str(relay.directory), "--days", "3")
    assert code == 0
    made, told = out.splitlines()
    assert "3 days" in told
    relay.post(bytes(32), new_key()).found(made)
    assert json.loads(run("code", "new", "--data", str(relay.directory), "--json")[1])["days"] == 14


def test_a_code_needs_a_relay(run: Run, tmp_path: Path) -> None:
    code, _, err = run("code", "new", "--data", str(tmp_path))
    assert (code, "No relay was ever started" in err) == (1, True)
    assert list(tmp_path.glob("*.db")) == []


def test_check_says_that_all_is_well(run: Run, relay: RelayServer) -> None:
    ca = str(relay.directory / "tls" / "ca.pem")
    code, out, _ = run("check", relay.address.url, "--ca", ca, "--proxy", "none")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[:-1]] == ["In order"] * 6
    code, out, _ = run("check", relay.address.url, "--ca", ca, "--proxy", "none", "--json")
    told = json.loads(out)
    assert told["usable"]
    assert [finding["step"] for finding in told["findings"]] == [
        "proxy", "reach", "certificate", "inspection", "version", "clock"
    ]  # fmt: skip


def test_check_names_the_trouble_and_its_cure(run: Run, relay: RelayServer) -> None:
    code, out, _ = run("check", relay.address.url, "--proxy", "none")
    assert code == 1
    assert "TROUBLE: This computer does not trust the certificate" in out
    assert "use the invitation" in out
    code, out, _ = run("check", relay.address.url, "--proxy", "none", "--json")
    assert json.loads(out)["findings"][-1]["problem"]["code"] == "relay.certificate_untrusted"
    assert run("check", "http://relay.example")[0] == 1


def test_serve_makes_a_private_ca_and_serves(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "relay"
    answered: list[int] = []
    real = server.serve

    def serve(settings: server.Settings, ready: Callable[[server.Running], None]) -> None:
        def ask(running: server.Running) -> None:
            address = RelayAddress(running.url, (data / "tls" / "ca.pem").read_text())
            with RelayPost(address, bytes(32), new_key(), proxy=ProxySetting("none")) as post:
                answered.extend(post.line.about().protocols)
            running.stop()

        def both(running: server.Running) -> None:
            ready(running)
            threading.Thread(target=ask, args=(running,)).start()

        real(settings, both)

    monkeypatch.setattr(server, "serve", serve)
    code, out, _ = run("serve", "--data", str(data), "--port", "0", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["url"].startswith("https://127.0.0.1:")
    assert len(told["fingerprint"]) == 64
    assert told["authority"] == str(data / "tls" / "ca.pem")
    assert answered == [1]
    assert (data / "tls" / "ca.key").stat().st_mode & 0o077 == 0
    assert (data / "logs" / "consilium.log").exists()


def test_serve_needs_both_certificate_and_key(run: Run, tmp_path: Path) -> None:
    assert run("serve", "--data", str(tmp_path / "relay"), "--tls-cert", "x.pem")[0] == 2
    code, _, err = run("serve", "--data", str(tmp_path / "relay"), "--tls-cert", "x.pem", "--tls-key", "y.pem")
    assert (code, "x.pem" in err) == (1, True)


def test_serve_says_what_is_wrong_with_settings_or_port(run: Run, relay: RelayServer, tmp_path: Path) -> None:
    data = tmp_path / "other"
    assert "Another relay" in run("serve", "--data", str(relay.directory), "--port", "0")[2]
    assert "cannot listen" in run("serve", "--data", str(data), "--port", str(relay.port))[2]
    (data / "relay.toml").write_text("blob_bites = 3\n")
    assert "blob_bites" in run("serve", "--data", str(data), "--port", "0")[2]
