"""The parts of an opened run: the strip of facts, the sites, the thread of notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QSizePolicy, QVBoxLayout, QWidget

from app.core.services.runs import Run, RunSite
from app.texts import text
from app.ui.locale import moment, number, whole_moment
from app.ui.models.answers import facts
from app.ui.models.told import EACH, TOTAL, Told
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.widgets.buttons import Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import Flow, card, clear, column, line, row
from app.ui.widgets.text import Label

_FEW = 2
"""With more facts of a result, sites and moments of the run are left to the panel beside."""


class Strip(QWidget):
    """Facts beside each other: a caption above a value each; the next line when there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self._facts: list[tuple[str, str]] = []
        self._flow = Flow(gap=0)
        inside = QWidget()
        inside.setLayout(self._flow)
        framed = card(inside, padding=4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(framed)

    def show_facts(self, facts: list[tuple[str, str]]) -> None:
        """Show (caption, value) each."""
        if facts == self._facts:
            return
        self._facts = facts
        clear(self._flow)
        for caption, value in facts:
            made = QWidget()
            words = (Label(caption, Style.CAPTION, "text2"), Label(value, Style.STRONG, selectable=True))
            made.setLayout(column(*words, gap=3, margins=(10, 6, 22, 6)))
            made.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            self._flow.addWidget(made)
        self.setVisible(bool(facts))


def strip_facts(run: Run, told: Told, site: str) -> list[tuple[str, str]]:
    """Return the facts in short of a run, first those of the result that is shown."""
    found: list[tuple[str, str]] = []
    if (answer := run.answer) is not None:
        result = told.result(TOTAL if site == EACH else site, run)
        if result is not None and told.words is not None:
            found += facts(result, told.words)
        if len(found) <= _FEW:
            given = text("ui.results.n_of_m", count=len(answer.contributors), of=len(run.sites))
            found.append((text("ui.results.fact.sites"), given))
    else:
        found.append((text("ui.results.fact.sites_asked"), number(len(run.sites))))
        if run.open:
            ready = text("ui.results.n_of_m", count=run.decided, of=run.minimum)
            found.append((text("ui.results.fact.parts_ready"), ready))
    long = len(found) > _FEW
    kind = "ui.results.fact.noised" if run.epsilon else "ui.results.fact.exact"
    if not long:
        found.append((text("ui.results.fact.kind"), text(kind)))
        found.append((text("ui.results.fact.asked"), whole_moment(run.asked)))
    if run.ended and not long:
        found.append((text("ui.results.fact.took"), wording.duration(run.ended - run.asked)))
    elif run.deadline and not run.ended:
        found.append((text("ui.results.fact.deadline"), whole_moment(run.deadline)))
    return found


class SitesList(QWidget):
    """Where every site is: name, state in words, since when, whom to telephone."""

    def __init__(self) -> None:
        super().__init__()
        self._sites: tuple[RunSite, ...] = ()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)

    def show_sites(self, sites: tuple[RunSite, ...]) -> None:
        """Show these."""
        if sites == self._sites:
            return
        self._sites = sites
        clear(self._layout)
        for place, site in enumerate(sites):
            if place:
                self._layout.addWidget(line())
            self._layout.addWidget(_site_row(site))
        self._layout.addStretch(1)


def _site_row(site: RunSite) -> QWidget:
    made = QWidget()
    tone, icon = wording.site_look(site)
    words = [Label(wording.site_words(site), Style.BODY, wrap=True)]
    if site.contact and site.state in ("sent", "delivered", "waiting", "declined", "late", "refused"):
        words.append(Label(site.contact, Style.SMALL, "text2", wrap=True, selectable=True))
    chip = Chip(site.name, tone, icon)
    inside = column(*words, gap=1)
    layout = row(gap=12)
    layout.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop)
    layout.addLayout(inside, 1)
    layout.addWidget(Label(moment(site.since), Style.CAPTION, "text2"), 0, Qt.AlignmentFlag.AlignTop)
    made.setLayout(layout)
    return made


class Thread(QWidget):
    """What the sites have written about a run, and the way to write back."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write
        self._notes: tuple[tuple[str, str], ...] | None = None
        self._open = False
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        self.button = Button(text("ui.results.write"), icon_name="message", size="small", pressed=lambda: write(""))
        self.setLayout(column(self._list, row(self.button, None), None, gap=10))

    def show_notes(self, notes: Sequence[tuple[str, str]], own: str, *, open_: bool) -> None:
        """Show (site, words) each; answers can be written while the run is ``open_``."""
        written = tuple(each for each in notes if each[1])
        self.button.setVisible(open_)
        if (written, open_) == (self._notes, self._open):
            return
        self._notes, self._open = written, open_
        clear(self._list)
        for site, words in written:
            self._list.addWidget(self._note(site, words, own))
        if not written:
            said = text("ui.results.no_notes" if open_ else "ui.results.no_notes_over")
            self._list.addWidget(Label(said, Style.BODY, "text2", wrap=True))

    def _note(self, site: str, words: str, own: str) -> QFrame:
        mine = site == own
        head = row(Icon("home" if mine else "message", 14), Label(site, Style.CAPTION, "text2"), None)
        if self._open and not mine:
            reply = Button(text("ui.results.reply"), "link", pressed=lambda: self._write(site))
            reply.setAccessibleName(text("ui.results.reply_to", site=site))
            head.addWidget(reply)
        return card(head, Label(words, Style.BODY, wrap=True, selectable=True), gap=4, tone="sunken" if mine else "")
