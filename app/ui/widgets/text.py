"""Labels in the design's type styles."""

from __future__ import annotations

import html

from PySide6 import QtGui
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.ui.theme import set_role, theme
from app.ui.tokens import Style


def tip(words: str) -> str:
    """Return a tool tip that shows ``words`` as they are: Qt takes for HTML what looks like it, whoever wrote it."""
    return f"<qt>{html.escape(words)}</qt>" if QtGui.Qt.mightBeRichText(words) else words


class Label(QLabel):
    """Text in a type style and an ink (``text``, ``text2``, ``text3``, ``acc``, ``pos``, ``cau``, ``dan``).

    Plain text unless ``rich``; what comes from outside is never rich.
    """

    def __init__(
        self,
        text: str = "",
        style: Style = Style.BODY,
        ink: str = "text",
        *,
        wrap: bool = False,
        rich: bool = False,
        selectable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
        self.setText(text)
        self.setFont(theme().font(style))
        self.setWordWrap(wrap)
        if wrap:
            policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
            policy.setHeightForWidth(True)
            self.setSizePolicy(policy)
        if selectable:
            self.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
        self.set_ink(ink)

    def set_ink(self, ink: str) -> None:
        """Change the colour role."""
        set_role(self, ink=ink)


class ElidedLabel(Label):
    """One line that ends in an ellipsis where there is no room; the whole text is its tool tip."""

    def __init__(self, text: str = "", style: Style = Style.BODY, ink: str = "text") -> None:
        super().__init__("", style, ink)
        self._whole = text
        self.setMinimumWidth(24)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_whole(text)

    def set_whole(self, text: str) -> None:
        """Change the text."""
        self._whole = text
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = QFontMetrics(self.font()).elidedText(self._whole, Qt.TextElideMode.ElideRight, max(self.width(), 24))
        if shown != self.text():
            self.setText(shown)
        self.setToolTip(tip(self._whole) if shown != self._whole else "")
