"""A question in words as parts, so that what the catalogue says can stand out from what our sentence says."""

from __future__ import annotations

import html
from dataclasses import dataclass

from app.core.catalogue.model import Catalogue
from app.core.query.model import Query
from app.core.query.sentence import sentence
from app.texts import preferred_language, text

_BEGIN, _END = "\ue000", "\ue001"  # private use: what comes from outside loses them first
_WHOLE = "query.sentence.count"
_STRONG = {
    "query.sentence.flag": "label",
    "query.sentence.not_flag": "label",
    "query.sentence.known": "label",
    "query.sentence.not_known": "label",
    "query.sentence.value": "value",
    "query.sentence.not_value": "value",
}


@dataclass(frozen=True)
class Question:
    """A question: its words, of which every second part (the first one is not) stands out.

    ``brief`` is the cohort alone, for lists in which every line is a question.
    """

    parts: tuple[str, ...]
    brief: str = ""

    @property
    def plain(self) -> str:
        """The words."""
        return "".join(self.parts)

    def rich(self, colour: str) -> str:
        """Return it as rich text, with what stands out bold and in ``colour``."""
        made = []
        for place, part in enumerate(self.parts):
            words = html.escape(part)
            made.append(f'<span style="color:{colour};font-weight:600">{words}</span>' if place % 2 else words)
        return "".join(made)


def question(query: bytes, catalogue: bytes) -> Question:
    """Return the question in the preferred language; raises as the readers of queries and catalogues."""
    return question_of(Query.from_cbor(query), Catalogue.from_cbor(catalogue))


def question_of(query: Query, catalogue: Catalogue) -> Question:
    """Return the question in the preferred language."""
    words = sentence(query, catalogue, preferred_language(), _marked)
    parts: list[str] = []
    for piece in words.split(_BEGIN):
        parts += piece.split(_END)
    return Question(tuple(parts), sentence(query, catalogue, preferred_language(), _bare))


def _marked(key: str, /, language: str | None = None, **params: object) -> str:
    if (name := _STRONG.get(key)) is not None:
        bare = str(params[name]).replace(_BEGIN, "").replace(_END, "")
        params = {**params, name: f"{_BEGIN}{bare}{_END}"}
    return text(key, language, **params)


def _bare(key: str, /, language: str | None = None, **params: object) -> str:
    return str(params["cohort"]) if key == _WHOLE else text(key, language, **params)
