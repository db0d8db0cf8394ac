from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from app.core import codec
from app.core.catalogue.model import MAX_BYTES, Catalogue
from app.core.errors import ProtocolViolation, UserError
from tests.cohorts import CATALOGUE

Plain = dict[str, Any]


def test_canonical_bytes_round_trip() -> None:
    again = Catalogue.from_cbor(CATALOGUE.to_cbor())
    assert again == CATALOGUE
    assert again.hash == CATALOGUE.hash
    assert hash(again) == hash(CATALOGUE)


def test_the_hash_covers_labels_and_version() -> None:
    plain = CATALOGUE.to_plain()
    relabelled = copy.deepcopy(plain)
    relabelled["variable"][0]["label"]["en"] = "Smokes"
    others = [Catalogue.from_plain(each) for each in (relabelled, plain | {"version": 2}, plain | {"name": "Other"})]
    assert len({CATALOGUE.hash, *(each.hash for each in others)}) == 4


def test_variables_are_found_by_code() -> None:
    assert CATALOGUE.variable("age") is CATALOGUE.find("age")
    assert CATALOGUE.find("Age") is None
    with pytest.raises(UserError, match="catalogue.unknown_variable"):
        CATALOGUE.variable("Age")


def _change(path: list[Any], value: Any) -> Callable[[Plain], None]:
    def apply(plain: Plain) -> None:
        target: Any = plain
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    "change",
    [
        _change(["format"], "consilium-query"),
        _change(["format_version"], 2),
        _change(["format_version"], True),
        _change(["version"], 0),
        _change(["version"], 2**31),
        _change(["name"], ""),
        _change(["extra"], 1),
        _change(["variable"], []),
        _change(["variable"], {}),
        _change(["variable", 0], "smoker"),
        _change(["variable", 0, "kind"], "date"),
        _change(["variable", 0, "extra"], None),
        _change(["variable", 0, "label", "it"], "Fumatore"),
        _change(["variable", 0, "label"], "Smoker"),
        _change(["variable", 0, "label"], {"fr": "Fumeur"}),
        _change(["variable", 0, "levels"], []),
        _change(["variable", 1, "code"], "smoker"),
        _change(["variable", 3, "levels", 1, "code"], "female"),
        _change(["variable", 3, "levels", 1], {"code": "x"}),
        _change(["variable", 3, "levels", 1, "rank"], 1),
        _change(["variable", 6, "cut_points", 0], "40.0"),
        _change(["variable", 6, "cut_points", 0], 40),
        _change(["variable", 6, "cut_points", 0], b"40"),
        _change(["variable", 6, "cut_points", 0], "65"),
    ],
)
def test_hostile_bytes_are_refused(change: Callable[[Plain], None]) -> None:
    plain = copy.deepcopy(CATALOGUE.to_plain())
    change(plain)
    with pytest.raises(ProtocolViolation) as caught:
        Catalogue.from_cbor(codec.encode(plain))
    assert caught.value.code == "catalogue.malformed"
    assert set(caught.value.params) == {"problem", "variable", "field"}


@pytest.mark.parametrize("data", [b"", b"\xa0", codec.encode([1]), codec.encode("x"), b"\xff"])
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Catalogue.from_cbor(data)


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(ProtocolViolation, match="codec.too_large"):
        Catalogue.from_cbor(bytes(MAX_BYTES + 1))


def test_too_many_variables() -> None:
    flag = {"code": "a", "kind": "flag", "label": {"en": "A"}}
    plain = CATALOGUE.to_plain() | {"variable": [flag] * 100_001}
    with pytest.raises(UserError, match="catalogue.too_many"):
        Catalogue.from_plain(plain)
