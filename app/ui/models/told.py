"""What the window knows of a run beyond the list: its question in words, its results, and the words of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.analysis.results import CountResult, Estimate, Result
from app.core.catalogue.kinds import Kind, Label
from app.core.catalogue.model import Catalogue
from app.core.catalogue.variable import Variable
from app.core.errors import ConsiliumError
from app.core.query.model import Query
from app.core.services.runs import Run, RunAnswer, SiteResult
from app.plots.options import Shown
from app.plots.words import Words
from app.texts import preferred_language
from app.ui.models.question import Question, question_of

TOTAL, EACH = "", "*"
"""Whose result is shown: that of all sites together, or everybody's beside each other; else a site's name."""


@dataclass(frozen=True)
class Told:
    """What ``query.show`` tells. ``query`` is None where it is of a version that this program does not know."""

    question: Question
    query: Query | None = None
    words: Words | None = None
    results: tuple[SiteResult, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Told:
        """Read what the command returns; what cannot be read is shown in its text form."""
        bare = str(plain["text"])
        try:
            answer = Run.from_plain(plain).answer
            results = answer.results if answer is not None else ()
            query, catalogue = Query.from_cbor(plain["query"]), Catalogue.from_cbor(plain["catalogue"])
            words = Words(catalogue, preferred_language(), query)
            return cls(question_of(query, catalogue), query, words, results)
        except (ConsiliumError, KeyError):  # of another version: its text form says it
            return cls(Question((bare,), bare))

    def result(self, site: str, run: Run) -> Result | None:
        """Return the result of a site or of all together; None before it is told. A count is in the list already."""
        found = next((each.result for each in self.results if each.site == site), None)
        if found is None and run.answer is not None and run.analysis == CountResult.kind and site == TOTAL:
            return count_of(run.answer)
        return found

    def shown(self, site: str, run: Run, name: str = "") -> tuple[Shown, ...]:
        """Return the panels of a figure: of one site or of all together, or of each (:data:`EACH`)."""
        answer = run.answer
        if answer is None:
            return ()
        words, count = self.words or bare_words(), len(answer.contributors)
        if site == EACH:
            return tuple(
                Shown(each.site or name, each.result, words, answer.noise_scale, 1 if each.site else count)
                for each in self.results
            )
        result = self.result(site, run)
        if result is None:
            return ()
        return (Shown(name, result, words, answer.noise_scale, 1 if site else count),)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that have results of their own."""
        return tuple(each.site for each in self.results if each.site)


def count_of(answer: RunAnswer) -> CountResult:
    """Return a count as a result, as far as the list of runs tells it."""
    width = None if answer.exact else float(answer.half_width)
    if answer.withheld is not None:
        return CountResult(Estimate(withheld=answer.withheld), None, noise_width=width)
    found = Estimate(float(answer.count), float(answer.low), float(answer.high))
    return CountResult(found, answer.released, noise_width=width)


def bare_words() -> Words:
    """Return words without a catalogue."""
    nothing = Variable("none", Kind.FLAG, Label("–"))
    return Words(Catalogue("–", 1, (nothing,)), preferred_language())


def with_results(run: Run, told: Told | None) -> Run:
    """Return a run of the list with the results that are known of it."""
    if run.answer is None or told is None or not told.results:
        return run
    return replace(run, answer=replace(run.answer, results=told.results))
