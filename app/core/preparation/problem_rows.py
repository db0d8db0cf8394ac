"""Problems of many rows at once: how many rows have the same odd text, and where the first of them are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.plan import Place
from app.core.preparation.problems import KEPT, SHOWN, Problem, State
from app.core.preparation.sql import literal
from app.core.preparation.staged_tables import ID, staged


@dataclass(frozen=True, slots=True)
class Finding:
    """A text that ``count`` rows have and that is odd; what it was read as, what else is to be said of it."""

    text: str
    count: int = 1
    used: str | None = None
    more: str | None = None


class Refusals:
    """The rows that are refused, each once whatever it has; and the places of rows."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._files: dict[tuple[str, str], bool] = {}
        engine.execute("CREATE TEMP TABLE refused (source VARCHAR, name VARCHAR, id BIGINT)")

    def add_rows(self, place: Place, ids: str, job: Job) -> None:
        """Refuse the rows whose ids a query gives."""
        self.engine.execute(f"INSERT INTO refused SELECT $1, $2, id FROM ({ids})", list(place.key), job)

    def of(self, place: Place) -> str:
        """Return a query for the ids of a table that are refused."""
        source, name = map(literal, place.key)
        return f"SELECT id FROM refused WHERE source = {source} AND name = {name}"

    def count(self) -> int:
        """Return how many rows are refused."""
        return int(self.engine.one("SELECT count(*) FROM (SELECT DISTINCT * FROM refused)")[0])

    def places(self, place: Place, ids: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Return the file and the row, as a spreadsheet counts, of rows of a staged table."""
        table = staged(place)
        if place.key not in self._files:
            described = self.engine.execute(f"SELECT * FROM {table} LIMIT 0").description or []
            self._files[place.key] = "_file" in [each[0] for each in described]
        file = "_file" if self._files[place.key] else "NULL"
        found = self.engine.execute(
            f"SELECT {ID}, {file}, _row FROM {table} WHERE {ID} IN (SELECT unnest($1::BIGINT[]))", [list(ids)]
        )
        return {int(id_): (name or place.table.file, int(row)) for id_, name, row in found.fetchall()}


def first_rows(engine: Engine, rows: str, findings: Sequence[Finding], job: Job) -> list[tuple[int, Finding]]:
    """Return the first rows (``id``) of a query that have one of the texts (``found``)."""
    by_text = {each.text: each for each in findings}
    found = engine.execute(
        f"SELECT id, coalesce(found, '') AS text FROM ({rows}) WHERE text IN (SELECT unnest($1::VARCHAR[])) "
        f"ORDER BY id LIMIT {KEPT}",
        [list(by_text)],
        job,
    )
    return [(int(id_), by_text[text]) for id_, text in found.fetchall()]


def note(
    refusals: Refusals,
    place: Place,
    code: str,
    state: State,
    column: str | None,
    variable: str | None,
    first: Sequence[tuple[int, Finding]],
    count: int,
) -> None:
    """Note a problem that ``count`` rows have, ``first`` of them with their places."""
    places = refusals.places(place, [id_ for id_, _ in first])
    for number, (id_, finding) in enumerate(first, start=1):
        file, row = places[id_]
        problem = Problem(
            code=code,
            state=state,
            file=file,
            row=row,
            column=column,
            variable=variable,
            found=finding.text[:SHOWN],
            used=finding.used,
            more=finding.more,
        )
        refusals.engine.problems.add(problem, count - number + 1 if number == len(first) else 1)
