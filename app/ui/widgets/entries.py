"""A list of things to open, one of them at a time: who or what, when, in a few words, and in which state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPen, QTextLayout, QTextOption
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.ui import icons
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.widgets.chips import TONES

ENTRY = int(Qt.ItemDataRole.UserRole)
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_PAD, _WELL, _GAP, _LINES = 10, 28, 10, 2


@dataclass(frozen=True)
class Entry:
    """One line of the list, or a ``heading`` above some. ``key`` names it; a chip is (word, tone, icon name).

    ``icon_name`` stands in a well where there are no ``initials``; ``fraction`` of 1 is shown as a bar; a ``tall``
    one's title may take two lines; ``more`` is for screen readers only.
    """

    key: str
    title: str
    when: str = ""
    words: str = ""
    chip: tuple[str, str, str] | None = None
    initials: str = ""
    marked: bool = False
    heading: bool = False
    icon_name: str = ""
    fraction: float | None = None
    chips: tuple[tuple[str, str, str], ...] = ()
    more: str = ""
    tall: bool = False

    @property
    def spoken(self) -> str:
        """What a screen reader says."""
        return ", ".join(
            filter(None, (self.title, self.when, self.words, self.chip[0] if self.chip else "", self.more))
        )


class EntriesModel(QAbstractListModel):
    """The entries; a new list is taken over with the fewest changes, so that the view stays where it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid() or index.row() >= len(self.entries):
            return None
        entry = self.entries[index.row()]
        if role == ENTRY:
            return entry
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return entry.title if role == Qt.ItemDataRole.DisplayRole else entry.spoken
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        if index.isValid() and self.entries[index.row()].heading:
            return Qt.ItemFlag.NoItemFlags
        return super().flags(index)

    def show(self, wanted: Sequence[Entry]) -> None:
        """Make this the list."""
        keys = {entry.key for entry in wanted}
        for place in reversed(range(len(self.entries))):
            if self.entries[place].key not in keys:
                self._remove(place)
        for place, entry in enumerate(wanted):
            there = place < len(self.entries) and self.entries[place].key == entry.key
            if not there:
                if (known := self._find(entry.key, place)) >= 0:
                    self._remove(known)
                self.beginInsertRows(QModelIndex(), place, place)
                self.entries.insert(place, entry)
                self.endInsertRows()
            elif self.entries[place] != entry:
                self.entries[place] = entry
                self.dataChanged.emit(self.index(place), self.index(place))

    def place_of(self, key: str) -> int:
        """Return the row of an entry, -1 if it is not there."""
        return next((i for i, each in enumerate(self.entries) if each.key == key and not each.heading), -1)

    def _find(self, key: str, begin: int) -> int:
        return next((i for i in range(begin, len(self.entries)) if self.entries[i].key == key), -1)

    def _remove(self, place: int) -> None:
        self.beginRemoveRows(QModelIndex(), place, place)
        del self.entries[place]
        self.endRemoveRows()


class Entries(QListView):
    """The list. ``chosen`` comes with the key of what the person has gone to."""

    chosen = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        set_role(self, role="entries")
        self.entries = EntriesModel(self)
        self.setModel(self.entries)
        self.setItemDelegate(_Delegate(self))
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        self._quiet = False
        self._selected = ""
        self.selectionModel().currentChanged.connect(self._moved)
        theme().changed.connect(self.viewport().update)

    @property
    def selected(self) -> str:
        """The key of the selected entry, or an empty text."""
        return self._selected

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show these; what is selected stays so as long as it is there."""
        self._quiet = True
        bar = self.verticalScrollBar()
        before = bar.value()
        self.entries.show(entries)
        self._select(self._selected)
        bar.setValue(before)
        self._quiet = False

    def select(self, key: str) -> None:
        """Select an entry without telling anyone."""
        self._quiet = True
        self._selected = key
        self._select(key)
        self._quiet = False

    def _select(self, key: str) -> None:
        place = self.entries.place_of(key)
        if place < 0:
            self._selected = ""
            self.setCurrentIndex(QModelIndex())
        elif self.currentIndex().row() != place:
            self.setCurrentIndex(self.entries.index(place))

    def _moved(self, index: QModelIndex) -> None:
        entry = index.data(ENTRY) if index.isValid() else None
        if not self._quiet and isinstance(entry, Entry):
            self._selected = entry.key
            self.chosen.emit(entry.key)


class _Delegate(QStyledItemDelegate):
    """Paints an entry: initials in a circle, title and time, two lines of words, a chip."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:  # noqa: N802 - Qt's name
        entry: Entry = index.data(ENTRY)
        view = option.widget
        width = option.rect.width()
        if isinstance(view, QListView):  # as narrow as with a scroll bar, so that nothing changes when it comes
            width = view.width() - view.verticalScrollBar().sizeHint().width()
        if entry.heading:
            return QSize(width, QFontMetrics(theme().font(Style.CAPTION)).height() + 18)
        room = width - _left(entry) - _PAD - 12
        height = _PAD + len(_title_lines(entry, room)) * QFontMetrics(theme().font(Style.STRONG)).height()
        if entry.words:
            height += 2 + len(_lines(entry.words, theme().font(Style.SMALL), room)) * _line_height(Style.SMALL)
        if entry.fraction is not None:
            height += 9
        if entry.chip is not None:
            height += 6 + _chip_height()
        if entry.chips:
            height += 6 + _flow_height(entry, width - 2 * _PAD - 12)
        return QSize(width, max(height, _PAD + _WELL if entry.initials else 0) + _PAD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        entry: Entry = index.data(ENTRY)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if entry.heading:
            _write(painter, option.rect.adjusted(_PAD + 6, 6, -_PAD, 0), entry.title, Style.CAPTION, "text2", bold=True)
        else:
            self._paint_entry(painter, option, entry)
        painter.restore()

    def _paint_entry(self, painter: QPainter, option: QStyleOptionViewItem, entry: Entry) -> None:
        look, place = theme(), option.rect.adjusted(6, 1, -6, -1)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(Qt.PenStyle.NoPen)
        if selected or hovered:
            painter.setBrush(look.colour("accsoft" if selected else "hover"))
            painter.drawRoundedRect(QRectF(place), 8, 8)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.colour("accfill"), 2))
            painter.drawRoundedRect(QRectF(place).adjusted(1, 1, -1, -1), 7, 7)
        if entry.initials:
            well = QRectF(place.x() + _PAD, place.y() + _PAD - 1, _WELL, _WELL)
            _circle(painter, well, entry.initials, strong=selected)
        elif entry.icon_name:
            well = QRectF(place.x() + _PAD, place.y() + _PAD - 1, _WELL, _WELL)
            _well(painter, well, entry.icon_name, strong=selected)
        inside = QRect(place.x() + _left(entry) - 6, place.y() + _PAD - 1, 0, 0)
        inside.setRight(place.right() - _PAD)
        inside.setBottom(place.bottom() - _PAD)
        self._paint_words(painter, inside, entry)

    def _paint_words(self, painter: QPainter, inside: QRect, entry: Entry) -> None:
        look = theme()
        strong, caption = QFontMetrics(look.font(Style.STRONG)), QFontMetrics(look.font(Style.CAPTION))
        head = QRect(inside.x(), inside.y(), inside.width(), strong.height())
        if entry.marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("accfill"))
            painter.drawEllipse(QPointF(head.right() - 4, head.center().y() + 1), 4, 4)
            head.setRight(head.right() - 14)
        when = caption.horizontalAdvance(entry.when)
        _write(painter, head, entry.when, Style.CAPTION, "text2", right=True)
        titles = _title_lines(entry, head.width())
        for place, line in enumerate(titles):
            at = head.translated(0, place * head.height())
            _write(painter, at.adjusted(0, 0, -when - 8, 0), line, Style.STRONG, "text")
        y = head.bottom() + (len(titles) - 1) * head.height() + 3
        for line in _lines(entry.words, look.font(Style.SMALL), inside.width()):
            at = QRect(inside.x(), y, inside.width(), _line_height(Style.SMALL))
            _write(painter, at, line, Style.SMALL, "text2")
            y += _line_height(Style.SMALL)
        if entry.fraction is not None:
            _bar(painter, QRectF(inside.x(), y + 4, inside.width(), 4), entry.fraction)
            y += 9
        if entry.chips:
            left = inside.x() - _left(entry) + 6 + _PAD
            for chip, spot in _flow(entry, inside.right() - left + 1):
                _paint_chip(painter, spot.translated(left, y + 5), *chip)
        if entry.chip is not None:
            _paint_chip(painter, QRect(inside.x(), y + 5, inside.width(), _chip_height()), *entry.chip)


def _left(entry: Entry) -> int:
    return 6 + _PAD + (_WELL + _GAP if entry.initials or entry.icon_name else 0)


def _title_lines(entry: Entry, room: int) -> list[str]:
    when = QFontMetrics(theme().font(Style.CAPTION)).horizontalAdvance(entry.when)
    return _lines(entry.title, theme().font(Style.STRONG), room - when - 8) if entry.tall else [entry.title]


def _line_height(style: Style) -> int:
    return QFontMetrics(theme().font(style)).height() + 1


def _chip_height() -> int:
    return max(20, QFontMetrics(theme().font(Style.CAPTION)).height() + 4)


def _chip_width(word: str, icon_name: str) -> int:
    return QFontMetrics(theme().font(Style.CAPTION)).horizontalAdvance(word) + (31 if icon_name else 15)


def _flow(entry: Entry, width: int) -> list[tuple[tuple[str, str, str], QRect]]:
    """Return where each chip is: like words, on the next line when there is no room."""
    found, x, y, height = [], 0, 0, _chip_height()
    for chip in entry.chips:
        needed = min(_chip_width(chip[0], chip[2]), width)
        if x and x + needed > width:
            x, y = 0, y + height + 4
        found.append((chip, QRect(x, y, needed, height)))
        x += needed + 4
    return found


def _flow_height(entry: Entry, width: int) -> int:
    return max((place.bottom() + 1 for _, place in _flow(entry, width)), default=0)


def _lines(words: str, font: QFont, width: int) -> list[str]:
    """Break ``words`` into lines, and the last one off where it does not end."""
    if not words or width <= 0:
        return []
    layout = QTextLayout(words, font)
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WordWrap)
    layout.setTextOption(option)
    found: list[str] = []
    layout.beginLayout()
    while (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        start = line.textStart()
        if len(found) == _LINES - 1:
            found.append(QFontMetrics(font).elidedText(words[start:], Qt.TextElideMode.ElideRight, width))
            break
        found.append(words[start : start + line.textLength()].rstrip())
    layout.endLayout()
    return found


def _write(
    painter: QPainter, place: QRect, words: str, style: Style, ink: str, *, right: bool = False, bold: bool = False
) -> None:
    font = theme().font(style)
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(theme().colour(ink))
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    shown = QFontMetrics(font).elidedText(words, Qt.TextElideMode.ElideRight, place.width() + 1)
    painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, shown)


def _circle(painter: QPainter, place: QRectF, initials: str, *, strong: bool) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().colour("accfill" if strong else "sunken"))
    painter.drawEllipse(place)
    font = theme().font(Style.CAPTION)
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(theme().colour("onacc" if strong else "text2"))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, initials)


def _well(painter: QPainter, place: QRectF, icon_name: str, *, strong: bool) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().colour("raised" if strong else "sunken"))
    painter.drawRoundedRect(place, 6, 6)
    icons.paint(painter, icon_name, place.adjusted(6, 6, -6, -6), theme().colour("acc" if strong else "text2"))


def _bar(painter: QPainter, place: QRectF, fraction: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().colour("hair2"))
    painter.drawRoundedRect(place, 2, 2)
    painter.setBrush(theme().colour("accfill"))
    painter.drawRoundedRect(
        QRectF(place.topLeft(), place.size()).adjusted(0, 0, -place.width() * (1 - fraction), 0), 2, 2
    )


def _paint_chip(painter: QPainter, place: QRect, word: str, tone: str, icon_name: str) -> None:
    look, (fill, ink) = theme(), TONES[tone]
    before = 23 if icon_name else 7
    place.setWidth(min(_chip_width(word, icon_name), place.width()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.colour(fill))
    painter.drawRoundedRect(QRectF(place), 6, 6)
    if icon_name:
        at = QRectF(place.x() + 7, place.y() + (place.height() - 12) / 2, 12, 12)
        icons.paint(painter, icon_name, at, look.colour(ink))
    _write(painter, place.adjusted(before, 0, -5, 0), word, Style.CAPTION, ink)


class Initials(QWidget):
    """The initials of a site in a circle, beside its name."""

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self._initials = ""
        self.setFixedSize(size, size)
        theme().changed.connect(self.update)

    def set(self, initials: str) -> None:
        """Show others."""
        self._initials = initials
        self.update()

    def paintEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _circle(painter, QRectF(self.rect()), self._initials, strong=True)


def initials_of(name: str) -> str:
    """Return at most two capitals that stand for a name."""
    words = [each for each in name.replace("-", " ").split() if each[:1].isalnum()]
    if not words:
        return "?"
    return (words[0][:2] if len(words) == 1 else words[0][0] + words[1][0]).upper()
