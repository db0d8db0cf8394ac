"""The headings of the catalogue's tree, derived from code systems and kinds as long as a catalogue brings no trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.catalogue.model import Catalogue, Kind
from app.texts import text

SYSTEMS = ("ICD10", "ICD10CM", "ATC", "LOINC", "HGNC", "HGVS", "OPS", "CHOP")
_RANGE = 500


@dataclass(frozen=True)
class Group:
    """A heading, and below it the variables at these places of the catalogue, or further groups."""

    title: str
    note: str
    places: tuple[int, ...]
    groups: tuple[Group, ...] = ()

    @property
    def size(self) -> int:
        """How many variables are below it."""
        return len(self.places) + sum(group.size for group in self.groups)


def groups_of(catalogue: Catalogue, places: Sequence[int]) -> tuple[Group, ...]:
    """Return the groups of these variables: code systems in the order of the catalogue, then the rest by kind."""
    by_system: dict[str, list[int]] = {}
    by_kind: dict[Kind, list[int]] = {}
    for place in places:
        variable = catalogue.variables[place]
        system, colon, _ = variable.code.partition(":")
        if colon:
            by_system.setdefault(system, []).append(place)
        else:
            by_kind.setdefault(variable.kind, []).append(place)
    found = [_group(*_system(system), each, catalogue) for system, each in by_system.items()]
    kinds = [(text(f"ui.explore.kind.{kind.value}s"), by_kind[kind]) for kind in Kind if kind in by_kind]
    return (*found, *(_group(title, "", each, catalogue) for title, each in kinds))


def _group(title: str, note: str, places: Sequence[int], catalogue: Catalogue) -> Group:
    """Return a group; a very large one is divided into ranges, which nobody has to scroll through."""
    if len(places) <= 2 * _RANGE:
        return Group(title, note, tuple(places))
    ranges = [tuple(places[first : first + _RANGE]) for first in range(0, len(places), _RANGE)]
    return Group(title, note, (), tuple(Group(_range_title(each, catalogue), "", each) for each in ranges))


def _range_title(places: Sequence[int], catalogue: Catalogue) -> str:
    first, last = (catalogue.variables[place].code for place in (places[0], places[-1]))
    return f"{first.partition(':')[2] or first} – {last.partition(':')[2] or last}"


def _system(system: str) -> tuple[str, str]:
    known = system.upper()
    return (
        (text(f"ui.explore.system.{known.lower()}"), system)
        if known in SYSTEMS
        else (system[:1].upper() + system[1:], "")
    )
