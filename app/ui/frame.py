"""The frame around the views: the rail at the left, the status bar at the bottom."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QFrame, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from app.texts import text
from app.ui import icons
from app.ui.context import Context
from app.ui.icons import icon, pixmap
from app.ui.jobs import remaining_words
from app.ui.locale import percent
from app.ui.models.overview import Overview
from app.ui.models.paying import left
from app.ui.theme import set_role, theme
from app.ui.tokens import RAIL, STATUS, Style
from app.ui.widgets.chips import Meter
from app.ui.widgets.layout import frame, row
from app.ui.widgets.text import Label

PLACES = (
    ("home", "home"),
    ("explore", "explore"),
    ("results", "results"),
    ("requests", "requests"),
    ("data", "data"),
    ("federation", "federation"),
    ("audit", "audit"),
)
BELOW = (("help", "help"), ("settings", "settings"))


class RailItem(QAbstractButton):
    """An icon over its label, with a number where something waits; the number is part of its accessible name."""

    def __init__(self, name: str, icon_name: str) -> None:
        super().__init__()
        self.name = name
        self._icon, self._badge, self._ring = icon_name, 0, False
        self._label = text(f"ui.rail.{name}")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self._label)
        theme().changed.connect(self.update)

    def set_badge(self, count: int) -> None:
        """Show how many wait; 0 shows nothing."""
        self._badge = count
        self.setAccessibleName(text("ui.waiting_at", name=self._label, count=count) if count else self._label)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        metrics = QFontMetrics(theme().font(Style.CAPTION))
        return QSize(max(72, metrics.horizontalAdvance(self._label) + 10), max(54, 36 + metrics.height()))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        # the ring is for who uses the keyboard: a window that just opened has its focus here without being asked
        unasked = (
            Qt.FocusReason.MouseFocusReason,
            Qt.FocusReason.ActiveWindowFocusReason,
            Qt.FocusReason.OtherFocusReason,
        )
        self._ring = event.reason() not in unasked
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self.isChecked() or self.underMouse():
            painter.setPen(QPen(look.colour("hair"), 1) if self.isChecked() else Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("raised" if self.isChecked() else "hover"))
            painter.drawRoundedRect(inside, 8, 8)
        ink = look.colour("acc" if self.isChecked() else "text2")
        top = (self.height() - 42) / 2
        icons.paint(painter, self._icon, QRectF((self.width() - 22) / 2, top, 22, 22), ink)
        font = look.font(Style.CAPTION)
        font.setWeight(font.Weight.DemiBold if self.isChecked() else font.Weight.Normal)
        painter.setFont(font)
        painter.setPen(ink)
        painter.drawText(QRectF(0, top + 24, self.width(), 18), Qt.AlignmentFlag.AlignCenter, self._label)
        if self._badge:
            self._paint_badge(painter, top)
        if self._ring and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.colour("accfill"), 2))
            painter.drawRoundedRect(inside, 8, 8)

    def _paint_badge(self, painter: QPainter, top: float) -> None:
        look, words = theme(), str(min(self._badge, 99))
        font = look.font(Style.CAPTION)
        font.setWeight(font.Weight.DemiBold)
        width = max(17, QFontMetrics(font).horizontalAdvance(words) + 9)
        place = QRectF(self.width() / 2 + 4, top - 5, width, 17)
        painter.setPen(QPen(look.colour("rail"), 2))
        painter.setBrush(look.colour("accfill"))
        painter.drawRoundedRect(place, 8.5, 8.5)
        painter.setPen(look.colour("onacc"))
        painter.setFont(font)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)


class Rail(QFrame):
    """The places of the program; the arrow keys move between them."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        set_role(self, role="rail")
        self.setMinimumWidth(RAIL)
        self._items: dict[str, RailItem] = {}
        self._group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 12, 6, 8)
        layout.setSpacing(4)
        mark = QLabel()
        mark.setPixmap(pixmap("logo", 30, "text", 2.0))
        layout.addWidget(mark, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(10)
        for name, icon_name in PLACES:
            layout.addWidget(self._item(name, icon_name))
        layout.addStretch(1)
        for name, icon_name in BELOW:
            layout.addWidget(self._item(name, icon_name))

    def _item(self, name: str, icon_name: str) -> RailItem:
        item = RailItem(name, icon_name)
        item.clicked.connect(lambda: self.chosen.emit(name))
        self._group.addButton(item)
        self._items[name] = item
        return item

    def select(self, name: str) -> None:
        """Show where the person is."""
        if (item := self._items.get(name)) is not None:
            item.setChecked(True)

    def set_badge(self, name: str, count: int) -> None:
        """Show how many things wait at a place."""
        self._items[name].set_badge(count)


class _Dots(QWidget):
    """A dot a site: filled where it can be reached."""

    def __init__(self) -> None:
        super().__init__()
        self._states: tuple[bool, ...] = ()

    def set_states(self, states: tuple[bool, ...]) -> None:
        self._states = states
        self.setFixedSize(10 * len(states), 12)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, there in enumerate(self._states):
            painter.setPen(QPen(look.colour("pos" if there else "ctl"), 1.4))
            painter.setBrush(look.colour("pos") if there else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QRectF(10 * place + 1, 2.5, 7, 7))


class StatusBar(QFrame):
    """Federation, relay, sites; at the right what is under way. Each part is a button."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        set_role(self, role="status")
        self.setMinimumHeight(STATUS)
        self._federation = self._part("federation", lambda: context.navigate("federation"))
        self._relay = self._part("globe", lambda: context.navigate("federation"))
        self._dots = _Dots()
        self._sites = self._part("", lambda: context.navigate("federation"))
        self._budget = self._part("layers", lambda: context.navigate("budget"))
        self._meter = Meter(4)
        self._meter.setFixedWidth(50)
        self._jobs = self._part("", self._open_jobs)
        self.setLayout(
            row(
                self._federation,
                self._relay,
                self._dots,
                self._sites,
                self._budget,
                None,
                self._meter,
                self._jobs,
                gap=6,
                margins=(10, 0, 10, 0),
            )
        )
        context.standing.changed.connect(self.refresh)
        context.jobs.changed.connect(self._show_jobs)
        self.refresh()
        self._show_jobs()

    def _part(self, icon_name: str, pressed: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setFont(theme().font(Style.CAPTION))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setIconSize(QSize(13, 13))
        if icon_name:
            button.setIcon(icon(icon_name))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.clicked.connect(lambda: pressed())
        return button

    def _say(self, button: QToolButton, words: str, icon_name: str = "", token: str = "text2") -> None:
        button.setText(words)
        button.setAccessibleName(words)
        button.setVisible(bool(words))
        if icon_name:
            button.setIcon(icon(icon_name, token))

    def refresh(self) -> None:
        """Show where the site stands."""
        overview: Overview = self._context.standing.overview
        self._say(self._federation, overview.federation or text("ui.status.no_federation"))
        if not overview.federation:
            self._say(self._relay, text("ui.status.stays_here"), "shield")
        else:
            self._say(self._relay, *_relay_words(overview))
        others = bool(overview.sites)
        self._dots.set_states(tuple(site.own or site.reachable is True for site in overview.sites))
        self._dots.setVisible(others)
        words = text("ui.status.sites", reachable=overview.reachable, count=len(overview.sites)) if others else ""
        self._say(self._sites, words)
        budget = self._context.standing.budget
        if budget is None or not overview.ready:
            self._say(self._budget, "")
        else:
            self._say(self._budget, left(budget), "layers", "dan" if budget.exhausted else "text2")

    def _show_jobs(self) -> None:
        running = self._context.jobs.running
        self._meter.setVisible(bool(running))
        if not running:
            self._say(self._jobs, text("ui.status.no_jobs"))
            self._jobs.setEnabled(False)
            return
        self._jobs.setEnabled(True)
        first = running[0]
        if len(running) == 1:
            words = text("ui.status.one_job", title=first.title, percent=percent(first.fraction))
        else:
            words = text("ui.status.jobs", count=len(running))
        self._meter.set_parts([(sum(job.fraction for job in running) / len(running), "accfill")], words)
        self._say(self._jobs, words)

    def _open_jobs(self) -> None:
        menu = QMenu(self)
        for job in self._context.jobs.running:
            left = remaining_words(job.remaining)
            about = menu.addAction(" · ".join(filter(None, (job.title, percent(job.fraction), left))))
            about.setEnabled(False)
            menu.addAction(icon("stop"), text("ui.status.cancel", title=job.title)).triggered.connect(
                lambda _checked=False, job=job: job.cancel()
            )
        above = self._jobs.mapToGlobal(self._jobs.rect().topRight()) - QPoint(*menu.sizeHint().toTuple())
        menu.popup(above)


def _relay_words(overview: Overview) -> tuple[str, str, str]:
    match overview.connection:
        case "connected":
            return text("ui.status.connected"), "check-circle", "pos"
        case "offline":
            return text("ui.status.offline"), "offline", "text2"
        case "trouble":
            return text("ui.status.trouble"), "warning", "cau"
        case _:
            return text("ui.status.connecting"), "running", "text2"


def pretend_strip() -> QFrame:
    """Return the strip that says on every screen that the hospitals are pretend."""
    words = Label(text("ui.pretend.strip"), Style.CAPTION, "cau")
    made = frame("banner", row(None, words, None, margins=(8, 3, 8, 3)), tone="caution")
    made.setAccessibleName(text("ui.pretend.strip"))
    return made
