"""Agents killed at any point lose nothing, do nothing twice, and end with the right number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")
def test_killed_anywhere_the_answer_is_right(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.killing_agents", str(tmp_path), "1", "12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "killed 12\n"), done.stderr
