"""Buttons: one primary an area of decision, destructive ones apart."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from app.ui.icons import icon
from app.ui.theme import set_role
from app.ui.widgets.text import tip

SECONDARY, PRIMARY, DANGER, QUIET, LINK, TOGGLE = "secondary", "primary", "danger", "quiet", "link", "toggle"
_SIDES = {QUIET: 18}
"""What is beside the words of an elided button, in pixels; 24 for the other roles."""
_INK = {PRIMARY: "onacc", DANGER: "dan", LINK: "acc"}


class Button(QPushButton):
    """A button of a ``role`` and a ``size`` (``small``, ``normal``, ``large``); Enter presses it like Space."""

    def __init__(
        self,
        text: str,
        role: str = SECONDARY,
        *,
        icon_name: str = "",
        size: str = "normal",
        pressed: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text.replace("&", "&&"), parent)
        if icon_name:
            self.setIcon(icon(icon_name, _INK.get(role, "text2")))
            self.setIconSize(QSize(16, 16))
        set_role(self, role=role, measure=size)  # "size" is a property of every widget
        self.setAutoDefault(True)
        self.setCheckable(role == TOGGLE)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        if pressed is not None:
            self.clicked.connect(lambda: pressed())

    def forbid(self, reason: str) -> None:
        """Switch it off with the reason as tool tip and description, or on again with an empty one."""
        self.setEnabled(not reason)
        self.setToolTip(tip(reason))
        self.setAccessibleDescription(reason)


class ElidedButton(Button):
    """A button whose words end in an ellipsis where there is no room; the whole of them is its tool tip then."""

    def __init__(
        self, text: str, role: str = SECONDARY, *, size: str = "normal", pressed: Callable[[], object] | None = None
    ) -> None:
        super().__init__("", role, size=size, pressed=pressed)
        self._sides = _SIDES.get(role, 24)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._whole = ""
        self.set_whole(text)

    @property
    def whole(self) -> str:
        """All of its words."""
        return self._whole

    def set_whole(self, words: str) -> None:
        """Change the words."""
        if words != self._whole:
            self._whole = words
            self._fit()
            self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        icon_room = 0 if self.icon().isNull() else self.iconSize().width() + 4
        return QSize(
            self.fontMetrics().horizontalAdvance(self._whole) + icon_room + self._sides, super().sizeHint().height()
        )

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(min(self.sizeHint().width(), 96), self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        icon_room = 0 if self.icon().isNull() else self.iconSize().width() + 4
        room = max(self.width() - icon_room - self._sides + 2, 24)
        shown = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, room)
        self.setText(shown.replace("&", "&&"))
        self.setToolTip(tip(self._whole) if shown != self._whole else "")


class IconButton(QToolButton):
    """A button that shows only an icon; ``name`` is its tool tip and its accessible name."""

    def __init__(
        self,
        icon_name: str,
        name: str,
        *,
        pressed: Callable[[], object] | None = None,
        size: int = 18,
        token: str = "text2",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setIcon(icon(icon_name, token))
        self.setIconSize(QSize(size, size))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_name(name)
        if pressed is not None:
            self.clicked.connect(lambda: pressed())

    def set_name(self, name: str) -> None:
        """Change the tool tip and the accessible name."""
        self.setToolTip(tip(name))
        self.setAccessibleName(name)


def menu_button(
    button: QPushButton | QToolButton, entries: list[tuple[str, str, Callable[[], object]] | None]
) -> QMenu:
    """Give ``button`` a menu of (text, icon name or "", what it does); None is a line between. Return the menu."""
    menu = QMenu(button)
    for entry in entries:
        if entry is None:
            menu.addSeparator()
            continue
        text, icon_name, do = entry
        action = QAction(text, menu)
        if icon_name:
            action.setIcon(icon(icon_name))
        action.triggered.connect(lambda _checked=False, do=do: do())
        menu.addAction(action)
    button.setMenu(menu)
    if isinstance(button, QToolButton):
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return menu
