"""What a policy found, rule by rule, in sentences: the same in a preview, before asking, and in a refusal."""

from __future__ import annotations

from typing import Any

from app.core.disclosure.judgement import Finding, Verdict
from app.core.errors import UserError
from app.texts import explain, text
from app.ui.models.naming import Names
from app.ui.models.policy import amount
from app.ui.models.requests import Preview
from app.ui.widgets.feedback import TimelineStep

RULES = (
    "others",
    "exact",
    "noised",
    "per_site",
    "epsilon",
    "min_patients",
    "never",
    "people",
    "projects",
    "smallest",
    "mode",
    "two",
)
"""The rules that have sentences; see :class:`app.core.disclosure.judgement.Finding`."""


def refusal(found: Preview, names: Names) -> str:
    """Return why a policy declines something, and whose rule that is; empty if it does not."""
    if found.verdict is not Verdict.DECLINE:
        return ""
    broken = next((each for each in found.findings if not each.holds), None)
    return "" if broken is None else rule_step(broken, found.version, names).words


def rule_step(finding: Finding, version: int, names: Names) -> TimelineStep:
    state = "done" if finding.holds else "failed"
    source = text(f"ui.requests.source.{finding.source}", version=version)
    if finding.rule == "asked_by":  # what a custodian or a project does not allow: no rule of the policy
        return TimelineStep(state, text("ui.requests.rule.asked_by"), _why(finding))
    if finding.rule not in RULES:
        words = _why(finding) if finding.code else ""
        return TimelineStep(state, text("ui.requests.rule.other", rule=finding.rule), f"{words} {source}".strip())
    params = _params(finding, names)
    name = finding.rule
    if name == "per_site" and not params.get("asked"):
        name = "total"
    words = text(f"ui.requests.rule_{'holds' if finding.holds else 'fails'}.{name}", **params)
    return TimelineStep(state, text(f"ui.requests.rule_title.{name}"), f"{words} {source}")


def _why(finding: Finding) -> str:
    return explain(UserError(finding.code, **finding.params)).what


def _params(finding: Finding, names: Names) -> dict[str, Any]:
    """Return what the sentence about a finding needs, as people read it."""
    params: dict[str, Any] = {"variable": "", "level": "", "least": 0, **finding.params}
    for name in ("epsilon", "most"):
        if name in params:
            params[name] = amount(str(params[name]))
    if finding.rule == "never":
        variable = names.variable(str(params["variable"]))
        level = str(params["level"])
        params["variable"] = text("ui.policy.never_level", variable=variable, level=level) if level else variable
    if finding.rule == "mode":
        kind = "exception" if params.get("exception") else "own"
        params["mode"] = text(f"ui.requests.mode.{kind}.{params.get('mode', 'ask')}")
    return params
