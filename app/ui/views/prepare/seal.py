"""The sixth step: sealing, with what remains, a way to stop, and a way to go on after anything."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from PySide6.QtWidgets import QStackedWidget, QWidget

from app.core.crypto.passphrase import LEAST_CHARACTERS
from app.texts import text
from app.ui.locale import percent
from app.ui.tokens import PANE, Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.step import MARGINS, Step, progress_bar, show_progress
from app.ui.widgets.buttons import DANGER, PRIMARY, Button
from app.ui.widgets.chips import Ring
from app.ui.widgets.feedback import Icon
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import Item, card, column, row, scrolling
from app.ui.widgets.text import Label


class SealStep(Step):
    """Seal."""

    name: ClassVar[str] = "seal"

    def __init__(self, preparation: Preparation) -> None:
        super().__init__(preparation)
        self._stack = QStackedWidget()
        for page in (self._make_running(), self._make_resting(), self._make_done()):
            self._stack.addWidget(page)
        title = Label(text("ui.prepare.seal.title"), Style.TITLE)
        words = Label(text("ui.prepare.seal.words"), Style.BODY, "text2", wrap=True)
        inside = column(column(title, words, gap=2), self._stack, None, gap=14, margins=MARGINS)
        self.setLayout(column(scrolling(inside), gap=0))
        preparation.moved.connect(self._move)

    def _make_running(self) -> QWidget:
        self._ring = Ring(64)
        self._file = Label("", Style.STRONG, wrap=True)
        self._left = Label("", Style.BODY, "text2", wrap=True)
        self.bar = progress_bar(text("ui.prepare.doing.prepare"))
        self.stop_button = Button(text("ui.prepare.stop"), pressed=self.preparation.cancel)
        top = row(self._ring, column(None, self._file, self._left, None, gap=4), self.stop_button, gap=16)
        top.setStretch(1, 1)
        safe = row(
            Icon("shield-check", 15, "pos"), Label(text("ui.prepare.seal.safe"), Style.SMALL, "text2", wrap=True)
        )
        safe.setStretch(1, 1)
        return _page(card(top, self.bar, safe, gap=14, padding=PANE))

    def _make_resting(self) -> QWidget:
        self._rest_title = Label("", Style.STRONG, wrap=True)
        self._rest_words = Label("", Style.BODY, "text2", wrap=True)
        self.go_button = Button("", PRIMARY, size="large", pressed=lambda: self.preparation.seal())
        self.restart_button = Button(
            text("ui.prepare.seal.restart"), DANGER, pressed=lambda: self.preparation.seal(restart=True)
        )
        buttons = row(self.go_button, self.restart_button, None, gap=10)
        self.key_passphrase = line_edit(secret=True, changed=self._typed)
        self.key_field = Field(
            text("ui.prepare.seal.key"), self.key_passphrase, text("ui.prepare.seal.key_hint", least=LEAST_CHARACTERS)
        )
        self.key_field.setMaximumWidth(420)
        inside = column(self._rest_title, self._rest_words, 4, self.key_field, 4, buttons, gap=4)
        top = row(Icon("lock", 22, "acc"), inside, gap=14)
        top.setStretch(1, 1)
        return _page(card(top, padding=PANE))

    def _make_done(self) -> QWidget:
        words = Label(text("ui.prepare.seal.done"), Style.STRONG, wrap=True)
        top = row(Icon("check-circle", 22, "pos"), words, gap=12)
        top.setStretch(1, 1)
        return _page(card(top, padding=PANE))

    def entered(self) -> None:
        """Begin, unless an earlier sealing was cut off: then the person decides."""
        preparation = self.preparation
        if preparation.sealed is None and not preparation.draft.sealing and not preparation.doing and preparation.fresh:
            preparation.seal()

    def show_state(self) -> None:
        """Show how far it is."""
        preparation = self.preparation
        name = Path(preparation.draft.output).name
        if preparation.doing == "prepare":
            self._file.setText(name)
            self._stack.setCurrentIndex(0)
            self._move()
        elif preparation.sealed is not None:
            self._stack.setCurrentIndex(2)
        else:
            cut_off = preparation.draft.sealing
            self._rest_title.setText(text("ui.prepare.seal.cut_off" if cut_off else "ui.prepare.seal.ready", file=name))
            self._rest_words.setText(
                text("ui.prepare.seal.cut_off_words" if cut_off else "ui.prepare.seal.ready_words")
            )
            self.go_button.setText(text("ui.prepare.seal.go_on" if cut_off else "ui.prepare.begin_sealing"))
            self.go_button.forbid(self._missing_passphrase())
            self.key_field.setVisible(preparation.needs_key_passphrase)
            self.restart_button.setVisible(cut_off and not preparation.needs_key_passphrase)
            self._stack.setCurrentIndex(1)

    def _typed(self) -> None:
        self.preparation.key_passphrase = self.key_passphrase.text()
        self.go_button.forbid(self._missing_passphrase())

    def _missing_passphrase(self) -> str:
        """Say why one cannot go on: passphrases are not kept, so that a new window does not know them."""
        if self.preparation.needs_key_passphrase and len(self.preparation.key_passphrase.strip()) < LEAST_CHARACTERS:
            return text("ui.prepare.seal.key_hint", least=LEAST_CHARACTERS)
        wanted = self.preparation.draft.recontact and not self.preparation.passphrase
        return text("ui.prepare.seal.passphrase") if wanted else ""

    def _move(self) -> None:
        if self.preparation.doing != "prepare":
            return
        words = show_progress(self.bar, self.preparation)
        progress = self.preparation.progress
        fraction = 0.0 if progress is None else progress.fraction
        self._ring.show_progress(fraction, text("ui.prepare.seal.so_far", percent=percent(fraction)))
        self._left.setText(words or text("ui.prepare.seal.begins"))

    def obstacle(self) -> str:
        """Why one cannot go on yet."""
        if self.preparation.sealed is not None:
            return ""
        if missing := self._missing_passphrase():
            return missing
        doing = self.preparation.doing == "prepare"
        return text("ui.prepare.seal.wait" if doing else "ui.prepare.seal.not_yet")


def _page(*items: Item) -> QWidget:
    made = QWidget()
    made.setLayout(column(*items, None, gap=0))
    return made
