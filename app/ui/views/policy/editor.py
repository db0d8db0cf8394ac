"""The policy as sentences with controls in them, in the order in which a question meets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.core.disclosure.policy import MOST_PATIENTS, ROUNDINGS, SMALLEST, Mode, People, Policy, Projects
from app.texts import text
from app.ui.locale import number
from app.ui.models.naming import Names
from app.ui.models.policy import PolicyState
from app.ui.tokens import PANE, Style
from app.ui.views.policy.controls import Amount, amounts, choice, whole, yes_no
from app.ui.views.policy.exceptions import Exceptions
from app.ui.views.policy.named import NamedList
from app.ui.widgets.layout import card, clear
from app.ui.widgets.sentences import Sentence, fixed_words, slot
from app.ui.widgets.text import Label

_EPSILONS = (Fraction(1, 10), Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2))
_PERIODS = (0, 7, 30, 90, 365)
_MOST_RELEASES = 1_000_000


@dataclass(frozen=True)
class Surroundings:
    """What the sentences need besides the policy: names, and how many sites there are."""

    names: Names = Names()
    sites: int = 2


class Editor(QWidget):
    """The sentences. ``changed`` comes with every change; ``policy`` is what they say."""

    changed = Signal()

    def __init__(self, pick_variable: Callable[[Callable[[str], object]], object]) -> None:
        super().__init__()
        self.policy = Policy()
        self._pick_variable = pick_variable
        self._shown: tuple[Policy, PolicyState, Surroundings] | None = None
        self._state = PolicyState(Policy())
        self._around = Surroundings()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(16)

    def show_policy(self, policy: Policy, state: PolicyState, around: Surroundings) -> None:
        """Show a policy; nothing is made anew where nothing is different, so that nobody loses the place."""
        if (policy, state, around) == self._shown:
            return
        self._shown = (policy, state, around)
        self.policy, self._state, self._around = policy, state, around
        clear(self._layout)
        for title, sentences in (
            (text("ui.policy.part.mode"), self._modes()),
            (text("ui.policy.part.who"), self._who()),
            (text("ui.policy.part.data"), self._data()),
            (text("ui.policy.part.leave"), self._leave()),
            (text("ui.policy.part.small"), self._small()),
            (text("ui.policy.part.budget"), self._budget()),
        ):
            self._layout.addWidget(_part(title, sentences))

    # --- changing -------------------------------------------------------------------------------------------------

    def _set(self, name: str, value: Any) -> None:
        section, _, part = name.partition(".")
        if part:
            value = replace(self.policy.budget, **{part: value})
        if getattr(self.policy, section) == value:
            return
        self.policy = replace(self.policy, **{section: value})
        if self._shown is not None:
            self._shown = (self.policy, *self._shown[1:])  # what the controls say already
        self.changed.emit()

    def _to(self, name: str) -> Callable[[Any], None]:
        return partial(self._set, name)

    def _fixed(self, name: str) -> str:
        return fixed_words(self._state.place) if self._state.is_fixed(name) else ""

    # --- sentences ------------------------------------------------------------------------------------------------

    def _modes(self) -> list[QWidget]:
        modes = [(each.value, text(f"ui.policy.mode.{each}")) for each in Mode]
        name = text("ui.policy.mode_name")
        mode = choice(name, modes, self.policy.mode, lambda value: self._set("mode", Mode(value)))
        exceptions = Exceptions(self._around.names, self._to("rules"))
        exceptions.show_rules(self.policy.rules)
        exceptions.fix(self._fixed("rules"))
        return [Sentence(text("ui.policy.mode", mode=slot(0)), mode, fixed=self._fixed("mode")), exceptions]

    def _who(self) -> list[QWidget]:
        people = choice(
            text("ui.policy.people_name"),
            [(each.value, text(f"ui.policy.people.{each}")) for each in People],
            self.policy.people,
            lambda value: self._set("people", People(value)),
        )
        projects = choice(
            text("ui.policy.projects_name"),
            [(each.value, text(f"ui.policy.projects.{each}")) for each in Projects],
            self.policy.projects,
            self._choose_projects,
        )
        self._listed = NamedList(
            text("ui.policy.listed"), text("ui.policy.listed_add"), self._around.names.projects, self._to("listed")
        )
        self._listed.show_keys(self.policy.listed)
        self._listed.fix(self._fixed("listed"))
        self._listed.setVisible(self.policy.projects is Projects.LISTED)
        return [
            Sentence(text("ui.policy.people", people=slot(0)), people, fixed=self._fixed("people")),
            Sentence(text("ui.policy.projects", projects=slot(0)), projects, fixed=self._fixed("projects")),
            self._listed,
        ]

    def _choose_projects(self, value: str) -> None:
        self._set("projects", Projects(value))
        self._listed.setVisible(self.policy.projects is Projects.LISTED)

    def _data(self) -> list[QWidget]:
        most = max(self._around.sites - 1, self.policy.others)
        others = choice(
            text("ui.policy.others_name"),
            [(str(count), number(count)) for count in range(1, most + 1)],
            str(self.policy.others),
            lambda value: self._set("others", int(value)),
        )
        patients = whole(
            text("ui.policy.patients_name"),
            self.policy.min_patients,
            (0, MOST_PATIENTS),
            self._to("min_patients"),
            text("ui.policy.patients_any"),
        )
        never = NamedList(
            text("ui.policy.never"),
            text("ui.policy.never_add"),
            self._around.names.variables,
            self._to("never"),
            pick=self._pick_variable,
        )
        never.show_never(self.policy.never)
        never.fix(self._fixed("never"))
        two = text("ui.policy.two_words") if self._around.sites == 2 else ""
        return [
            Sentence(text("ui.policy.others", others=slot(0)), others, note=two, fixed=self._fixed("others")),
            Sentence(text("ui.policy.patients", patients=slot(0)), patients, fixed=self._fixed("min_patients")),
            never,
        ]

    def _leave(self) -> list[QWidget]:
        may = (text("ui.policy.may"), text("ui.policy.may_not"))
        found: list[QWidget] = [
            Sentence(
                text(f"ui.policy.allow.{name}", may=slot(0)),
                yes_no(text(f"ui.policy.allow_name.{name}"), may, getattr(self.policy, name), self._to(name)),
                fixed=self._fixed(name),
            )
            for name in ("exact", "noised", "per_site")
        ]
        epsilon = amounts(
            text("ui.policy.epsilon_name"),
            _EPSILONS,
            self.policy.epsilon,
            text("ui.policy.any_amount"),
            self._to("epsilon"),
        )
        words = text("ui.policy.epsilon", most=slot(0))
        found.append(Sentence(words, epsilon, note=text("ui.policy.epsilon_words"), fixed=self._fixed("epsilon")))
        return found

    def _small(self) -> list[QWidget]:
        smallest = choice(
            text("ui.policy.smallest_name"),
            [(str(each), _below(each)) for each in SMALLEST],
            str(self.policy.smallest),
            lambda value: self._set("smallest", int(value)),
        )
        shown = (text("ui.policy.zeros.shown"), text("ui.policy.zeros.hidden"))
        zeros = yes_no(text("ui.policy.zeros_name"), shown, self.policy.zeros, self._to("zeros"))
        rules = (text("ui.policy.enforced.yes"), text("ui.policy.enforced.no"))
        enforced = yes_no(text("ui.policy.enforced_name"), rules, self.policy.enforced, self._to("enforced"))
        rounding = choice(
            text("ui.policy.rounding_name"),
            [(str(each), _rounded(each)) for each in ROUNDINGS],
            str(self.policy.rounding),
            lambda value: self._set("rounding", int(value)),
        )
        return [
            Sentence(text("ui.policy.smallest", smallest=slot(0)), smallest, fixed=self._fixed("smallest")),
            Sentence(text("ui.policy.zeros", zeros=slot(0)), zeros, fixed=self._fixed("zeros")),
            Sentence(
                text("ui.policy.enforced", enforced=slot(0)),
                enforced,
                note=text("ui.policy.enforced_words"),
                fixed=self._fixed("enforced"),
            ),
            Sentence(text("ui.policy.rounding", rounding=slot(0)), rounding, fixed=self._fixed("rounding")),
        ]

    def _budget(self) -> list[QWidget]:
        rules, unlimited = self.policy.budget, text("ui.policy.unlimited")
        cap = Amount(text("ui.policy.cap_name"), rules.cap, unlimited, self._to("budget.cap"))
        refill = Amount(
            text("ui.policy.refill_name"),
            rules.refill or None,
            text("ui.policy.nothing"),
            lambda value: self._set("budget.refill", value or Fraction(0)),
        )
        days = choice(
            text("ui.policy.days_name"),
            [(str(each), _period(each)) for each in sorted({*_PERIODS, rules.days})],
            str(rules.days),
            lambda value: self._set("budget.days", int(value)),
        )
        shares: list[QWidget] = [
            Sentence(
                text(f"ui.policy.share.{name}", most=slot(0)),
                Amount(
                    text(f"ui.policy.share_name.{name}"), getattr(rules, name), unlimited, self._to(f"budget.{name}")
                ),
                fixed=self._fixed(f"budget.{name}"),
            )
            for name in ("researcher", "project")
        ]
        quota = whole(
            text("ui.policy.quota_name"),
            -1 if rules.exact is None else rules.exact,
            (-1, _MOST_RELEASES),
            lambda value: self._set("budget.exact", None if value < 0 else value),
            text("ui.policy.any_number"),
        )
        fixed = self._fixed("budget.refill") or self._fixed("budget.days")
        refilling = text("ui.policy.refill", amount=slot(0), days=slot(1))
        return [
            Sentence(text("ui.policy.cap", most=slot(0)), cap, fixed=self._fixed("budget.cap")),
            Sentence(refilling, refill, days, note=text("ui.policy.refill_words"), fixed=fixed),
            *shares,
            Sentence(text("ui.policy.quota", quota=slot(0)), quota, fixed=self._fixed("budget.exact")),
        ]


def _part(title: str, sentences: list[QWidget]) -> QFrame:
    return card(Label(title, Style.STRONG), *sentences, gap=12, padding=PANE)


def _below(smallest: int) -> str:
    if not smallest:
        return text("ui.policy.smallest.none")
    return text("ui.policy.smallest.below", most=number(smallest - 1))


def _rounded(step: int) -> str:
    return text("ui.policy.rounding.to", step=number(step)) if step else text("ui.policy.rounding.none")


def _period(days: int) -> str:
    if days in _PERIODS:
        return text(f"ui.policy.days.{days}")
    return text("ui.policy.days_other", days=number(days))
