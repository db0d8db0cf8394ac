"""What changed between two versions of a dataset, in counts of patients that give nobody away.

Two exact counts that are shown together say how many patients came and went between them, and a difference of one is a
person. So no count below ``SMALLEST_BIN`` is told, a change of fewer patients than that is not told at all (both
versions then have the same count), and all other counts are rounded to tens: a difference is never exact. Bins are not
compared: what was merged in one version may stand alone in the other. Problems are rows or values of patients, and are
treated alike. The reports themselves stay with the site's member key, and say no more than each did before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.preparation.report import SMALLEST_BIN, ProblemGroup, Report
from app.core.store.documents import Header


@dataclass(frozen=True)
class CountChange:
    """A count in the older version and in the newer one, rounded to tens; None where it is a few or nobody."""

    before: int | None
    after: int | None

    @property
    def same(self) -> bool:
        """Whether nothing is told of a change."""
        return self.before == self.after


@dataclass(frozen=True)
class VariableChange:
    """A variable that both versions have with the same meaning, where the patients with a value changed."""

    code: str
    known: CountChange


@dataclass(frozen=True)
class ProblemChange:
    """A sort of problem of which there are more or fewer now; see :class:`.ProblemGroup`."""

    code: str
    column: str
    variable: str
    count: CountChange


@dataclass(frozen=True)
class Comparison:
    """What the newer version has that the older had not.

    ``added``, ``removed`` and ``redefined`` are codes of variables, the last of those that mean something else now;
    ``variables`` and ``problems`` only have what changed; ``problems`` is None where a version's report does not count
    them.
    """

    patients: CountChange
    refused_rows: CountChange
    added: tuple[str, ...]
    removed: tuple[str, ...]
    redefined: tuple[str, ...]
    variables: tuple[VariableChange, ...]
    problems: tuple[ProblemChange, ...] | None


def compare(older: tuple[Header, Report], newer: tuple[Header, Report]) -> Comparison:
    """Return what changed from one version to another."""
    (old_header, old), (new_header, new) = older, newer
    before, after = _meanings(old_header), _meanings(new_header)
    known = {each.code: each.known for each in old.variables}
    both = [each for each in new.variables if before.get(each.code) == after.get(each.code) and each.code in known]
    changes = (VariableChange(each.code, change(known[each.code], each.known)) for each in both)
    return Comparison(
        patients=change(old.patients, new.patients),
        refused_rows=change(old.refused_rows, new.refused_rows),
        added=tuple(code for code in after if code not in before),
        removed=tuple(code for code in before if code not in after),
        redefined=tuple(code for code in after if before.get(code, after[code]) != after[code]),
        variables=tuple(each for each in changes if not each.known.same),
        problems=_problems(old, new),
    )


def change(before: int, after: int) -> CountChange:
    """Return what may be told of two counts; a few and nobody are the same count here."""
    before, after = (max(count, SMALLEST_BIN - 1) for count in (before, after))
    if abs(after - before) < SMALLEST_BIN:
        after = before
    return CountChange(_told(before), _told(after))


def _told(count: int) -> int | None:
    return None if count < SMALLEST_BIN else round(count / SMALLEST_BIN) * SMALLEST_BIN


def _meanings(header: Header) -> Mapping[str, bytes]:
    return {column.variable: column.meaning for column in header.columns[1:]}


def _problems(old: Report, new: Report) -> tuple[ProblemChange, ...] | None:
    if not (old.counted and new.counted):
        return None
    before, after = _counts(old.problems), _counts(new.problems)
    changes = (
        ProblemChange(*sort, change(before.get(sort, 0), after.get(sort, 0))) for sort in sorted({*before, *after})
    )
    return tuple(each for each in changes if not each.count.same)


def _counts(groups: tuple[ProblemGroup, ...]) -> dict[tuple[str, str, str], int]:
    counts: dict[tuple[str, str, str], int] = {}
    for each in groups:
        sort = (each.code, each.column, each.variable)
        counts[sort] = counts.get(sort, 0) + each.count
    return counts
