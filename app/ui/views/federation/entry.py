"""Before there is a federation: join one with an invitation, or start one."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QWidget

from app.core.errors import ConsiliumError
from app.core.secret import SecretBytes
from app.texts import text
from app.ui.context import Context
from app.ui.tokens import Style
from app.ui.views.federation.create import CreateForm
from app.ui.views.first_start.drawings import JOIN, START, Drawing
from app.ui.views.first_start.site_form import InvitationField
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.feedback import Banners
from app.ui.widgets.layout import card, column, row
from app.ui.widgets.text import Label

_WIDEST = 1000


class Entry(QWidget):
    """The two ways into a federation."""

    def __init__(self, context: Context, changed: Callable[[], object]) -> None:
        super().__init__()
        self.joining = JoinForm(context, changed)
        self.creating = CreateForm(context, changed, back=lambda: self._show(self._choice))
        self.start = Button(text("ui.federation.create_begin"), icon_name="plus", pressed=self.open_create)
        starting = card(
            Drawing(START),
            8,
            Label(text("ui.federation.create"), Style.TITLE, wrap=True),
            Label(text("ui.federation.create_words"), Style.BODY, "text2", wrap=True),
            None,
            row(self.start, None),
            gap=8,
            padding=20,
        )
        both = row(self.joining, starting, gap=16)
        both.setStretch(0, 3)
        both.setStretch(1, 2)
        self._choice = QWidget()
        self._choice.setMaximumWidth(_WIDEST)
        self._choice.setLayout(column(both, None))
        self.setLayout(column(self._choice, self.creating, gap=0))
        self._show(self._choice)

    def _show(self, page: QWidget) -> None:
        for each in (self._choice, self.creating):
            each.setVisible(each is page)

    def open_create(self) -> None:
        """Show the form that starts a federation."""
        self._show(self.creating)
        self.creating.setFocus()

    def open_join(self, invitation: str) -> None:
        """Show an invitation that was brought here."""
        self._show(self._choice)
        self.joining.invitation.set_text(invitation)
        self.joining.go.setFocus()


class JoinForm(QFrame):
    """An invitation, and the button that uses it."""

    def __init__(self, context: Context, changed: Callable[[], object]) -> None:
        super().__init__()
        self._context, self._changed = context, changed
        self.banners = Banners()
        self.invitation = InvitationField(lambda _site: None)
        self.go = Button(text("ui.federation.join_answer"), PRIMARY, pressed=self.answer)
        inside = card(
            Drawing(JOIN),
            8,
            Label(text("ui.federation.join"), Style.TITLE, wrap=True),
            Label(text("ui.federation.join_words"), Style.BODY, "text2", wrap=True),
            self.banners,
            self.invitation,
            None,
            row(self.go, None),
            gap=8,
            padding=20,
        )
        self.setLayout(column(inside))

    def answer(self) -> None:
        """Use the invitation."""
        if not self.invitation.check():
            self.invitation.edit.setFocus()
            return
        self.go.setEnabled(False)
        values = {"invitation": SecretBytes(self.invitation.text.encode())}
        self._context.bridge.call(
            "federation.join", values, of=self, done=lambda _result: self._joined(), failed=self._failed
        )

    def _joined(self) -> None:
        self.go.setEnabled(True)
        self.banners.show_only()
        self._changed()

    def _failed(self, error: ConsiliumError) -> None:
        self.go.setEnabled(True)
        if error.code.startswith("invitation.") or error.code == "joining.other_site":
            self.invitation.refuse(error)
        else:
            self.banners.show_error(error)
