"""The grammar of the text form (:mod:`app.core.query.text`), and what an error in it says and points at."""

from __future__ import annotations

import re
from functools import cache
from typing import NoReturn, cast

from lark import Lark, UnexpectedInput, UnexpectedToken

from app.core.errors import SafeParam, UserError

_EXCERPT = 100
"""Characters of the line that an error shows around its place."""

GRAMMAR = r"""
query: cohort
    | (COUNT | ATTRITION) _WHERE cohort             -> analysed
    | analysis [_WHERE cohort]                      -> analysed
analysis: (BREAKDOWN | HISTOGRAM) _variable         -> one
    | (SUMMARY | CORRELATE) _variable ("," _variable)*          -> several
    | TABLE grouping (_X | _BY) grouping            -> table
    | COMPARE _variable _BY grouping                -> compare
    | REGRESS _variable _ON _variable ("," _variable)*          -> regress
    | SURVIVAL _variable [_BY grouping] [over] [steps]          -> survival
grouping: _variable [_AT NUMBER ("," NUMBER)*]
over: _OVER time
steps: _IN_STEPS_OF time

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
    | _name "=" (_level | DATE)                     -> equals
    | _name _IN "{" [_level ("," _level)*] "}"      -> levels
    | _name _IN interval                            -> between
    | _name (GE | LT | GT | LE) _bound              -> compared
    | _bound (LE | LT) _name [(LT | LE) _bound]     -> chained
    | _name _OCCURS                                 -> occurs
    | _name AT_LEAST NUMBER _TIMES                  -> occurs
    | moment (GE | LT | GT | LE) time               -> happened
    | moment _IN interval UNIT                      -> happened_between
    | moment (BEFORE | AFTER) moment [_BY limit [more]]         -> related
    | moment _WITHIN time _OF moment                -> within
interval: (LSQB | LPAR) _bound "," _bound (RSQB | RPAR)
moment: (FIRST | LAST) _variable
time: NUMBER UNIT
limit: (AT_LEAST | AT_MOST) time
more: (AND_AT_LEAST | AND_AT_MOST) time             -> limit
_bound: NUMBER | DATE
_level: CODE | QUOTED | NUMBER
_variable: CODE | QUOTED
_name: CODE | QUOTED | FIRST | LAST | COUNT | ATTRITION | BREAKDOWN | HISTOGRAM | SUMMARY | CORRELATE | TABLE | COMPARE
    | REGRESS | SURVIVAL

_AND: /and/i _END
_OR: /or/i _END
_NOT: /not/i _END
_IN: /in/i _END
_KNOWN: /known/i _END
_ALL: /all/i _END
_ANY: /any/i _END
_EVERYONE: /everyone/i _END
_NOBODY: /nobody/i _END
FIRST.2: /first/i _END
LAST.2: /last/i _END
BEFORE.2: /before/i _END
AFTER.2: /after/i _END
_WITHIN.2: /within/i _END
_BY.2: /by/i _END
_OF.2: /of/i _END
_AT.2: /at/i _END
_ON.2: /on/i _END
_X.2: /x/i _END | "×"
_OVER.2: /over/i _END
_WHERE.2: /where/i _END
_OCCURS.2: /occurs/i _END
_TIMES.2: /times?/i _END
AT_LEAST.2: /at\s+least/i _END
AT_MOST.2: /at\s+most/i _END
AND_AT_LEAST.3: /and\s+at\s+least/i _END
AND_AT_MOST.3: /and\s+at\s+most/i _END
_IN_STEPS_OF.3: /in\s+steps\s+of/i _END
UNIT.2: /(day|week|month|year)s?/i _END
COUNT.2: /count/i _END
ATTRITION.2: /attrition/i _END
BREAKDOWN.2: /breakdown/i _END
HISTOGRAM.2: /histogram/i _END
SUMMARY.2: /summary/i _END
CORRELATE.2: /correlate/i _END
TABLE.2: /table/i _END
COMPARE.2: /compare/i _END
REGRESS.2: /regress/i _END
SURVIVAL.2: /survival/i _END
CODE: /(?!(and|or|not|in|known|all|any|everyone|nobody)(?![a-z0-9_.:\/+*-]))/i /[a-z][a-z0-9_.:\/+*-]*/i
SAVED.1: /cohort:("[^"\n]*"|“[^”\n]*”)/i
NUMBER: /-?[0-9]+(\.[0-9]+)?/ _END
DATE: /[0-9]{4}-[0-9]{2}(-[0-9]{2})?/ _END
QUOTED: /"[^"\n]*"|“[^”\n]*”/
_END: /(?![a-z0-9_.:\/+*-])/i
GE: ">=" | "≥"
LE: "<=" | "≤"
GT: ">"
LT: "<"
LSQB: "["
RSQB: "]"
LPAR: "("
RPAR: ")"
%ignore /\s+/
"""

_SHOWN = {
    "CODE": "⟨code⟩", "NUMBER": "⟨50⟩", "DATE": "⟨2024-03⟩", "_NOT": "not", "_AND": "and", "_OR": "or", "_IN": "in",
    "_KNOWN": "known", "EQUAL": "=", "GE": ">=", "LT": "<", "LE": "<=", "LPAR": "(", "RPAR": ")", "RSQB": "]",
    "LSQB": "[", "LBRACE": "{", "RBRACE": "}", "COMMA": ",", "_OCCURS": "occurs", "AT_LEAST": "at least",
    "AT_MOST": "at most", "_TIMES": "times", "FIRST": "first", "LAST": "last", "BEFORE": "before", "AFTER": "after",
    "_WITHIN": "within", "UNIT": "days", "_OF": "of", "_BY": "by", "_X": "x", "_ON": "on", "_AT": "at",
    "_OVER": "over", "_IN_STEPS_OF": "in steps of", "_WHERE": "where",
}  # fmt: skip
"""What may come next, as an error shows it in every language; rarities are left out."""

_RARE = {"NUMBER", "DATE", "QUOTED", "SAVED", "FIRST", "LAST"}
"""Left out where a code or level may come, which stands for all ways to begin."""


@cache
def parser() -> Lark:
    """Return the parser of a ``cohort`` or a ``query``."""
    return Lark(GRAMMAR, start=["cohort", "query"], parser="lalr", lexer="contextual", maybe_placeholders=False)


def refuse_syntax(text: str, start: str, error: UnexpectedInput) -> NoReturn:
    """Raise UserError ``query.syntax`` or ``query.incomplete`` for what lark could not read."""
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position = len(text.rstrip()) if at_end else cast("int", error.pos_in_stream)
    state = parser().parse_interactive(text[:position], start=start)
    for _ in state.iter_parse():
        pass
    accepted = set(state.accepts())  # type: ignore[no-untyped-call]  # lark types this class but for that method
    if "CODE" in accepted:
        accepted -= _RARE
    expected = " · ".join(shown for name, shown in _SHOWN.items() if name in accepted)
    place = place_of(text, position)
    if at_end:
        raise UserError("query.incomplete", expected=expected, **place) from error
    found = re.match(r"[\w.:/+*-]+|.", text[position:], re.DOTALL)
    raise UserError("query.syntax", found=found[0][:100] if found else "", expected=expected, **place) from error


def place_of(text: str, position: int) -> dict[str, SafeParam]:
    """Return line and column (from 1) of a position, and the line with a caret below the place."""
    start = text.rfind("\n", 0, position) + 1
    column = position - start
    shown = "".join(letter if letter.isprintable() else " " for letter in text[start:].split("\n", 1)[0])
    first = max(0, column - _EXCERPT // 2)
    excerpt = f"{shown[first : first + _EXCERPT]}\n{' ' * (column - first)}^"
    return {"line": text.count("\n", 0, position) + 1, "column": column + 1, "excerpt": excerpt}
