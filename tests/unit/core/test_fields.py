"""Strict reading of decoded bodies: exact fields, exact types, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.fields import Fields

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), children),
    max_leaves=6,
)
GETTERS: dict[str, tuple[Callable[[Fields], Any], Callable[[Any], bool]]] = {
    "bytes": (lambda f: f.bytes("x", 1, 3), lambda v: type(v) is bytes and 1 <= len(v) <= 3),
    "exact bytes": (lambda f: f.bytes("x", 2), lambda v: type(v) is bytes and len(v) == 2),
    "text": (lambda f: f.text("x", 3), lambda v: type(v) is str and 1 <= len(v) <= 3 and v.isprintable()),
    "number": (lambda f: f.number("x", -1, 5), lambda v: type(v) is int and -1 <= v <= 5),
    "items": (lambda f: f.items("x", 2), lambda v: type(v) is list and len(v) <= 2),
    "positions": (
        lambda f: f.positions("x", 3),
        lambda v: (
            type(v) is list
            and bool(v)
            and all(type(each) is int and 1 <= each <= 3 for each in v)
            and v == sorted(set(v))
        ),
    ),
    "exactly": (lambda f: f.exactly({"x": 1}), lambda v: type(v) is int and v == 1),
}


@pytest.mark.parametrize("getter", GETTERS)
@given(value=ANYTHING | st.lists(st.integers(0, 4) | st.booleans(), max_size=4))
def test_what_is_not_of_the_type_is_refused(getter: str, value: object) -> None:
    get, fits = GETTERS[getter]
    fields = Fields({"x": value}, "tests.malformed")
    if fits(value):
        taken = get(fields)
        assert getter == "exactly" or taken == (tuple(value) if getter == "positions" else value)  # type: ignore[arg-type]
        fields.done()
    else:
        with pytest.raises(ProtocolViolation) as raised:
            get(fields)
        assert (raised.value.code, raised.value.params) == ("tests.malformed", {"field": "x"})


@given(ANYTHING)
def test_only_a_map_with_text_keys_is_read(value: object) -> None:
    if isinstance(value, dict) and all(type(key) is str for key in value):
        fields = Fields(value, "tests.malformed")
        assert all(fields.any(key) is item for key, item in value.items())
        fields.done()
    else:
        with pytest.raises(ProtocolViolation):
            Fields(value, "tests.malformed")


@pytest.mark.parametrize("getter", GETTERS)
def test_a_missing_field_is_named_and_one_too_many_too(getter: str) -> None:
    get, _ = GETTERS[getter]
    with pytest.raises(ProtocolViolation) as raised:
        get(Fields({"y": 1}, "tests.malformed"))
    assert raised.value.params == {"field": "x"}
    with pytest.raises(ProtocolViolation) as raised:
        Fields({"y": 1}, "tests.malformed").done()
    assert raised.value.params == {"field": "y"}


def test_a_field_is_taken_once_and_the_map_stays_whole() -> None:
    source = {"x": 1}
    fields = Fields(source, "tests.malformed")
    assert fields.number("x", 0, 2) == 1
    with pytest.raises(ProtocolViolation):
        fields.number("x", 0, 2)
    assert source == {"x": 1}


def test_bytes_are_read_and_refused_with_what_is_known_of_them() -> None:
    read = Fields.decode(codec.encode({"x": 1}), 10, "tests.malformed", part="header")
    assert read.number("x", 0, 2) == 1
    for data in (codec.encode({"x": 1}) + b"\0", codec.encode({"xxxxxxxxxx": 1}), codec.encode([1])):
        with pytest.raises(ProtocolViolation) as raised:
            Fields.decode(data, 10, "tests.malformed", part="header")
        assert (raised.value.code, raised.value.params) == ("tests.malformed", {"field": "", "part": "header"})
    with pytest.raises(ProtocolViolation) as raised:
        read.text("y", 1)
    assert raised.value.params == {"field": "y", "part": "header"}
