"""A program that ends with the one that started it, unless that one says otherwise."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import subprocess, sys, threading
from app.core.services.lifeline import end_with_input
over = threading.Event()
end_with_input(over.set)
print("ready", flush=True)
child = subprocess.run(
    [sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"], capture_output=True, text=True, timeout=60
)
print(child.stdout.strip(), flush=True)
print("over" if over.wait(float(sys.argv[1])) else "still here", flush=True)
"""


def started(patience: float) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(patience)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"ready"
    assert process.stdout.readline().strip() == b"0"  # what it starts does not get at the pipe
    return process


def test_the_end_of_the_input_is_the_end() -> None:
    with started(60) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"whatever is said\n")
        process.stdin.close()
        assert process.stdout.readline().strip() == b"over"
        assert process.wait(30) == 0


def test_a_starter_may_leave_it_behind_and_is_not_kept_waiting() -> None:
    with started(1.0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"stay\n")
        process.stdin.close()
        assert process.stdout.read() == b""  # its output ended, although it runs on
        assert process.wait(30) == 0
