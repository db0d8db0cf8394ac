"""Mappings that were used before, to be taken up again next time."""

from __future__ import annotations

from pathlib import Path

from app.texts import text
from app.ui.locale import moment
from app.ui.preferences import Preferences

_NAME, _MOST = "prepared_mappings", 8


def remembered(preferences: Preferences) -> list[str]:
    """Return the mapping files that were used last and are still there, the latest first."""
    return [path for path in preferences.words(_NAME) if Path(path).is_file()]


def remember(preferences: Preferences, path: str) -> None:
    """Note that a mapping file was used."""
    others = [each for each in remembered(preferences) if each != path]
    preferences.remember_words(_NAME, [path, *others][:_MOST])


def words_of(path: str) -> str:
    """Return how a mapping file is called in a menu."""
    file = Path(path)
    when = moment(round(file.stat().st_mtime * 1000))
    return text("ui.prepare.remembered", file=file.name, folder=file.parent.name, when=when)
