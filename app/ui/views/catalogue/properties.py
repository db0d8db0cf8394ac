"""The name and the version of a catalogue, asked for in a dialog."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QSpinBox, QWidget

from app.core.errors import UserError
from app.texts import text
from app.ui.models.editing import Editing
from app.ui.widgets.dialogs import Dialog, open_once
from app.ui.widgets.fields import Field, line_edit


def ask_properties(parent: QWidget, editing: Editing) -> Dialog | None:
    """Open the dialog about the catalogue that is edited."""
    catalogue = editing.catalogue
    if catalogue is None:
        return None
    name, version = line_edit(), QSpinBox()
    name.setText(catalogue.name)
    version.setRange(1, 2**31 - 1)
    version.setValue(catalogue.version)
    named = Field(text("ui.catalogue.name"), name, text("ui.catalogue.name_hint"))
    counted = Field(text("ui.catalogue.version"), version, text("ui.catalogue.version_hint"))
    dialog = Dialog(parent, text("ui.catalogue.properties"), "", named, counted, answer=text("ui.catalogue.take"))

    def answered() -> None:
        try:
            editing.do(
                lambda before: replace(before, name=name.text().strip(), version=version.value()),
                text("ui.catalogue.did.name"),
            )
        except UserError as error:
            dialog.failed(error)
        else:
            dialog.accept()

    dialog.answered = answered
    return open_once(dialog)
