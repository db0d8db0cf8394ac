"""What to find out, chosen from pictures: one tile an analysis, drawn in the colours of the moment."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QGridLayout, QSizePolicy, QWidget

from app.texts import text
from app.ui import icons
from app.ui.models.analysing import PICTURES
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.widgets.feedback import announce
from app.ui.widgets.layout import column
from app.ui.widgets.text import Label, tip

_ACROSS = 3
_PICTURE = QSize(44, 26)
_PAD = 7


class Tiles(QWidget):
    """All tiles; ``chosen`` brings the name of the one that was pressed."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(text("ui.explore.find_out"))
        self.tiles = {name: Tile(name) for name in PICTURES}
        self._group = QButtonGroup(self)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for place, tile in enumerate(self.tiles.values()):
            grid.addWidget(tile, place // _ACROSS, place % _ACROSS)
            self._group.addButton(tile)
            tile.clicked.connect(lambda _checked=False, tile=tile: self._pressed(tile))
        for across in range(_ACROSS):
            grid.setColumnStretch(across, 1)
        self._why = Label("", Style.CAPTION, "cau", wrap=True)
        self._why.hide()
        self.setLayout(column(grid, self._why, gap=6))
        self._shown = "count"

    @property
    def why(self) -> str:
        """Why the tile that was pressed last cannot be chosen; empty if it could."""
        return "" if self._why.isHidden() else self._why.text()

    def show_chosen(self, name: str) -> None:
        """Show which analysis is chosen."""
        self._shown = name
        self.tiles[name].setChecked(True)
        self._why.hide()

    def show_obstacle(self, name: str, why: str) -> None:
        """Show whether an analysis can be chosen: ``why`` not, or empty."""
        self.tiles[name].set_obstacle(why)

    def _pressed(self, tile: Tile) -> None:
        if tile.obstacle:
            self.tiles[self._shown].setChecked(True)
            self._why.setText(tile.obstacle)
            self._why.show()
            announce(tile, tile.obstacle)
        else:
            self._why.hide()
            self.chosen.emit(tile.name)


class Tile(QAbstractButton):
    """A picture over a name. One that cannot be chosen says why when it is pressed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.obstacle = name, ""
        words = text(f"ui.explore.analysis.{name}")
        self.setText(words)
        self.setAccessibleName(words)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_obstacle("")
        theme().changed.connect(self.update)

    def set_obstacle(self, why: str) -> None:
        """Say why it cannot be chosen; empty if it can."""
        self.obstacle = why
        about = text(f"ui.explore.analysis_words.{self.name}")
        self.setToolTip(tip(why or about))
        self.setAccessibleDescription(" ".join(filter(None, (about, why))))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        metrics = QFontMetrics(theme().font(Style.CAPTION))
        return QSize(metrics.horizontalAdvance(self.text()) + 8, _PICTURE.height() + metrics.height() + 3 * _PAD)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(60, self.sizeHint().height())

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        super().mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strong = self.isChecked() or self.hasFocus()
        line = "accfill" if strong else "ctl" if self.underMouse() and not self.obstacle else "hair2"
        painter.setPen(QPen(look.colour(line), 2 if strong else 1))
        painter.setBrush(look.colour("accsoft" if self.isChecked() else "window" if self.obstacle else "raised"))
        inset = 1.0 if strong else 0.5
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 8, 8)
        picture = QRectF((self.width() - _PICTURE.width()) / 2, _PAD + 2, _PICTURE.width(), _PICTURE.height())
        painter.save()
        if self.obstacle:
            painter.setOpacity(0.45)
        painter.translate(picture.topLeft())
        _DRAWN[self.name](painter)
        painter.restore()
        font = look.font(Style.CAPTION)
        painter.setFont(font)
        painter.setPen(look.colour("acc" if self.isChecked() else "text3" if self.obstacle else "text"))
        room = QRectF(4, picture.bottom() + _PAD - 2, self.width() - 8, QFontMetrics(font).height())
        words = QFontMetrics(font).elidedText(self.text(), Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, words)
        if self.isChecked():
            badge = QRectF(self.width() - 19, 5, 14, 14)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("accfill"))
            painter.drawEllipse(badge)
            icons.paint(painter, "check", badge.adjusted(2, 2, -2, -2), look.colour("onacc"))


# --- the pictures, in a box of 44 by 26 ---------------------------------------------------------------------------


def _filled(painter: QPainter, strong: bool, *boxes: tuple[float, float, float, float]) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().plot_colours[0] if strong else theme().colour("bar"))
    for box in boxes:
        painter.drawRoundedRect(QRectF(*box), 1, 1)


def _stroke(painter: QPainter, token: str = "text2", width: float = 1.4) -> None:
    painter.setPen(QPen(theme().colour(token), width, c=Qt.PenCapStyle.RoundCap, j=Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _ink(painter: QPainter, place: int, width: float = 1.8) -> None:
    painter.setPen(QPen(QColor(theme().plot_colours[place]), width, c=Qt.PenCapStyle.FlatCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _line(painter: QPainter, *points: tuple[float, float]) -> None:
    painter.drawPolyline(QPolygonF([QPointF(*point) for point in points]))


def _count(painter: QPainter) -> None:
    font = theme().font(Style.TITLE)
    painter.setFont(font)
    painter.setPen(theme().colour("text2"))
    painter.drawText(QRectF(0, 0, 44, 26), Qt.AlignmentFlag.AlignCenter, "123")


def _breakdown(painter: QPainter) -> None:
    _filled(painter, True, (6, 2, 32, 5))
    _filled(painter, False, (6, 10, 22, 5), (6, 18, 13, 5))


def _histogram(painter: QPainter) -> None:
    _filled(painter, False, (5, 18, 5, 7), (11, 11, 5, 14), (29, 14, 5, 11), (35, 20, 5, 5))
    _filled(painter, True, (17, 2, 5, 23), (23, 6, 5, 19))


def _table(painter: QPainter) -> None:
    _filled(painter, True, (17, 9.5, 10.5, 7.5))
    _stroke(painter)
    painter.drawRoundedRect(QRectF(6, 2, 32, 22), 2, 2)
    for x in (17, 27.5):
        _line(painter, (x, 2), (x, 24))
    for y in (9.5, 17):
        _line(painter, (6, y), (38, y))


def _summary(painter: QPainter) -> None:
    _stroke(painter)
    _line(painter, (3, 13), (12, 13))
    _line(painter, (32, 13), (41, 13))
    _line(painter, (3, 8), (3, 18))
    _line(painter, (41, 8), (41, 18))
    painter.setBrush(theme().colour("bar"))
    painter.drawRect(QRectF(12, 5, 20, 16))
    _ink(painter, 0, 2.2)
    _line(painter, (21, 5), (21, 21))


def _survival(painter: QPainter) -> None:
    _stroke(painter)
    _line(painter, (5, 1), (5, 25), (40, 25))
    _ink(painter, 1)
    _line(painter, (5, 3), (11, 3), (11, 9), (18, 9), (18, 15), (26, 15), (26, 21), (38, 21))
    _ink(painter, 0)
    _line(painter, (5, 3), (16, 3), (16, 7), (25, 7), (25, 12), (38, 12))


def _compare(painter: QPainter) -> None:
    for place, x, low, high in ((0, 14.0, 4.0, 14.0), (1, 30.0, 11.0, 23.0)):
        _ink(painter, place)
        _line(painter, (x, low), (x, high))
        _line(painter, (x - 4, low), (x + 4, low))
        _line(painter, (x - 4, high), (x + 4, high))
        painter.setBrush(theme().plot_colours[place])
        painter.drawEllipse(QPointF(x, (low + high) / 2), 2.4, 2.4)


def _correlate(painter: QPainter) -> None:
    side = 7.4
    shades = ((1.0, 0.55, 0.15), (0.55, 1.0, 0.35), (0.15, 0.35, 1.0))
    painter.setPen(Qt.PenStyle.NoPen)
    for row, shade in enumerate(shades):
        for place, strength in enumerate(shade):
            painter.setBrush(theme().colour("bar"))
            box = QRectF(9.5 + place * 8.4, 0.5 + row * 8.4, side, side)
            painter.drawRoundedRect(box, 1, 1)
            painter.save()
            painter.setOpacity(painter.opacity() * strength)
            painter.setBrush(theme().plot_colours[0])
            painter.drawRoundedRect(box, 1, 1)
            painter.restore()


def _regress(painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().colour("ctl"))
    for x, y in ((8, 20), (13, 21), (16, 14), (21, 16), (25, 9), (30, 12), (34, 5), (38, 8)):
        painter.drawEllipse(QPointF(x, y), 1.7, 1.7)
    _ink(painter, 0)
    _line(painter, (5, 23), (40, 3))


def _attrition(painter: QPainter) -> None:
    _filled(painter, True, (4, 1, 36, 6))
    _filled(painter, False, (10, 10, 24, 6), (15, 19, 14, 6))


_DRAWN: dict[str, Callable[[QPainter], None]] = {
    "count": _count,
    "breakdown": _breakdown,
    "histogram": _histogram,
    "table": _table,
    "summary": _summary,
    "survival": _survival,
    "compare": _compare,
    "correlate": _correlate,
    "regress": _regress,
    "attrition": _attrition,
}
