"""Flags from a vocabulary: every code under some of its codes, each hanging under the one above it and rolling up."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.core.catalogue.kinds import Kind, Label
from app.core.catalogue.model import MAX_VARIABLES
from app.core.catalogue.rules import MAX_LABEL, refuse
from app.core.catalogue.variable import Variable
from app.core.catalogue.vocabularies import Code, Vocabulary


def flags_of(vocabulary: Vocabulary, codes: Iterable[str], depth: int | None = None) -> tuple[Variable, ...]:
    """Return a flag for each of the codes and everything under them, down to ``depth`` levels below them.

    A code is one of the vocabulary's, or a range of them such as C50-C58. Parents come before their children. Raises
    UserError ``vocabularies.unknown_code``, ``catalogue.too_many``.
    """
    made: dict[str, Variable] = {}
    meant = {each.code: each for code in codes for each in _meant(vocabulary, code)}
    inside = {code for code in meant if any(above.code in meant for above in vocabulary.path(code)[:-1])}
    queue = [(each, "", 0) for code, each in reversed(meant.items()) if code not in inside]
    while queue:
        code, parent, level = queue.pop()
        own = flag_code(vocabulary.about.system, code.code)
        if own in made:
            continue
        below = vocabulary.children(code.code) if depth is None or level < depth else []
        made[own] = Variable(
            own,
            Kind.FLAG,
            Label(" ".join(code.label.split())[:MAX_LABEL] or code.code),
            rollup=bool(below),
            parents=(parent,) if parent else (),
            system=vocabulary.about.system,
            system_code=code.code,
        )
        if len(made) > MAX_VARIABLES:
            refuse("too_many", own, "variable", count=len(made), limit=MAX_VARIABLES)
        queue += ((each, own, level + 1) for each in reversed(below))
    return tuple(made.values())


def flag_code(system: str, code: str) -> str:
    """Return the code of a flag: ICD10:C43.1."""
    return f"{re.sub(r'[^A-Za-z0-9]', '', system)}:{re.sub(r'[^A-Za-z0-9_.:/+*-]', '_', code)}"


def _meant(vocabulary: Vocabulary, code: str) -> list[Code]:
    if (found := vocabulary.find(code)) is not None:
        return [found]
    first, _, last = code.partition("-")
    if first.strip() and last.strip() and (between := vocabulary.between(first, last)):
        return between
    return [vocabulary.code(code)]
