"""What is read from which column for whom: a mapping that was put together with a catalogue and staged tables."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.core.catalogue import units
from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.errors import UserError
from app.core.preparation.mapping import Mapping, Rule, VariableMapping
from app.core.preparation.sources.source import Settings, Table
from app.core.preparation.values import Reads, Words

INDEX = ""
"""The code under which the index date is read."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """value · ``factor`` + ``shift``."""

    factor: float = 1.0
    shift: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return (self.factor, self.shift) != (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Place:
    """A staged table as a mapping uses it: its settings, and the column that names the patient."""

    table: Table
    settings: Settings
    patient: str

    @property
    def key(self) -> tuple[str, str]:
        """What the engine calls it."""
        return self.table.source, self.table.name


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that is read for a variable (None: the index date). ``number`` names it in the engine.

    ``column`` is None for tables with one row an observation; ``part`` tells the columns of survival apart.
    """

    number: int
    code: str
    variable: Variable | None
    mapping: VariableMapping
    place: Place
    reads: Reads
    column: str | None = None
    part: str = ""
    words: Words = Words()
    conversion: Conversion = Conversion()
    since_index: bool = False
    """Days are counted from the index date."""
    strict: bool = False
    """A value that cannot be understood refuses its row."""

    @property
    def missing(self) -> frozenset[str]:
        """The texts that stand for "no value"."""
        return self.place.settings.missing | frozenset(self.mapping.missing)

    @property
    def by_time(self) -> bool:
        """Whether an observation without a time is of no use."""
        timed = self.mapping.rule in (Rule.FIRST, Rule.LAST) or self.mapping.window is not None
        return self.column is None and (timed or self.reads is Reads.DAY)

    @property
    def by_index(self) -> bool:
        """Whether nothing can be said of a patient without an index date."""
        return self.mapping.window is not None or (self.since_index and self.reads is Reads.DAY)

    @property
    def range(self) -> tuple[Decimal | None, Decimal | None]:
        """The plausible range of the value, after conversion."""
        if self.part in ("days", "end", "event_date"):
            return Decimal(0), None
        if self.variable is None or self.variable.kind is not Kind.NUMBER or self.reads is not Reads.NUMBER:
            return None, None
        return self.variable.minimum, self.variable.maximum

    def unit(self, found: str | None) -> Conversion | None:
        """Return how values with the unit ``found`` in their row are converted; None if that cannot be known."""
        target = None if self.variable is None else self.variable.unit
        if self.reads is not Reads.NUMBER or target is None or self.mapping.factor is not None:
            return self.conversion
        found = (found or "").strip()
        if not found:
            return self.conversion if self.mapping.unit is not None else None
        if found.casefold() == target.casefold():
            return Conversion()
        if self.mapping.unit is not None and found.casefold() == self.mapping.unit.casefold():
            return self.conversion
        try:
            return conversion_between(found, target)
        except UserError:
            return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read. ``patients`` is the table with one row a patient, else ``places`` say who there is; ``left_out``
    are variables that nothing is read for, ``unused_columns`` columns that nothing is read from."""

    mapping: Mapping
    catalogue: Catalogue
    patients: Place | None
    places: tuple[Place, ...]
    index: Use | None
    uses: tuple[Use, ...]
    variables: tuple[str, ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]


def conversion_between(source: str, target: str) -> Conversion:
    """Return the conversion of one UCUM unit into another; raises UserError ``units.*``."""
    convert = units.converter(source, target)
    shift = convert(Decimal(0))
    return Conversion(float(convert(Decimal(1)) - shift), float(shift))
