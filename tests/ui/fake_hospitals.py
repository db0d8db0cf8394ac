"""Pretend hospitals that start and go as a test says, and an invitation that reads well."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core.federation.invitation import Invitation
from app.core.jobs.job import Progress
from app.core.secret import SecretBytes
from app.ui.pretend import State

EXPIRES = 1_796_650_000_000


class FakeHospitals(QObject):
    """What :class:`app.ui.pretend.PretendHospitals` is to a view."""

    changed = Signal()
    progressed = Signal(object)
    ready = Signal(object)
    failed = Signal(object)
    leaving = Signal()
    removed = Signal()

    def __init__(self, state: State = State.RESTING) -> None:
        super().__init__()
        self.state = state
        self.said: list[str] = []

    def be(self, state: State) -> None:
        """Change the state."""
        self.state = state
        self.changed.emit()

    def start(self) -> None:
        self.said.append("start")
        self.be(State.STARTING)

    def cancel(self) -> None:
        self.said.append("cancel")
        self.be(State.RESTING)

    def remove(self) -> None:
        self.said.append("remove")
        self.be(State.REMOVING)

    def progress(self, fraction: float, step: str, remaining: float | None) -> None:
        """Report."""
        self.progressed.emit(Progress(fraction, step, remaining))

    def run(self, profile: Path) -> None:
        """Run from now on."""
        self.be(State.RUNNING)
        self.ready.emit(profile)


def invitation(site: str = "Lausanne") -> str:
    """Return an invitation for ``site``."""
    return Invitation(
        relay="https://relay.example.org",
        authority=b"",
        federation_id=bytes(range(32)),
        federation="Swiss Lung Study",
        creator="Geneva",
        contact="Research office, +41 22 000 00 00",
        creator_fingerprint=bytes([7]) * 32,
        site=site,
        secret=SecretBytes(bytes([5]) * 32),
        expires=EXPIRES,
    ).to_text()
