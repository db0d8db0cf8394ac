#!/usr/bin/env python3
"""Compare two built programs, or two archives, and list what differs.

    python installers/compare.py dist/consilium other/dist/consilium

Ends with 0 if every file, mode, time and link is the same, else with 1.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
from pathlib import Path

Facts = dict[str, str]
"""What is to be the same, by the place of a file: its kind, mode, time, and content or goal."""


def of_tree(tree: Path) -> Facts:
    """Return the facts of a folder."""
    found = {}
    for path in sorted(tree.rglob("*")):
        about = path.lstat()
        what = f"link to {os.readlink(path)}" if path.is_symlink() else "folder"
        if path.is_file() and not path.is_symlink():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(tree).as_posix()] = f"{about.st_mode:o} {int(about.st_mtime)} {what}"
    return found


def of_archive(archive: Path) -> Facts:
    """Return the facts of an archive's content."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            what = hashlib.sha256(file.read()).hexdigest() if file is not None else f"link to {member.linkname}"
            found[member.name] = f"{member.mode:o} {member.mtime} {what}"
    return found


def differences(one: Facts, other: Facts) -> list[str]:
    """Return a line for each place that differs, sorted."""
    lines = []
    for place in sorted(one.keys() | other.keys()):
        if place not in one or place not in other:
            lines.append(f"{place}: only in the {'first' if place in one else 'second'}")
        elif one[place] != other[place]:
            lines.append(f"{place}: {one[place]} / {other[place]}")
    return lines


def main(arguments: list[str]) -> int:
    """Compare what the arguments name."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    paths = [Path(each) for each in arguments]
    found = differences(*(of_tree(path) if path.is_dir() else of_archive(path) for path in paths))
    if not found and all(path.is_file() for path in paths) and paths[0].read_bytes() != paths[1].read_bytes():
        found = ["the archives themselves: the same content, packed differently"]
    print("\n".join(found) or "No difference.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
