"""Pages of paper, filled from top to bottom: headings, paragraphs, tables, figures; a new page where one is full."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from app.plots.lettering import LEADING, Type, wrapped
from app.plots.look import Look

_POINTS = 72.0
_WIDTH, _HEIGHT = 595.0, 842.0  # A4
_MARGIN, _FOOT = 62.0, 56.0
_INDENT = 12.0
_COLUMN_GAP, _NARROWEST = 10.0, 34.0


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

    def need(self, points: float) -> bool:
        """Go to the next page unless so much room is left on this one; return whether that was done."""
        if turned := self._y + points > _HEIGHT - _MARGIN - _FOOT / 2:
            self._turn()
        return turned

    def space(self, points: float) -> None:
        """Leave some room."""
        self._y += points

    def paragraph(self, words: str, kind: Type, *, mark: str = "") -> None:
        """Set ``words`` in lines, with a ``mark`` in front of the first one and the others below it."""
        indent = _INDENT if mark else 0.0
        for place, line in enumerate(wrapped(words, kind, self.room - indent)):
            self.need(kind.size * LEADING)
            self._y += kind.size * LEADING
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
                y += small.size * LEADING
        self._y = max(self._y, y - 4)

    def rows(self, rows: Sequence[tuple[str, str]], name: Type, value: Type, *, left: float = 150.0) -> None:
        """Set a table of two columns with a hairline below each row."""
        for what, said in rows:
            lines = wrapped(said, value, self.room - left)
            names = wrapped(what, name, left - 12)
            height = max(len(lines), len(names)) * value.size * LEADING + 7
            self.need(height)
            for column, kind, x in ((names, name, 0.0), (lines, value, left)):
                y = self._y + 3
                for line in column:
                    y += kind.size * LEADING
                    self._write(line, _MARGIN + x, y, kind)
            self._y += height
            self.line()

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool], heading: Type, value: Type
    ) -> None:
        """Set a table as wide as the page; numbers stand at the right, and the head again on every page."""
        widths = _widths(head, rows, numeric, heading, value, self.room)
        lefts = [sum(widths[:place]) for place in range(len(widths))]

        def cells(row: Sequence[str], kind: Type) -> float:
            set_ = [wrapped(cell, kind, width - _COLUMN_GAP) for cell, width in zip(row, widths, strict=True)]
            height = max(len(lines) for lines in set_) * kind.size * LEADING + 4
            if self.need(height) and kind is not heading:
                cells(head, heading)
            for lines, left, width, number in zip(set_, lefts, widths, numeric, strict=True):
                y = self._y + 1.5
                for line in lines:
                    y += kind.size * LEADING
                    x = left + width - _COLUMN_GAP - kind.width(line) if number else left
                    self._write(line, _MARGIN + x, y - kind.size * 0.2, kind)
            self._y += height
            self.line()
            return height

        self.need(heading.size * 8)
        for place, row in enumerate((head, *rows)):
            cells(row, value if place else heading)

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


def _widths(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    heading: Type,
    value: Type,
    room: float,
) -> list[float]:
    """Return the widths of columns: what they need, or less for those of words if that is too much."""
    wanted = [
        max([heading.width(head[place]), *(value.width(row[place]) for row in rows)]) + _COLUMN_GAP + 1
        for place in range(len(head))
    ]
    least = [
        max([heading.width(word) for word in head[place].split(" ")] + [value.width(row[place]) for row in rows])
        + _COLUMN_GAP
        + 1
        if number
        else _NARROWEST
        for place, number in enumerate(numeric)
    ]
    least = [max(min(a, b), _NARROWEST) for a, b in zip(least, wanted, strict=True)]
    if (total := sum(wanted)) > room:
        give = [max(a - b, 0.0) for a, b in zip(wanted, least, strict=True)]
        take = min(1.0, (total - room) / (sum(give) or 1.0))
        wanted = [a - take * b for a, b in zip(wanted, give, strict=True)]
    over = sum(wanted) - room
    if over > 0:
        return [each * room / sum(wanted) for each in wanted]
    words = [place for place, number in enumerate(numeric) if not number] or [0]
    return [each - over / len(words) if place in words else each for place, each in enumerate(wanted)]
