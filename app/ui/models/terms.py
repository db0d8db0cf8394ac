"""What is dragged and copied: one versioned format that carries ids, never trusted when it comes back.

Canonical CBOR ``{catalogue, terms, canvas, parts, link}``: variables by code, each with a level or null; or the parts
of a canvas (named by its random token) by their ids, to be moved; or its term ``link``, to be linked in time (else 0).
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QMimeData

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.errors import ProtocolViolation, UserError
from app.core.fields import Fields
from app.core.query.model import Levels
from app.ui.models.criteria import Content, initial

TERMS_MIME = "application/x-consilium-terms;v=2"
_LIMIT = 1 << 16
_MOST = 100
_CODE = "criteria.foreign"


@dataclass(frozen=True)
class Offer:
    """Variables of the catalogue with this hash, or the parts of a canvas."""

    catalogue: bytes
    terms: tuple[tuple[str, str | None], ...] = ()
    canvas: bytes = b""
    parts: tuple[int, ...] = ()
    link: int = 0


def offer_to_bytes(offer: Offer) -> bytes:
    """Return an offer as it is dragged."""
    terms = [[code, level] for code, level in offer.terms]
    plain = {"catalogue": offer.catalogue, "terms": terms, "canvas": offer.canvas, "parts": list(offer.parts)}
    return codec.encode({**plain, "link": offer.link})


def offer_of(data: QMimeData) -> Offer | None:
    """Read what is dragged or pasted; None if it is something else. Raises UserError ``criteria.foreign``."""
    if not data.hasFormat(TERMS_MIME):
        return None
    try:
        fields = Fields.decode(bytes(data.data(TERMS_MIME).data()), _LIMIT, _CODE)
        hash_, canvas = fields.bytes("catalogue", 0, 32), fields.bytes("canvas", 0, 16)
        terms, parts = fields.items("terms", _MOST), fields.items("parts", _MOST)
        link = fields.number("link", 0, 1 << 53)
        fields.done()
    except ProtocolViolation as error:
        raise UserError("criteria.foreign") from error
    if any(type(part) is not int for part in parts) or any(not _is_term(term) for term in terms):
        raise UserError("criteria.foreign")
    return Offer(hash_, tuple((term[0], term[1]) for term in terms), canvas, tuple(parts), link)


def _is_term(term: object) -> bool:
    return isinstance(term, list) and len(term) == 2 and type(term[0]) is str and isinstance(term[1], str | None)


def contents_of(offer: Offer, catalogue: Catalogue, hash_: bytes) -> list[Content]:
    """Return the terms that an offer of variables brings, levels of one variable together.

    Raises UserError ``criteria.foreign`` for variables of another catalogue.
    """
    levels: dict[str, set[str]] = {}
    contents: dict[str, Content] = {}
    if offer.catalogue != hash_:
        raise UserError("criteria.foreign")
    for code, level in offer.terms:
        variable = catalogue.find(code)
        if variable is None or (level is not None and level not in {each.code for each in variable.levels}):
            raise UserError("criteria.foreign")
        if level is not None:
            levels.setdefault(code, set()).add(level)
            contents[code] = Levels(code, frozenset(levels[code]))
        else:
            contents[code] = initial(code, variable.kind.value)
    return list(contents.values())
