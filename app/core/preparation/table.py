"""What was read, ready to be sealed: for every patient and sealed column a bit, or a digit of five bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.core.catalogue.model import Column
from app.core.errors import UserError
from app.core.preparation.planes import width
from app.core.preparation.problems import Problems
from app.core.store.documents import SealedColumn


class RowsRefused(UserError):
    """Some rows cannot be used (``csv.rows_refused``). ``problems`` are all there are; nothing was sealed."""

    def __init__(self, code: str, **params: str | int | float | bool | None) -> None:
        super().__init__(code, **params)
        self.problems = Problems()


@dataclass(frozen=True)
class ClearTable:
    """What was read. Column 0 says that there is a patient; the variables' columns follow in the catalogue's order.

    ``planes`` is uint8, shape (planes, ⌈patients/8⌉), most significant bit first (numpy.packbits): one plane for a
    column of bits, five for one of digits, the least significant first.

    ``rows`` were read, ``refused_rows`` of them left out. ``variables`` are the codes that are sealed, ``left_out`` the
    catalogue's others, ``unused_columns`` the columns that nothing uses, ``unused_codes`` (by table and column, each
    with how many rows have it, the most frequent first) the codes of its rows that nothing uses.
    """

    columns: tuple[SealedColumn, ...]
    planes: NDArray[np.uint8] = field(repr=False)
    patients: int
    rows: int
    refused_rows: int
    problems: Problems
    variables: tuple[str, ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]
    unused_codes: Mapping[tuple[str, str], tuple[tuple[str, int], ...]] = field(default_factory=dict)

    def values(self, index: int) -> NDArray[np.uint8]:
        """Return what is sealed of one column for each patient: 0 or 1, or a digit below 32."""
        first, count = self._places[index]
        bits = np.unpackbits(self.planes[first : first + count], axis=1, count=self.patients)
        together: NDArray[np.uint8] = np.bitwise_or.reduce(bits << np.arange(count, dtype=np.uint8)[:, None])
        return together

    def count(self, index: int) -> int:
        """Return how many patients have a 1 in one column; in one of digits, another digit than 0."""
        first, count = self._places[index]
        together = np.bitwise_or.reduce(self.planes[first : first + count])
        return int(np.bitwise_count(together).sum())

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """Where the planes of each column begin, and how many they are."""
        widths = [width(Column(column.variable, column.part)) for column in self.columns]
        return [(sum(widths[:index]), count) for index, count in enumerate(widths)]
