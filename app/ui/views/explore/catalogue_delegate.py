"""How the catalogue's rows are painted: icon, name, code or unit, and at how many sites it is."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.texts import text
from app.ui import icons
from app.ui.models.catalogue import Coverage, Role
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.explore.wording import ICONS

_ROW, _ICON, _PAD = 26, 16, 6
_ICONS = {kind.value: name for kind, name in ICONS.items()}
Index = QModelIndex | QPersistentModelIndex


class CatalogueDelegate(QStyledItemDelegate):
    """Paints a row of the catalogue."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802 - Qt's name
        return QSize(120, max(_ROW, QFontMetrics(theme().font()).height() + 10))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        look = theme()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_fill(painter, option, rect, selected)
        kind, reason = index.data(Role.KIND), index.data(Role.REASON)
        ink = look.colour("acc" if selected else "text")
        if reason:
            ink = QColor(look.colour("text3"))
            ink.setAlphaF(0.6)
        x = rect.left() + 4
        if kind in _ICONS:
            box = QRectF(x, rect.center().y() - _ICON / 2 + 1, _ICON, _ICON)
            icons.paint(painter, _ICONS[kind], box, look.colour("acc" if selected else "text2"))
            x += _ICON + _PAD
        elif kind == "level":
            x += 4
        right = self._paint_coverage(painter, rect, index.data(Role.COVERAGE)) - _PAD
        font = look.font(Style.STRONG if kind == "group" or selected else Style.BODY)
        note = index.data(Role.NOTE) or (_short(index.data(Role.CODE)) if kind in _ICONS else "")
        self._paint_words(painter, QRect(x, rect.top(), right - x, rect.height()), index, font, ink, note)
        painter.restore()

    def _paint_fill(self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, selected: bool) -> None:
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(Qt.PenStyle.NoPen)
        if selected or hovered:
            painter.setBrush(theme().colour("accsoft" if selected else "hover"))
            painter.drawRoundedRect(rect.adjusted(0, 0, -2, 0), 6, 6)
        focused = option.widget is not None and option.widget.hasFocus()
        if selected and focused:
            painter.setPen(theme().colour("accfill"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -2.5, -0.5), 6, 6)

    def _paint_coverage(self, painter: QPainter, rect: QRect, coverage: Coverage | None) -> int:
        """Paint "2/3 sites" at the right and return where it begins; partial coverage is a chip."""
        if coverage is None or not coverage.sites:
            return rect.right() - 4
        look, font = theme(), theme().font(Style.CAPTION)
        words = text("ui.explore.coverage", held=coverage.held, sites=coverage.sites)
        wide = QFontMetrics(font).horizontalAdvance(words)
        box = QRect(rect.right() - wide - 16, rect.center().y() - 9, wide + 12, 19)
        painter.setFont(font)
        if not coverage.full:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("causoft"))
            painter.drawRoundedRect(box, 6, 6)
        painter.setPen(look.colour("text3" if coverage.full else "cau"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        return box.left()

    def _paint_words(self, painter: QPainter, room: QRect, index: Index, font: object, ink: QColor, note: str) -> None:
        look = theme()
        painter.setFont(font)  # type: ignore[arg-type]
        painter.setPen(ink)
        metrics = QFontMetrics(painter.font())
        small = QFontMetrics(look.font(Style.CAPTION))
        shown = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideRight, max(room.width(), 20))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        left = room.left() + metrics.horizontalAdvance(shown) + 6
        if note and room.right() - left >= min(small.horizontalAdvance(note), 48):
            painter.setFont(look.font(Style.CAPTION))
            painter.setPen(look.colour("text3"))
            place = QRect(left, room.top() + 1, room.right() - left, room.height())
            words = small.elidedText(note, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)


def _short(code: str | None) -> str:
    """Return a code without its system; a plain word that only repeats the name is left out."""
    system, colon, rest = (code or "").partition(":")
    return rest if colon else ""
