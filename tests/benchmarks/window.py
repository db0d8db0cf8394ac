"""How soon the window can be used: ``python -m tests.benchmarks.window [--runs N]``.

Each run starts the program in a process of its own on a virtual screen, with a profile that it opens; measured is the
time from the start of the process until the window is on the screen and has worked off its events.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.core.secret import SecretBytes
from app.core.services.profile import PASSPHRASE_VARIABLE, create_profile
from tests.ui.screen import virtual_screen

_CHILD = """
import sys, time
from app.ui import application
from PySide6.QtCore import QTimer
def ready(program):
    QTimer.singleShot(0, lambda: (print("usable", flush=True), QTimer.singleShot(0, program.quit)))
sys.exit(application.main(["--profile", sys.argv[1]], ready))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place, virtual_screen() as environment:
        secret = Path(place) / "passphrase.txt"
        secret.write_bytes(b"correct horse battery\n")
        profile = Path(place) / "site"
        create_profile(
            profile, name="Bern", contact="+41", passphrase=lambda: SecretBytes(b"correct horse battery")
        ).close()
        homes = {name: place for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
        environment |= {PASSPHRASE_VARIABLE: str(secret), **homes}
        seconds = [_once(profile, environment) for _ in range(runs)]
    print(f"window usable after {statistics.median(seconds):.2f} s (best {min(seconds):.2f}, worst {max(seconds):.2f})")


def _once(profile: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-c", _CHILD, str(profile)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        taken = time.perf_counter() - began
        assert line == b"usable\n", line
        child.wait(60)
    return taken


if __name__ == "__main__":
    main()
