"""Federation: coming together, setting up, who is in it, who opens results, the key share, the relay."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import explain, text
from app.ui.context import Context
from app.ui.pretend import PretendHospitals, pretend_hospitals
from app.ui.tokens import VIEW
from app.ui.views.federation.aside import Aside, KeyCard, PretendCard, QuorumCard, RelayCard
from app.ui.views.federation.banners import banners_for
from app.ui.views.federation.ceremony import CeremonyPanel
from app.ui.views.federation.entry import Entry
from app.ui.views.federation.gather import Gather
from app.ui.views.federation.keys import CheckDialog, FileDialog, SheetDialog
from app.ui.views.federation.model import JOINING, NONE, READY, Federation
from app.ui.views.federation.sentences import subtitle
from app.ui.views.federation.sites import Sites
from app.ui.views.view import View
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.dialogs import Dialog, confirm, open_once
from app.ui.widgets.feedback import Banner
from app.ui.widgets.layout import clear, column, header, row, scrolling

_ASIDE = 352
_CREATE = "create"
_Panel = TypeVar("_Panel", bound=QWidget)


class FederationView(View):
    """Federation."""

    name: ClassVar[str] = "federation"

    def __init__(self, context: Context, hospitals: PretendHospitals | None = None) -> None:
        super().__init__(context)
        self._hospitals = hospitals
        self.found = Federation()
        self._keys: dict[str, Any] | None = None
        self._told: tuple[object, ...] = ()
        self._dismissed: set[object] = set()
        self._checked = self._asking = self._stale = False
        self.relay = RelayCard(context)
        keys = KeyCard(self.print_sheet, self.save_backup, self.check_backup)
        self.aside = Aside(QuorumCard(), keys, self.relay, PretendCard(self.remove_pretend))
        self._head = QVBoxLayout()
        self._head_shown: tuple[str, ...] = ()
        self.page.addLayout(self._head)
        self._panels = column(gap=0)
        self._shown: QWidget | None = None
        left = column(self.banners, self._panels, None, gap=14)
        self.aside.setFixedWidth(_ASIDE)
        both = row(left, gap=20)
        both.setStretchFactor(left, 1)
        right = column(self.aside, None)
        both.addLayout(right)
        self.page.addWidget(scrolling(column(both, margins=(VIEW, 16, VIEW, VIEW))), 1)
        context.standing.changed.connect(self._show)
        self._show()

    # --- the panels, made when they are first needed ----------------------------------------------------------

    @cached_property
    def entry(self) -> Entry:
        """The ways into a federation."""
        return self._put(Entry(self.context, self._changed))

    @cached_property
    def gather(self) -> Gather:
        """Coming together."""
        return self._put(Gather(self.context, self._changed))

    @cached_property
    def ceremony(self) -> CeremonyPanel:
        """Setting up together."""
        return self._put(CeremonyPanel(self.context, self._changed))

    @cached_property
    def sites(self) -> Sites:
        """The sites of a federation that is ready."""
        return self._put(Sites())

    def _put(self, panel: _Panel) -> _Panel:
        self._panels.addWidget(panel)
        panel.hide()
        return panel

    # --- what is known ----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask where the federation stands; once at a time, and once more if something changes meanwhile."""
        self._stale = self._asking
        if not self._asking:
            self._asking = True
            self.context.bridge.call("federation.show", {}, of=self, done=self._take, failed=self._not_told)

    def _told_all(self) -> None:
        self._asking = False
        if self._stale:
            self.refresh()

    def _not_told(self, error: ConsiliumError) -> None:
        self._told_all()
        if not error.code.startswith("owner."):  # of an owner that is away the frame speaks
            self.fail(error)

    def _changed(self) -> None:
        """Something was done here that changes where things stand."""
        self.refresh()
        self.context.standing.refresh()

    def _take(self, result: Result) -> None:
        found = Federation.from_plain(result)
        news = found != self.found
        if news:
            self.found = found
            self._show()
        if found.stage == READY and (news or self._keys is None):  # a dialog may be closed before its backup is made
            self._ask_keys()
        if found.relay and not self._checked:
            self._checked = True
            self.relay.look()
        self._told_all()

    def _ask_keys(self) -> None:
        self.context.bridge.call("keys.status", {}, of=self, done=self._take_keys)

    def _take_keys(self, result: Result) -> None:
        self._keys = dict(result)
        self._show()

    # --- what is shown ----------------------------------------------------------------------------------------

    def open(self, argument: object = None) -> None:
        """Open the form that starts a federation, or an invitation; one of them is enough for a site."""
        if argument == _CREATE:
            self.entry.open_create()
        elif isinstance(argument, str) and argument:
            self.entry.open_join(argument)
            if self.found.stage not in {"", NONE}:
                words = text("ui.federation.has_one", federation=self.found.name)
                self.banners.show_only(Banner("caution", words, text("ui.federation.has_one_words")))

    def _show(self) -> None:
        found, overview = self.found, self.context.standing.overview
        panel: QWidget | None = None
        match found.stage:
            case "none":
                panel = self.entry
            case "joining":
                self.gather.show_found(found)
                panel = self.gather
            case "signing" | "ceremony" | "failed":
                self.ceremony.show_found(found, overview)
                panel = self.ceremony
            case "ready":
                self.sites.show_found(found, overview)
                panel = self.sites
        self._show_panel(panel)
        self._show_header()
        self.aside.setVisible(found.stage not in {"", NONE} or overview.pretend)
        self.relay.setVisible(bool(found.relay))
        self.aside.show_found(found, pretend=overview.pretend, keys=self._keys)
        self._show_banners()

    def _show_panel(self, panel: QWidget | None) -> None:
        if panel is self._shown:
            return
        for each, shown in ((self._shown, False), (panel, True)):
            if each is not None:
                each.setVisible(shown)
        self._shown = panel

    def _show_header(self) -> None:
        found = self.found
        here = found.stage not in {"", NONE}
        title = found.name if here and found.name else text("ui.rail.federation")
        says = subtitle(found) if here else text("ui.federation.none_subtitle")
        wanted = (title, says, found.stage, str(found.creator))
        if wanted == self._head_shown:
            return
        self._head_shown = wanted
        clear(self._head)
        self._head.addWidget(header(title, says, *self._actions()))

    def _actions(self) -> list[QWidget]:
        if self.found.stage == JOINING and self.found.creator:
            return [Button(text("ui.federation.invite"), PRIMARY, icon_name="plus", pressed=self.invite)]
        if self.found.stage == READY:
            public = Button(text("ui.federation.public_file"), icon_name="export", pressed=self._export_public)
            public.setToolTip(text("ui.federation.public_file_words"))
            return [public]
        return []

    def _show_banners(self) -> None:
        told = banners_for(self.found, self.context.standing.overview, self._keys, self)
        kept = [each for each in told if each.key not in self._dismissed]
        keys = tuple(each.key for each in kept)
        if keys != self._told:
            self._told = keys
            self.banners.show_only(*(each.make() for each in kept))

    def dismiss(self, key: object) -> None:
        """Do not show a banner again."""
        self._dismissed.add(key)
        self._show_banners()

    # --- what can be done -------------------------------------------------------------------------------------

    def invite(self, name: str = "", *, again: bool = False) -> Dialog:
        """Invite a hospital."""
        return self.gather.invite(name, again=again)

    def check_relay(self) -> None:
        """Check the way to the relay."""
        self.relay.look()

    def print_sheet(self) -> Dialog:
        """Print the recovery sheet."""
        return open_once(SheetDialog(self, self.context, self._backed_up))

    def save_backup(self) -> Dialog:
        """Save a backup file."""
        return open_once(FileDialog(self, self.context, self._backed_up))

    def check_backup(self) -> Dialog:
        """Check a backup."""
        return open_once(CheckDialog(self, self.context))

    def _backed_up(self) -> None:
        self._ask_keys()
        self._changed()

    def remove_pretend(self) -> Dialog:
        """Remove the pretend hospitals, after a question."""
        hospitals = self._hospitals or pretend_hospitals()
        return confirm(
            self,
            text("ui.federation.pretend_remove"),
            text("ui.federation.pretend_remove_words"),
            answer=text("ui.federation.pretend_remove_answer"),
            danger=True,
            then=hospitals.remove,
        )

    def _export_public(self) -> None:
        name = f"{self.found.name}.public"
        path, _ = QFileDialog.getSaveFileName(self, text("ui.federation.public_file"), name)
        if path:
            values = {"path": str(Path(path).absolute())}
            self.context.bridge.call("federation.export_public", values, of=self, done=self._exported, failed=self.fail)

    def _exported(self, result: Result) -> None:
        self._told = ()
        words = text("ui.federation.public_file_saved", path=result["path"])
        banner = Banner("positive", words, text("ui.federation.public_file_words"), closed=self._show_banners)
        self.banners.show_only(banner)

    def fail(self, error: ConsiliumError) -> None:
        """Show an error above what is shown anyway; closing it brings that back."""
        self._told = (explain(error).what,)
        self.banners.show_only(Banner.of_error(error, closed=self._show_banners))
