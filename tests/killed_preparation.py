"""A preparation that was killed while clear data lay on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.core.paths import preparation_place

CLEAR = "Rumpelstilzchen"
_PREPARATION = """
import sys
from app.core.preparation.engine import Engine
from app.core.preparation.sources.csv_files import scratch_file
with Engine(threads=1) as engine, scratch_file(engine) as clear:
    clear.write_text(sys.argv[1], "utf-8")
    print("written", flush=True)
    sys.stdin.read()
"""


def leave_clear_data() -> Path:
    """Begin a preparation, kill it, and return the directory in which its clear data lies."""
    command = [sys.executable, "-c", _PREPARATION, CLEAR]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    left = [path for path in preparation_place().rglob("*") if path.is_file() and CLEAR.encode() in path.read_bytes()]
    assert len(left) == 1
    return left[0].parent
