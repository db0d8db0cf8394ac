"""The catalogue: the variables that a federation agreed on.

Valid by construction: a catalogue that breaks a rule cannot be made. Its canonical bytes travel in the federation's
public file, so :meth:`Catalogue.from_cbor` treats them as hostile. Their shape, which is also that of the readable
file: ``{format, format_version, name, version, group: […], variable: […]}``, each group and variable as
:mod:`app.core.catalogue.plain` says. Format 2 knows groups, trees, dates, events, survival, exact sums, vocabularies
and synonyms; a catalogue without any of them is written as format 1, so that its identity never changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core import codec
from app.core.catalogue.columns import PRESENT, PRESENT_MEANING, Column
from app.core.catalogue.kinds import Kind, Label, Level
from app.core.catalogue.plain import (
    Table,
    limited,
    plain_group,
    plain_variable,
    read_group,
    read_variable,
    uses_format_2,
)
from app.core.catalogue.rules import MAX_CODE, MAX_LABEL, NOWHERE, check_count, check_text, first_repeated, refuse
from app.core.catalogue.variable import Group, Variable
from app.core.errors import ProtocolViolation, UserError

__all__ = [
    "MAX_BYTES",
    "PRESENT",
    "PRESENT_MEANING",
    "Catalogue",
    "Column",
    "Group",
    "Kind",
    "Label",
    "Level",
    "Variable",
]

FORMAT = "consilium-catalogue"
FORMAT_VERSION = 2
MAX_BYTES = 64 * 1024 * 1024
MAX_VARIABLES = 100_000
MAX_GROUPS = 20_000
MAX_DEPTH = 64
"""How many levels a tree may have: what all roll-ups depend on stays in proportion to the catalogue."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A named, versioned, ordered set of variables, and the groups of their trees; codes are unique.

    Every parent is there, and nothing is its own ancestor. Raises UserError ``catalogue.*``.
    """

    name: str
    version: int
    variables: tuple[Variable, ...]
    groups: tuple[Group, ...] = ()
    _nodes: dict[str, Group | Variable] = field(init=False, repr=False, compare=False)
    _children: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _meanings: dict[str, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text(NOWHERE, "name", self.name, MAX_LABEL)
        if not 1 <= self.version < 2**31:
            refuse("bad_version", NOWHERE, "version", found=self.version)
        check_count(NOWHERE, "variable", len(self.variables), MAX_VARIABLES)
        if len(self.groups) > MAX_GROUPS:
            refuse("too_many", NOWHERE, "group", count=len(self.groups), limit=MAX_GROUPS)
        nodes: tuple[Group | Variable, ...] = (*self.groups, *self.variables)
        if (twice := first_repeated(node.code for node in nodes)) is not None:
            refuse("duplicate", twice, "code", found=twice)
        object.__setattr__(self, "_nodes", {node.code: node for node in nodes})
        object.__setattr__(self, "_children", children_of(nodes))
        object.__setattr__(self, "_meanings", {})

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables)

    def find(self, code: str) -> Variable | None:
        """Return the variable with this code, or None."""
        node = self._nodes.get(code)
        return node if isinstance(node, Variable) else None

    def variable(self, code: str) -> Variable:
        """Return the variable with this code. Raises UserError ``catalogue.unknown_variable``."""
        if (found := self.find(code)) is None:
            raise UserError("catalogue.unknown_variable", variable=code[:MAX_CODE])
        return found

    def children(self, code: str = "") -> tuple[str, ...]:
        """Return the codes of what hangs directly under a group or variable, groups first; of the roots without one."""
        return self._children.get(code, ())

    def path(self, code: str) -> tuple[str, ...]:
        """Return the codes from a root down to a node, itself included, always by way of the first of the parents."""
        found = [code]
        while (node := self._nodes.get(found[-1])) is not None and node.parents:
            found.append(node.parents[0])
        return tuple(found[::-1])

    def group(self, code: str) -> Group | None:
        """Return the group with this code, or None."""
        node = self._nodes.get(code)
        return node if isinstance(node, Group) else None

    def rolled_up(self, code: str) -> tuple[str, ...]:
        """Return the codes of the flags below a node of the trees, sorted: what a roll-up is also set by."""
        found: set[str] = set()
        queue = list(self.children(code))
        while queue:
            if (node := queue.pop()) not in found:
                found.add(node)
                queue.extend(self.children(node))
        return tuple(sorted(each for each in found if (flag := self.find(each)) is not None and flag.kind is Kind.FLAG))

    def meaning(self, code: str) -> bytes:
        """Return the SHA-256 of what a variable means: of a roll-up, with the codes of the flags below it."""
        if code not in self._meanings:
            variable = self.variable(code)
            meaning = variable.meaning
            if variable.rollup:
                meaning = codec.digest(["consilium-rollup", 1, meaning, list(self.rolled_up(code))])
            self._meanings[code] = meaning
        return self._meanings[code]

    def means(self, code: str, meaning: bytes) -> bool:
        """Return whether there is a variable with this code and just this meaning."""
        return self.find(code) is not None and self.meaning(code) == meaning

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes: the identity of this very catalogue, labels included."""
        return hashlib.sha256(self.to_cbor()).digest()

    def to_cbor(self) -> bytes:
        """Return the canonical bytes."""
        return codec.encode(self.to_plain())

    @classmethod
    def from_cbor(cls, data: bytes) -> Catalogue:
        """Read canonical bytes that may be hostile.

        Raises ProtocolViolation: ``codec.*``, or ``catalogue.malformed`` for what :meth:`to_cbor` cannot have made.
        """
        plain = codec.decode(data, MAX_BYTES)
        try:
            catalogue = cls.from_plain(plain)
        except UserError as error:
            where = {name: error.params.get(name, NOWHERE) for name in ("variable", "field")}
            raise ProtocolViolation("catalogue.malformed", problem=error.code, **where) from error
        if catalogue.to_cbor() != data:  # for example a cut point written as "50.0"
            where = {"variable": NOWHERE, "field": NOWHERE}
            raise ProtocolViolation("catalogue.malformed", problem="codec.not_canonical", **where)
        return catalogue

    def to_plain(self) -> dict[str, Any]:
        """Return the catalogue as plain tables."""
        newer = bool(self.groups) or any(map(uses_format_2, self.variables))
        plain: dict[str, Any] = {
            "format": FORMAT,
            "format_version": 2 if newer else 1,
            "name": self.name,
            "version": self.version,
        }
        if self.groups:
            plain["group"] = [plain_group(group) for group in self.groups]
        plain["variable"] = [plain_variable(variable) for variable in self.variables]
        return plain

    @classmethod
    def from_plain(cls, plain: object) -> Catalogue:
        """Build a catalogue from plain tables. Raises UserError ``catalogue.*`` with ``variable`` and ``field``."""
        table = Table(plain, NOWHERE)
        if (found := table.take("format", str)) != FORMAT:
            refuse("wrong_format", NOWHERE, "format", found=found[:MAX_CODE])
        if not 1 <= (found := table.take("format_version", int, FORMAT_VERSION)) <= FORMAT_VERSION:
            refuse("newer_format", NOWHERE, "format_version", found=found, known=FORMAT_VERSION)
        name, version, tables = table.take("name", str), table.take("version", int), table.take("variable", list)
        groups = limited(table.take("group", list, []), NOWHERE, "group", MAX_GROUPS)
        table.done()
        limited(tables, NOWHERE, "variable", MAX_VARIABLES)
        variables = tuple(read_variable(each, place) for place, each in enumerate(tables, start=1))
        return cls(name, version, variables, tuple(read_group(each, place) for place, each in enumerate(groups, 1)))


def children_of(nodes: Sequence[Group | Variable]) -> dict[str, tuple[str, ...]]:
    """Return the codes under each code, the roots under ``""``. Raises UserError ``catalogue.unknown_parent``,
    ``catalogue.circle``, ``catalogue.too_deep``."""
    children: dict[str, list[str]] = {}
    known = {node.code for node in nodes}
    for node in nodes:
        for parent in node.parents or ("",):
            if parent and parent not in known:
                refuse("unknown_parent", node.code, "parents", found=parent[:MAX_CODE])
            children.setdefault(parent, []).append(node.code)
    waiting = {node.code: len(node.parents) for node in nodes if node.parents}
    level, depth = children.get("", []), 1
    while level:  # a node comes with the last of its parents; one in a circle never does
        if depth > MAX_DEPTH:
            refuse("too_deep", level[0], "parents", limit=MAX_DEPTH)
        below = []
        for child in (each for parent in level for each in children.get(parent, ())):
            waiting[child] -= 1
            if not waiting[child]:
                del waiting[child]
                below.append(child)
        level, depth = below, depth + 1
    if waiting:
        refuse("circle", min(waiting), "parents")
    return {code: tuple(found) for code, found in children.items()}
