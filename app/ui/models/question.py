"""A question in words as parts, so that what the catalogue says can stand out from what our sentence says."""

from __future__ import annotations

import html
from dataclasses import dataclass

from app.core.catalogue.model import Catalogue
from app.core.query.analyses import Count
from app.core.query.model import Query
from app.core.query.sentence import sentence
from app.texts import preferred_language, text

_BEGIN, _END = "\ue000", "\ue001"  # private use: what comes from outside loses them first
_WHOLE = "query.sentence.count"
_LABEL, _VALUE = ("label",), ("value",)
_STRONG = {
    "query.sentence.flag": _LABEL,
    "query.sentence.not_flag": _LABEL,
    "query.sentence.known": _LABEL,
    "query.sentence.not_known": _LABEL,
    "query.sentence.followed": _LABEL,
    "query.sentence.not_followed": _LABEL,
    "query.sentence.occurs": _LABEL,
    "query.sentence.occurs_often": _LABEL,
    "query.sentence.moment_first": _LABEL,
    "query.sentence.moment_last": _LABEL,
    "query.sentence.value": _VALUE,
    "query.sentence.not_value": _VALUE,
    "query.sentence.breakdown": ("variable",),
    "query.sentence.histogram": ("variable",),
    "query.sentence.table": ("rows", "columns"),
    "query.sentence.summary": ("variables",),
    "query.sentence.compare": ("variable", "by"),
    "query.sentence.correlate": ("variables",),
    "query.sentence.regress": ("outcome", "predictors"),
    "query.sentence.survival": ("variable",),
    "query.sentence.survival_by": ("groups",),
}
"""What stands out in each phrase."""


@dataclass(frozen=True)
class Question:
    """A question: its words, of which every second part (the first one is not) stands out.

    ``brief`` is the analysis, if it is not a count, and the cohort: for lists in which every line is a question.
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
    return Question(tuple(parts), _brief(query, catalogue))


def _brief(query: Query, catalogue: Catalogue) -> str:
    cohort = sentence(Query(query.cohort), catalogue, preferred_language(), _bare)
    name = query.analysis.name
    if name == Count.name:
        return cohort
    analysis = text(f"ui.results.analysis.{name}")
    labels = [
        code if (found := catalogue.find(code)) is None else found.label.text(preferred_language())
        for code in query.analysis.codes
    ]
    if not labels:
        return text("ui.results.brief_bare", analysis=analysis, cohort=cohort)
    return text("ui.results.brief", analysis=analysis, variables=", ".join(labels), cohort=cohort)


def _marked(key: str, /, language: str | None = None, **params: object) -> str:
    for name in _STRONG.get(key, ()):
        bare = str(params[name]).replace(_BEGIN, "").replace(_END, "")
        params = {**params, name: f"{_BEGIN}{bare}{_END}"}
    return text(key, language, **params)


def _bare(key: str, /, language: str | None = None, **params: object) -> str:
    return str(params["cohort"]) if key == _WHOLE else text(key, language, **params)
