"""Looks into Windows programs and libraries (PE): for which machine they are, and whether they are signed.

Source: Microsoft, PE Format (the certificate table is the fifth data directory and holds a file offset).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

AMD64 = 0x8664
_PE32, _PE32_PLUS = 0x10B, 0x20B


@dataclass(frozen=True)
class Image:
    """What a file says of itself."""

    machine: int
    signed: bool


def look(path: Path) -> Image | None:
    """Return what a PE file says, None if it is none."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:2] != b"MZ":
            return None
        (start,) = struct.unpack_from("<I", head, 60)
        file.seek(start)
        header = file.read(24 + 240)
    if len(header) < 26 or header[:4] != b"PE\0\0":
        return None
    (machine,), (magic,) = struct.unpack_from("<H", header, 4), struct.unpack_from("<H", header, 24)
    if magic not in (_PE32, _PE32_PLUS):
        return None
    directories = 24 + (112 if magic == _PE32_PLUS else 96)
    if len(header) < directories:
        return None
    (count,) = struct.unpack_from("<I", header, directories - 4)
    if count < 5 or len(header) < directories + 40:
        return Image(machine, False)
    offset, size = struct.unpack_from("<II", header, directories + 32)
    return Image(machine, offset > 0 and 8 <= size <= path.stat().st_size - offset)
