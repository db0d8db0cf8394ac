"""What this site allows, as data: whether a request is answered by itself, waits for a person, or is refused.

Everything that decides is in :meth:`Policy.judge`, a pure function of the request's facts, so that a preview can ask it
too. Most fields are limits, which hold for every request; which mode a request within them gets is said by the most
specific of the ``rules`` that fit it, else by ``mode``.

Canonical bytes, version 3: the map of :meth:`Policy.to_plain` with ``version``. Versions 1 and 2 had mode, exact,
noised and others, and from version 2 per_site; all else has its default then, but for the smallest count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, TypeVar

from app.core import codec
from app.core.disclosure.judgement import DEFAULT, MANAGED, SITE, Facts, Finding, Judgement, Verdict
from app.core.disclosure.policy_parts import (
    MALFORMED,
    PROJECT_BYTES,
    BudgetRules,
    Mode,
    Never,
    People,
    Projects,
    Rule,
    fraction_text,
    read_fraction,
)
from app.core.errors import ProtocolViolation, UserError
from app.core.fields import Fields

__all__ = ["BudgetRules", "Facts", "Finding", "InForce", "Judgement", "Mode", "Never", "People", "Policy", "Projects"]
__all__ += ["Rule", "Verdict"]

T = TypeVar("T", Mode, Projects, People)

VERSION = 3
LIMIT = 1 << 15
"""More bytes than any policy has."""
MOST_OTHERS = 63
MOST_PATIENTS = 1 << 24
MOST_RULES = 100
SMALLEST = (0, 5, 8, 11)
"""Below how many patients a number can be withheld; 0: none is."""
USUAL_SMALLEST = 11
ROUNDINGS = (0, 5, 10)
_FIRST_FIELDS = ("mode", "exact", "noised", "others")
_OLD_FIELDS = {1: _FIRST_FIELDS, 2: (*_FIRST_FIELDS, "per_site")}


@dataclass(frozen=True)
class Policy:
    """This site's rules; ``others`` is k, the least number of contributing sites besides the asker's.

    Raises UserError ``policy.bad_others`` for a k out of its range, ``policy.bad_value`` for another such value.
    """

    mode: Mode = Mode.AUTOMATIC
    exact: bool = True
    noised: bool = True
    others: int = 1
    per_site: bool = False
    """Whether this site's own numbers may be told apart from the total."""
    rules: tuple[Rule, ...] = ()
    """Which requests get another mode."""
    min_patients: int = 0
    """How many patients this site's dataset must have."""
    never: tuple[Never, ...] = ()
    """Variables and levels that no request may use."""
    projects: Projects = Projects.ANY
    listed: tuple[str, ...] = ()
    """The projects that are allowed where only listed ones are: ids in hexadecimal."""
    people: People = People.ANYONE
    epsilon: Fraction | None = None
    """The largest ε of one release; None is no limit."""
    smallest: int = 0
    """Below how many patients a number is withheld on the screen and in files: 0 (none is), 5, 8 or 11."""
    zeros: bool = True
    """Whether a zero is shown all the same."""
    enforced: bool = False
    """Whether an exact request must have cryptography withhold such numbers, so that no changed program shows them."""
    rounding: int = 0
    """To a multiple of what counts are rounded where they are shown: 0 (they are not), 5 or 10."""
    budget: BudgetRules = BudgetRules()

    def __post_init__(self) -> None:
        if not 1 <= self.others <= MOST_OTHERS:
            raise UserError("policy.bad_others", others=self.others, most=MOST_OTHERS)
        for name, held in (
            ("min_patients", 0 <= self.min_patients <= MOST_PATIENTS),
            ("smallest", self.smallest in SMALLEST),
            ("rounding", self.rounding in ROUNDINGS),
            ("epsilon", self.epsilon is None or self.epsilon > 0),
            ("rules", len(self.rules) <= MOST_RULES),
            ("never", len(self.never) <= MOST_RULES),
            ("listed", len(self.listed) <= MOST_RULES),
        ):
            if not held:
                raise UserError("policy.bad_value", field=name)

    @classmethod
    def default(cls, sites: int) -> Policy:
        """Return the policy of a site that has set none: at least two others, or the only other one of two."""
        return cls(others=min(2, sites - 1), smallest=USUAL_SMALLEST)

    # --- judging ----------------------------------------------------------------------------------------------

    def judge(self, facts: Facts) -> Judgement:
        """Say whether a request is answered, waits for a person or is declined, and what was found rule by rule.

        The codes of :attr:`.Judgement.refusal`: ``policy.too_few_sites``, ``.no_exact``, ``.no_noised``,
        ``.no_per_site``, ``.epsilon_too_large``, ``.too_few_patients``, ``.never_used``, ``.not_endorsed``,
        ``.no_project``, ``.project_not_listed``, ``.small_counts``, ``.never``.
        """
        findings = [
            _finding(
                "others", facts.others >= self.others, "policy.too_few_sites", others=facts.others, least=self.others
            ),
            self._precision(facts),
            self._scope(facts),
        ]
        if facts.epsilon is not None and self.epsilon is not None:
            given = {"epsilon": str(facts.epsilon), "most": str(self.epsilon)}
            findings.append(_finding("epsilon", facts.epsilon <= self.epsilon, "policy.epsilon_too_large", **given))
        if facts.patients is not None and self.min_patients:
            held = facts.patients >= self.min_patients
            findings.append(_finding("min_patients", held, "policy.too_few_patients", least=self.min_patients))
        findings += [*self._uses(facts), *self._authority(facts), *self._small(facts)]
        mode, rule = self.mode_of(facts)
        findings.append(
            _finding("mode", mode is not Mode.NEVER, "policy.never", mode=mode.value, exception=rule is not None)
        )
        if facts.others == 1:
            findings.append(Finding("two", holds=True))
        if not all(each.holds for each in findings):
            verdict = Verdict.DECLINE
        else:
            verdict = Verdict.ASK if mode is Mode.ASK and not facts.own else Verdict.ANSWER
        return Judgement(verdict, tuple(findings))

    def mode_of(self, facts: Facts) -> tuple[Mode, Rule | None]:
        """Return the mode for a request, and the rule that gives it; None if that is the policy's own mode."""
        fitting = [rule for rule in self.rules if _fits(rule, facts)]
        anywhere = [rule for rule in fitting if rule.person and not rule.site]
        mode, chosen = self.mode, None
        if certain := [rule for rule in fitting if rule not in anywhere]:
            chosen = max(certain, key=lambda rule: (rule.conditions, rule.mode.strictness))
            mode = chosen.mode
        for rule in anywhere:
            if rule.mode.strictness > mode.strictness:
                mode, chosen = rule.mode, rule
        return mode, chosen

    def _precision(self, facts: Facts) -> Finding:
        if facts.exact:
            return _finding("exact", self.exact, "policy.no_exact")
        return _finding("noised", self.noised, "policy.no_noised")

    def _scope(self, facts: Facts) -> Finding:
        return _finding("per_site", self.per_site or not facts.per_site, "policy.no_per_site", asked=facts.per_site)

    def _uses(self, facts: Facts) -> list[Finding]:
        used = [each for each in self.never if facts.mentions.has(each.code, each.level)]
        if used:
            return [
                _finding("never", False, "policy.never_used", variable=each.code, level=each.level) for each in used
            ]
        return [Finding("never", holds=True)] if self.never else []

    def _authority(self, facts: Facts) -> list[Finding]:
        findings = []
        if self.people is People.ENDORSED:
            findings.append(_finding("people", facts.endorsed, "policy.not_endorsed"))
        if self.projects is not Projects.ANY:
            held, code = bool(facts.project), "policy.no_project"
            if held and self.projects is Projects.LISTED:
                held, code = facts.project in self.listed, "policy.project_not_listed"
            findings.append(_finding("projects", held, code))
        return findings

    def _small(self, facts: Facts) -> list[Finding]:
        if not (self.enforced and self.smallest and facts.exact):
            return []
        held = facts.withheld >= self.smallest and (self.zeros or not facts.zeros)
        return [_finding("smallest", held, "policy.small_counts", least=self.smallest, zeros=self.zeros)]

    # --- plain values and bytes -------------------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any]:
        """Return all fields as JSON has them."""
        return {
            "mode": self.mode.value,
            "exact": self.exact,
            "noised": self.noised,
            "others": self.others,
            "per_site": self.per_site,
            "rules": [rule.to_plain() for rule in self.rules],
            "min_patients": self.min_patients,
            "never": [each.to_plain() for each in self.never],
            "projects": self.projects.value,
            "listed": list(self.listed),
            "people": self.people.value,
            "epsilon": fraction_text(self.epsilon),
            "smallest": self.smallest,
            "zeros": self.zeros,
            "enforced": self.enforced,
            "rounding": self.rounding,
            "budget": self.budget.to_plain(),
        }

    def with_plain(self, changed: Mapping[str, Any]) -> Policy:
        """Return this policy with some fields changed, given as :meth:`to_plain` has them; None leaves one as it is.

        Raises ProtocolViolation ``policy.malformed`` naming the field, UserError ``policy.bad_others``, ``.bad_value``.
        """
        given = {name: value for name, value in changed.items() if value is not None}
        if isinstance(given.get("budget"), dict):
            given["budget"] = {**self.budget.to_plain(), **given["budget"]}
        return Policy.from_plain({**self.to_plain(), **given})

    @classmethod
    def from_plain(cls, plain: object) -> Policy:
        """Read what :meth:`to_plain` wrote, all of it; raises as :meth:`with_plain`."""
        read = Fields(plain, MALFORMED)
        policy = cls(
            mode=_one_of(read, "mode", Mode),
            exact=_flag(read, "exact"),
            noised=_flag(read, "noised"),
            others=_whole(read, "others"),
            per_site=_flag(read, "per_site"),
            rules=tuple(map(Rule.from_plain, read.items("rules", MOST_RULES))),
            min_patients=_whole(read, "min_patients"),
            never=tuple(map(Never.from_plain, read.items("never", MOST_RULES))),
            projects=_one_of(read, "projects", Projects),
            listed=tuple(map(_id, read.items("listed", MOST_RULES))),
            people=_one_of(read, "people", People),
            epsilon=read_fraction(read, "epsilon"),
            smallest=_whole(read, "smallest"),
            zeros=_flag(read, "zeros"),
            enforced=_flag(read, "enforced"),
            rounding=_whole(read, "rounding"),
            budget=BudgetRules.from_plain(read.any("budget")),
        )
        read.done()
        return policy

    def to_cbor(self) -> bytes:
        """Return the canonical bytes as the profile keeps and signs them."""
        return codec.encode({"version": VERSION, **self.to_plain()})

    @classmethod
    def from_cbor(cls, data: bytes) -> Policy:
        """Read what :meth:`to_cbor` wrote, also in the versions from before.

        Raises ProtocolViolation ``policy.malformed``.
        """
        read = Fields.decode(data, LIMIT, MALFORMED)
        version = read.number("version", 1, VERSION)
        found = {name: read.any(name) for name in (FIELDS if version == VERSION else _OLD_FIELDS[version])}
        read.done()
        try:
            if version < VERSION:
                return cls(smallest=USUAL_SMALLEST).with_plain(found)
            policy = cls.from_plain(found)
        except UserError as error:
            raise ProtocolViolation(MALFORMED, field="") from error
        if policy.to_cbor() != data:  # a fraction written another way
            read.refuse("")
        return policy


FIELDS = tuple(each.name for each in fields(Policy))


@dataclass(frozen=True)
class InForce:
    """The policy that holds at a site now: its ``version`` (0 if the site has set none), and what IT has fixed."""

    policy: Policy
    version: int = 0
    managed: frozenset[str] = frozenset()

    def judge(self, facts: Facts) -> Judgement:
        """Judge as the policy does, and say of each rule where it comes from."""
        judged = self.policy.judge(facts)
        findings = tuple(replace(each, source=self.source_of(each.rule)) for each in judged.findings)
        return Judgement(judged.verdict, findings, self.version)

    def source_of(self, rule: str) -> str:
        """Return whose rule this is: the site's, that of its managed settings, or the default."""
        if rule in self.managed or (rule == "mode" and "rules" in self.managed):
            return MANAGED
        return SITE if self.version else DEFAULT


def _finding(rule: str, holds: bool, code: str, **params: str | int | bool) -> Finding:
    return Finding(rule, holds, "" if holds else code, params)


def _fits(rule: Rule, facts: Facts) -> bool:
    return (
        rule.site in (0, facts.asker)
        and rule.person in ("", facts.person)
        and rule.project in ("", facts.project)
        and rule.analysis in ("", facts.analysis)
    )


def _flag(read: Fields, name: str) -> bool:
    value = read.any(name)
    if not isinstance(value, bool):
        read.refuse(name)
    return value


def _whole(read: Fields, name: str) -> int:
    value = read.any(name)
    if type(value) is not int:
        read.refuse(name)
    return value


def _one_of(read: Fields, name: str, kind: type[T]) -> T:
    value = read.any(name)
    if value not in list(kind):
        read.refuse(name)
    return kind(value)


def _id(value: object) -> str:
    if isinstance(value, str) and len(value) == 2 * PROJECT_BYTES and not set(value) - set("0123456789abcdef"):
        return value
    raise ProtocolViolation(MALFORMED, field="listed")
