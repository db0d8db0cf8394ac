"""What is done about people: a custodian's key, a researcher's key, endorsing, taking back, accepting, handing over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QDate, QDateTime, QTime
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDateEdit, QPlainTextEdit, QWidget

from app.core.secret import SecretBytes
from app.core.services.commands import Result
from app.texts import text
from app.ui.bridge import Caller
from app.ui.locale import locale
from app.ui.models.person import OTHER_ROLES, RESULT_ROLES, Person, role_meaning, role_name
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.widgets.buttons import Button
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import Choice, Field, line_edit
from app.ui.widgets.layout import row
from app.ui.widgets.signing import SigningDialog
from app.ui.widgets.text import Label

_LEAST_PASSPHRASE = 12
_YEAR = 365
_HIGH = 84

Done = Callable[[Result], object]


def date_field(name: str, days: int) -> QDateEdit:
    """Return a field for a day that is so many days ahead."""
    made = QDateEdit(QDate.currentDate().addDays(days))
    made.setCalendarPopup(True)
    made.setLocale(locale())
    made.setDisplayFormat(locale().dateFormat(locale().FormatType.ShortFormat))
    made.setMinimumDate(QDate.currentDate())
    made.setAccessibleName(name)
    return made


def end_of(field: QDateEdit) -> int:
    """Return the end of a day (UTC ms)."""
    return QDateTime(field.date(), QTime(23, 59, 59)).toMSecsSinceEpoch()


def lines_edit(height: int = _HIGH, *, code: bool = False) -> QPlainTextEdit:
    """Return a field for some lines, which Tab leaves."""
    made = QPlainTextEdit()
    made.setTabChangesFocus(True)
    made.setFixedHeight(height)
    if code:
        set_role(made, role="code")
    return made


class CustodianDialog(Dialog):
    """Makes the custodian's key, or one that follows it: then the old passphrase is asked, or it is lost."""

    def __init__(self, parent: QWidget, bridge: Caller, *, follows: bool, done: Done) -> None:
        self._bridge, self._done, self._follows = bridge, done, follows
        self.old, self.first, self.second = (line_edit(secret=True) for _ in range(3))
        self._old = Field(text("ui.people.old_passphrase"), self.old, text("ui.people.old_passphrase_hint"))
        hint = text("ui.people.passphrase_hint", least=_LEAST_PASSPHRASE)
        self._first = Field(text("ui.people.passphrase"), self.first, hint)
        self._second = Field(text("ui.people.passphrase_again"), self.second)
        title = text("ui.people.custodian_replace" if follows else "ui.people.custodian_make")
        words = text("ui.people.custodian_replace_words" if follows else "ui.people.custodian_make_words")
        parts = [*([self._old] if follows else []), self._first, self._second]
        super().__init__(parent, title, words, *parts, answer=text("ui.people.custodian_now"))
        self.setMinimumWidth(520)
        self.answered = self._make

    def _make(self) -> None:
        long_enough = len(self.first.text()) >= _LEAST_PASSPHRASE
        self._first.refuse("" if long_enough else text("ui.people.passphrase_short", least=_LEAST_PASSPHRASE))
        same = self.first.text() == self.second.text()
        self._second.refuse("" if same else text("ui.people.passphrase_differs"))
        if not (long_enough and same):
            return
        values: dict[str, Any] = {"passphrase": SecretBytes(self.first.text().encode())}
        if self._follows:
            old = self.old.text()
            values |= {"old": SecretBytes(old.encode())} if old else {"lost": True}
        self.busy(True)
        self._bridge.call("people.custodian", values, of=self, done=self._finish, failed=self.failed)

    def _finish(self, found: Result) -> None:
        self.accept()
        self._done(found)


class AcceptDialog(Dialog):
    """Accepts another site's new custodian's key, by the fingerprint that is read over the telephone."""

    def __init__(self, parent: QWidget, bridge: Caller, site: str, done: Done) -> None:
        self._bridge, self._site, self._done = bridge, site, done
        self.digits = line_edit()
        self._field = Field(text("ui.people.fingerprint"), self.digits, text("ui.people.fingerprint_hint"))
        title, words = text("ui.people.accept_title", site=site), text("ui.people.accept_words", site=site)
        super().__init__(parent, title, words, self._field, answer=text("ui.people.accept_now"))
        self.answered = self._accept

    def _accept(self) -> None:
        typed = self.digits.text().strip()
        self._field.refuse("" if typed else text("ui.text_needed"))
        if typed:
            values = {"site": self._site, "fingerprint": typed}
            self.busy(True)
            self._bridge.call("people.accept_custodian", values, of=self, done=self._finish, failed=self.failed)

    def _finish(self, found: Result) -> None:
        self.accept()
        self._done(found)


class KeyDialog(Dialog):
    """Makes a researcher's key on this workstation, and shows the request that the custodian endorses."""

    def __init__(self, parent: QWidget, bridge: Caller, done: Done) -> None:
        self._bridge, self._done = bridge, done
        self.person = line_edit(text("ui.people.name_example"))
        self._field = Field(text("ui.people.name"), self.person, text("ui.people.name_hint"))
        self.request = lines_edit(code=True)
        self.request.setReadOnly(True)
        self._request = Field(text("ui.people.request"), self.request, text("ui.people.request_hint"))
        self.copy = Button(text("ui.copy"), icon_name="copy", size="small", pressed=self._copy)
        self._digits = Label("", Style.SMALL, "text2", wrap=True, selectable=True)
        self._below = QWidget()
        self._below.setLayout(row(self.copy, self._digits, gap=10))
        title, words = text("ui.people.key_title"), text("ui.people.key_words")
        super().__init__(
            parent, title, words, self._field, self._request, self._below, answer=text("ui.people.key_now")
        )
        self.setMinimumWidth(520)
        for each in (self._request, self._below):
            each.hide()
        self.answered = self._make

    def _make(self) -> None:
        name = self.person.text().strip()
        self._field.refuse("" if name else text("ui.text_needed"))
        if name:
            self.busy(True)
            self._bridge.call("people.key", {"person": name}, of=self, done=self._show, failed=self.failed)

    def _show(self, found: Result) -> None:
        self.request.setPlainText(str(found["request"]))
        self._digits.setText(text("ui.people.fingerprint_is", fingerprint=str(found.get("fingerprint") or "–")))
        for each in (self._request, self._below):
            each.show()
        self._field.setEnabled(False)
        self.answer_button.setText(text("ui.close"))
        self.cancel_button.hide()
        self.answered = self.accept
        self.busy(False)
        self.adjustSize()
        self.copy.setFocus()
        self._done(found)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.request.toPlainText())
        announce(self, text("ui.copied"))


class EndorseDialog(SigningDialog):
    """Endorses a person by their request, or by name where they ask from this very workstation."""

    def __init__(self, parent: QWidget, bridge: Caller, *, custodian: bool, here: tuple[str, ...], done: Done) -> None:
        self._bridge, self._done = bridge, done
        self.who = Choice(
            text("ui.people.endorse_who"),
            [("", text("ui.people.endorse_request")), *((each, text("ui.people.here", person=each)) for each in here)],
        )
        self.who.chosen.connect(lambda _value: self._show_who())
        self.request = lines_edit(code=True)
        self.request.textChanged.connect(self._read)
        self._request = Field(text("ui.people.request"), self.request, text("ui.people.request_paste"))
        self._read_words = Label("", Style.SMALL, "text2", wrap=True)
        roles = [(each, role_name(each)) for each in (*RESULT_ROLES, *OTHER_ROLES)]
        self.role = Choice(text("ui.people.role"), roles)
        self.role.chosen.connect(lambda _value: self._show_role())
        self._role_words = Label("", Style.SMALL, "text2", wrap=True)
        self.until = date_field(text("ui.people.until"), _YEAR)
        super().__init__(
            parent,
            text("ui.people.endorse_title"),
            text("ui.people.endorse_words"),
            self.who,
            self._request,
            self._read_words,
            Field(text("ui.people.role"), self.role),
            self._role_words,
            Field(text("ui.people.until"), self.until, text("ui.people.until_hint")),
            answer=text("ui.people.endorse_now"),
            custodian=custodian,
        )
        self.who.setVisible(bool(here))
        self.answered = self._endorse
        self._show_role()

    def _show_who(self) -> None:
        self._request.setVisible(not self.who.value)
        self._read_words.setVisible(not self.who.value)

    def _show_role(self) -> None:
        self._role_words.setText(role_meaning(self.role.value))

    def _read(self) -> None:
        self._read_words.setText("")
        self._request.refuse("")
        if typed := self.request.toPlainText().strip():
            values = {"request": typed}
            self._bridge.call("people.read_request", values, of=self, done=self._told, failed=lambda _error: None)

    def _told(self, found: Result) -> None:
        words = text("ui.people.request_of", person=str(found["person"]), fingerprint=str(found["fingerprint"]))
        self._read_words.setText(words)

    def _endorse(self) -> None:
        typed = self.request.toPlainText().strip()
        missing = not typed and not self.who.value
        self._request.refuse(text("ui.text_needed") if missing else "")
        if missing:
            return
        values: dict[str, Any] = {"request": "" if self.who.value else typed, "role": self.role.value}
        values["until"] = end_of(self.until)
        if self.who.value:
            values["person"] = self.who.value
        self.call(self._bridge, "people.endorse", values, self._done)


class RevokeDialog(SigningDialog):
    """Takes an endorsement back, with a reason that all sites read."""

    def __init__(self, parent: QWidget, bridge: Caller, person: Person, *, custodian: bool, done: Done) -> None:
        self._bridge, self._person, self._done = bridge, person, done
        self.reason = lines_edit()
        self._field = Field(text("ui.people.reason"), self.reason, text("ui.people.reason_hint"))
        super().__init__(
            parent,
            text("ui.people.revoke_title", person=person.name),
            text("ui.people.revoke_words", person=person.name),
            self._field,
            answer=text("ui.people.revoke_now"),
            custodian=custodian,
            danger=True,
        )
        self.answered = self._revoke

    def _revoke(self) -> None:
        reason = self.reason.toPlainText().strip()
        self._field.refuse("" if reason else text("ui.text_needed"))
        if reason:
            self.call(self._bridge, "people.revoke", {"id": self._person.id, "reason": reason}, self._done)


class HandoverDialog(SigningDialog):
    """Takes back all that somebody holds who leaves, with one signature."""

    def __init__(self, parent: QWidget, bridge: Caller, leaver: str, *, custodian: bool, done: Done) -> None:
        super().__init__(
            parent,
            text("ui.people.handover_revoke_title", person=leaver),
            text("ui.people.handover_revoke_words", person=leaver),
            answer=text("ui.people.revoke_now"),
            custodian=custodian,
            danger=True,
        )
        values = {"leaver": leaver, "revoke": True}
        self.answered = lambda: self.call(bridge, "people.handover", values, done)
