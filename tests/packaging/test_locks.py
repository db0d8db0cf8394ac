from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "installers/locks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUN = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
DEV = [*RUN, *PROJECT["dependency-groups"]["dev"]]


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock file (more than one where they differ between Pythons)."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", (LOCKS / name).read_text("utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize(("name", "wanted"), [("run.txt", RUN), ("dev.txt", DEV)])
def test_the_lock_holds_what_the_project_asks_for(name: str, wanted: list[str]) -> None:
    versions = locked(name)
    for requirement in map(Requirement, wanted):
        here = versions.get(canonicalize_name(requirement.name), set())
        assert here, f"{requirement} is not in {name}: run installers/locks/update"
        assert all(requirement.specifier.contains(version) for version in here), requirement


def test_tests_run_on_exactly_what_people_get() -> None:
    run, dev = locked("run.txt"), locked("dev.txt")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_everything_has_a_hash_and_no_place(name: str) -> None:
    text = (LOCKS / name).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    for block in re.split(r"\n(?=[\w])", text):
        assert re.match(r"#|[\w.-]+==\S+( ; .*)? \\\n    --hash=sha256:[0-9a-f]{64}", block), block[:100]


def test_every_import_is_of_something_declared() -> None:
    declared = {canonicalize_name(Requirement(each).name) for each in PROJECT["project"]["dependencies"]}
    known = packages_distributions()
    undeclared = {
        f"{module} ({path.name})"
        for path in (ROOT / "app").rglob("*.py")
        for module in imported(ast.parse(path.read_text("utf-8")))
        if module not in sys.stdlib_module_names | {"app"}
        and not declared & {canonicalize_name(name) for name in known.get(module, [])}
    }
    assert not undeclared


def test_what_only_tests_need_is_not_shipped() -> None:
    assert not {"opendp", "pytest", "mypy", "ruff"} & locked("run.txt").keys()
