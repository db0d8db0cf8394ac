"""An answer as files: what is in them, that spreadsheets are safe with them, and that they are the same every time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app import __version__
from app.core.errors import UserError
from app.core.query.model import Query
from app.core.services import exporting
from app.core.services.exporting import FORMATS, Answered
from app.plots.exporting import exported
from app.plots.lettering import Type, wrapped
from tests.ui import examples
from tests.ui import examples_results as runs

SENTENCE = {
    "en": "How many patients match the following: Sex: “female”, and Age: at least 60 years?",
    "de": "Wie viele Patientinnen und Patienten erfüllen Folgendes",
    "fr": "Combien de patients",
}


def gathered(run: dict[str, Any], **overview: Any) -> Answered:
    """What an owner with this one run tells of it."""
    answers = runs.answers([run])

    def call(name: str, values: Any) -> Any:
        return answers["query.show"](values) if name == "query.show" else examples.overview(**overview)

    return exporting.gather(call, run["id"])


NOISED, DECLINED = runs.TYPICAL[0], runs.TYPICAL[4]


def paper(data: bytes, directory: Path) -> str:
    """The words on the pages of a PDF, on one line."""
    (directory / "report.pdf").write_bytes(data)
    printed = subprocess.run(["pdftotext", "report.pdf", "-"], cwd=directory, check=True, capture_output=True)
    return " ".join(printed.stdout.decode().split())


@pytest.mark.parametrize(("language", "count"), [("en", "1,284"), ("de", "1.284"), ("fr", "1 284")])
def test_the_report_says_question_answer_and_methods(tmp_path: Path, language: str, count: str) -> None:
    said = paper(exported(gathered(NOISED), "pdf", language), tmp_path)
    assert SENTENCE[language] in said
    assert count in said.replace("\u202f", " ")
    for part in ("sex = female and age >= 60", "Swiss Lung Study", "Lausanne", "Geneva", "Bern", "1/2", "BGV"):
        assert part in said
    assert f"Consilium {__version__}" in said
    assert "2026-11-23 13:11 UTC" in said


def test_the_report_says_who_is_not_in_the_answer_and_why(tmp_path: Path) -> None:
    said = paper(exported(gathered(DECLINED), "pdf", "en"), tmp_path)
    assert "Geneva Not in the answer: declined. The site’s policy lets no exact numbers leave." in said
    assert "Each of 2 sites evaluated" in said
    assert "The sum is exact." in said


def test_pretend_hospitals_are_called_so(tmp_path: Path) -> None:
    warned = "no real patient of a real hospital"
    assert warned in paper(exported(gathered(NOISED, pretend=True), "pdf", "en"), tmp_path)
    assert warned not in paper(exported(gathered(NOISED), "pdf", "en"), tmp_path)


def test_fonts_are_embedded(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(exported(gathered(NOISED), "pdf", "en"))
    listed = subprocess.run(["pdffonts", "report.pdf"], cwd=tmp_path, check=True, capture_output=True, text=True)
    fonts = listed.stdout.splitlines()[2:]
    assert fonts
    assert all(" yes yes yes " in each for each in fonts)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_answer_is_the_same_bytes(format: str) -> None:
    assert exported(gathered(NOISED), format, "en") == exported(gathered(NOISED), format, "en")


def read(data: bytes) -> dict[str, str]:
    """The one line of a table."""
    assert data.count(b"\r\n") == 2
    (found,) = csv.DictReader(io.StringIO(data.decode(), newline=""))
    return found


def test_the_table_reads_back() -> None:
    found = read(exported(gathered(NOISED), "csv", "en"))
    assert (found["count"], found["interval_low"], found["interval_high"], found["exact"]) == (
        "1284", "1270", "1298", "no"
    )  # fmt: skip
    assert found["sites"] == "Lausanne; Geneva; Bern"
    assert found["sentence"] == SENTENCE["en"]
    assert read(exported(gathered(DECLINED), "csv", "en"))["sites_not_in"] == "Geneva: declined"


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\t'=1"),
        ("\r=1", "'\r=1"),
    ],
)
def test_no_spreadsheet_takes_what_was_written_for_a_formula(words: str, written: str) -> None:
    found = read(exported(gathered({**NOISED, "purpose": words}), "csv", "en"))
    assert found["purpose"] == written


def test_quotes_commas_and_lines_survive_the_table() -> None:
    words = 'Said "no", twice;\nand left'
    assert read(exported(gathered({**NOISED, "purpose": words}), "csv", "en"))["purpose"] == words


def test_a_number_below_zero_stays_a_number() -> None:
    run = {**NOISED, "answer": runs.answer(-3, half_width=14, scale=2.0)}
    found = read(exported(gathered(run), "csv", "en"))
    assert (found["released"], found["count"], found["interval_high"]) == ("-3", "0", "11")


def test_the_bundle_holds_what_its_manifest_says() -> None:
    with zipfile.ZipFile(io.BytesIO(exported(gathered(NOISED), "bundle", "de"))) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    assert sorted(files) == [
        "data.csv", "figure.pdf", "figure.png", "figure.svg", "query.cbor", "query.txt", "report.pdf", "table.csv",
        "tables/main.csv",
    ]  # fmt: skip
    assert manifest["files"] == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }
    assert (manifest["program"], manifest["query"], manifest["language"]) == (__version__, runs.NOISED, "de")
    assert manifest["released"] == "2026-11-23T13:11:00Z"
    assert Query.from_cbor(files["query.cbor"]) == gathered(NOISED).question
    assert files["query.txt"].decode().splitlines()[1] == "sex = female and age >= 60"


def test_the_picture_has_its_size(tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(exported(gathered(NOISED), "png", "en"))
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (1920, 1080)


def test_what_has_no_answer_is_not_exported() -> None:
    with pytest.raises(UserError) as refused:
        gathered(runs.TYPICAL[1])
    assert refused.value.code == "export.no_answer"


@pytest.mark.parametrize(
    ("name", "format", "found"),
    [("a.PNG", None, "png"), ("a.zip", None, "bundle"), ("a.txt", "csv", "csv"), ("a", "pdf", "pdf")],
)
def test_the_format_is_the_one_asked_for_else_the_suffix(name: str, format: str | None, found: str) -> None:
    assert exporting.format_of(Path(name), format) == found


@pytest.mark.parametrize(("name", "format"), [("a.txt", None), ("a", None), ("a.png", "exe")])
def test_other_formats_are_refused(name: str, format: str | None) -> None:
    with pytest.raises(UserError) as refused:
        exporting.format_of(Path(name), format)
    assert refused.value.code == "export.format"


def test_a_file_is_replaced_only_when_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    exporting.save(path, b"first", replace=False)
    with pytest.raises(UserError) as refused:
        exporting.save(path, b"second", replace=False)
    assert refused.value.code == "export.exists"
    assert path.read_bytes() == b"first"
    exporting.save(path, b"second", replace=True)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_long_words_and_many_sites_stay_on_the_page(tmp_path: Path) -> None:
    names = tuple(f"University hospital number {place}" for place in range(40))
    run = {**NOISED, "sites": [runs.site(each) for each in names], "purpose": "x" * 500}
    run["answer"] = runs.answer(10, sites=names)
    said = paper(exported(gathered(run), "pdf", "en"), tmp_path)
    assert "University hospital number 39" in said
    assert "Page 4 of 4" in said
    kind = Type(9.5, "#000000")
    assert all(kind.width(line) <= 200 for line in wrapped("x" * 500 + " and some words after it", kind, 200))
