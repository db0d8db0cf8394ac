"""Signing and the ceremony as everybody understands them: a ring for each site, and what has happened in order."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import moment, size
from app.ui.models.overview import Overview, SiteLine
from app.ui.tokens import Style
from app.ui.views.federation.model import ADDED, AWAITED, CEREMONY, FAILED, LARGE, ROUNDS, SIGNING, Federation, Site
from app.ui.views.federation.sentences import round_words, said, state_look, state_words
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.chips import Ring
from app.ui.widgets.feedback import Banners, Icon, Timeline, TimelineStep
from app.ui.widgets.layout import card, clear, column, frame, line, row
from app.ui.widgets.text import ElidedLabel, Label

_ABREAST = 5
_SIGNED = ("signed", "confirmed")


class CeremonyPanel(QWidget):
    """Setting up together: signing the list of members, the ceremony, or why it failed."""

    def __init__(self, context: Context, changed: Callable[[], object]) -> None:
        super().__init__()
        self._context, self._changed = context, changed
        self._shown: tuple[Federation, Overview] | None = None
        self.banners = Banners()
        self._count = Label("", Style.SMALL, "text2")
        self._rings = QGridLayout()
        self._rings.setSpacing(0)
        self.timeline = Timeline()
        self._note = Label("", Style.SMALL, "text2", wrap=True)
        self.again = Button(text("ui.federation.start_again"), PRIMARY, icon_name="refresh", pressed=self._start_again)
        head = row(Label(text("ui.federation.setting_up"), Style.STRONG), None, self._count, margins=(2, 0, 2, 0))
        steps = column(self.timeline, margins=(20, 18, 20, 18))
        whole = card(self._rings, line(), steps, gap=0, padding=0)
        note = row(gap=8, margins=(2, 0, 2, 0))
        note.addWidget(Icon("info", 16), 0, Qt.AlignmentFlag.AlignTop)
        note.addWidget(self._note, 1)
        self._note_row = QWidget()
        self._note_row.setLayout(note)
        self.setLayout(column(self.banners, head, whole, self._note_row, row(self.again, None), None, gap=12))

    def show_found(self, found: Federation, overview: Overview) -> None:
        """Show how far everybody is."""
        if self._shown == (found, overview):
            return
        self._shown = found, overview
        clear(self._rings)
        for place, site in enumerate(found.sites):
            ring = _site_ring(found, site, _line_of(overview, site))
            self._rings.addWidget(ring, place // _ABREAST, place % _ABREAST)
        self._count.setText(_count_words(found))
        self.timeline.show_steps(_steps(found, overview))
        self._note_row.setVisible(found.stage != FAILED)
        notes = [text("ui.federation.resume")]
        if found.traffic >= LARGE:
            notes.insert(0, text("ui.federation.traffic", size=size(found.traffic)))
        self._note.setText(" ".join(notes))
        late = found.stage == SIGNING and any(each.state in {"late to sign", "does not sign"} for each in found.sites)
        self.again.setVisible(found.creator and (found.stage == FAILED or late))

    def _start_again(self) -> None:
        self.again.setEnabled(False)
        self._context.bridge.call(
            "federation.start", {"without": []}, of=self, done=self._started, failed=self._not_started
        )

    def _started(self, _result: Result) -> None:
        self.again.setEnabled(True)
        self.banners.show_only()
        self._changed()

    def _not_started(self, error: ConsiliumError) -> None:
        self.again.setEnabled(True)
        self.banners.show_error(error)


def _line_of(overview: Overview, site: Site) -> SiteLine | None:
    return next((each for each in overview.sites if each.name == site.name), None)


def _count_words(found: Federation) -> str:
    if found.stage == SIGNING:
        signed = sum(each.state in _SIGNED for each in found.sites)
        return text("ui.federation.signed_of", count=signed, of=len(found.sites))
    if found.stage == CEREMONY and found.step:
        step = text("ui.federation.step", step=found.step, steps=len(ROUNDS), what=round_words(found.round))
        added = sum(each.state == ADDED for each in found.sites)
        return f"{step} · {text('ui.federation.added_of', count=added, of=len(found.sites))}"
    return ""


# --- rings ----------------------------------------------------------------------------------------------------------


def _site_ring(found: Federation, site: Site, there: SiteLine | None) -> QFrame:
    ring = Ring(44)
    words, ink = _ring_words(found, site, there)
    if found.stage == FAILED and site.name == found.blamed:
        ring.show_icon("close", "dan", words)
    elif found.stage == FAILED:
        ring.show_icon("minus", "text3", words)
    elif site.state in {ADDED, *_SIGNED}:
        ring.show_icon("check", "pos", words)
    elif site.state == AWAITED and (site.own or _reachable(there)):
        ring.show_progress(found.progress(site), words)
    elif site.state == AWAITED:
        ring.show_icon("offline", "text3", words)
    else:
        ring.show_icon(state_look(site.state)[1] or "clock", "text3", words)
    labels = [
        ElidedLabel(site.name, Style.STRONG),
        Label(words, Style.SMALL, ink),
        Label(_presence(site, there), Style.CAPTION, "text2"),
    ]
    for label in labels:
        label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    layout = column(gap=3, margins=(6, 16, 6, 14))
    layout.addWidget(ring, 0, Qt.AlignmentFlag.AlignHCenter)
    layout.addSpacing(6)
    for label in labels:
        layout.addWidget(label)
    made = frame("clear", layout)
    made.setAccessibleName(f"{site.name}: {words}")
    return made


def _ring_words(found: Federation, site: Site, there: SiteLine | None) -> tuple[str, str]:
    if found.stage == FAILED:
        return (text("ui.federation.stopped_here"), "dan") if site.name == found.blamed else ("", "text2")
    if site.state == ADDED:
        return text("ui.federation.part_added"), "pos"
    if site.state == AWAITED:
        if site.own or _reachable(there):
            return text("ui.federation.part_adding"), "acc"
        return text("ui.federation.part_waiting"), "cau"
    tone, _ = state_look(site.state)
    return state_words(site), {"positive": "pos", "danger": "dan", "caution": "cau"}.get(tone, "text2")


def _presence(site: Site, there: SiteLine | None) -> str:
    if site.own:
        return text("ui.federation.your_site")
    if there is None or there.reachable is None:
        return ""
    if there.reachable:
        return text("ui.federation.reachable")
    return text("ui.federation.last_seen", when=moment(there.last_seen)) if there.last_seen else ""


def _reachable(there: SiteLine | None) -> bool:
    return there is not None and there.reachable is not False


# --- the timeline ---------------------------------------------------------------------------------------------------


def _steps(found: Federation, overview: Overview) -> list[TimelineStep]:
    ready = TimelineStep("later", text("ui.federation.line_ready"), text("ui.federation.line_ready_words"))
    if found.stage == SIGNING:
        later = TimelineStep("later", text("ui.federation.line_parts"), text("ui.federation.line_parts_words"))
        return [_compared(), *(_signing_step(each) for each in found.sites), later, ready]
    agreed = TimelineStep(
        "done",
        text("ui.federation.line_agreed", count=len(found.sites)),
        text("ui.federation.line_agreed_words"),
        moment(found.began),
    )
    if found.stage == FAILED:
        what, cure = said(found.code, {"site": found.blamed})
        title = text("ui.federation.line_failed")
        return [agreed, TimelineStep("failed", title, f"{what} {cure}".strip(), moment(found.ended))]
    parts = [_part_step(found, each, _line_of(overview, each)) for each in found.sites]
    parts.sort(key=lambda each: ("done", "running", "waiting").index(each.state))
    return [agreed, *parts, ready]


def _compared() -> TimelineStep:
    return TimelineStep("done", text("ui.federation.line_compared"), text("ui.federation.line_compared_words"))


def _signing_step(site: Site) -> TimelineStep:
    match site.state:
        case "signed" | "confirmed":
            return TimelineStep("done", text("ui.federation.line_signed", site=site.name))
        case "does not sign":
            what, cure = said(site.reason, {"site": site.name})
            title = text("ui.federation.line_refused", site=site.name)
            return TimelineStep("failed", title, f"{what} {cure}".strip())
        case _:
            late = site.state == "late to sign"
            key = "ui.federation.line_late_words" if late else "ui.federation.line_asked_words"
            words = text(key, contact=site.contact or "–")
            return TimelineStep(
                "waiting" if late else "running", text("ui.federation.line_asked", site=site.name), words
            )


def _part_step(found: Federation, site: Site, there: SiteLine | None) -> TimelineStep:
    at = found.part_of(site.name)
    if site.state == ADDED:
        words = text("ui.federation.line_own_words") if site.own else text("ui.federation.line_added_words")
        return TimelineStep("done", text("ui.federation.line_added", site=site.name), words, moment(at))
    since = max([found.began, *(when for name, when in found.parts if name != site.name)])
    if site.own:
        words = text("ui.federation.line_adding_own")
        return TimelineStep("running", text("ui.federation.line_adding", site=site.name), words)
    if _reachable(there):
        words = text("ui.federation.line_adding_words", when=moment(since))
        return TimelineStep("running", text("ui.federation.line_adding", site=site.name), words)
    seen = moment(there.last_seen) if there is not None and there.last_seen else "–"
    words = text("ui.federation.line_away_words", when=seen, contact=site.contact or "–")
    return TimelineStep("waiting", text("ui.federation.line_away", site=site.name), words, moment(since))
