"""What the IT of a hospital fixes for all sites of a computer, above each site's own policy.

A TOML file in UTF-8, at the place that :func:`app.core.paths.managed_settings` gives. All of it is optional, and
nothing else may be in it but the tables of :mod:`app.core.settings`::

    version = 1

    [policy]
    mode = "ask"               # "automatic", "ask", "never"
    exact = false              # may exact numbers leave?
    noised = true              # may noised ones?
    others = 3                 # contributing sites besides the asker's, at the least
    per_site = false           # may the site's own numbers be told?
    rules = [{ mode = "never", analysis = "regress" }]   # also site (a roster position), person, project
    min_patients = 500
    never = [["postcode", ""], ["stage", "iv"]]          # a variable, or one of its levels
    projects = "approved"      # "any", "approved", "listed"
    listed = []                # the ids of the listed ones
    people = "endorsed"        # "anyone", "endorsed"
    epsilon = "1/2"            # the largest of one release; "" for any
    smallest = 11              # 0, 5, 8, 11
    zeros = false
    enforced = true
    rounding = 0               # 0, 5, 10
    budget = { cap = "10", refill = "1", days = 365, researcher = "5", project = "", exact = 100 }

A field that is there is fixed: the site's policy has this value whatever the site has signed, and cannot change it.
``budget`` is fixed as a whole: what it does not say has its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.core.disclosure.policy import FIELDS, InForce, Policy
from app.core.disclosure.policy_parts import BudgetRules
from app.core.errors import ConsiliumError
from app.core.settings import ManagedFile, Settings


@dataclass(frozen=True)
class Managed:
    """What an administrator has fixed: ``policy`` holds plain values by field, as :meth:`.Policy.to_plain` has them."""

    policy: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    settings: Settings = Settings()

    def over(self, policy: Policy, version: int) -> InForce:
        """Return what holds where a site's own policy is ``policy`` in this version.

        A fixed mode is the least that holds: of the site's own exceptions only those that are as strict are left.
        """
        held = policy.with_plain(self.policy) if self.policy else policy
        if "mode" in self.policy and "rules" not in self.policy:
            strict = tuple(rule for rule in held.rules if rule.mode.strictness >= held.mode.strictness)
            held = replace(held, rules=strict)
        return InForce(held, version, frozenset(self.policy))


NOTHING = Managed()


def read_managed(file: Path) -> Managed:
    """Read the file, which need not exist.

    Raises EnvironmentProblem, naming file, line (0 if it is not known) and key: ``managed.not_toml``,
    ``managed.too_large``, ``managed.unknown_key``, ``managed.bad_value``, ``managed.newer``; ``file.*``.
    """
    found = ManagedFile(file)
    settings = found.settings()
    policy = found.table("policy")
    found.known("policy", policy, FIELDS)
    if isinstance(budget := policy.get("budget"), dict):  # what it does not say has its default
        found.known("budget", budget, tuple(BudgetRules().to_plain()))
        policy["budget"] = {**BudgetRules().to_plain(), **budget}
    for name, value in policy.items():
        try:  # one by one, so that the message names the key
            Policy().with_plain({name: value})
        except ConsiliumError as error:
            raise found.problem("managed.bad_value", name) from error
    return Managed(policy, found.file, settings)
