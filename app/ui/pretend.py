"""The three pretend hospitals as the window sees them: made, woken and ended beside it, and removed without trace."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.core.errors import ConsiliumError
from app.core.services.pretend import own_profile
from app.ui.programs import Companion, Program

_PROPERTY = "consilium_pretend"


class State(Enum):
    """What goes on with them."""

    RESTING = auto()
    STARTING = auto()
    RUNNING = auto()
    REMOVING = auto()


class PretendHospitals(QObject):
    """There is one, :func:`pretend_hospitals`; they end with the application."""

    changed = Signal()
    """:attr:`state` is another one."""
    progressed = Signal(object)
    ready = Signal(object)
    """They run; with the profile of our own one."""
    failed = Signal(object)
    """Starting or removing them failed; with the error."""
    leaving = Signal()
    """They are about to be removed: whoever has our own profile open lets go of it now."""
    removed = Signal()

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self.state = State.RESTING
        self._companion: Companion | None = None
        application.aboutToQuit.connect(self.end)

    def start(self) -> None:
        """Make them, or wake those that are there; nothing if they run."""
        if self.state is not State.RESTING:
            return
        companion = self._companion = Companion(["pretend", "run"], self)
        companion.progressed.connect(self.progressed)
        companion.ready.connect(lambda _said: self._run())
        companion.ended.connect(self._ended)
        self._be(State.STARTING)

    def cancel(self) -> None:
        """Stop making them; what was made so far is thrown away."""
        if self.state is State.STARTING and self._companion is not None:
            self._companion.end()

    def remove(self) -> None:
        """End them and delete all that there is of them."""
        if self.state is State.REMOVING:
            return
        self._be(State.REMOVING)
        self.leaving.emit()
        if self._companion is None:
            self._delete()
        else:
            self._companion.end()

    def end(self) -> None:
        """End them now: the application ends."""
        if self._companion is not None:
            self._companion.end_now()
            self._companion = None
            self.state = State.RESTING

    def _be(self, state: State) -> None:
        self.state = state
        self.changed.emit()

    def _run(self) -> None:
        if self.state is State.STARTING:
            self._be(State.RUNNING)
            self.ready.emit(own_profile())

    def _ended(self, error: ConsiliumError | None) -> None:
        if self._companion is not None:
            self._companion.deleteLater()
            self._companion = None
        if self.state is State.REMOVING:
            self._delete()
            return
        self._be(State.RESTING)
        if error is not None:
            self.failed.emit(error)

    def _delete(self) -> None:
        Program(["pretend", "remove"], of=self, done=lambda _said: self._gone(), failed=self._not_gone)

    def _gone(self) -> None:
        self._be(State.RESTING)
        self.removed.emit()

    def _not_gone(self, error: ConsiliumError) -> None:
        self._be(State.RESTING)
        self.failed.emit(error)


def pretend_hospitals() -> PretendHospitals:
    """Return the running application's."""
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("there is no application")
    found = application.property(_PROPERTY)
    if not isinstance(found, PretendHospitals):
        found = PretendHospitals(application)
        application.setProperty(_PROPERTY, found)
    return found


def is_pretend(directory: Path) -> bool:
    """Return whether this is the profile of our own pretend hospital."""
    return directory == own_profile()
