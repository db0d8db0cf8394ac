"""Asking a question, and reading its answer as a person does."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from app.core.disclosure.noise import half_width, laplace_scale
from app.core.errors import PeerProblem, UserError
from app.core.federation.contributing import COUNT_SENSITIVITY
from app.core.federation.query_session import FAILED, Released
from app.core.query.model import Query
from app.core.query.text import parse
from app.core.services.member import Member

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Answer:
    """A released count. ``half_width`` is that of the 95 % interval which the sites' noise implies; 0 if exact."""

    text: str
    count: int
    exact: bool
    noise_scale: float
    half_width: int
    contributors: tuple[str, ...]
    declined: tuple[tuple[str, str], ...]


def ask(member: Member, text: str, *, epsilon: Fraction | None = None, purpose: str) -> bytes:
    """Ask every site the question ``text``; exact, or with each site's own noise of ``epsilon``. Return its id.

    Raises UserError ``query.*`` that points at the place of a mistake.
    """
    site = member.site
    query = Query(parse(text, site.catalogue))
    return member.desk.ask(
        query,
        text=text,
        epsilon=epsilon,
        contributors=site.roster.positions,
        quorum=_nearest_quorum(member),
        minimum=len(site.roster.positions),
        purpose=purpose,
    )


def _nearest_quorum(member: Member) -> tuple[int, ...]:
    """Return this site and those that follow it in the roster, as many as the quorum asks for."""
    site = member.site
    count = len(site.roster.sites)
    members = {(site.position - 1 + step) % count + 1 for step in range(site.roster.quorum)}
    return tuple(sorted(members))


def read_answer(member: Member, session: bytes, text: str) -> Answer:
    """Return the released answer of a query.

    Raises PeerProblem ``query.failed`` (with the reason's code) or UserError ``query.not_released`` while it is open.
    """
    released = member.desk.result(session)
    if released is None:
        status = member.desk.status(session)
        if status.state == FAILED:
            raise PeerProblem("query.failed", reason=status.code)
        raise UserError("query.not_released", waiting=", ".join(status.waiting_for))
    return answer_of(released, text)


def answer_of(released: Released, text: str) -> Answer:
    """Return what a released query says: the count and how sure it is."""
    scale = None if released.epsilon is None else laplace_scale(released.epsilon, COUNT_SENSITIVITY)
    scales = [] if scale is None else [scale] * len(released.contributors)
    return Answer(
        text=text,
        count=released.numbers[0],
        exact=scale is None,
        noise_scale=0.0 if scale is None else float(scale),
        half_width=half_width(scales, CONFIDENCE) if scales else 0,
        contributors=released.contributors,
        declined=tuple(sorted(released.declined.items())),
    )
