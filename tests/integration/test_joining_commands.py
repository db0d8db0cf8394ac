"""The commands with which hospitals come together, over a real relay: from ``site init`` to the signed roster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core.paths import resource
from app.core.services.profile import open_profile
from tests.relay_server import RelayServer, relay

__all__ = ["relay"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a private Secret Service can be started on Linux only")
CATALOGUE = str(resource("demo", "lung.catalogue.toml"))
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], secret_service: object) -> Command:
    """Run a command at a site; return its JSON, or its text under ``said``; ``exit`` is its exit code."""

    def command(site: str, *arguments: str, text: bool = False) -> dict[str, Any]:
        options = ["--profile", str(tmp_path / site), *([] if text else ["--json"])]
        code = main([*arguments[:2], *options, *arguments[2:]])
        said = capsys.readouterr()
        body = {"said": said.out + said.err} if text else json.loads(said.out)
        return {**body, "exit": code}

    return command


def test_three_hospitals_come_together(run: Command, relay: RelayServer, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(relay.address.trust)
    for name in ("Lausanne", "Geneva", "Bern"):
        made = run(name, "site", "init", "--name", name, "--contact", f"{name}, +41 00 000 00 00")
        assert (made["exit"], made["keyring"]) == (0, "secret-service")
    assert run("Lausanne", "federation", "status")["stage"] == "none"
    created = run(
        "Lausanne", "federation", "create", "--relay", relay.address.url, "--relay-code", relay.code(),
        "--relay-ca", str(authority), "--name", "Lung", "--catalogue", CATALOGUE,
    )  # fmt: skip
    assert created["exit"] == 0
    checked = run("Lausanne", "relay", "check", "--proxy", "none")
    assert (checked["exit"], checked["usable"]) == (0, True), "without an address: the federation's own relay"
    words = {}
    for name in ("Geneva", "Bern"):
        qr = tmp_path / f"{name}.svg"
        invited = run("Lausanne", "federation", "invite", "--site", name, "--svg", str(qr))
        assert qr.read_text().startswith("<svg")
        joined = run(name, "federation", "join", invited["invitation"])
        assert (joined["federation"], joined["creator"]) == ("Lung", "Lausanne")
        words[name] = " ".join(joined["words"])
    assert words["Geneva"] != words["Bern"]
    wrong = run("Lausanne", "federation", "confirm", "Bern", "--words", words["Geneva"])
    assert (wrong["exit"], wrong["error"]["code"]) == (1, "joining.words_differ")
    shown = run("Lausanne", "federation", "status", text=True)["said"]
    assert words["Geneva"] in shown
    assert "All 3 hospitals must open a result together." in shown
    assert "SOMEBODY MAY STAND BETWEEN YOU" in shown
    for name in ("Geneva", "Bern"):
        assert run("Lausanne", "federation", "confirm", name, "--words", words[name])["exit"] == 0
        run(name, "federation", "status")  # fetches the catalogue, without which nothing is confirmed
        confirmed = run(name, "federation", "confirm", "Lausanne", "--words", words[name])
        assert (confirmed["exit"], confirmed["told"]) == (0, True)
    started = run("Lausanne", "federation", "start")
    assert [site["state"] for site in started["sites"]] == ["signed", "asked to sign", "asked to sign"]
    again = run("Lausanne", "federation", "invite", "--site", "Geneva")
    assert again["error"]["code"] == "joining.site_joined"
    for name in ("Geneva", "Bern", "Lausanne", "Geneva", "Bern"):
        run(name, "federation", "status")
    found = [run(name, "federation", "status") for name in ("Lausanne", "Geneva", "Bern")]
    assert {each["stage"] for each in found} == {"ceremony"}
    assert [site["name"] for site in found[2]["sites"]] == ["Lausanne", "Geneva", "Bern"]
    assert {site["program"] for each in found for site in each["sites"]} == {found[0]["sites"][0]["program"]}
    hashes = set()
    for name in ("Lausanne", "Geneva", "Bern"):
        with open_profile(tmp_path / name) as profile:
            assert profile.roster is not None
            assert profile.roster.parameters.name == "standard-1"
            hashes.add(profile.roster.hash)
            assert not profile.store.outbox.unsent()
    assert len(hashes) == 1
    exported = run("Lausanne", "federation", "export-public", str(tmp_path / "public"))
    assert exported["error"]["code"] == "joining.not_ready"


def test_what_waits_for_the_relay_says_so(run: Command, relay: RelayServer, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(relay.address.trust)
    for name in ("A", "B"):
        run(name, "site", "init", "--name", name, "--contact", "x")
    run(
        "A", "federation", "create", "--relay", relay.address.url, "--relay-code", relay.code(),
        "--relay-ca", str(authority), "--name", "Lung", "--catalogue", CATALOGUE,
    )  # fmt: skip
    untrusted = run("A", "relay", "check", relay.address.url, "--proxy", "none", text=True)
    assert (untrusted["exit"], "--relay-ca" in untrusted["said"]) == (1, True), "the cure is named"
    invitation = run("A", "federation", "invite", "--site", "B")["invitation"]
    mangled = run("B", "federation", "join", invitation[:-20])
    assert mangled["error"]["code"] == "invitation.incomplete"
    words = " ".join(run("B", "federation", "join", invitation)["words"])
    stranger = run("B", "federation", "join", invitation)
    assert " ".join(stranger["words"]) == words, "joining again goes on"
    relay.stop()
    status = run("B", "federation", "status")
    assert status["trouble"]["code"] == "relay.unreachable"
    confirmed = run("B", "federation", "confirm", "A", "--words", words)
    assert (confirmed["exit"], confirmed["waiting"]["code"]) == (3, "agent.kept")
    relay.start()
    run("A", "federation", "status")
    run("B", "federation", "status")
    run("B", "federation", "status")
    assert run("A", "federation", "status")["sites"][1]["state"] == "confirmed by them"
