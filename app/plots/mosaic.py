"""A mosaic of two variables: columns as wide as their groups are large, in each the shares of the rows' groups."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.analysis.results import Estimate, TableResult
from app.plots.counts import WITHHELD
from app.plots.lettering import LEADING, Type, fitted
from app.plots.look import Look, ink_on, mixed
from app.plots.options import Options, Shown
from app.plots.sheet import POINTS, SMALL_SIZE, Box, Sheet, estimate_words
from app.plots.words import Words

HEIGHT = 3.4
_FOOT, _GAP = 0.32, 0.02
_LEGEND_ROW = 0.24
_THIN = 0.06
_LABEL_LINES = 3
_REST = 0.1
"""How much of a column stands for what is withheld of it where its total is withheld too."""
_CUT = 0.7
"""Words are cut to make them fit where there is so much room (inches)."""


def height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del options, width
    rows = len(shown.result.row_keys) if isinstance(shown.result, TableResult) else 0
    return max(HEIGHT, 1.0 + _LEGEND_ROW * rows)


def shades(look: Look, count: int) -> list[str]:
    """Return a colour for each of ``count`` rows: the palette's own while it lasts, else one ramp."""
    if count <= len(look.series):
        return list(look.series[:count])
    return [mixed(look.series[0], look.series[1], place / (count - 1)) for place in range(count)]


def draw(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw the mosaic of a panel."""
    del peers
    result, words = shown.result, shown.words
    if not isinstance(result, TableResult):
        return
    rows = [place for place, key in enumerate(result.row_keys) if key not in options.hidden]
    columns = [place for place, key in enumerate(result.column_keys) if key not in options.hidden]
    names = [words.group(result.row_code, result.row_keys[row]) for row in rows]
    legend = min(max((sheet.width(name, sheet.small) for name in names), default=0) + 0.34, box.width * 0.34)
    colours = shades(sheet.look, len(result.row_keys))
    inside = box.cut(left=0.46, right=legend + 0.14, bottom=_FOOT, top=0.1)
    totals = {column: _whole(result, column, rows) for column in columns}
    everyone = sum(totals.values())
    room = inside.width - _GAP * (len(columns) - 1)
    labels = {
        column: _label(sheet, words.group(result.column_code, result.column_keys[column]), room * total / everyone)
        for column, total in totals.items()
        if everyone
    }
    step = SMALL_SIZE * LEADING / POINTS
    inside = inside.cut(bottom=max((len(each) for each in labels.values()), default=0) * step)
    _scale(sheet, inside, words)
    _legend(sheet, Box(inside.right + 0.14, box.bottom, legend, inside.top - box.bottom), result, rows, words, colours)
    if not everyone or not rows:
        sheet.write(inside.left + 0.1, inside.top - 0.2, words.say("nothing_shown"), sheet.soft)
        return
    left = inside.left
    for column in columns:
        width = room * totals[column] / everyone
        strip = Box(left, inside.bottom, width, inside.height)
        _column(sheet, strip, result, column, rows, words, colours, options)
        for place, line in enumerate(labels[column]):
            y = inside.bottom - 0.05 - (place + 0.5) * step
            sheet.write(left + width / 2, y, line, sheet.small, align="center")
        left += width + _GAP
    title = fitted(words.measured(result.column_code), sheet.soft, inside.width * POINTS)[0]
    sheet.write(inside.left + inside.width / 2, box.bottom + 0.12, title, sheet.soft, align="center")


def _label(sheet: Sheet, name: str, width: float) -> list[str]:
    """Break a column's name to its width; none if it would have to be cut to pieces."""
    room = width - 0.06
    lines = fitted(name, sheet.small, room * POINTS, _LABEL_LINES) if room > 0.1 else []  # noqa: PLR2004
    widest = max((sheet.width(word, sheet.small) for word in name.split(" ")), default=0.0)
    return lines if widest <= room or (lines and room > _CUT) else []


def _value(cell: Estimate) -> float:
    return max(cell.value or 0.0, 0.0)


def _scale(sheet: Sheet, inside: Box, words: Words) -> None:
    """Set percentages at the left."""
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = inside.bottom + share * inside.height
        sheet.write(inside.left - 0.08, y, words.percent(share), sheet.soft, align="right")
        sheet.stroke([inside.left - 0.05, inside.left - 0.01], [y, y], sheet.look.axis, width=0.8)


def _legend(
    sheet: Sheet, box: Box, result: TableResult, rows: Sequence[int], words: Words, colours: Sequence[str]
) -> None:
    """Name the rows' colours, in the order in which they are stacked."""
    title = fitted(words.measured(result.row_code), sheet.soft, box.width * POINTS, 2)
    step = SMALL_SIZE * LEADING / POINTS
    for place, line in enumerate(title):
        sheet.write(box.left, box.top - (place + 0.5) * step, line, sheet.soft)
    y = box.top - len(title) * step - 0.12
    names = {row: words.group(result.row_code, result.row_keys[row]) for row in rows}
    long = any(sheet.width(name, sheet.small) > box.width - 0.2 for name in names.values())
    wanted = _LEGEND_ROW + (step if long else 0.0)
    pitch = min(wanted, max((y - box.bottom) / max(len(rows), 1), 0.12))
    most = 2 if pitch >= 2.2 * step else 1
    for row in reversed(rows):
        sheet.rectangle(Box(box.left, y - 0.06, 0.14, 0.12), colours[row])
        lines = fitted(names[row], sheet.small, (box.width - 0.2) * POINTS, most)
        for place, line in enumerate(lines):
            sheet.write(box.left + 0.2, y - place * step * 0.92, line, sheet.small)
        y -= pitch


def _column(
    sheet: Sheet,
    strip: Box,
    result: TableResult,
    column: int,
    rows: Sequence[int],
    words: Words,
    colours: Sequence[str],
    options: Options,
) -> None:
    total = _whole(result, column, rows)
    bottom = strip.bottom
    for row in rows:
        cell = result.cells[row][column]
        share = _value(cell) / total if total else 0.0
        tall = share * strip.height
        tile = Box(strip.left, bottom, strip.width, max(tall - _GAP / 2, 0.0))
        both = (
            words.group(result.row_code, result.row_keys[row]),
            words.group(result.column_code, result.column_keys[column]),
        )
        said = f"{both[0]} · {both[1]}: {estimate_words(cell, words)}"
        if cell.value is not None and total:
            said += "\n" + words.say("of_column", share=words.percent(share, 1), group=both[1])
        if tall > 0:
            sheet.rectangle(tile, colours[row])
            _number(sheet, tile, words.percent(share) if options.shares else estimate_words(cell, words), colours[row])
        elif strip.width > 0:
            tile = Box(strip.left, bottom - _THIN / 2, strip.width, _THIN)
        sheet.spot(tile, said)
        bottom += tall
    if strip.top - bottom > _GAP and any(result.cells[row][column].withheld for row in rows):
        rest = Box(strip.left, bottom, strip.width, strip.top - bottom)
        sheet.rectangle(rest, sheet.look.grid, hatch=WITHHELD)
        sheet.spot(rest, words.say("withheld"))


def _whole(result: TableResult, column: int, rows: Sequence[int]) -> float:
    """Return what a strip stands for: its cells, and what is withheld as far as the total tells it."""
    cells = [result.cells[row][column] for row in rows]
    seen, total = sum(map(_value, cells)), _value(result.column_totals[column])
    if not any(cell.withheld for cell in cells):
        return seen
    if total > seen and len(rows) == len(result.row_keys):
        return total
    return seen / (1 - _REST) if seen else 1.0


def _number(sheet: Sheet, tile: Box, said: str, colour: str) -> None:
    """Write a number on a tile where it has room, the number alone if not its interval."""
    for words in dict.fromkeys((said, said.split(" ", 1)[0])):
        kind = sheet.small
        if sheet.width(words, kind) + 0.08 <= tile.width and tile.height >= 0.16:  # noqa: PLR2004
            sheet.write(
                tile.left + tile.width / 2,
                tile.bottom + tile.height / 2,
                words,
                Type(kind.size, ink_on(colour), bold=True),
                align="center",
            )
            return
