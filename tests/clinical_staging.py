"""Staging a clinical source in a test, and looking at what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.preparation.engine import Engine
from app.core.preparation.sources.source import Format, Settings, Staged
from app.core.preparation.sources.staging import stage


class Look:
    """A staged source: its tables, rows and problems."""

    def __init__(self, engine: Engine, staged: Staged) -> None:
        self.engine, self.staged = engine, staged
        self.tables = {table.name: table for table in staged.tables}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query; the tables are in the schema ``src``."""
        return self.engine.execute(query).fetchall()

    def one(self, query: str) -> Any:
        """Run a query that gives one value."""
        return self.engine.one(query)[0]

    def problems(self) -> dict[str, int]:
        """Return how often each sort of problem came."""
        found: dict[str, int] = {}
        for (code, *_), count in self.engine.problems.counts().items():
            found[code.removeprefix("clinical.")] = found.get(code.removeprefix("clinical."), 0) + count
        return found


@contextmanager
def staging(kind: Format, *files: Path, memory: int = 256 << 20, **settings: Any) -> Iterator[Look]:
    """Stage the files as the source ``src``."""
    with Engine(files, memory=memory, threads=2, place=files[0].parent / "private") as engine:
        yield Look(engine, stage(engine, "src", Settings(kind, tuple(files), **settings)))
