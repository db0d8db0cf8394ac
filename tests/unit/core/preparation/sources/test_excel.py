"""Workbooks: cells as texts, formulas as their values, and archives that want to fill memory or disk."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.preparation.problems import State
from app.core.preparation.sources import archive, native, workbook
from app.core.preparation.sources.source import Format
from tests.source_files import DATE, DURATION, MOMENT, Raw, Read, read
from tests.source_files import workbook as write


def excel(tmp_path: Path, path: Path, **settings: object) -> Read:
    return read(tmp_path, path, format=Format.EXCEL, **settings)


def refused(tmp_path: Path, path: Path, **settings: object) -> str:
    with pytest.raises(UserError) as caught:
        excel(tmp_path, path, **settings)
    assert caught.value.params["file"] == path.name
    return caught.value.code.removeprefix("sources.")


def styled(style: int, value: object) -> Raw:
    return Raw(f's="{style}"', f"<v>{value}</v>")


def test_cells_are_plain_texts(tmp_path: Path) -> None:
    names = ["id", "sum", "tiny", "large", "day", "moment", "long", "yes", "formula", "text"]
    values = [
        "A",
        0.1 + 0.2,
        "1e-7",
        1e21,
        styled(DATE, 44197),
        styled(MOMENT, 44197.5),
        styled(DURATION, 1.5),
        Raw('t="b"', "<v>1</v>"),
        Raw("", "<f>6*7</f><v>42</v>"),
        "=1+1",
    ]
    values[2] = Raw("", "<v>1E-7</v>")
    found = excel(tmp_path, write(tmp_path / "a.xlsx", {1: names, 2: values}))
    large = "1" + "0" * 21
    day = ("2021-01-01", "2021-01-01T12:00:00", "36:00:00")
    assert found.only == [(2, "A", "0.3", "0.0000001", large, *day, "true", "42", "=1+1")]
    assert found.staged.settings.sheet == "Data"
    assert "sheet" in found.staged.found_out
    assert found.problems == []


def test_rows_are_those_of_the_sheet_and_empty_ones_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", {3: ["id", "a"], 4: ["A", 1], 7: ["B", None], 9: [None, None]})
    assert excel(tmp_path, path).only == [(4, "A", "1"), (7, "B", None)]


def test_a_formula_without_a_result_is_a_problem(tmp_path: Path) -> None:
    error = Raw('t="e"', "<f>1/0</f><v>#DIV/0!</v>")
    found = excel(tmp_path, write(tmp_path / "a.xlsx", {1: ["id", "x"], 2: ["A", error], 3: ["B", 2]}))
    assert found.only == [(2, "A", None), (3, "B", "2")]
    (problem,) = found.problems
    assert (problem.code, problem.state, problem.row, problem.column, problem.found) == (
        "sources.error_cell",
        State.EMPTY,
        2,
        "x",
        "#DIV/0!",
    )


def test_merged_cells_have_the_value_that_is_seen(tmp_path: Path) -> None:
    merged = '<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
    path = write(tmp_path / "a.xlsx", {1: ["id", "x"], 2: ["A", 1], 3: [None, 2], 4: ["B", 3]}, after=merged)
    found = excel(tmp_path, path)
    assert found.only == [(2, "A", "1"), (3, "A", "2"), (4, "B", "3")]
    assert [(each.code, each.state, each.row, each.used) for each in found.problems] == [
        ("sources.merged_cell", State.REPAIRED, 3, "A")
    ]


def test_a_sheet_is_chosen_by_name_and_else_the_first_that_is_seen_and_holds_something(tmp_path: Path) -> None:
    rows = {1: ["id", "x"], 2: ["A", 1]}
    path = write(tmp_path / "a.xlsx", rows, sheets=[("Data & more", ""), ("Empty", "")])
    assert excel(tmp_path, path).staged.settings.sheet == "Data & more"
    assert refused(tmp_path, path, sheet="Empty") == "empty_file"
    assert refused(tmp_path, path, sheet="Nowhere") == "no_sheet"
    hidden = write(tmp_path / "b.xlsx", rows, sheets=[("Codes", 'state="hidden"'), ("Empty", "")])
    assert refused(tmp_path, hidden) == "empty_file"
    assert excel(tmp_path, hidden, sheet="Codes").only == [(2, "A", "1")]


def test_a_single_cell_far_away_does_not_fill_the_memory(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    assert refused(tmp_path, write(tmp_path / "a.xlsx", rows)) == "too_many_cells"


def test_an_archive_that_says_how_large_it_is_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 20)
    path = write(tmp_path / "a.xlsx", {1: ["id"]}, more={"xl/media/x.xml": bytes(2 << 20)})
    with pytest.raises(UserError, match="too_large"):
        archive.Archive(path, "Excel")


def test_an_archive_that_lies_about_how_large_it_is_is_refused_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 20)
    path = write(tmp_path / "a.xlsx", {1: ["id"]}, more={"xl/media/x.xml": bytes(2 << 20)})
    size = struct.pack("<I", 2 << 20)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 100)))
    with pytest.raises(UserError, match="too_large"):
        workbook.convert(path, None, tmp_path / "clean.csv")
    assert not (tmp_path / "clean.csv").exists()


def test_an_archive_whose_parts_are_all_the_same_bytes_is_refused_in_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", {1: ["id"]})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/media/x", bytes(16 << 20))
        bomb.filelist.extend([bomb.filelist[-1]] * 200)
    assert refused(tmp_path, path) == "too_large"


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods", "a.xlsb"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 nothing", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"text"]
)
def test_what_is_no_workbook_is_damaged(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(tmp_path, path) == "damaged"


def test_duplicate_names_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", {1: ["id", "x", "X"], 2: ["A", 1, 2]})
    assert refused(tmp_path, path) == "duplicate_column"


def test_a_reader_that_dies_or_hangs_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.core.jobs.job import Job
    from tests.dying_readers import die, hang, take

    path = write(tmp_path / "a.xlsx", {1: ["id"]})
    for function in (die, take):
        with native.Apart(path, Job()) as apart, pytest.raises(UserError, match=r"sources.unreadable.*a\.xlsx"):
            apart.call(function)
    monkeypatch.setattr(native, "PATIENCE", 0.5)
    with native.Apart(path, Job()) as apart, pytest.raises(UserError, match="sources.unreadable"):
        apart.call(hang)
