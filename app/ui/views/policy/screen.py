"""The screen: the sentences at the left; what they would do, who signed them and when at the right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QWidget

from app.core.catalogue.model import Catalogue
from app.core.disclosure.policy import Policy
from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.finding import Finder, Loader
from app.ui.models.naming import Names
from app.ui.models.people import People
from app.ui.models.policy import PolicyState, changes
from app.ui.models.projects import projects_from_plain
from app.ui.models.requests import Asked
from app.ui.views.explore.wording import label
from app.ui.views.policy.aside import Aside
from app.ui.views.policy.editor import Editor, Surroundings
from app.ui.views.policy.variables import VariableDialog
from app.ui.views.view import View
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.dialogs import open_once
from app.ui.widgets.feedback import Banner, EmptyState, announce
from app.ui.widgets.layout import column, frame, header, row, scrolling
from app.ui.widgets.signing import SigningDialog

_SIDE, _WIDEST = 316, 760
_GAP = 24


class PolicyView(View):
    """Policy. It is reached from Requests."""

    name: ClassVar[str] = "policy"
    rail: ClassVar[str] = "requests"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.state = PolicyState(Policy())
        self.known = False
        """Whether the owner has told the policy."""
        self._people, self._projects = People(), dict[str, str]()
        self._catalogue: Catalogue | None = None
        self._hash = b""
        self._wanted: Callable[[str], object] | None = None
        self._loader, self._finder = Loader(self), Finder(self)
        self.dialog: SigningDialog | None = None
        self.editor = Editor(self._pick_variable)
        self.editor.changed.connect(self._edited)
        self.aside = Aside()
        self._use = Button(text("ui.policy.use"), PRIMARY, size="large", pressed=self.use)
        self._sign = Button(text("ui.policy.sign"), PRIMARY, icon_name="key", size="large", pressed=self.sign)
        self._discard = Button(text("ui.policy.discard"), size="large", pressed=self.discard)
        back = Button(text("ui.policy.back"), icon_name="chevron-left", pressed=lambda: context.navigate("requests"))
        budget = Button(text("ui.rail.budget"), icon_name="layers", pressed=lambda: context.navigate("budget"))
        people = Button(text("ui.rail.people"), icon_name="people", pressed=lambda: context.navigate("people"))
        self.page.addWidget(header(text("ui.rail.policy"), text("ui.policy.subtitle"), people, budget, back))
        self.page.addWidget(self._make_body(), 1)
        self._foot = self._make_foot()
        self.page.addWidget(self._foot)
        context.standing.changed.connect(self._stand)
        self._stand()

    def _make_foot(self) -> QFrame:
        made = frame("foot", row(self._use, self._sign, None, self._discard, margins=(24, 12, 24, 12)))
        made.hide()
        return made

    def _make_body(self) -> QWidget:
        left, side = QWidget(), QWidget()
        left.setMaximumWidth(_WIDEST)
        left.setLayout(column(self.banners, self.editor, None, gap=16))
        side.setFixedWidth(_SIDE)
        side.setLayout(column(self.aside, None, gap=0))
        both = QHBoxLayout()
        both.setContentsMargins(_GAP, 20, _GAP, 20)
        both.setSpacing(_GAP)
        both.addWidget(left, 1)
        both.addWidget(side, 0, Qt.AlignmentFlag.AlignTop)
        both.addStretch(0)
        self.area = scrolling(both)
        nowhere = EmptyState("federation", text("ui.requests.nowhere"), text("ui.requests.nowhere_words"))
        self._stack = QStackedWidget()
        for each in (QWidget(), self.area, nowhere):
            self._stack.addWidget(each)
        return self._stack

    # --- asking the owner -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the policy, and for what its sentences name."""
        if not self.context.standing.overview.ready:
            return
        call = self.context.bridge.call
        call("policy.show", of=self, done=self._take, failed=self.fail)
        call("people.list", of=self, done=self._take_people, failed=self._silent)
        call("project.list", of=self, done=self._take_projects, failed=self._silent)
        call("request.list", of=self, done=self._take_requests, failed=self._silent)
        have = {"have": self._hash} if self._hash else {}
        call("catalogue.show", have, of=self, done=self._take_catalogue, failed=self._silent)

    def _silent(self, _error: ConsiliumError) -> None:
        """The sentences stand without it."""

    def _take(self, found: Result) -> None:
        self._taken(found, keep=self.known and self.changed_from(self.state))

    def _taken(self, found: Result, *, keep: bool = False) -> None:
        """Show a policy; with ``keep`` what was changed in the sentences stays."""
        self.known, self.state = True, PolicyState.from_plain(found)
        self._show(self.editor.policy if keep else self.state.draft or self.state.policy)

    def _take_people(self, found: Result) -> None:
        self._people = People.from_plain(found)
        self._again()

    def _take_projects(self, found: Result) -> None:
        self._projects = {each.id: each.title for each in projects_from_plain(found) if each.usable}
        self._again()

    def _take_requests(self, found: Result) -> None:
        self.aside.waiting = [each for each in map(Asked.from_plain, found["requests"]) if each.waiting]
        self._edited()

    def _take_catalogue(self, found: Result) -> None:
        if found["catalogue"]:
            self._hash = bytes(found["hash"])
            self._loader.load(found["catalogue"], self._take_loaded)

    def _take_loaded(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._finder.index(catalogue)
        self._again()
        if self._wanted is not None:
            self._pick_variable(self._wanted)

    # --- showing --------------------------------------------------------------------------------------------------

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if not overview.ready:
            self._stack.setCurrentIndex(2 if overview.site else 0)
            self._foot.hide()
            return
        self._stack.setCurrentIndex(1 if self.known else 0)
        if self.isVisible() and not self.known:
            self.refresh()

    def _again(self) -> None:
        if self.known:
            self._show(self.editor.policy)

    def _show(self, policy: Policy) -> None:
        self.editor.show_policy(policy, self.state, Surroundings(self._names(policy), self._count))
        self._edited()
        self._stand()

    @property
    def _count(self) -> int:
        return max(len(self.context.standing.overview.sites), 2)

    def _names(self, policy: Policy) -> Names:
        sites = dict(enumerate((each.name for each in self.context.standing.overview.sites), start=1))
        positions = {name: position for position, name in sites.items()}
        people = [(positions[each.site], each.name) for each in self._people.people if each.site in positions]
        variables = {}
        for each in policy.never:
            variable = None if self._catalogue is None else self._catalogue.find(each.code)
            if variable is not None:
                variables[each.code] = label(variable)
        return Names(sites, tuple(dict.fromkeys(people)), self._projects, variables)

    def changed_from(self, state: PolicyState) -> bool:
        """Return whether the sentences say something else than what is in force, or waits for a signature."""
        return self.editor.policy != (state.draft or state.policy)

    def _edited(self) -> None:
        state = self.state
        if not self.known:
            return
        changed = self.changed_from(state)
        waits = changed or state.draft is not None
        custodian = state.custodian or self._people.custodian
        self._foot.setVisible(waits)
        self._use.setVisible(changed)
        self._use.setText(text("ui.policy.keep_draft" if custodian else "ui.policy.use"))
        self._sign.setVisible(custodian)
        self._discard.setVisible(waits)
        names = self._names(self.editor.policy)
        self.aside.show_state(state, self.editor.policy, names, custodian=custodian)

    # --- deciding -------------------------------------------------------------------------------------------------

    def _values(self) -> dict[str, Any]:
        plain = self.editor.policy.to_plain()
        if self.state.draft is None:
            plain = changes(self.state.policy, self.editor.policy)
        return {name: value for name, value in plain.items() if name not in self.state.fixed}

    def use(self) -> None:
        """Use the policy, or keep it as a draft where a custodian has to sign."""
        self._set(lambda: announce(self, text("ui.policy.used")))

    def _set(self, then: Callable[[], object]) -> None:
        def done(found: Result) -> None:
            self._use.setEnabled(True)
            self.banners.show_only()
            self._taken(found)
            then()

        self._use.setEnabled(False)
        self.context.bridge.call("policy.set", self._values(), of=self, done=done, failed=self.fail)

    def fail(self, error: ConsiliumError) -> None:
        """Show what went wrong above the sentences."""
        self._use.setEnabled(True)
        super().fail(error)
        self.area.verticalScrollBar().setValue(0)

    def sign(self) -> None:
        """Sign what the sentences say; what was changed is kept as the draft first."""
        if self.changed_from(self.state):
            self._set(self._ask_passphrase)
        else:
            self._ask_passphrase()

    def _ask_passphrase(self) -> None:
        dialog = SigningDialog(
            self,
            text("ui.policy.sign_title", version=self.state.version + 1),
            text("ui.policy.sign_words"),
            answer=text("ui.policy.sign_now"),
            custodian=True,
        )

        def done(found: Result) -> None:
            self._taken(found)
            self.banners.show_only(Banner("positive", text("ui.policy.used"), closed=lambda: self.banners.show_only()))

        dialog.answered = lambda: dialog.call(self.context.bridge, "policy.sign", {}, done)
        dialog.finished.connect(self._closed)
        self.dialog = open_once(dialog)

    def _closed(self, _result: int) -> None:
        self.dialog = None

    def discard(self) -> None:
        """Go back to what is in force."""
        if self.state.draft is not None:
            plain = self.state.policy.to_plain()
            values = {name: value for name, value in plain.items() if name not in self.state.fixed}
            self.context.bridge.call("policy.set", values, of=self, done=self._discarded, failed=self.fail)
        else:
            self._show(self.state.policy)

    def _discarded(self, found: Result) -> None:
        self._taken(found)

    def _pick_variable(self, chosen: Callable[[str], object]) -> None:
        if self._catalogue is None:
            self._wanted = chosen  # asked once it is there
            return
        self._wanted = None
        open_once(VariableDialog(self, self._catalogue, self._finder, chosen))
