"""What the person at this computer prefers, in an INI file of the user: language, look, layout, the last profile."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from app.core import paths
from app.texts import LANGUAGES

SYSTEM = "system"


class Preferences:
    """Values that are remembered at once when they are set."""

    def __init__(self, file: Path | None = None) -> None:
        place = paths.user_config() / "window.ini" if file is None else file
        place.parent.mkdir(parents=True, exist_ok=True)
        self._stored = QSettings(str(place), QSettings.Format.IniFormat)

    @property
    def directory(self) -> Path:
        """Where they are kept, and drafts that belong to nobody's profile beside them."""
        return Path(self._stored.fileName()).parent

    @property
    def language(self) -> str:
        """``system`` or one of the languages."""
        found = self._text("language", SYSTEM)
        return found if found in LANGUAGES else SYSTEM

    @language.setter
    def language(self, language: str) -> None:
        self._stored.setValue("language", language)

    @property
    def appearance(self) -> str:
        """``system``, ``light`` or ``dark``."""
        return self._text("appearance", SYSTEM)

    @appearance.setter
    def appearance(self, mode: str) -> None:
        self._stored.setValue("appearance", mode)

    @property
    def keep_answering(self) -> bool:
        """Whether closing the window leaves the program in the tray, answering other sites."""
        return self._flag("keep_answering")

    @keep_answering.setter
    def keep_answering(self, wanted: bool) -> None:
        self._stored.setValue("keep_answering", wanted)

    @property
    def reduced_motion(self) -> bool:
        """Whether moving parts rest."""
        return self._flag("reduced_motion")

    @reduced_motion.setter
    def reduced_motion(self, wanted: bool) -> None:
        self._stored.setValue("reduced_motion", wanted)

    @property
    def profile(self) -> Path | None:
        """The directory of the profile that was open last."""
        found = self._text("profile", "")
        return Path(found) if found else None

    @profile.setter
    def profile(self, directory: Path) -> None:
        self._stored.setValue("profile", str(directory))

    def state(self, name: str) -> QByteArray:
        """Return what a splitter, header or window called ``name`` has saved of itself; empty if nothing."""
        found = self._stored.value(f"layout/{name}")
        return found if isinstance(found, QByteArray) else QByteArray()

    def remember(self, name: str, state: QByteArray) -> None:
        """Keep the state of a splitter, header or window."""
        self._stored.setValue(f"layout/{name}", state)

    def words(self, name: str) -> list[str]:
        """Return a remembered list of short texts, for example the favourite variables."""
        found = self._stored.value(f"lists/{name}", [])
        return [str(each) for each in found] if isinstance(found, list) else [str(found)] if found else []

    def remember_words(self, name: str, words: list[str]) -> None:
        """Keep a list of short texts."""
        self._stored.setValue(f"lists/{name}", words)

    def save(self) -> None:
        """Write to disk what has not been written yet."""
        self._stored.sync()

    def _text(self, key: str, default: str) -> str:
        return str(self._stored.value(key, default))

    def _flag(self, key: str) -> bool:
        return str(self._stored.value(key, "false")).lower() == "true"
