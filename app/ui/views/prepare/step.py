"""What the steps of the wizard have in common."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QFrame, QProgressBar, QWidget

from app.texts import text
from app.ui.jobs import remaining_words
from app.ui.locale import percent
from app.ui.tokens import PANE, Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.widgets.buttons import Button
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import card, column, row
from app.ui.widgets.text import Label

MARGINS = (24, 18, 24, 14)


class Step(QWidget):
    """One step. ``show_state`` shows the preparation as it is; the wizard calls it when something has changed."""

    name: ClassVar[str]

    def __init__(self, preparation: Preparation) -> None:
        super().__init__()
        self.preparation = preparation

    def show_state(self) -> None:
        """Show the preparation as it is."""

    def entered(self) -> None:
        """The person comes to this step."""

    def count(self) -> str:
        """Return what stands beside the step's name once it is done."""
        return ""

    def obstacle(self) -> str:
        """Return why one cannot go on yet, or an empty text."""
        return ""

    def note(self) -> str:
        """Return what is said beside the buttons when one can go on."""
        return ""

    def answer(self) -> str:
        """Return what the button says that goes on."""
        return text("ui.prepare.continue")

    def go_on(self) -> bool:
        """Do what going on means here; False stays on the step."""
        return True


class Working(QFrame):
    """What is under way: in words, as a bar, with how to stop it."""

    def __init__(self, preparation: Preparation) -> None:
        super().__init__()
        self._preparation = preparation
        self._words = Label("", Style.STRONG, wrap=True)
        self._left = Label("", Style.SMALL, "text2")
        self.bar = progress_bar(text("ui.prepare.working"))
        self.cancel_button = Button(text("ui.prepare.stop"), size="small", pressed=preparation.cancel)
        top = row(Icon("running", 18, "acc"), self._words, self.cancel_button, gap=10)
        top.setStretch(1, 1)
        inside = card(top, self.bar, self._left, gap=8, padding=PANE)
        self.setLayout(column(inside, gap=0))
        preparation.moved.connect(self._move)
        self.hide()

    def show_state(self, *names: str) -> None:
        """Show it while one of these is under way."""
        doing = self._preparation.doing
        shown = doing in names
        if shown:
            self._words.setText(text(f"ui.prepare.doing.{doing}"))
            self.bar.setAccessibleName(self._words.text())
            self.cancel_button.setVisible(doing != "federation")
            self._move()
        self.setVisible(shown)

    def _move(self) -> None:
        self._left.setText(show_progress(self.bar, self._preparation))
        self._left.setVisible(bool(self._left.text()))


def progress_bar(name: str) -> QProgressBar:
    """Return a bar without words in it."""
    bar = QProgressBar()
    bar.setRange(0, 0)
    bar.setTextVisible(False)
    bar.setAccessibleName(name)
    return bar


def show_progress(bar: QProgressBar, preparation: Preparation) -> str:
    """Show how far the command under way is, and return that in words."""
    progress = preparation.progress
    if progress is None:
        bar.setRange(0, 0)
        return ""
    bar.setRange(0, 1000)
    bar.setValue(round(1000 * progress.fraction))
    return " · ".join(
        filter(None, (text(progress.step), percent(progress.fraction), remaining_words(progress.remaining_seconds)))
    )
