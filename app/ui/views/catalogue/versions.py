"""The versions of the federation's catalogue: which is in force here, which waits to be accepted; publishing one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QStackedWidget, QWidget

from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import moment
from app.ui.tokens import Style
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.dialogs import ask_text
from app.ui.widgets.entries import Entries, Entry
from app.ui.widgets.feedback import Banner, Banners, EmptyState
from app.ui.widgets.layout import clear, column, frame, row, scrolling
from app.ui.widgets.text import Label

_LIST = 320
_MOST_NOTE = 500
_SHOWN = 30
_STATES = {
    "in_force": ("positive", "check-circle"),
    "waiting": ("caution", "person"),
    "earlier": ("plain", "clock"),
    "arriving": ("accent", "running"),
    "refused": ("danger", "close-circle"),
    "not_chosen": ("plain", "minus-circle"),
}
_CHANGES = ("added", "removed", "meaning", "shown", "groups")


class VersionsPage(QWidget):
    """The list at the left, what the chosen version changes at the right."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._versions: list[Mapping[str, Any]] = []
        self.banners = Banners()
        self.list = Entries(text("ui.catalogue.tab.versions"))
        self.list.chosen.connect(lambda _key: self._choose())
        self._details = column(gap=10, margins=(24, 18, 24, 24))
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(frame("pane", column(self.list, gap=0, margins=(4, 6, 4, 6))))
        split.addWidget(scrolling(self._details))
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST, 1280 - _LIST])
        nowhere = EmptyState(
            "federation",
            text("ui.catalogue.no_versions"),
            text("ui.catalogue.no_versions_words"),
            action=(text("ui.rail.federation"), lambda: context.navigate("federation")),
        )
        self._stack = QStackedWidget()
        for each in (nowhere, split):
            self._stack.addWidget(each)
        whole = column(self.banners, self._stack, gap=8)
        whole.setStretchFactor(self._stack, 1)
        self.setLayout(whole)

    def refresh(self) -> None:
        """Ask for the versions."""
        if self._context.standing.overview.ready:
            self._context.bridge.call("catalogue.versions", of=self, done=self._take, failed=self.banners.show_error)
        else:
            self._stack.setCurrentIndex(0)

    def _take(self, found: Result) -> None:
        self._versions = list(found["versions"])[::-1]
        self._stack.setCurrentIndex(1)
        self.list.show_entries([_entry(each) for each in self._versions])
        if found["overtaken"]:
            fact, words = text("ui.catalogue.overtaken"), text("ui.catalogue.overtaken_words")
            self.banners.show_only(Banner("caution", fact, words))
        if not self.list.selected and self._versions:
            self.list.select(_key(self._versions[0]))
        self._choose()

    def _choose(self) -> None:
        version = next((each for each in self._versions if _key(each) == self.list.selected), None)
        clear(self._details)
        if version is None:
            return
        by = text("ui.catalogue.published_by", site=version["author"], time=moment(version["published"]))
        self._details.addWidget(Label(text("ui.catalogue.version_number", version=version["version"]), Style.TITLE))
        self._details.addWidget(Label(by if version["published"] else text("ui.catalogue.first"), Style.BODY, "text2"))
        if version["note"]:
            self._details.addWidget(Label(version["note"], wrap=True, selectable=True))
        if version["sites"]:
            where = text("ui.catalogue.in_force_at", sites=", ".join(version["sites"]))
            self._details.addWidget(Label(where, Style.BODY, "text2", wrap=True))
        self._details.addStretch(1)
        if version["state"] == "waiting":
            number = int(version["version"])
            self._context.bridge.call(
                "catalogue.changes",
                {"version": number},
                of=self,
                done=lambda found: self._show_waiting(number, found),
                failed=self.banners.show_error,
            )

    def _show_waiting(self, number: int, found: Result) -> None:
        place = self._details.count() - 1
        for line in said(found):
            self._details.insertWidget(place, line)
            place += 1
        accept = Button(text("ui.catalogue.accept"), PRIMARY, icon_name="check", pressed=lambda: self._accept(number))
        self._details.insertLayout(place, row(accept, None))

    def _accept(self, number: int) -> None:
        def done(_found: Result) -> None:
            words = text("ui.catalogue.accepted_words")
            self.banners.show_only(
                Banner("positive", text("ui.catalogue.accepted"), words, closed=self.banners.show_only)
            )
            self.refresh()

        self._context.bridge.call(
            "catalogue.accept", {"version": number}, of=self, done=done, failed=self.banners.show_error
        )

    # --- publishing ---------------------------------------------------------------------------------------------

    def publish(self, file: Path) -> None:
        """Say what publishing the catalogue in ``file`` changes, ask for a note to the others, and publish it."""
        values = {"path": str(file)}
        self._context.bridge.call(
            "catalogue.check",
            values,
            of=self,
            done=lambda found: self._ask(file, found),
            failed=self.banners.show_error,
        )

    def _ask(self, file: Path, found: Result) -> None:
        def publish(note: str) -> None:
            values = {"path": str(file), "note": note}
            self._context.bridge.call(
                "catalogue.publish", values, of=self, done=self._published, failed=self.banners.show_error
            )

        ask_text(
            self,
            text("ui.catalogue.publish_title", version=found["version"]),
            "\n".join(line.text() for line in said(found)),
            label=text("ui.catalogue.note"),
            answer=text("ui.catalogue.publish"),
            most=_MOST_NOTE,
            needed=False,
            then=publish,
        )

    def _published(self, _found: Result) -> None:
        words = text("ui.catalogue.published_words")
        self.banners.show_only(Banner("positive", text("ui.catalogue.published"), words, closed=self.banners.show_only))
        self.refresh()


def said(found: Mapping[str, Any]) -> list[Label]:
    """Return what a version changes, in lines: how many variables in which way, and what it costs."""
    lines = []
    for kind in _CHANGES:
        codes = list(found["changes"][kind])
        if codes:
            shown = ", ".join(codes[:_SHOWN]) + (" …" if len(codes) > _SHOWN else "")
            lines.append(Label(text(f"ui.catalogue.change.{kind}", count=len(codes), codes=shown), wrap=True))
    if found["unusable"]:
        shown = ", ".join(list(found["unusable"])[:_SHOWN])
        lines.append(Label(text("ui.catalogue.unusable", codes=shown), Style.STRONG, "cau", wrap=True))
    return lines or [Label(text("ui.catalogue.change.none"), Style.BODY, "text2", wrap=True)]


def _key(version: Mapping[str, Any]) -> str:
    return str(version["hash"])


def _entry(version: Mapping[str, Any]) -> Entry:
    tone, icon_name = _STATES[str(version["state"])]
    chip = (text(f"ui.catalogue.state.{version['state']}"), tone, icon_name)
    title = text("ui.catalogue.version_number", version=version["version"])
    return Entry(_key(version), title, moment(int(version["published"])), str(version["author"]), chip)
