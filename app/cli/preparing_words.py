"""What the commands that prepare a dataset found, as JSON for a program and in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from app.cli.data_words import header, preparer
from app.cli.drafting_words import Plain, changed_lines, changes
from app.core.errors import UserError
from app.core.preparation.problems import Problem, State
from app.core.services.data_commands import plain_distribution
from app.texts import Explanation, explain, preferred_language, text

if TYPE_CHECKING:
    from app.core.preparation.depth import Choice as Depth
    from app.core.preparation.identifiers import Identifier
    from app.core.preparation.notes import Note
    from app.core.preparation.problem_groups import Group
    from app.core.services.datasets import Distribution
    from app.core.services.preparing import Checked, Prepared

PROBLEMS_TOLD = 5_000
"""How many problems a program is told one by one."""
PROBLEMS_SHOWN = 10
_CODES_TOLD = 100


# --- what is wrong --------------------------------------------------------------------------------------------------


def checked(found: Checked) -> Plain:
    """Return what ``data check`` found."""
    table = found.table
    return {
        "rows": table.rows,
        "patients": table.patients,
        "refused_rows": table.refused_rows,
        "states": {state.value: table.problems.count(state) for state in State},
        "groups": list(map(_group, found.groups)),
        **problems(found),
        "variables": [_distribution(each, found) for each in found.distributions],
        "identifiers": identifiers(found.identifiers),
        "notes": [_note(each) for each in found.notes],
        "changes": changes(found.changes),
        "blocked": bool(found.blocking),
        "left_out": list(table.left_out),
        "unused_columns": list(table.unused_columns),
        "unused_codes": [
            {
                "table": name,
                "column": column,
                "codes": [{"code": code, "rows": rows} for code, rows in codes[:_CODES_TOLD]],
                "different": len(codes),
            }
            for (name, column), codes in table.unused_codes.items()
        ],
    }


def _group(group: Group) -> Plain:
    first = group.first
    return {
        "code": first.code,
        "state": first.state.value,
        "title": _about(first).what,
        "words": _happens(first),
        "count": group.count,
        "different": group.different,
        "file": first.file,
        "column": first.column,
        "variable": first.variable,
        "examples": list(group.examples),
        "fix": None if group.fix is None else dict(group.fix),
    }


def problems(found: Checked) -> Plain:
    """Return the first problems one by one, and how many there are."""
    told = [problem(each) for each, _ in zip(found.table.problems, range(PROBLEMS_TOLD), strict=False)]
    return {"problems": told, "problem_count": len(found.table.problems)}


def problem(problem: Problem) -> Plain:
    """Return one problem."""
    return {
        "state": problem.state.value,
        "row": problem.row,
        "file": problem.file,
        "column": problem.column,
        "found": problem.found,
        "what": _about(problem).what,
        "happens": _happens(problem),
        "code": problem.code,
        "variable": problem.variable,
    }


def _about(problem: Problem) -> Explanation:
    """Return the sentences of a problem: they are those of the error with its code."""
    params = {
        "file": problem.file,
        "row": problem.row,
        "column": problem.column,
        "variable": problem.variable,
        "value": problem.found,
        "found": problem.found,
        "used": problem.used,
        "more": problem.more,
        "first": problem.more,
    }
    return explain(UserError(problem.code, **params))


def _happens(problem: Problem) -> str:
    if problem.used is not None:
        return text("preparing.read_as", used=problem.used)
    return text(f"preparing.state.{problem.state.value}")


def problem_table(found: Checked) -> tuple[list[str], Iterator[list[str | int | None]]]:
    """Return the header and the rows of a file of all problems that were kept."""
    names = ("state", "file", "row", "column", "variable", "found", "what", "happens", "next")
    titles = [text(f"preparing.column.{name}") for name in names]
    return titles, (_row(each) for each in found.table.problems)


def _row(problem: Problem) -> list[str | int | None]:
    about = _about(problem)
    place = [problem.file, problem.row, problem.column, problem.variable, problem.found]
    return [problem.state.value, *place, about.what, _happens(problem), about.next]


def _distribution(found: Distribution, of: Checked) -> Plain:
    variable = of.catalogue.variable(found.code)
    return {**plain_distribution(found), "label": variable.label.text(preferred_language()), "unit": variable.unit}


def identifiers(found: Sequence[Identifier]) -> list[Plain]:
    """Return the columns that say who the patients are."""
    return [
        {
            "table": each.table,
            "column": each.column,
            "kind": each.kind,
            "why": _why(each),
            "values": each.values,
            "used": each.used,
            "confirmed": each.confirmed,
        }
        for each in found
    ]


def _why(found: Identifier) -> str:
    return text(f"preparing.why.{found.why}")


def _note(note: Note) -> Plain:
    return {
        "code": note.code.rpartition(".")[2],
        "what": text(note.code, None, **note.params),
        "variable": note.variable,
    }


def checked_lines(found: Checked) -> Iterator[str]:
    """Yield what ``data check`` says to a person."""
    table = found.table
    yield text("cli.preparing.read", rows=table.rows, patients=table.patients, refused=table.refused_rows)
    yield from group_lines(found)
    yield from identifier_lines(found)
    for note in found.notes:
        yield text(note.code, None, **note.params)
    yield from changed_lines(found.changes)
    yield from _left_out_lines(found)
    if table.unused_columns:
        yield text("cli.data.unused", columns=", ".join(table.unused_columns))


def _left_out_lines(found: Checked) -> Iterator[str]:
    """Yield which variables nothing is sealed of: those that have no column, and those that the mapping leaves out."""
    said = found.mapping.leave_out
    if without := [code for code in found.table.left_out if code not in said]:
        yield text("cli.data.left_out", variables=", ".join(without))
    if said:
        yield text("cli.preparing.as_said", variables=", ".join(said))


def group_lines(found: Checked) -> Iterator[str]:
    """Yield the sorts of problems."""
    if not found.groups:
        yield text("cli.preparing.no_problems")
    for group in found.groups[:PROBLEMS_SHOWN]:
        yield text(
            "cli.preparing.group", count=group.count, what=f"{_about(group.first).what} [{_happens(group.first)}]"
        )
    if len(found.groups) > PROBLEMS_SHOWN:
        yield text("cli.data.more_problems", count=len(found.groups) - PROBLEMS_SHOWN)


def identifier_lines(found: Checked) -> Iterator[str]:
    """Yield the columns that say who the patients are: those that block one by one, those beside in one line."""
    for each in found.identifiers:
        if each.used:
            key = "cli.preparing.identifier_blocks" if each.blocks else "cli.preparing.identifier"
            kind = text(f"preparing.kind.{each.kind}")
            yield text(key, table=each.table, column=each.column, kind=kind, why=_why(each))
    if beside := [f"{each.table}.{each.column}" for each in found.identifiers if not each.used]:
        yield text("cli.preparing.beside", columns=", ".join(beside))


# --- how deep it is sealed ------------------------------------------------------------------------------------------


def depths(found: Sequence[Depth]) -> list[Plain]:
    """Return what each number of stored residues means."""
    return [
        {
            "residues": each.residues,
            "terms": each.terms,
            "nested": each.nested,
            "bytes": each.bytes,
            "seconds": round(each.seconds, 1),
            "recommended": each.recommended,
        }
        for each in found
    ]


def depth_lines(found: Sequence[Depth]) -> Iterator[str]:
    """Yield what each number of stored residues means."""
    for each in found:
        key = "cli.preparing.choice_recommended" if each.recommended else "cli.preparing.choice"
        megabytes, seconds = round(each.bytes / 1e6, 1), round(each.seconds)
        yield text(key, residues=each.residues, terms=each.terms, megabytes=megabytes, seconds=seconds)


# --- what was sealed ------------------------------------------------------------------------------------------------


def sealed(done: Prepared, output: str) -> Plain:
    """Return what ``data prepare`` made."""
    table = done.checked.table
    return {
        **header(done.header),
        "package": output,
        "bytes": done.size,
        "bytes_per_patient_and_column": round(done.bytes_per_value, 2),
        "seconds": round(done.seconds, 1),
        "preparer": done.preparer,
        "preparer_words": done.preparer_words,
        "rows": table.rows,
        "patients": table.patients,
        "refused_rows": table.refused_rows,
        **problems(done.checked),
        "left_out": list(table.left_out),
        "unused_columns": list(table.unused_columns),
        "changes": changes(done.checked.changes),
        "recontact": done.recontact,
    }


def sealed_lines(done: Prepared, output: str, recontact: str | None) -> Iterator[str]:
    """Yield what ``data prepare`` says to a person."""
    table = done.checked.table
    yield text("cli.data.sealed", patients=table.patients, variables=len(table.variables), path=output)
    yield text("cli.preparing.size", bytes=round(done.bytes_per_value, 2), seconds=round(done.seconds, 1))
    yield from preparer(done.preparer, done.preparer_words)
    if table.refused_rows:
        yield text("cli.data.skipped", rows=table.refused_rows)
    if done.checked.groups:
        yield from group_lines(done.checked)
    yield from _left_out_lines(done.checked)
    if table.unused_columns:
        yield text("cli.data.unused", columns=", ".join(table.unused_columns))
    yield from changed_lines(done.checked.changes)
    if recontact is not None:
        yield text("cli.preparing.recontact_written", path=recontact, patients=done.recontact)
