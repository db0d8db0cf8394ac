"""Buttons: one primary an area of decision, destructive ones apart."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from app.ui.icons import icon
from app.ui.theme import set_role
from app.ui.widgets.text import tip

SECONDARY, PRIMARY, DANGER, QUIET, LINK, TOGGLE = "secondary", "primary", "danger", "quiet", "link", "toggle"
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
