"""How REDCap writes a data dictionary: the names of its columns, labels, choices, and what marks an identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape

NAMES: Mapping[str, tuple[str, ...]] = {
    "name": ("variablefieldname", "fieldname"),
    "form": ("formname",),
    "type": ("fieldtype",),
    "label": ("fieldlabel",),
    "choices": ("choicescalculationsorsliderlabels", "selectchoicesorcalculations"),
    "validation": ("textvalidationtypeorshowslidernumber",),
    "low": ("textvalidationmin",),
    "high": ("textvalidationmax",),
    "identifier": ("identifier",),
}
"""The columns as :func:`.tabular.plain_name` makes them: of the file that people download, and of that for programs."""
NEEDED = frozenset({"name", "form", "type", "label"})
"""A table without one of these is no data dictionary."""
_TAG = re.compile(r"<[^<>]{0,500}>")
_YES = frozenset({"y", "yes", "1", "true"})


def plain_label(written: str) -> str:
    """Return a label as plain text: without HTML, on one line."""
    words = " ".join(unescape(_TAG.sub(" ", written)).split())
    return "".join(each for each in words if each.isprintable())


def choices_of(written: str) -> list[tuple[str, str]]:
    """Return the (code, label) of ``1, Male | 2, Female``; a code without a label is its own."""
    pairs = (choice.partition(",") for choice in re.split(r"[|\n]", written) if choice.strip())
    return [(code.strip(), plain_label(label) or code.strip()) for code, _, label in pairs if code.strip()]


def is_identifier(written: str) -> bool:
    """Return whether what stands under "Identifier?" says that the field tells who somebody is."""
    return written.strip().casefold() in _YES
