"""Cohorts as files: read as they were written, and what is wrong in one is named with its line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import UserError
from app.core.services.cohort_files import MAX_BYTES, CohortFile, format_file, load_file, read_file

HASH = bytes(range(32))
OLD_SMOKERS = CohortFile(
    "Old smokers",
    'smoker and age >= 60 and "HGVS:c.4375C>T"',
    {"smoker": HASH, "age": HASH, "HGVS:c.4375C>T": HASH},
    "Test, version 1",
)
WRITTEN = f"""\
format = "consilium-cohort"
version = 1
name = "Old smokers"
text = 'smoker and age >= 60 and "HGVS:c.4375C>T"'
catalogue = "Test, version 1"

[meanings]
"HGVS:c.4375C>T" = "{HASH.hex()}"
age = "{HASH.hex()}"
smoker = "{HASH.hex()}"
"""
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
NAMES = PRINTABLE.filter(lambda name: not set(name) & set('"“”'))


def test_people_can_read_it() -> None:
    assert format_file(OLD_SMOKERS) == WRITTEN
    assert read_file(WRITTEN.encode(), "old.toml") == OLD_SMOKERS
    by_hand = 'format="consilium-cohort"\nversion=1\nname="Mine"\ntext="""smoker\nor dx:C50"""\n'
    assert read_file(b"\xef\xbb\xbf" + by_hand.encode(), "mine") == CohortFile("Mine", "smoker\nor dx:C50", {})


@given(NAMES, PRINTABLE, st.dictionaries(PRINTABLE, st.binary(min_size=32, max_size=32), max_size=4))
def test_what_is_written_is_read(name: str, text: str, meanings: dict[str, bytes]) -> None:
    cohort = CohortFile(name, text, meanings)
    assert read_file(format_file(cohort).encode(), "any") == cohort


@pytest.mark.parametrize(
    ("before", "after", "line", "field"),
    [
        ('name = "Old smokers"\n', "", 0, "name"),
        ('name = "Old smokers"', "name = 7", 3, "name"),
        ('name = "Old smokers"', 'name = " "', 3, "name"),
        ('name = "Old smokers"', f'name = "{"x" * 101}"', 3, "name"),
        ("version = 1", 'version = "1"', 2, "version"),
        ("version = 1", "version = true", 2, "version"),
        ("version = 1", "version = 0", 2, "version"),
        ("text = 'smoker", "text = '''\\u0007smoker", 0, ""),
        ("text = 'smoker and age >= 60 and \"HGVS:c.4375C>T\"'", f'text = "{"x" * 20_001}"', 4, "text"),
        ("text = 'smoker and age >= 60 and \"HGVS:c.4375C>T\"'", "text = ['a']", 4, "text"),
        ("catalogue", "more", 5, "more"),
        (f'age = "{HASH.hex()}"', 'age = "0"', 9, "meanings.age"),
        (f'age = "{HASH.hex()}"', f'age = "{HASH.hex().upper()}"', 9, "meanings.age"),
        (f'"HGVS:c.4375C>T" = "{HASH.hex()}"', '"HGVS:c.4375C>T" = 1', 8, "meanings.HGVS:c.4375C>T"),
        ("[meanings]", "[[meanings]]", 7, "meanings"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_field(before: str, after: str, line: int, field: str) -> None:
    assert before in WRITTEN
    with pytest.raises(UserError) as caught:
        read_file(WRITTEN.replace(before, after, 1).encode(), "old.toml")
    if not field:
        assert (caught.value.code, caught.value.params["file"]) == ("cohort.file_not_toml", "old.toml")
        return
    assert caught.value.code == "cohort.file_field"
    assert dict(caught.value.params) == {"file": "old.toml", "line": line, "field": field}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x" * (MAX_BYTES + 1), "cohort.file_too_large"),
        (b'format = "consilium-cohort"\n\xff', "cohort.file_not_utf8"),
        (b"format = ", "cohort.file_not_toml"),
        (b"[" * 100_000, "cohort.file_not_toml"),
        (b"a." * 100_000 + b"a = 1", "cohort.file_not_toml"),
        (b"", "cohort.file_other"),
        (b'format = "consilium-catalogue"', "cohort.file_other"),
        (b'format = "consilium-cohort"\nversion = 2\nnew = 1', "cohort.file_newer"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, data: bytes, code: str) -> None:
    file = tmp_path / "a file"
    file.write_bytes(data)
    with pytest.raises(UserError) as caught:
        load_file(file)
    assert (caught.value.code, caught.value.params["file"]) == (code, "a file")
