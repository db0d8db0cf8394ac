"""The program's picture for Windows and macOS: every size is there, and is the picture."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

import app

INSTALLERS = Path(app.__file__).parents[1] / "installers"


def ico() -> dict[int, bytes]:
    data = (INSTALLERS / "windows/consilium.ico").read_bytes()
    reserved, kind, count = struct.unpack_from("<3H", data)
    assert (reserved, kind) == (0, 1)
    found = {}
    for place in range(count):
        size, *_, length, offset = struct.unpack_from("<4B2H2I", data, 6 + 16 * place)
        found[size or 256] = data[offset : offset + length]
    return found


def icns() -> dict[bytes, bytes]:
    data = (INSTALLERS / "macos/consilium.icns").read_bytes()
    assert data[:4] == b"icns"
    assert struct.unpack_from(">I", data, 4) == (len(data),)
    found, place = {}, 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place + 4)
        found[data[place : place + 4]] = data[place + 8 : place + length]
        place += length
    return found


@pytest.mark.parametrize("size", [16, 32, 48, 256])
def test_windows(size: int) -> None:
    image = QImage.fromData(ico()[size])
    assert (image.width(), image.height()) == (size, size)
    assert len({image.pixel(x, y) for x in range(size) for y in range(size)}) > 2


@pytest.mark.parametrize(("type_", "size"), [(b"icp4", 16), (b"ic07", 128), (b"ic09", 512), (b"ic10", 1024)])
def test_macos(type_: bytes, size: int) -> None:
    image = QImage.fromData(icns()[type_])
    assert (image.width(), image.height()) == (size, size)
    assert image.pixelColor(0, 0).alpha() == 0
