"""Whatever is done to a chain of audit records in its database, a verification of the file finds it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.store.audit import AuditRow
from tests.audit_chains import KEY, made, opened, verified

RECORDS = 12
FIELDS = ("number", "at", "kind", "body", "previous", "hash", "signature")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("audit") / "profile", RECORDS)


def test_an_untouched_chain_is_whole(whole: Path) -> None:
    found = verified(whole)
    assert found.ok
    assert (found.records, found.number) == (RECORDS, RECORDS)


def rows(database: sqlite3.Connection) -> list[tuple[object, ...]]:
    return database.execute("SELECT * FROM audit ORDER BY number").fetchall()


def changed(value: object, data: st.DataObject) -> object:
    """Another value of the same type."""
    if isinstance(value, int):
        return data.draw(st.integers(-(2**62), 2**62).filter(lambda other: other != value))
    if isinstance(value, str):
        return data.draw(st.text(max_size=20).filter(lambda other: other != value and "\0" not in other))
    assert isinstance(value, bytes)
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return value[:place] + bytes([value[place] ^ data.draw(st.integers(1, 255))]) + value[place + 1 :]
    return data.draw(st.binary(max_size=200).filter(lambda other: other != value))


def alter(database: sqlite3.Connection, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, RECORDS))
    field = data.draw(st.sampled_from(FIELDS))
    value = rows(database)[number - 1][FIELDS.index(field)]
    put(database, number, {field: changed(value, data)})


def delete(database: sqlite3.Connection, data: st.DataObject) -> None:
    """Any records but the last, which only the other sites can miss."""
    doomed = data.draw(st.sets(st.integers(1, RECORDS - 1), min_size=1))
    for number in doomed:
        database.execute("DELETE FROM audit WHERE number = ?", (number,))
    if data.draw(st.booleans()):  # and close the gaps
        for place, (number, *_) in enumerate(rows(database), start=1):
            database.execute("UPDATE audit SET number = ? WHERE number = ?", (place, number))


def swap(database: sqlite3.Connection, data: st.DataObject) -> None:
    """Two records change places: with or without their links, hashes and signatures."""
    one, other = data.draw(st.lists(st.integers(1, RECORDS), min_size=2, max_size=2, unique=True))
    kept = data.draw(st.sampled_from((FIELDS[1:], FIELDS[1:4], ("body",), ("at", "body"), FIELDS[4:])))
    listed = {row[0]: dict(zip(FIELDS, row, strict=True)) for row in rows(database)}
    for place, source in ((one, other), (other, one)):
        put(database, place, {field: listed[source][field] for field in kept})


def put(database: sqlite3.Connection, number: int, values: dict[str, object]) -> None:
    places = ", ".join(f"{field} = ?" for field in values)
    statement = f"UPDATE OR REPLACE audit SET {places} WHERE number = ?"  # noqa: S608 - names of fields
    database.execute(statement, (*values.values(), number))


def insert(database: sqlite3.Connection, data: st.DataObject) -> None:
    """One more record, well linked but signed by nobody, or a copy; at the end or in between."""
    at = data.draw(st.integers(2, RECORDS + 1))
    for number in range(RECORDS, at - 1, -1):
        database.execute("UPDATE audit SET number = ? WHERE number = ?", (number + 1, number))
    before = dict(zip(FIELDS, rows(database)[at - 2], strict=True))
    row = AuditRow.signed(KEY, number=at, at=5, kind="released", body=before["body"], previous=before["hash"])  # type: ignore[arg-type]
    signature = before["signature"] if data.draw(st.booleans()) else data.draw(st.binary(min_size=64, max_size=64))
    copied = data.draw(st.booleans())
    values = (at, *(before[each] for each in FIELDS[1:])) if copied else (*vars(row).values(),)[:6] + (signature,)
    database.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", values)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_changed_is_found(data: st.DataObject, whole: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(shutil.copy(whole, Path(directory) / "site.db"))
        with opened(copy) as database:
            before = rows(database)
            how = data.draw(st.sampled_from((alter, delete, swap, insert)))
            how(database, data)
            after = rows(database)
        assert verified(copy).ok == (before == after)


def test_only_the_others_miss_the_last_records(whole: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(whole, tmp_path / "site.db"))
    with opened(copy) as database:
        database.execute("DELETE FROM audit WHERE number > 7")
    found = verified(copy)
    assert found.ok, "a shorter chain is a chain: what the other sites hold shows that it was longer"
    assert found.number == 7
