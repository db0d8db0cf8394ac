"""Groups, trees and roll-ups of a catalogue, and the checked-in bytes of format 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from app.core import codec
from app.core.catalogue.model import MAX_DEPTH, Catalogue, Group, Kind, Label, Variable
from app.core.errors import ProtocolViolation, UserError
from tests.catalogues import EVERY_KIND, catalogues

VECTOR = Path(__file__).parents[3] / "vectors" / "language" / "catalogue-2.cbor"
"""The canonical bytes of EVERY_KIND. Format 2 is released: this file never changes."""


def flag(code: str, *parents: str, rollup: bool = False) -> Variable:
    return Variable(code, Kind.FLAG, Label(code), parents=parents, rollup=rollup)


def tree(*variables: Variable, groups: tuple[Group, ...] = ()) -> Catalogue:
    return Catalogue("T", 1, variables, groups)


def test_the_checked_in_catalogue_of_format_2_still_reads() -> None:
    data = VECTOR.read_bytes()
    catalogue = Catalogue.from_cbor(data)
    assert catalogue == EVERY_KIND
    assert catalogue.to_cbor() == data
    meanings = codec.digest([catalogue.meaning(each.code) for each in catalogue])
    assert meanings.hex() == "253ac46a45607d5023deb394dc5d1b73ec383d411982e58b497e69e461fc5ee0"


@given(catalogues())
def test_canonical_bytes_of_any_catalogue_round_trip(catalogue: Catalogue) -> None:
    again = Catalogue.from_cbor(catalogue.to_cbor())
    assert again == catalogue
    assert [again.meaning(each.code) for each in again] == [catalogue.meaning(each.code) for each in catalogue]


def test_children_and_paths() -> None:
    assert EVERY_KIND.children()[:2] == ("diagnoses", "sex")
    assert EVERY_KIND.children("diagnoses") == ("study", "ICD10:C00-C97")
    assert EVERY_KIND.path("ICD10:C50") == ("diagnoses", "ICD10:C00-C97", "ICD10:C50"), "by the first parent"
    assert EVERY_KIND.path("sex") == ("sex",)
    assert EVERY_KIND.group("study") is EVERY_KIND.groups[1]
    assert EVERY_KIND.group("sex") is None
    assert EVERY_KIND.find("study") is None


def test_a_roll_up_means_its_own_and_every_flag_below() -> None:
    groups = (Group("g", Label("G"), ("a",)),)
    number = replace(EVERY_KIND.variable("age"), parents=("g",))
    catalogue = tree(flag("a", rollup=True), flag("b", "g"), flag("c", "b", "g"), flag("d"), number, groups=groups)
    assert catalogue.rolled_up("a") == ("b", "c"), "through groups, each once, flags only"
    assert catalogue.meaning("a") != catalogue.variable("a").meaning
    assert catalogue.meaning("b") == catalogue.variable("b").meaning
    fewer = tree(flag("a", rollup=True), flag("b", "a"))
    assert fewer.meaning("a") not in (catalogue.meaning("a"), tree(flag("a", rollup=True)).meaning("a"))
    moved = tree(flag("a", rollup=True), flag("b", "a"), flag("c", "a"))
    assert moved.meaning("a") == catalogue.meaning("a"), "how they hang there changes nothing"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: tree(flag("a", "b")), "unknown_parent"),
        (lambda: tree(flag("a", "a")), "circle"),
        (lambda: tree(flag("a", "b"), flag("b", "a"), flag("c")), "circle"),
        (lambda: tree(flag("a"), groups=(Group("a", Label("A")),)), "duplicate"),
        (lambda: tree(flag("a"), groups=(Group("b b", Label("B")),)), "bad_code"),
        (lambda: tree(flag("a"), groups=(Group("b", Label("")),)), "bad_text"),
        (lambda: tree(flag("0"), *(flag(f"{n + 1}", f"{n}") for n in range(MAX_DEPTH))), "too_deep"),
    ],
)
def test_trees_that_are_none(make: object, problem: str) -> None:
    with pytest.raises(UserError, match=rf"catalogue\.{problem}"):
        make()  # type: ignore[operator]


def test_the_deepest_tree() -> None:
    catalogue = tree(flag("0", rollup=True), *(flag(f"{n + 1}", f"{n}") for n in range(MAX_DEPTH - 1)))
    assert len(catalogue.rolled_up("0")) == MAX_DEPTH - 1


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 1},
        {"group": []},
        {"group": [{"code": "g", "label": {"en": "G"}, "parents": ["nowhere"]}]},
        {"group": [{"code": "g", "label": {"en": "G"}, "kind": "flag"}]},
    ],
)
def test_hostile_bytes_of_format_2_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolViolation, match=r"catalogue\.malformed"):
        Catalogue.from_cbor(codec.encode({**EVERY_KIND.to_plain(), **change}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minimum", "0.0"),
        ("step", 1),
        ("granularity", "week"),
        ("first", "2014-13"),
        ("first", "2014-11-01"),
        ("last", None),
        ("period_days", "1e3"),
        ("periods", "24"),
        ("periods", -1),
        ("first_period", 0),
        ("first_period", True),
        ("rollup", False),
        ("rollup", 1),
        ("parents", []),
        ("parents", [1]),
        ("synonyms", "text"),
        ("system_code", 43),
    ],
)
def test_hostile_fields_are_refused(field: str, value: object) -> None:
    plain = EVERY_KIND.to_plain()
    places = [place for place, each in enumerate(plain["variable"]) if field in each]
    place = places[0] if places else 0
    plain["variable"] = [dict(each) for each in plain["variable"]]
    plain["variable"][place][field] = value
    with pytest.raises(ProtocolViolation, match=r"catalogue\.malformed"):
        Catalogue.from_cbor(codec.encode(plain))
