"""Dialogs: for questions only. Everything else is a banner."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QPlainTextEdit, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.texts import text
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.widgets.buttons import DANGER, PRIMARY, Button
from app.ui.widgets.feedback import Banners
from app.ui.widgets.fields import Field
from app.ui.widgets.layout import Item, column, frame, row
from app.ui.widgets.text import Label

_Dialog = TypeVar("_Dialog", bound=QDialog)


class Dialog(QDialog):
    """A question with one primary answer. It is not left before ``done`` says so, so that errors show inside it."""

    def __init__(self, parent: QWidget | None, title: str, words: str, *items: Item, answer: str, danger: bool = False):
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setModal(True)
        set_role(self, role="page")
        self.banners = Banners()
        self.cancel_button = Button(text("ui.cancel"), pressed=self.reject)
        self.answer_button = Button(answer, DANGER if danger else PRIMARY, pressed=self.answer)
        self.answer_button.setDefault(True)
        self.answered: Callable[[], object] = self.accept
        """What the primary button does."""
        heading = Label(title, Style.TITLE, wrap=True)
        body = column(heading, *([Label(words, Style.BODY, "text2", wrap=True)] if words else []), self.banners, *items)
        body.setSpacing(12)
        body.setContentsMargins(24, 20, 24, 16)
        foot = frame("foot", row(None, self.cancel_button, self.answer_button, margins=(24, 12, 24, 12)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(body)
        layout.addWidget(foot)
        self.setMinimumWidth(460)

    def answer(self) -> None:
        """Do what the primary button does."""
        self.answered()

    def busy(self, working: bool) -> None:
        """Keep the primary button from being pressed twice."""
        self.answer_button.setEnabled(not working)

    def failed(self, error: ConsiliumError) -> None:
        """Show what went wrong, in the dialog."""
        self.busy(False)
        self.banners.show_error(error)


def open_once(dialog: _Dialog) -> _Dialog:
    """Open a dialog that goes when it is closed, with everything it shows."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog


def confirm(
    parent: QWidget, title: str, words: str, *, answer: str, danger: bool = False, then: Callable[[], object]
) -> Dialog:
    """Ask before something that cannot be taken back; ``then`` is done after yes."""
    dialog = Dialog(parent, title, words, answer=answer, danger=danger)
    dialog.accepted.connect(lambda: then())
    return open_once(dialog)


def ask_text(
    parent: QWidget,
    title: str,
    words: str,
    *,
    label: str,
    answer: str,
    initial: str = "",
    most: int = 2000,
    needed: bool = True,
    then: Callable[[str], object],
) -> Dialog:
    """Ask for some lines of text; ``then`` gets them."""
    edit = QPlainTextEdit(initial)
    edit.setTabChangesFocus(True)
    edit.setFixedHeight(90)
    field = Field(label, edit)
    dialog = Dialog(parent, title, words, field, answer=answer)

    def answered() -> None:
        typed = edit.toPlainText().strip()
        if needed and not typed:
            field.refuse(text("ui.text_needed"))
        elif len(typed) > most:
            field.refuse(text("ui.text_too_long", most=most))
        else:
            dialog.accept()
            then(typed)

    dialog.answered = answered
    edit.setFocus()
    return open_once(dialog)
