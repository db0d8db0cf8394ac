"""Federation in its states."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.errors import UserError
from app.ui.views.federation import FederationView
from app.ui.views.federation.gather import StartDialog
from app.ui.window import Window
from tests.ui import examples_federation as examples
from tests.ui.fake_hospitals import invitation
from tests.ui.gallery import Stage, state


def shown(
    stage: Stage,
    found: dict[str, Any],
    argument: object = None,
    *,
    answers: dict[str, Any] | None = None,
    **changes: Any,
) -> tuple[Window, FederationView]:
    window = stage.window("federation", {**examples.answers(found, **changes), **(answers or {})}, argument)
    view = window.view("federation")
    assert isinstance(view, FederationView)
    view.refresh()
    return window, view


def _alone(stage: Stage, window: Window, dialog: QWidget) -> QWidget:
    """A dialog in its own size, without the window behind it."""
    stage.kept.append(window)
    dialog.adjustSize()
    dialog.setFixedSize(dialog.size())
    return dialog


@state("federation/empty")
def empty(stage: Stage) -> QWidget:
    return shown(stage, examples.NOTHING, connection="none")[0]


@state("federation/joining_invitation")
def joining(stage: Stage) -> QWidget:
    return shown(stage, examples.NOTHING, invitation(), connection="none")[0]


@state("federation/creating")
def creating(stage: Stage) -> QWidget:
    return shown(stage, examples.NOTHING, "create", connection="none")[0]


@state("federation/creating_refused")
def creating_refused(stage: Stage) -> QWidget:
    answers = {"federation.create": UserError("relay.code_refused")}
    window, view = shown(stage, examples.NOTHING, "create", answers=answers, connection="none")
    form = view.entry.creating
    form.name.setText("Swiss Melanoma Study")
    form.relay.setText("https://relay.example.org:8443")
    form.code.setText("ABCDE-FGHJK")
    form.answer()
    return window


@state("federation/gathering")
def gathering(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.GATHERING)
    for tile in view.gather.words["Geneva"].tiles[:4]:
        tile.setChecked(True)
    return window


@state("federation/words_differ")
def words_differ(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.GATHERING)
    view.gather.words["Geneva"].differ.click()
    return window


@state("federation/inviting")
def inviting(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.GATHERING)
    dialog = _alone(stage, window, view.invite("Zürich"))
    dialog.setFixedSize(960, 640)  # the code is white in the dark as well, as cameras want it
    return dialog


@state("federation/expired")
def expired(stage: Stage) -> QWidget:
    return shown(stage, examples.EXPIRED)[0]


@state("federation/invited")
def invited(stage: Stage) -> QWidget:
    return shown(stage, examples.INVITED)[0]


@state("federation/signing")
def signing(stage: Stage) -> QWidget:
    return shown(stage, examples.SIGNING)[0]


@state("federation/ceremony")
def ceremony(stage: Stage) -> QWidget:
    return shown(stage, examples.CEREMONY)[0]


@state("federation/failed")
def failed(stage: Stage) -> QWidget:
    return shown(stage, examples.FAILED)[0]


@state("federation/not_backed_up")
def not_backed_up(stage: Stage) -> QWidget:
    return shown(stage, examples.READY)[0]


@state("federation/ready")
def ready(stage: Stage) -> QWidget:
    return shown(stage, examples.READY, answers={"keys.status": examples.BACKED_UP})[0]


@state("federation/relay_trouble")
def relay_trouble(stage: Stage) -> QWidget:
    answers = {"relay.check": examples.RELAY_WRONG, "keys.status": examples.BACKED_UP}
    return shown(stage, examples.READY, answers=answers, connection="trouble", trouble="relay.tls_inspected")[0]


@state("federation/pretend")
def pretend(stage: Stage) -> QWidget:
    return shown(stage, examples.READY, pretend=True)[0]


@state("federation/sheet")
def sheet(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.READY)
    dialog = view.print_sheet()
    dialog.ask()  # type: ignore[attr-defined]
    return _alone(stage, window, dialog)


@state("federation/backup_file")
def backup_file(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.READY)
    dialog = view.save_backup()
    dialog.answer()
    return _alone(stage, window, dialog)


@state("federation/checking_backup")
def checking_backup(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.READY, answers={"keys.restore_words": UserError("recovery.damaged")})
    dialog = view.check_backup()
    dialog.answer()
    return _alone(stage, window, dialog)


@state("federation/starting")
def starting(stage: Stage) -> QWidget:
    window, view = shown(stage, examples.GATHERING)
    return _alone(stage, window, StartDialog(view, view.context, view.found, lambda: None))
