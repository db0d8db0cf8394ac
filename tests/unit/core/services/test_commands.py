"""What commands are given, and what travels of their results and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core import codec
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.fields import Fields
from app.core.jobs.job import Cancelled
from app.core.secret import SecretBytes
from app.core.services import commands
from app.core.services.commands import Values, Waiting


def travelled(error: ConsiliumError) -> ConsiliumError:
    return commands.error_from_plain(codec.decode(codec.encode(commands.error_to_plain(error)), 1000))


@pytest.mark.parametrize("kind", [UserError, EnvironmentProblem, PeerProblem, ProtocolViolation, Bug, Cancelled])
def test_errors_keep_their_class_code_and_params(kind: type[ConsiliumError]) -> None:
    error = kind("a.code", row=3, ratio=0.5, name="x", flag=True, nothing=None)
    again = travelled(error)
    assert type(again) is kind
    assert (again.code, again.params) == (error.code, error.params)


def test_a_derived_error_arrives_as_the_nearest_of_the_closed_set() -> None:
    class Particular(EnvironmentProblem):
        pass

    assert type(travelled(Particular("a.code"))) is EnvironmentProblem
    assert type(travelled(ConsiliumError("a.code"))) is Bug


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"kind": "user", "code": "a.code"},
        {"kind": "SystemExit", "code": "a.code", "params": {}},
        {"kind": "user", "code": "a.code", "params": {"code": "b"}},
        {"kind": "user", "code": "a.code", "params": {"self": "b"}},
        {"kind": "user", "code": "a.code", "params": {"b": [1]}},
        {"kind": "user", "code": "a.code", "params": {1: "b"}},
        {"kind": "user", "code": "a.code", "params": {}, "more": 1},
        {"kind": "user", "code": "x" * 200, "params": {}},
    ],
)
def test_what_is_no_error_is_refused(value: object) -> None:
    with pytest.raises(ProtocolViolation, match=r"owner\.malformed"):
        commands.error_from_plain(value)


def test_waiting_travels() -> None:
    waiting = Waiting("query.sent", days=3, share=0.5, site="Bern")
    again = commands.waiting_from_plain(codec.decode(codec.encode(commands.waiting_to_plain(waiting)), 1000))
    assert (again.key, again.params) == (waiting.key, waiting.params)


def test_secrets_travel_apart_from_the_rest() -> None:
    packed = commands.pack({"path": "/a", "passphrase": SecretBytes(b"horse")})
    assert packed == {"plain": {"path": "/a"}, "secret": {"passphrase": b"horse"}}
    assert commands.unpack(Fields(packed, "owner.malformed")) == {"path": "/a", "passphrase": SecretBytes(b"horse")}


@pytest.mark.parametrize(
    "packed",
    [
        {"plain": {"a": 1}, "secret": {"a": b"b"}},
        {"plain": {}, "secret": {"a": "text"}},
        {"plain": [], "secret": {}},
        {"plain": {}},
    ],
)
def test_values_that_are_not_packed_are_refused(packed: object) -> None:
    with pytest.raises(ProtocolViolation, match=r"owner\.malformed"):
        commands.unpack(Fields(packed, "owner.malformed"))


def test_values_are_taken_out_by_kind(tmp_path: Path) -> None:
    given = {"a": True, "b": str(tmp_path), "c": None, "d": "x", "e": {"f": 1}, "g": SecretBytes(b"h"), "i": ""}
    values = Values(given)
    assert values.flag("a") is True
    assert values.path("b") == tmp_path
    assert values.optional_text("c", 10) is None
    assert values.optional_text("d", 10) == "x"
    assert values.table("e") == {"f": 1}
    assert values.secret("g") == SecretBytes(b"h")
    assert values.string("i", 10) == ""
    values.done()


@pytest.mark.parametrize(
    ("take", "value"),
    [("flag", 1), ("path", "a/b"), ("path", b"/a"), ("table", []), ("secret", b"plain"), ("secret", "plain")],
)
def test_values_of_another_kind_are_refused(take: str, value: object) -> None:
    with pytest.raises(ProtocolViolation, match=r"owner\.malformed"):
        getattr(Values({"a": value}), take)("a")


def test_an_unknown_command_is_a_clear_error() -> None:
    with pytest.raises(UserError, match=r"owner\.unknown_command"):
        commands.find("no.such")
    assert commands.find("data.list").online is False
