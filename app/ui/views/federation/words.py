"""The six words: two people read them to each other on the telephone, and each ticks what the other has read."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout

from app.core.errors import ConsiliumError, UserError
from app.texts import text
from app.ui.context import Context
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.views.federation.model import TO_COMPARE, Site
from app.ui.widgets.buttons import DANGER, PRIMARY, TOGGLE, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Banner, Banners, Icon, announce
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_COLUMNS = 3


class Words(QFrame):
    """The words that this site and another have in common, and what a person says about them."""

    def __init__(
        self, context: Context, site: Site, *, confirmed: Callable[[], object], anew: Callable[[], object] | None = None
    ) -> None:
        super().__init__()
        self._context, self._site, self._confirmed, self._anew = context, site, confirmed, anew
        set_role(self, role="card")
        self.banners = Banners()
        to_compare = site.state in TO_COMPARE
        self.tiles = [_Tile(number, word, self._ticked) for number, word in enumerate(site.words, start=1)]
        grid = QGridLayout()
        grid.setSpacing(8)
        for place, tile in enumerate(self.tiles):
            grid.addWidget(tile, place // _COLUMNS, place % _COLUMNS)
            tile.setEnabled(to_compare)
        self.match = Button(text("ui.federation.words_match"), PRIMARY, pressed=self._confirm)
        self.differ = Button(text("ui.federation.words_differ"), DANGER, pressed=self._differ)
        parts = column(self._head(), self.banners, *self._instructions(), grid, gap=12, margins=(20, 18, 20, 18))
        if to_compare:
            parts.addLayout(row(self.match, None, self.differ))
            self._ticked()
        self.setLayout(parts)

    def _head(self) -> QFrame:
        head = QFrame()
        chip = Chip("", "plain")
        match self._site.state:
            case "confirmed by us":
                chip.set(text("ui.federation.words_waiting", site=self._site.name), "accent", "clock")
            case "confirmed by them":
                chip.set(text("ui.federation.words_theirs", site=self._site.name), "positive", "check")
            case _:
                chip.set(text("ui.federation.words_open"), "caution", "phone")
        title = Label(text("ui.federation.words_title", site=self._site.name), Style.TITLE, wrap=True)
        layout = row(title, chip, gap=10)
        layout.setStretchFactor(title, 1)
        head.setLayout(layout)
        return head

    def _instructions(self) -> list[QFrame]:
        call = text("ui.federation.words_call", site=self._site.name, contact=self._site.contact or "–")
        if self._site.state in TO_COMPARE:
            steps = [("phone", call), ("check", text("ui.federation.words_tick", site=self._site.name))]
        else:
            steps = [("phone", call), ("message", text("ui.federation.words_read", site=self._site.name))]
        return [_instruction(*each) for each in steps]

    def _ticked(self) -> None:
        left = sum(not tile.isChecked() for tile in self.tiles)
        self.match.forbid(text("ui.federation.words_left", count=left) if left else "")

    def _confirm(self) -> None:
        self.match.setEnabled(False)
        values = {"site": self._site.name, "words": " ".join(self._site.words)}
        self._context.bridge.call(
            "federation.confirm", values, of=self, done=lambda _result: self._confirmed(), failed=self._failed
        )

    def _failed(self, error: ConsiliumError) -> None:
        self._ticked()
        self.banners.show_error(error)

    def _differ(self) -> None:
        for tile in self.tiles:
            tile.setChecked(False)
        again = None if self._anew is None else (text("ui.federation.invite_anew"), self._anew)
        self.banners.show_only(Banner.of_error(UserError("joining.words_differ", site=self._site.name), action=again))


class _Tile(Button):
    """A word, to be ticked when it was heard."""

    def __init__(self, number: int, word: str, changed: Callable[[], object]) -> None:
        super().__init__(f"{number}   {word}", TOGGLE)
        self._number, self._word = number, word
        self.setFont(theme().font(Style.QUESTION))
        self.setMinimumHeight(46)
        self.toggled.connect(lambda _on: self._say())
        self.toggled.connect(lambda _on: changed())
        self._say()

    def _say(self) -> None:
        heard = text("ui.federation.word_heard") if self.isChecked() else text("ui.federation.word_open")
        self.setAccessibleName(text("ui.federation.word", number=self._number, word=self._word, heard=heard))
        if self.isChecked():
            announce(self, self.accessibleName())


def _instruction(icon_name: str, words: str) -> QFrame:
    made = QFrame()
    layout = row(gap=10)
    layout.addWidget(Icon(icon_name, 18, "acc"), 0, Qt.AlignmentFlag.AlignTop)
    layout.addWidget(Label(words, Style.BODY, wrap=True, selectable=True), 1)
    made.setLayout(layout)
    return made
