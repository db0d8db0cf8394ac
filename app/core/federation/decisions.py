"""Whether this site answers a request: its policy first, then, where the policy says so, a person."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from fractions import Fraction

from app.core.disclosure.judgement import Facts, Judgement, Verdict
from app.core.disclosure.mentions import Mentions, mentions_of
from app.core.disclosure.policy import FIELDS, LIMIT, USUAL_SMALLEST, InForce, Policy
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import audit, people, policy_versions
from app.core.federation.custodian import Signer
from app.core.federation.local_site import LocalSite
from app.core.federation.people import Asked
from app.core.federation.query_messages import Request
from app.core.managed import NOTHING, Managed, read_managed
from app.core.preparation.report import read_report
from app.core.query.model import Query
from app.core.store.documents import REPORT_PURPOSE, Header


class Decision(StrEnum):
    """What a person of this site said."""

    ANSWER = "answer"
    DECLINE = "decline"


def in_force(site: LocalSite) -> InForce:
    """Return what holds here now: the policy's latest version, or the default one, under what IT has fixed.

    Raises EnvironmentProblem ``policy.altered``, ``managed.*``: nothing is answered by rules that cannot be read.
    """
    version = policy_versions.current(site)
    managed = managed_of(site)
    if version is None:
        return managed.over(Policy.default(len(site.roster.sites)), 0)
    return managed.over(version.policy, version.number)


def managed_of(site: LocalSite) -> Managed:
    """Return what the IT of this computer has fixed; raises EnvironmentProblem ``managed.*``."""
    return NOTHING if site.managed_file is None else read_managed(site.managed_file)


def policy_of(site: LocalSite) -> Policy:
    """Return the policy that holds here now; raises as :func:`in_force`."""
    return in_force(site).policy


def own_policy(site: LocalSite) -> Policy:
    """Return the policy that the site itself has signed, or the default one, whatever IT has fixed above it."""
    version = policy_versions.current(site)
    return Policy.default(len(site.roster.sites)) if version is None else version.policy


def set_policy(site: LocalSite, policy: Policy, by: Signer | None = None) -> None:
    """Make this the site's policy from now on, signed ``by`` its custodian, or by the site where it has none.

    Raises as :func:`check_policy`, and UserError ``policy.needs_custodian``.
    """
    check_policy(site, policy)
    policy_versions.add(site, policy, by)


def check_policy(site: LocalSite, policy: Policy, named: Collection[str] = ()) -> None:
    """Refuse a policy that this site cannot have.

    Below what IT has fixed its own values stay as they were; ``named`` are fields that somebody wants to hold.

    Raises UserError ``policy.bad_others`` for more sites than there are, ``policy.too_large``, ``policy.fixed`` for a
    field that IT has fixed to something else, naming the file.
    """
    if len(policy.to_cbor()) > LIMIT:
        raise UserError("policy.too_large", limit=LIMIT)
    most = len(site.roster.sites) - 1
    if policy.others > most:
        raise UserError("policy.bad_others", others=policy.others, most=most)
    managed = managed_of(site)
    wanted, held, before = policy.to_plain(), managed.over(policy, 0).policy.to_plain(), own_policy(site).to_plain()
    for name in FIELDS:
        if wanted[name] != held[name] and (name in named or wanted[name] != before[name]):
            raise UserError("policy.fixed", field=name, file=managed.file)


def decide(site: LocalSite, session: bytes, decision: Decision) -> None:
    """Keep what a person said about a request. The first word stands; raises UserError ``request.decided``."""
    if decision_on(site, session) not in (None, decision):
        raise UserError("request.decided")
    with site.profile.database.atomic():
        if decision_on(site, session) is None:
            audit.record(site, "decision", what={"session": session, "decision": decision.value})
        site.profile.settings.put(_name(session), decision.value.encode())


def decision_on(site: LocalSite, session: bytes) -> Decision | None:
    """Return what a person said about a request, or None."""
    stored = site.profile.settings.get(_name(session))
    return None if stored is None else Decision(stored.decode())


def judge(site: LocalSite, asker: int, request: Request, *, arrived: int | None = None) -> Judgement:
    """Return what the site's policy says of a request that came at ``arrived`` (UTC ms; None: now).

    Raises UserError ``people.*``, ``project.*`` if who asks may not, and as :func:`in_force`.
    """
    asked = people.asked_by(site, asker, request, arrived=arrived)
    rules = in_force(site)
    return rules.judge(facts_of(site, rules.policy, asker, request, asked))


def facts_of(site: LocalSite, policy: Policy, asker: int, request: Request, asked: Asked) -> Facts:
    """Gather what ``policy`` looks at in a request of the site at ``asker``, made by ``asked``."""
    smallest = request.smallest
    return Facts(
        others=request.minimum - (asker in request.contributors),
        exact=request.epsilon is None,
        own=asker == site.position,
        per_site=request.query.per_site,
        epsilon=request.epsilon,
        analysis=request.query.analysis.name,
        mentions=mentions_of(request.query, site.catalogue, site.catalogue_of(request.meanings)),
        patients=patients_of(site) if policy.min_patients else None,
        asker=asker,
        person=asked.person,
        endorsed=asked.role is not None,
        project="" if asked.project is None else asked.project.id.hex(),
        withheld=0 if smallest is None else smallest.least,
        zeros=smallest is None or smallest.zeros,
    )


def patients_of(site: LocalSite) -> int | None:
    """Return how many patients this site's dataset has by its report, or None without a dataset.

    A report that cannot be read counts nobody: a site that wants enough patients does not answer then.
    """
    if (active := site.profile.datasets.active()) is None:
        return None
    try:
        report = site.key.open(REPORT_PURPOSE, active.report, Header.decode(active.header).hash)
        return read_report(report).patients
    except ProtocolViolation:
        return 0


def judge_own(
    site: LocalSite,
    contributors: Collection[int],
    minimum: int,
    *,
    exact: bool,
    per_site: bool = False,
    query: Query | None = None,
    epsilon: Fraction | None = None,
    asked: Asked | None = None,
) -> None:
    """Raise UserError ``policy.own_*`` if this site's policy would decline a question that it is about to ask.

    The reasons are those of :meth:`.Policy.judge`; a rule that IT has fixed keeps its code, ``policy.managed_*``. A
    site that does not contribute itself is not bound.
    """
    if site.position not in contributors:
        return
    who, rules = asked or Asked(), in_force(site)
    facts = Facts(
        others=minimum - 1,
        exact=exact,
        own=True,
        per_site=per_site,
        epsilon=epsilon,
        analysis="count" if query is None else query.analysis.name,
        mentions=Mentions() if query is None else mentions_of(query, site.catalogue),
        patients=patients_of(site) if rules.policy.min_patients else None,
        asker=site.position,
        person=who.person,
        endorsed=who.role is not None,
        project="" if who.project is None else who.project.id.hex(),
        withheld=USUAL_SMALLEST,  # what an exact question needs is asked for by the program itself
        zeros=False,
    )
    refused = rules.judge(facts).refusal
    if refused is not None:
        name = refused.code.removeprefix("policy.")
        if name.startswith("managed_"):
            raise refused
        raise UserError(f"policy.own_{name}", **refused.params) from refused


def allows(site: LocalSite, session: bytes, asker: int, request: Request) -> bool:
    """Return whether the request is answered now; False while a person has to decide.

    Raises UserError ``query.declined`` (a person said no), ``people.*``, ``project.*``, ``policy.*``; and as
    :func:`in_force`.
    """
    decision = decision_on(site, session)
    if decision is Decision.DECLINE:
        raise UserError("query.declined")
    judgement = judge(site, asker, request, arrived=_arrived(site, session))
    if judgement.refusal is not None:
        raise judgement.refusal
    _check_first(site, session, request)
    return judgement.verdict is Verdict.ANSWER or decision is Decision.ANSWER


def _check_first(site: LocalSite, session: bytes, request: Request) -> None:
    """A person signs for one question: the same signed request under another session is nobody's word.

    After its signatures were verified: a site that sends another one's request first keeps nobody from asking. Raises
    UserError ``people.repeated``.
    """
    if request.authority is None:
        return
    name = f"asked by {request.signed_part().hex()}"
    with site.profile.database.atomic():
        if (known := site.profile.settings.get(name)) is None:
            site.profile.settings.put(name, session)
    if known not in (None, session):
        raise UserError("people.repeated", person=people.claimed(site, request)[0])


def _arrived(site: LocalSite, session: bytes) -> int | None:
    found = site.profile.sessions.get(session)
    return None if found is None else found.created


def _name(session: bytes) -> str:
    return f"decision {session.hex()}"
