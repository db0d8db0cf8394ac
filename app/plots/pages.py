"""Pages of paper, filled from top to bottom: headings, paragraphs, tables, figures; a new page where one is full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from app.plots.look import FAMILY, Look

FIXED = "DejaVu Sans Mono"
_POINTS = 72.0
_WIDTH, _HEIGHT = 595.0, 842.0  # A4
_MARGIN, _FOOT = 62.0, 56.0
_LEADING = 1.42
_INDENT = 12.0


@dataclass(frozen=True)
class Type:
    """How something is set."""

    size: float
    colour: str
    bold: bool = False
    family: str = FAMILY

    @property
    def font(self) -> FontProperties:
        """For measuring."""
        return FontProperties(family=self.family, size=self.size, weight="bold" if self.bold else "normal")

    def width(self, words: str) -> float:
        """Return how wide ``words`` are, in points."""
        return float(text_to_path.get_text_width_height_descent(words, self.font, ismath=False)[0]) if words else 0.0


class Pages:
    """A4 pages being filled."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.figures: list[Figure] = []
        self._y = 0.0
        self._turn()

    @property
    def room(self) -> float:
        """The width between the margins, in points."""
        return _WIDTH - 2 * _MARGIN

    def _turn(self) -> None:
        page = Figure(figsize=(_WIDTH / _POINTS, _HEIGHT / _POINTS), dpi=_POINTS, facecolor=self.look.paper)
        self.figures.append(page)
        self._y = _MARGIN

    def need(self, points: float) -> None:
        """Go to the next page unless so much room is left on this one."""
        if self._y + points > _HEIGHT - _MARGIN - _FOOT / 2:
            self._turn()

    def space(self, points: float) -> None:
        """Leave some room."""
        self._y += points

    def paragraph(self, words: str, kind: Type, *, mark: str = "") -> None:
        """Set ``words`` in lines, with a ``mark`` in front of the first one and the others below it."""
        indent = _INDENT if mark else 0.0
        for place, line in enumerate(wrapped(words, kind, self.room - indent)):
            self.need(kind.size * _LEADING)
            self._y += kind.size * _LEADING
            self._write(line, _MARGIN + indent, self._y, kind)
            if mark and not place:
                self._write(mark, _MARGIN + 2, self._y, kind)

    def heading(self, words: str, kind: Type) -> None:
        """Set a heading that is not left alone at the foot of a page."""
        self.need(kind.size * 6)
        self.space(kind.size * 1.1)
        self.paragraph(words, kind)
        self.space(3)

    def side_by_side(self, large: tuple[str, Type], lines: Sequence[tuple[str, Type]]) -> None:
        """Set one large thing, and some lines at its right."""
        words, kind = large
        self.need(kind.size * 1.6)
        self._y += kind.size * 1.15
        self._write(words, _MARGIN, self._y, kind)
        left, y = _MARGIN + kind.width(words) + 16, self._y - kind.size * 0.42
        for said, small in lines:
            for line in wrapped(said, small, _WIDTH - _MARGIN - left):
                self._write(line, left, y, small)
                y += small.size * _LEADING
        self._y = max(self._y, y - 4)

    def rows(self, rows: Sequence[tuple[str, str]], name: Type, value: Type, *, left: float = 150.0) -> None:
        """Set a table of two columns with a hairline below each row."""
        for what, said in rows:
            lines = wrapped(said, value, self.room - left)
            names = wrapped(what, name, left - 12)
            height = max(len(lines), len(names)) * value.size * _LEADING + 7
            self.need(height)
            for column, kind, x in ((names, name, 0.0), (lines, value, left)):
                y = self._y + 3
                for line in column:
                    y += kind.size * _LEADING
                    self._write(line, _MARGIN + x, y, kind)
            self._y += height
            self.line()

    def line(self) -> None:
        """Draw a hairline."""
        y = 1 - self._y / _HEIGHT
        across = [_MARGIN / _WIDTH, 1 - _MARGIN / _WIDTH]
        self.figures[-1].add_artist(Line2D(across, [y, y], color=self.look.grid, linewidth=0.6))

    def drawing(self, height: float, draw: Callable[[Figure, tuple[float, float, float, float]], None]) -> None:
        """Leave ``height`` points to what ``draw`` puts there."""
        self.need(height)
        place = (_MARGIN / _WIDTH, 1 - (self._y + height) / _HEIGHT, self.room / _WIDTH, height / _HEIGHT)
        draw(self.figures[-1], place)
        self._y += height

    def foot(self, left: str, page: Callable[[int, int], str], kind: Type) -> None:
        """Set the foot of every page; call it last."""
        for number, figure in enumerate(self.figures, start=1):
            y = _HEIGHT - _FOOT + 14
            self._write(left, _MARGIN, y, kind, figure)
            said = page(number, len(self.figures))
            self._write(said, _WIDTH - _MARGIN - kind.width(said), y, kind, figure)

    def _write(self, words: str, x: float, y: float, kind: Type, figure: Figure | None = None) -> None:
        (figure or self.figures[-1]).text(
            x / _WIDTH,
            1 - y / _HEIGHT,
            words,
            fontproperties=kind.font,
            color=kind.colour,
            va="baseline",
            ha="left",
            parse_math=False,
        )


def wrapped(words: str, kind: Type, room: float) -> list[str]:
    """Break ``words`` into lines no wider than ``room`` points; a word that is too long is cut."""
    lines: list[str] = []
    for paragraph in words.splitlines() or [""]:
        line = ""
        for word in paragraph.split(" "):
            for piece in _pieces(word, kind, room):
                longer = f"{line} {piece}" if line else piece
                if line and kind.width(longer) > room:
                    lines.append(line)
                    line = piece
                else:
                    line = longer
        lines.append(line)
    return lines


def _pieces(word: str, kind: Type, room: float) -> list[str]:
    pieces = []
    while kind.width(word) > room and len(word) > 1:
        length = max(1, int(len(word) * room / kind.width(word)))
        while length > 1 and kind.width(word[:length]) > room:
            length -= 1
        pieces.append(word[:length])
        word = word[length:]
    return [*pieces, word]
