"""Figures as files: the same figure gives the same bytes, with text as text and the fonts in it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from app.plots.look import FAMILY

PNG_DPI = 300
_CREATOR = "Consilium"
_RULES: dict[Any, Any] = {
    "svg.hashsalt": "consilium",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": FAMILY,
}


def png(figure: Figure, dpi: float = PNG_DPI) -> bytes:
    """Return ``figure`` as PNG."""
    FigureCanvasAgg(figure)
    with rc_context(_RULES):
        return _saved(figure, format="png", dpi=dpi, metadata={"Software": None, "Creator": _CREATOR})


def pixels(figure: Figure) -> tuple[int, int, bytes]:
    """Return ``figure`` as (width, height, pixels), four bytes RGBA each, for a screen."""
    canvas = FigureCanvasAgg(figure)
    with rc_context(_RULES):
        canvas.draw()  # type: ignore[no-untyped-call]
    width, height = canvas.get_width_height()
    return width, height, bytes(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def svg(figure: Figure) -> bytes:
    """Return ``figure`` as SVG, its words as words."""
    FigureCanvasSVG(figure)
    with rc_context(_RULES):
        return _saved(figure, format="svg", metadata={"Date": None, "Creator": _CREATOR})


def pdf(figures: Sequence[Figure], title: str) -> bytes:
    """Return ``figures`` as the pages of a PDF with its fonts embedded."""
    target = io.BytesIO()
    told = {"Title": title, "Creator": _CREATOR, "Producer": _CREATOR, "CreationDate": None}
    with rc_context(_RULES), PdfPages(target, metadata=told) as pages:
        for figure in figures:
            FigureCanvasPdf(figure)
            pages.savefig(figure, facecolor=figure.get_facecolor())
    return target.getvalue()


def _saved(figure: Figure, **options: object) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, facecolor=figure.get_facecolor(), **options)  # type: ignore[arg-type]
    return target.getvalue()
