"""Saved cohorts leave this site and come to it: shared with other sites, as files, and what others offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QCheckBox, QFileDialog, QMenu, QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import explain, text
from app.ui.bridge import Caller
from app.ui.icons import icon
from app.ui.theme import set_role
from app.ui.widgets.dialogs import Dialog, confirm, open_once
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import column

_MOST_NAME = 100
_EXISTS, _OTHERWISE = "cohort.exists", "cohort.means_otherwise"


class Sharing(QObject):
    """What can be done with cohorts beyond this site. ``changed`` is called when there is another saved cohort."""

    def __init__(
        self,
        view: QWidget,
        bridge: Caller,
        changed: Callable[[], object],
        fail: Callable[[ConsiliumError], object],
        others: Callable[[], Sequence[str]],
    ) -> None:
        super().__init__(view)
        self._view, self._bridge = view, bridge
        self._changed, self._fail, self._others = changed, fail, others
        self.offers: list[Mapping[str, Any]] = []
        """What other sites offer."""
        self.dialog: Dialog | None = None

    def refresh(self) -> None:
        """Ask what other sites offer."""
        self._bridge.call("cohort.shared", {}, of=self._view, done=self._take, failed=self._silent)

    def _take(self, found: Result) -> None:
        self.offers = list(found["cohorts"])

    def _silent(self, _error: ConsiliumError) -> None:
        """Nothing is offered then."""

    # --- menus ----------------------------------------------------------------------------------------------------

    def fill_cohort(self, menu: QMenu, name: str) -> None:
        """Add what can be done with one saved cohort."""
        share = menu.addAction(text("ui.explore.share_cohort"), partial(self.share, name))
        share.setEnabled(bool(self._others()))
        menu.addAction(icon("export"), text("ui.explore.export_cohort"), partial(self.export, name))

    def fill(self, menu: QMenu) -> None:
        """Add what comes from elsewhere."""
        menu.addAction(icon("import"), text("ui.explore.import_cohort"), self.import_file)
        if not self.offers:
            return
        offered = menu.addMenu(text("ui.explore.offered", count=len(self.offers)))
        for each in self.offers:
            site, name = str(each["site"]), str(each["name"])
            inner = offered.addMenu(text("ui.explore.offered_by", site=site, name=name).replace("&", "&&"))
            inner.addAction(text("ui.explore.accept_cohort"), partial(self.accept, site, name))
            inner.addAction(text("ui.explore.decline_cohort"), partial(self._decline, site, name))

    # --- away -----------------------------------------------------------------------------------------------------

    def share(self, name: str) -> None:
        """Ask with which sites, and share."""
        boxes = []
        for site in self._others():
            box = QCheckBox(site.replace("&", "&&"))
            box.setAccessibleName(site)
            box.setChecked(True)
            boxes.append((site, box))
        inside = QWidget()
        set_role(inside, role="clear")
        inside.setLayout(column(*(box for _, box in boxes), gap=2))
        words = text("ui.explore.share_words", name=name)
        dialog = Dialog(self._view, text("ui.explore.share_cohort"), words, inside, answer=text("ui.explore.share"))

        def show() -> None:
            chosen = any(box.isChecked() for _, box in boxes)
            dialog.answer_button.forbid("" if chosen else text("ui.explore.cannot.sites"))

        def done(found: Result) -> None:
            dialog.accept()
            announce(self._view, text("ui.explore.shared_with", name=found["name"], sites=", ".join(found["sites"])))

        def share() -> None:
            values = {"name": name, "sites": [site for site, box in boxes if box.isChecked()]}
            dialog.busy(True)
            self._bridge.call("cohort.share", values, of=dialog, done=done, failed=dialog.failed)

        for _, box in boxes:
            box.clicked.connect(lambda _checked: show())
        dialog.answered = share
        self._open(dialog)

    def export(self, name: str) -> None:
        """Ask for a file, and write the cohort to it."""
        kinds = text("ui.explore.cohort_files")
        path, _ = QFileDialog.getSaveFileName(self._view, text("ui.explore.export_cohort"), f"{name}.toml", kinds)
        if path:
            values = {"name": name, "version": 0, "path": path, "replace": True}  # the dialog has asked
            self._bridge.call("cohort.export", values, of=self._view, done=self._exported, failed=self._fail)

    def _exported(self, found: Result) -> None:
        announce(self._view, text("ui.explore.exported", name=found["name"], path=found["path"]))

    # --- and back -------------------------------------------------------------------------------------------------

    def import_file(self) -> None:
        """Ask for a file, and save the cohort in it."""
        kinds = text("ui.explore.cohort_files")
        path, _ = QFileDialog.getOpenFileName(self._view, text("ui.explore.import_cohort"), "", kinds)
        if path:
            self._bring("cohort.import", {"path": path})

    def accept(self, site: str, name: str) -> None:
        """Save what a site offers."""
        self._bring("cohort.accept", {"site": site, "name": name})

    def _decline(self, site: str, name: str) -> None:
        values = {"site": site, "name": name}
        self._bridge.call(
            "cohort.decline", values, of=self._view, done=lambda _found: self.refresh(), failed=self._fail
        )

    def _bring(self, command: str, values: Mapping[str, Any], *, to: str = "", anyway: bool = False) -> None:
        """Save what comes; ask for another name, or whether to take it, where that is the question."""

        def done(found: Result) -> None:
            if self.dialog is not None:
                self.dialog.accept()
            announce(self._view, text("ui.explore.saved_as", name=found["name"], version=found["version"]))
            self._changed()
            self.refresh()

        def failed(error: ConsiliumError) -> None:
            if error.code == _OTHERWISE:
                told = explain(error)
                confirm(
                    self._view,
                    text("ui.explore.means_otherwise"),
                    told.what,
                    answer=text("ui.explore.take_anyway"),
                    then=lambda: self._bring(command, values, to=to, anyway=True),
                )
            elif error.code == _EXISTS:
                self._ask_name(error, lambda name: self._bring(command, values, to=name, anyway=anyway))
            else:
                self._fail(error)

        given = {**values, "to": to, "anyway": anyway}
        self._bridge.call(command, given, of=self._view, done=done, failed=failed)

    def _ask_name(self, error: ConsiliumError, then: Callable[[str], object]) -> None:
        """Ask under which other name to save: there is one of this name that says something else."""
        if self.dialog is not None:
            self.dialog.failed(error)
            return
        edit = line_edit()
        edit.setMaxLength(_MOST_NAME)
        field = Field(text("ui.explore.cohort_name"), edit)
        title = text("ui.explore.other_name")
        dialog = Dialog(self._view, title, explain(error).what, field, answer=text("ui.explore.save"))

        def answered() -> None:
            if edit.text().strip():
                then(edit.text().strip())
            else:
                field.refuse(text("ui.text_needed"))

        dialog.answered = answered
        self._open(dialog)
        edit.setFocus()

    def _open(self, dialog: Dialog) -> None:
        dialog.finished.connect(self._gone)
        self.dialog = open_once(dialog)

    def _gone(self) -> None:
        self.dialog = None
