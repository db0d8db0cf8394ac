"""The statements that read values: from rows with texts to rows with numbers, or with what is odd about them.

Every use has a row in ``consilium.uses``; the texts that it knows are in ``consilium.words``, the units in
``consilium.units``. A *base* is a query whose rows have ``use``, ``number`` and ``patient`` (the patient's; no number:
the patient is not one of ours), ``zero`` (the index date, in days since 1970), ``id``
(:data:`.staged_tables.ID`), ``value``, ``unit``, ``time_text`` and ``time``. :func:`understood` makes of it ``use``,
``number``, ``id``, ``time``, ``x``, ``trouble`` and ``found``, without the rows that have no value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from enum import IntEnum

from app.core.catalogue.model import Kind
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.mapping import Window
from app.core.preparation.plan import Place, Use
from app.core.preparation.planes import first_days
from app.core.preparation.problem_rows import (
    Finding,
    Refusals,
    first_rows,
    note,
)
from app.core.preparation.problems import KEPT, State
from app.core.preparation.sql import literal
from app.core.preparation.staged_tables import SCHEMA, staged, trimmed
from app.core.preparation.values import Meaning, Reads, number_sql, odd_date, odd_number, time_sql, word

USES = f"{SCHEMA}.uses"
WORDS = f"{SCHEMA}.words"
UNITS = f"{SCHEMA}.units"
_AT_ONCE = 20_000  # different odd texts


class Trouble(IntEnum):
    """What is odd about a row."""

    NONE = 0
    TIME = 1
    NO_TIME = 2
    NO_INDEX = 3
    UNIT = 4
    VALUE = 5
    NO_PATIENT = 6
    UNKNOWN_PATIENT = 7


def prepare(engine: Engine, uses: Sequence[Use]) -> None:
    """Make the tables of what the uses are and know."""
    engine.execute(
        f"CREATE TABLE {USES} (use INTEGER, reads VARCHAR, low INTEGER, high INTEGER, minimum DOUBLE, maximum DOUBLE, "
        "by_time BOOLEAN, since BOOLEAN, by_index BOOLEAN)"
    )
    engine.execute(f"CREATE TABLE {WORDS} (use INTEGER, text VARCHAR, x DOUBLE, missing BOOLEAN)")
    engine.execute(f"CREATE TABLE {UNITS} (use INTEGER, unit VARCHAR, factor DOUBLE, shift DOUBLE)")
    rows: list[tuple[object, ...]] = []
    words: list[tuple[object, ...]] = []
    for use in uses:
        low, high = _days(use)
        minimum, maximum = (None if each is None else float(each) for each in use.range)
        since = use.reads is Reads.DAY and use.since_index
        rows.append((use.number, use.reads.value, low, high, minimum, maximum, use.by_time, since, use.by_index))
        words += [(use.number, text, x, False) for text, x in use.words.exact.items() if text not in use.missing]
        words += [(use.number, text, None, True) for text in use.mapping.missing]
    insert(engine, USES, rows)
    insert(engine, WORDS, words)


def insert(engine: Engine, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Put rows into a table of the engine."""
    if rows:
        columns = ", ".join(f"unnest(${number})" for number in range(1, len(rows[0]) + 1))
        engine.execute(f"INSERT INTO {table} SELECT {columns}", [list(each) for each in zip(*rows, strict=True)])


def know_units(engine: Engine, uses: Iterable[Use], place: Place, column: str | None, job: Job) -> None:
    """Note how values are converted for every unit that the rows of a table have in a column (None: for all rows)."""
    found: list[str | None] = [None]
    if column is not None:
        text = trimmed(column)
        distinct = engine.execute(f"SELECT DISTINCT {text} FROM {staged(place)} t WHERE {text} <> ''", job=job)
        found += [str(row[0]) for row in distinct.fetchall()]
    rows: list[tuple[object, ...]] = []
    for use in uses:
        for unit in found:
            if (conversion := use.conversion if column is None else use.unit(unit)) is not None:
                rows.append((use.number, unit, conversion.factor, conversion.shift))
    insert(engine, UNITS, rows)


def texts(place: Place, value: str | None, time: str | None, unit: str | None, last: date) -> str:
    """Return the SQL of ``value``, ``unit``, ``time_text`` and ``time`` of a base, read from the columns named."""
    moment = "NULL::TIMESTAMP" if time is None else time_sql(trimmed(time), place.settings.dates, last)
    without = "NULL" if unit is None else f"nullif({trimmed(unit)}, '')"
    return f"{_text(place, value)} AS value, {without} AS unit, {_text(place, time)} AS time_text, {moment} AS time"


def _text(place: Place, column: str | None) -> str:
    """Return SQL for a text that is not one of those that stand for "no value"."""
    if column is None:
        return "NULL::VARCHAR"
    missing = ", ".join(map(literal, sorted(place.settings.missing)))
    text = trimmed(column)
    return f"CASE WHEN {text} NOT IN ({missing}) THEN {text} END" if missing else text


def understood(base: str, decimal: str | None) -> str:
    """Return the query that understands the rows of a base."""
    number = number_sql("b.value", decimal)
    exact = "c.factor = 1 AND c.shift = 0"
    converted = f"CASE WHEN {exact} THEN {number} ELSE format('{{:.12g}}', {number} * c.factor + c.shift)::DOUBLE END"
    day = "(b.time::DATE - DATE '1970-01-01')"
    return f"""
SELECT use, number, id, time, x, trouble, CASE trouble WHEN {Trouble.TIME} THEN time_text
    WHEN {Trouble.UNIT} THEN coalesce(unit, '') WHEN {Trouble.VALUE} THEN value END AS found
FROM (
    SELECT *, CASE
        WHEN number IS NULL AND patient IS NULL THEN {Trouble.NO_PATIENT}
        WHEN number IS NULL THEN {Trouble.UNKNOWN_PATIENT}
        WHEN (by_time OR reads = 'day') AND time IS NULL AND time_text IS NOT NULL THEN {Trouble.TIME}
        WHEN by_time AND time IS NULL THEN {Trouble.NO_TIME}
        WHEN by_index AND zero IS NULL THEN {Trouble.NO_INDEX}
        WHEN reads = 'number' AND factor IS NULL THEN {Trouble.UNIT}
        WHEN x IS NULL OR x < minimum OR x > maximum THEN {Trouble.VALUE}
        ELSE {Trouble.NONE} END AS trouble
    FROM (
        SELECT b.*, u.reads, u.by_time, u.by_index, u.low, u.high, u.minimum, u.maximum, c.factor,
            {day} - b.zero AS after,
            CASE u.reads WHEN 'presence' THEN 1 WHEN 'word' THEN w.x WHEN 'number' THEN {converted}
                ELSE {day} - CASE WHEN u.since THEN b.zero ELSE 0 END END::DOUBLE AS x
        FROM ({base}) b
        JOIN {USES} u ON u.use = b.use
        LEFT JOIN {WORDS} w ON w.use = b.use AND w.text = b.value
        LEFT JOIN {UNITS} c ON c.use = b.use AND c.unit IS NOT DISTINCT FROM b.unit
        WHERE w.missing IS DISTINCT FROM true
            AND CASE u.reads WHEN 'presence' THEN true WHEN 'day' THEN u.by_time OR b.time_text IS NOT NULL
                ELSE b.value IS NOT NULL END
    )
    WHERE (low IS NULL AND high IS NULL) OR after IS NULL
        OR ((low IS NULL OR after >= low) AND (high IS NULL OR after <= high))
)"""


def explain(engine: Engine, uses: Sequence[Use], rows: str, refusals: Refusals, last: date, job: Job) -> None:
    """Explain what is odd in ``rows`` (as of :func:`understood`): repaired words are known from now on, problems noted,
    rows refused."""
    by_number = {use.number: use for use in uses}
    engine.execute("CREATE OR REPLACE TEMP TABLE new_words (use INTEGER, text VARCHAR, x DOUBLE, missing BOOLEAN)")
    engine.execute("CREATE OR REPLACE TEMP TABLE refused_texts (use INTEGER, trouble INTEGER, text VARCHAR)")
    groups: dict[tuple[int, int, str, State], list[Finding]] = {}
    counts: Counter[tuple[int, int, str, State]] = Counter()
    for some in _odd(engine, rows, job):
        words: list[tuple[object, ...]] = []
        refused: list[tuple[object, ...]] = []
        for number, trouble, found, count in some:
            use, text = by_number[number], found or ""
            meaning = _meaning(use, Trouble(trouble), text, last)
            if meaning.value is not None:
                words.append((number, text, meaning.value, False))
            if meaning.problem is None:
                continue
            state = State.REFUSED if use.strict and meaning.state is State.EMPTY else meaning.state
            group = number, trouble, meaning.problem, state
            counts[group] += count
            if len(kept := groups.setdefault(group, [])) < KEPT:
                kept.append(Finding(text, count, meaning.used, meaning.more))
            if state is State.REFUSED:
                refused.append((number, trouble, text))
        insert(engine, "new_words", words)
        insert(engine, "refused_texts", refused)
    for (number, trouble, code, state), findings in groups.items():
        use = by_number[number]
        column = _column(use, Trouble(trouble))
        which = f"SELECT id, found FROM ({rows}) WHERE use = {number} AND trouble = {trouble}"
        first = first_rows(engine, which, findings, job)
        count = counts[number, trouble, code, state]
        note(refusals, use.place, code, state, column, use.code or None, first, count)
    for number, trouble in sorted({group[:2] for group in groups if group[3] is State.REFUSED}):
        texts = f"SELECT text FROM refused_texts WHERE use = {number} AND trouble = {trouble}"
        which = f"SELECT id, found FROM ({rows}) WHERE use = {number} AND trouble = {trouble}"
        refused_rows = f"SELECT id FROM ({which}) WHERE coalesce(found, '') IN ({texts})"
        refusals.add_rows(by_number[number].place, refused_rows, job)
    engine.execute(f"INSERT INTO {WORDS} SELECT * FROM new_words")


def _odd(engine: Engine, rows: str, job: Job) -> Iterator[list[tuple[int, int, str | None, int]]]:
    """Yield the different odd texts of ``rows`` with how many rows have them, a part at a time: there may be millions.

    Of each sort of trouble those that come first in their table come first: the first rows of a problem have its first
    texts.
    """
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE odd AS SELECT *, row_number() OVER (ORDER BY use, trouble, first) AS place "
        f"FROM (SELECT use, trouble, found, count(*) AS times, min(id) AS first FROM ({rows}) "
        f"WHERE trouble BETWEEN {Trouble.TIME} AND {Trouble.VALUE} GROUP BY use, trouble, found)",
        job=job,
    )
    done = 0
    part = "SELECT use, trouble, found, times FROM odd WHERE place > $1 AND place <= $2 ORDER BY place"
    while some := engine.execute(part, [done, done + _AT_ONCE], job).fetchall():
        yield some
        done += len(some)


def refuse_strangers(engine: Engine, place: Place, rows: str, refusals: Refusals, job: Job) -> None:
    """Refuse the rows of ``rows`` (as of :func:`understood`) whose patient is missing or not one of ours, once each."""
    for trouble, code in ((Trouble.NO_PATIENT, "csv.no_patient"), (Trouble.UNKNOWN_PATIENT, "value.unknown_patient")):
        strangers = f"SELECT DISTINCT id, NULL AS found FROM ({rows}) WHERE trouble = {trouble}"
        if count := int(engine.one(f"SELECT count(*) FROM ({strangers})")[0]):
            first = first_rows(engine, strangers, [Finding("")], job)
            note(refusals, place, code, State.REFUSED, place.patient, None, first, count)
            refusals.add_rows(place, strangers, job)


def _meaning(use: Use, trouble: Trouble, text: str, last: date) -> Meaning:
    match trouble:
        case Trouble.TIME:
            return odd_date(text, use.place.settings.dates, last)
        case Trouble.NO_TIME:
            return Meaning(problem="value.no_time")
        case Trouble.NO_INDEX:
            return Meaning(problem="value.no_index")
        case Trouble.UNIT:
            unit = "" if use.variable is None else use.variable.unit
            return Meaning(problem="value.unknown_unit" if text else "value.no_unit", more=unit)
    return _value_meaning(use, text)


def _value_meaning(use: Use, text: str) -> Meaning:
    if use.part in ("days", "end", "event_date") and (use.reads is Reads.DAY or text.startswith("-")):
        return Meaning(problem="value.before_index", state=State.REFUSED)
    if use.mapping.event_values and use.part == "event":
        return Meaning(0.0)
    if use.reads is Reads.NUMBER or use.variable is None:
        return odd_number(text, use.place.settings.decimal, use.variable)
    return word(text, use.words, use.variable.kind)


def _column(use: Use, trouble: Trouble) -> str | None:
    """Return the column that a problem is in."""
    if trouble is Trouble.UNIT:
        return use.mapping.unit_column
    if use.column is not None:
        return use.column
    if trouble in (Trouble.TIME, Trouble.NO_TIME, Trouble.NO_INDEX):
        return use.mapping.time_column
    return use.mapping.value_column


def _days(use: Use) -> tuple[int | None, int | None]:
    """Return the days after the index date in which rows count: the window, and the horizon of an event."""
    window = use.mapping.window or Window()
    if use.column is not None or use.variable is None or use.variable.kind is not Kind.EVENT:
        return window.first, window.last
    borders = first_days(use.variable)
    low, high = borders[0], borders[-1] - 1
    return (
        low if window.first is None else max(low, window.first),
        high if window.last is None else min(high, window.last),
    )
