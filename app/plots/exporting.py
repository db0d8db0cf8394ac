"""An answer in every format that it can be saved in."""

from __future__ import annotations

from app.core.query.sentence import sentence
from app.core.services import exporting
from app.core.services.exporting import CSV, PDF, PNG, SVG, Answered
from app.plots.counts import counts_figure
from app.plots.report import count_of, report
from app.plots.saving import png, svg
from app.texts import text


def exported(found: Answered, format: str, language: str) -> bytes:
    """Return the file of an answer in one of ``exporting.FORMATS``; the same bytes whenever it is asked for."""
    said = sentence(found.question, found.catalogue, language, text)
    match format:
        case exporting.PDF:
            return report(found, said, language)
        case exporting.CSV:
            return exporting.table(found, said)
        case exporting.BUNDLE:
            return _bundle(found, said, language)
    figure = counts_figure([count_of(found.run, said)], language=language, size=(6.4, 3.6))
    return svg(figure) if format == SVG else png(figure)


def _bundle(found: Answered, said: str, language: str) -> bytes:
    names = {"report.pdf": PDF, "figure.svg": SVG, "figure.png": PNG, "data.csv": CSV}
    files = {name: exported(found, format, language) for name, format in names.items()}
    files["query.txt"] = exporting.query_text(found, said)
    files["query.cbor"] = found.query
    return exporting.bundle(found, files, language)
