"""What decides about the built program, without building it: contents, sizes, licences, archives, glibc."""

from __future__ import annotations

import ast
import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INSTALLERS = ROOT / "installers"
sys.path[:0] = [str(INSTALLERS), str(INSTALLERS / "pyinstaller")]

import compare  # noqa: E402
import contents  # noqa: E402
import finish  # noqa: E402
import glibc  # noqa: E402
import sbom  # noqa: E402


def imported() -> set[str]:
    """Return every module that the program names in an import."""
    found = set()
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def test_the_specification_is_python_and_names_the_contents() -> None:
    tree = ast.parse((INSTALLERS / "pyinstaller/consilium.spec").read_text("utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {"excluded", "hidden_imports", "kept_binaries", "kept_data", "metadata_data", "vocabulary_data"} <= used


def test_nothing_that_the_program_imports_is_left_out() -> None:
    used = imported()
    assert "PySide6.QtWidgets" in used
    wrong = [each for each in contents.EXCLUDED for name in used if f"{name}.".startswith(f"{each}.")]
    assert wrong == []


def test_tests_and_tools_are_left_out_and_the_classification_of_the_who_unless_wanted() -> None:
    assert {"tests", "pytest", "opendp", "pandas", "tkinter", contents.WHO_ICD} <= set(contents.excluded(False))
    assert contents.WHO_ICD not in contents.excluded(True)
    assert {target for _, target in contents.vocabulary_data(False)} == {"ucumvert/vendor", "simple_icd_10_cm/data"}


def test_every_module_of_the_program_goes_along_for_some_are_loaded_by_name() -> None:
    named = contents.hidden_imports(ROOT)
    assert {"app", "app.ui.views.home", "app.core.preparation.sources.omop", "app.plots"} <= set(named)
    assert all((ROOT / each.replace(".", "/")).with_suffix(".py").exists() or (ROOT / each.replace(".", "/")).is_dir()
               for each in named if each.split(".")[0] == "app")  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such libraries")
def test_what_draws_is_the_systems_and_qts_unused_plugins_stay_away() -> None:
    places = {
        "PySide6/Qt/plugins/platforms/libqxcb.so": True,
        "PySide6/Qt/plugins/sqldrivers/libqsqlmysql.so": False,
        "PySide6/Qt/lib/libQt6Core.so.6": True,
        "libQt6EglFsKmsSupport.so.6": False,
        "libxcb-cursor.so.0": False,
        "libstdc++.so.6": False,
        "libcrypto.so.3": True,
        "pillow.libs/libxcb-9065bb12.so.1.1.0": True,
    }
    kept = {where for where, _, _ in contents.kept_binaries([(where, "", "BINARY") for where in places])}
    assert kept == {where for where, wanted in places.items() if wanted}


def test_only_used_translations_of_qt_and_no_tests_of_libraries() -> None:
    places = {
        "PySide6/Qt/translations/qtbase_de.qm": True,
        "PySide6/Qt/translations/qtbase_ja.qm": False,
        "numpy/tests/data/a.csv": False,
        "resources/translations/ui.de.toml": True,
        "matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf": True,
        "keyring-25.7.0.dist-info/RECORD": False,
    }
    kept = {where for where, _, _ in contents.kept_data([(where, "", "DATA") for where in places])}
    assert kept == {where for where, wanted in places.items() if wanted}


def test_every_locked_package_has_its_licence_text() -> None:
    locked = sbom.locked(INSTALLERS / "locks/run.txt")
    here = {sbom.canonical(each.name) for each in importlib.metadata.distributions()}
    found = [sbom.python_part(name) for name in sorted(locked.keys() & here - {"pip", "setuptools"})]  # never shipped
    assert len(found) > 60
    for part in found:
        assert part.version in locked[part.name]
        assert all(text.stat().st_size > 20 for text in part.texts)
        assert part.licence != "see the licence text"


def test_qt_is_shipped_with_its_licence_and_how_to_replace_it(tmp_path: Path) -> None:
    sbom.write_licences([sbom.python_part("PySide6-Essentials")], tmp_path / "licences")
    place = tmp_path / "licences/pyside6-essentials"
    assert {each.name for each in place.iterdir()} == {"Qt.md", "LGPL-3.0.txt", "GPL-3.0.txt"}
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in (place / "LGPL-3.0.txt").read_text()


def test_the_build_has_what_is_locked_for_running() -> None:
    run, build = (sbom.locked(INSTALLERS / f"locks/{name}.txt") for name in ("run", "build"))
    assert run.items() <= build.items()
    assert {"pyinstaller", "cyclonedx-python-lib"} <= build.keys()


def program(place: Path) -> Path:
    """Make something like a built program."""
    (place / "_internal/PySide6").mkdir(parents=True)
    (place / "consilium").write_bytes(b"x" * 3000)
    (place / "_internal/PySide6/libQt6Core.so.6").write_bytes(b"y" * 7000)
    (place / "_internal/libcrypto.so.3").write_bytes(b"z" * 1000)
    (place / "_internal/libQt6Core.so.6").symlink_to("PySide6/libQt6Core.so.6")
    return place


def test_sizes_are_reported_by_part_and_links_count_nothing(tmp_path: Path) -> None:
    parts = finish.sizes(program(tmp_path / "consilium"))
    assert parts == {"PySide6": 7000, "consilium": 3000, "libcrypto.so.3": 1000}
    assert "as aimed at" in finish.report(parts)
    assert "more than the 350 MB aimed at" in finish.report({"PySide6": finish.AIM + 1})


@pytest.mark.skipif(sys.platform != "linux", reason="the archive is for Linux")
def test_the_same_tree_gives_the_same_archive_and_a_difference_is_found(tmp_path: Path) -> None:
    one, other = program(tmp_path / "one"), program(tmp_path / "two")
    (other / "_internal/libcrypto.so.3").chmod(0o777)
    for tree in (one, other):
        finish.settle(tree, 1_700_000_000)
        (tmp_path / f"{tree.name}-archive").mkdir()
        finish.pack(tree, tmp_path / f"{tree.name}-archive/consilium-1.tar.gz", 1_700_000_000)
    archives = [tmp_path / f"{name}-archive/consilium-1.tar.gz" for name in ("one", "two")]
    assert archives[0].read_bytes() == archives[1].read_bytes()
    facts = compare.of_archive(archives[0])
    assert sorted(facts)[:2] == ["consilium-1", "consilium-1/_internal"]
    assert facts["consilium-1/consilium"].startswith("755 ")
    assert compare.main([str(one), str(other)]) == 0
    (other / "_internal/libcrypto.so.3").write_bytes(b"other")
    assert [line.partition(":")[0] for line in compare.differences(*map(compare.of_tree, (one, other)))] == [
        "_internal/libcrypto.so.3"
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no glibc")
def test_a_python_built_on_a_newer_system_asks_for_the_older_functions(tmp_path: Path) -> None:
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    source = library if library.is_file() else Path(sys.executable).resolve()
    copy = tmp_path / source.name
    shutil.copy(source, copy)
    before = {each for need in glibc.too_new(copy, (2, 2, 5)) for each in need.functions}
    assert "pthread_create" in before or "dlopen" in before
    asked = {each for need in glibc.too_new(copy) for each in need.functions}
    assert sorted(glibc.lower(copy)) == sorted(asked & glibc.SAME_BEFORE)
    assert not glibc.SAME_BEFORE & {each for need in glibc.too_new(copy) for each in need.functions}
    command = [str(copy if source != library else sys.executable), "-I", "-c", "print(abs(complex(3e200, 4e200)))"]
    home = {"LD_LIBRARY_PATH": str(tmp_path), "PYTHONHOME": sys.base_prefix}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=home)
    assert told.stdout == f"{abs(complex(3e200, 4e200))}\n"


def test_a_file_that_is_no_library_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    assert glibc.needs(tmp_path / "text") == []
