"""Which variables of a catalogue somebody holds, as one bit a variable in the catalogue's order."""

from __future__ import annotations

from collections.abc import Collection

from app.core.catalogue.model import MAX_VARIABLES, Catalogue
from app.core.errors import ProtocolViolation

MAX_BYTES = (MAX_VARIABLES + 7) // 8


def pack(catalogue: Catalogue, held: Collection[str]) -> bytes:
    """Return the bits: the first variable's is the highest of the first byte. Codes of no variable are left out."""
    bits = bytearray((len(catalogue.variables) + 7) // 8)
    for place, variable in enumerate(catalogue):
        if variable.code in held:
            bits[place >> 3] |= 0x80 >> (place & 7)
    return bytes(bits)


def holds(bits: bytes, place: int) -> bool:
    """Return whether the variable at ``place`` in the catalogue is held; nothing is beyond the end of the bits."""
    return place >> 3 < len(bits) and bool(bits[place >> 3] & (0x80 >> (place & 7)))


def unpack(catalogue: Catalogue, bits: bytes) -> frozenset[str]:
    """Return the codes that are held; raises ProtocolViolation ``catalogue.other_size`` for another catalogue's."""
    if len(bits) != (len(catalogue.variables) + 7) // 8:
        raise ProtocolViolation("catalogue.other_size", size=len(bits), variables=len(catalogue.variables))
    return frozenset(
        variable.code for place, variable in enumerate(catalogue) if bits[place >> 3] & (0x80 >> (place & 7))
    )
