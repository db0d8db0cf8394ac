"""What suggestions ask of the data: the values and codes that columns have, as far as they can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources.source import Table
from app.core.preparation.sql import quoted

_FEW = 60
"""More different values than these are no levels."""
_CODES = 100_000
_ENOUGH = 10
"""In a table of so many rows one may be a mistake."""


Code = tuple[str, str]
"""What rows bear: the name of a vocabulary ("" where no column says it), and one of its codes."""


class Contents(Protocol):
    """What is asked of the data."""

    def values(self, table: Table, column: str) -> Mapping[str, int] | None:
        """Return the different values of a column with how many rows have each; None if there are very many."""

    def codes(self, table: Table, column: str, system: str | None) -> Mapping[Code, int]:
        """Return the codes in a column with how many rows have each; the commonest where there are very many."""

    def once(self, table: Table, column: str) -> bool:
        """Return whether the rows have a value of their own in a column. A few that are empty or doubled are mistakes,
        which the check tells of."""


class StagedContents:
    """Looks into what was staged; everything once."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self._engine = engine
        self._job = job
        self._counted: dict[tuple[str, ...], dict[Code, int]] = {}

    def values(self, table: Table, column: str) -> Mapping[str, int] | None:
        known = next((each.distinct for each in table.columns if each.name == column), None)
        if known is None or known > _FEW:
            return None
        return {value: count for (_, value), count in self.codes(table, column, None).items()}

    def codes(self, table: Table, column: str, system: str | None) -> Mapping[Code, int]:
        place = (table.source, table.name, column, system or "")
        if place not in self._counted:
            value = f"trim({quoted(column)})"
            of_system = "''" if system is None else f"coalesce(trim({quoted(system)}), '')"
            found = self._engine.execute(
                f"SELECT {of_system}, {value}, count(*) FROM {quoted(table.source, table.name)} WHERE {value} <> '' "
                f"GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {_CODES}",
                job=self._job,
            ).fetchall()
            self._counted[place] = {(str(name), str(text)): int(count) for name, text, count in found}
        return self._counted[place]

    def once(self, table: Table, column: str) -> bool:
        name = quoted(column)
        place = quoted(table.source, table.name)
        different, filled = self._engine.one(f"SELECT count(DISTINCT {name}), count(*) FROM {place} WHERE {name} <> ''")
        empty, doubled = table.rows - int(filled), int(filled) - int(different)
        return int(filled) > 0 and max(empty, doubled) <= _mistakes(table.rows)


def _mistakes(rows: int) -> int:
    """Return in how many rows a table with one row a patient may still break that rule."""
    return max(rows // 50, int(rows >= _ENOUGH))
