"""The macOS bundle as far as it can be looked at without a Mac: what it says of itself, and the order of signing."""

from __future__ import annotations

import importlib
import plistlib
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

import app

INSTALLERS = Path(app.__file__).parents[1] / "installers"
CODE = struct.pack(">II", 0xCFFAEDFE, 1) + bytes(24)


@pytest.fixture
def modules() -> Iterator[dict[str, ModuleType]]:
    sys.path.insert(0, str(INSTALLERS / "macos"))
    try:
        yield {name: importlib.import_module(name) for name in ("info", "inside_out")}
    finally:
        sys.path.remove(str(INSTALLERS / "macos"))
        for name in ("info", "inside_out"):
            sys.modules.pop(name, None)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle as PyInstaller lays it out, of files that begin as code does."""
    place = tmp_path / "Consilium.app"
    for name in (
        "MacOS/consilium", "Frameworks/Python", "Frameworks/QtCore.framework/Versions/A/QtCore",
        "Frameworks/PySide6/Qt/plugins/platforms/libqcocoa.dylib", "Frameworks/deep/er/x.so",
    ):  # fmt: skip
        (place / "Contents" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "Contents" / name).write_bytes(CODE)
    (place / "Contents/Resources").mkdir()
    (place / "Contents/Resources/notes.txt").write_text("no code")
    (place / "Contents/Frameworks/QtCore.framework/QtCore").symlink_to("Versions/A/QtCore")
    return place


def test_property_lists_are_whole(modules: dict[str, ModuleType]) -> None:
    info = modules["info"]
    for plain in (info.info("0.1.0"), info.entitlements(), info.agent()):
        assert plistlib.loads(info.written(plain)) == plain
    said = info.info("0.1.0")
    assert (said["CFBundleShortVersionString"], said["LSMinimumSystemVersion"]) == ("0.1.0", "14.0")
    assert said["CFBundleLocalizations"] == ["en", "fr", "de"]
    assert not [name for name in said if name.endswith("UsageDescription")]
    assert list(info.entitlements()) == ["com.apple.security.cs.allow-unsigned-executable-memory"]
    assert info.agent()["ProgramArguments"][1:] == ["agent", "--stay"]


def test_the_file_type_is_that_of_the_other_systems(modules: dict[str, ModuleType]) -> None:
    (declared,) = modules["info"].info("0.1.0")["UTExportedTypeDeclarations"]
    tags = declared["UTTypeTagSpecification"]
    root = ET.parse(INSTALLERS / "linux/consilium/consilium.xml").getroot()  # noqa: S314 - our own
    space = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
    types = {each.get("type"): each for each in root.iterfind("m:mime-type", space)}
    (mime,) = tags["public.mime-type"]
    globs = [each.get("pattern") for each in types[mime].iterfind("m:glob", space)]
    assert globs == [f"*.{extension}" for extension in tags["public.filename-extension"]]


@pytest.mark.parametrize("magic", [0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE, 0xCAFEBABE, 0xCAFEBABF])
def test_code_is_known_by_its_first_bytes(modules: dict[str, ModuleType], tmp_path: Path, magic: int) -> None:
    is_code, file = modules["inside_out"].is_code, tmp_path / "x"
    file.write_bytes(struct.pack(">II", magic, 2) + bytes(20))
    assert is_code(file)
    file.write_bytes(struct.pack(">II", magic, 2)[:7])
    assert not is_code(file)


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF\2\1\1\0", struct.pack(">II", 0xCAFEBABE, 61), bytes(8)]
)
def test_what_is_no_code(modules: dict[str, ModuleType], tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert not modules["inside_out"].is_code(tmp_path / "x")


def test_what_is_inside_is_signed_first(modules: dict[str, ModuleType], bundle: Path) -> None:
    order = modules["inside_out"].to_sign(bundle)
    assert order[-1] == bundle
    assert len(set(order)) == len(order)
    for place, each in enumerate(order):
        assert not any(each in later.parents for later in order[place + 1 :]), each
    named = {each.relative_to(bundle).as_posix() for each in order}
    assert "Contents/Frameworks/QtCore.framework" in named
    assert "Contents/Frameworks/QtCore.framework/Versions/A/QtCore" in named
    assert "Contents/Frameworks/QtCore.framework/QtCore" not in named  # a link
    assert "Contents/MacOS/consilium" not in named  # with its bundle
    assert "Contents/Resources/notes.txt" not in named


def dry_run(bundle: Path, output: Path, **environment: str) -> str:
    command = [sys.executable, str(INSTALLERS / "macos/package.py"), "--app", str(bundle), "--output", str(output)]
    done = subprocess.run([*command, "--dry-run"], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_dry_run_says_every_step_in_order(bundle: Path, tmp_path: Path) -> None:
    names = {"CONSILIUM_SIGN_IDENTITY": "Developer ID Application: X", "CONSILIUM_SIGN_INSTALLER": "Installer: X"}
    said = dry_run(bundle, tmp_path, **names, CONSILIUM_NOTARY_PROFILE="release")
    steps = [line.split()[0] if not line.startswith("xcrun") else line.split()[1] for line in said.splitlines()]
    signed = steps.index("hdiutil")
    assert set(steps[:signed]) == {"codesign"}
    assert "--verify" in said.splitlines()[signed - 1]
    assert "--entitlements" in said.splitlines()[signed - 2]
    assert steps[signed:] == [
        "hdiutil", "pkgbuild", "codesign", "notarytool", "stapler", "notarytool", "stapler", "spctl",
    ]  # fmt: skip
    assert said.count("--options runtime --timestamp") == signed - 1
    assert "--deep" not in " ".join(line for line in said.splitlines() if "--sign" in line)


def test_without_a_key_it_says_so(bundle: Path, tmp_path: Path) -> None:
    said = dry_run(bundle, tmp_path)
    assert "NOT SIGNED" in said
    assert "NOT NOTARIZED" in said
    assert "codesign" not in said


@pytest.mark.skipif(sys.platform == "darwin", reason="says what is missing elsewhere than on macOS")
def test_elsewhere_it_says_what_it_needs(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(INSTALLERS / "macos/package.py"), "--app"]
    done = subprocess.run([*command, str(bundle)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs macOS" in done.stderr
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "Contents/MacOS/consilium" in done.stderr
