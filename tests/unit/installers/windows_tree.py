"""A tree shaped like a built program for Windows, of real Windows programs: a build of the whole needs Windows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pip._vendor.distlib as launchers


def windows_tree(place: Path, *more: str) -> Path:
    """Make one with the launchers that pip has for Windows; ``more`` are texts beside them, by their paths."""
    for name, launcher in (("consilium.exe", "t64.exe"), ("consilium-window.exe", "w64.exe")):
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(launchers.__file__).with_name(launcher), place / name)
    for each in ("_internal/build.json", "_internal/resources/Spital Zürich/données.txt", *more):
        (place / each).parent.mkdir(parents=True, exist_ok=True)
        (place / each).write_text(f"{each}\n", "utf-8")
    library = place / "_internal/python311.dll"  # a library is a program with another name, for what is tested here
    shutil.copyfile(place / "consilium.exe", library)
    return place
