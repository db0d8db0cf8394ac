"""Which glibc a library asks for, and how one that was built on a newer system is brought to ask for an older one.

A library names with each function of glibc the version that introduced it in its present form. Python built where
glibc is 2.35 or newer asks for the ``hypot`` of 2.35, for no other reason than that it was there; the one before takes
and returns the same (it also sets ``errno``, which Python overwrites). Asking for that one instead lets the program
start on glibc 2.34. Only functions named in :data:`SAME_BEFORE` are treated so; anything else too new ends the build.

Reads 64-bit little-endian ELF, which is all that is built.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (2, 34)
"""Of RHEL 9; Ubuntu 22.04 has 2.35, Debian 12 has 2.36."""
SAME_BEFORE = frozenset({"hypot"})
_FIRST = ("GLIBC_2.2.5", "GLIBC_2.17")  # the oldest version on x86-64 and on ARM
_DYNSYM, _VERNEED, _VERSYM = 11, 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True)
class Need:
    """A version that a library asks for: of which file, by which functions, and where in the library that stands."""

    file: str
    version: str
    functions: tuple[str, ...]
    place: int

    @property
    def glibc(self) -> tuple[int, ...]:
        """The version as numbers; (0,) if it is none of glibc."""
        found = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", self.version)
        return tuple(map(int, found[1].split("."))) if found else (0,)


def needs(path: Path) -> list[Need]:
    """Return what a library or program asks for; nothing for a file of another kind."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x7fELF\x02\x01":
            return []
    return _needs(path.read_bytes())


def too_new(path: Path, oldest: tuple[int, ...] = OLDEST) -> list[Need]:
    """Return what a library asks for that a glibc of version ``oldest`` does not have."""
    return [need for need in needs(path) if need.glibc > oldest]


def lower(path: Path, oldest: tuple[int, ...] = OLDEST) -> list[str]:
    """Have ``path`` ask for older forms of the functions in SAME_BEFORE; return which functions that were."""
    changed = []
    data = bytearray(path.read_bytes())
    found = needs(path)
    for need in found:
        if need.glibc <= oldest or not need.functions or not SAME_BEFORE.issuperset(need.functions):
            continue
        older = next((each for each in found if each.file == need.file and each.version in _FIRST), None)
        if older is None:
            continue
        data[need.place : need.place + 4] = data[older.place : older.place + 4]  # the hash of the version's name
        data[need.place + 8 : need.place + 12] = data[older.place + 8 : older.place + 12]  # where the name stands
        changed += need.functions
    if changed:
        path.write_bytes(data)
    return changed


def _needs(data: bytes) -> list[Need]:
    sections = list(_sections(data))
    symbols, versions = _of_kind(sections, _DYNSYM), _of_kind(sections, _VERSYM)
    table = _of_kind(sections, _VERNEED)
    if table is None:
        return []
    users: dict[int, list[str]] = {}
    if symbols is not None and versions is not None:
        names = sections[symbols[3]][1]
        for number in range(symbols[2] // 24):
            (index,) = struct.unpack_from("<H", data, versions[1] + 2 * number)
            (name,) = struct.unpack_from("<I", data, symbols[1] + 24 * number)
            users.setdefault(index & 0x7FFF, []).append(_text(data, names + name))
    names, found, at = sections[table[3]][1], [], table[1]
    while True:
        _, count, file, first, following = struct.unpack_from("<HHIII", data, at)
        place = at + first
        for _ in range(count):
            _, _, index, name, further = struct.unpack_from("<IHHII", data, place)
            used = tuple(sorted(users.get(index & 0x7FFF, ())))
            found.append(Need(_text(data, names + file), _text(data, names + name), used, place))
            place += further
        if not following:
            return found
        at += following


def _sections(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (kind, offset, size, which section it refers to)."""
    (start,) = struct.unpack_from("<Q", data, 0x28)
    each, count = struct.unpack_from("<HH", data, 0x3A)
    for number in range(count):
        _, kind, _, _, offset, size, link = struct.unpack_from("<IIQQQQI", data, start + each * number)
        yield kind, offset, size, link


def _of_kind(sections: list[tuple[int, int, int, int]], kind: int) -> tuple[int, int, int, int] | None:
    return next((each for each in sections if each[0] == kind), None)


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode("ascii", "replace")
