"""The catalogue: the variables that a federation agreed on.

Valid by construction: a catalogue that breaks a rule cannot be made. Its canonical bytes travel in the federation's
public file, so :meth:`Catalogue.from_cbor` treats them as hostile. Their shape, which is also that of the readable
file: ``{format, format_version, name, version, variable: […]}``, each variable as :mod:`app.core.catalogue.plain` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.core import codec
from app.core.catalogue.plain import Table, limited, plain_variable, read_variable
from app.core.catalogue.variable import (
    MAX_CODE,
    MAX_LABEL,
    NOWHERE,
    PRESENT,
    PRESENT_MEANING,
    Column,
    Kind,
    Label,
    Level,
    Variable,
    check_count,
    check_text,
    first_repeated,
    refuse,
)
from app.core.errors import ProtocolViolation, UserError

__all__ = [
    "MAX_BYTES",
    "PRESENT",
    "PRESENT_MEANING",
    "Catalogue",
    "Column",
    "Kind",
    "Label",
    "Level",
    "Variable",
]

FORMAT = "consilium-catalogue"
FORMAT_VERSION = 1
MAX_BYTES = 64 * 1024 * 1024
MAX_VARIABLES = 100_000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A named, versioned, ordered set of variables; codes are unique. Raises UserError ``catalogue.*``."""

    name: str
    version: int
    variables: tuple[Variable, ...]
    _by_code: dict[str, Variable] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text(NOWHERE, "name", self.name, MAX_LABEL)
        if not 1 <= self.version < 2**31:
            refuse("bad_version", NOWHERE, "version", found=self.version)
        check_count(NOWHERE, "variable", len(self.variables), MAX_VARIABLES)
        if (twice := first_repeated(variable.code for variable in self.variables)) is not None:
            refuse("duplicate", twice, "code", found=twice)
        object.__setattr__(self, "_by_code", {variable.code: variable for variable in self.variables})

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables)

    def find(self, code: str) -> Variable | None:
        """Return the variable with this code, or None."""
        return self._by_code.get(code)

    def variable(self, code: str) -> Variable:
        """Return the variable with this code. Raises UserError ``catalogue.unknown_variable``."""
        if (found := self.find(code)) is None:
            raise UserError("catalogue.unknown_variable", variable=code[:MAX_CODE])
        return found

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
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "version": self.version,
            "variable": [plain_variable(variable) for variable in self.variables],
        }

    @classmethod
    def from_plain(cls, plain: object) -> Catalogue:
        """Build a catalogue from plain tables. Raises UserError ``catalogue.*`` with ``variable`` and ``field``."""
        table = Table(plain, NOWHERE)
        if (found := table.take("format", str)) != FORMAT:
            refuse("wrong_format", NOWHERE, "format", found=found[:MAX_CODE])
        if (found := table.take("format_version", int, FORMAT_VERSION)) != FORMAT_VERSION:
            refuse("newer_format", NOWHERE, "format_version", found=found, known=FORMAT_VERSION)
        name, version, tables = table.take("name", str), table.take("version", int), table.take("variable", list)
        table.done()
        limited(tables, NOWHERE, "variable", MAX_VARIABLES)
        return cls(name, version, tuple(read_variable(each, place) for place, each in enumerate(tables, start=1)))
