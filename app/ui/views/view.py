"""What the screens have in common."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.ui.context import Context
from app.ui.theme import set_role
from app.ui.widgets.feedback import Banners


class View(QWidget):
    """A screen. It asks again for what it shows when it appears, and when something has changed while it is seen.

    A view puts its header and its content into ``self.page`` (a vertical layout without margins), and ``self.banners``
    at the top of its content.
    """

    name: ClassVar[str]
    """Its name for ``navigate``, and that of its texts and its icon."""
    rail: ClassVar[str] = ""
    """The place of the rail that it belongs to, where that is not its own."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        set_role(self, role="page")
        self.page = QVBoxLayout(self)
        self.page.setContentsMargins(0, 0, 0, 0)
        self.page.setSpacing(0)
        self.banners = Banners()
        context.bridge.changed.connect(self._stirred)

    def refresh(self) -> None:
        """Ask for what is shown."""

    def open(self, argument: object = None) -> None:
        """Show what ``argument`` names, as another view wishes that navigates here."""

    def fail(self, error: ConsiliumError) -> None:
        """Show an error at the top."""
        self.banners.show_error(error)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self.refresh()

    def _stirred(self) -> None:
        if self.isVisible():
            self.refresh()
