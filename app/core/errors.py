"""The one family of errors.

An error carries a stable ``code`` (``"csv.unknown_level"``) and ``params`` that are safe to show: no
secrets, no key material. Text for people is not here: ``app/texts.py`` turns a code into sentences in the
reader's language (what happened, whether data is safe, what to do next).
"""

from __future__ import annotations

SafeParam = str | int | float | bool | None


class ConsiliumError(Exception):
    """Root of every error the program raises on purpose."""

    def __init__(self, code: str, **params: SafeParam) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code}({details})"

    def __reduce__(self) -> tuple[object, ...]:  # crosses from worker processes with its params
        return (_rebuild, (type(self), self.code, self.params))


def _rebuild(kind: type[ConsiliumError], code: str, params: dict[str, SafeParam]) -> ConsiliumError:
    return kind(code, **params)


class UserError(ConsiliumError):
    """The person asked for something that cannot be done; they can change it."""


class EnvironmentProblem(ConsiliumError):
    """The machine stands in the way: keyring, disk, permissions, a missing library."""


class PeerProblem(ConsiliumError):
    """Another site is late, offline or refuses."""


class ProtocolViolation(ConsiliumError):
    """Bytes that no honest, current peer sends: altered, replayed, foreign, malformed."""


class Bug(ConsiliumError):
    """Something that cannot happen has happened in this program."""
