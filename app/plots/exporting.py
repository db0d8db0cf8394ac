"""An answer in every format that it can be saved in."""

from __future__ import annotations

from matplotlib.figure import Figure

from app.core.analysis.results import Result
from app.core.analysis.rows import Value
from app.core.query.sentence import sentence
from app.core.services import exporting
from app.core.services.exporting import PDF, PNG, SVG, Answered
from app.plots.counts import counts_figure
from app.plots.figures import Options, picture_of
from app.plots.report import count_of, report, shown_of
from app.plots.saving import pdf, png, svg
from app.plots.twin import is_key, label, twins_of
from app.plots.words import Words
from app.texts import text

__all__ = ["Options", "exported"]

_COUNT_SIZE = (6.4, 3.6)


def exported(found: Answered, format: str, language: str, options: Options | None = None) -> bytes:
    """Return the file of an answer in one of ``exporting.FORMATS``; the same bytes whenever it is asked for."""
    said = sentence(found.question, found.catalogue, language, text)
    match format:
        case exporting.PDF:
            return report(found, said, language, options or Options())
        case exporting.CSV:
            return exporting.table(found, said) if found.plain_count else _tables(found, language)["main"]
        case exporting.BUNDLE:
            return _bundle(found, said, language, options or Options())
    figure = _figure(found, said, language, options or Options())
    return svg(figure) if format == SVG else png(figure)


def _figure(found: Answered, said: str, language: str, options: Options) -> Figure:
    """Return the figure of all sites together; of each of them as well, where that was asked for."""
    if found.plain_count:
        return counts_figure([count_of(found.run, said)], language=language, size=_COUNT_SIZE)
    return picture_of(shown_of(found, language), options=options).figure


def _tables(found: Answered, language: str) -> dict[str, bytes]:
    words = Words(found.catalogue, language, found.question)

    def said(column: str, value: Value, result: Result) -> str | None:
        return label(column, value, result, words) if is_key(column) else None

    return exporting.result_tables(found, said)


def _worded(found: Answered, language: str) -> bytes:
    """Return the twin of the figure as people read it, with the sites where there are several."""
    words = Words(found.catalogue, language, found.question)
    header: list[str] = []
    rows: list[list[str]] = []
    for each in found.results:
        twin = twins_of(each.result, words)["main"]
        header = [words.say("column.site"), *twin.columns]
        rows += [[each.site or words.say("all_sites"), *row] for row in twin.rows]
    return exporting.worded_table(header, rows)


def _bundle(found: Answered, said: str, language: str, options: Options) -> bytes:
    figure = _figure(found, said, language, options)
    files = {
        "report.pdf": exported(found, PDF, language, options),
        "figure.svg": svg(figure),
        "figure.png": exported(found, PNG, language, options),
        "figure.pdf": pdf([_figure(found, said, language, options)], said),
        "data.csv": exporting.table(found, said),
        "table.csv": _worded(found, language),
        "query.txt": exporting.query_text(found, said),
        "query.cbor": found.query,
    }
    files |= {f"tables/{name}.csv": data for name, data in _tables(found, language).items()}
    return exporting.bundle(found, files, language)
