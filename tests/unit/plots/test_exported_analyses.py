"""Analyses as files: the report names figure, tables, methods and software; the bundle holds every number."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest

from app.core.services.exporting import FORMATS, Answered, software
from app.plots.exporting import exported
from app.plots.options import Options
from tests.unit.plots.examples import LANGUAGES, SITES, answered

HALF = Fraction(1, 2)


def paper(data: bytes, directory: Path) -> str:
    """The words on the pages of a PDF, on one line."""
    (directory / "report.pdf").write_bytes(data)
    printed = subprocess.run(["pdftotext", "report.pdf", "-"], cwd=directory, check=True, capture_output=True)
    return " ".join(printed.stdout.decode().split())


def unpacked(found: Answered, language: str = "en") -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(exported(found, "bundle", language))) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


METHODS = {
    "breakdown": "counted in each group",
    "histogram": "between the cut points of the catalogue",
    "table_small": "Fisher’s exact test; the strength of association is Cramér’s V",
    "summary": "sample standard deviations (n − 1)",
    "compare": "Welch’s t-test (two-sided, Welch–Satterthwaite",
    "correlate": "Fisher’s z scale",
    "regress": "ordinary least squares",
    "survival_sex": "Kaplan–Meier method from events and censorings per interval",
    "attrition": "in the order in which the criteria are written",
}


@pytest.mark.parametrize("kind", METHODS)
def test_the_report_names_the_methods_of_each_analysis(tmp_path: Path, kind: str) -> None:
    said = paper(exported(answered(kind), "pdf", "en"), tmp_path)
    assert METHODS[kind] in said
    used = software()
    assert f"NumPy {used['numpy']} and SciPy {used['scipy']}; drawn with Matplotlib {used['matplotlib']}" in said
    assert "Exact numbers: no noise was added." in said
    assert "plots." not in said
    assert "export." not in said


def test_the_report_of_survival_has_its_tests_and_ratios(tmp_path: Path) -> None:
    said = paper(exported(answered("survival_sex"), "pdf", "en"), tmp_path)
    assert "log-rank test and its weighted forms (Gehan–Breslow–Wilcoxon, Tarone–Ware, Peto–Peto)" in said
    assert "ties by Efron’s method" in said
    assert "426.1 (365.2 to 547.9)" in said
    assert "One interval in 3 is shown" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_reports_of_noised_sites_are_whole_in_every_language(tmp_path: Path, language: str) -> None:
    said = paper(exported(answered("table", epsilon=HALF, per_site=True), "pdf", language), tmp_path)
    for part in ("Lausanne", "Geneva", "Laplace", "BGV", "1/2"):
        assert part in said
    heading = {"en": "Site by site", "fr": "Site par site", "de": "Standort für Standort"}[language]
    assert heading in said


def test_a_report_of_each_site_does_not_say_that_sites_were_never_opened(tmp_path: Path) -> None:
    said = paper(exported(answered("breakdown", per_site=True), "pdf", "en"), tmp_path)
    assert "never opened" not in said
    assert "The numbers of each site were opened as well" in said
    assert "never opened" in paper(exported(answered("breakdown"), "pdf", "en"), tmp_path)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_answer_is_the_same_bytes(format: str) -> None:
    found = answered("survival_sex")
    assert exported(found, format, "de") == exported(found, format, "de")


def test_the_figure_is_drawn_with_the_options_that_were_chosen() -> None:
    found = answered("survival_sex")
    drawn = exported(found, "svg", "en", Options(events=True))
    assert b"share with the event so far" in drawn
    assert b"share with the event so far" not in exported(found, "svg", "en")


def test_the_table_has_numbers_in_full_and_labels_beside_keys() -> None:
    found = rows(exported(answered("breakdown"), "csv", "de"))
    assert found[0] == {
        "site": "", "group": "0", "group_label": "0, uneingeschränkt aktiv", "count": "63", "low": "63", "high": "63",
        "share": str(63 / 228), "raw": "63",
    }  # fmt: skip
    assert found[-1]["group_label"] == "Gesamt"


def test_the_bundle_holds_every_table_of_every_site() -> None:
    files = unpacked(answered("survival_sex", per_site=True))
    tables = {name for name in files if name.startswith("tables/")}
    assert tables == {f"tables/{name}.csv" for name in ("main", "medians", "tests", "hazard_ratios")}
    curves = rows(files["tables/main.csv"])
    assert {row["site"] for row in curves} == {"", *SITES}
    assert len(curves) == 4 * 2 * 34
    assert files["table.csv"].decode().splitlines()[0].startswith("Site,Sex,Days,At risk")
    assert {"report.pdf", "figure.svg", "figure.png", "figure.pdf", "data.csv", "query.txt"} <= files.keys()
    assert files["query.txt"].decode().splitlines()[1] == "survival os by sex"


def test_the_manifest_says_versions_and_what_protected_the_answer() -> None:
    manifest = json.loads(unpacked(answered("histogram", epsilon=HALF))["manifest.json"])
    assert manifest["software"] == software()
    assert (manifest["analysis"], manifest["per_site"]) == ("histogram", False)
    protection = manifest["protection"]
    assert (protection["quorum"], protection["epsilon"], protection["exact"]) == (2, "1/2", False)


def test_facts_of_an_analysis_claim_no_count() -> None:
    (facts,) = rows(unpacked(answered("summary"))["data.csv"])
    assert (facts["count"], facts["interval_low"]) == ("", "")
    assert facts["question"].startswith("summary age")
