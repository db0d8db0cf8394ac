"""What this site allows, as data: whether a request is answered by itself, waits for a person, or is refused.

This is the minimal policy until governance comes: members only (the envelope's signature sees to that), at least so
many
contributing sites besides the asker's, exact or noised numbers, and one mode for all requests. Everything that decides
is in :meth:`Policy.judge`, a pure function of the request's facts, so that a preview can ask it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core import codec
from app.core.errors import ProtocolViolation, UserError

_VERSION = 1
_LIMIT = 1 << 12
MOST_OTHERS = 63


class Mode(StrEnum):
    """What happens to a request that the rules allow."""

    AUTOMATIC = "automatic"
    """It is answered with nobody present."""
    ASK = "ask"
    """It waits for a person of this site."""
    NEVER = "never"
    """It is declined."""


class Verdict(StrEnum):
    """What the policy says of a request."""

    ANSWER = "answer"
    ASK = "ask"


@dataclass(frozen=True)
class Facts:
    """What the policy looks at. ``others`` is how many sites besides the asker's contribute at the least."""

    others: int
    exact: bool
    own: bool
    """Whether this site itself asks."""


@dataclass(frozen=True)
class Policy:
    """This site's rules; ``others`` is k, the least number of contributing sites besides the asker's.

    Raises UserError ``policy.bad_others`` for a k out of its range.
    """

    mode: Mode = Mode.AUTOMATIC
    exact: bool = True
    noised: bool = True
    others: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.others <= MOST_OTHERS:
            raise UserError("policy.bad_others", others=self.others, most=MOST_OTHERS)

    @classmethod
    def default(cls, sites: int) -> Policy:
        """Return the policy of a site that has set none: at least two others, or the only other one of two."""
        return cls(others=min(2, sites - 1))

    def judge(self, facts: Facts) -> Verdict:
        """Say whether a request is answered or waits for a person.

        Raises UserError, the reason why it is declined: ``policy.too_few_sites``, ``policy.no_exact``,
        ``policy.no_noised``, ``policy.never``.
        """
        if facts.others < self.others:
            raise UserError("policy.too_few_sites", others=facts.others, least=self.others)
        if facts.exact and not self.exact:
            raise UserError("policy.no_exact")
        if not facts.exact and not self.noised:
            raise UserError("policy.no_noised")
        if self.mode is Mode.NEVER:
            raise UserError("policy.never")
        return Verdict.ASK if self.mode is Mode.ASK and not facts.own else Verdict.ANSWER

    def to_cbor(self) -> bytes:
        """Return the canonical bytes as the profile keeps them."""
        plain = {"mode": self.mode.value, "exact": self.exact, "noised": self.noised, "others": self.others}
        return codec.encode({"version": _VERSION, **plain})

    @classmethod
    def from_cbor(cls, data: bytes) -> Policy:
        """Read what :meth:`to_cbor` wrote; raises ProtocolViolation ``policy.malformed``."""
        match codec.decode(data, _LIMIT):
            case {
                "version": 1,
                "mode": str(mode),
                "exact": bool(exact),
                "noised": bool(noised),
                "others": int(others),
            } if mode in list(Mode):
                return cls(Mode(mode), exact, noised, others)
            case _:
                raise ProtocolViolation("policy.malformed")
