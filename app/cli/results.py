"""The results of an analysis as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.analysis.results import from_plain
from app.core.catalogue.model import Catalogue
from app.plots.printed import printed
from app.plots.twin import Twin, title
from app.plots.words import Words
from app.texts import preferred_language, text

_GAP = "  "


def table_lines(plain: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """Return the tables of a result that travelled, line by line."""
    words = Words(catalogue, preferred_language())
    lines = []
    for name, (twin, every) in printed(from_plain(plain), words).items():
        lines += ["", f"{_GAP}{title(name, words)}", *(_GAP + line for line in _aligned(twin))]
        lines += [_GAP + text("cli.query.thinned", every=every)] if every > 1 else []
    return lines


def _aligned(twin: Twin) -> list[str]:
    """Return headings and rows with the columns below one another, numbers at the right."""
    rows = [twin.columns, *twin.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, twin.numeric, strict=True)
        ).rstrip()
        for row in rows
    ]
