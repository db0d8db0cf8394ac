"""The text form of queries: ``sex = female and age >= 50 and (dx:C50 or dx:C51) and not smoker``.

    flag            smoker
    category        sex = female · stage in {I, II} · stage known
    number          age >= 50 · age < 50 · age in [50, 70) · 50 <= age < 70 · age known
    groups          not a · a and b · a or b · (…) · all(a, b) · any(a, b) · everyone · nobody
    saved cohort    cohort:"Never smokers"

Numbers are compared at the catalogue's cut points only, and only with ``>=`` and ``<``, which is what sealed columns
can answer; ``>``, ``<=`` and ``=`` are refused with what to write instead. Codes and levels that are not plain words
(``"HGVS:c.4375C>T"``, ``"2nd"``, ``"and"``) are quoted. ``age < 50`` means known and below 50; ``not age >= 50``
includes patients of unknown age.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any as Anything
from typing import NoReturn, cast

from lark import Lark, Token, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError
from lark.visitors import Transformer_NonRecursive

from app.core.catalogue.model import Catalogue, Kind
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.errors import SafeParam, UserError
from app.core.query.check import check, check_term, find, nearest, require
from app.core.query.model import (
    EVERYONE,
    NOBODY,
    All,
    Any,
    Cohort,
    Flag,
    Known,
    Levels,
    Not,
    Range,
    Term,
    check_size,
    saved,
)
from app.core.query.written import write, write_term

__all__ = ["format", "parse"]

MAX_TEXT = 20_000
_EXCERPT = 100
"""Characters of the line that an error shows around its place."""

_GRAMMAR = r"""
?cohort: conjunction
    | conjunction (_OR conjunction)+                -> any
?conjunction: part
    | part (_AND part)+                             -> all
?part: "(" cohort ")"
    | _NOT part                                     -> negated
    | _ALL "(" cohort ("," cohort)* ")"             -> all
    | _ANY "(" cohort ("," cohort)* ")"             -> any
    | _EVERYONE                                     -> everyone
    | _NOBODY                                       -> nobody
    | SAVED                                         -> saved
    | _name                                         -> flag
    | _name _KNOWN                                  -> known
    | _name "=" _level                              -> levels
    | _name _IN "{" [_level ("," _level)*] "}"      -> levels
    | _name _IN "[" NUMBER "," NUMBER ")"           -> between
    | _name (GE | LT | GT | LE) NUMBER              -> compared
    | NUMBER LE _name [LT NUMBER]                   -> chained
_name: CODE | QUOTED
_level: CODE | QUOTED | NUMBER

_AND: /and/i _END
_OR: /or/i _END
_NOT: /not/i _END
_IN: /in/i _END
_KNOWN: /known/i _END
_ALL: /all/i _END
_ANY: /any/i _END
_EVERYONE: /everyone/i _END
_NOBODY: /nobody/i _END
CODE: /(?!(and|or|not|in|known|all|any|everyone|nobody)(?![a-z0-9_.:\/+*-]))/i /[a-z][a-z0-9_.:\/+*-]*/i
SAVED.1: /cohort:("[^"\n]*"|“[^”\n]*”)/i
NUMBER: /-?[0-9]+(\.[0-9]+)?/ _END
QUOTED: /"[^"\n]*"|“[^”\n]*”/
_END: /(?![a-z0-9_.:\/+*-])/i
GE: ">=" | "≥"
LE: "<=" | "≤"
GT: ">"
LT: "<"
%ignore /\s+/
"""

_SHOWN = {
    "CODE": "⟨code⟩", "NUMBER": "⟨50⟩", "_NOT": "not", "_AND": "and", "_OR": "or", "_IN": "in", "_KNOWN": "known",
    "EQUAL": "=", "GE": ">=", "LT": "<", "LE": "<=", "LPAR": "(", "RPAR": ")", "LSQB": "[", "LBRACE": "{",
    "RBRACE": "}", "COMMA": ",",
}  # fmt: skip
"""What may come next, as an error shows it in every language; rarities are left out."""


def parse(text: str, catalogue: Catalogue, cohorts: Callable[[str], Cohort | None] = lambda _name: None) -> Cohort:
    """Read a cohort; its variables, levels and cut points are the catalogue's, ``cohorts`` finds the saved ones.

    Raises UserError ``query.*``. Those about a place have ``line`` and ``column`` (from 1) and ``excerpt``: the line of
    the text, and below it a caret under the place. ``query.syntax`` and ``query.incomplete`` also say what was
    ``expected``; an unknown variable, level or cut point comes with a ``suggestion``.
    """
    if len(text) > MAX_TEXT:
        raise UserError("query.text_too_long", length=len(text), limit=MAX_TEXT)
    try:
        cohort: Cohort = _Build(text, catalogue, cohorts).transform(_parser().parse(text))
    except UnexpectedInput as error:
        _refuse_syntax(text, error)
    except VisitError as error:  # how lark passes on what a rule of _Build raised
        if isinstance(error.orig_exc, UserError):
            raise error.orig_exc from None
        raise
    check_size(cohort)
    return cohort


def format(cohort: Cohort, catalogue: Catalogue | None = None) -> str:
    """Return the text of which :func:`parse` makes exactly this cohort, with no parentheses that it does not need."""
    return write(cohort, catalogue)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, start="cohort", parser="lalr", lexer="contextual", maybe_placeholders=False)


class _Build(Transformer_NonRecursive[Token, Anything]):
    """Makes a cohort of the syntax tree, bottom up; lark calls the method that is named as the rule."""

    def __init__(self, text: str, catalogue: Catalogue, cohorts: Callable[[str], Cohort | None]) -> None:
        super().__init__()
        self._text = text
        self._catalogue = catalogue
        self._cohorts = cohorts

    def all(self, children: list[Cohort]) -> Cohort:
        return All(tuple(children))

    def any(self, children: list[Cohort]) -> Cohort:
        return Any(tuple(children))

    def negated(self, children: list[Cohort]) -> Cohort:
        return Not(children[0])

    def everyone(self, _: list[Cohort]) -> Cohort:
        return EVERYONE

    def nobody(self, _: list[Cohort]) -> Cohort:
        return NOBODY

    def saved(self, tokens: list[Token]) -> Cohort:
        name = str(tokens[0]).partition(":")[2][1:-1]
        definition = self._cohorts(name)
        if definition is None:
            self._refuse(UserError("query.no_such_cohort", name=name[:100]), tokens[0])
        try:
            check(definition, self._catalogue)
        except UserError as error:
            self._refuse(UserError("query.cohort_outdated", name=name[:100]), tokens[0], error)
        return saved(name, definition)

    def flag(self, tokens: list[Token]) -> Cohort:
        return self._checked(Flag(_unquoted(tokens[0])), tokens)

    def known(self, tokens: list[Token]) -> Cohort:
        return self._checked(Known(_unquoted(tokens[0])), tokens)

    def levels(self, tokens: list[Token]) -> Cohort:
        return self._checked(Levels(_unquoted(tokens[0]), frozenset(map(_unquoted, tokens[1:]))), tokens)

    def between(self, tokens: list[Token]) -> Cohort:
        name, low, high = tokens
        return self._range(name, low, high)

    def compared(self, tokens: list[Token]) -> Cohort:
        name, sign, bound = tokens
        if sign.type in ("GT", "LE"):
            self._refuse_sign(name, sign, bound)
        return self._range(name, bound, None) if sign.type == "GE" else self._range(name, None, bound)

    def chained(self, tokens: list[Token]) -> Cohort:
        low, _, name, *above = tokens
        return self._range(name, low, above[1] if above else None)

    def _range(self, name: Token, low: Token | None, high: Token | None) -> Cohort:
        tokens = [token for token in (name, low, high) if token is not None]
        bounds = [None if token is None else self._number(token) for token in (low, high)]
        try:
            term = Range(_unquoted(name), *bounds)
        except UserError as error:
            self._refuse(error, tokens[1])
        return self._checked(term, tokens)

    def _checked(self, term: Term, tokens: list[Token]) -> Cohort:
        try:
            check_term(term, self._catalogue)
        except UserError as error:
            wrong = [token for token in tokens[1:] if error.params.get("found") in _readings(token)]
            self._refuse(error, (wrong or tokens)[0])
        return term

    def _number(self, token: Token) -> Decimal:
        number = read_decimal(token)
        if number is None:
            self._refuse(UserError("query.number_too_long"), token)
        return number

    def _refuse_sign(self, name: Token, sign: Token, bound: Token) -> NoReturn:
        """Refuse ``>`` and ``<=``, with the comparisons on either side of what was meant."""
        number = self._number(bound)
        try:
            variable = find(_unquoted(name), self._catalogue)
            require(variable, Kind.NUMBER)
        except UserError as error:
            self._refuse(error, name)
        above = sign.type == "GT"
        instead = [
            Range(variable.code, cut if above else None, None if above else cut) for cut in nearest(number, variable)
        ]
        suggestion = " · ".join(map(write_term, instead))
        self._refuse(
            UserError("query.comparison", variable=variable.code, found=str(sign), suggestion=suggestion), sign
        )

    def _refuse(self, error: UserError, place: Token, cause: UserError | None = None) -> NoReturn:
        raise UserError(error.code, **error.params, **_place(self._text, place.start_pos or 0)) from (cause or error)


def _unquoted(token: Token) -> str:
    return str(token)[1:-1] if token.type == "QUOTED" else str(token)


def _readings(token: Token) -> tuple[str, ...]:
    """Return how an error may name this token: as it is written, and if it is a number in its plain form."""
    number = read_decimal(token)
    return (_unquoted(token),) if number is None else (_unquoted(token), decimal_text(number))


def _refuse_syntax(text: str, error: UnexpectedInput) -> NoReturn:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position = len(text.rstrip()) if at_end else cast("int", error.pos_in_stream)
    state = _parser().parse_interactive(text[:position])
    for _ in state.iter_parse():
        pass
    accepted = set(state.accepts())  # type: ignore[no-untyped-call]  # lark types this class but for that method
    if "CODE" in accepted:  # a code or level stands for the rarer ways to begin
        accepted -= {"NUMBER", "QUOTED", "SAVED"}
    expected = " · ".join(shown for name, shown in _SHOWN.items() if name in accepted)
    place = _place(text, position)
    if at_end:
        raise UserError("query.incomplete", expected=expected, **place) from error
    found = re.match(r"[\w.:/+*-]+|.", text[position:], re.DOTALL)
    raise UserError("query.syntax", found=found[0][:100] if found else "", expected=expected, **place) from error


def _place(text: str, position: int) -> dict[str, SafeParam]:
    """Return line and column (from 1) of a position, and the line with a caret below the place."""
    start = text.rfind("\n", 0, position) + 1
    column = position - start
    shown = "".join(letter if letter.isprintable() else " " for letter in text[start:].split("\n", 1)[0])
    first = max(0, column - _EXCERPT // 2)
    excerpt = f"{shown[first : first + _EXCERPT]}\n{' ' * (column - first)}^"
    return {"line": text.count("\n", 0, position) + 1, "column": column + 1, "excerpt": excerpt}
