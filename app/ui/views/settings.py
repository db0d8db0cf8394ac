"""Settings: what the person at this computer prefers, and where things are. Everything takes effect at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QSystemTrayIcon, QVBoxLayout, QWidget

from app import __version__
from app.core import paths
from app.core.errors import ConsiliumError
from app.core.managed import read_managed
from app.core.services.commands import Result
from app.texts import LANGUAGES, explain, text
from app.ui.autostart import autostart, command
from app.ui.context import Context
from app.ui.locale import whole_moment
from app.ui.models.overview import Overview
from app.ui.preferences import SYSTEM
from app.ui.pretend import pretend_hospitals
from app.ui.programs import Program
from app.ui.theme import MODES, theme
from app.ui.tokens import PANE, VIEW, Style
from app.ui.views.federation.aside import PretendCard, RelayCard
from app.ui.views.licences import show_licences
from app.ui.views.view import View
from app.ui.widgets.buttons import Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.dialogs import confirm
from app.ui.widgets.feedback import Banner
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import card, clear, column, header, line, row, scrolling
from app.ui.widgets.text import Label
from app.ui.window import Window

_WIDEST = 760
_NAMES = {"en": "English", "fr": "Français", "de": "Deutsch"}


def _fixed_value(value: object) -> str:
    return text(f"ui.settings.fixed.{'yes' if value else 'no'}") if isinstance(value, bool) else str(value)


class SettingsView(View):
    """Settings."""

    name: ClassVar[str] = "settings"
    run: ClassVar[Callable[..., object]] = Program
    """Runs a command of this program in its own process; tests give another one."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._profiles: list[Mapping[str, Any]] | None = None
        self._listing = False
        self._language_waits = False
        self.page.addWidget(header(text("ui.rail.settings"), text("ui.settings.subtitle")))
        self.relay = RelayCard(context)
        self._pretend = PretendCard(self._remove_pretend)
        self.fixed = self._fixed()
        cards = column(
            self.banners,
            self._looks(),
            self._answering(),
            self._people_card(),
            self._profile_card(),
            self._keys_card(),
            self.fixed,
            self._places(),
            self.relay,
            self._pretend,
            self._about(),
            None,
            gap=16,
        )
        inside = QWidget()
        inside.setMaximumWidth(_WIDEST)
        inside.setLayout(cards)
        centred = row(None, inside, None, margins=(VIEW, VIEW, VIEW, VIEW), gap=0)
        centred.setStretch(1, 100)
        self.page.addWidget(scrolling(centred), 1)
        context.standing.changed.connect(self._stand)
        context.jobs.changed.connect(self._jobs_changed)
        self._stand()

    # --- parts --------------------------------------------------------------------------------------------------

    def _looks(self) -> QFrame:
        preferences = self.context.preferences
        languages = [(SYSTEM, text("ui.settings.as_system")), *((each, _NAMES[each]) for each in LANGUAGES)]
        self.language = Choice(text("ui.settings.language"), languages)
        self.language.set_value(preferences.language)
        self.language.chosen.connect(self._speak)
        self.look = Choice(text("ui.settings.look"), [(mode, text(f"ui.settings.look.{mode}")) for mode in MODES])
        self.look.set_value(preferences.appearance)
        self.look.chosen.connect(self._look)
        self.motion = _check(text("ui.settings.motion"), preferences.reduced_motion, self._move)
        return _card(
            text("ui.settings.appearance"),
            _setting(text("ui.settings.language"), "", self.language),
            _setting(text("ui.settings.look"), "", self.look),
            _switch(self.motion, text("ui.settings.motion_words")),
        )

    def _answering(self) -> QFrame:
        self.tray = _check(text("ui.settings.tray"), self.context.preferences.keep_answering, self._keep)
        words = text("ui.settings.tray_words")
        if not QSystemTrayIcon.isSystemTrayAvailable():
            words = text("ui.settings.no_tray")
            self.tray.setEnabled(False)
            self.tray.setAccessibleDescription(words)
        self.login = _check(text("ui.settings.login"), False, self._start)
        return _card(
            text("ui.settings.answering"),
            _switch(self.tray, words),
            _switch(self.login, text("ui.settings.login_words")),
        )

    def _people_card(self) -> QFrame:
        words = Label(text("ui.settings.people_words"), Style.SMALL, "text2", wrap=True)
        people = Button(text("ui.settings.people_open"), size="small", pressed=lambda: self.context.navigate("people"))
        policy = Button(text("ui.settings.policy_open"), size="small", pressed=lambda: self.context.navigate("policy"))
        return _card(text("ui.rail.people"), words, _buttons(people, policy))

    def _profile_card(self) -> QFrame:
        self._profile_list = QVBoxLayout()
        self._profile_list.setSpacing(8)
        self._profile_list.addWidget(Label(text("ui.settings.looking"), Style.SMALL, "text2"))
        words = Label(text("ui.settings.profiles_words"), Style.SMALL, "text2", wrap=True)
        return _card(text("ui.settings.profiles"), words, self._profile_list)

    def _keys_card(self) -> QFrame:
        self._kept = Label("", wrap=True, selectable=True)
        self._backed_up = Label("", wrap=True)
        go = Button(text("ui.settings.back_up"), size="small", pressed=lambda: self.context.navigate("federation"))
        return _card(
            text("ui.settings.keys"),
            _setting(text("ui.settings.kept_in"), self._kept),
            _setting(text("ui.settings.backed_up"), self._backed_up, go),
        )

    def _fixed(self) -> QFrame:
        """What IT has fixed; hidden where that is nothing."""
        try:
            found = read_managed(paths.managed_settings())
        except ConsiliumError as error:
            return _card(text("ui.settings.fixed"), Label(explain(error).what, wrap=True, selectable=True))
        words = Label(
            text("ui.settings.fixed_words", path=found.file), Style.SMALL, "text2", wrap=True, selectable=True
        )
        rows = [
            _setting(text(f"ui.settings.fixed.{name}"), Label(_fixed_value(value), wrap=True, selectable=True))
            for name, value in found.settings.values.items()
        ]
        if found.policy:
            go = Button(text("ui.settings.policy_open"), size="small", pressed=lambda: self.context.navigate("policy"))
            named = Label(", ".join(sorted(found.policy)), wrap=True, selectable=True)
            rows.append(_setting(text("ui.settings.fixed.policy"), named, go))
        made = _card(text("ui.settings.fixed"), words, *rows)
        made.setVisible(bool(rows))
        return made

    def _places(self) -> QFrame:
        self._storage = Label("", Style.SMALL, wrap=True, selectable=True)
        self._log = Label("", Style.SMALL, wrap=True, selectable=True)
        open_storage = Button(text("ui.settings.open"), size="small", pressed=lambda: _open(self._directory()))
        open_log = Button(text("ui.settings.open"), size="small", pressed=lambda: _open(self._log_folder()))
        open_storage.setAccessibleName(text("ui.settings.open_storage"))
        open_log.setAccessibleName(text("ui.settings.open_log"))
        return _card(
            text("ui.settings.places"),
            _setting(text("ui.settings.storage"), self._storage, open_storage),
            _setting(text("ui.settings.log"), self._log, open_log),
        )

    def _about(self) -> QFrame:
        licences = Button(text("ui.settings.licences"), size="small", pressed=lambda: show_licences(self))
        version = Label(text("ui.settings.version", version=__version__), wrap=True, selectable=True)
        return _card(text("ui.settings.about"), _setting(text("ui.settings.program"), version, licences))

    # --- what the owner and this computer say -------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask where the keys are."""
        self._storage.setText(str(self._directory()))
        self._log.setText(str(self._log_folder()))
        self._show_login()
        if self.context.standing.overview.site:
            self.context.bridge.call("keys.status", of=self, done=self._take_keys, failed=self._no_keys)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._ask_profiles()  # a process of its own each time: not whenever something changes at the site

    def _ask_profiles(self) -> None:
        if not self._listing:
            self._listing = True
            here = self._directory()
            where = ["profile", "list", str(here), str(here.parent)]  # and where profiles are by default
            self.run(where, of=self, done=self._take_profiles, failed=self._no_profiles)

    def _stand(self) -> None:
        overview: Overview = self.context.standing.overview
        self.relay.setVisible(bool(overview.relay))
        self.relay.show_relay(overview.relay)
        self._pretend.setVisible(overview.pretend)

    def _take_keys(self, found: Result) -> None:
        backups = [int(each["time"]) for each in found["backups"]]
        self._kept.setText(str(found["description"]))
        self._backed_up.setText(whole_moment(max(backups, default=0)))

    def _no_keys(self, error: ConsiliumError) -> None:
        self._kept.setText("–")
        self.fail(error)

    def _take_profiles(self, found: Mapping[str, Any]) -> None:
        self._listing = False
        profiles = [each for each in found["profiles"] if isinstance(each, Mapping)]
        if profiles != self._profiles:
            self._profiles = profiles
            self._show_profiles()

    def _no_profiles(self, error: ConsiliumError) -> None:
        self._listing = False
        self.fail(error)

    def _show_profiles(self) -> None:
        clear(self._profile_list)
        for place, each in enumerate(self._profiles or ()):
            if place:
                self._profile_list.addWidget(line())
            self._profile_list.addWidget(self._profile_row(each))

    def _profile_row(self, profile: Mapping[str, Any]) -> QWidget:
        path = Path(str(profile["path"]))
        federation = str(profile["federation"]) or text("ui.settings.no_federation")
        title = f"{profile['site']} – {federation}" if profile["site"] else path.name
        words = column(
            Label(title, Style.STRONG, wrap=True),
            Label(str(path), Style.CAPTION, "text2", wrap=True, selectable=True),
            gap=1,
        )
        inside = row(words, gap=12)
        inside.setStretch(0, 1)
        if path.resolve() == self._directory().resolve():
            inside.addWidget(Chip(text("ui.settings.this_one"), "accent", "check"))
        elif profile["problem"]:
            inside.addWidget(Chip(text("ui.settings.unreadable"), "caution", "warning"))
        else:
            switch = Button(text("ui.settings.switch"), size="small", pressed=lambda: self._switch(path))
            switch.setAccessibleName(text("ui.settings.switch_to", name=title))
            inside.addWidget(switch)
        made = QWidget()
        made.setLayout(inside)
        return made

    # --- what the person wants ----------------------------------------------------------------------------------

    def _window(self) -> Window | None:
        found = self.window()
        return found if isinstance(found, Window) else None

    def _directory(self) -> Path:
        window = self._window()
        return paths.default_profile() if window is None else window.directory

    def _log_folder(self) -> Path:
        return paths.profile_log(self._directory())

    def _speak(self, language: str) -> None:
        self.context.preferences.language = language
        self._language_waits = True
        if self.context.jobs.running:  # the window is built again, and they would be stopped
            self.banners.show_only(Banner("info", text("ui.settings.language_later")))
        else:
            self._speak_now()

    def _jobs_changed(self) -> None:
        if self._language_waits and not self.context.jobs.running:
            QTimer.singleShot(0, self, self._speak_now)  # whoever ran the job hears of its end first

    def _speak_now(self) -> None:
        window = self._window()
        if window is not None and self._language_waits and not self.context.jobs.running:
            self._language_waits = False
            window.language_changed()

    def _look(self, mode: str) -> None:
        self.context.preferences.appearance = mode
        theme().set_mode(mode)

    def _move(self, wanted: bool) -> None:
        self.context.preferences.reduced_motion = wanted
        theme().reduced_motion = wanted

    def _keep(self, wanted: bool) -> None:
        self.context.preferences.keep_answering = wanted

    def _show_login(self) -> None:
        self.login.blockSignals(True)
        try:
            self.login.setChecked(autostart(self._directory()).enabled)
        except ConsiliumError as error:
            self.fail(error)
        finally:
            self.login.blockSignals(False)

    def _start(self, wanted: bool) -> None:
        entry = autostart(self._directory())
        try:
            if wanted:
                entry.enable(command(self._directory()))
            else:
                entry.disable()
        except ConsiliumError as error:
            self.fail(error)
        self._show_login()

    def _switch(self, directory: Path) -> None:
        if (window := self._window()) is not None:
            window.ask_to_stop(lambda: window.switch_profile(directory))

    def _remove_pretend(self) -> None:
        confirm(
            self,
            text("ui.federation.pretend_remove"),
            text("ui.federation.pretend_remove_words"),
            answer=text("ui.federation.pretend_remove_answer"),
            danger=True,
            then=lambda: pretend_hospitals().remove(),
        )


def _card(title: str, *items: QWidget | QVBoxLayout) -> QFrame:
    parts: list[Any] = [Label(title, Style.STRONG)]
    return card(*parts, *items, gap=12, padding=PANE)


def _setting(name: str, value: QWidget | str, control: QWidget | None = None) -> QWidget:
    """Return a row: what is set, what it is, and the control at the right."""
    label = Label(name)
    label.setMinimumWidth(190)
    inside = row(label, gap=16)
    if isinstance(value, QWidget):
        inside.addWidget(value, 1)
    else:
        inside.addStretch(1)
    if control is not None:
        inside.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
    made = QWidget()
    made.setLayout(inside)
    return made


def _buttons(*buttons: Button) -> QWidget:
    made = QWidget()
    made.setLayout(row(*buttons, None))
    return made


def _check(words: str, on: bool, changed: Callable[[bool], object]) -> QCheckBox:
    made = QCheckBox(words)
    made.setChecked(on)
    made.toggled.connect(lambda wanted: changed(bool(wanted)))
    return made


def _switch(control: QCheckBox, words: str) -> QWidget:
    """Return a check box with what it means below."""
    below = Label(words, Style.SMALL, "text2", wrap=True)
    below.setContentsMargins(26, 0, 0, 0)
    made = QWidget()
    made.setLayout(column(control, below, gap=0))
    return made


def _open(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
