"""In whose name a question is asked, and under which project; not there while nobody is endorsed at this computer."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.texts import text
from app.ui.models.people import RANK, People
from app.ui.models.person import role_meaning, role_name
from app.ui.models.projects import Project
from app.ui.tokens import Style
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import column, line
from app.ui.widgets.text import Label


class InNameOf(QWidget):
    """Two choices. ``changed`` comes when the person at the computer has chosen another."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._people, self._projects, self._own = People(), tuple[Project, ...](), ""
        self._wanted_person = self._wanted_project = ""
        self._who = Choice(text("ui.explore.in_name_of"), [])
        self._who.chosen.connect(self._person_chosen)
        self._under = Choice(text("ui.explore.under_project"), [])
        self._under.chosen.connect(self._project_chosen)
        self._words = Label("", Style.CAPTION, "text2", wrap=True)
        self._under_label = Label(text("ui.explore.under_project"), Style.STRONG)
        for each in (self._who, self._under):
            each.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            each.setMinimumContentsLength(12)
        title = Label(text("ui.explore.in_name_of"), Style.STRONG)
        self.setLayout(column(title, self._who, self._words, self._under_label, self._under, line(), gap=6))
        self.hide()

    # --- what is chosen -------------------------------------------------------------------------------------------

    @property
    def person(self) -> str:
        """Who asks; empty is the site itself."""
        return self._who.value if self._who.count() else ""

    @property
    def project(self) -> str:
        """The id of the project; empty for none."""
        return self._under.value if self.person and self._under.count() else ""

    def want(self, person: str, project: str) -> None:
        """Choose these as soon as they can be chosen; ``project`` is an id or a title."""
        self._wanted_person, self._wanted_project = person, project
        self._show()

    def too_weak(self, *, exact: bool, per_site: bool) -> str:
        """Return why the person's role does not allow such numbers; empty if it does, or the site itself asks."""
        found = next((each for each in self._people.askers if each.name == self.person), None)
        if found is None or RANK[found.role] >= 1 + exact + 2 * per_site:
            return ""
        return text("ui.explore.cannot.role", person=found.name, role=role_name(found.role))

    # --- showing --------------------------------------------------------------------------------------------------

    def show_people(self, people: People, own: str) -> None:
        """Show who can ask from here."""
        if (people, own) != (self._people, self._own):
            self._people, self._own = people, own
            self._show()

    def show_projects(self, projects: tuple[Project, ...]) -> None:
        """Show what can be asked for."""
        approved = tuple(each for each in projects if each.state == "approved")
        if approved != self._projects:
            self._projects = approved
            self._show()

    def _show(self) -> None:
        askers = self._people.askers
        self.setVisible(bool(askers))
        entries = [("", text("ui.explore.the_site", site=self._own)), *((each.name, each.name) for each in askers)]
        _fill(self._who, entries, self._wanted_person)
        person = self.person
        theirs = [each for each in self._projects if (self._own, person) in each.members]
        none = ("", text("ui.explore.no_project"))
        wanted = next((each.id for each in theirs if self._wanted_project in (each.id, each.title)), "")
        _fill(self._under, [none, *((each.id, each.title) for each in theirs)], wanted)
        self._under.setVisible(bool(person))
        self._under_label.setVisible(bool(person))
        found = next((each for each in askers if each.name == person), None)
        self._words.setText("" if found is None else role_meaning(found.role))
        self._words.setVisible(found is not None)

    def _person_chosen(self, value: str) -> None:
        self._wanted_person = value
        self._show()
        self.changed.emit()

    def _project_chosen(self, value: str) -> None:
        self._wanted_project = value
        self.changed.emit()


def _fill(choice: Choice, entries: list[tuple[str, str]], wanted: str) -> None:
    choice.clear()
    for value, words in entries:
        choice.addItem(words, value)
    choice.set_value(wanted)
