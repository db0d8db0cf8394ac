"""Correlations of each two variables as a triangle of coloured squares with their numbers in them."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.analysis.results import CorrelateResult, Correlation
from app.plots.lettering import Type, fitted
from app.plots.look import Look, ink_on, mixed
from app.plots.options import Options, Shown
from app.plots.sheet import POINTS, Box, Sheet, interval_words, uncertain
from app.plots.words import Words

_CELL, _FIRST, _FOOT = 0.74, 0.3, 0.5
_STEPS = 41
_ROOMY, _FINE = 0.5, 6.5


def height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del options
    count = len(shown.result.codes) if isinstance(shown.result, CorrelateResult) else 1
    return _FIRST + (count - 1) * min(_CELL, width * 0.62 / max(count, 1)) + _FOOT + 0.1


def colour_of(r: float, look: Look) -> str:
    """Return the colour of a correlation: none at 0, one hue each way."""
    return mixed(look.grid, look.series[0] if r >= 0 else look.series[1], min(abs(r), 1.0))


def draw(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw the triangle of a panel; its names stand along the diagonal."""
    del peers, options
    result, words = shown.result, shown.words
    if not isinstance(result, CorrelateResult):
        return
    names = [words.variable(code) for code in result.codes]
    count = len(names)
    gutter = min(max(sheet.width(name, sheet.body) for name in names) + 0.1, box.width * 0.42)
    cell = min((box.height - _FOOT - _FIRST) / max(count - 1, 1), (box.width - gutter) / max(count - 1, 1), 1.0)
    top = box.top - _FIRST + cell
    pairs = {(pair.one, pair.other): pair for pair in result.pairs}
    pairs |= {(pair.other, pair.one): pair for pair in result.pairs}
    room = cell - 0.08
    fine = cell >= _ROOMY and all(sheet.width(_interval(pair, words), Type(_FINE, "")) <= room for pair in result.pairs)
    for row, code in enumerate(result.codes):
        middle = top - (row + 0.5) * cell if row else box.top - _FIRST / 2
        for column in range(row):
            tile = Box(box.left + column * cell + 0.01, middle - cell / 2 + 0.01, cell - 0.02, cell - 0.02)
            found = pairs.get((result.codes[column], code))
            _tile(sheet, tile, found, words, fine=fine)
            sheet.spot(tile, f"{names[column]} · {names[row]}: {said(found, words)}")
        x = box.left + row * cell + (0.06 if row else 0.0)
        room = (box.right - x) * POINTS
        kind = sheet.body if cell >= 0.24 else sheet.small  # noqa: PLR2004
        sheet.lines(x, middle, fitted(names[row], kind, room, 2 if cell >= 0.36 else 1), kind)  # noqa: PLR2004
    _key(sheet, Box(box.left, box.bottom, min(2.2, box.width * 0.6), 0.3), words)


def said(pair: Correlation | None, words: Words) -> str:
    """Return a correlation with its interval and p."""
    if pair is None or pair.r.value is None:
        return "–" if pair is None or pair.r.withheld is None else words.withheld(pair.r.withheld)
    p = "" if pair.p is None else f", {words.p_value(pair.p)}"
    return f"r = {interval_words(pair.r, words, 2)}{p}"


def _interval(pair: Correlation, words: Words) -> str:
    if not uncertain(pair.r) or pair.r.low is None or pair.r.high is None:
        return ""
    return words.say("to", low=words.decimal(pair.r.low, 2), high=words.decimal(pair.r.high, 2))


def _tile(sheet: Sheet, tile: Box, pair: Correlation | None, words: Words, *, fine: bool) -> None:
    look = sheet.look
    if pair is None or pair.r.value is None:
        sheet.rectangle(tile, look.grid, hatch="////")
        return
    colour = colour_of(pair.r.value, look)
    sheet.rectangle(tile, colour)
    ink = ink_on(colour)
    middle = tile.bottom + tile.height / 2
    value = words.decimal(pair.r.value, 2)
    interval = _interval(pair, words) if fine else ""
    small = Type(8 if tile.width >= 0.34 else _FINE, ink, bold=True)  # noqa: PLR2004
    if interval:
        sheet.write(tile.left + tile.width / 2, middle + 0.08, value, small, align="center")
        sheet.write(tile.left + tile.width / 2, middle - 0.09, interval, Type(_FINE, ink), align="center")
    elif sheet.width(value, small) <= tile.width:
        sheet.write(tile.left + tile.width / 2, middle, value, small, align="center")


def _key(sheet: Sheet, box: Box, words: Words) -> None:
    """Say what the colours are."""
    step = box.width / _STEPS
    for place in range(_STEPS):
        r = -1 + 2 * place / (_STEPS - 1)
        sheet.rectangle(Box(box.left + place * step, box.top - 0.1, step * 1.02, 0.1), colour_of(r, sheet.look))
    for r, align in ((-1, "left"), (0, "center"), (1, "right")):
        x = box.left + (r + 1) / 2 * box.width
        sheet.write(x, box.bottom + 0.08, words.decimal(r, 0), sheet.soft, align=align)  # type: ignore[arg-type]
    sheet.write(box.right + 0.12, box.top - 0.05, "r", sheet.soft)
