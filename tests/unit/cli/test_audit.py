"""The audit command: what it lists, verifies without a profile, and writes for others."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import boundary
from app.cli.audit import audit
from app.core.errors import UserError
from app.core.federation.audit import Entry
from app.core.federation.public_file import save_public_file
from app.core.services.audit import COLUMNS, verify_file
from tests.audit_chains import opened
from tests.federations import PASSPHRASE, two_sites

Run = Callable[..., tuple[int, Any, str]]
FORMULA = '=HYPERLINK("https://x"), "a"\r\n+1'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites, the first with a few records."""
    directory = tmp_path_factory.mktemp("sites")
    federation, profiles = two_sites(directory, names=("Lausanne", "Bern"))
    save_public_file(federation, directory / "test.federation")
    first = profiles[0]
    first.record("data.imported", what={"version": 1, "dataset": bytes(16)})
    first.record(
        "request.declined", what={"question": FORMULA, "contributors": ["=1"], "note": "é"}, why="query.declined"
    )
    first.record_backup("sheet", 5)
    for profile in profiles:
        profile.close()
    (directory / "passphrase").write_text(PASSPHRASE + "\n")
    return directory


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    return tmp_path


@pytest.fixture
def run(place: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    root = typer.Typer()
    root.add_typer(audit, name="audit")

    def call(*arguments: object, as_json: bool = True, profile: bool = True) -> tuple[int, Any, str]:
        words = ["audit", *map(str, arguments), *(["--json"] if as_json else [])]
        code = boundary.run(root, [*words, *(["--profile", str(place / "Lausanne")] if profile else [])])
        out, err = capfd.readouterr()
        return code, json.loads(out) if as_json and out else out, err

    return call


KINDS = ["key.sheet", "request.declined", "data.imported", "federation.roster", "profile.created"]


def test_records_are_listed_newest_first(run: Run) -> None:
    code, found, _ = run("show")
    assert code == 0
    assert [each["kind"] for each in found["records"]] == KINDS
    assert [each["number"] for each in found["records"]] == [5, 4, 3, 2, 1]
    assert found["heads"] == [{"site": "Bern", "number": 0, "hash": "", "at": 0, "ours": None}]
    assert found["records"][2]["what"]["dataset"] == "00" * 16


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (("--kind", "data"), ["data.imported"]),
        (("--kind", "key,profile.created"), ["key.sheet", "profile.created"]),
        (("--text", "hyperlink"), ["request.declined"]),
        (("--after", 4), KINDS[2:]),
        (("--most", 2), KINDS[:2]),
        (("--kind", "dat"), []),
    ],
)
def test_records_are_found(options: tuple[object, ...], kinds: list[str], run: Run) -> None:
    _, found, _ = run("show", *options)
    assert [each["kind"] for each in found["records"]] == kinds
    assert found["more"] == ("--most" in options)


def test_records_are_told_in_words(run: Run) -> None:
    _, out, _ = run("show", as_json=False)
    assert "Recovery sheet written" in out
    assert "Request declined" in out
    assert "query.declined" not in out
    assert "No record is like that" in run("show", "--text", "nowhere", as_json=False)[1]


def test_the_chain_of_a_profile_is_verified(run: Run, place: Path) -> None:
    code, found, _ = run("verify")
    assert (code, found["ok"], found["records"]) == (0, True, 5)
    assert "All 5 records are whole" in run("verify", as_json=False)[1]
    with opened(place / "Lausanne" / "site.db") as database:
        database.execute("UPDATE audit SET at = at + 1 WHERE number = 3")
    code, found, _ = run("verify")
    assert (code, [each["code"] for each in found["problems"]]) == (1, ["audit.altered"])
    code, out, _ = run("verify", as_json=False)
    assert (code, "3: This record was altered" in out) == (1, True)


def test_a_database_is_verified_without_opening_the_profile(run: Run, place: Path) -> None:
    for file in (place / "Lausanne", place / "Lausanne" / "site.db"):
        code, found, _ = run("verify", "--file", file, profile=False)
        assert (code, found["ok"], found["site"], found["against"]) == (0, True, "Lausanne", "itself")
    known = ("--federation", place / "test.federation")
    code, found, _ = run("verify", "--file", place / "Lausanne", *known, profile=False)
    assert (code, found["against"], found["federation"]) == (0, "federation", "Test")


@pytest.mark.parametrize("name", ["trail.csv", "trail.json"])
def test_an_export_is_verified_anywhere(name: str, run: Run, place: Path) -> None:
    path = place / name
    code, found, _ = run("export", path)
    assert (code, found["records"]) == (0, 5)
    code, found, _ = run("verify", "--file", path, profile=False)
    assert (code, found["ok"], found["records"], found["site"]) == (0, True, 5, "Lausanne")
    code, out, _ = run(
        "verify", "--file", path, "--federation", place / "test.federation", as_json=False, profile=False
    )
    assert (code, "Signed by Lausanne of Test" in out) == (0, True)
    code, _, err = run("export", path, as_json=False)
    assert (code, str(path) in err) == (1, True)
    assert run("export", path, "--replace")[1]["records"] == 6, "the first export is a record too"


def test_a_table_is_safe_to_open(run: Run, place: Path) -> None:
    run("export", place / "trail.csv")
    lines = list(csv.reader(io.StringIO((place / "trail.csv").read_text("utf-8"), newline="")))
    assert tuple(lines[0]) == COLUMNS
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert json.loads(lines[4][COLUMNS.index("what")])["question"] == FORMULA


def test_no_cell_of_a_table_can_be_changed_unseen(run: Run, place: Path) -> None:
    run("export", place / "trail.csv")
    lines = list(csv.reader(io.StringIO((place / "trail.csv").read_text("utf-8"), newline="")))
    for line in (1, 4):
        for cell in range(len(COLUMNS)):
            changed = [list(each) for each in lines]
            value = changed[line][cell]
            changed[line][cell] = f"{value[:-1]}{'1' if value[-1:] != '1' else '2'}"
            assert not whole(place / "changed.csv", table(changed)), (line, COLUMNS[cell])
    for changed in ([*lines[:3], *lines[4:]], [*lines[:2], lines[3], lines[2], *lines[4:]], [*lines, lines[-1]]):
        assert not whole(place / "changed.csv", table(changed))
    assert whole(place / "changed.csv", table(lines)), "and what was not changed is whole"


def test_nothing_in_a_bundle_can_be_changed_unseen(run: Run, place: Path) -> None:
    run("export", place / "trail.json")
    bundle = json.loads((place / "trail.json").read_bytes())
    assert whole(place / "changed.json", json.dumps(bundle).encode())
    for path in list(leaves(bundle["entry"])):
        changed = json.loads(json.dumps(bundle))
        *above, last = path
        inside = changed["entry"]
        for step in above:
            inside = inside[step]
        inside[last] = not inside[last] if isinstance(inside[last], bool) else f"{inside[last]}x"
        assert not whole(place / "changed.json", json.dumps(changed).encode()), path


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """Every place in JSON where there is a word or a number."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, name))
        else:
            yield (*path, name)


def whole(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        return verify_file(path).verified.ok
    except UserError:
        return False


def table(lines: list[list[str]]) -> bytes:
    target = io.StringIO()
    csv.writer(target, lineterminator="\r\n").writerows(lines)
    return target.getvalue().encode()


def test_a_bundle_has_what_fhir_requires(run: Run, place: Path) -> None:
    run("export", place / "trail.json")
    bundle = json.loads((place / "trail.json").read_bytes())
    assert (bundle["resourceType"], bundle["type"], len(bundle["entry"])) == ("Bundle", "collection", 5)
    assert len({entry["fullUrl"] for entry in bundle["entry"]}) == 5
    for entry in bundle["entry"]:
        event = entry["resource"]
        assert event["resourceType"] == "AuditEvent"
        assert set(event["type"]) == {"system", "code", "display"}
        assert event["recorded"].endswith("Z")
        assert event["action"] in {"C", "R", "U", "D", "E"}
        assert event["outcome"] in {"0", "4", "8", "12"}
        assert event["agent"]
        assert all(type(agent["requestor"]) is bool for agent in event["agent"])
        assert sum(agent["requestor"] for agent in event["agent"]) == 1
        assert event["source"]["observer"]["display"] == "Lausanne"
        assert event["source"]["site"] == "Test"
        for entity in event["entity"]:
            assert not ("name" in entity and "query" in entity), "R4's rule sev-1"
            for detail in entity["detail"]:
                assert set(detail) in ({"type", "valueString"}, {"type", "valueBase64Binary"})
                assert all(type(value) is str and value.strip() for value in detail.values())


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}", b'{"resourceType":"Bundle","type":"collection","entry":[1]}', b"a,b\r\n", b"\xff"]
)
def test_what_is_no_export_is_refused(data: bytes, run: Run, place: Path) -> None:
    (place / "other").write_bytes(data)
    code, _, err = run("verify", "--file", place / "other", as_json=False, profile=False)
    assert code == 1
    assert "is no export of an audit trail" in err


def test_another_sites_key_is_not_believed(run: Run, place: Path, tmp_path: Path) -> None:
    """Whoever signs a history of its own with a key of its own is in no roster."""
    (tmp_path / "elsewhere").mkdir()
    _, others = two_sites(tmp_path / "elsewhere", names=("Lausanne", "Basel"))
    others[0].store.settings.put("profile id", b"another")
    others[0].store.audit.add(others[0].member_key, at=1, kind="released", body=Entry().encode())
    for each in others:
        each.close()
    known = ("--federation", place / "test.federation")
    same = {each.name for each in (place / "Lausanne").iterdir()}
    assert same
    code, found, _ = run("verify", "--file", others[0].directory, *known, profile=False)
    assert (code, [each["code"] for each in found["problems"]]) == (1, ["audit.not_in_roster"])


def test_a_federation_is_for_files(run: Run, place: Path) -> None:
    code, _, err = run("verify", "--federation", place / "test.federation", as_json=False)
    assert (code, "--file" in err) == (1, True)
