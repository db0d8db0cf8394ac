"""The sites of a federation that is ready: who they are, whether they can be reached, what program they run."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.texts import text
from app.ui.locale import moment
from app.ui.models.overview import Overview
from app.ui.tokens import Style
from app.ui.views.federation.model import READY, READY_NOT_BACKED_UP, Federation, Site
from app.ui.views.federation.sentences import state_look, state_words
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import card, clear, column, line, row
from app.ui.widgets.text import ElidedLabel, Label


class Sites(QWidget):
    """The sites below each other."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Federation, Overview] | None = None
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        self._count = Label("", Style.SMALL, "text2")
        head = row(Label(text("ui.federation.sites"), Style.STRONG), None, self._count, margins=(2, 0, 2, 0))
        grown = Label(text("ui.federation.grow"), Style.CAPTION, "text2", wrap=True)
        self._formats = Label("", Style.CAPTION, "text3", wrap=True)
        self.setLayout(column(head, card(self._rows, gap=0, padding=0), grown, self._formats, None, gap=12))

    def show_found(self, found: Federation, overview: Overview) -> None:
        """Show them as they are now."""
        if self._shown == (found, overview):
            return
        self._shown = found, overview
        clear(self._rows)
        there = {each.name: each for each in overview.sites}
        for place, each in enumerate(found.sites):
            if place:
                self._rows.addWidget(line())
            site, known = each, there.get(each.name)
            reachable = None if known is None else known.reachable
            if overview.pretend and site.state == READY_NOT_BACKED_UP:  # nobody backs up what is pretended
                site = replace(each, state=READY)
            self._rows.addWidget(_row(site, reachable, 0 if known is None else known.last_seen))
        reached = sum(each.own or each.reachable is True for each in overview.sites)
        self._count.setText(text("ui.status.sites", reachable=reached, count=len(found.sites)))
        formats = ", ".join(f"{name} {version}" for name, version in found.formats)
        self._formats.setText(text("ui.federation.formats", formats=formats) if formats else "")
        self._formats.setVisible(bool(formats))


def _row(site: Site, reachable: bool | None, last_seen: int) -> QFrame:
    if site.own:
        where, icon_name, token = text("ui.federation.your_site"), "computer", "acc"
    elif reachable:
        where, icon_name, token = text("ui.federation.reachable"), "check-circle", "pos"
    elif reachable is None:
        where, icon_name, token = text("ui.federation.unknown"), "circle", "text3"
    else:
        where, icon_name, token = text("ui.federation.last_seen", when=moment(last_seen) or "–"), "offline", "text3"
    tone, sign = state_look(site.state)
    names = column(
        row(Label(site.name, Style.STRONG), Label(where, Style.SMALL, "text2"), None, gap=10),
        ElidedLabel(site.contact, Style.SMALL, "text2"),
        gap=2,
    )
    chip = Chip(state_words(site), tone, sign)
    program = text("ui.federation.program", version=site.program) if site.program else ""
    layout = row(Icon(icon_name, 20, token), names, gap=12, margins=(14, 10, 14, 10))
    layout.setStretchFactor(names, 1)
    layout.addLayout(column(row(None, chip), row(None, Label(program, Style.CAPTION, "text3")), gap=3))
    made = QFrame()
    made.setLayout(layout)
    made.setAccessibleName(". ".join(filter(None, (site.name, where, state_words(site), program))))
    return made
