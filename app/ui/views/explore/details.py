"""The sheet about one variable: what it means, who has it, how it is distributed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QVBoxLayout, QWidget

from app.core.catalogue.holding import holds
from app.core.catalogue.model import Kind, Variable
from app.texts import preferred_language, text
from app.ui.icons import icon
from app.ui.locale import number
from app.ui.models.board import Board
from app.ui.models.catalogue import reason, unit_of
from app.ui.models.scales import number_text, scale_of
from app.ui.theme import set_role, theme
from app.ui.tokens import PANE, Style
from app.ui.views.explore.range_slider import RangeSlider
from app.ui.views.explore.wording import ICONS, label, times_of
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import clear, column, row, scrolling
from app.ui.widgets.text import Label

_MOST = 40


class Details(QFrame):
    """The sheet. ``closed`` comes when it goes away."""

    closed = Signal()

    def __init__(self, board: Board, starred: Callable[[str], bool], star: Callable[[str, bool], object]) -> None:
        super().__init__()
        set_role(self, role="pane")
        self.board = board
        self._starred, self._star = starred, star
        self.code = ""
        self.by_site: Mapping[str, bytes | None] = {}
        """What each site holds, as bits; None for one that has not told."""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(text("ui.explore.details"))
        self._title = Label("", Style.TITLE, wrap=True)
        self._close = IconButton("close", text("ui.close"), size=16, pressed=self.leave)
        self._favourite = IconButton("star", "", size=16, pressed=self._toggle_star)
        self._body = QVBoxLayout()
        self._body.setSpacing(6)
        head = row(self._title, self._favourite, self._close, gap=4, margins=(PANE, 12, 12, 8))
        head.setStretchFactor(self._title, 1)
        head.setAlignment(self._favourite, Qt.AlignmentFlag.AlignTop)
        head.setAlignment(self._close, Qt.AlignmentFlag.AlignTop)
        self._add = Button(text("ui.explore.add_here"), "primary", icon_name="plus", pressed=self._add_it)
        content = column(self._body, None, margins=(PANE, 4, PANE, 12))
        self._area = scrolling(content)
        whole = column(head, self._area, row(self._add, margins=(PANE, 8, PANE, 12)), gap=0)
        whole.setStretchFactor(self._area, 1)
        self.setLayout(whole)
        self.setMinimumWidth(260)
        self.hide()
        board.surroundings_changed.connect(self._again)

    def show_variable(self, code: str) -> None:
        """Show the sheet about a variable."""
        self.code = code
        self._again()
        self.show()
        self.setFocus()

    def leave(self) -> None:
        """Close the sheet."""
        self.hide()
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    def _again(self) -> None:
        variable = self.board.variable(self.code) if self.code else None
        if variable is None:
            return
        self._title.setText(label(variable))
        self._show_star()
        clear(self._body)
        for widget in self._parts(variable):
            self._body.addWidget(widget)

    def _show_star(self) -> None:
        starred = self._starred(self.code)
        self._favourite.set_name(text("ui.explore.unstar") if starred else text("ui.explore.star"))
        self._favourite.setIcon(icon("star-filled" if starred else "star", "acc" if starred else "text2"))

    def _toggle_star(self) -> None:
        self._star(self.code, not self._starred(self.code))
        self._show_star()

    def _add_it(self) -> None:
        variable = self.board.variable(self.code)
        if variable is not None:
            self.board.bring([(variable.code, None)])

    def _parts(self, variable: Variable) -> list[QWidget]:
        language = preferred_language()
        kind = QWidget()
        kind.setLayout(
            row(
                Icon(ICONS[variable.kind], 16),
                Label(text(f"ui.explore.kind.{variable.kind.value}"), ink="text2"),
                Chip(variable.code, code=True),
                None,
            )
        )
        parts: list[QWidget] = [kind]
        if variable.description is not None:
            parts.append(Label(variable.description.text(language), wrap=True))
        if unit := unit_of(variable, language):
            parts.append(Label(text("ui.explore.unit", unit=unit), ink="text2", wrap=True))
        if times := times_of(variable):
            parts.append(Label(times, ink="text2", wrap=True))
        parts += self._values(variable)
        parts += [Label(text("ui.explore.who_has_it"), Style.STRONG), *self._sites(variable)]
        return parts

    def _values(self, variable: Variable) -> list[QWidget]:
        shown = self.board.distribution(variable.code)
        known = shown.known if shown is not None else None
        parts: list[QWidget] = [Label(text("ui.explore.here"), Style.STRONG)]
        if shown is None:
            parts.append(Label(text("ui.explore.no_report"), Style.SMALL, "text2", wrap=True))
        elif known is None:
            parts.append(Label(text("ui.explore.few_here"), Style.SMALL, "text2", wrap=True))
        else:
            parts.append(Label(text("ui.explore.known_here", count=number(known)), Style.SMALL, "text2", wrap=True))
        if variable.kind is Kind.CATEGORY:
            counts = {} if shown is None else {bar.first: bar.count for bar in shown.bars}
            most = max(counts.values(), default=0)
            for place, level in enumerate(variable.levels[:_MOST]):
                parts.append(LevelBar(level.label.text(preferred_language()), counts.get(place), most))
        elif (scale := scale_of(variable)) is not None:
            if shown is not None and shown.bars:
                slider = RangeSlider(scale, shown)
                slider.setEnabled(False)
                for handle in slider.findChildren(QWidget):
                    handle.hide()
                parts.append(slider)
            if variable.kind is Kind.NUMBER:
                cuts = ", ".join(map(number_text, variable.cut_points))
                parts.append(Label(text("ui.explore.cut_points", cuts=cuts), Style.SMALL, "text2", wrap=True))
        return parts

    def _sites(self, variable: Variable) -> list[QWidget]:
        found: list[QWidget] = []
        if why := reason(self.board.holding, variable.code):
            found.append(Label(why, Style.SMALL, "cau", wrap=True))
        place = self.board.places[variable.code]
        for site, bits in self.by_site.items():
            state = "unknown" if bits is None else "yes" if holds(bits, place) else "no"
            icon_name, token = {"yes": ("check", "pos"), "no": ("close", "text3"), "unknown": ("help", "text3")}[state]
            line = QWidget()
            words = Label(text(f"ui.explore.holds.{state}", site=site), wrap=True)
            layout = row(Icon(icon_name, 14, token), words)
            layout.setStretchFactor(words, 1)
            line.setLayout(layout)
            found.append(line)
        return found


class LevelBar(QWidget):
    """A level with how many patients have it here, over a thin bar."""

    def __init__(self, name: str, count: int | None, most: int) -> None:
        super().__init__()
        self._share = (count or 0) / most if most else 0.0
        self._has = count is not None
        words = Label(name, Style.SMALL, wrap=True)
        layout = row(words, margins=(0, 2, 0, 8 if self._has else 2))
        layout.setStretchFactor(words, 1)
        if count is not None:
            layout.addWidget(Label(number(count), Style.SMALL, "text2"))
        self.setLayout(layout)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(120, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        if not self._has:
            return
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour("hair2"))
        y = self.height() - 6
        painter.drawRoundedRect(QRectF(0, y, self.width(), 4), 2, 2)
        painter.setBrush(look.plot_colours[0])
        painter.drawRoundedRect(QRectF(0, y, self.width() * self._share, 4), 2, 2)
