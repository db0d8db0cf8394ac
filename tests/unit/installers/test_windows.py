"""What the Windows installers are made of: identities that stay, versions that compare, files that fit."""

from __future__ import annotations

import importlib
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

import app
from tests.unit.installers.windows_tree import windows_tree

PLACE = Path(app.__file__).parents[1] / "installers/windows"
NAMES = ("msi", "nsis", "pe", "product", "signing")


@pytest.fixture
def modules() -> Iterator[dict[str, ModuleType]]:
    """The installers' modules, which are no package: other installers have some of the same names."""
    before = {name: sys.modules.pop(name, None) for name in NAMES}
    sys.path.insert(0, str(PLACE))
    try:
        yield {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.path.remove(str(PLACE))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def image(machine: int = 0x8664, *, magic: int = 0x20B, table: tuple[int, int] = (0, 0), count: int = 16) -> bytes:
    """Make the head of a Windows program."""
    head = b"MZ" + bytes(58) + struct.pack("<I", 64)
    optional = struct.pack("<H", magic) + bytes(90 if magic == 0x10B else 106) + struct.pack("<I", count)
    directories = bytes(32) + struct.pack("<II", *table) + bytes(88)
    return head + b"PE\0\0" + struct.pack("<H", machine) + bytes(18) + optional + directories + bytes(200)


@pytest.mark.parametrize("magic", [0x10B, 0x20B])
def test_signatures_are_seen(modules: dict[str, ModuleType], tmp_path: Path, magic: int) -> None:
    look, path = modules["pe"].look, tmp_path / "x.exe"
    plain = image(magic=magic)
    path.write_bytes(plain)
    assert (look(path).machine, look(path).signed) == (0x8664, False)
    path.write_bytes(image(magic=magic, table=(len(plain) - 100, 100)))
    assert look(path).signed
    for table in ((len(plain) - 100, 101), (len(plain), 8), (0, 100), (4, 0)):  # past the end, nothing, nowhere
        path.write_bytes(image(magic=magic, table=table))
        assert not look(path).signed
    path.write_bytes(image(magic=magic, table=(len(plain) - 100, 100), count=4))
    assert not look(path).signed


def test_what_is_no_program_is_none(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    look, path = modules["pe"].look, tmp_path / "x.exe"
    good = image()
    for data in (b"", b"MZ", b"\x7fELF" + bytes(100), good[:70], good[:100], good.replace(b"PE\0\0", b"PE\0x")):
        path.write_bytes(data)
        assert look(path) is None
    for cut in range(0, len(good), 7):  # whatever is missing, it says something or nothing
        path.write_bytes(good[:cut])
        assert look(path) is None or not look(path).signed
    path.write_bytes(b"MZ" + bytes(58) + struct.pack("<I", 0xFFFFFFF0) + bytes(100))
    assert look(path) is None


def test_what_is_to_be_signed(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    tree = windows_tree(tmp_path / "tree", "_internal/no program.dll")
    found = [each.relative_to(tree).as_posix() for each in modules["signing"].unsigned(tree)]
    assert found == ["_internal/python311.dll", "consilium-window.exe", "consilium.exe"]


def test_versions(modules: dict[str, ModuleType]) -> None:
    numbers = modules["product"].numbers
    assert numbers("0.1.0") == (0, 1, 0)
    assert numbers("255.255.65535") == (255, 255, 65535)
    for version in ("1.2", "1.2.3rc1", "256.0.0", "1.2.65536", "1.2.3.4"):
        with pytest.raises(ValueError, match=version.replace(".", r"\.")):
            numbers(version)


def test_identities_are_those_that_were_released(modules: dict[str, ModuleType]) -> None:
    """Another one, and Windows would keep two programs side by side, or leave files behind."""
    product = modules["product"]
    assert product.UPGRADE_CODE == "{6B0F6A52-7C0B-5D0E-9B1C-0C51C6F6F2A1}"
    assert product.guid("component", "consilium.exe") == GUID


GUID = "{E78B5CC0-FF60-5FCB-B28C-983EBEE52083}"


@pytest.mark.parametrize("name", ['a"b', "a$b", "a?b", "a:b"])
def test_names_that_windows_cannot_hold(modules: dict[str, ModuleType], tmp_path: Path, name: str) -> None:
    tree = windows_tree(tmp_path / "tree")
    (tree / name).write_text("x")
    with pytest.raises(ValueError, match="has a name that"):
        modules["product"].files_of(tree)


def test_trees_that_are_none(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    files_of = modules["product"].files_of
    with pytest.raises(ValueError, match=r"consilium\.exe"):
        files_of(tmp_path)
    tree = windows_tree(tmp_path / "tree", "_internal/A.txt", "_internal/a.txt")
    with pytest.raises(ValueError, match="in case only"):
        files_of(tree)
    (tree / "_internal/A.txt").unlink()
    (tree / "link").symlink_to("consilium.exe")
    with pytest.raises(ValueError, match="a link"):
        files_of(tree)


def test_the_msi_describes_every_file_once_and_the_same_in_every_build(
    modules: dict[str, ModuleType], tmp_path: Path
) -> None:
    wxs = modules["msi"].wxs
    one, two = (windows_tree(tmp_path / name / "tree") for name in ("one", "two"))
    assert wxs(one, "0.2.0") == wxs(two, "0.2.0")
    made, later = (ET.fromstring(wxs(one, version)) for version in ("0.2.0", "0.3.0"))  # noqa: S314 - our own
    space = {"w": "http://schemas.microsoft.com/wix/2006/wi"}
    sources = [each.get("Source") for each in made.iterfind(".//w:File", space)]
    assert sorted(sources) == sorted(f"tree/{each.as_posix()}" for each in modules["product"].files_of(one))  # type: ignore[type-var]
    identities = [each.get("Id") for each in made.iter() if each.get("Id") and not each.tag.endswith("Ref")]
    assert len(set(identities) - {None}) >= len(sources) * 2
    assert made.find("w:Product", space).get("Id") != later.find("w:Product", space).get("Id")  # type: ignore[union-attr]
    assert [each.get("Guid") for each in made.iterfind(".//w:Component", space)] == [
        each.get("Guid") for each in later.iterfind(".//w:Component", space)
    ]
