"""Pages on paper: a title, sentences, facts, perhaps words in columns and a code; printed, or saved as PDF or HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtWidgets import QFileDialog, QWidget

from app.core.files import write_atomic
from app.texts import text

_STYLE = """
body { font-family: sans-serif; font-size: 11pt; color: #000000; }
h1 { font-size: 18pt; }
p, li { line-height: 140%; }
.code { font-family: monospace; font-size: 8pt; }
.word { font-family: monospace; font-size: 12pt; }
.strong { font-weight: bold; }
"""
_DPI = 300
_WORD_COLUMNS = 3


def document(
    title: str,
    sentences: Sequence[str],
    *,
    facts: Sequence[tuple[str, str]] = (),
    warning: str = "",
    words: Sequence[str] = (),
    steps: Sequence[str] = (),
    notes: Sequence[str] = (),
    picture: str = "",
    caption: str = "",
    code: str = "",
) -> QTextDocument:
    """Return a page; ``picture`` names an image that the caller adds as a resource."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f"<p>{html.escape(each)}</p>" for each in sentences]
    if facts:
        rows = "".join(
            f'<tr><td class="strong">{html.escape(name)}&nbsp;&nbsp;</td><td>{html.escape(value)}</td></tr>'
            for name, value in facts
        )
        parts.append(f"<table cellpadding='3'>{rows}</table>")
    if warning:
        parts.append(f'<p class="strong">{html.escape(warning)}</p>')
    if words:
        parts.append(_columns(words))
    if steps:
        parts.append("<ol>" + "".join(f"<li>{_step(each)}</li>" for each in steps) + "</ol>")
    if notes:
        parts.append("<ul>" + "".join(f"<li>{html.escape(each)}</li>" for each in notes) + "</ul>")
    if picture:
        parts.append(f'<div align="center"><img src="{picture}" width="160" height="160"></div>')
    if caption:
        parts.append(f'<p align="center">{html.escape(caption)}</p>')
    if code:
        broken = "<br>".join(html.escape(code[place : place + 76]) for place in range(0, len(code), 76))
        parts.append(f'<p class="code">{broken}</p>')
    made = QTextDocument()
    made.setMetaInformation(QTextDocument.MetaInformation.DocumentTitle, title)
    made.setDefaultStyleSheet(_STYLE)
    made.setHtml(f"<html><body>{''.join(parts)}</body></html>")
    return made


def _step(words: str) -> str:
    """A step; what stands on a line of its own is to be typed."""
    said, _, typed = words.partition("\n")
    return html.escape(said) + (f'<br><span class="code">{html.escape(typed)}</span>' if typed else "")


def _columns(words: Sequence[str]) -> str:
    """Numbered down the columns, as people read them out."""
    rows = -(-len(words) // _WORD_COLUMNS)
    lines = []
    for row in range(rows):
        cells = (
            f'<td class="word" width="33%">{number + 1:2}. {html.escape(words[number])}</td>'
            for number in range(row, len(words), rows)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    style = "border-style: solid; border-collapse: collapse;"
    return f'<table width="100%" cellpadding="2" border="1" style="{style}">{"".join(lines)}</table>'


def save_pdf(made: QTextDocument, path: Path) -> None:
    """Write the page as a PDF."""
    writer = QPdfWriter(str(path))
    writer.setResolution(_DPI)
    writer.setTitle(made.metaInformation(QTextDocument.MetaInformation.DocumentTitle))
    writer.setCreator("Consilium")
    writer.setPageLayout(_layout())
    made.print_(writer)


def save(made: QTextDocument, path: Path) -> None:
    """Write the page as PDF, or as HTML if its name ends so."""
    if path.suffix.lower() in {".html", ".htm"}:
        write_atomic(path, made.toHtml().encode())
    else:
        save_pdf(made, path if path.suffix else path.with_suffix(".pdf"))


def print_or_save(parent: QWidget, made: QTextDocument, name: str) -> bool:
    """Print the page; where there is no printer, save it. Return whether the person went through with it."""
    from PySide6.QtPrintSupport import QPrintDialog, QPrinter, QPrinterInfo  # noqa: PLC0415  (a start does without)

    if not QPrinterInfo.availablePrinterNames():
        return save_as(parent, made, name)
    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setDocName(name)
    printer.setPageLayout(_layout())
    dialog = QPrintDialog(printer, parent)
    if dialog.exec() != QPrintDialog.DialogCode.Accepted:
        return False
    made.print_(printer)
    return True


def save_as(parent: QWidget, made: QTextDocument, name: str) -> bool:
    """Ask for a file and save the page; return whether that was done."""
    kinds = f"{text('ui.federation.pdf')} (*.pdf);;{text('ui.federation.html')} (*.html)"
    path, _ = QFileDialog.getSaveFileName(parent, text("ui.federation.save"), f"{name}.pdf", kinds)
    if path:
        save(made, Path(path))
    return bool(path)


def _layout() -> QPageLayout:
    margins = QMarginsF(0, 0, 0, 0)  # a text document leaves two centimetres on its own
    size = QPageSize(QPageSize.PageSizeId.A4)
    return QPageLayout(size, QPageLayout.Orientation.Portrait, margins, QPageLayout.Unit.Millimeter)
