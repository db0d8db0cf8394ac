import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem
from app.core.store.lock import Owner, OwnerLock, owner_of

HOLDER = """
import sys
from pathlib import Path
from app.core.store.lock import OwnerLock
lock = OwnerLock.acquire(Path(sys.argv[1]), program="agent", now=7)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_owner_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    with OwnerLock.acquire(path, program="window", now=5):
        with pytest.raises(EnvironmentProblem) as refusal:
            OwnerLock.acquire(path, program="agent", now=6)
        assert refusal.value.code == "profile.in_use"
        assert refusal.value.params["pid"] == os.getpid()
        assert refusal.value.params["program"] == "window"
    with OwnerLock.acquire(path, program="agent", now=8) as lock:
        assert lock.previous is None  # the first owner let go properly


def test_another_process_is_refused_and_a_dead_owner_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(EnvironmentProblem, match=r"profile\.in_use") as refusal:
            OwnerLock.acquire(path, program="window", now=6)
        assert refusal.value.params["pid"] == holder.pid
        holder.kill()
        holder.wait()
    assert owner_of(path) == Owner(holder.pid, "agent", 7)
    with OwnerLock.acquire(path, program="window", now=9) as lock:
        assert lock.previous == Owner(holder.pid, "agent", 7)
        assert owner_of(path) == Owner(os.getpid(), "window", 9)
    assert owner_of(path) is None


@pytest.mark.parametrize("record", [b"", b"{", b"[1]", b'{"pid": "x"}', json.dumps({"pid": 1}).encode()])
def test_a_torn_record_is_no_owner(tmp_path: Path, record: bytes) -> None:
    path = tmp_path / "owner.lock"
    path.write_bytes(record)
    assert owner_of(path) is None
    OwnerLock.acquire(path, program="window", now=1).release()


def test_releasing_twice_is_fine_and_a_missing_directory_is_told(tmp_path: Path) -> None:
    lock = OwnerLock.acquire(tmp_path / "owner.lock", program="window", now=1)
    lock.release()
    lock.release()
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"):
        OwnerLock.acquire(tmp_path / "none" / "owner.lock", program="window", now=1)
