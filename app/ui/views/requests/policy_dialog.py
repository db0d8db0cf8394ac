"""The site's policy as sentences with controls in them, and what it would do to what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QWidget

from app.core.disclosure.policy import Mode, Policy
from app.texts import text
from app.ui.locale import number
from app.ui.models.requests import Asked, Fate, fate
from app.ui.tokens import Style
from app.ui.views.requests import wording
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import Icon, Timeline
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import Flow, card, column, row
from app.ui.widgets.text import Label

_YES, _NO = "yes", "no"
_CONTROL = "\ue000"


class PolicyDialog(Dialog):
    """Change the policy. ``opened`` is the request that is looked at, if one that waits is."""

    def __init__(
        self,
        parent: QWidget,
        policy: Policy,
        *,
        sites: int,
        waiting: Sequence[Asked],
        opened: Asked | None,
        use: Callable[[Policy], object],
    ) -> None:
        self._mode = Choice(text("ui.requests.policy.mode_name"), [(m.value, _mode(m)) for m in Mode])
        self._exact = Choice(text("ui.requests.policy.exact_name"), _may())
        self._noised = Choice(text("ui.requests.policy.noised_name"), _may())
        counts = [(str(count), number(count)) for count in range(1, max(sites - 1, policy.others) + 1)]
        self._others = Choice(text("ui.requests.policy.others_name"), counts)
        self._waiting, self._opened = waiting, opened
        self._summary = Label("", Style.BODY, wrap=True)
        self._steps = Timeline()
        rules = card(
            _sentence(text("ui.requests.policy.mode", control=_CONTROL), self._mode),
            _sentence(text("ui.requests.policy.exact", control=_CONTROL), self._exact),
            _sentence(text("ui.requests.policy.noised", control=_CONTROL), self._noised),
            _sentence(text("ui.requests.policy.others", control=_CONTROL), self._others),
            gap=10,
            padding=14,
        )
        happens = column(row(Icon("info", 16, "acc"), self._summary, gap=8), gap=12)
        if opened is not None:
            happens.addWidget(Label(text("ui.requests.preview"), Style.STRONG))
            happens.addWidget(self._steps)
        title, words = text("ui.requests.policy.title"), text("ui.requests.policy.words")
        super().__init__(parent, title, words, rules, happens, answer=text("ui.requests.policy.use"))
        self.setMinimumWidth(600)
        self._mode.set_value(policy.mode.value)
        self._exact.set_value(_YES if policy.exact else _NO)
        self._noised.set_value(_YES if policy.noised else _NO)
        self._others.set_value(str(policy.others))
        for each in (self._mode, self._exact, self._noised, self._others):
            each.chosen.connect(lambda _value: self._preview())
        self.answered = lambda: use(self.policy)
        self._preview()

    @property
    def policy(self) -> Policy:
        """The policy as the controls say it."""
        return Policy(
            Mode(self._mode.value), self._exact.value == _YES, self._noised.value == _YES, int(self._others.value)
        )

    def _preview(self) -> None:
        policy = self.policy
        self._summary.setText(effect(policy, self._waiting))
        if self._opened is not None:
            self._steps.show_steps(wording.preview(policy, self._opened))


def effect(policy: Policy, waiting: Sequence[Asked]) -> str:
    """Return what a policy would do at once to the requests that wait."""
    if not waiting:
        return text("ui.requests.policy.none_wait")
    fates = [fate(policy, each)[0] for each in waiting]
    return text(
        "ui.requests.policy.effect",
        count=number(len(waiting)),
        answered=number(fates.count(Fate.ANSWERED)),
        waits=number(fates.count(Fate.WAITS)),
        declined=number(fates.count(Fate.DECLINED)),
    )


def _mode(mode: Mode) -> str:
    return text(f"ui.requests.policy.mode.{mode}")


def _may() -> list[tuple[str, str]]:
    return [(_YES, text("ui.requests.policy.may")), (_NO, text("ui.requests.policy.may_not"))]


def _sentence(words: str, control: QWidget) -> QWidget:
    """Return a sentence with a control in its middle; it breaks like words do."""
    before, _, after = words.partition(_CONTROL)
    made = QWidget()
    flow = Flow(4, made)
    for part in before.split():
        flow.addWidget(Label(part))
    flow.addWidget(control)
    for part in after.split():
        flow.addWidget(Label(part))
    return made
