"""Beside the sentences: what they would do to what waits, who signed the policy, and the versions before."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.disclosure.judgement import Verdict
from app.core.disclosure.policy import Policy
from app.texts import text
from app.ui.locale import number, whole_moment
from app.ui.models.naming import Names
from app.ui.models.policy import PolicyState, changes
from app.ui.models.requests import Asked, judge
from app.ui.tokens import PANE, Style
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import card, clear, column, row
from app.ui.widgets.text import Label

_VERSIONS = 12


class Aside(QWidget):
    """The cards at the right."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Sequence[Asked] = ()
        """The requests that wait for a person."""
        self.effect = Label("", Style.BODY, wrap=True)
        self._limits = Label(text("ui.policy.effect_limits"), Style.SMALL, "text2", wrap=True)
        self._chip = Chip("")
        self._signed = Label("", Style.BODY, wrap=True)
        self._fixed = Label("", Style.SMALL, "text2", wrap=True)
        self._fixed_row = QWidget()
        self._fixed_row.setLayout(_beside(Icon("lock", 14), self._fixed))
        self._versions = QVBoxLayout()
        self._versions.setSpacing(6)
        self._versions_title = Label(text("ui.policy.versions"), Style.STRONG)
        effect = column(self.effect, self._limits, gap=4)
        self.setLayout(
            column(
                card(Label(text("ui.policy.effect_title"), Style.STRONG), effect, padding=PANE),
                card(
                    row(Label(text("ui.policy.signature"), Style.STRONG), None, self._chip),
                    self._signed,
                    self._fixed_row,
                    padding=PANE,
                ),
                card(self._versions_title, self._versions, padding=PANE),
                gap=PANE,
            )
        )

    def show_state(self, state: PolicyState, policy: Policy, names: Names, *, custodian: bool) -> None:
        """Show how it stands with ``policy``, which is that of ``state`` or is being changed."""
        self.effect.setText(effect(policy, self.waiting, names))
        self._limits.setVisible(bool(self.waiting))
        changed = bool(changes(state.policy, policy))
        if changed:
            self._chip.set(text("ui.policy.chip.draft"), "caution", "edit")
        elif state.version:
            self._chip.set(text("ui.policy.chip.force", version=state.version), "positive", "check")
        else:
            self._chip.set(text("ui.policy.chip.default"), "plain")
        self._signed.setText(_signature(state, changed=changed, custodian=custodian))
        self._fixed_row.setVisible(bool(state.fixed))
        self._fixed.setText(text("ui.policy.fixed_count", count=number(len(state.fixed)), place=state.place or "–"))
        clear(self._versions)
        for each in state.history[:_VERSIONS]:
            title = Label(text("ui.policy.version", version=each.number), Style.STRONG)
            by = text(f"ui.policy.by.{each.signed_by}")
            when = Label(whole_moment(each.at), Style.CAPTION, "text2")
            self._versions.addLayout(column(row(title, None, when), Label(by, Style.SMALL, "text2", wrap=True), gap=0))
        if not state.history:
            self._versions.addWidget(Label(text("ui.policy.no_versions"), Style.SMALL, "text2", wrap=True))
        if len(state.history) > _VERSIONS:
            more = text("ui.policy.more_versions", count=number(len(state.history) - _VERSIONS))
            self._versions.addWidget(Label(more, Style.SMALL, "text2", wrap=True))


def _beside(icon: Icon, words: Label) -> QHBoxLayout:
    made = row(gap=8)
    made.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
    made.addWidget(words, 1)
    return made


def _signature(state: PolicyState, *, changed: bool, custodian: bool) -> str:
    if changed:
        return text("ui.policy.unsigned" if custodian else "ui.policy.unused")
    if not state.version:
        return text("ui.policy.never_set")
    by = text(f"ui.policy.by.{state.signed_by or 'site'}")
    words = text("ui.policy.signed", by=by, when=whole_moment(state.signed_at))
    return words if state.signed_by == "custodian" else f"{words} {text('ui.policy.by_site_words')}"


def effect(policy: Policy, waiting: Sequence[Asked], names: Names) -> str:
    """Return what a policy would do at once to the requests that wait."""
    if not waiting:
        return text("ui.requests.policy.none_wait")
    found = [judge(policy, each, names).verdict for each in waiting]
    return text(
        "ui.requests.policy.effect",
        count=number(len(waiting)),
        answered=number(found.count(Verdict.ANSWER)),
        waits=number(found.count(Verdict.ASK)),
        declined=number(found.count(Verdict.DECLINE)),
    )
