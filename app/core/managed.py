"""What the IT of a hospital fixes for all sites of a computer, above each site's own policy.

A TOML file in UTF-8, at the place that :func:`app.core.paths.managed_settings` gives. All of it is optional, and
nothing else may be in it::

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

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.core.disclosure.policy import FIELDS, InForce, Policy
from app.core.disclosure.policy_parts import BudgetRules
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.files import disk_problems
from app.core.toml_reader import parse_toml

_LIMIT = 1 << 16
_VERSION = 1


@dataclass(frozen=True)
class Managed:
    """What an administrator has fixed: ``policy`` holds plain values by field, as :meth:`.Policy.to_plain` has them."""

    policy: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""

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
    with disk_problems(file):
        try:
            with open(file, "rb") as opened:
                data = opened.read(_LIMIT + 1)
        except FileNotFoundError:
            return NOTHING
    if len(data) > _LIMIT:
        raise EnvironmentProblem("managed.too_large", file=str(file), limit=_LIMIT)
    try:
        text = data.decode("utf-8-sig")
        plain = parse_toml(text)
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise EnvironmentProblem("managed.not_toml", file=str(file), reason=str(error)) from error
    return _Reading(file, text).managed(plain)


class _Reading:
    """One file while it is read: whatever is wrong names it, the line and the key."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = str(file)
        self._lines = text.splitlines()

    def managed(self, plain: Mapping[str, Any]) -> Managed:
        self._known("", plain, ("version", "policy"))
        if plain.get("version", _VERSION) != _VERSION:
            raise EnvironmentProblem("managed.newer", file=self._file, version=str(plain["version"])[:20])
        policy = plain.get("policy", {})
        if not isinstance(policy, dict):
            raise self._problem("managed.bad_value", "policy")
        self._known("policy", policy, FIELDS)
        self._budget(policy)
        for name, value in policy.items():
            try:  # one by one, so that the message names the key
                Policy().with_plain({name: value})
            except ConsiliumError as error:
                raise self._problem("managed.bad_value", name) from error
        return Managed(policy, self._file)

    def _budget(self, policy: dict[str, Any]) -> None:
        """Fill in what ``budget`` does not say."""
        if isinstance(given := policy.get("budget"), dict):
            self._known("budget", given, tuple(BudgetRules().to_plain()))
            policy["budget"] = {**BudgetRules().to_plain(), **given}

    def _known(self, table: str, found: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in found:
            if name not in names:
                raise self._problem("managed.unknown_key", name, table)

    def _problem(self, code: str, key: str, table: str = "") -> EnvironmentProblem:
        named = f"{table}.{key}" if table else key
        return EnvironmentProblem(code, file=self._file, line=self._line(key), key=named[:100])

    def _line(self, key: str) -> int:
        """Return the first line that sets ``key`` or opens a table of that name; 0 if there is none such."""
        sets = re.compile(rf"""(^|[\s.\[{{,"'])["']?{re.escape(key)}["']?\s*[=.\]]""")
        return next((number for number, line in enumerate(self._lines, start=1) if sets.search(line)), 0)
