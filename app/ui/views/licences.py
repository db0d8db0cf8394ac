"""The licences of this program and of the libraries that come with it."""

from __future__ import annotations

from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.texts import text
from app.ui.theme import set_role
from app.ui.widgets.dialogs import Dialog

_OWN = "Apache-2.0"


def libraries() -> list[tuple[str, str, str]]:
    """Return (name, version, licence) of every library that is installed with the program, by name."""
    found = {}
    for each in metadata.distributions():
        about = each.metadata
        name = str(about["Name"] or "")
        if name and name.lower() != "consilium":
            found[name.lower()] = (name, each.version, _licence(about))
    return [found[key] for key in sorted(found)]


def _licence(about: metadata.PackageMetadata) -> str:
    """Return a licence's short name: the expression, else what the classifiers say, else the first line."""
    named = {name: about[name] for name in ("License-Expression", "License") if name in about}
    if expression := named.get("License-Expression"):
        return str(expression)
    classified = [
        each.rsplit("::", 1)[-1].strip() for each in about.get_all("Classifier") or () if "License ::" in each
    ]
    if classified:
        return ", ".join(classified)
    lines = str(named.get("License") or "").strip().splitlines()
    return lines[0][:80] if lines else "?"


def show_licences(parent: QWidget) -> Dialog:
    """Open the list."""
    lines = [f"{name} {version}: {licence}" for name, version, licence in libraries()]
    shown = QPlainTextEdit("\n".join(lines))
    set_role(shown, role="code")
    shown.setReadOnly(True)
    shown.setAccessibleName(text("ui.settings.licences"))
    shown.setMinimumSize(560, 320)
    words = text("ui.settings.licences_words", licence=_OWN)
    dialog = Dialog(parent, text("ui.settings.licences"), words, shown, answer=text("ui.close"))
    dialog.cancel_button.hide()
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog
