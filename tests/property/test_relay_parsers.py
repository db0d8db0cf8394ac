"""Whatever arrives at the relay or comes back from it: refused with a code or understood, never a crash."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation.relay_protocol import STATUS
from tests.relay_desk import ADMISSION, KEY, WHOLE, Desk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=64) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes near ``whole``: changed, cut, doubled, or with one field replaced, dropped or added."""
    if draw(st.booleans()):
        value = codec.decode(whole, 1 << 20)
        name = draw(st.sampled_from([*value, "other"]))
        if draw(st.booleans()):
            value[name] = draw(VALUES)
        else:
            value.pop(name, None)
        return codec.encode(value)
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 3)):
            case 0:
                data[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del data[place:]
            case 2:
                data[place:place] = draw(st.binary(max_size=8))
            case _:
                data += data[place:]
    return bytes(data)


@pytest.mark.parametrize("name", WHOLE)
def test_what_was_written_is_read(name: str) -> None:
    read, whole = WHOLE[name]
    read(whole)
    if name == "admission":
        assert read(whole) == ADMISSION
    if name == "login":
        read(whole).check(KEY.public)


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_bytes_near_a_message_are_refused_or_read(name: str, data: st.DataObject) -> None:
    read, whole = WHOLE[name]
    near = data.draw(mutated(whole))
    found = outcome(read, near)
    if name == "admission" and not isinstance(found, ProtocolViolation):
        assert found == ADMISSION  # signed: nothing near it is another one


@given(st.binary(max_size=300) | VALUES.map(codec.encode))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for read, _ in WHOLE.values():
        outcome(read, data)


def outcome(read: Callable[[bytes], Any], data: bytes) -> Any:
    """Return what was read, or the refusal, which must be one of those documented."""
    try:
        return read(data)
    except ProtocolViolation as error:
        refusal = error
    assert refusal.code in ("relay.malformed", "identity.bad_public_key")
    return refusal


# --- whole requests -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory() as directory:
        made = Desk(Path(directory))
        yield made
        made.close()


PATHS = st.sampled_from(
    ["/v1/", "/healthz", "/metrics", "/v1/federations", "/v1/members", "/v1/places", "/v1/invitations/" + "0" * 64,
     "/v1/challenges", "/v1/sessions", "/v1/messages", "/v1/blobs/" + "0" * 64, "/v1/blobs/" + "g" * 64,
     "/v1/blobs/..%2f..%2fca.key", "/v1/blobs/../relay.db", "/v1/blobs/"]
) | st.text(max_size=30).map("/v1/".__add__)  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
NUMBERS = st.sampled_from(
    ["0", "1", "-1", "٣", "²", "1e3", "", "99999999999999999999999", "0x1", "1_0", " 1", "55", "56"]
)
QUERIES = st.builds(
    lambda name, value: f"{name}={value}".encode(), st.sampled_from(["after", "wait", "through"]), NUMBERS
)
RANGES = st.from_regex(r"\A(bytes)?[ =]?[0-9]{0,3}-?[0-9]{0,3}(/[0-9]{0,4})?\Z") | st.text(max_size=20)
BODIES = st.sampled_from([whole for _, whole in WHOLE.values()]).flatmap(mutated) | st.binary(max_size=200)


def latin(text: str) -> bytes:
    return text.encode("latin-1", "replace")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    method=METHODS,
    path=PATHS,
    query=QUERIES | st.binary(max_size=40),
    ranges=RANGES,
    authorized=st.booleans(),
    length=st.none() | NUMBERS,
    body=BODIES,
)
def test_every_request_is_answered(
    desk: Desk, method: str, path: str, query: bytes, ranges: str, authorized: bool, length: str | None, body: bytes
) -> None:
    if b"wait" in query and b"wait=0" not in query:
        query = b"after=0"  # nobody has that much time
    token = desk.token if authorized else ranges
    declared = str(len(body)) if length is None else length
    headers = [
        (b"authorization", b"Bearer " + latin(token)),
        (b"content-length", latin(declared)),
        (b"range", latin(ranges)),
        (b"content-range", latin(ranges)),
    ]
    status, told = desk.ask(method, path, query, headers, body)
    assert status < 500
    if status >= 400 and method != "OPTIONS":
        reason = told[b"consilium-problem"].decode()
        assert STATUS[reason] == status
    assert told[b"consilium-relay"] == b"1"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_message_near_a_real_one_is_refused(desk: Desk, data: st.DataObject) -> None:
    whole = desk.people.message(1, (), os.urandom(20))
    near = data.draw(mutated(whole))
    headers = [(b"authorization", b"Bearer " + desk.token.encode()), (b"content-length", str(len(near)).encode())]
    status, told = desk.ask("POST", "/v1/messages", b"", headers, near)
    if near == whole:
        assert status == 201
    else:
        assert (status, told[b"consilium-problem"]) == (422, b"relay.envelope_refused")


def test_a_hostile_name_reaches_no_file(desk: Desk) -> None:
    headers = [(b"authorization", b"Bearer " + desk.token.encode())]
    for name in ("..", "../" * 3 + "etc/passwd", "A" * 64, "0" * 63, "0" * 65, "%00" * 32):
        status, _ = desk.ask("GET", f"/v1/blobs/{name}", b"", headers, b"")
        assert status in (400, 404)


def test_a_query_that_is_no_text_does_not_matter_to_a_path_that_is_none(desk: Desk) -> None:
    status, told = desk.ask("GET", "/v1/messages/", b"wait\xc7", [], b"")
    assert (status, told[b"consilium-problem"]) == (404, b"relay.not_found")
