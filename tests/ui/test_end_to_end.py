"""A newcomer's first question, through real windows on a real screen, with real cryptography; and nothing freezes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.catalogue.file import load_catalogue
from app.core.paths import resource
from app.core.query.oracle import count
from app.core.query.text import parse
from app.core.services import demo_data
from tests.ui.screen import virtual_screen


@pytest.mark.production
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="the screen without a monitor is an X server")
def test_from_a_drag_to_a_report(tmp_path: Path) -> None:
    with virtual_screen() as screen:
        own = {name: str(tmp_path / "home") for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
        environment = {**screen, **own, "HOME": str(tmp_path / "home"), "CONSILIUM_LANGUAGE": "en"}
        environment.pop("CONSILIUM_ALLOW_INSECURE_TEST_PARAMETERS", None)
        done = subprocess.run(
            [sys.executable, "-m", "tests.ui.end_to_end", str(tmp_path)],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    catalogue, data = load_catalogue(resource("demo", "lung.catalogue.toml")), demo_data.lung_study(3)
    assert told["answer"] == count(parse(told["question"], catalogue), data.rows(), catalogue)
    assert told["stalls"] == []  # no burst of work of the windows' thread took more than 50 ms
    assert told["blocked"] == []  # nor did it wait for anything for a second
    assert told["seconds"] < 120  # a newcomer's patience, from the first drag to the number
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert os.path.getsize(tmp_path / "results.png") > 10_000
