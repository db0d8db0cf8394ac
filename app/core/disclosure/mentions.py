"""Which variables and levels a question is about: what a policy looks at that forbids some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.core.catalogue.model import Catalogue
from app.core.query.model import All, Any, Cohort, Levels, Not, Query, codes_of


@dataclass(frozen=True)
class Mentions:
    """``variables`` are all that are used; of those in ``whole`` every level counts, of others those in ``levels``.

    Every level of a category counts where the analysis shows them all, where it is asked who has a value, and below a
    *not*: "not a" is every other level. Who can put several questions can still subtract one from another, so that only
    a forbidden variable, not a forbidden level, is out of reach. In the same way a code below a forbidden one is
    mentioned with it, and one above it is not: all diagnoses without the others are the forbidden one.
    """

    variables: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    levels: frozenset[tuple[str, str]] = frozenset()

    def has(self, code: str, level: str = "") -> bool:
        """Return whether the variable, or with ``level`` that level of it, is mentioned."""
        return code in self.variables and (not level or code in self.whole or (code, level) in self.levels)


def mentions_of(query: Query, *catalogues: Catalogue) -> Mentions:
    """Return what a question is about, in its cohort and in its analysis, with all that its variables lie below in the
    trees of one of the ``catalogues``: the one in force here, and the one that the question was written with."""
    whole, levels = set(query.analysis.codes), set[tuple[str, str]]()
    _gather(query.cohort, whole, levels, negated=False)
    above = frozenset().union(*(_above(query.codes, catalogue) for catalogue in catalogues))
    return Mentions(above.union(query.codes), above.union(whole), frozenset(levels))


def _above(codes: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """Return the codes of all groups and variables above these, by any way."""
    found, queue = set[str](), list(codes)
    while queue:
        code = queue.pop()
        node = catalogue.find(code) or catalogue.group(code)
        new = set(() if node is None else node.parents) - found
        found |= new
        queue += new
    return frozenset(found)


def _gather(cohort: Cohort, whole: set[str], levels: set[tuple[str, str]], *, negated: bool) -> None:
    match cohort:
        case Not(child):
            _gather(child, whole, levels, negated=True)
        case All(children) | Any(children):
            for child in children:
                _gather(child, whole, levels, negated=negated)
        case Levels(code, named) if not negated:
            levels.update((code, level) for level in named)
        case _:
            whole.update(codes_of(cohort))
