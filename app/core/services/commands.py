"""Service commands: named work on a profile, done by whoever owns it, asked for from here or over the local socket.

A command is a function (context, values) → map of plain values. Values are what canonical CBOR carries; a secret is
SecretBytes at the top level of a map, so that it can be told from the rest wherever it travels. A command that waits
for other sites is a generator: it yields the seconds after which it wants to be looked at again at the latest, it is
resumed earlier whenever something has happened, and it returns its result or raises :class:`Waiting`.

>>> @command("data.list")
... def list_(context: Context, values: Values) -> Result: ...

This module is light: a client loads it without numpy or the database.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from app.core.errors import (
    Bug,
    ConsiliumError,
    EnvironmentProblem,
    PeerProblem,
    ProtocolViolation,
    SafeParam,
    UserError,
)
from app.core.fields import Fields
from app.core.jobs.job import Cancelled, Job
from app.core.secret import SecretBytes
from app.core.services.local_address import MALFORMED

if TYPE_CHECKING:
    from app.core.services.owner import Owner
    from app.core.services.profile import OpenProfile

Result: TypeAlias = dict[str, Any]
Steps: TypeAlias = Generator[float, None, Result]
Function: TypeAlias = "Callable[[Context, Values], Result | Steps]"

KINDS: Mapping[str, type[ConsiliumError]] = {
    "user": UserError,
    "environment": EnvironmentProblem,
    "peer": PeerProblem,
    "protocol": ProtocolViolation,
    "bug": Bug,
    "cancelled": Cancelled,
}
"""The errors that cross the socket; one of a derived class arrives as its nearest of these."""

STATES = ("command", "agent", "offline")
"""What an owner is: busy with one command, an agent, an agent without its relay."""


_TAKEN = ("self", "code", "key")  # the names of an error's own arguments


class Waiting(Exception):
    """The command has sent what it had to send; the answer is not there yet (exit code 3).

    ``key`` and ``params`` are those of a text that says so.
    """

    def __init__(self, key: str, **params: str | int | float) -> None:
        super().__init__(key, params)
        self.key = key
        self.params = params


@dataclass(frozen=True)
class Context:
    """What a command works with: the owner's open profile, and the job of this call (progress, cancel)."""

    owner: Owner
    job: Job

    @property
    def profile(self) -> OpenProfile:
        """The open profile."""
        return self.owner.profile


@dataclass(frozen=True)
class Command:
    """A registered command. After an ``online`` one, its messages are sent before the result is given.

    A ``passive`` one only looks: it gives the agent nothing to do and does not keep it from being idle.
    """

    name: str
    function: Function
    online: bool
    passive: bool


class Values(Fields):
    """What a command is given; every value is taken out once. Raises ProtocolViolation ``owner.malformed``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(dict(values), MALFORMED)

    def flag(self, field: str) -> bool:
        """Take True or False."""
        value = self.any(field)
        if not isinstance(value, bool):
            self.refuse(field)
        return value

    def path(self, field: str) -> Path:
        """Take an absolute path: the owner works in another directory than its clients."""
        path = Path(self.string(field, 4096))
        if not path.is_absolute():
            self.refuse(field)
        return path

    def string(self, field: str, most: int) -> str:
        """Take text of at most ``most`` characters, of any kind."""
        value = self.any(field)
        if not isinstance(value, str) or len(value) > most:
            self.refuse(field)
        return value

    def optional_text(self, field: str, most: int) -> str | None:
        """Take None or printable text of 1 to ``most`` characters."""
        if (value := self.any(field)) is None:
            return None
        return Fields({field: value}, MALFORMED).text(field, most)

    def table(self, field: str) -> dict[str, Any]:
        """Take a map."""
        value = self.any(field)
        if not isinstance(value, dict):
            self.refuse(field)
        return value

    def secret(self, field: str) -> SecretBytes:
        """Take a secret."""
        value = self.any(field)
        if not isinstance(value, SecretBytes):
            self.refuse(field)
        return value


_registered: dict[str, Command] = {}


def command(name: str, *, online: bool = False, passive: bool = False) -> Callable[[Function], Function]:
    """Register a function as the command ``name``."""

    def register(function: Function) -> Function:
        _registered[name] = Command(name, function, online, passive)
        return function

    return register


def find(name: str) -> Command:
    """Return a command, loading all that there are first. Raises UserError ``owner.unknown_command``."""
    from app.core.services import (  # noqa: PLC0415  (a client does without what they bring; they register)
        audit_commands,  # noqa: F401
        budget_commands,  # noqa: F401
        catalogue_commands,  # noqa: F401
        cohort_commands,  # noqa: F401
        data_commands,  # noqa: F401
        federation_commands,  # noqa: F401
        keys_commands,  # noqa: F401
        owner_commands,  # noqa: F401
        people_commands,  # noqa: F401
        policy_commands,  # noqa: F401
        project_commands,  # noqa: F401
        query_commands,  # noqa: F401
        relay_commands,  # noqa: F401
        request_commands,  # noqa: F401
        site_commands,  # noqa: F401
    )

    if name not in _registered:
        raise UserError("owner.unknown_command", name=name[:64])
    return _registered[name]


def pack(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` as they travel: plain ones and secrets apart."""
    secret = {name: value.reveal() for name, value in values.items() if isinstance(value, SecretBytes)}
    return {"plain": {name: value for name, value in values.items() if name not in secret}, "secret": secret}


def unpack(fields: Fields) -> dict[str, Any]:
    """Take what :func:`pack` made out of a message."""
    plain, secret = fields.any("plain"), fields.any("secret")
    if not isinstance(plain, dict) or not isinstance(secret, dict) or plain.keys() & secret.keys():
        fields.refuse("plain")
    if any(type(value) is not bytes for value in secret.values()):
        fields.refuse("secret")
    return {**plain, **{name: SecretBytes(value) for name, value in secret.items()}}


def error_to_plain(error: ConsiliumError) -> dict[str, Any]:
    """Return an error as it travels."""
    kinds = {known: name for name, known in KINDS.items()}
    kind = next((kinds[each] for each in type(error).__mro__ if each in kinds), "bug")
    return {"kind": kind, "code": error.code, "params": dict(error.params)}


def error_from_plain(value: object) -> ConsiliumError:
    """Return the error that :func:`error_to_plain` wrote; raises ProtocolViolation."""
    fields = Fields(value, MALFORMED)
    kind, code, params = fields.text("kind", 16), fields.text("code", 128), _params(fields)
    fields.done()
    if kind not in KINDS:
        fields.refuse("kind")
    return KINDS[kind](code, **params)


def waiting_to_plain(waiting: Waiting) -> dict[str, Any]:
    """Return it as it travels."""
    return {"key": waiting.key, "params": dict(waiting.params)}


def waiting_from_plain(value: object) -> Waiting:
    """Return what :func:`waiting_to_plain` wrote; raises ProtocolViolation."""
    fields = Fields(value, MALFORMED)
    key, params = fields.text("key", 128), _params(fields)
    fields.done()
    return Waiting(key, **{name: item for name, item in params.items() if isinstance(item, str | int | float)})


def _params(fields: Fields) -> dict[str, SafeParam]:
    params = fields.any("params")
    if not isinstance(params, dict) or any(
        type(name) is not str or name in _TAKEN or not isinstance(item, SafeParam) for name, item in params.items()
    ):
        fields.refuse("params")
    return params
