"""Fields: search, labelled inputs with their reason for refusal below them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from app.ui.icons import icon
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.widgets.feedback import announce
from app.ui.widgets.text import Label, tip

_TYPING_MS = 120


class SearchField(QLineEdit):
    """Search as you type: ``wanted`` comes when the typing rests for a moment; Escape empties it."""

    wanted = Signal(str)

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self.setPlaceholderText(placeholder)
        self.setAccessibleName(placeholder)
        self.setClearButtonEnabled(True)
        sign = QAction(icon("search"), "", self)
        self.addAction(sign, QLineEdit.ActionPosition.LeadingPosition)
        self._timer = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._timer.timeout.connect(lambda: self.wanted.emit(self.text()))
        self.textChanged.connect(lambda _text: self._timer.start())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
            return
        super().keyPressEvent(event)


class Field(QWidget):
    """An input with its label above, a hint below, and in its place the reason when it is refused."""

    def __init__(self, label: str, control: QWidget, hint: str = "") -> None:
        super().__init__()
        self.control = control
        self._hint = hint
        name = Label(label, Style.STRONG)
        name.setBuddy(control)
        control.setAccessibleName(label)
        control.setAccessibleDescription(hint)
        self._below = Label(hint, Style.CAPTION, "text2", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for each in (name, control, self._below):
            layout.addWidget(each)
        self._below.setVisible(bool(hint))  # not earlier: what has no parent would be a window for a moment

    def refuse(self, reason: str) -> None:
        """Say why what was entered cannot be; an empty reason takes it back."""
        self._below.setText(reason or self._hint)
        self._below.set_ink("dan" if reason else "text2")
        self._below.setVisible(bool(reason or self._hint))
        set_role(self.control, wrong=bool(reason))
        self.control.setAccessibleDescription(reason or self._hint)
        if reason:
            announce(self, reason)


def line_edit(placeholder: str = "", *, secret: bool = False, changed: Callable[[], object] | None = None) -> QLineEdit:
    """Return a line to type in; a ``secret`` one shows dots."""
    made = QLineEdit()
    made.setPlaceholderText(placeholder)
    if secret:
        made.setEchoMode(QLineEdit.EchoMode.Password)
    if changed is not None:
        made.textChanged.connect(lambda _text: changed())
    return made


class Choice(QComboBox):
    """A combo box of (value, text) pairs; the wheel changes it only when it has the focus."""

    chosen = Signal(str)
    """Emitted when the person at the computer has chosen another value."""

    def __init__(self, name: str, entries: list[tuple[str, str]], *, icon_name: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(tip(name))
        self.setIconSize(QSize(16, 16))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for value, shown in entries:
            if icon_name:
                self.addItem(icon(icon_name), shown, value)
            else:
                self.addItem(shown, value)
        self.activated.connect(lambda _index: self.chosen.emit(self.value))

    @property
    def value(self) -> str:
        """The value that is chosen."""
        return str(self.currentData())

    def set_value(self, value: str) -> None:
        """Choose a value without telling anyone."""
        self.setCurrentIndex(max(self.findData(value), 0))

    def wheelEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        if self.hasFocus():
            super().wheelEvent(event)  # type: ignore[arg-type]
        else:
            event.ignore()  # type: ignore[attr-defined]
