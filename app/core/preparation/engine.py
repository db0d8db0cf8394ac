"""DuckDB as the preparation uses it: out of core, locked in, and gone without a trace when it is done.

What a source holds is staged as tables in a database file that lies, with everything that DuckDB spills, in a private
directory of the preparing user, which goes with it (:mod:`app.core.preparation.scratch`). Both are encrypted besides,
with keys that only this process has. No extension is loaded, nothing is fetched, and no file can be read but those that
are named at the beginning.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Job, Progress
from app.core.jobs.pool import available_cores
from app.core.paths import preparation_place
from app.core.preparation.problems import Problems
from app.core.preparation.scratch import private_place
from app.core.preparation.sql import literal

MEMORY = 1536 << 20
"""What DuckDB may hold in memory, in bytes, unless it is told otherwise; beyond it, it spills."""
_LOOKS = 0.1  # seconds between two looks at whether a statement shall stop and how far it is


class Engine:
    """One DuckDB in a private directory. A context manager, used from one thread.

    ``connection`` is the database, ``directory`` the private directory (for files that readers make on the way) and
    ``problems`` what is wrong with the rows that were staged.
    """

    def __init__(
        self,
        reads: Iterable[Path] = (),
        *,
        memory: int = MEMORY,
        threads: int | None = None,
        place: Path | None = None,
    ) -> None:
        """Start DuckDB with ``memory`` bytes and ``threads`` (default: all cores) in a new directory in ``place``.

        ``reads`` are the files and folders that it may read. Raises EnvironmentProblem ``disk.*``, ``file.*``.
        """
        self.problems = Problems()
        self._clock = time.monotonic
        with ExitStack() as undo:
            self.directory = undo.enter_context(private_place(place or preparation_place()))
            with duckdb_problems(self.directory):
                self.connection = duckdb.connect(":memory:")
                undo.callback(self.connection.close)
                self._lock_in(reads, memory, threads or available_cores())
            self._undo = undo.pop_all()

    def execute(
        self, statement: str, parameters: Sequence[object] = (), job: Job | None = None, step: str | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Run one statement, which ``job`` stops when it is cancelled; the progress is reported as ``step``.

        Raises Cancelled; EnvironmentProblem ``disk.full``, ``engine.out_of_memory``, ``engine.failed``; what the
        statement itself does wrong stays a ``duckdb.Error``.
        """
        if job is None:
            with duckdb_problems(self.directory):
                return self.connection.execute(statement, parameters)
        job.cancel.check()
        ended = threading.Event()
        watching = threading.Thread(target=self._watch, args=(job, step, ended), daemon=True)
        watching.start()
        try:
            with duckdb_problems(self.directory):
                return self.connection.execute(statement, parameters)
        except duckdb.InterruptException:
            job.cancel.check()
            raise
        finally:
            ended.set()
            watching.join()

    def one(self, statement: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        """Run a statement that gives exactly one row, and return the row. Errors as :meth:`execute`."""
        row = self.execute(statement, parameters).fetchone()
        if row is None:
            raise EnvironmentProblem("engine.failed", reason="no row")
        return tuple(row)

    def close(self) -> None:
        """Remove everything that was staged. A second call does nothing."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock_in(self, reads: Iterable[Path], memory: int, threads: int) -> None:
        absolute = [path.absolute() for path in reads]
        folders = [self.directory, *(path for path in absolute if path.is_dir())]
        settings: dict[str, object] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "temp_directory": str(self.directory / "spilled"),
            # DuckDB calls its built-in cryptography unsafe because its nonces do not come from the operating system.
            # The key does; and it is the directory that keeps others out, the encryption is for what a crash leaves.
            "force_mbedtls_unsafe": "true",
            "temp_file_encryption": True,
            "memory_limit": f"{memory}B",
            "threads": threads,
            "preserve_insertion_order": True,
            "allow_unsigned_extensions": False,
            "enable_progress_bar": True,  # or there is no progress to ask for
            "enable_progress_bar_print": False,
            "allowed_directories": [str(path) for path in folders],
            "allowed_paths": [str(path) for path in absolute if not path.is_dir()],
            "enable_external_access": False,
        }
        for name, value in settings.items():
            self.connection.execute(f"SET {name} = {_setting(value)}")
        file = str(self.directory / "staged.duckdb")
        self.connection.execute(f"ATTACH {_setting(file)} AS staged (ENCRYPTION_KEY '{secrets.token_hex(32)}')")
        self.connection.execute("USE staged")
        self.connection.execute("SET lock_configuration = true")

    def _watch(self, job: Job, step: str | None, ended: threading.Event) -> None:
        began = self._clock()
        while not ended.wait(_LOOKS):
            if job.cancel.cancelled:  # again and again: an interruption before the statement has begun is lost
                self.connection.interrupt()
            elif step is not None:
                self._report(job, step, self._clock() - began)

    def _report(self, job: Job, step: str, elapsed: float) -> None:
        with suppress(duckdb.Error):  # the statement may have ended just now
            fraction = self.connection.query_progress() / 100
            if 0 <= fraction <= 1:
                remaining = elapsed * (1 - fraction) / fraction if fraction > 0.02 else None
                job.report(Progress(fraction, step, remaining))


@contextmanager
def duckdb_problems(path: Path) -> Iterator[None]:
    """Turn what DuckDB reports about the machine into errors that name the directory ``path``."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        full = "No space left" in str(error) or "max_temp_directory_size" in str(error) or "offload" in str(error)
        raise EnvironmentProblem("disk.full" if full else "engine.out_of_memory", path=str(path)) from error
    except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
        if "No space left" in str(error) or "not enough space" in str(error):
            raise EnvironmentProblem("disk.full", path=str(path)) from error
        raise EnvironmentProblem("engine.failed", reason=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _setting(value: object) -> str:
    """Write a setting; settings take no parameters. Only what this module and the caller's paths say comes here."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_setting, value)) + "]"
    if isinstance(value, str):
        return literal(value)
    return str(value).lower()
