#!/usr/bin/env python3
"""Draw the program's picture as Windows and macOS keep it: ``windows/consilium.ico`` and ``macos/consilium.icns``.

    python installers/icons.py

Both are kept in the repository, so that a build needs no screen. Both are containers of PNG pictures (ICO since Windows
Vista; ICNS: a type and a length before each picture).
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HERE = Path(__file__).resolve().parent

from PySide6.QtCore import QBuffer, QIODevice, Qt  # noqa: E402
from PySide6.QtGui import QGuiApplication, QImage, QPainter  # noqa: E402
from PySide6.QtSvg import QSvgRenderer  # noqa: E402

ICO_SIZES = (16, 24, 32, 48, 64, 128, 256)
ICNS_TYPES = {b"icp4": 16, b"icp5": 32, b"ic11": 32, b"ic12": 64, b"ic07": 128, b"ic13": 256, b"ic08": 256,
              b"ic14": 512, b"ic09": 512, b"ic10": 1024}  # fmt: skip


def picture(size: int) -> bytes:
    """Return the picture as PNG."""
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(HERE.parent / "resources/icons/logo.svg")).render(painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def ico(pictures: dict[int, bytes]) -> bytes:
    """Return an ICO of square pictures by their size."""
    head, offset = struct.pack("<3H", 0, 1, len(pictures)), 6 + 16 * len(pictures)
    for size, data in sorted(pictures.items()):
        head += struct.pack("<4B2H2I", size % 256, size % 256, 0, 0, 1, 32, len(data), offset)
        offset += len(data)
    return head + b"".join(data for _, data in sorted(pictures.items()))


def icns(pictures: dict[bytes, bytes]) -> bytes:
    """Return an ICNS of pictures by their type."""
    whole = b"".join(type_ + struct.pack(">I", 8 + len(data)) + data for type_, data in pictures.items())
    return b"icns" + struct.pack(">I", 8 + len(whole)) + whole


def main() -> int:
    """Write both files and return the exit code."""
    application = QGuiApplication([])
    drawn = {size: picture(size) for size in sorted({*ICO_SIZES, *ICNS_TYPES.values()})}
    (HERE / "windows/consilium.ico").write_bytes(ico({size: drawn[size] for size in ICO_SIZES}))
    (HERE / "macos/consilium.icns").write_bytes(icns({type_: drawn[size] for type_, size in ICNS_TYPES.items()}))
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main())
