"""Tables with one row an observation: the rows that match a variable become one value a patient.

All variables that read the same columns of a table share one pass over its texts, which makes a narrow table of
numbers; everything else is done on that. Ties of the first and the last (the same time) are decided by the order of the
rows in their table: the upper one comes first. A mean is rounded to 12 digits, of values to 12 decimal places, so that
it does not depend on the order in which they are added. Nothing counted is zero. Patients without an index date are in
no window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from app.core.catalogue import vocabularies
from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.mapping import Rule
from app.core.preparation.mapping_fields import refuse
from app.core.preparation.patients import PATIENTS
from app.core.preparation.plan import Place, Use
from app.core.preparation.problem_rows import (
    Finding,
    Refusals,
    first_rows,
    note,
)
from app.core.preparation.problems import State
from app.core.preparation.sql import literal, quoted
from app.core.preparation.staged_tables import (
    ID,
    SCHEMA,
    named,
    staged,
    trimmed,
)
from app.core.preparation.value_statements import (
    WORDS,
    Trouble,
    explain,
    insert,
    know_units,
    refuse_strangers,
    texts,
    understood,
)

_BATCH = 4_000_000  # rows that are aggregated at once, so that their groups fit into memory
_KEY = 1 << 42  # more than the rows of any table

_AGGREGATES = {
    Rule.EVER: "max(x)",
    Rule.FIRST: f"arg_min(x, epoch_us(time)::HUGEINT * {_KEY} + id)",
    Rule.LAST: f"arg_max(x, epoch_us(time)::HUGEINT * {_KEY} + id)",
    Rule.COUNT: "count(*)",
    Rule.MIN: "min(x)",
    Rule.MAX: "max(x)",
    Rule.MEAN: "format('{:.12g}', sum(x::DECIMAL(38, 12))::DOUBLE / count(*))::DOUBLE",
    None: "min(x)",
}


@dataclass
class Pass:
    """The uses that are read in one pass over a table: the same column of codes, no two columns for the same thing."""

    place: Place
    code_column: str | None
    value_column: str | None = None
    time_column: str | None = None
    unit_column: str | None = None
    uses: list[Use] = field(default_factory=list)
    expected: Counter[int] = field(default_factory=Counter)
    """How many rows have a code of each use."""

    _COLUMNS = ("value_column", "time_column", "unit_column")

    def take(self, use: Use) -> bool:
        """Take a use whose columns fit."""
        if (use.place, use.mapping.code_column if use.mapping.codes else None) != (self.place, self.code_column):
            return False
        wanted = {name: getattr(use.mapping, name) for name in self._COLUMNS}
        if any(
            None not in (getattr(self, name), column) and getattr(self, name) != column
            for name, column in wanted.items()
        ):
            return False
        for name, column in wanted.items():
            if column is not None:
                setattr(self, name, column)
        self.uses.append(use)
        return True


def passes(uses: Sequence[Use]) -> list[Pass]:
    """Return the passes over tables that the uses of rows need."""
    found: list[Pass] = []
    for use in uses:
        if use.column is None and not any(each.take(use) for each in found):
            found.append(Pass(use.place, use.mapping.code_column if use.mapping.codes else None))
            found[-1].take(use)
    return found


def match_rows(
    engine: Engine, number: int, one: Pass, refusals: Refusals, last: date, file: str, job: Job
) -> tuple[tuple[str, int], ...]:
    """Make the narrow table of a pass, and note what is odd; return the codes that nothing uses and their rows."""
    codes = f"{SCHEMA}.codes_{number}"
    unused = _match_codes(engine, codes, one, refusals, file, job)
    know_units(engine, one.uses, one.place, one.unit_column, job)
    table = matched(number)
    engine.execute(
        f"CREATE TABLE {table} AS {understood(_base(one, codes, last), one.place.settings.decimal)}",
        job=job,
        step="reading.step.rows",
    )
    rows = f"SELECT * FROM {table}"
    refuse_strangers(engine, one.place, rows, refusals, job)
    explain(engine, one.uses, rows, refusals, last, job)
    engine.execute(
        f"INSERT INTO {table} SELECT m.use, m.number, m.id, m.time, w.x, {Trouble.NONE}, NULL FROM {table} m "
        f"JOIN {WORDS} w ON w.use = m.use AND w.text = m.found WHERE m.trouble = {Trouble.VALUE} AND w.x IS NOT NULL",
        job=job,
    )
    return unused


def matched(number: int) -> str:
    """Return the name of the narrow table of the pass with this number."""
    return f"{SCHEMA}.matched_{number}"


def aggregate(
    engine: Engine, number: int, one: Pass, refusals: Refusals, job: Job
) -> Iterator[tuple[Use, NDArray[np.int32], dict[str, NDArray[np.float64]]]]:
    """Yield each use with the numbers of the patients that have a value, and ``x`` (of an event also ``last`` and
    ``times``)."""
    rules: dict[Rule | None, list[Use]] = {}
    for use in one.uses:
        rules.setdefault(use.mapping.rule, []).append(use)
    for rule, uses in rules.items():
        for batch in _batches(uses, one.expected):
            found = engine.execute(
                _aggregation(rule, batch, number, refusals.of(one.place)), job=job, step="reading.step.rows"
            ).fetchnumpy()
            order = np.argsort(found["use"], kind="stable")
            places = np.searchsorted(found["use"], [use.number for use in batch], sorter=order, side="left")
            ends = np.searchsorted(found["use"], [use.number for use in batch], sorter=order, side="right")
            for use, place, end in zip(batch, places, ends, strict=True):
                chosen = order[place:end]
                values = {
                    name: np.asarray(found[name][chosen], np.float64) for name in found if name not in ("use", "number")
                }
                yield use, np.asarray(found["number"][chosen], np.int32), values


def _aggregation(rule: Rule | None, batch: Sequence[Use], number: int, refused: str) -> str:
    more = ", max(x) AS last, count(*) AS times" if rule is None else ""
    which = ", ".join(str(use.number) for use in batch)
    return (
        f"SELECT use, number, {_AGGREGATES[rule]} AS x{more} FROM {matched(number)} "
        f"WHERE use IN ({which}) AND trouble = {Trouble.NONE} AND id NOT IN ({refused}) GROUP BY use, number"
    )


def _batches(uses: Sequence[Use], expected: Counter[int]) -> Iterator[list[Use]]:
    batch: list[Use] = []
    rows = 0
    for use in uses:
        if batch and rows + expected[use.number] > _BATCH:
            yield batch
            batch, rows = [], 0
        batch.append(use)
        rows += expected[use.number]
    if batch:
        yield batch


def _base(one: Pass, codes: str, last: date) -> str:
    place = one.place
    code = "NULL" if one.code_column is None else "t." + quoted(one.code_column)
    long = place.table.long
    system = "NULL" if long is None or long.system is None else "t." + quoted(long.system)
    only = [_only(use) for use in one.uses if use.mapping.only]
    where = f"WHERE {' AND '.join(only)}" if only else ""
    return (
        f"SELECT k.use, p.number, {named(place)} AS patient, p.day AS zero, t.{ID} AS id, "
        f"{texts(place, one.value_column, one.time_column, one.unit_column, last)} "
        f"FROM {staged(place)} t JOIN {codes} k ON k.code IS NOT DISTINCT FROM {code} "
        f"AND k.system IS NOT DISTINCT FROM {system} LEFT JOIN {PATIENTS} p ON p.patient = {named(place)} {where}"
    )


def _only(use: Use) -> str:
    """Return the condition that the rows of this use have the modifiers it asks for."""
    conditions = " AND ".join(
        f"coalesce({trimmed(column)}, '') IN ({', '.join(map(literal, allowed))})" if allowed else "false"
        for column, allowed in use.mapping.only.items()
    )
    return f"(k.use <> {use.number} OR ({conditions}))"


# --- codes


def _match_codes(
    engine: Engine, table: str, one: Pass, refusals: Refusals, file: str, job: Job
) -> tuple[tuple[str, int], ...]:
    """Find out which codes belong to which uses; every different code is looked at once."""
    engine.execute(f"CREATE TABLE {table} (code VARCHAR, system VARCHAR, use INTEGER)")
    finder = _Codes(one.uses, file)
    long = one.place.table.long
    system = "NULL" if long is None or long.system is None else quoted(long.system)
    column = "NULL" if one.code_column is None else quoted(one.code_column)
    distinct = engine.execute(
        f"SELECT {column}, {system}, count(*) FROM {staged(one.place)} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
        job=job,
        step="reading.step.codes",
    ).fetchall()
    rows: list[tuple[object, ...]] = []
    odd: dict[tuple[str, State], list[Finding]] = {}
    unused: list[tuple[str, int]] = []
    for code, of_system, count in distinct:
        uses, used = finder.find(code, of_system)
        rows += [(code, of_system, use.number) for use in uses]
        one.expected.update({use.number: count for use in uses})
        if used is not None:
            odd.setdefault(("value.repaired", State.REPAIRED), []).append(Finding(code, count, used))
        if not uses and code is not None and code.strip():
            unused.append((code.strip(), count))
            if finder.near(code):
                odd.setdefault(("value.unmapped_code", State.EMPTY), []).append(Finding(code, count))
    insert(engine, table, rows)
    coded = f"SELECT {ID} AS id, {column} AS found FROM {staged(one.place)}"
    for (problem, state), found in odd.items():
        first = first_rows(engine, coded, found, job)
        note(refusals, one.place, problem, state, one.code_column, None, first, sum(each.count for each in found))
    return tuple(unused)


class _Codes:
    """What the uses of a pass look for."""

    def __init__(self, uses: Sequence[Use], file: str) -> None:
        self._every = [use for use in uses if not use.mapping.codes]
        self._exact: dict[tuple[str, str], list[Use]] = {}
        self._folded: dict[tuple[str, str], list[Use]] = {}
        self._prefixes: dict[tuple[str, str], list[Use]] = {}
        self._written: dict[tuple[str, str], str] = {}
        self._stems: set[str] = set()
        self._systems = {_system(use.mapping.system): use.mapping.system or "" for use in uses}
        for use in uses:
            for code in use.mapping.codes:
                self._add(use, code.strip(), file)

    def _add(self, use: Use, code: str, file: str) -> None:
        key, name = _system(use.mapping.system), use.mapping.system or ""
        if code.endswith("*") and not use.mapping.below:
            self._prefixes.setdefault((key, _normal(name, code[:-1])), []).append(use)
            return
        self._written.setdefault((key, _normal(name, code).casefold()), code)
        self._stems.add(_stem(code))
        normal = {_normal(name, code)}
        if use.mapping.below:
            try:
                normal |= vocabularies.below(name, code)
            except UserError as error:
                refuse(
                    "unknown_tree",
                    file,
                    field=f"variables.{use.code}.codes",
                    found=code[:40],
                    system=name[:40],
                    reason=error.code,
                )
        for each in sorted(normal):
            self._exact.setdefault((key, each), []).append(use)
            self._folded.setdefault((key, each.casefold()), []).append(use)

    def find(self, code: str | None, system: str | None) -> tuple[list[Use], str | None]:
        """Return the uses of a code, and how it should have been written if it was written in another way."""
        found = list(self._every)
        used = None
        text = (code or "").strip()
        for key, name in self._systems.items():
            if not text or (key and system is not None and _system(system) != key):
                continue
            normal = _normal(name, text)
            exact = self._exact.get((key, normal)) or self._folded.get((key, normal.casefold()), [])
            written = self._written.get((key, normal.casefold()), text.upper())
            if exact and text != written and text.casefold() == written.casefold():
                used = written
            found += exact
            for length in range(len(normal) + 1):
                found += self._prefixes.get((key, normal[:length]), [])
        return list({use.number: use for use in found}.values()), used

    def near(self, code: str) -> bool:
        """Return whether a code looks as if it belonged to those that are used: it begins as one of them."""
        return _stem(code.strip()) in self._stems


def _system(name: str | None) -> str:
    return "".join(each for each in (name or "").casefold() if each.isalnum())


def _normal(system: str, code: str) -> str:
    return vocabularies.normal(system, code) if system else code


def _stem(code: str) -> str:
    return code.partition(".")[0].casefold() if "." in code else code.casefold()
