"""While hospitals come together: who is invited, who has joined, the words to compare, and the start."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QFrame, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.texts import text
from app.ui.context import Context
from app.ui.locale import moment, size
from app.ui.tokens import Style
from app.ui.views.federation.invite import InviteDialog
from app.ui.views.federation.model import LARGE, Federation, Site
from app.ui.views.federation.sentences import names, state_look, state_words
from app.ui.views.federation.words import Words
from app.ui.widgets.buttons import LINK, PRIMARY, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.dialogs import Dialog, open_once
from app.ui.widgets.feedback import Banners, Icon
from app.ui.widgets.layout import card, clear, column, line, row
from app.ui.widgets.text import ElidedLabel, Label

_LEAVABLE = ("joined", "confirmed by us", "confirmed by them", "confirmed")
_INVITABLE = ("invited", "expired", "joined", "confirmed by us", "confirmed by them")


class Gather(QWidget):
    """The hospitals on their way into the federation."""

    def __init__(self, context: Context, changed: Callable[[], object]) -> None:
        super().__init__()
        self._context, self._changed = context, changed
        self._found = Federation()
        self.banners = Banners()
        self._words = QVBoxLayout()
        self._words.setSpacing(12)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        self._count = Label("", Style.SMALL, "text2")
        self.start = Button(text("ui.federation.start"), PRIMARY, icon_name="play", pressed=self._ask_start)
        self._hint = Label("", Style.SMALL, "text2", wrap=True)
        self._traffic = Label("", Style.SMALL, "text2", wrap=True)
        head = row(Label(text("ui.federation.hospitals"), Style.STRONG), None, self._count, margins=(2, 0, 2, 0))
        foot = row(self._hint, self.start, gap=16, margins=(2, 0, 2, 0))
        foot.setStretchFactor(self._hint, 1)
        list_ = card(self._rows, gap=0, padding=0)
        self.setLayout(column(self.banners, self._words, head, list_, self._traffic, foot, None, gap=12))
        self.words: dict[str, Words] = {}

    def show_found(self, found: Federation) -> None:
        """Show who has come how far; what a person has ticked stays as long as the words are the same."""
        if found == self._found:
            return
        before, self._found = self._found, found
        if [each for each in found.sites if each.words] != [each for each in before.sites if each.words]:
            self._show_words()
        clear(self._rows)
        for place, site in enumerate(found.sites):
            if place:
                self._rows.addWidget(line())
            self._rows.addWidget(self._row(site))
        confirmed = [each for each in found.others if each.state == "confirmed"]
        self._count.setText(text("ui.federation.confirmed_of", count=len(confirmed), of=len(found.others)))
        self._count.setVisible(found.creator and bool(found.others))
        self._show_foot(confirmed)
        big = found.traffic >= LARGE
        self._traffic.setText(text("ui.federation.traffic", size=size(found.traffic)) if big else "")
        self._traffic.setVisible(big)

    def _show_words(self) -> None:
        clear(self._words)
        self.words = {}
        for site in self._found.sites:
            if site.words and not site.own:
                anew = (lambda site=site: self.invite(site.name, again=True)) if self._found.creator else None
                made = Words(self._context, site, confirmed=self._changed, anew=anew)
                self.words[site.name] = made
                self._words.addWidget(made)

    def _show_foot(self, confirmed: list[Site]) -> None:
        creator = next((each.name for each in self._found.others), "")
        self.start.setVisible(self._found.creator)
        if not self._found.creator:
            ready = bool(confirmed)
            key = "ui.federation.wait_for_start" if ready else "ui.federation.wait_for_words"
            self._hint.setText(text(key, site=creator))
        elif confirmed:
            self._hint.setText(text("ui.federation.start_hint"))
        else:
            self._hint.setText(text("ui.federation.start_needs"))
        self.start.forbid("" if confirmed else text("ui.federation.start_needs"))

    def _row(self, site: Site) -> QFrame:
        made = QFrame()
        state, (tone, icon_name) = state_words(site), state_look(site.state)
        if site.state == "joined" and not site.words:  # another invited one: its words are the creator's to compare
            state, tone, icon_name = text("ui.federation.state_there"), "plain", "check"
        name = Label(site.name, Style.STRONG)
        contact = ElidedLabel(site.contact, Style.SMALL, "text2")
        since = Label(moment(site.since), Style.CAPTION, "text3")
        layout = row(Icon("person" if site.own else "people", 18), name, contact, gap=10, margins=(14, 9, 12, 9))
        layout.setStretchFactor(contact, 1)
        layout.addWidget(Chip(state, tone, icon_name))
        layout.addWidget(since)
        if self._found.creator and not site.own and site.state in _INVITABLE:
            layout.addWidget(self._invitation_button(site))
        made.setLayout(layout)
        made.setAccessibleName(f"{site.name}: {state}")
        return made

    def _invitation_button(self, site: Site) -> Button:
        if site.state == "invited":
            label, again = text("ui.federation.show_invitation"), False
        else:
            label, again = text("ui.federation.invite_anew"), True
        button = Button(label, LINK, pressed=lambda: self.invite(site.name, again=again))
        button.setAccessibleName(f"{label}: {site.name}")
        return button

    # --- inviting and starting --------------------------------------------------------------------------------

    def invite(self, name: str = "", *, again: bool = False) -> InviteDialog:
        """Make an invitation, or show the one that is open."""
        return open_once(InviteDialog(self, self._context, name, again=again, changed=self._changed))

    def _ask_start(self) -> None:
        open_once(StartDialog(self, self._context, self._found, self._changed))


class StartDialog(Dialog):
    """Asks who is in it, and names who is left out: that cannot be taken back."""

    def __init__(self, parent: QWidget, context: Context, found: Federation, started: Callable[[], object]) -> None:
        self._context, self._found, self._started = context, found, started
        self.boxes: dict[str, QCheckBox] = {}
        boxes = column(gap=2)
        own = Label(f"{found.site} ({text('ui.federation.your_site')})", Style.BODY, "text2")
        boxes.addLayout(row(Icon("check", 16, "pos"), own, None, gap=10, margins=(4, 2, 0, 2)))
        for site in found.others:
            if site.state == "confirmed":
                box = QCheckBox(site.name)
                box.setChecked(True)
                box.toggled.connect(lambda _on: self._show_left())
                self.boxes[site.name] = box
                boxes.addWidget(box)
        self._left = Label("", Style.BODY, "cau", wrap=True)
        words = text("ui.federation.start_words")
        super().__init__(parent, text("ui.federation.start_title"), words, boxes, self._left,
                         answer=text("ui.federation.start_answer"))  # fmt: skip
        self.answered = self._start
        self._show_left()

    @property
    def left_out(self) -> list[Site]:
        """Who is left out."""
        chosen = {name for name, box in self.boxes.items() if box.isChecked()}
        return [each for each in self._found.others if each.name not in chosen]

    def _show_left(self) -> None:
        left = self.left_out
        self._left.setText(text("ui.federation.start_without", sites=names(left)) if left else "")
        self._left.setVisible(bool(left))
        self.answer_button.setEnabled(any(box.isChecked() for box in self.boxes.values()))

    def _start(self) -> None:
        self.busy(True)
        without = [each.name for each in self.left_out if each.state in _LEAVABLE]
        self._context.bridge.call(
            "federation.start", {"without": without}, of=self, done=lambda _result: self._done(), failed=self._failed
        )

    def _done(self) -> None:
        self.accept()
        self._started()

    def _failed(self, error: ConsiliumError) -> None:
        self.failed(error)
