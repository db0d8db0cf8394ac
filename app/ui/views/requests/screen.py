"""The screen: the list at the left, the opened request at the right, the decision at its foot."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QSplitter, QStackedWidget, QWidget
from shiboken6 import isValid

from app.core.disclosure.policy import Mode, Policy
from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.question import Question, question
from app.ui.models.requests import Asked, Fate, fate, policy_from_plain
from app.ui.views.requests import wording
from app.ui.views.requests.opened import Opened, kinds
from app.ui.views.requests.policy_dialog import PolicyDialog, effect
from app.ui.views.view import View
from app.ui.widgets.buttons import DANGER, PRIMARY, Button
from app.ui.widgets.dialogs import Dialog, ask_text, confirm
from app.ui.widgets.entries import Entries
from app.ui.widgets.feedback import EmptyState, announce
from app.ui.widgets.layout import column, frame, header, row

_LIST = 292
_IN_WORDS = 100
"""So many of the newest requests stand in words in the list; older ones once they are opened."""


class RequestsView(View):
    """Requests."""

    name: ClassVar[str] = "requests"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._requests: list[Asked] = []
        self._questions: dict[str, Question] = {}
        self._policy: Policy | None = None
        self._fetching = ""
        self._wanted = ""
        self._heard = False
        self.dialog: Dialog | None = None
        """The policy, while it is open."""
        self._policy_button = Button(text("ui.requests.your_policy"), icon_name="shield", pressed=self.edit_policy)
        self.page.addWidget(header(text("ui.rail.requests"), text("ui.requests.subtitle"), self._policy_button))
        self.list = Entries(text("ui.requests.list"))
        self.list.chosen.connect(self._choose)
        self.opened = Opened(ask_back=self._ask_back, edit_policy=self.edit_policy)
        self._foot = self._make_foot()
        self.page.addWidget(self._make_body(), 1)
        shortcut = QShortcut(QKeySequence("Ctrl+Return"), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self._answer_by_key)
        context.standing.changed.connect(self._stand)
        self._stand()

    def _make_foot(self) -> QFrame:
        self._answer = Button(
            text("ui.requests.answer"), PRIMARY, icon_name="check", size="large", pressed=self._answer_pressed
        )
        self._always = Button(text("ui.requests.always_answer"), size="large", pressed=self._always_pressed)
        self._decline = Button(text("ui.requests.decline"), DANGER, size="large", pressed=self._decline_pressed)
        self._answer.setToolTip(QKeySequence("Ctrl+Return").toString(QKeySequence.SequenceFormat.NativeText))
        return frame("foot", row(self._answer, self._always, None, self._decline, margins=(24, 12, 24, 12)))

    def _make_body(self) -> QStackedWidget:
        self.banners.setContentsMargins(24, 16, 24, 0)
        pane = QWidget()
        pane.setLayout(column(self.banners, self.opened, self._foot, gap=0))
        left = frame("pane", column(self.list, gap=0, margins=(4, 6, 4, 6)))
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.addWidget(left)
        self._split.addWidget(pane)
        self._split.setStretchFactor(1, 1)
        self._split.setChildrenCollapsible(False)
        self._split.setSizes([_LIST, 1280 - _LIST])
        left.setMinimumWidth(220)
        self._split.restoreState(self.context.preferences.state("requests"))
        self._split.splitterMoved.connect(
            lambda *_: self.context.preferences.remember("requests", self._split.saveState())
        )
        self._nothing = EmptyState("requests", text("ui.requests.none"), text("ui.requests.none_words"))
        self._nowhere = EmptyState(
            "federation",
            text("ui.requests.nowhere"),
            text("ui.requests.nowhere_words"),
            action=(text("ui.rail.federation"), lambda: self.context.navigate("federation")),
        )
        self._stack = QStackedWidget()
        for each in (QWidget(), self._split, self._nothing, self._nowhere):
            self._stack.addWidget(each)
        self._stack.setContentsMargins(0, 0, 0, 0)
        return self._stack

    # --- asking the owner ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the requests and the policy."""
        if self.context.standing.overview.ready:
            self.context.bridge.call("policy.show", of=self, done=self._take_policy)
            self.context.bridge.call("request.list", of=self, done=self._take, failed=self.fail)

    def open(self, argument: object = None) -> None:
        """Show the request whose id begins with ``argument``."""
        self._wanted = str(argument or "")
        self._show()

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if overview.ready and self.isVisible() and not self._heard:
            self.refresh()
        self._show()

    def _take_policy(self, found: Result) -> None:
        self._policy = policy_from_plain(found)
        self._show()

    def _take(self, found: Result) -> None:
        requests = [Asked.from_plain(each) for each in found["requests"]]
        known = {each.id: each for each in self._requests}
        new = [each for each in requests if each.waiting and each.id not in known]
        if self._heard and new:
            announce(self, text("ui.requests.came", site=new[0].asker))
        self._heard = True
        self._requests = requests
        self._show()
        self._fetch()

    def _fetch(self) -> None:
        """Ask for the next question in words, the opened one first; one at a time, as each is small."""
        wanted = [self.list.selected, *(each.id for each in self._requests[:_IN_WORDS])]
        missing = next((each for each in wanted if each and each not in self._questions), "")
        if not missing or self._fetching:
            return
        self._fetching = missing

        def take(found: Result) -> None:
            self._fetching = ""
            try:
                self._questions[missing] = question(found["query"], found["catalogue"])
            except ConsiliumError:  # of a newer program: its text form says it
                self._questions[missing] = Question((str(found["text"]),), str(found["text"]))
            self._show()
            self._fetch()

        def fail(_error: ConsiliumError) -> None:
            self._fetching = ""  # the list has its text form; the next change asks again

        self.context.bridge.call("request.show", {"id": missing}, of=self, done=take, failed=fail)

    # --- showing ------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        overview = self.context.standing.overview
        self._policy_button.setVisible(overview.ready and self._policy is not None)
        if not overview.ready:
            self._stack.setCurrentIndex(3 if overview.site else 0)
            return
        self._stack.setCurrentIndex(0 if not self._heard else 1 if self._requests else 2)
        sentences = {id_: found.brief for id_, found in self._questions.items()}
        self.list.show_entries(wording.entries(self._requests, overview.site, sentences))
        wanted = next((each.id for each in self._requests if self._wanted and each.id.startswith(self._wanted)), "")
        if wanted:
            self._wanted = ""
            self.list.select(wanted)
        if not self.list.selected and self._requests:
            waiting = [each.id for each in self._requests if each.waiting]
            self.list.select(waiting[0] if waiting else self._requests[0].id)
        self._show_opened()

    def _show_opened(self) -> None:
        asked = self.current
        if asked is None:
            return
        own = self.context.standing.overview.site
        self.opened.show_request(asked, self._questions.get(asked.id), self._policy, own)
        self._foot.setVisible(asked.waiting)
        if self._policy is not None:
            self._always.setVisible(asked.waiting and fate(self._policy, asked)[0] is Fate.WAITS)

    @property
    def current(self) -> Asked | None:
        """The opened request."""
        return next((each for each in self._requests if each.id == self.list.selected), None)

    def _choose(self, _id: str) -> None:
        self.banners.show_only()
        self._show_opened()
        self._fetch()

    def fail(self, error: ConsiliumError) -> None:
        """Show an error above the opened request."""
        super().fail(error)
        self._busy(False)

    # --- deciding -----------------------------------------------------------------------------------------------

    def _busy(self, working: bool) -> None:
        for each in (self._answer, self._always, self._decline):
            each.setEnabled(not working)

    def _do(self, command: str, values: dict[str, object], said: str) -> None:
        """Give the owner a command, then show what came of it and say so."""

        def done(_found: Result) -> None:
            self._busy(False)
            announce(self, said)
            self.refresh()

        self._busy(True)
        self.context.bridge.call(command, values, of=self, done=done, failed=self.fail)

    def _answer_by_key(self) -> None:
        if self._foot.isVisible() and self._answer.isEnabled():
            self._answer_pressed()

    def _answer_pressed(self) -> None:
        if (asked := self.current) is not None:
            self._do("request.answer", {"id": asked.id}, text("ui.requests.answered", site=asked.asker))

    def _decline_pressed(self) -> None:
        if (asked := self.current) is None:
            return

        def decline(reason: str) -> None:
            values: dict[str, object] = {"id": asked.id, "reason": reason}
            self._do("request.decline", values, text("ui.requests.declined", site=asked.asker))

        ask_text(
            self,
            text("ui.requests.decline_title", site=asked.asker),
            text("ui.requests.decline_words"),
            label=text("ui.requests.reason"),
            answer=text("ui.requests.decline_now"),
            then=decline,
        )

    def _ask_back(self) -> None:
        if (asked := self.current) is None:
            return

        def ask(words: str) -> None:
            values: dict[str, object] = {"id": asked.id, "text": words}
            self._do("request.ask", values, text("ui.requests.asked_back", site=asked.asker))

        ask_text(
            self,
            text("ui.requests.ask_title", site=asked.asker),
            text("ui.requests.ask_words", site=asked.asker),
            label=text("ui.requests.ask_label"),
            answer=text("ui.requests.ask_now"),
            then=ask,
        )

    def _always_pressed(self) -> None:
        asked, policy = self.current, self._policy
        if asked is None or policy is None:
            return
        waiting = [each for each in self._requests if each.waiting]
        then = Policy(Mode.AUTOMATIC, policy.exact, policy.noised, policy.others)
        words = text("ui.requests.always", kinds=kinds(policy), least=policy.others)
        confirm(
            self,
            text("ui.requests.always_dialog"),
            f"{words}\n\n{text('ui.requests.always_all')}\n\n{effect(then, waiting)}",
            answer=text("ui.requests.always_now"),
            then=lambda: self._use(then),
        )

    def edit_policy(self) -> None:
        """Open the policy."""
        if self._policy is None:
            return
        waiting = [each for each in self._requests if each.waiting]
        opened = self.current if self.current in waiting else None
        sites = len(self.context.standing.overview.sites)
        dialog = PolicyDialog(self, self._policy, sites=sites, waiting=waiting, opened=opened, use=self._use)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.finished.connect(self._dialog_closed)
        self.dialog = dialog
        dialog.open()

    def _dialog_closed(self, _result: int) -> None:
        self.dialog = None

    def _use(self, policy: Policy) -> None:
        values = {"mode": policy.mode.value, "exact": policy.exact, "noised": policy.noised, "others": policy.others}
        dialog = self.dialog

        def asking() -> Dialog | None:
            """Return the dialog that asked, unless it was cancelled meanwhile: then it is gone, or just going."""
            return dialog if dialog is not None and isValid(dialog) and dialog.isVisible() else None

        def done(found: Result) -> None:
            if (there := asking()) is not None:
                there.accept()
            self._busy(False)
            self._take_policy(found)
            announce(self, text("ui.requests.policy.used"))
            self.refresh()

        def failed(error: ConsiliumError) -> None:
            there = asking()
            self.fail(error) if there is None else there.failed(error)

        if dialog is not None:
            dialog.busy(True)
        self.context.bridge.call("policy.set", values, of=self, done=done, failed=failed)
