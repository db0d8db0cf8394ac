"""The order in which a bundle is signed: what is inside first, since a signature covers what is in it.

Source: Apple, TN2206 and “Creating distribution-signed code for macOS”. ``codesign --deep`` is not for signing.
"""

from __future__ import annotations

import struct
from pathlib import Path

_THIN = {0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE}
_FAT = {0xCAFEBABE, 0xCAFEBABF}
_MOST_ARCHITECTURES = 16  # a Java class begins as a fat file does, and says 45 or more here
_NESTED = (".framework", ".app", ".bundle", ".xpc", ".plugin")


def is_code(path: Path) -> bool:
    """Return whether a file is a Mach-O program or library, for one architecture or for several."""
    with open(path, "rb") as file:
        head = file.read(8)
    if len(head) < 8:
        return False
    magic, count = struct.unpack(">II", head)
    return magic in _THIN or (magic in _FAT and 1 <= count <= _MOST_ARCHITECTURES)


def to_sign(bundle: Path) -> list[Path]:
    """Return all that has to be signed in a bundle, the innermost first, the bundle last; links are followed never."""
    code = [each for each in bundle.rglob("*") if each.is_file() and not each.is_symlink() and is_code(each)]
    nested = [each for each in bundle.rglob("*") if each.is_dir() and not each.is_symlink() and each.suffix in _NESTED]
    main = bundle / "Contents/MacOS" / "consilium"
    inside = [each for each in (*code, *nested) if each != main]  # the main program is signed with its bundle
    return [*sorted(inside, key=lambda each: (-len(each.parts), each.as_posix())), bundle]
