"""What the catalogue's tree shows: the catalogue's own trees, and headings for the variables that hang in none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from app.core.catalogue.model import Catalogue, Kind
from app.texts import preferred_language, text

SYSTEMS = ("ICD10", "ICD10CM", "ATC", "LOINC", "HGNC", "HGVS", "OPS", "CHOP")
_RANGE = 500


@dataclass(frozen=True)
class Heading:
    """A node with others below it, in order: places of variables in the catalogue, or further headings.

    One with a ``place`` is itself the variable there; ``code`` is that of a variable or of the catalogue's group. Where
    something hangs in several trees its heading is shared by them. ``size``: how many variables are below it.
    """

    title: str
    note: str
    items: tuple[Item, ...]
    code: str = ""
    place: int | None = None
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        size = sum(1 if isinstance(each, int) else each.size + (each.place is not None) for each in self.items)
        object.__setattr__(self, "size", size)


Item: TypeAlias = int | Heading


def headings_of(catalogue: Catalogue, places: Sequence[int], *, empty: bool = False) -> tuple[Item, ...]:
    """Return the roots of the tree that holds these variables: the catalogue's own trees come first, in its order.

    Groups with nothing below them are there if ``empty`` ones are wanted.
    """
    wanted, language = frozenset(places), preferred_language()
    of_code = {variable.code: place for place, variable in enumerate(catalogue)}
    labels = {group.code: group.label for group in catalogue.groups}
    made: dict[str, Item | None] = {}
    for code in _leaves_first(catalogue):
        below = tuple(item for child in catalogue.children(code) if (item := made[child]) is not None)
        place = of_code.get(code)
        if place is None:
            made[code] = Heading(labels[code].text(language), "", below, code) if below or empty else None
        elif below:
            title = catalogue.variables[place].label.text(language)
            made[code] = Heading(title, "", below, code, place if place in wanted else None)
        else:
            made[code] = place if place in wanted else None
    roots = [item for code in catalogue.children() if (item := made[code]) is not None]
    return (
        *(item for item in roots if isinstance(item, Heading)),
        *_invented(catalogue, sorted(item for item in roots if isinstance(item, int))),
    )


def _leaves_first(catalogue: Catalogue) -> list[str]:
    """Return all codes, each after everything that hangs under it; without recursion, however deep the tree is."""
    order: list[str] = []
    seen: set[str] = set()
    stack = [(code, False) for code in reversed(catalogue.children())]
    while stack:
        code, done = stack.pop()
        if done:
            order.append(code)
        elif code not in seen:
            seen.add(code)
            stack.append((code, True))
            stack += ((child, False) for child in catalogue.children(code))
    return order


def _invented(catalogue: Catalogue, places: Collection[int]) -> tuple[Heading, ...]:
    """Return headings for variables without a tree: code systems in the order of the catalogue, then by kind."""
    by_system: dict[str, list[int]] = {}
    by_kind: dict[Kind, list[int]] = {}
    for place in places:
        variable = catalogue.variables[place]
        system, colon, _ = variable.code.partition(":")
        if colon:
            by_system.setdefault(system, []).append(place)
        else:
            by_kind.setdefault(variable.kind, []).append(place)
    found = [_heading(*_system(system), each, catalogue) for system, each in by_system.items()]
    kinds = [(text(f"ui.explore.kind.{kind.value}s"), by_kind[kind]) for kind in Kind if kind in by_kind]
    return (*found, *(_heading(title, "", each, catalogue) for title, each in kinds))


def _heading(title: str, note: str, places: Sequence[int], catalogue: Catalogue) -> Heading:
    """Return a heading; a very large one is divided into ranges, which nobody has to scroll through."""
    if len(places) <= 2 * _RANGE:
        return Heading(title, note, tuple(places))
    ranges = [tuple(places[first : first + _RANGE]) for first in range(0, len(places), _RANGE)]
    return Heading(title, note, tuple(Heading(_range_title(each, catalogue), "", each) for each in ranges))


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
