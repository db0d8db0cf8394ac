"""The text form of queries: ``survival os by stage where sex = female and age >= 50 and not smoker``.

    flag            smoker
    category        sex = female · stage in {I, II} · stage known
    number          age >= 50 · age < 50 · age in [50, 70) · 50 <= age < 70 · age known
    date            diagnosed >= 2019-04 · diagnosed in [2019-01, 2021-01) · diagnosed = 2019 · diagnosed known
    event           rx:L01 occurs · rx:L01 at least 2 times · first rx:L01 < 12 months · last rx:L01 in [0, 90) days
    two events      first dx:C43 before first rx:L01 by at least 2 weeks and at most 6 months ·
                    last rx:L01 after first dx:C43 · first rx:L01 within 30 days of first dx:C43
    follow-up       os known
    groups          not a · a and b · a or b · (…) · all(a, b) · any(a, b) · everyone · nobody
    saved cohort    cohort:"Never smokers"
    analyses        count where … · breakdown stage where … · histogram age where … · table stage x sex where … ·
                    table age at 50, 65 x sex · summary age, bmi where … · compare bmi by sex where … ·
                    correlate age, bmi where … · regress bmi on age, smoker where … · attrition where … ·
                    survival os by stage over 24 months in steps of 2 months where …

A cohort alone is counted. Numbers are compared at the catalogue's cut points only, with ``>=`` and ``<``, which is what
sealed columns can answer. ``>``, ``<=``, ``=`` and closed or open ends (``[50, 69]``) are read where they say just that
of a number with a step, and refused with what to write instead where they do not. A date stands for its whole day,
month or year: ``diagnosed <= 2019`` is ``diagnosed < 2020-01``. Codes and levels that are not plain words
(``"HGVS:c.4375C>T"``, ``"2nd"``, ``"and"``) are quoted. ``age < 50`` means known and below 50; ``not age >= 50``
includes patients of unknown age.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any as Anything

from lark import UnexpectedInput
from lark.exceptions import VisitError

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.query.building import Build
from app.core.query.grammar import parser, refuse_syntax
from app.core.query.model import Cohort, Query, check_size
from app.core.query.written import write, write_query

__all__ = ["format", "format_query", "parse", "parse_query"]

MAX_TEXT = 20_000


def parse(text: str, catalogue: Catalogue, cohorts: Callable[[str], Cohort | None] = lambda _name: None) -> Cohort:
    """Read a cohort; its variables, levels and cut points are the catalogue's, ``cohorts`` finds the saved ones.

    Raises UserError ``query.*``. Those about a place have ``line`` and ``column`` (from 1) and ``excerpt``: the line of
    the text, and below it a caret under the place. ``query.syntax`` and ``query.incomplete`` also say what was
    ``expected``; an unknown variable, level or cut point comes with a ``suggestion``.
    """
    cohort: Cohort = _read(text, "cohort", catalogue, cohorts)
    check_size(cohort)
    return cohort


def parse_query(text: str, catalogue: Catalogue, cohorts: Callable[[str], Cohort | None] = lambda _name: None) -> Query:
    """Read a query: an analysis ``where`` a cohort, or a cohort alone, which is counted; ``per_site`` is no part of the
    text. Raises as :func:`parse`, and what :func:`~app.core.query.cells.cells_of` raises, with the place."""
    query: Query = _read(text, "query", catalogue, cohorts)
    return query


def format(cohort: Cohort, catalogue: Catalogue | None = None) -> str:
    """Return the text of which :func:`parse` makes exactly this cohort, with no parentheses that it does not need."""
    return write(cohort, catalogue)


def format_query(query: Query, catalogue: Catalogue | None = None) -> str:
    """Return the text of which :func:`parse_query` makes exactly this query, but for ``per_site``."""
    return write_query(query, catalogue)


def _read(text: str, start: str, catalogue: Catalogue, cohorts: Callable[[str], Cohort | None]) -> Anything:
    if len(text) > MAX_TEXT:
        raise UserError("query.text_too_long", length=len(text), limit=MAX_TEXT)
    try:
        return Build(text, catalogue, cohorts).transform(parser().parse(text, start=start))
    except UnexpectedInput as error:
        refuse_syntax(text, start, error)
    except VisitError as error:  # how lark passes on what a rule of _Build raised
        if isinstance(error.orig_exc, UserError):
            raise error.orig_exc from None
        raise
