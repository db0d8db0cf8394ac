import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.core.errors import Bug, EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, CancelToken
from app.core.jobs.pool import WorkerPool, available_cores, map_unordered, outcome
from tests.unit.core.jobs import work


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1, work.begin, ("hello",)) as pool:
        yield pool


def test_workers_are_begun_once_and_errors_come_back(pool: WorkerPool) -> None:
    assert available_cores() >= 1
    assert outcome(pool.submit(work.greeting)) == "hello"
    assert dict(map_unordered(pool, work.square, range(10), in_flight=3)) == {n: n * n for n in range(10)}
    with pytest.raises(UserError) as refusal:
        outcome(pool.submit(work.refuse))
    assert refusal.value.params == {"row": 3}


def test_nothing_is_done_before_what_has_to_be_first() -> None:
    with WorkerPool(1, first=work.prepare) as pool:
        assert pool.pids() == ()
        assert outcome(pool.submit(work.greeting)) == "prepared"
        assert outcome(pool.submit(work.greeting)) == "prepared"  # once is enough
    with WorkerPool(1, first=work.refuse) as pool:
        for _ in range(2):
            with pytest.raises(UserError, match=r"csv\.made_up"):
                pool.submit(work.greeting)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_worker_is_told_and_the_job_can_be_repeated(pool: WorkerPool) -> None:
    assert outcome(pool.submit(work.square, 2)) == 4
    future = pool.submit(work.hang)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EnvironmentProblem, match=r"worker\.killed"):
        outcome(future)
    assert outcome(pool.submit(work.square, 3)) == 9
    assert pool.pids() != (pid,)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_worker_killed_while_idle_is_replaced(pool: WorkerPool) -> None:
    outcome(pool.submit(work.square, 2))
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    results = []
    for _ in range(2):  # the pool may notice only while it hands over the first task
        try:
            results.append(outcome(pool.submit(work.square, 3)))
        except EnvironmentProblem as error:
            assert error.code == "worker.killed"  # noqa: PT017 - one of the two outcomes
    assert 9 in results


def test_cancel_kills_promptly(pool: WorkerPool) -> None:
    cancel = CancelToken()
    outcome(pool.submit(work.square, 2))
    threading.Timer(0.05, cancel.cancel).start()
    with pytest.raises(Cancelled):
        list(map_unordered(pool, work.hang_on, range(5), in_flight=2, cancel=cancel))
    assert outcome(pool.submit(work.square, 4)) == 16


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
@pytest.mark.parametrize("task", [work.hang_halfway, work.die_halfway])
def test_workers_that_end_in_the_middle_of_a_result_hold_nobody_up(
    pool: WorkerPool, task: Callable[[int], bytes]
) -> None:
    cancel = CancelToken()
    assert outcome(pool.submit(work.square, 2)) == 4
    if task is work.hang_halfway:
        threading.Timer(0.2, cancel.cancel).start()
    with pytest.raises((Cancelled, EnvironmentProblem)):
        list(map_unordered(pool, task, range(5), in_flight=2, cancel=cancel))
    assert outcome(pool.submit(work.square, 4)) == 16


def test_killing_while_cancelled_tasks_wait_ends_quietly(pool: WorkerPool) -> None:
    results = map_unordered(pool, work.hang_but_for_0, range(20), in_flight=20)
    assert next(results) == (0, None)
    results.close()
    pool.kill()
    assert outcome(pool.submit(work.square, 4)) == 16


def test_few_tasks_are_under_way_at_a_time() -> None:
    drawn: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(20):
            drawn.append(number)
            yield number

    with ThreadPoolExecutor(2) as threads:
        done = 0
        for _task, _result in map_unordered(threads, work.square, tasks(), in_flight=3):
            done += 1
            assert len(drawn) <= done + 3
    assert done == 20


def test_a_closed_pool_takes_nothing(pool: WorkerPool) -> None:
    pool.shutdown()
    with pytest.raises(Bug):
        pool.submit(work.square, 1)
    cancelled: Future[int] = Future()
    cancelled.cancel()
    with pytest.raises(EnvironmentProblem):
        outcome(cancelled)


PARENT = """
from app.core.jobs.pool import WorkerPool
from tests.unit.core.jobs import work
if __name__ == "__main__":
    pool = WorkerPool(1)
    pool.submit(work.square, 1).result()
    future = pool.submit(work.hang)
    print(pool.pids()[0], flush=True)
    future.result()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_workers_die_with_their_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 0
        parent.kill()
        parent.wait()
        assert parent.stdout.read() == b""  # ends only when the worker, which inherited the pipe, is gone as well
