"""The Explore screen: catalogue, criteria and analysis side by side, and what they ask of the owner."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QMenu, QSplitter, QStackedWidget, QWidget

from app.core.catalogue.model import Catalogue
from app.core.errors import ConsiliumError, UserError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.asking import Check, asked_sites
from app.ui.models.board import Board
from app.ui.models.catalogue import Holding
from app.ui.models.distribution import distributions_from_plain
from app.ui.models.finding import Loader
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.analysis_pane import AnalysisPane
from app.ui.views.explore.canvas import Canvas
from app.ui.views.explore.catalogue_pane import CataloguePane
from app.ui.views.explore.details import Details
from app.ui.views.explore.drafting import Drafting
from app.ui.views.explore.saved import SavedCohorts, fill_versions
from app.ui.views.explore.words_pane import WordsPane
from app.ui.views.view import View
from app.ui.widgets.buttons import LINK, Button, IconButton
from app.ui.widgets.feedback import Banner, EmptyState, announce
from app.ui.widgets.layout import column, frame, row
from app.ui.widgets.text import ElidedLabel, Label

_CHECK_MS = 250
_LEFT, _RIGHT = 300, 312
_LAYOUT, _TEXT = "explore", "explore.text_form"


class ExploreView(View):
    """Explore."""

    name: ClassVar[str] = "explore"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.board = Board(self)
        self.board.refused.connect(self._refuse)
        self.board.changed.connect(self._changed)
        self._loader = Loader(self)
        self._wished: str | None = None
        self._asked_for = 0
        self._report_of = -1
        self._check_timer = QTimer(self, singleShot=True, interval=_CHECK_MS)
        self._check_timer.timeout.connect(self.check)
        self.saved = SavedCohorts(self, self.board, context.bridge, self._open_cohort, self._cohort_saved)
        self.catalogue = CataloguePane(self.board, context.preferences)
        self.canvas = Canvas(self.board)
        self.words = WordsPane(self.board)
        self.analysis = AnalysisPane(self.board)
        self.draft = Drafting(self, self.board, self.analysis, context.bridge)
        self.draft.kept.connect(self._show_title)
        self.draft.failed = self.fail
        self.details = Details(self.board, self.catalogue.is_favourite, self.catalogue.set_favourite)
        self._make_header()
        self._make_panes()
        self._connect()
        self._shortcuts()
        self._stand()

    # --- making ---------------------------------------------------------------------------------------------------

    def _make_header(self) -> None:
        self._title = ElidedLabel(text("ui.explore.new_query"), Style.TITLE)
        self._state = Label("", Style.SMALL, "text2")
        self.undo = IconButton("undo", text("ui.explore.undo"), pressed=self.board.history.stack.undo)
        self.redo = IconButton("redo", text("ui.explore.redo"), pressed=self.board.history.stack.redo)
        self.cohorts_button = Button(text("ui.explore.saved_cohorts"))
        menu = QMenu(self.cohorts_button)
        menu.aboutToShow.connect(
            lambda: self.saved.fill(
                menu, self.fail, lambda inner: fill_versions(inner, self.draft.versions, self._restore_version)
            )
        )
        self.cohorts_button.setMenu(menu)
        self.new = Button(text("ui.explore.new_query"), icon_name="plus", pressed=self.begin_new)
        title = row(self._title, self._state, gap=12)
        title.setStretchFactor(self._title, 1)
        head = row(gap=8, margins=(20, 0, 16, 0))
        head.addLayout(title, 1)
        for each in (self.undo, self.redo, self.cohorts_button, self.new):
            head.addWidget(each)
        made = frame("header", head)
        made.setFixedHeight(max(52, self.fontMetrics().height() + 24))
        self.page.addWidget(made)

    def _make_panes(self) -> None:
        save = Button(text("ui.explore.save_as"), LINK, pressed=lambda: self.saved.ask_name(self.fail, self.draft.name))
        self._save = save
        head = row(Label(text("ui.explore.criteria"), Style.STRONG), None, save, margins=(20, 8, 20, 0))
        self._banner_holder = QWidget()
        set_role(self._banner_holder, role="clear")
        self._banner_holder.setLayout(column(self.banners, margins=(20, 8, 20, 0)))
        self._banner_holder.hide()
        upper = QWidget()
        set_role(upper, role="clear")
        inside = column(head, self._banner_holder, self.canvas, gap=0)
        inside.setStretchFactor(self.canvas, 1)
        upper.setLayout(inside)
        middle = QWidget()
        set_role(middle, role="clear")
        down = column(upper, self.words, gap=0)
        down.setStretchFactor(upper, 1)
        middle.setLayout(down)
        self._across = QSplitter(Qt.Orientation.Horizontal)
        for each in (self.catalogue, middle, self.analysis):
            self._across.addWidget(each)
        self._across.setStretchFactor(1, 1)
        self._across.setSizes([_LEFT, 1280 - 84 - _LEFT - _RIGHT, _RIGHT])
        self._across.setChildrenCollapsible(False)
        self._across.setHandleWidth(1)
        self._across.restoreState(self.context.preferences.state(_LAYOUT))
        self._across.splitterMoved.connect(
            lambda *_: self.context.preferences.remember(_LAYOUT, self._across.saveState())
        )
        self.details.setParent(self)
        self.details.hide()
        self._across.splitterMoved.connect(lambda *_: self._place_details())
        nowhere = EmptyState(
            "explore",
            text("ui.explore.nowhere"),
            text("ui.explore.nowhere_words"),
            action=(text("ui.rail.federation"), lambda: self.context.navigate("federation")),
        )
        self._stack = QStackedWidget()
        for widget in (QWidget(), self._across, nowhere):
            self._stack.addWidget(widget)
        self.page.addWidget(self._stack, 1)

    def _connect(self) -> None:
        self.catalogue.details.connect(self._show_details)
        self.details.closed.connect(self.catalogue.tree.setFocus)
        self.canvas.wish_more.connect(self._wish_variable)
        self.analysis.changed.connect(self._settings_changed)
        self.analysis.ask.connect(self.ask)
        self.words.editor.wrong.connect(self._text_wrong)
        self.words.unfolded.connect(
            lambda shown: self.context.preferences.remember_words(_TEXT, ["shown" if shown else "folded"])
        )
        self.words.set_unfolded(self.context.preferences.words(_TEXT) == ["shown"])
        stack = self.board.history.stack
        for changed in (stack.canUndoChanged, stack.canRedoChanged, stack.indexChanged):
            changed.connect(self._show_history)  # a method goes with the view; the stack still speaks while it dies
        self.context.standing.changed.connect(self._stand)
        self._show_history()

    def _shortcuts(self) -> None:
        def key(keys: str | QKeySequence.StandardKey, do: Callable[[], object], of: QWidget) -> None:
            made = QShortcut(QKeySequence(keys), of)
            made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            made.activated.connect(do)

        standard = QKeySequence.StandardKey
        key(standard.Undo, self.board.history.stack.undo, self)
        key(standard.Redo, self.board.history.stack.redo, self)
        key(standard.Find, self._find, self)
        key(standard.Save, lambda: self.saved.ask_name(self.fail, self.draft.name), self)
        key("Ctrl+Return", self._ask_by_key, self)
        for keys, do in (
            (standard.Copy, lambda: self.canvas.copy(self.canvas.focused())),
            (standard.Cut, lambda: self.canvas.cut(self.canvas.focused())),
            (standard.Paste, self.canvas.paste),
            ("Ctrl+D", lambda: self.canvas.duplicate(self.canvas.focused())),
            ("Alt+Up", lambda: self.canvas.move_part(self.canvas.focused(), -1)),
            ("Alt+Down", lambda: self.canvas.move_part(self.canvas.focused(), 1)),
        ):
            key(keys, do, self.canvas)

    # --- asking the owner -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the catalogue, what sites hold, the saved cohorts, and once for the draft."""
        if not self.context.standing.overview.ready:
            return
        call = self.context.bridge.call
        have = {"have": self.board.hash} if self.board.hash else {}
        call("catalogue.show", have, of=self, done=self._take_catalogue, failed=self.fail)
        self.saved.refresh(self._load_draft)
        version = self.context.standing.overview.dataset_version
        if version != self._report_of:
            self._report_of = version
            if version:
                call("data.report", {"dataset": ""}, of=self, done=self._take_report, failed=self._no_report)
            else:
                self.board.set_report({})

    def _take_catalogue(self, found: Result) -> None:
        if found["catalogue"]:
            self._loader.load(found["catalogue"], lambda catalogue: self._take_holding(found, catalogue))
        else:
            self._take_holding(found, None)

    def _take_holding(self, found: Result, catalogue: Catalogue | None) -> None:
        """Show who holds what; of ``catalogue``, if it is another one than before."""
        if catalogue is not None:
            self.board.set_catalogue(catalogue, bytes(found["hash"]))
        self.details.by_site = {
            str(each["site"]): bytes(each["held"]) if each["known"] else None for each in found["by_site"]
        }
        self.board.set_holding(Holding(found["held"], frozenset(found["own"]), int(found["sites"])))
        self._load_draft()
        self._stand()
        self._check_timer.start()

    def _take_report(self, found: Result) -> None:
        self.board.set_report(distributions_from_plain(found["variables"]))

    def _no_report(self, error: ConsiliumError) -> None:
        if error.code.startswith("owner."):
            self._report_of = -1  # nobody was there to answer: the next change asks again
        self.board.set_report({})  # the editors say that there is none; the Data screen says why

    def check(self) -> None:
        """Ask the planner about the criteria as they are now."""
        if self.board.catalogue is None or not self.context.standing.overview.ready:
            return
        self._asked_for += 1
        number = self._asked_for
        values: dict[str, Any] = {"text": self._question()}
        if self.analysis.epsilon:
            values |= {"epsilon": self.analysis.epsilon, "contributors": len(self.analysis.chosen)}

        def take(found: Result) -> None:
            if number == self._asked_for:  # later questions are on their way
                check = Check.from_plain(found)
                self.analysis.set_check(check)
                self._show_sites(check)

        self.context.bridge.call("query.explain", values, of=self, done=take, failed=self.fail)

    def _question(self) -> str:
        return self.board.text or "everyone"

    def _show_sites(self, check: Check) -> None:
        self.analysis.set_sites(asked_sites(self.context.standing.overview.sites, check.by_site))

    def ask(self) -> None:
        """Ask the chosen sites."""
        if self.analysis.obstacle() or self.analysis.busy:
            return
        hours = int(self.analysis.within.value)
        values = {
            "text": self._question(),
            "epsilon": self.analysis.epsilon,
            "sites": list(self.analysis.chosen),
            "minimum": self.analysis.minimum,
            "deadline": int(time.time() * 1000) + hours * 3_600_000 if hours else 0,
            "purpose": self.analysis.purpose.text().strip(),
            "wait": 0,
        }
        self._asking(True)

        def done(found: Result) -> None:
            self._asking(False)
            announce(self, text("ui.explore.asked"))
            self.context.navigate("results", str(found.get("id", "")))

        def failed(error: ConsiliumError) -> None:
            self._asking(False)
            self.fail(error)

        self.context.bridge.call("query.run", values, of=self, done=done, failed=failed)

    def _asking(self, busy: bool) -> None:
        self.analysis.busy = busy
        self.analysis.show_state()

    def _ask_by_key(self) -> None:
        if self.analysis.button.isEnabled():
            self.ask()

    # --- the draft, and starting over -----------------------------------------------------------------------------

    def _load_draft(self) -> None:
        if self.board.catalogue is None or not self.saved.known:
            return  # a draft may use both
        if self.draft.loaded:
            self._open_wished()
        else:
            self.draft.load(self._take_draft)

    def _take_draft(self, written: str | None) -> None:
        if written is not None and self._wished is None:
            self._begin(written)
        self._open_wished()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        super().hideEvent(event)
        self.draft.save_what_waits()

    def open(self, argument: object = None) -> None:
        """Show the cohort of a text form; an empty one begins a new query."""
        self._wished = str(argument or "")
        if self.draft.loaded:
            self._open_wished()

    def _open_wished(self) -> None:
        if self._wished is None:
            return
        wished, self._wished = self._wished, None
        if wished:
            self.draft.start_over(lambda: self._begin(wished, name=""))
        else:
            self.begin_new()

    def begin_new(self) -> None:
        """Begin a new query; the one before is kept among the versions."""
        self.draft.start_over(lambda: self._begin("", name=""))
        self._find()

    def _begin(self, written: str, *, name: str | None = None, version: int = 0) -> None:
        """Show a text form, with nothing to undo; of the saved cohort ``name``, if not of the one before."""
        if name is not None:
            self.draft.name, self.draft.version = name, version
        self.draft.begun = True
        self.show_banner()
        try:
            self.board.begin(written)
            self.words.editor.show_criteria()  # what was typed and made no sense goes
        except UserError:  # the text form says what is wrong, and where
            self.words.set_unfolded(True)
            self.words.editor.setPlainText(written)
            self.words.editor.take()
        self.draft.rest()
        self._show_title()
        self._check_timer.start()

    def _open_cohort(self, name: str, version: int, written: str) -> None:
        self.draft.start_over(lambda: self._begin(written, name=name, version=version))

    def _cohort_saved(self, name: str, version: int) -> None:
        self.draft.name, self.draft.version = name, version
        self.draft.touch()
        self._show_title()

    def _restore_version(self, written: str) -> None:
        try:
            self.board.replace(written, text("ui.explore.did.restore"))
        except UserError as error:
            self.fail(error)

    # --- showing --------------------------------------------------------------------------------------------------

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if not overview.ready:
            self._stack.setCurrentIndex(2 if overview.site else 0)
        else:
            first = self._stack.currentIndex() != 1 and self.board.catalogue is None
            self._stack.setCurrentIndex(1 if self.board.catalogue is not None else 0)
            if first and self.isVisible():
                self.refresh()
        for each in (self.undo, self.redo, self.cohorts_button, self.new):
            each.setVisible(overview.ready)
        self._state.setVisible(overview.ready)
        if overview.ready:
            self._show_sites(self.analysis.check)
            self._show_title()
        else:
            self._title.set_whole(text("ui.rail.explore"))

    def _changed(self) -> None:
        self.draft.begun = True
        self._settings_changed()
        self.show_banner()
        self._show_title()

    def _settings_changed(self) -> None:
        self._check_timer.start()
        self.draft.touch()

    def _show_title(self) -> None:
        name, version = self.draft.name, self.draft.version
        self._title.set_whole(name or text("ui.explore.new_query"))
        self._save.setEnabled(bool(self.board.criteria.cards))
        if not self.board.criteria.cards and not name:
            self._state.setText("")
        elif self.draft.waits:
            self._state.setText(text("ui.explore.saving"))
        elif name and version:
            self._state.setText(text("ui.explore.version_kept", version=version))
        else:
            self._state.setText(text("ui.explore.kept"))

    def _show_history(self, *_changed: object) -> None:
        stack = self.board.history.stack
        self.undo.setEnabled(stack.canUndo())
        self.redo.setEnabled(stack.canRedo())
        undo = text("ui.explore.undo_it", what=stack.undoText()) if stack.canUndo() else text("ui.explore.undo")
        redo = text("ui.explore.redo_it", what=stack.redoText()) if stack.canRedo() else text("ui.explore.redo")
        self.undo.set_name(undo)
        self.redo.set_name(redo)

    def _text_wrong(self, words: str) -> None:
        self.analysis.mistake = bool(words)
        self.analysis.show_state()

    def _show_details(self, code: str) -> None:
        self._place_details()
        self.details.show_variable(code)
        self.details.raise_()

    def _place_details(self) -> None:
        """Put the sheet over the left of the criteria, beside the catalogue."""
        corner = self.catalogue.mapTo(self, self.catalogue.rect().topRight())
        self.details.setGeometry(corner.x() + 1, corner.y(), _LEFT, self.catalogue.height())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        QTimer.singleShot(0, self, self._place_details)

    def _wish_variable(self) -> None:
        """A variable is wanted for the current card: the catalogue's search takes the keyboard."""
        words = text("ui.explore.choose_for_card") if self.board.current else text("ui.explore.choose_new")
        announce(self, words)
        self._find()

    def _find(self) -> None:
        self.catalogue.search.setFocus()
        self.catalogue.search.selectAll()

    def show_banner(self, *banners: Banner) -> None:
        """Show these above the criteria instead of what was there."""
        self.banners.show_only(*banners)
        self._banner_holder.setVisible(bool(banners))

    def _refuse(self, words: str) -> None:
        self.show_banner(Banner("caution", words, closed=self.show_banner))

    def fail(self, error: ConsiliumError) -> None:
        """Show what went wrong above the criteria."""
        self.show_banner(Banner.of_error(error, closed=self.show_banner))
