"""The form that makes this computer a site; for somebody with an invitation, it is read from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QFrame, QPlainTextEdit

from app.core.errors import ConsiliumError, UserError
from app.core.files import read_limited
from app.texts import explain, text
from app.ui.locale import whole_moment
from app.ui.tokens import Style
from app.ui.views.first_start.pages import Page
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import Item, card, column, frame, row
from app.ui.widgets.text import Label

_MOST_NAME, _MOST_CONTACT = 100, 300
_FILE_LIMIT = 1 << 16


@dataclass(frozen=True)
class Wanted:
    """What the person has filled in; ``invitation`` is empty for who starts a federation."""

    name: str
    contact: str
    invitation: str = ""


class SiteForm(Page):
    """The site's name and whom to telephone; with ``joining``, after the invitation, which knows the name."""

    def __init__(
        self, *, joining: bool, back: Callable[[], object], then: Callable[[Wanted], object], invitation: str = ""
    ) -> None:
        self._joining, self._then = joining, then
        self.invitation = InvitationField(self._invited)
        self.name = line_edit(changed=lambda: self._name.refuse(""))
        self.contact = line_edit(text("ui.first_start.contact_example"), changed=lambda: self._contact.refuse(""))
        self._name = Field(text("ui.first_start.name"), self.name, text("ui.first_start.name_hint"))
        self._contact = Field(text("ui.first_start.contact"), self.contact, text("ui.first_start.contact_hint"))
        self.go = Button(text("ui.first_start.go_on"), PRIMARY, size="large", pressed=self.answer)
        self.name.returnPressed.connect(self.answer)
        self.contact.returnPressed.connect(self.answer)
        fields: list[Item] = [self.invitation, 4] if joining else []
        content = card(*fields, self._name, 4, self._contact, gap=10, padding=20)
        if joining:
            title, words = text("ui.first_start.join"), text("ui.first_start.join_form_words")
        else:
            title, words = text("ui.first_start.start"), text("ui.first_start.start_form_words")
        super().__init__(title, words, back, content, 4, row(None, self.go))
        if invitation:
            self.invitation.set_text(invitation)
        first = self.name if not joining else self.contact if invitation else self.invitation.edit
        self.setFocusProxy(first)

    def answer(self) -> None:
        """Go on, or say at the fields what is missing."""
        name, contact = self.name.text().strip(), self.contact.text().strip()
        wrong = [
            (self._contact, 1 <= len(contact) <= _MOST_CONTACT, text("ui.first_start.contact_needed"), self.contact),
            (self._name, 1 <= len(name) <= _MOST_NAME, text("ui.first_start.name_needed"), self.name),
        ]
        fine = self.invitation.check() if self._joining else True
        for field, right, reason, control in wrong:
            field.refuse("" if right else reason)
            if not right:
                control.setFocus()
            fine = fine and right
        if self._joining and not self.invitation.check():
            self.invitation.edit.setFocus()
        if fine:
            self.busy(True)
            self._then(Wanted(name, contact, self.invitation.text if self._joining else ""))

    def busy(self, working: bool) -> None:
        """Keep the form from being sent twice."""
        self.go.setEnabled(not working)
        self.go.setText(text("ui.first_start.working") if working else text("ui.first_start.go_on"))

    def refused(self, error: ConsiliumError) -> None:
        """Show why it did not work."""
        self.busy(False)
        self.banners.show_error(error)

    def _invited(self, site: str) -> None:
        """Take the name from the invitation: it is good for that name only."""
        if site:
            self.name.setText(site)
        self.name.setReadOnly(bool(site))
        self.name.setEnabled(not site)


class InvitationField(QFrame):
    """Where an invitation is pasted, dropped or read from a file; what it says is shown below it."""

    def __init__(self, read: Callable[[str], object]) -> None:
        super().__init__()
        self._read = read
        self.edit = QPlainTextEdit()
        self.edit.setTabChangesFocus(True)
        self.edit.setPlaceholderText("consilium-invitation:…")
        self.edit.setFixedHeight(92)
        self.edit.textChanged.connect(self._changed)
        self._field = Field(text("ui.first_start.invitation"), self.edit, text("ui.first_start.invitation_hint"))
        self.from_file = Button(
            text("ui.first_start.from_file"), size="small", icon_name="folder", pressed=self._choose_file
        )
        self._summary = column(gap=2)
        self._shown = frame("well", self._summary)
        self._summary.setContentsMargins(12, 10, 12, 10)
        self._shown.hide()
        self.setLayout(column(self._field, self._shown, row(self.from_file, None), gap=8))

    @property
    def text(self) -> str:
        """The invitation as it was put in."""
        return self.edit.toPlainText().strip()

    def set_text(self, invitation: str) -> None:
        """Put an invitation in."""
        self.edit.setPlainText(invitation)

    def check(self) -> bool:
        """Say what is wrong with it, if anything; return whether it is right."""
        error = self._look()
        self._field.refuse("" if error is None else " ".join(filter(None, _sentences(error))))
        return error is None

    def refuse(self, error: ConsiliumError) -> None:
        """Say why the invitation cannot be used."""
        self._field.refuse(" ".join(filter(None, _sentences(error))))

    def _changed(self) -> None:
        self._field.refuse("")
        if not self.text or self._look() is None:
            return
        if self.text.rstrip().endswith("."):  # whole, and yet not right: no need to wait for the button
            self.check()

    def _look(self) -> ConsiliumError | None:
        """Read what is there and show what it says."""
        from app.core.federation.invitation import read_invitation  # noqa: PLC0415  (a start does without it)

        while (item := self._summary.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        try:
            found = read_invitation(self.text)
        except UserError as error:
            self._shown.hide()
            self._read("")
            return error
        for words, style in (
            (text("ui.first_start.invited_to", creator=found.creator, federation=found.federation), Style.STRONG),
            (text("ui.first_start.invited_site", site=found.site), Style.SMALL),
            (text("ui.first_start.invited_contact", creator=found.creator, contact=found.contact), Style.SMALL),
            (text("ui.first_start.invited_until", when=whole_moment(found.expires)), Style.SMALL),
        ):
            self._summary.addWidget(Label(words, style, "text" if style is Style.STRONG else "text2", wrap=True))
        self._shown.show()
        self._read(found.site)
        return None

    def _choose_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, text("ui.first_start.from_file"))
        if chosen:
            self.read_file(Path(chosen))

    def read_file(self, path: Path) -> None:
        """Read the invitation from a text file."""
        try:
            self.set_text(read_limited(path, _FILE_LIMIT).decode("utf-8-sig", "replace"))
        except ConsiliumError as error:
            self._field.refuse(explain(error).what)
            return
        self.check()


def _sentences(error: ConsiliumError) -> tuple[str, str]:
    told = explain(error)
    return told.what, told.next
