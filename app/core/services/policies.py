"""This site's policy: shown with its versions and what IT has fixed, changed, and signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.core.disclosure.policy import Mode, Rule
from app.core.disclosure.policy_sentences import Names, sentences
from app.core.errors import UserError
from app.core.federation import audit, charging, custodian, decisions, people, policy_versions, projects
from app.core.federation.local_site import LocalSite
from app.core.federation.query_messages import Request
from app.core.secret import SecretBytes
from app.core.services.member import Member


def show(member: Member) -> dict[str, Any]:
    """Return the policy that holds, in fields and sentences, with its versions; see ``policy.show``.

    Raises EnvironmentProblem ``policy.altered``, ``managed.*``.
    """
    site = member.site
    rules, managed, versions = decisions.in_force(site), decisions.managed_of(site), policy_versions.history(site)
    last, draft = versions[-1] if versions else None, policy_versions.draft(site)
    said = sentences(rules, len(site.roster.sites), _names(site))
    return {
        "policy": rules.policy.to_plain(),
        "version": rules.version,
        "signed_by": "" if last is None else last.by,
        "signed_at": 0 if last is None else last.at,
        "custodian": custodian.exists(site),
        "sentences": [each.to_plain() for each in said],
        "managed": {name: rules.policy.to_plain()[name] for name in sorted(rules.managed)},
        "managed_source": managed.file,
        "draft": None if draft is None else draft.to_plain(),
        "history": [{"version": each.number, "at": each.at, "signed_by": each.by} for each in reversed(versions)],
    }


def change(member: Member, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Change some fields, given as :meth:`.Policy.to_plain` has them; None leaves one as it is. Return as :func:`show`.

    It holds at once where the site has no custodian; else it is the draft, which :func:`sign` puts into force. Raises
    ProtocolViolation ``policy.malformed``, and as :func:`.decisions.check_policy`.
    """
    site = member.site
    before = policy_versions.draft(site) or decisions.own_policy(site)
    policy = before.with_plain(changed)
    decisions.check_policy(site, policy, [name for name, value in changed.items() if value is not None])
    if custodian.exists(site):
        with site.profile.database.atomic():
            policy_versions.keep_draft(site, None if policy == decisions.own_policy(site) else policy)
            audit.record(site, "policy.changed", what={"draft": policy.to_plain()})
    elif policy != decisions.own_policy(site):
        decisions.set_policy(site, policy)
    return show(member)


def sign(member: Member, passphrase: SecretBytes | None) -> dict[str, Any]:
    """Put the draft into force, signed with the custodian's key; return as :func:`show`.

    Without a draft, a policy that the custodian has not signed yet is signed as it is, or one of a profile that was
    restored from an older copy: whoever signs has looked at it. Raises UserError ``policy.nothing_to_sign``, and as
    :func:`.custodian.signer`.
    """
    site = member.site
    by, draft, last = custodian.signer(site, passphrase), policy_versions.draft(site), policy_versions.current(site)
    if draft is None and last is not None and last.by == by.by and not charging.history_lost(site):
        raise UserError("policy.nothing_to_sign")
    decisions.set_policy(site, draft or decisions.own_policy(site), by)
    return show(member)


def always(member: Member, asker: int, request: Request) -> None:
    """Change the policy so that requests of this kind are answered at once from now on.

    That is the same analysis for the same person of the same site under the same project; all limits go on holding.
    Raises as :func:`change`.
    """
    site = member.site
    asked = people.asked_by(site, asker, request)
    project = "" if asked.project is None else asked.project.id.hex()
    rule = Rule(Mode.AUTOMATIC, asker, asked.person, project, request.query.analysis.name)
    policy = policy_versions.draft(site) or decisions.own_policy(site)
    others = [each for each in policy.rules if replace(each, mode=rule.mode) != rule]
    change(member, {"rules": [each.to_plain() for each in (*others, rule)]})


def _names(site: LocalSite) -> Names:
    titles = {each.id.hex(): each.title for each in projects.known(site)}

    def name(position: int) -> str:
        return site.site_name(position) if position in site.roster.positions else f"({position})"

    return Names(name, lambda id: titles.get(id, id[:12]))
