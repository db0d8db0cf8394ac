"""Search as you type: words of the labels and synonyms in every language, whatever their accents, codes, and groups.

Every word that is typed must begin a word of the label, of a synonym, or a part of a code: the variable's own or that
of its vocabulary. What comes first: the code itself, codes that begin so, labels that begin so (in the reader's
language), then the rest in the catalogue's order, then what hangs under groups that are called so. The index lies in
memory (SQLite FTS5); it is made by one thread and used by another, never by both at a time.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from itertools import chain

from app.core.catalogue.model import Catalogue, Group, Variable

LIMIT = 200
"""How many variables a search returns at the most."""

_WORD = re.compile(r"[^\W_]+")
_SCHEMA = """
CREATE TABLE variables (place INTEGER PRIMARY KEY, code TEXT NOT NULL);
CREATE TABLE labels (language TEXT NOT NULL, label TEXT NOT NULL, place INTEGER NOT NULL);
CREATE VIRTUAL TABLE searched USING fts5(words, content='', detail=none, prefix='1 2 3');
CREATE VIRTUAL TABLE groups USING fts5(words, content='', detail=none, prefix='1 2 3');
"""


class Search:
    """An index over one catalogue; a variable is named by its place in it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        numbered = list(enumerate(catalogue))
        self._database.executemany(
            "INSERT INTO variables VALUES (?, ?)", ((place, folded(each.code)) for place, each in numbered)
        )
        self._database.executemany(
            "INSERT INTO labels VALUES (?, ?, ?)",
            (
                (language, folded(label), place)
                for place, each in numbered
                for language, label in each.label.parts().items()
            ),
        )
        self._database.executemany(
            "INSERT INTO searched(rowid, words) VALUES (?, ?)", ((place, _words(each)) for place, each in numbered)
        )
        self._database.executemany(
            "INSERT INTO groups(rowid, words) VALUES (?, ?)",
            ((place, _words(each)) for place, each in enumerate(catalogue.groups)),
        )
        self._places = {each.code: place for place, each in numbered}
        self._database.execute("CREATE INDEX by_code ON variables(code)")
        self._database.execute("CREATE INDEX by_label ON labels(language, label)")
        self._database.execute("COMMIT")

    def find(
        self, typed: str, language: str = "en", *, limit: int = LIMIT, among: frozenset[int] | None = None
    ) -> list[int]:
        """Return the places of what fits ``typed``, best first; only those ``among`` the places that are given."""
        words = _WORD.findall(folded(typed))
        if not words:
            return []
        found: dict[int, None] = {}
        match = " ".join(f'"{word}"*' for word in words)
        ways = (
            self._by_beginning(folded(typed), language),
            self._by_words(match, among, 2 * limit),
            self._by_group(match, among),
        )
        for place in chain.from_iterable(ways):
            if among is None or place in among:
                found[place] = None
                if len(found) == limit:
                    break
        return list(found)

    def _by_beginning(self, typed: str, language: str) -> Iterator[int]:
        """Yield what is called ``typed`` or begins so; languages that lack a label were labelled in English."""
        bounds = typed, typed + "\U0010ffff"
        by_code = "SELECT place FROM variables WHERE code >= ? AND code < ? ORDER BY code LIMIT ?"
        yield from self._places_of(by_code, (*bounds, LIMIT))
        by_label = "SELECT place FROM labels WHERE language = ? AND label >= ? AND label < ? ORDER BY label LIMIT ?"
        for each in dict.fromkeys((language, "en")):
            yield from self._places_of(by_label, (each, *bounds, LIMIT))

    def _by_words(self, match: str, among: frozenset[int] | None, most: int) -> Iterable[int]:
        found = self._database.execute("SELECT rowid FROM searched WHERE searched MATCH ? ORDER BY rowid", (match,))
        places = chain.from_iterable(found)
        return places if among is None else nsmallest(most, among.intersection(places))

    def _by_group(self, match: str, among: frozenset[int] | None) -> Iterator[int]:
        """Yield what hangs under the groups that are called so, each once: from the top down, or in order ``among``."""
        found = self._database.execute("SELECT rowid FROM groups WHERE groups MATCH ? ORDER BY rowid", (match,))
        queue = [self.catalogue.groups[place].code for (place,) in found]
        if among is not None and queue:  # few places, perhaps, and very many under the groups
            known = dict.fromkeys(queue, True)
            yield from (each for each in sorted(among) if self._under(self.catalogue.variables[each], known))
            return
        seen = set(queue)
        for code in queue:  # which grows as it is walked
            below = [each for each in self.catalogue.children(code) if each not in seen]
            seen.update(below)
            queue += below
            if code in self._places:
                yield self._places[code]

    def _under(self, node: Group | Variable, known: dict[str, bool]) -> bool:
        """Return whether a node hangs under what is ``known`` to; what is found out is added there."""
        for parent in node.parents:
            if parent not in known:
                above = self.catalogue.group(parent) or self.catalogue.variable(parent)
                known[parent] = self._under(above, known)
            if known[parent]:
                return True
        return False

    def _places_of(self, sql: str, parameters: tuple[str | int, ...]) -> Iterator[int]:
        for (place,) in self._database.execute(sql, parameters):
            yield place


def folded(text: str) -> str:
    """Return ``text`` without accents, in small letters and with single spaces: Geschlecht, Âge and AGE are found."""
    if text.isascii():  # most of a large catalogue
        return " ".join(text.lower().split())
    bare = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join(bare.casefold().split())


def _words(node: Group | Variable) -> str:
    texts = [node.code, *node.label.parts().values()]
    if isinstance(node, Variable):
        texts += [*node.synonyms, node.system_code or ""]
    return " ".join(dict.fromkeys(_WORD.findall(folded(" ".join(texts)))))
