"""The whole story at production parameters: relay, agents and commands in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.production
@pytest.mark.usefixtures("secret_service")
def test_two_hospitals_release_the_right_numbers(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "app", "demo", "--sites", "2", "--report", str(report), "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(report.read_text("utf-8"))
    assert json.loads(done.stdout) == told
    assert (told["parameters"], told["sites"], told["quorum"], told["patients"]) == ("standard-1", 2, 2, 228)
    assert told["keyring"] == "secret-service"
    assert told["relay"].startswith("https://127.0.0.1:")
    assert {"ceremony", "prepare", "import", "queries"} <= told["phases"].keys()
    exact = [query for query in told["queries"] if query["exact"]]
    assert len(exact) >= 6
    assert all(query["released"] == query["truth"] for query in exact)
    assert any(query["noise_scale"] == 2.0 for query in told["queries"] if not query["exact"])
    assert all(
        query.keys() == {"text", "truth", "released", "least", "right", "exact", "noise_scale", "seconds"}
        for query in exact
    )
