"""From rows to bits: read a CSV through its mapping, check every value, and keep one bit a patient and sealed column.

Memory: one bit for each patient and column, and the patients' ids while duplicates are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue, Kind, Variable
from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.mapping import FLAGS, Mapping, VariableMapping
from app.core.preparation.reader import CsvFile, Row
from app.core.store.documents import SealedColumn

MAX_PROBLEMS = 1000
_CHUNK = 8192  # rows; a multiple of 8, so that packed chunks fit together
_CACHED_VALUES = 1 << 16
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}([.,][0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_SHOWN = 40


class RowsRefused(UserError):
    """Some rows cannot be used (``csv.rows_refused``). ``problems`` are the first of them; nothing was sealed."""

    def __init__(self, code: str, **params: str | int | float | bool | None) -> None:
        super().__init__(code, **params)
        self.problems: tuple[UserError, ...] = ()


@dataclass(frozen=True)
class ClearTable:
    """What was read. Column 0 says that there is a patient; the variables' columns follow.

    ``bits`` is uint8, shape (columns, ⌈patients/8⌉), most significant bit first (numpy.packbits).

    ``problems`` are the first of all problems, in ``refused_rows`` rows that are left out; ``variables`` are the codes
    that are sealed, ``left_out`` the catalogue's others, ``unused_columns`` the CSV's columns that nothing uses.
    """

    columns: tuple[SealedColumn, ...]
    bits: NDArray[np.uint8]
    patients: int
    rows: int
    refused_rows: int
    problems: tuple[UserError, ...]
    variables: tuple[str, ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]

    def column(self, index: int) -> NDArray[np.uint8]:
        """Return one column, a 0 or 1 for each patient in the order of the file."""
        return np.unpackbits(self.bits[index], count=self.patients)

    def count(self, index: int) -> int:
        """Return how many patients have a 1 in one column."""
        return int(np.bitwise_count(self.bits[index]).sum())


def read_table(
    path: Path, mapping: Mapping, catalogue: Catalogue, *, skip_bad_rows: bool = False, job: Job | None = None
) -> ClearTable:
    """Read the CSV at ``path``.

    Raises UserError ``csv.*`` and ``mapping.*`` for the file as a whole; RowsRefused for its rows, unless
    ``skip_bad_rows`` leaves them out; UserError ``csv.no_rows`` if none is left; Cancelled.
    """
    with CsvFile(path, mapping) as file:
        mapped, left_out = mapping.resolve(catalogue, file.columns, file.name)
        variables = [catalogue.variable(code) for code in mapped]
        reading = _Reading(file, mapping, variables, mapped)
        meter = (job or Job()).meter("data.step.reading", file.size)
        position = 0
        for row in file:
            reading.add(row)
            if reading.rows % 256 == 0:
                position, before = file.position, position
                meter.advance(position - before)
        bits = reading.finish()
        used = {mapping.patient, *(each.column for each in mapped.values())}
        unused = tuple(column for column in file.columns if column not in used)
    if reading.refused and not skip_bad_rows:
        refusal = RowsRefused("csv.rows_refused", file=path.name, rows=reading.refused, total=reading.rows)
        refusal.problems = tuple(reading.problems)
        raise refusal
    if reading.patients == 0:
        raise UserError("csv.no_rows", file=path.name)
    return ClearTable(
        columns=(
            SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part),
            *(SealedColumn(c.variable, catalogue.meaning(v.code), c.part) for v in variables for c in v.columns),
        ),
        bits=bits,
        patients=reading.patients,
        rows=reading.rows,
        refused_rows=reading.refused,
        problems=tuple(reading.problems),
        variables=tuple(mapped),
        left_out=tuple(left_out),
        unused_columns=unused,
    )


class _Reading:
    """The state of reading one file."""

    def __init__(
        self, file: CsvFile, mapping: Mapping, variables: list[Variable], mapped: dict[str, VariableMapping]
    ) -> None:
        self.rows = self.patients = self.refused = 0
        self.problems: list[UserError] = []
        self._file = file
        self._patient = file.columns.index(mapping.patient)
        self._patients: dict[str, int] = {}
        self._cells = [
            _Cell(v, mapped[v.code], file.columns.index(mapped[v.code].column), mapping, file.name) for v in variables
        ]
        self._pending: list[list[int]] = []
        self._chunks: list[NDArray[np.uint8]] = []

    def add(self, row: Row | UserError) -> None:
        self.rows += 1
        if isinstance(row, UserError):
            self._refuse([row])
            return
        problems: list[UserError] = []
        self._check_patient(row, problems.append)
        patterns = [cell.pattern(row, problems.append) for cell in self._cells]
        if problems:
            self._refuse(problems)
            return
        self.patients += 1
        self._pending.append(patterns)
        if len(self._pending) == _CHUNK:
            self._pack()

    def finish(self) -> NDArray[np.uint8]:
        self._patients.clear()
        self._pack()
        return np.ascontiguousarray(np.concatenate(self._chunks, axis=1))

    def _refuse(self, problems: list[UserError]) -> None:
        self.refused += 1
        self.problems += problems[: max(MAX_PROBLEMS - len(self.problems), 0)]

    def _check_patient(self, row: Row, refuse: Callable[[UserError], None]) -> None:
        patient = row.fields[self._patient].strip()
        column = self._file.columns[self._patient]
        if not patient:
            refuse(UserError("csv.no_patient", file=self._file.name, row=row.line, column=column))
            return
        first = self._patients.setdefault(patient, row.line)
        if first != row.line:
            refuse(UserError("csv.duplicate_patient", file=self._file.name, row=row.line, first=first, column=column))

    def _pack(self) -> None:
        pending = np.array(self._pending, np.intp).reshape(len(self._pending), len(self._cells))
        present = np.ones((1, len(self._pending)), np.bool_)
        parts = [present, *(cell.bits(pending[:, place]) for place, cell in enumerate(self._cells))]
        self._chunks.append(np.packbits(np.concatenate(parts, axis=0), axis=1))
        self._pending.clear()


class _Cell:
    """One variable's column of the CSV. Each different text is understood once and its bits remembered."""

    def __init__(self, variable: Variable, mapped: VariableMapping, place: int, mapping: Mapping, file: str) -> None:
        self._variable = variable
        self._mapped = mapped
        self._place = place
        self._file = file
        self._decimal = mapping.decimal
        self._missing = mapping.missing | mapped.missing
        self._patterns: list[tuple[int, ...]] = []
        self._known: dict[str, int] = {}

    def pattern(self, row: Row, refuse: Callable[[UserError], None]) -> int:
        """Return the number of the bit pattern of this row's value."""
        text = row.fields[self._place]
        number = self._known.get(text)
        if number is None:
            value = self._value(text.strip(), row.line)
            if isinstance(value, UserError):
                refuse(value)
                return -1
            number = self._known[text] = len(self._patterns)
            self._patterns.append(self._variable.encode(value))
        return number

    def bits(self, numbers: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return the bits, shape (columns, rows), of a chunk of rows; they are not asked for again."""
        patterns = np.array(self._patterns, np.bool_).reshape(len(self._patterns), len(self._variable.columns))
        bits: NDArray[np.bool_] = patterns[numbers].T
        if len(self._patterns) > _CACHED_VALUES:
            self._patterns.clear()
            self._known.clear()
        return bits

    def _value(self, text: str, line: int) -> bool | str | Decimal | UserError | None:
        if text in self._missing:
            return None
        text = self._mapped.values.get(text, text)
        match self._variable.kind:
            case Kind.FLAG:
                found = FLAGS.get(text.lower())
                return self._problem("csv.not_a_flag", text, line) if found is None else found
            case Kind.CATEGORY:
                known = any(level.code == text for level in self._variable.levels)
                return text if known else self._problem("csv.unknown_level", text, line)
            case Kind.NUMBER:
                foreign = "." if self._decimal == "," else ","
                if not _NUMBER.fullmatch(text) or foreign in text:
                    return self._problem("csv.not_a_number", text, line)
                return Decimal(text.replace(",", "."))
            case _:
                raise NotImplementedError

    def _problem(self, code: str, text: str, line: int) -> UserError:
        return UserError(
            code,
            file=self._file,
            row=line,
            column=self._mapped.column,
            variable=self._variable.code,
            value=text[:_SHOWN],
        )
