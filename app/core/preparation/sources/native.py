"""Readers that are written in C or Rust run apart: a broken file may end or hold up its reader, never this program.

What such a reader makes of a file comes back as a clean CSV in the engine's private directory (the number of the row,
then the columns, as :mod:`csv_rows` writes it) and a small description.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.jobs.pool import WorkerPool, outcome
from app.core.preparation.problems import Problem, Problems

P = ParamSpec("P")
T = TypeVar("T")

MEMORY = 4 << 30
"""Bytes of addresses that a reader may use; more is taken for an attack on the memory."""
PATIENCE = 300.0
"""Seconds that a reader may take for one step, and one more for each MB of the file; more is taken for a hang."""


class Apart:
    """One process that reads one file. A context manager: leaving it ends the process."""

    def __init__(self, path: Path, job: Job) -> None:
        self._path = path
        self._job = job
        self._pool = WorkerPool(1, _begin, (MEMORY,))

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a module-level function there.

        Raises UserError ``sources.unreadable`` if it dies, runs out of memory or does not come to an end
        (:data:`PATIENCE`); Cancelled; EnvironmentProblem ``file.*``; and what it raises itself.
        """
        cancel = self._job.cancel
        with disk_problems(self._path):
            megabytes = self._path.stat().st_size >> 20
        with cancel.interrupting(self._pool.kill):
            cancel.check()
            future = self._pool.submit(function, *args, **kwargs)
            done, _ = wait([future], PATIENCE + megabytes)
            if not done:
                self._pool.kill()
            try:
                return outcome(future, cancel)
            except (EnvironmentProblem, MemoryError) as error:
                if isinstance(error, EnvironmentProblem) and error.code != "worker.killed":
                    raise
                raise UserError("sources.unreadable", file=self._path.name) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._pool.kill(close=True)


def _begin(limit: int) -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's threads take addresses by the gigabyte, and have nothing to do
    limit_memory(limit)


def add_all(problems: Problems, found: Problems) -> None:
    """Add to ``problems`` all that a process apart has ``found``, those that it only counted included."""
    last: dict[tuple[str, str, str, str], Problem] = {}
    rest = found.counts()
    for problem in found:
        if (before := last.get(problem.sort)) is not None:
            problems.add(before)
            rest[problem.sort] -= 1
        last[problem.sort] = problem
    for sort, problem in last.items():
        problems.add(problem, rest[sort])


if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
    import ctypes
    from ctypes import wintypes

    class _BasicLimits(ctypes.Structure):
        _fields_ = [
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        ]

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = [
            ("Basic", _BasicLimits),
            ("IoCounters", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        ]

    _EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
    _PROCESS_MEMORY = 0x100  # JOB_OBJECT_LIMIT_PROCESS_MEMORY

    def limit_memory(limit: int) -> None:
        """Let this process use ``limit`` bytes of memory at most: it puts itself into a job object that says so."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.SetInformationJobObject.argtypes = [wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD]
        kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
        limits = _ExtendedLimits(Basic=_BasicLimits(LimitFlags=_PROCESS_MEMORY), ProcessMemoryLimit=limit)
        job = kernel.CreateJobObjectW(None, None)
        size = ctypes.sizeof(limits)
        if not kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), size):
            raise ctypes.WinError(ctypes.get_last_error())
        if not kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess()):
            raise ctypes.WinError(ctypes.get_last_error())

else:
    import resource

    def limit_memory(limit: int) -> None:
        """Let this process use ``limit`` bytes of memory at most (macOS does not hold processes to it)."""
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
