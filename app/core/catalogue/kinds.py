"""The small parts of a catalogue: kinds of variables, texts in three languages, levels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of answer a variable has for a patient."""

    FLAG = "flag"
    """Has it, or had it ever; not recorded is the same as no."""
    CATEGORY = "category"
    """One of several levels, or no value."""
    NUMBER = "number"
    """A number, or no value; questions compare it with the catalogue's cut points only."""
    DATE = "date"
    """A calendar date, or no value; questions compare it with the beginnings of days, months or years."""
    EVENT = "event"
    """Something that happens, or not, at times relative to the index date."""
    SURVIVAL = "survival"
    """How long a patient was followed, and whether an event ended it; or no value."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text for people in English, and in French and German where the catalogue has them."""

    en: str
    fr: str | None = None
    de: str | None = None

    def text(self, language: str) -> str:
        """Return the text in ``language`` ("en", "fr", "de"), or in English if there is none."""
        return {"fr": self.fr, "de": self.de}.get(language) or self.en

    def parts(self) -> dict[str, str]:
        """Return the texts that are there, by language."""
        return {name: text for name, text in (("en", self.en), ("fr", self.fr), ("de", self.de)) if text is not None}


@dataclass(frozen=True, slots=True)
class Level:
    """One of the levels of a category."""

    code: str
    label: Label
