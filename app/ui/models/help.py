"""The help pages that ship with the program: read, named, searched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from app.core.paths import resource
from app.texts import preferred_language

PAGES = (
    "first-steps",
    "explore",
    "analyses",
    "results",
    "requests",
    "data",
    "prepare",
    "federation",
    "backup",
    "data-protection",
    "protection",
    "glossary",
    "shortcuts",
)
"""The pages in reading order; each is ``resources/help/<language>/<name>.md``."""

_OF_VIEW = {"home": "first-steps", "settings": "shortcuts"}
_AROUND = 40
_LINKS = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[`*|#]+|-{3,}|^ *-(?= )|^ *[0-9]+\.(?= )", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page: its title, and its text in Markdown."""

    name: str
    title: str
    text: str

    @property
    def plain(self) -> str:
        """The words, without most of the marks."""
        return " ".join(_MARKS.sub(" ", _LINKS.sub(r"\1", self.text)).split())


@dataclass(frozen=True)
class Hit:
    """A page that holds all the words looked for, and the place of the first of them."""

    page: Page
    excerpt: str


def page(name: str) -> Page:
    """Return a page in the preferred language."""
    return _read(name, preferred_language())


@cache
def _read(name: str, language: str) -> Page:
    words = resource("help", language, f"{name}.md").read_text("utf-8")
    return Page(name, words.splitlines()[0].removeprefix("#").strip(), words)


def page_of(view: str) -> str:
    """Return the name of the page about a view."""
    name = _OF_VIEW.get(view, view)
    return name if name in PAGES else PAGES[0]


def find(wanted: str) -> list[Hit]:
    """Return the pages that hold all of the words, in reading order; every page for no words."""
    words = wanted.casefold().split()
    found = []
    for each in map(page, PAGES):
        plain = each.plain
        folded = plain.casefold()
        if all(word in folded for word in words):
            found.append(Hit(each, _excerpt(plain, folded.find(words[0]), len(words[0])) if words else ""))
    return found


def _excerpt(plain: str, place: int, length: int) -> str:
    """Return the words around a place, whole ones."""
    begin, end = max(place - _AROUND, 0), min(place + length + _AROUND, len(plain))
    begin = plain.find(" ", begin, place) + 1 if begin else 0
    end = max(plain.rfind(" ", place + length, end), place + length) if end < len(plain) else end
    return f"{'…' if begin else ''}{plain[begin:end].strip()}{'…' if end < len(plain) else ''}"
