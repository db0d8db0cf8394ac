"""The screen: the list at the left, the opened request at the right, the decision at its foot."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QSplitter, QStackedWidget, QWidget

from app.core.catalogue.model import Catalogue
from app.core.disclosure.judgement import Verdict
from app.core.errors import ConsiliumError
from app.core.query.model import Query
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.naming import Names
from app.ui.models.people import RANK, People
from app.ui.models.person import Person
from app.ui.models.projects import Project, projects_from_plain
from app.ui.models.question import Question, question_of
from app.ui.models.releasing import Releasing
from app.ui.models.requests import Asked, Preview
from app.ui.views.explore.wording import label
from app.ui.views.requests import wording
from app.ui.views.requests.opened import Around, Opened
from app.ui.views.view import View
from app.ui.widgets.buttons import DANGER, PRIMARY, Button
from app.ui.widgets.dialogs import ask_text, confirm
from app.ui.widgets.entries import Entries
from app.ui.widgets.feedback import EmptyState, announce
from app.ui.widgets.layout import column, frame, header, row
from app.ui.widgets.text import tip

_LIST = 292
_KEYS = "Ctrl+Return"
_IN_WORDS = 100
"""So many of the newest requests stand in words in the list; older ones once they are opened."""


class RequestsView(View):
    """Requests."""

    name: ClassVar[str] = "requests"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._requests: list[Asked] = []
        self._questions: dict[str, Question] = {}
        self._releasing: dict[str, Releasing] = {}
        self._previews: dict[str, Preview] = {}
        self._people = People()
        self._projects: tuple[Project, ...] = ()
        self._variables: dict[str, str] = {}
        self._fetching = ""
        self._working = False
        self._wanted = ""
        self._heard = False
        self._policy_button = Button(text("ui.requests.your_policy"), icon_name="shield", pressed=self.edit_policy)
        self._budget_button = Button(
            text("ui.rail.budget"), icon_name="layers", pressed=lambda: context.navigate("budget")
        )
        self.page.addWidget(
            header(text("ui.rail.requests"), text("ui.requests.subtitle"), self._budget_button, self._policy_button)
        )
        self.list = Entries(text("ui.requests.list"))
        self.list.chosen.connect(self._choose)
        self.opened = Opened(ask_back=self._ask_back, edit_policy=self.edit_policy)
        self._foot = self._make_foot()
        self.page.addWidget(self._make_body(), 1)
        shortcut = QShortcut(QKeySequence(_KEYS), self)
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
        """Ask for the requests, and for who may be named in them."""
        if self.context.standing.overview.ready:
            call = self.context.bridge.call
            call("people.list", of=self, done=self._take_people, failed=self._silent)
            call("project.list", of=self, done=self._take_projects, failed=self._silent)
            call("request.list", of=self, done=self._take, failed=self.fail)

    def _silent(self, _error: ConsiliumError) -> None:
        """The requests are shown without it."""

    def open(self, argument: object = None) -> None:
        """Show the request whose id begins with ``argument``."""
        self._wanted = str(argument or "")
        self._show()

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if overview.ready and self.isVisible() and not self._heard:
            self.refresh()
        self._show()

    def _take_people(self, found: Result) -> None:
        self._people = People.from_plain(found)
        self._show()

    def _take_projects(self, found: Result) -> None:
        self._projects = projects_from_plain(found)
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
        self._judge()

    def _judge(self) -> None:
        """Ask what the policy would do with the opened request."""
        asked = self.current
        if asked is None or not asked.waiting:
            return
        id = asked.id

        def take(found: Result) -> None:
            self._previews[id] = Preview.from_plain(found)
            self._show_opened()

        self.context.bridge.call("policy.preview", {"id": id}, of=self, done=take, failed=self.fail)

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
                query, catalogue = Query.from_cbor(found["query"]), Catalogue.from_cbor(found["catalogue"])
                self._questions[missing] = question_of(query, catalogue)
                self._releasing[missing] = Releasing.of(query, catalogue)
                self._variables |= {each.code: label(each) for each in catalogue.variables}
            except ConsiliumError:  # of a newer program: its text form says it
                self._questions.setdefault(missing, Question((str(found["text"]),), str(found["text"])))
            self._show()
            self._fetch()

        def fail(_error: ConsiliumError) -> None:
            self._fetching = ""  # the list has its text form; the next change asks again

        self.context.bridge.call("request.show", {"id": missing}, of=self, done=take, failed=fail)

    # --- showing ------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        overview = self.context.standing.overview
        self._policy_button.setVisible(overview.ready)
        self._budget_button.setVisible(overview.ready)
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
        found = self._previews.get(asked.id)
        questions, releasing = self._questions.get(asked.id), self._releasing.get(asked.id)
        self.opened.show_request(asked, questions, releasing, found, self._around(asked))
        self._foot.setVisible(asked.waiting)
        declined = found is not None and found.verdict is Verdict.DECLINE
        if not self._working:
            self._answer.forbid(text("ui.requests.cannot_answer") if declined else "")
        if not declined:
            self._answer.setToolTip(tip(_keys()))
        self._always.setVisible(asked.waiting and found is not None and found.verdict is Verdict.ASK)

    def _around(self, asked: Asked) -> Around:
        """Return what is known of who asks."""
        overview = self.context.standing.overview
        people = [each for each in self._people.people if (each.site, each.name) == (asked.asker, asked.person)]
        usable = [each for each in people if each.valid] or people
        person: Person | None = max(usable, key=lambda each: RANK.get(each.role, 0), default=None)
        project = next((each for each in self._projects if asked.project in (each.title, each.id)), None)
        sites = dict(enumerate((each.name for each in overview.sites), start=1))
        return Around(
            overview.site, Names(sites, variables=self._variables), person, project, self.context.standing.budget
        )

    @property
    def current(self) -> Asked | None:
        """The opened request."""
        return next((each for each in self._requests if each.id == self.list.selected), None)

    def _choose(self, _id: str) -> None:
        self.banners.show_only()
        self._show_opened()
        self._fetch()
        self._judge()

    def fail(self, error: ConsiliumError) -> None:
        """Show an error above the opened request."""
        super().fail(error)
        self._busy(False)

    # --- deciding -----------------------------------------------------------------------------------------------

    def _busy(self, working: bool) -> None:
        self._working = working
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
        if (asked := self.current) is None:
            return

        def answer() -> None:
            said = text("ui.requests.answered", site=asked.asker)
            self._do("request.answer", {"id": asked.id, "always": True}, said)

        confirm(
            self,
            text("ui.requests.always_dialog"),
            f"{wording.always(asked)}\n\n{text('ui.requests.always_limits')}",
            answer=text("ui.requests.always_now"),
            then=answer,
        )

    def edit_policy(self) -> None:
        """Show the policy."""
        self.context.navigate("policy")


def _keys() -> str:
    """Return the keys that answer, as this system writes them."""
    return QKeySequence(_KEYS).toString(QKeySequence.SequenceFormat.NativeText)
