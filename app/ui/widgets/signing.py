"""A dialog whose answer is signed by the site's custodian: it asks the passphrase each time, and keeps it nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.secret import SecretBytes
from app.core.services.commands import Result
from app.texts import text
from app.ui.bridge import Caller
from app.ui.tokens import Style
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import Item
from app.ui.widgets.text import Label


class SigningDialog(Dialog):
    """Gives the owner a command with the custodian's passphrase, where the site has a custodian's key.

    ``values`` returns what the command gets, or None while something is missing; ``done`` gets its result.
    """

    def __init__(
        self,
        parent: QWidget,
        title: str,
        words: str,
        *items: Item,
        answer: str,
        custodian: bool,
        danger: bool = False,
    ) -> None:
        self.passphrase = line_edit(secret=True)
        self.field = Field(text("ui.signing.passphrase"), self.passphrase, text("ui.signing.passphrase_hint"))
        self.custodian = custodian
        without = Label(text("ui.signing.no_custodian"), Style.SMALL, "text2", wrap=True)
        last: QWidget = self.field if custodian else without
        super().__init__(parent, title, words, *items, last, answer=answer, danger=danger)
        self.setMinimumWidth(520)

    def call(self, bridge: Caller, command: str, values: Mapping[str, Any], done: Callable[[Result], object]) -> None:
        """Give the command with the passphrase; the dialog stays until that is done."""
        secret: dict[str, Any] = {}
        if self.custodian:
            typed = self.passphrase.text()
            self.field.refuse("" if typed else text("ui.signing.passphrase_needed"))
            if not typed:
                self.passphrase.setFocus()
                return
            secret["passphrase"] = SecretBytes(typed.encode())

        def finished(found: Result) -> None:
            self.passphrase.clear()
            self.accept()
            done(found)

        self.busy(True)
        bridge.call(command, {**values, **secret}, of=self, done=finished, failed=self.failed)
