"""Worker processes that can be killed at any time, and a map over tasks that keeps memory constant.

Workers are spawned, not forked: they share nothing with the parent but what they are given. They ignore Ctrl-C (the
parent decides), and end when the parent does. What a dead worker was doing is lost and nothing else: the pool starts
new ones for the next task.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    InvalidStateError,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import islice
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from app.core.errors import Bug, EnvironmentProblem
from app.core.jobs.job import CancelToken

P = ParamSpec("P")
T = TypeVar("T")
Task = TypeVar("Task")


def available_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Task(Future[T]):
    """A task that may be cancelled when its worker is killed: up to Python 3.12, that ended the executor's thread."""

    def set_exception(self, exception: BaseException | None) -> None:
        with suppress(InvalidStateError):
            super().set_exception(exception)


class WorkerPool(Executor):
    """An executor of ``workers`` spawned processes; each runs ``initializer(*arguments)`` once.

    ``first`` is done once, in a worker, before the first task: as long as it fails, submitting raises what it raises.
    It, ``initializer`` and every submitted function are module-level functions. Used from one thread, but :meth:`kill`
    may be called from any.
    """

    def __init__(
        self,
        workers: int | None = None,
        initializer: Callable[..., None] | None = None,
        arguments: tuple[Any, ...] = (),
        first: Callable[[], object] | None = None,
    ) -> None:
        self._first = first
        self.workers = workers or available_cores()
        self._initializer = initializer
        self._arguments = arguments
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._watched: set[int | None] = set()
        self._executor: ProcessPoolExecutor | None = None
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a task to a worker, starting workers if there are none; see :func:`outcome` for its errors."""
        if self._first is not None:
            outcome(self._submitted(self._first))
            self._first = None
        return self._submitted(fn, *args, **kwargs)

    def _submitted(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        for _ in range(2):
            executor = self._started()
            try:
                future = executor.submit(fn, *args, **kwargs)
            except RuntimeError:  # a worker died while nobody was waiting for it, or kill() came in between
                self._discard(executor)
            else:
                self._watch_new(executor)
                future.__class__ = _Task
                return future
        raise EnvironmentProblem("worker.killed")

    def kill(self, *, close: bool = False) -> None:
        """Kill all workers at once: what they were doing fails with ``worker.killed``.

        Later tasks get new ones, or, after ``close``, are refused.
        """
        with self._lock:
            executor, self._executor = self._executor, None
            self._closed = self._closed or close
        if executor is not None:
            self._end(executor)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers when their tasks are done; no more tasks are taken."""
        with self._lock:
            executor, self._executor, self._closed = self._executor, None, True
        if executor is not None:
            executor.shutdown(wait=wait, cancel_futures=cancel_futures)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run now."""
        with self._lock:
            executor = self._executor
        return tuple((executor._processes or {}) if executor is not None else ())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers: when they are done, or at once if the block was left by an error."""
        if error is not None:
            self.kill()
        self.shutdown()

    def __enter__(self) -> Self:
        return self

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._closed:
                raise Bug("worker.pool_closed")
            if self._executor is None:
                self._executor = ProcessPoolExecutor(
                    self.workers,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_begin,
                    initargs=(self._initializer, self._arguments),
                )
            return self._executor

    def _discard(self, executor: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._executor is executor:
                self._executor = None
        self._end(executor)

    def _end(self, executor: ProcessPoolExecutor) -> None:
        """Kill the workers of an executor at once, and wait until it has noticed.

        A worker that ends while it tells a result leaves half of it in the pipe, and who reads there waits for the rest
        until nobody is left who could write it: not this process either.
        """
        with self._ending:
            with executor._shutdown_lock:  # nobody is beginning a worker now
                executor._shutdown_thread = True  # nor from now on
                for process in list((executor._processes or {}).values()):  # from Python 3.14 on: kill_workers()
                    process.kill()
                if executor._result_queue is not None:
                    executor._result_queue._writer.close()  # type: ignore[attr-defined]
            executor.shutdown(wait=True, cancel_futures=True)

    def _watch_new(self, executor: ProcessPoolExecutor) -> None:
        """Have every new worker watched; they are begun as tasks come."""
        for pid, process in list((executor._processes or {}).items()):
            if pid not in self._watched:
                self._watched.add(pid)
                threading.Thread(target=self._watch, args=(executor, process), daemon=True).start()

    def _watch(self, executor: ProcessPoolExecutor, process: BaseProcess) -> None:
        """Kill the other workers when one dies by itself: it may have died in the middle of a result."""
        process.join()
        with self._lock:
            ended_by_us = self._executor is not executor
            self._watched.discard(process.pid)
        if process.exitcode and not ended_by_us:
            self._discard(executor)


def outcome(future: Future[T], cancel: CancelToken | None = None) -> T:
    """Wait for a task's result.

    Raises Cancelled if ``cancel`` was the reason that it has none, EnvironmentProblem ``worker.killed`` if its worker
    died, and otherwise whatever the task raised.
    """
    try:
        return future.result()
    except (BrokenProcessPool, CancelledError) as error:
        if cancel is not None:
            cancel.check()
        raise EnvironmentProblem("worker.killed") from error


def map_unordered(
    executor: Executor,
    function: Callable[[Task], T],
    tasks: Iterable[Task],
    *,
    in_flight: int,
    cancel: CancelToken | None = None,
) -> Iterator[tuple[Task, T]]:
    """Yield (task, result) as results come, with at most ``in_flight`` tasks handed out and not yet yielded.

    Works with any executor; cancelling kills the workers of a :class:`WorkerPool` at once. Errors as :func:`outcome`.
    """
    token = cancel or CancelToken()
    waiting: dict[Future[T], Task] = {}
    source = iter(tasks)
    kill = executor.kill if isinstance(executor, WorkerPool) else _nothing
    with token.interrupting(kill):
        try:
            while True:
                token.check()
                for task in islice(source, in_flight - len(waiting)):
                    waiting[executor.submit(function, task)] = task
                if not waiting:
                    return
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), outcome(future, token)
        finally:
            for future in waiting:
                future.cancel()


def _nothing() -> None:
    """Other executors are only told to cancel what has not begun."""


def _begin(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Run first in every worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _end_with(parent_ended: Callable[[], None]) -> None:
    parent_ended()
    os._exit(1)
