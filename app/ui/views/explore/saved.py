"""Saved cohorts: the menu that uses, opens, renames and deletes them, and earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLineEdit, QMenu, QWidget
from shiboken6 import isValid

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.bridge import Caller
from app.ui.icons import icon
from app.ui.locale import whole_moment
from app.ui.models.board import Board
from app.ui.views.explore.sharing import Sharing
from app.ui.widgets.dialogs import Dialog, confirm
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import Field, line_edit

_MOST_NAME = 100


class SavedCohorts(QObject):
    """What can be done with saved cohorts. ``opened`` is called with (name, version, text) of one to edit."""

    def __init__(
        self,
        view: QWidget,
        board: Board,
        bridge: Caller,
        opened: Callable[[str, int, str], object],
        saved: Callable[[str, int], object],
    ) -> None:
        super().__init__(view)
        self._view, self._board, self._bridge = view, board, bridge
        self._opened, self._saved = opened, saved
        self.known = False
        self.found: list[Mapping[str, Any]] = []
        self.dialog: Dialog | None = None

    def refresh(self, then: Callable[[], object] = lambda: None) -> None:
        """Ask for the saved cohorts; ``then`` they are known."""

        def take(found: Result) -> None:
            self.known = True
            self.found = list(found["cohorts"])
            self._board.set_saved(self.found)
            then()

        self._bridge.call("cohort.list", {}, of=self._view, done=take)

    def fill(
        self,
        menu: QMenu,
        fail: Callable[[ConsiliumError], object],
        versions: Callable[[QMenu], object],
        sharing: Sharing,
    ) -> None:
        """Make the menu anew."""
        menu.clear()
        save = menu.addAction(icon("plus"), text("ui.explore.save_cohort"), lambda: self.ask_name(fail))
        save.setEnabled(bool(self._board.criteria.cards))
        versions(menu.addMenu(icon("clock"), text("ui.explore.versions")))
        sharing.fill(menu)
        menu.addSeparator()
        if not self.found:
            menu.addAction(text("ui.explore.no_cohorts")).setEnabled(False)
        for each in self.found:
            name = str(each["name"])
            inner = menu.addMenu(icon("people"), name)
            inner.addAction(text("ui.explore.use_cohort"), partial(self.use, name))
            inner.addAction(text("ui.explore.open_cohort"), partial(self._open, each))
            earlier = inner.addMenu(icon("clock"), text("ui.explore.cohort_versions"))
            earlier.setEnabled(int(each["version"]) > 1)
            earlier.aboutToShow.connect(partial(self._fill_earlier, earlier, name, fail))
            inner.addSeparator()
            sharing.fill_cohort(inner, name)
            inner.addSeparator()
            inner.addAction(text("ui.explore.rename_cohort"), partial(self.rename, name))
            inner.addAction(icon("trash"), text("ui.explore.delete_cohort"), partial(self._delete, name, fail))

    def use(self, name: str) -> None:
        """Add a saved cohort as a term."""
        if (term := self._board.term_of(name)) is not None:
            self._board.add([term])

    def _open(self, found: Mapping[str, Any]) -> None:
        self._opened(str(found["name"]), int(found["version"]), str(found["text"]))

    def _fill_earlier(self, menu: QMenu, name: str, fail: Callable[[ConsiliumError], object]) -> None:
        """List the versions of a cohort, newest first, as soon as they are known."""
        menu.clear()
        menu.addAction(text("ui.explore.looking")).setEnabled(False)

        def take(found: Result) -> None:
            if not isValid(menu):
                return
            menu.clear()
            for each in found["cohorts"]:
                when = whole_moment(int(each["saved"]))
                words = text("ui.explore.cohort_version", version=each["version"], when=when)
                menu.addAction(words, partial(self._open, each))

        self._bridge.call("cohort.versions", {"name": name}, of=self._view, done=take, failed=fail)

    def ask_name(self, fail: Callable[[ConsiliumError], object], suggested: str = "") -> None:
        """Ask under which name to save, and save."""
        written = self._board.cohort_text

        def save(name: str, dialog: Dialog) -> None:
            def done(found: Result) -> None:
                dialog.accept()
                self._saved(str(found["name"]), int(found["version"]))
                announce(self._view, text("ui.explore.saved_as", name=found["name"], version=found["version"]))
                self.refresh()

            values = {"name": name, "text": written}
            self._bridge.call("cohort.save", values, of=dialog, done=done, failed=dialog.failed)

        self._name_dialog(text("ui.explore.save_cohort"), text("ui.explore.save_words"), suggested, save)

    def rename(self, name: str) -> None:
        """Ask for another name."""

        def rename(to: str, dialog: Dialog) -> None:
            def done(_found: Result) -> None:
                dialog.accept()
                self.refresh()

            self._bridge.call("cohort.rename", {"name": name, "to": to}, of=dialog, done=done, failed=dialog.failed)

        self._name_dialog(text("ui.explore.rename_cohort"), text("ui.explore.rename_words", name=name), name, rename)

    def _name_dialog(self, title: str, words: str, initial: str, then: Callable[[str, Dialog], object]) -> None:
        edit: QLineEdit = line_edit()
        edit.setText(initial)
        edit.setMaxLength(_MOST_NAME)
        field = Field(text("ui.explore.cohort_name"), edit)
        dialog = Dialog(self._view, title, words, field, answer=text("ui.explore.save"))

        def answered() -> None:
            if edit.text().strip():
                then(edit.text().strip(), dialog)
            else:
                field.refuse(text("ui.text_needed"))

        dialog.answered = answered
        dialog.finished.connect(dialog.deleteLater)
        dialog.finished.connect(self._dialog_gone)
        self.dialog = dialog
        edit.setFocus()
        edit.selectAll()
        dialog.open()

    def _dialog_gone(self) -> None:
        self.dialog = None

    def _delete(self, name: str, fail: Callable[[ConsiliumError], object]) -> None:
        def delete() -> None:
            self._bridge.call(
                "cohort.delete", {"name": name}, of=self._view, done=lambda _found: self.refresh(), failed=fail
            )

        confirm(
            self._view,
            text("ui.explore.delete_title", name=name),
            text("ui.explore.delete_words"),
            answer=text("ui.explore.delete_cohort"),
            danger=True,
            then=delete,
        )


def fill_versions(menu: QMenu, drafts: list[Mapping[str, Any]], restore: Callable[[str], object]) -> None:
    """Fill the menu of the earlier versions of the draft."""
    shown = [each for each in drafts[:20] if each["text"]]
    if not shown:
        menu.addAction(text("ui.explore.no_versions")).setEnabled(False)
    for each in shown:
        written = str(each["text"]).replace("\n", " ")
        words = written if len(written) <= 60 else written[:59] + "…"
        label = f"{whole_moment(int(each['saved']))}   {words}".replace("&", "&&")
        menu.addAction(label, partial(restore, str(each["text"])))
