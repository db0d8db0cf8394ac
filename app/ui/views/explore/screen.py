"""The Explore screen: catalogue, criteria and analysis side by side, and what they ask of the owner."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent
from PySide6.QtWidgets import QMenu, QSplitter, QStackedWidget, QWidget

from app.core.catalogue.model import Catalogue
from app.core.errors import ConsiliumError, UserError
from app.core.query.analyses import Attrition
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.board import Board
from app.ui.models.catalogue import Holding
from app.ui.models.distribution import distributions_from_plain
from app.ui.models.finding import Loader
from app.ui.models.wish import Wish
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.analysis_pane import AnalysisPane
from app.ui.views.explore.asking import Asking
from app.ui.views.explore.canvas import Canvas
from app.ui.views.explore.catalogue_pane import CataloguePane
from app.ui.views.explore.details import Details
from app.ui.views.explore.drafting import Drafting
from app.ui.views.explore.header import Header, add_shortcuts
from app.ui.views.explore.released import Released
from app.ui.views.explore.saved import SavedCohorts, fill_versions
from app.ui.views.explore.sharing import Sharing
from app.ui.views.explore.words_pane import WordsPane
from app.ui.views.view import View
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.feedback import Banner, EmptyState, announce
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

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
        self._wished: Wish | str | None = None
        self._report_of = -1
        self.saved = SavedCohorts(self, self.board, context.bridge, self._open_cohort, self._cohort_saved)
        self.sharing = Sharing(self, context.bridge, self.saved.refresh, self.fail, self._other_sites)
        self.catalogue = CataloguePane(self.board, context.preferences)
        self.canvas = Canvas(self.board)
        self.words = WordsPane(self.board)
        self.analysis = AnalysisPane(self.board, self.catalogue.finder.find)
        self.asking = Asking(self, self.board, self.analysis, context)
        self.asking.failed = self.fail
        self.draft = Drafting(self, self.board, self.analysis, context.bridge)
        self.draft.kept.connect(self._show_title)
        self.draft.failed = self.fail
        self.released = Released(self, self.board, context.bridge)
        self.details = Details(self.board, self.catalogue.is_favourite, self.catalogue.set_favourite)
        self._make_header()
        self._make_panes()
        self._connect()
        add_shortcuts(self)
        self._stand()

    # --- making ---------------------------------------------------------------------------------------------------

    def _make_header(self) -> None:
        self.header = Header(self.board, self.begin_new)
        self.undo, self.redo = self.header.undo, self.header.redo
        self.cohorts_button = self.header.cohorts
        menu = QMenu(self.cohorts_button)
        menu.aboutToShow.connect(lambda: self.saved.fill(menu, self.fail, self._fill_versions, self.sharing))
        self.cohorts_button.setMenu(menu)
        self.page.addWidget(self.header)

    def _fill_versions(self, menu: QMenu) -> None:
        fill_versions(menu, self.draft.versions, self._restore_version)

    def _make_panes(self) -> None:
        save = Button(text("ui.explore.save_as"), LINK, pressed=lambda: self.saved.ask_name(self.fail, self.draft.name))
        self._save = save
        self.funnel = Button(text("ui.explore.show_funnel"), LINK, pressed=self._wish_funnel)
        title = Label(text("ui.explore.criteria"), Style.STRONG)
        head = row(title, None, self.funnel, save, gap=12, margins=(20, 8, 20, 0))
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
        self.context.standing.changed.connect(self._stand)

    # --- asking the owner -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the catalogue, what sites hold, the saved cohorts, and once for the draft."""
        if not self.context.standing.overview.ready:
            return
        call = self.context.bridge.call
        have = {"have": self.board.hash} if self.board.hash else {}
        call("catalogue.show", have, of=self, done=self._take_catalogue, failed=self.fail)
        self.saved.refresh(self._load_draft)
        self.released.refresh()
        self.sharing.refresh()
        self.asking.refresh()
        version = self.context.standing.overview.dataset_version
        if version != self._report_of:
            self._report_of = version
            if version:
                call("data.report", {"dataset": ""}, of=self, done=self._take_report, failed=self._no_report)
            else:
                self.board.set_report({})

    def _other_sites(self) -> list[str]:
        return [each.name for each in self.context.standing.overview.sites if not each.own]

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
        self.asking.check_soon()

    def _take_report(self, found: Result) -> None:
        self.board.set_report(distributions_from_plain(found["variables"]))

    def _no_report(self, error: ConsiliumError) -> None:
        if error.code.startswith("owner."):
            self._report_of = -1  # nobody was there to answer: the next change asks again
        self.board.set_report({})  # the editors say that there is none; the Data screen says why

    def check(self) -> None:
        """Ask the planner about the question as it is now."""
        self.asking.check()

    def ask(self) -> None:
        """Ask the chosen sites."""
        self.asking.ask()

    def _wish_funnel(self) -> None:
        """Choose the funnel of these criteria; what it costs is seen before it is asked."""
        self.board.analyse(lambda _before: Attrition())
        self.check()
        announce(self, text("ui.explore.funnel_chosen"))
        self.analysis.button.setFocus()

    def ask_by_key(self) -> None:
        """Ask, if the button could be pressed."""
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
        """Show a text form, or a question asked before (a :class:`Wish`); an empty text begins a new query."""
        self._wished = argument if isinstance(argument, Wish) else str(argument or "")
        if self.draft.loaded:
            self._open_wished()

    def _open_wished(self) -> None:
        if self._wished is None:
            return
        wished, self._wished = self._wished, None
        if isinstance(wished, Wish):
            self.draft.start_over(lambda: self._begin(wished.text, name=""))
            self.analysis.show_wish(wished)
        elif wished:
            self.draft.start_over(lambda: self._begin(wished, name=""))
        else:
            self.begin_new()

    def begin_new(self) -> None:
        """Begin a new query; the one before is kept among the versions."""
        self.draft.start_over(lambda: self._begin("", name=""))
        self.search()

    def _begin(self, written: str, *, name: str | None = None, version: int = 0, keep_analysis: bool = False) -> None:
        """Show a text form, with nothing to undo; of the saved cohort ``name``, if not of the one before.

        With ``keep_analysis`` only the criteria are other ones: a saved cohort says nothing of what is computed.
        """
        if name is not None:
            self.draft.name, self.draft.version = name, version
        self.draft.begun = True
        self.show_banner()
        try:
            self.board.begin(written, keep_analysis=keep_analysis)
            self.words.editor.show_criteria()  # what was typed and made no sense goes
        except UserError:  # the text form says what is wrong, and where
            self.words.set_unfolded(True)
            self.words.editor.setPlainText(written)
            self.words.editor.take()
        self.draft.rest()
        self._show_title()
        self.asking.check_soon()

    def _open_cohort(self, name: str, version: int, written: str) -> None:
        self.draft.start_over(lambda: self._begin(written, name=name, version=version, keep_analysis=True))

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
        self.header.show_ready(overview.ready)
        if overview.ready:
            self.asking.show_sites()
            self._show_title()
        else:
            self.header.title.set_whole(text("ui.rail.explore"))

    def _changed(self) -> None:
        self.draft.begun = True
        self._settings_changed()
        self.show_banner()
        self._show_title()

    def _settings_changed(self) -> None:
        self.asking.check_soon()
        self.draft.touch()

    def _show_title(self) -> None:
        draft = self.draft
        self.header.show_draft(draft.name, draft.version, waits=draft.waits, empty=not self.board.text)
        self._save.setEnabled(bool(self.board.criteria.cards))
        self.funnel.forbid("" if self.board.criteria.cards else text("ui.explore.lacking.attrition"))

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
        self.search()

    def search(self) -> None:
        """Give the catalogue's search the keyboard."""
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
