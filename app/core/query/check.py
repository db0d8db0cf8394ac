"""Does the catalogue have what a cohort uses? The same answers for a typed query and for another site's request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.errors import UserError
from app.core.query.model import Cohort, Flag, Known, Levels, Range, Term, terms
from app.core.query.written import write_term

SHOWN = 8
"""How many levels or codes a message lists."""


def check(cohort: Cohort, catalogue: Catalogue) -> None:
    """Check every term against the catalogue.

    Raises the UserErrors of :func:`check_term`, with ``line``, ``column`` and ``excerpt`` as a typed query has them.
    """
    for term in terms(cohort):
        try:
            check_term(term, catalogue)
        except UserError as error:
            raise UserError(error.code, **error.params, line=1, column=1, excerpt=term.code[:100]) from error


def check_term(term: Term, catalogue: Catalogue) -> None:
    """Check one term.

    Raises UserError ``query.unknown_variable``, ``.no_such_variable``, ``.flag_usage``, ``.category_usage``,
    ``.number_usage``, ``.unknown_level`` or ``.not_a_cut_point``.
    """
    variable = find(term.code, catalogue)
    match term:
        case Flag():
            require(variable, Kind.FLAG)
        case Levels():
            require(variable, Kind.CATEGORY)
            for level in sorted(term.levels):
                _check_level(level, variable)
        case Range():
            require(variable, Kind.NUMBER)
            for bound in (term.low, term.high):
                if bound is not None:
                    _check_cut_point(bound, variable)
        case Known():
            require(variable, Kind.CATEGORY, Kind.NUMBER)


def find(code: str, catalogue: Catalogue) -> Variable:
    """Return the variable, or raise UserError ``query.unknown_variable`` with the codes that look like it."""
    variable = catalogue.find(code)
    if variable is None:
        similar = _similar(code, (each.code for each in catalogue))
        if similar:
            raise UserError("query.unknown_variable", variable=code[:100], suggestion=similar)
        raise UserError("query.no_such_variable", variable=code[:100])
    return variable


def require(variable: Variable, *kinds: Kind) -> None:
    """Refuse a variable of another kind, with an example of how its own kind is written."""
    if variable.kind not in kinds:
        raise UserError(f"query.{variable.kind.value}_usage", variable=variable.code, example=example(variable))


def example(variable: Variable) -> str:
    """Return a term of this variable as it is typed."""
    match variable.kind:
        case Kind.FLAG:
            return write_term(Flag(variable.code))
        case Kind.CATEGORY:
            return write_term(Levels(variable.code, frozenset([variable.levels[0].code])))
        case Kind.NUMBER:
            return write_term(Range(variable.code, variable.cut_points[len(variable.cut_points) // 2], None))
        case Kind.DATE | Kind.EVENT | Kind.SURVIVAL:
            return ""  # no term of the language asks about these


def nearest(number: Decimal, variable: Variable) -> list[Decimal]:
    """Return the cut points around ``number``: the last one up to it and the first one above it."""
    place = bisect_right(variable.cut_points, number)
    return list(variable.cut_points[max(0, place - 1) : place + 1])


def _check_level(level: str, variable: Variable) -> None:
    codes = [each.code for each in variable.levels]
    if level not in codes:
        listed = _similar(level, codes) or ", ".join(codes[:SHOWN]) + (", …" if len(codes) > SHOWN else "")
        raise UserError("query.unknown_level", variable=variable.code, found=level[:100], suggestion=listed)


def _check_cut_point(number: Decimal, variable: Variable) -> None:
    if number not in variable.cut_points:
        suggestion = ", ".join(map(decimal_text, nearest(number, variable)))
        found = decimal_text(number)
        raise UserError("query.not_a_cut_point", variable=variable.code, found=found, suggestion=suggestion)


def _similar(word: str, codes: Iterable[str]) -> str:
    """Return the codes that look like ``word`` whatever its capitals, best first, or an empty text."""
    by_folded = {code.casefold(): code for code in codes}
    return ", ".join(by_folded[match] for match in get_close_matches(word[:100].casefold(), by_folded, n=3))
