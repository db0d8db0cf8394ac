"""What stands beside the sites: who can open a result, the key share, the relay, and the end of the pretending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QDateTime, Qt
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import explain, text
from app.ui.context import Context
from app.ui.locale import moment, whole_moment
from app.ui.tokens import Style
from app.ui.views.federation.model import READY, Federation
from app.ui.views.federation.sentences import place_words, quorum_words, said
from app.ui.widgets.buttons import DANGER, LINK, PRIMARY, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import Flow, card, clear, column, row
from app.ui.widgets.text import ElidedLabel, Label

_MARK = {True: ("check-circle", "pos"), False: ("warning", "cau")}


def _titled(icon_name: str, title: str, *right: QWidget) -> QVBoxLayout:
    head = Label(title, Style.STRONG)
    layout = row(Icon(icon_name, 18, "acc"), head, None, *right, gap=10)
    return column(layout)


def _fact(icon_name: str, token: str, name: str, value: str) -> QWidget:
    made = QWidget()
    shown = ElidedLabel(value, Style.SMALL, "text2")
    shown.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    layout = row(Icon(icon_name, 16, token), Label(name), shown, gap=10)
    layout.setStretchFactor(shown, 1)
    made.setLayout(layout)
    made.setAccessibleName(f"{name}: {value}")
    return made


class QuorumCard(QFrame):
    """Who can open a result, in a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._sentence = Label("", Style.TITLE, wrap=True)
        self._more = Label("", Style.SMALL, "text2", wrap=True)
        inside = card(_titled("people", text("ui.federation.who_opens")), self._sentence, self._more, padding=16)
        self.setLayout(column(inside))

    def show_found(self, found: Federation) -> None:
        """Show the quorum."""
        sentence, more = quorum_words(found.quorum, found.of)
        self._sentence.setText(sentence)
        self._more.setText(more)


class KeyCard(QFrame):
    """The key share: where it is kept, when it was made, when it was backed up."""

    def __init__(
        self, print_sheet: Callable[[], object], save_file: Callable[[], object], check: Callable[[], object]
    ) -> None:
        super().__init__()
        self._chip = Chip("", "plain")
        self._facts = column(gap=8)
        self.print = Button(text("ui.federation.print_sheet"), PRIMARY, icon_name="print", pressed=print_sheet)
        self.save = Button(text("ui.federation.save_backup"), pressed=save_file)
        self.check = Button(text("ui.federation.check_backup"), LINK, pressed=check)
        buttons = Flow(8)
        for each in (self.print, self.save):
            buttons.addWidget(each)
        head = _titled("key", text("ui.federation.key_share"), self._chip)
        self.setLayout(column(card(head, self._facts, buttons, row(self.check, None), gap=12, padding=16)))

    def show_keys(self, keys: Mapping[str, Any], made: int) -> None:
        """Show what ``keys.status`` says; ``made`` is when the ceremony ended."""
        last = max((int(each["time"]) for each in keys["backups"]), default=0)
        tone, icon_name = ("positive", "check") if last else ("caution", "warning")
        self._chip.set(
            text("ui.federation.backed_up") if last else text("ui.federation.not_backed_up"), tone, icon_name
        )
        clear(self._facts)
        kept = place_words(str(keys["keyring"]), str(keys["description"]))
        for fact in (
            ("check-circle", "pos", text("ui.federation.kept_in"), kept),
            ("clock", "text2", text("ui.federation.made"), whole_moment(made)),
            (*_MARK[bool(last)], text("ui.federation.backup"), whole_moment(last)),
        ):
            self._facts.addWidget(_fact(*fact))
        self._facts.addWidget(_fact("shield", "text2", text("ui.federation.fingerprint"), ""))
        digits = Label(str(keys["fingerprint"]), Style.CODE, "text2", wrap=True, selectable=True)
        digits.setContentsMargins(26, 0, 0, 0)
        self._facts.addWidget(digits)


class RelayCard(QFrame):
    """The relay check: step by step what was found, and the cure where something stands in the way."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._address = Label("", Style.SMALL, "text2", wrap=True, selectable=True)
        self._when = Label("", Style.CAPTION, "text2")
        self._findings = column(gap=8)
        self.check = Button(text("ui.federation.check_relay"), size="small", icon_name="refresh", pressed=self.look)
        head = _titled("globe", text("ui.federation.relay"), self._when)
        self.setLayout(column(card(head, self._address, self._findings, row(self.check, None), gap=10, padding=16)))

    def show_relay(self, url: str) -> None:
        """Show where the relay is."""
        self._address.setText(url)

    def look(self) -> None:
        """Check the way to the relay."""
        self.check.setEnabled(False)
        self._when.setText(text("ui.federation.checking"))
        self._context.bridge.call("relay.check", {}, of=self, done=self._show, failed=self._failed)

    def _show(self, found: Result) -> None:
        self._over()
        for each in found["findings"]:
            problem = each["problem"]
            icon_name, token = _MARK[problem is None] if each["in_order"] else ("close-circle", "dan")
            name, value = _finding(str(each["step"]), each["params"])
            self._findings.addWidget(_fact(icon_name, token, name, "" if problem else value))
            if problem is not None:
                what, cure = said(problem["code"], problem["params"])
                self._findings.addWidget(Label(f"{what} {cure}".strip(), Style.SMALL, "text2", wrap=True))

    def _failed(self, error: ConsiliumError) -> None:
        self._over()
        told = explain(error)
        self._findings.addWidget(Label(f"{told.what} {told.next}".strip(), Style.SMALL, "dan", wrap=True))

    def _over(self) -> None:
        clear(self._findings)
        self.check.setEnabled(True)
        self._when.setText(text("ui.federation.checked", when=moment(QDateTime.currentMSecsSinceEpoch())))


def _finding(step: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a step of the check is called, and what it found."""
    known = {name: str(params.get(name, "")) for name in ("proxy", "until", "version", "seconds")}
    through = text("ui.federation.found_proxy", proxy=known["proxy"])
    found = {
        "proxy": (
            text("ui.federation.step_proxy"),
            through if known["proxy"] else text("ui.federation.found_direct"),
        ),
        "reach": (text("ui.federation.step_reach"), text("ui.federation.found_reach")),
        "certificate": (
            text("ui.federation.step_certificate"),
            text("ui.federation.found_certificate", until=known["until"]),
        ),
        "inspection": (text("ui.federation.step_inspection"), text("ui.federation.found_inspection")),
        "version": (
            text("ui.federation.step_version"),
            text("ui.federation.found_version", version=known["version"]),
        ),
        "clock": (text("ui.federation.step_clock"), text("ui.federation.found_clock", seconds=known["seconds"])),
    }
    return found.get(step, (step, ""))


class PretendCard(QFrame):
    """Says that these hospitals are pretended, and removes them."""

    def __init__(self, remove: Callable[[], object]) -> None:
        super().__init__()
        words = Label(text("ui.federation.pretend_words"), Style.SMALL, "text2", wrap=True)
        self.remove = Button(text("ui.federation.pretend_remove"), DANGER, icon_name="trash", pressed=remove)
        head = _titled("computer", text("ui.federation.pretend"))
        self.setLayout(column(card(head, words, row(self.remove, None), gap=10, padding=16)))


class Aside(QWidget):
    """The cards, as far as they mean something by now."""

    def __init__(self, quorum: QuorumCard, keys: KeyCard, relay: RelayCard, pretend: PretendCard) -> None:
        super().__init__()
        self.quorum, self.keys, self.relay, self.pretend = quorum, keys, relay, pretend
        self.setLayout(column(pretend, quorum, keys, relay, None, gap=14))

    def show_found(self, found: Federation, *, pretend: bool, keys: Mapping[str, Any] | None) -> None:
        """Show what is known."""
        self.pretend.setVisible(pretend)
        self.quorum.setVisible(found.of > 1)
        self.quorum.show_found(found)
        self.relay.show_relay(found.relay)
        self.keys.setVisible(found.stage == READY and keys is not None)
        if keys is not None:
            self.keys.show_keys(keys, found.ended)
