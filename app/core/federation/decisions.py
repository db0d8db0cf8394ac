"""Whether this site answers a request: its policy first, then, where the policy says so, a person."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from app.core.disclosure.policy import Facts, Policy, Verdict
from app.core.errors import UserError
from app.core.federation.local_site import LocalSite
from app.core.federation.query_messages import Request

_POLICY = "site policy"


class Decision(StrEnum):
    """What a person of this site said."""

    ANSWER = "answer"
    DECLINE = "decline"


def policy_of(site: LocalSite) -> Policy:
    """Return the site's policy, or the default one if it has set none."""
    stored = site.profile.settings.get(_POLICY)
    return Policy.default(len(site.roster.sites)) if stored is None else Policy.from_cbor(stored)


def set_policy(site: LocalSite, policy: Policy) -> None:
    """Make this the site's policy from now on; raises UserError ``policy.too_many_others``."""
    most = len(site.roster.sites) - 1
    if policy.others > most:
        raise UserError("policy.bad_others", others=policy.others, most=most)
    site.profile.settings.put(_POLICY, policy.to_cbor())


def decide(site: LocalSite, session: bytes, decision: Decision) -> None:
    """Keep what a person said about a request. The first word stands; raises UserError ``request.decided``."""
    if decision_on(site, session) not in (None, decision):
        raise UserError("request.decided")
    site.profile.settings.put(_name(session), decision.value.encode())


def decision_on(site: LocalSite, session: bytes) -> Decision | None:
    """Return what a person said about a request, or None."""
    stored = site.profile.settings.get(_name(session))
    return None if stored is None else Decision(stored.decode())


def judge(site: LocalSite, asker: int, request: Request) -> Verdict:
    """Return what the site's policy says of a request; raises UserError ``policy.*`` if it is to be declined."""
    others = request.minimum - (asker in request.contributors)
    facts = Facts(others=others, exact=request.epsilon is None, own=asker == site.position)
    return policy_of(site).judge(facts)


def judge_own(site: LocalSite, contributors: Collection[int], minimum: int, exact: bool) -> None:
    """Raise UserError ``policy.own_*`` if this site's policy would decline a question that it is about to ask.

    The reasons are those of :meth:`Policy.judge`; a site that does not contribute itself is not bound.
    """
    if site.position not in contributors:
        return
    try:
        policy_of(site).judge(Facts(others=minimum - 1, exact=exact, own=True))
    except UserError as refused:
        raise UserError(f"policy.own_{refused.code.removeprefix('policy.')}", **refused.params) from refused


def allows(site: LocalSite, session: bytes, asker: int, request: Request) -> bool:
    """Return whether the request is answered now; False while a person has to decide.

    Raises UserError ``policy.*`` or ``query.declined``.
    """
    decision = decision_on(site, session)
    if decision is Decision.DECLINE:
        raise UserError("query.declined")
    return judge(site, asker, request) is Verdict.ANSWER or decision is Decision.ANSWER


def _name(session: bytes) -> str:
    return f"decision {session.hex()}"
