"""The help pages that ship with the program: read, named, searched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from app.core.paths import resource
from app.texts import preferred_language

PAGES = (
    "first-steps",
    "explore",
    "results",
    "requests",
    "data",
    "federation",
    "backup",
    "protection",
    "glossary",
    "shortcuts",
)
"""The pages in reading order; each is ``resources/help/<language>/<name>.md``."""

_OF_VIEW = {"home": "first-steps", "settings": "shortcuts"}
_AROUND = 36


@dataclass(frozen=True)
class Page:
    """A page: its title, and its text in Markdown."""

    name: str
    title: str
    text: str

    @property
    def plain(self) -> str:
        """The words, without most of the marks."""
        return " ".join(self.text.replace("`", "").replace("*", "").replace("|", " ").replace("#", " ").split())


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
    begin, end = max(place - _AROUND, 0), place + length + _AROUND
    before, after = "…" if begin else "", "…" if end < len(plain) else ""
    return f"{before}{plain[begin:end].strip()}{after}"
