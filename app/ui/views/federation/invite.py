"""Inviting a hospital: its name, then the invitation as text and as a QR code, to copy, save or print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QPainter, QPixmap, QTextDocument
from PySide6.QtWidgets import QFileDialog, QLabel, QLayout, QPlainTextEdit, QWidget

from app.core.errors import ConsiliumError
from app.core.files import write_atomic
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import whole_moment
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.views.federation.printing import document, print_or_save
from app.ui.widgets.buttons import Button
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_QUIET = 4  # modules of white around a code, as its standard demands
_SIDE = 232
_PRINTED = 640
_WIDE = 660


class InviteDialog(Dialog):
    """One invitation, for one hospital, good once."""

    def __init__(
        self, parent: QWidget, context: Context, name: str, *, again: bool, changed: Callable[[], object]
    ) -> None:
        self._context, self._again, self._changed = context, again, changed
        self._invitation = self._site = self._until = ""
        self.name = line_edit(changed=lambda: self._name.refuse(""))
        self._name = Field(text("ui.federation.invite_name"), self.name, text("ui.federation.invite_name_hint"))
        self.name.setText(name)
        self._made = QWidget()
        super().__init__(parent, text("ui.federation.invite"), text("ui.federation.invite_words"), self._name,
                         self._made, answer=text("ui.federation.invite_make"))  # fmt: skip
        self._made.hide()
        self.answered = self._make
        if name:
            self.name.setReadOnly(True)
            self._make()
        else:
            self.name.setFocus()

    @property
    def invitation(self) -> str:
        """The invitation's text; empty before it is made."""
        return self._invitation

    def _make(self) -> None:
        name = self.name.text().strip()
        if not name:
            self._name.refuse(text("ui.federation.invite_name_needed"))
            return
        self.busy(True)
        self._context.bridge.call(
            "federation.invite", {"site": name, "again": self._again}, of=self, done=self._show, failed=self._fail
        )

    def _fail(self, error: ConsiliumError) -> None:
        if error.code == "joining.bad_name":
            self.busy(False)
            self._name.refuse(text("ui.federation.invite_bad_name"))
        else:
            self.failed(error)

    def _show(self, result: Result) -> None:
        self._invitation = result["text"].reveal().decode()
        self._site, self._until = str(result["site"]), whole_moment(int(result["expires"]))
        self._name.hide()
        self.answer_button.setText(text("ui.federation.invite_done"))
        self.busy(False)
        self.answered = self.accept
        self.cancel_button.hide()
        self._made.setLayout(self._layout())
        self.setMinimumWidth(_WIDE)
        self._made.show()
        announce(self, text("ui.federation.invited", site=self._site, until=self._until))
        self._changed()

    def _layout(self) -> QLayout:
        shown = QPlainTextEdit(self._invitation)
        set_role(shown, role="code")
        shown.setFont(theme().font(Style.CODE))
        shown.setReadOnly(True)
        shown.setTabChangesFocus(True)
        shown.setMinimumWidth(320)
        shown.setFixedHeight(_SIDE)
        shown.setAccessibleName(text("ui.federation.invite_text"))
        picture = QLabel()
        picture.setPixmap(qr_picture(self._invitation, _SIDE, self.devicePixelRatioF()))
        picture.setFixedSize(_SIDE, _SIDE)
        picture.setAccessibleName(text("ui.federation.invite_qr"))
        self.copy_button = Button(text("ui.federation.copy"), icon_name="copy", pressed=self._copy)
        save = Button(text("ui.federation.save"), icon_name="file", pressed=self._save)
        print_ = Button(text("ui.federation.print"), icon_name="print", pressed=self._print)
        said = Label(text("ui.federation.invited", site=self._site, until=self._until), Style.STRONG, wrap=True)
        both = row(shown, picture, gap=12)
        both.setAlignment(picture, Qt.AlignmentFlag.AlignTop)
        after = Label(text("ui.federation.invite_next", site=self._site), Style.SMALL, "text2", wrap=True)
        return column(said, both, row(self.copy_button, save, print_, None), after, gap=10)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._invitation)
        self.copy_button.setText(text("ui.federation.copied"))
        announce(self, text("ui.federation.copied"))

    def _save(self) -> None:
        name = f"{text('ui.federation.invite_file', site=self._site)}.txt"
        path, _ = QFileDialog.getSaveFileName(self, text("ui.federation.save"), name)
        if path:
            try:
                write_atomic(Path(path), f"{self._invitation}\n".encode())
            except ConsiliumError as error:
                self.failed(error)

    def _print(self) -> None:
        print_or_save(self, self.page(), text("ui.federation.invite_file", site=self._site))

    def page(self) -> QTextDocument:
        """Return the invitation as a page to print."""
        made = document(
            text("ui.federation.invite_page", federation=self._context.standing.overview.federation),
            [
                text("ui.federation.invited", site=self._site, until=self._until),
                text("ui.federation.invite_page_words"),
            ],
            picture="qr",
            code=self._invitation,
        )
        made.addResource(QTextDocument.ResourceType.ImageResource, QUrl("qr"), qr_image(self._invitation, _PRINTED))
        return made


def qr_image(words: str, side: int) -> QImage:
    """Return ``words`` as a QR code, black on white whatever the theme: that is what cameras read."""
    import segno  # noqa: PLC0415  (a start does without it)

    rows = tuple(segno.make(words.upper(), error="l", micro=False).matrix)
    modules = len(rows) + 2 * _QUIET
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    step = side / modules
    for y, cells in enumerate(rows):
        for x, dark in enumerate(cells):
            if dark:  # ends on whole pixels, so that no white lines come between
                left, top = round((x + _QUIET) * step), round((y + _QUIET) * step)
                right, bottom = round((x + _QUIET + 1) * step), round((y + _QUIET + 1) * step)
                painter.fillRect(QRectF(left, top, right - left, bottom - top), Qt.GlobalColor.black)
    painter.end()
    return image


def qr_picture(words: str, side: int, ratio: float) -> QPixmap:
    """Return a QR code for a screen of this pixel ratio."""
    picture = QPixmap.fromImage(qr_image(words, round(side * ratio)))
    picture.setDevicePixelRatio(ratio)
    return picture
