"""What Windows is told of the program: names, identities, file types. Identities never change once released."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

NAME = "Consilium"
PUBLISHER = "Consilium"
PROGRAM, WINDOW = "consilium.exe", "consilium-window.exe"
UPGRADE_CODE = "{6B0F6A52-7C0B-5D0E-9B1C-0C51C6F6F2A1}"
"""Says to Windows Installer that two packages are versions of one product."""
_IDENTITIES = uuid.UUID("1b5f3a0e-4a5e-5b52-8f57-3d6d5d0a1c11")
EXTENSION, PROGID, FILE_TYPE = ".consilium", "Consilium.Package", "Consilium dataset package"
REGISTRY = r"Software\Consilium"


def guid(*names: str) -> str:
    """Return the identity of something by its names: the same in every build."""
    return f"{{{str(uuid.uuid5(_IDENTITIES, '/'.join(names))).upper()}}}"


def numbers(version: str) -> tuple[int, int, int]:
    """Return the three numbers of a version, as Windows Installer compares them; ValueError for any other."""
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"Windows knows no version {version}: it must be three numbers")
    major, minor, patch = map(int, found.groups())
    if major > 255 or minor > 255 or patch > 65535:
        raise ValueError(f"Windows Installer cannot tell version {version} from others: at most 255.255.65535")
    return major, minor, patch


def files_of(tree: Path) -> list[Path]:
    """Return all files of a built program, relative to it, in a fixed order.

    Raises ValueError if it is none, or has something that Windows could not hold.
    """
    if not (tree / PROGRAM).is_file() or not (tree / WINDOW).is_file():
        raise ValueError(f"{tree} is no program for Windows: {PROGRAM} and {WINDOW} must be in it")
    found = sorted((each for each in tree.rglob("*") if not each.is_dir()), key=lambda each: each.as_posix())
    for each in found:
        if each.is_symlink():
            raise ValueError(f"{each} is a link, which a Windows package cannot hold")
        if re.search(r'[<>:"|?*$`\x00-\x1f]', each.relative_to(tree).as_posix()):
            raise ValueError(f"{each} has a name that Windows or its installers cannot hold")
    folded = [each.as_posix().casefold() for each in found]
    if len(set(folded)) < len(folded):
        raise ValueError(f"{tree} has two files whose names differ in case only")
    return [each.relative_to(tree) for each in found]
