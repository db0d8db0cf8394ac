"""The data command from a CSV to an active dataset: what it prints, as text and JSON, and its exit codes."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import boundary
from app.cli.data import data
from app.core.errors import Bug
from app.core.federation.public_file import save_public_file
from app.core.paths import preparer_key
from app.texts import LANGUAGES, entries
from tests.federations import PASSPHRASE, two_sites
from tests.packages import MAPPING, rows, write_csv

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    federation, profiles = two_sites(tmp_path)
    for profile in profiles:
        profile.close()
    save_public_file(federation, tmp_path / "test.federation")
    (tmp_path / "mapping.toml").write_bytes(MAPPING)
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    write_csv(tmp_path / "good.csv", rows(1100))  # type: ignore[arg-type]
    return tmp_path


@pytest.fixture
def run(place: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    root = typer.Typer()
    root.add_typer(data, name="data")

    def call(*arguments: object, as_json: bool = True) -> tuple[int, Any, str]:
        words = ["data", *map(str, arguments), *(["--json"] if as_json else [])]
        code = boundary.run(root, words)
        out, err = capfd.readouterr()
        return code, json.loads(out) if as_json and out else out, err

    return call


def prepare(place: Path, csv: str = "good.csv", output: str = "a.consilium", *more: str) -> tuple[object, ...]:
    return (
        *("prepare", "--federation", place / "test.federation", "--mapping", place / "mapping.toml"),
        *("--input", place / csv, "--output", place / output, "--key-file", place / "preparer.key", *more),
    )


def test_from_csv_to_active_dataset(run: Run, place: Path) -> None:
    code, made, _ = run(*prepare(place))
    assert code == 0
    assert (made["patients"], made["blocks"], made["columns"], made["residues"]) == (1100, 2, 7, 5)
    package = place / "a.consilium"
    code, seen, _ = run("inspect", package)
    assert (code, seen["dataset"], seen["preparer"]) == (0, made["dataset"], made["preparer"])
    assert seen["variables"] == [
        {"code": "smoker", "columns": 1},
        {"code": "sex", "columns": 2},
        {"code": "age", "columns": 3},
    ]
    code, checked, _ = run("verify", package, "--federation", place / "test.federation")
    assert (code, checked["verified"]) == (0, True)
    assert run("list", "--profile", place / "A") == (0, {"datasets": [], "imports": []}, "")
    code, done, _ = run("import", package, "--profile", place / "A", "--preparer", made["preparer"])
    assert (code, done["version"], done["active"], done["pinned"]) == (0, 1, True, True)
    code, done, _ = run("import", package, "--profile", place / "A")
    assert (code, done["already"]) == (0, True)
    code, listed, _ = run("list", "--profile", place / "A")
    assert [each["dataset"] for each in listed["datasets"]] == [made["dataset"]]


def test_text_for_people(run: Run, place: Path) -> None:
    code, out, err = run(*prepare(place), as_json=False)
    assert (code, err) == (0, "")
    assert "1100 patients, 3 variables, sealed." in out
    assert "Preparer: " in out
    words = re.findall("In words: (.*)", out)[0]
    assert len(words.split()) == 12
    package = place / "a.consilium"
    assert "SHA-256" in (inspected := run("inspect", package, as_json=False)[1])
    assert words in inspected
    assert "whole and unaltered" in run("verify", package, as_json=False)[1]
    assert "no dataset yet" in run("list", "--profile", place / "A", as_json=False)[1]
    imported = run("import", package, "--profile", place / "A", "--preparer", words, as_json=False)[1]
    assert "Compare the fingerprint" in imported
    assert words in imported
    listed = run("list", "--profile", place / "A", as_json=False)[1]
    assert "Version 1 (active)" in listed
    assert "3 variables" in listed
    assert "already" in run("import", package, "--profile", place / "A", as_json=False)[1]


def test_what_is_imported_can_be_read_checked_and_removed(run: Run, place: Path) -> None:
    run(*prepare(place))
    here = ("--profile", place / "A")
    dataset = run("import", place / "a.consilium", *here)[1]["dataset"]
    code, report, _ = run("report", *here)
    assert (code, report["patients"]) == (0, 1100)
    assert [(each["code"], each["kind"]) for each in report["variables"]] == [
        ("smoker", "flag"),
        ("sex", "category"),
        ("age", "number"),
    ]
    out = run("report", dataset[:8], *here, as_json=False)[1]
    age = report["variables"][2]
    assert f"age: {age['known']} with a value, {age['missing']} without\n    < 50: {age['bins'][0]['count']}\n" in out
    assert f"    50 ≤ … < 60: {age['bins'][1]['count']}\n    ≥ 60: {age['bins'][2]['count']}\n" in out
    assert run("verify", "--dataset", dataset, *here)[1]["whole"] is True
    assert "Version 1 is whole and unaltered" in run("verify", *here, as_json=False)[1]
    assert "answers from version 1" in run("activate", dataset, *here, as_json=False)[1]
    code, told, _ = run("remove", dataset, *here)
    assert (code, told["error"]["code"]) == (1, "dataset.active")
    code, _, err = run("remove", dataset, *here, as_json=False)
    assert (code, "--force" in err) == (1, True)
    assert "are free again" in run("remove", dataset, "--force", *here, as_json=False)[1]
    assert run("list", *here)[1]["datasets"] == []
    assert run("report", *here)[1]["error"]["code"] == "dataset.none_active"


def test_times_are_those_of_this_place(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("Windows takes the time zone from its settings")
    run(*prepare(place))
    imported = (
        run("import", place / "a.consilium", "--profile", place / "A") and run("list", "--profile", place / "A")[1]
    )
    at = datetime.fromtimestamp(imported["datasets"][0]["imported"] / 1000, UTC)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    try:
        time.tzset()
        assert (
            f"{at + timedelta(minutes=345):%Y-%m-%d %H:%M}" in run("list", "--profile", place / "A", as_json=False)[1]
        )
    finally:
        monkeypatch.undo()
        time.tzset()


def test_files_are_looked_at_before_any_key(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSILIUM_PASSPHRASE_FILE")  # here that means a keyring, which there is none of

    def prepared(*more: object) -> str:
        words = [each for each in prepare(place) if each not in ("--key-file", place / "preparer.key")]
        return str(run(*words, *more)[1]["error"]["code"])

    (place / "good.csv").rename(place / "away.csv")
    assert prepared() == "file.not_found"
    (place / "away.csv").rename(place / "good.csv")
    assert prepared().startswith("keyring.")


def test_a_passphrase_file_is_enough(run: Run, place: Path) -> None:
    words = [each for each in prepare(place) if each not in ("--key-file", place / "preparer.key")]
    first = run(*words)[1]["preparer"]
    (place / "a.consilium").unlink()
    assert run(*words)[1]["preparer"] == first  # the key was kept, among this user's data
    assert preparer_key().is_file()


def test_bad_rows_are_listed(run: Run, place: Path) -> None:
    write_csv(place / "bad.csv", [("p1", "1", "x", "50"), ("p2", "1", "f", "old"), *rows(20)[3:]])  # type: ignore[list-item]
    code, told, _ = run(*prepare(place, "bad.csv"))
    assert code == 1
    assert told["error"]["code"] == "csv.rows_refused"
    assert [(each["code"], each["row"]) for each in told["error"]["problems"]] == [
        ("csv.unknown_level", 2),
        ("csv.not_a_number", 3),
    ]
    code, out, err = run(*prepare(place, "bad.csv"), as_json=False)
    assert (code, out) == (1, "")
    assert "Row 2 of bad.csv, column “sex”: “x” is not a level of sex." in err
    assert "2 of 19 rows" in err
    assert not (place / "a.consilium").exists()
    code, made, _ = run(*prepare(place, "bad.csv", "a.consilium", "--skip-bad-rows"))
    assert (code, made["patients"], made["refused_rows"], len(made["problems"])) == (0, 17, 2, 2)
    code, out, _ = run(*prepare(place, "bad.csv", "b.consilium", "--skip-bad-rows"), as_json=False)
    assert (code, "Rows left out: 2" in out, "Row 3 of bad.csv" in out) == (0, True, True)


def test_refusals_have_exit_code_1_and_a_sentence(run: Run, place: Path) -> None:
    run(*prepare(place))
    package = place / "a.consilium"
    package.write_bytes(package.read_bytes()[:-1])
    for command in (["inspect", package], ["verify", package], ["import", package, "--profile", place / "A"]):
        code, told, _ = run(*command)
        assert (code, told["error"]["code"]) == (1, "package.truncated")
        assert "Copy the package again" in told["error"]["next"]
    code, told, _ = run(*prepare(place))
    assert (code, told["error"]["code"]) == (1, "prepare.output_exists")
    (place / "mapping.toml").write_bytes(MAPPING.replace(b'"A"', b'"Nowhere"'))
    code, told, _ = run(*prepare(place, "good.csv", "c.consilium"))
    assert (code, told["error"]["code"], told["error"]["params"]["known"]) == (1, "mapping.unknown_site", "A, B")
    assert run("prepare")[0] == 2
    assert run("list", "--profile", place / "none")[1]["error"]["code"] == "profile.not_found"


def test_every_error_of_the_data_area_has_its_sentences() -> None:
    root = Path(boundary.__file__).parents[1]
    packages = ("core/store", "core/preparation", "core/jobs")
    files = [path for each in packages for path in (root / each).glob("*.py")]
    files += [root / f"core/services/{name}.py" for name in ("data", "datasets")]
    codes: set[str] = set()
    for path in [*files, root / "cli/data.py", root / "cli/progress.py"]:
        source = path.read_text("utf-8")
        # and the names of service commands, and of what the audit trail records
        bugs = set(re.findall(r'(?:Bug|call|noting)\((?:\w[\w.]*, )?\s*"([a-z_.]+)"', source))
        areas = "csv|mapping|package|prepare|dataset|database|profile|disk|blob|ledger|job|worker|report|data|cli"
        codes |= set(re.findall(rf'"((?:{areas})\.[a-z_.]+)"', source)) - bugs
    assert len(codes) > 60
    for language in LANGUAGES:
        assert codes - set(entries(language)) == set()
    assert Bug("worker.pool_closed").code not in codes
