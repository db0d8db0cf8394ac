"""From a cohort to its text form: the words and signs of the language, and minimal parentheses.

``not`` binds tightest, then ``and``, then ``or``. Parentheses that keep a group apart are part of the text, so
``(a and b) and c`` and ``a and b and c`` are two cohorts (with one canonical form). Groups of none or one, which nobody
types, are ``everyone``, ``nobody``, ``all(a)`` and ``any(a)``.
"""

from __future__ import annotations

import re

from app.core.catalogue.model import Catalogue
from app.core.catalogue.numbers import decimal_text
from app.core.query.model import All, Any, Cohort, Flag, Levels, Not, Range, Saved, Term

KEYWORDS = ("and", "or", "not", "in", "known", "all", "any", "everyone", "nobody")
"""Words of the language, in any mix of capitals; a code that is one of them is quoted."""

LETTERS = "A-Za-z0-9_.:/+*-"
"""What a bare code is made of, as a regular expression's set; it starts with a letter."""

_BARE_CODE = re.compile(rf"(?!(?:{'|'.join(KEYWORDS)})$)[A-Za-z][{LETTERS}]*", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


def write(cohort: Cohort, catalogue: Catalogue | None = None) -> str:  # noqa: PLR0911 - one return a kind of node
    """Return the text form; levels in the order of the catalogue, or sorted if there is none."""
    match cohort:
        case Saved():
            return f'cohort:"{cohort.name}"'
        case Not(child):
            return f"not {_grouped(child, (All, Any), catalogue)}"
        case All(children) if len(children) > 1:
            return " and ".join(_grouped(child, (All, Any), catalogue) for child in children)
        case Any(children) if len(children) > 1:
            return " or ".join(_grouped(child, (Any,), catalogue) for child in children)
        case All(children):
            return f"all({write(children[0], catalogue)})" if children else "everyone"
        case Any(children):
            return f"any({write(children[0], catalogue)})" if children else "nobody"
        case _:
            return write_term(cohort, catalogue)


def write_term(term: Term, catalogue: Catalogue | None = None) -> str:
    """Return the text form of one term."""
    name = _quoted(term.code)
    match term:
        case Flag():
            return name
        case Levels(_, levels):
            written = [_quoted(level, number=True) for level in _ordered(term, catalogue)]
            return f"{name} = {written[0]}" if len(levels) == 1 else f"{name} in {{{', '.join(written)}}}"
        case Range(_, low, None) if low is not None:
            return f"{name} >= {decimal_text(low)}"
        case Range(_, None, high) if high is not None:
            return f"{name} < {decimal_text(high)}"
        case Range(_, low, high) if low is not None and high is not None:
            return f"{name} in [{decimal_text(low)}, {decimal_text(high)})"
        case _:
            return f"{name} known"


def _ordered(term: Levels, catalogue: Catalogue | None) -> list[str]:
    variable = catalogue.find(term.code) if catalogue is not None else None
    places = {level.code: place for place, level in enumerate(variable.levels)} if variable is not None else {}
    return sorted(term.levels, key=lambda level: (places.get(level, len(places)), level))


def _grouped(child: Cohort, looser: tuple[type[All] | type[Any], ...], catalogue: Catalogue | None) -> str:
    """Write a part of a group, in parentheses if it is itself a written-out group that binds no tighter."""
    written = write(child, catalogue)
    return f"({written})" if isinstance(child, looser) and len(child.cohorts) > 1 else written


def _quoted(code: str, number: bool = False) -> str:
    bare = _BARE_CODE.fullmatch(code) or (number and _BARE_NUMBER.fullmatch(code))
    return code if bare else f'"{code}"'
