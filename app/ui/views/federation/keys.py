"""Backing up the key share: the recovery sheet, printed and checked; a file under a passphrase; a check."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QDateTime, QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPlainTextEdit, QWidget

from app.core.errors import ConsiliumError
from app.core.secret import SecretBytes
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import whole_moment
from app.ui.tokens import Style
from app.ui.views.federation.invite import qr_image
from app.ui.views.federation.printing import document, print_or_save, save_as
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import Banner
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_CODE = 640
_LEAST_PASSPHRASE = 12


class SheetDialog(Dialog):
    """Prints the recovery sheet, then has two of its words typed from the paper: only that makes it a backup."""

    def __init__(self, parent: QWidget, context: Context, done: Callable[[], object]) -> None:
        self._context, self._done = context, done
        self._sheet: Result | None = None
        self.print = Button(text("ui.federation.print"), PRIMARY, icon_name="print", pressed=self._print)
        self.save = Button(text("ui.federation.save_pdf"), icon_name="file", pressed=self._save)
        self._check = QWidget()
        self.words: list[QLineEdit] = []
        self._fields: list[Field] = []
        self.asked: tuple[int, ...] = ()
        super().__init__(parent, text("ui.federation.sheet"), text("ui.federation.sheet_words"),
                         row(self.print, self.save, None), self._check,
                         answer=text("ui.federation.sheet_check"))  # fmt: skip
        self._check.hide()
        self.answered = self._compare
        for button in (self.print, self.save, self.answer_button):
            button.setEnabled(False)
        self.finished.connect(lambda _result: self._forget())
        context.bridge.call("keys.sheet", {}, of=self, done=self._got, failed=self.failed)

    def _got(self, sheet: Result) -> None:
        self._sheet = sheet
        self.print.setEnabled(True)
        self.save.setEnabled(True)
        self.answer_button.setEnabled(False)

    def _forget(self) -> None:
        """The words are not kept once nobody looks at them."""
        self._sheet = None

    def page(self) -> QTextDocument:
        """Return the sheet; whoever reads it has this site's keys."""
        sheet = self._sheet or {}
        words = sheet["words"].reveal().decode().split()
        now = whole_moment(QDateTime.currentMSecsSinceEpoch())
        made = document(
            text("cli.keys.sheet_title"),
            [],
            facts=[
                (text("cli.keys.sheet_federation"), str(sheet["federation"])),
                (text("cli.keys.sheet_site"), str(sheet["site"])),
                (text("cli.keys.sheet_date"), now),
                (text("cli.keys.sheet_key"), str(sheet["fingerprint"])),
            ],
            warning=text("cli.keys.sheet_warning"),
            words=words,
            notes=[
                text("cli.keys.sheet_keep"),
                text("cli.keys.sheet_never"),
                text("cli.keys.sheet_restore"),
                text("cli.keys.sheet_file"),
            ],
            picture="code",
            caption=text("cli.keys.sheet_code"),
        )
        code = qr_image(sheet["code"].reveal().decode(), _CODE)
        made.addResource(QTextDocument.ResourceType.ImageResource, QUrl("code"), code)
        return made

    def _print(self) -> None:
        if print_or_save(self, self.page(), text("cli.keys.sheet_title")):
            self.ask()

    def _save(self) -> None:
        if save_as(self, self.page(), text("cli.keys.sheet_title")):
            self.ask()
            self.banners.show_only(Banner("caution", text("ui.federation.sheet_saved")))

    def ask(self) -> None:
        """Ask for two words of the sheet, others each time."""
        if self.asked or self._sheet is None:
            return
        count = len(self._sheet["words"].reveal().decode().split())
        self.asked = tuple(sorted(secrets.SystemRandom().sample(range(count), 2)))
        layout = column(Label(text("ui.federation.sheet_ask"), Style.STRONG, wrap=True), gap=10)
        for number in self.asked:
            edit = line_edit()
            field = Field(text("ui.federation.sheet_word", number=number + 1), edit)
            self.words.append(edit)
            self._fields.append(field)
            layout.addWidget(field)
        self._check.setLayout(layout)
        self._check.show()
        self.answer_button.setEnabled(True)
        self.words[0].setFocus()

    def _compare(self) -> None:
        from app.core.crypto.word_list import word_number  # noqa: PLC0415  (a start does without it)

        if self._sheet is None or not self.asked:
            return
        words = self._sheet["words"].reveal().decode().split()
        right = True
        for number, edit, field in zip(self.asked, self.words, self._fields, strict=True):
            same = word_number(edit.text().strip().casefold()) == word_number(words[number])
            field.refuse("" if same else text("ui.federation.sheet_word_wrong"))
            right = right and same
        if right:
            self.busy(True)
            self._context.bridge.call(
                "keys.sheet_checked", {}, of=self, done=lambda _result: self._finish(), failed=self.failed
            )

    def _finish(self) -> None:
        self.accept()
        self._done()


class FileDialog(Dialog):
    """Writes a backup file under a passphrase."""

    def __init__(self, parent: QWidget, context: Context, done: Callable[[], object]) -> None:
        self._context, self._done = context, done
        self.first, self.second = line_edit(secret=True), line_edit(secret=True)
        self._first = Field(
            text("ui.federation.passphrase"), self.first, text("ui.federation.passphrase_hint", least=_LEAST_PASSPHRASE)
        )
        self._second = Field(text("ui.federation.passphrase_again"), self.second)
        super().__init__(parent, text("ui.federation.file"), text("ui.federation.file_words"), self._first,
                         self._second, answer=text("ui.federation.file_save"))  # fmt: skip
        self.answered = self._ask_place
        self.first.setFocus()

    def _ask_place(self) -> None:
        long_enough = len(self.first.text()) >= _LEAST_PASSPHRASE
        self._first.refuse("" if long_enough else text("ui.federation.passphrase_short", least=_LEAST_PASSPHRASE))
        same = self.first.text() == self.second.text()
        self._second.refuse("" if same else text("ui.federation.passphrase_differs"))
        if long_enough and same:
            suggested = f"{self._context.standing.overview.site}.consilium-backup"
            path, _ = QFileDialog.getSaveFileName(self, text("ui.federation.file"), suggested)
            if path:
                self.write(Path(path))

    def write(self, path: Path) -> None:
        """Write the file."""
        self.busy(True)
        values = {"path": str(path.absolute()), "passphrase": SecretBytes(self.first.text().encode())}
        self._context.bridge.call(
            "keys.save_backup", values, of=self, done=lambda _result: self._finish(), failed=self.failed
        )

    def _finish(self) -> None:
        self.accept()
        self._done()


class CheckDialog(Dialog):
    """Says whether a sheet or a backup file is the right one; changes nothing."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        self._context = context
        self._path: Path | None = None
        self.typed = QPlainTextEdit()
        self.typed.setTabChangesFocus(True)
        self.typed.setFixedHeight(110)
        self._typed = Field(text("ui.federation.check_words"), self.typed, text("ui.federation.check_words_hint"))
        self.choose = Button(text("ui.federation.check_file"), icon_name="folder", pressed=self._choose)
        self._chosen = Label("", Style.SMALL, "text2", wrap=True)
        self.passphrase = line_edit(secret=True)
        self._passphrase = Field(text("ui.federation.passphrase"), self.passphrase)
        super().__init__(parent, text("ui.federation.check_backup_title"), text("ui.federation.check_backup_words"),
                         self._typed, row(self.choose, self._chosen, None), self._passphrase,
                         answer=text("ui.federation.check_answer"))  # fmt: skip
        self._passphrase.hide()
        self.answered = self._check

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, text("ui.federation.check_file"))
        if path:
            self.take(Path(path))

    def take(self, path: Path) -> None:
        """Check this file instead of words."""
        self._path = path
        self._chosen.setText(path.name)
        self._typed.hide()
        self._passphrase.show()
        self.passphrase.setFocus()

    def _check(self) -> None:
        self.busy(True)
        wishes: dict[str, object] = {"check": True, "replace": False}
        if self._path is None:
            name, wishes["words"] = "keys.restore_words", SecretBytes(self.typed.toPlainText().encode())
        else:
            name, wishes["path"] = "keys.restore_file", str(self._path.absolute())
            wishes["passphrase"] = SecretBytes(self.passphrase.text().encode())
        self._context.bridge.call(name, wishes, of=self, done=lambda _result: self._right(), failed=self._wrong)

    def _right(self) -> None:
        self.busy(False)
        self.banners.show_only(Banner("positive", text("ui.federation.check_right")))

    def _wrong(self, error: ConsiliumError) -> None:
        self.busy(False)
        self.banners.show_only(Banner.of_error(error))
