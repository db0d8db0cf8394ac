"""The window before there is a profile: language, help, and the three ways to begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.core import paths
from app.core.errors import ConsiliumError
from app.core.services.pretend import own_profile
from app.core.store.peek import holds_profile
from app.texts import LANGUAGES, preferred_language, text
from app.ui.models.preparing_draft import Drawer
from app.ui.preferences import Preferences
from app.ui.pretend import PretendHospitals, State, pretend_hospitals
from app.ui.programs import Program
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.first_start.choices import Choices, Ways
from app.ui.views.first_start.pages import help_page, offline_page
from app.ui.views.first_start.site_form import SiteForm, Wanted
from app.ui.views.first_start.trial import MakingPage, removing_page
from app.ui.widgets.buttons import Button
from app.ui.widgets.dialogs import confirm
from app.ui.widgets.feedback import Banner
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

if TYPE_CHECKING:
    from app.ui.views.prepare import Wizard

INVITATION = "consilium-invitation:"
TO_FEDERATION = "federation/create"
"""What the window is to open for somebody who starts a federation."""
_NATIVE = {"en": "English", "fr": "Français", "de": "Deutsch"}


class FirstStart(QWidget):
    """Shown while there is no profile; ``opened`` is told of the one that comes of it, and what to show there."""

    closed = Signal()

    def __init__(
        self,
        preferences: Preferences,
        argument: str,
        *,
        opened: Callable[[Path, str], object],
        language_changed: Callable[[], object],
        hospitals: PretendHospitals | None = None,
    ) -> None:
        super().__init__()
        self._preferences = preferences
        self._opened, self._language_changed = opened, language_changed
        self._hospitals = hospitals or pretend_hospitals()
        self._again: Callable[[], object] = self.try_it
        self.argument = ""
        """What it was told to open last."""
        set_role(self, role="page")
        self.setWindowTitle("Consilium")
        self.setMinimumSize(960, 600)
        self.resize(1280, 800)
        ways = Ways(self.join, self.start, self.try_it, self.explain_preparing)
        self.choices = Choices(ways)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.choices)
        self._head, self._below = self._top(), self._foot()
        self._wizard: Wizard | None = None
        self._stops = False
        self.setLayout(column(self._head, self.pages, self._below, gap=0))
        self.choices.setFocus()
        self._hospitals.progressed.connect(self._made_progress)
        self._hospitals.ready.connect(self._hospitals_ready)
        self._hospitals.failed.connect(self._hospitals_failed)
        self._hospitals.changed.connect(self._follow_hospitals)
        QShortcut(QKeySequence("Ctrl+Q"), self).activated.connect(self.close)
        QShortcut(QKeySequence("F1"), self).activated.connect(self.help)
        QShortcut(QKeySequence("Esc"), self).activated.connect(self._back)
        self._follow_hospitals()
        self.open_argument(argument)

    def _top(self) -> QWidget:
        languages = [(each, _NATIVE[each]) for each in LANGUAGES]
        self.language = Choice(text("ui.first_start.language"), languages, icon_name="globe")
        self.language.set_value(preferred_language())
        self.language.chosen.connect(self._speak)
        self.help_button = Button(text("ui.rail.help"), pressed=self.help)
        top = QWidget()
        top.setLayout(row(None, self.language, self.help_button, margins=(24, 24, 24, 0)))
        return top

    def _foot(self) -> QWidget:
        foot = QWidget()
        note = Label(text("ui.first_start.research_only"), Style.CAPTION, "text3")
        foot.setLayout(row(None, note, None, margins=(24, 4, 24, 22)))
        return foot

    # --- places -----------------------------------------------------------------------------------------------

    @property
    def page(self) -> QWidget:
        """The page that is shown."""
        return self.pages.currentWidget() or self.choices

    def open_argument(self, argument: str) -> None:
        """Open what the program was started with: an invitation is joined, anything else needs a profile first."""
        self.argument = argument
        if argument.casefold().startswith(INVITATION):
            self.join(argument)

    def join(self, invitation: str = "") -> None:
        """Ask for the invitation."""
        self._show(SiteForm(joining=True, back=self._back, then=self._make_site, invitation=invitation))

    def start(self) -> None:
        """Ask who this is."""
        self._show(SiteForm(joining=False, back=self._back, then=self._make_site))

    def try_it(self) -> None:
        """Make the pretend hospitals, or wake those that are there."""
        if self._hospitals.state is State.RUNNING:
            self._hospitals_ready(own_profile())
        else:
            self._hospitals.start()

    def help(self) -> None:
        """Explain the choices."""
        self._show(help_page(self._back, self.explain_preparing))

    def explain_preparing(self) -> None:
        """Explain how a dataset is prepared on a machine without network."""
        self._show(offline_page(self._back, self.prepare))

    def prepare(self) -> None:
        """Prepare a dataset; what was begun is there again."""
        if self._wizard is None:
            from app.ui.views.prepare import Preparation, Surroundings, Wizard  # noqa: PLC0415  (few come here)

            around = Surroundings(leave=lambda: self._show(self.choices), explain=self.explain_preparing)
            self._wizard = Wizard(around, Preparation(Drawer(paths.preparing_place())), self._preferences)
        self._show(self._wizard)

    def _show(self, page: QWidget) -> None:
        before = self.page
        self.pages.addWidget(page)
        self.pages.setCurrentWidget(page)
        page.setFocus()
        for each in (self._head, self._below):
            each.setVisible(page is not self._wizard)
        if before not in (page, self.choices, self._wizard):
            self.pages.removeWidget(before)
            before.deleteLater()

    def _back(self) -> None:
        if isinstance(self.page, MakingPage):
            self._hospitals.cancel()
        elif self._hospitals.state is not State.REMOVING and self.page is not self._wizard:
            self._show(self.choices)

    def _speak(self, language: str) -> None:
        self._preferences.language = language
        self._language_changed()

    # --- making a site ----------------------------------------------------------------------------------------

    def _make_site(self, wanted: Wanted) -> None:
        directory = free_place()
        command = ["site", "init", "--name", wanted.name, "--contact", wanted.contact, "--profile", str(directory)]

        def made(_said: Mapping[str, Any]) -> None:
            if wanted.invitation:
                self._join(directory, wanted.invitation)
            else:
                self._opened(directory, TO_FEDERATION)

        Program(command, of=self, done=made, failed=self._refused)

    def _join(self, directory: Path, invitation: str) -> None:
        """Show the invitation to the relay; where that fails, the window goes on with it and says why."""

        def go_on(_outcome: object) -> None:
            self._opened(directory, invitation)

        command = ["federation", "join", "-", "--profile", str(directory)]
        Program(command, of=self, done=go_on, failed=go_on, standard_input=invitation.encode())

    def _refused(self, error: ConsiliumError) -> None:
        if isinstance(self.page, SiteForm):
            self.page.refused(error)

    # --- pretend hospitals ------------------------------------------------------------------------------------

    def _follow_hospitals(self) -> None:
        match self._hospitals.state:
            case State.STARTING:
                self._again = self.try_it
                if not isinstance(self.page, MakingPage):
                    self._show(MakingPage(self._hospitals.cancel))
            case State.REMOVING:
                self._again = self._hospitals.remove
                self._show(removing_page())
            case State.RESTING if self.page is not self.choices and not isinstance(self.page, SiteForm):
                self._show(self.choices)

    def _made_progress(self, progress: object) -> None:
        if isinstance(self.page, MakingPage):
            self.page.show_progress(progress)  # type: ignore[arg-type]

    def _hospitals_ready(self, profile: object) -> None:
        self._opened(Path(str(profile)), "")

    def _hospitals_failed(self, error: object) -> None:
        self._show(self.choices)
        if isinstance(error, ConsiliumError):
            banner = Banner.of_error(error, action=(text("ui.try_again"), self._again), closed=self._close_banner)
            self.choices.banners.show_only(banner)

    def _close_banner(self) -> None:
        self.choices.banners.show_only()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        sealing = self._wizard is not None and self._wizard.preparation.doing == "prepare"
        if sealing and not self._stops:
            event.ignore()
            words = text("ui.stop.job", title=text("ui.prepare.doing.prepare"))
            confirm(self, text("ui.stop.title"), words, answer=text("ui.stop.answer"), danger=True, then=self._stop)
            return
        event.accept()
        self.closed.emit()

    def _stop(self) -> None:
        self._stops = True
        self.close()


def free_place() -> Path:
    """Return where the next profile is made: the default place, or the first beside it that is free."""
    first = paths.default_profile()
    candidates = [first, *(first.with_name(f"site-{number}") for number in range(2, 1000))]
    return next(each for each in candidates if not holds_profile(each))
