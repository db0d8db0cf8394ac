"""What happens to the program's folder after PyInstaller: made small, made the same every time, measured, packed."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import glibc

AIM = 350_000_000
"""Bytes unpacked that the program should not exceed on Linux."""
LIMIT = 400_000_000
"""Bytes unpacked at which the build fails."""
PARTS_SHOWN = 18
_AS_THEY_ARE = (".libs/", "PySide6/", "shiboken6/")
"""Not stripped: libraries that auditwheel has rewritten, and Qt's, which are as their makers built them."""


def files(tree: Path) -> Iterator[Path]:
    """Yield every file of the program, sorted; links are none."""
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def is_elf(path: Path) -> bool:
    """Tell whether the file is a library or a program of Linux."""
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def strip(tree: Path) -> int:
    """Take out what only debuggers read; return how many bytes that were. Linux only."""
    saved = 0
    if sys.platform != "linux":
        return saved
    if shutil.which("strip") is None:
        sys.exit("strip is missing: apt-get install binutils")
    for path in files(tree / "_internal"):
        if is_elf(path) and not any(each in path.as_posix() for each in _AS_THEY_ARE):
            before = path.stat().st_size
            path.chmod(0o755)
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)
            saved += before - path.stat().st_size
    return saved


def fit_glibc(tree: Path) -> tuple[int, ...]:
    """Make the program start on the oldest glibc that is supported; return the newest that it asks for.

    Ends the build if something in it asks for a newer one.
    """
    newest: tuple[int, ...] = (0,)
    bad = []
    for path in files(tree):
        if not is_elf(path):
            continue
        if functions := glibc.lower(path):
            print(f"{path.name} asks for the older {', '.join(functions)}")
        for need in glibc.needs(path):
            newest = max(newest, need.glibc)
            if need.glibc > glibc.OLDEST:
                bad.append(f"{path.relative_to(tree)}: {need.version} for {', '.join(need.functions)}")
    if bad:
        sys.exit("Asks for a newer glibc than is supported:\n  " + "\n  ".join(bad))
    return newest


def settle(tree: Path, epoch: int) -> None:
    """Give every file the same mode and time (seconds) whoever builds, and whenever."""
    for path in sorted([tree, *tree.rglob("*")], reverse=True):
        if path.is_symlink():
            os.utime(path, (epoch, epoch), follow_symlinks=False)
            continue
        program = path.is_dir() or (path.parent == tree and path.suffix in ("", ".exe"))
        path.chmod(0o755 if program else 0o644)
        os.utime(path, (epoch, epoch))


def sizes(tree: Path) -> dict[str, int]:
    """Return the bytes of each part directly below ``_internal`` and beside it, the largest first."""
    parts: Counter[str] = Counter()
    for path in files(tree):
        inside = path.relative_to(tree).parts
        parts[inside[1] if inside[0] == "_internal" and len(inside) > 1 else inside[0]] += path.stat().st_size
    return dict(sorted(parts.items(), key=lambda part: (-part[1], part[0])))


def report(parts: dict[str, int]) -> str:
    """Return the size in words, part by part."""
    total = sum(parts.values())
    shown = list(parts.items())[:PARTS_SHOWN]
    rest = total - sum(size for _, size in shown)
    lines = [
        f"{size / 1e6:7.1f} MB  {name}" for name, size in [*shown, (f"{len(parts) - len(shown)} more", rest)] if size
    ]
    verdict = "as aimed at" if total <= AIM else f"more than the {AIM / 1e6:.0f} MB aimed at"
    return "\n".join([*lines, f"{total / 1e6:7.1f} MB  altogether, {verdict}; {LIMIT / 1e6:.0f} MB is the limit"])


def pack(tree: Path, target: Path, epoch: int) -> None:
    """Write ``target``, a .tar.gz of the tree in a folder of its name; the same tree gives the same bytes."""
    folder = target.name.removesuffix(".tar.gz")
    with (
        open(target, "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=epoch) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in [tree, *sorted(tree.rglob("*"))]:
            member = tar.gettarinfo(path, f"{folder}/{path.relative_to(tree).as_posix()}".removesuffix("/."))
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "root", "root"
            if member.isfile():
                with open(path, "rb") as file:
                    tar.addfile(member, file)
            else:
                tar.addfile(member)
