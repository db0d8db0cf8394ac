"""What a view says of itself: banners, empty states, timelines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QSizePolicy, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.texts import Explanation, explain, text
from app.ui import icons
from app.ui.theme import set_role, theme
from app.ui.tokens import GAP, Style
from app.ui.widgets.buttons import LINK, Button, IconButton
from app.ui.widgets.layout import clear, column, frame, row
from app.ui.widgets.text import Label

_LOOK = {
    "info": ("info", "acc"),
    "caution": ("warning", "cau"),
    "danger": ("close-circle", "dan"),
    "positive": ("check-circle", "pos"),
}


_EMPTY_WIDTH = 460


class Icon(QWidget):
    """An icon of a size in a colour token; it means nothing on its own, so screen readers skip it."""

    def __init__(self, name: str, size: int = 16, token: str = "text2") -> None:
        super().__init__()
        self._name, self._token = name, token
        self.setFixedSize(size, size)
        theme().changed.connect(self.update)

    def set(self, name: str, token: str) -> None:
        """Show another one."""
        self._name, self._token = name, token
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        icons.paint(QPainter(self), self._name, QRectF(self.rect()), theme().colour(self._token))


class Banner(QFrame):
    """A fact at the top of a view, what it means, and at most one button; never modal.

    ``tone`` is info, caution, danger or positive. ``details`` are folded.
    """

    def __init__(
        self,
        tone: str,
        fact: str,
        meaning: str = "",
        *,
        action: tuple[str, Callable[[], object]] | None = None,
        details: str = "",
        closed: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        set_role(self, role="banner", tone=tone)
        name, token = _LOOK[tone]
        self.fact, self.meaning = fact, meaning
        first = Label(fact, Style.STRONG, wrap=True, selectable=True)
        words = [first]
        if meaning:
            words.append(Label(meaning, Style.BODY, wrap=True, selectable=True))
        side: list[QWidget] = []
        if action is not None:
            side.append(Button(action[0], size="small", pressed=action[1]))
        if closed is not None:
            side.append(IconButton("close", text("ui.close"), size=14, pressed=closed))
        inside = column(*words, gap=2)
        if details:
            inside.addWidget(_Details(details))
        layout = row(gap=10, margins=(12, 10, 10, 10))
        layout.addWidget(Icon(name, 18, token), 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(inside, 1)
        for each in side:
            layout.addWidget(each, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setLayout(layout)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setAccessibleName(f"{fact} {meaning}".strip())

    @classmethod
    def of_error(
        cls,
        error: ConsiliumError,
        *,
        action: tuple[str, Callable[[], object]] | None = None,
        closed: Callable[[], object] | None = None,
    ) -> Banner:
        """Return a banner that says what happened, whether data is safe, what to do; the code is folded."""
        told: Explanation = explain(error)
        meaning = " ".join(filter(None, (told.safe, told.next)))
        return cls("danger", told.what, meaning, action=action, details=str(error), closed=closed)


class _Details(QWidget):
    """A link that unfolds what only the support asks for."""

    def __init__(self, details: str) -> None:
        super().__init__()
        self._label = Label(details, Style.CODE, "text2", wrap=True, selectable=True)
        self._label.hide()
        self._link = Button(text("ui.details"), LINK, pressed=self._toggle)
        layout = column(row(self._link, None), self._label, gap=2)
        self.setLayout(layout)

    def _toggle(self) -> None:
        self._label.setVisible(self._label.isHidden())


class Banners(QWidget):
    """The place at the top of a view where its banners are; it takes no room while there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(GAP)
        self.hide()

    def show_only(self, *banners: Banner) -> None:
        """Show these instead of what was there."""
        clear(self._layout)
        for banner in banners:
            self._layout.addWidget(banner)
        self.setVisible(bool(banners))
        if banners:
            announce(self, banners[0].accessibleName())

    def show_error(self, error: ConsiliumError) -> None:
        """Show what went wrong until somebody closes it."""
        self.show_only(Banner.of_error(error, closed=lambda: self.show_only()))


class EmptyState(QWidget):
    """What a view says while there is nothing to show: why, and what to do about it."""

    def __init__(
        self, icon_name: str, title: str, words: str, *, action: tuple[str, Callable[[], object]] | None = None
    ) -> None:
        super().__init__()
        heading = Label(title, Style.TITLE, wrap=True)
        says = Label(words, Style.BODY, "text2", wrap=True)
        for label in (heading, says):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        middle = QWidget()  # of a fixed width, so that lines are counted before the height is shared out
        middle.setFixedWidth(_EMPTY_WIDTH)
        inside = column(heading, says)
        inside.insertWidget(0, Icon(icon_name, 40, "text3"), 0, Qt.AlignmentFlag.AlignHCenter)
        if action is not None:
            inside.addSpacing(8)
            inside.addWidget(Button(action[0], "primary", pressed=action[1]), 0, Qt.AlignmentFlag.AlignHCenter)
        middle.setLayout(inside)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addLayout(row(None, middle, None))
        layout.addStretch(3)


@dataclass(frozen=True)
class TimelineStep:
    """One step of a timeline. ``state`` is done, running, waiting, failed or later; ``when`` stands at the right."""

    state: str
    title: str
    words: str = ""
    when: str = ""


_STEP = {
    "done": ("check-circle", "pos"),
    "running": ("running", "acc"),
    "waiting": ("person", "cau"),
    "failed": ("close-circle", "dan"),
    "later": ("circle", "text3"),
}


class Timeline(QWidget):
    """Steps below each other, joined by a line that is coloured as far as things have come."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self.steps: tuple[TimelineStep, ...] = ()

    def show_steps(self, steps: Sequence[TimelineStep]) -> None:
        """Show these steps."""
        if tuple(steps) == self.steps:
            return
        self.steps = tuple(steps)
        clear(self._layout)
        for step in self.steps:
            self._layout.addWidget(_Step(step, last=step is self.steps[-1]))


class _Step(QWidget):
    def __init__(self, step: TimelineStep, *, last: bool) -> None:
        super().__init__()
        self._step, self._last = step, last
        words = [Label(step.title, Style.STRONG, "text3" if step.state == "later" else "text", wrap=True)]
        if step.words:
            words.append(Label(step.words, Style.SMALL, "text2", wrap=True))
        inside = column(*words, gap=2)
        layout = row(34, inside, margins=(0, 0, 0, 0 if last else 16), gap=0)
        layout.setStretchFactor(inside, 1)
        if step.when:
            layout.addWidget(Label(step.when, Style.CAPTION, "text2"), 0, Qt.AlignmentFlag.AlignTop)
        self.setLayout(layout)
        self.setAccessibleName(". ".join(filter(None, (text(f"ui.step.{step.state}"), step.title, step.words))))
        theme().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        name, token = _STEP[self._step.state]
        if not self._last:
            done = self._step.state == "done"
            painter.setPen(QPen(look.colour("pos" if done else "hair2"), 2))
            painter.drawLine(10, 24, 10, self.height() - 3)
        icons.paint(painter, name, QRectF(0, 0, 21, 21), look.colour(token))


def announce(widget: QWidget, words: str) -> None:
    """Have a screen reader say ``words``."""
    if words and QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, words))


def well(*items: QWidget) -> QFrame:
    """Return a sunken frame around ``items``."""
    return frame("well", column(*items, gap=4, margins=(10, 8, 10, 8)))
