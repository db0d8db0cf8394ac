"""Exceptions from the policy's mode: by who asks, under which project, for which analysis; a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.disclosure.policy import Mode, Rule
from app.core.disclosure.policy_parts import ANALYSES
from app.texts import text
from app.ui.models.naming import Names
from app.ui.tokens import Style
from app.ui.views.policy.controls import choice
from app.ui.widgets.buttons import LINK, Button, IconButton
from app.ui.widgets.feedback import announce
from app.ui.widgets.layout import clear, column, row
from app.ui.widgets.sentences import Lock, Sentence, slot
from app.ui.widgets.text import Label

_ANY = ""


class Exceptions(QWidget):
    """The rows. ``changed`` gets the rules; a row that names nothing yet is none of them."""

    def __init__(self, names: Names, changed: Callable[[tuple[Rule, ...]], object]) -> None:
        super().__init__()
        self._names, self._changed = names, changed
        self._rows: list[Rule] = []
        self._why = ""
        self._lines = QVBoxLayout()
        self._lines.setSpacing(8)
        self._title = Label(text("ui.policy.exceptions"), Style.CAPTION, "text2")
        self._note = Label(text("ui.policy.exceptions_words"), Style.SMALL, "text2", wrap=True)
        self.add = Button(text("ui.policy.exception_add"), LINK, icon_name="plus", pressed=self._add)
        self._lock = QVBoxLayout()
        self.setLayout(column(row(self._title, self._lock, None), self._lines, self._note, row(self.add, None), gap=6))

    def show_rules(self, rules: tuple[Rule, ...]) -> None:
        """Show these."""
        self._rows = list(rules)
        self._show()

    def fix(self, why: str) -> None:
        """Say that an administrator has fixed them, if ``why`` says so."""
        if why:
            self._why = why
            self.add.forbid(why)
            self._lock.addWidget(Lock(why))
            self._show()

    def _show(self) -> None:
        clear(self._lines)
        for place, rule in enumerate(self._rows):
            self._lines.addWidget(self._row(place, rule))
        self._title.setVisible(bool(self._rows))
        self._note.setVisible(bool(self._rows))

    def _row(self, place: int, rule: Rule) -> QWidget:
        names = self._names
        who = choice(text("ui.policy.who_name"), self._people(rule), _who(rule), lambda value: self._who(place, value))
        projects = {_ANY: text("ui.policy.any_project"), **names.projects}
        if rule.project not in projects:
            projects[rule.project] = names.project(rule.project)
        project = choice(
            text("ui.policy.project_name"),
            list(projects.items()),
            rule.project,
            lambda value: self._set(place, project=value),
        )
        analyses = [(_ANY, text("ui.policy.any_analysis")), *((n, text(f"ui.explore.analysis.{n}")) for n in ANALYSES)]
        analysis = choice(
            text("ui.policy.analysis_name"), analyses, rule.analysis, lambda value: self._set(place, analysis=value)
        )
        modes = [(each.value, text(f"ui.policy.then.{each}")) for each in Mode]
        mode = choice(
            text("ui.policy.then_name"), modes, rule.mode.value, lambda value: self._set(place, mode=Mode(value))
        )
        for each in (who, project):
            each.setMaximumWidth(max(each.minimumWidth(), 60))
        words = text("ui.policy.exception", who=slot(0), project=slot(1), analysis=slot(2), then=slot(3))
        sentence = Sentence(words, who, project, analysis, mode)
        made = QWidget()
        line = row(sentence, gap=8)
        line.setStretch(0, 1)
        if self._why:
            for each in (who, project, analysis, mode):
                each.setEnabled(False)
        else:
            name = text("ui.policy.exception_remove", number=place + 1)
            line.addWidget(IconButton("trash", name, size=16, pressed=lambda: self._remove(place)))
        made.setLayout(line)
        return made

    def _people(self, rule: Rule) -> list[tuple[str, str]]:
        names = self._names
        found = {_ANY: text("ui.policy.anyone")}
        found |= {str(position): text("ui.policy.all_of", site=name) for position, name in names.sites.items()}
        found |= {f"{site}/{name}": names.person(site, name) for site, name in names.people}
        if _who(rule) not in found:
            found[_who(rule)] = names.person(rule.site, rule.person) if rule.person else names.site(rule.site)
        return list(found.items())

    # --- changing -------------------------------------------------------------------------------------------------

    def _who(self, place: int, value: str) -> None:
        site, _, person = value.partition("/")
        self._set(place, site=int(site or 0), person=person)

    def _set(self, place: int, **values: object) -> None:
        self._rows[place] = replace(self._rows[place], **values)  # type: ignore[arg-type]
        self._tell()

    def _add(self) -> None:
        self._rows.append(Rule(Mode.ASK))
        self._show()
        announce(self, text("ui.policy.exception_added"))
        self._tell()
        last = self._lines.itemAt(self._lines.count() - 1)
        if last is not None and (widget := last.widget()) is not None:
            widget.setFocus()

    def _remove(self, place: int) -> None:
        del self._rows[place]
        self._show()
        self.add.setFocus()
        self._tell()

    def _tell(self) -> None:
        self._changed(tuple(rule for rule in self._rows if rule.conditions))


def _who(rule: Rule) -> str:
    if rule.person:
        return f"{rule.site}/{rule.person}"
    return str(rule.site) if rule.site else _ANY
