"""Requests in its states."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QWidget

from app.core.errors import UserError
from app.ui.theme import set_role
from app.ui.views.requests import RequestsView
from tests.ui import examples
from tests.ui import examples_requests as asked
from tests.ui.gallery import Stage, state

NOTES = [
    {"site": "Lausanne", "text": "Which years does this study look at?"},
    {"site": "Geneva", "text": "Patients diagnosed since 2015. The protocol is with your ethics committee."},
]


def _shown(stage: Stage, requests: list[dict[str, object]], argument: object = None) -> QWidget:
    waiting = sum(each["state"] == "waiting" for each in requests)
    overview = examples.overview(waiting_requests=waiting)
    return stage.window("requests", {"site.overview": overview, **asked.answers(requests)}, argument)


@state("requests/waiting")
def waiting(stage: Stage) -> QWidget:
    return _shown(stage, asked.TYPICAL)


@state("requests/exact-with-notes")
def notes(stage: Stage) -> QWidget:
    requests = [
        {**each, "notes": NOTES, "reminders": 2} if each["id"] == asked.BERN else each for each in asked.TYPICAL
    ]
    widget = _shown(stage, requests, asked.BERN)
    view = widget.view("requests")  # type: ignore[attr-defined]
    assert isinstance(view, RequestsView)
    view.opened.unfold()
    return widget


@state("requests/answered-by-rule")
def by_rule(stage: Stage) -> QWidget:
    return _shown(stage, asked.TYPICAL, asked.EARLIER)


@state("requests/declined")
def declined(stage: Stage) -> QWidget:
    return _shown(stage, asked.TYPICAL, asked.DECLINED)


@state("requests/over")
def over(stage: Stage) -> QWidget:
    return _shown(stage, [asked.request(asked.GENEVA, "Geneva", "died", state="over", code="query.cancelled")])


@state("requests/none")
def none(stage: Stage) -> QWidget:
    return _shown(stage, [])


@state("requests/nowhere")
def nowhere(stage: Stage) -> QWidget:
    return stage.window("requests", {"site.overview": examples.nowhere()})


@state("requests/error")
def error(stage: Stage) -> QWidget:
    widget = _shown(stage, asked.TYPICAL)
    view = widget.view("requests")  # type: ignore[attr-defined]
    view.fail(UserError("request.not_waiting"))
    return widget


@state("requests/policy")
def policy(stage: Stage) -> QWidget:
    widget = _shown(stage, asked.TYPICAL)
    view = widget.view("requests")  # type: ignore[attr-defined]
    assert isinstance(view, RequestsView)
    view.refresh()
    view.edit_policy()
    assert view.dialog is not None
    return on_page(view.dialog)


def on_page(dialog: QDialog) -> QWidget:
    """Return a page with a dialog in its middle: by itself it would be as large as the picture."""
    page = QWidget()
    set_role(page, role="page")
    dialog.setParent(page, Qt.WindowType.Widget)
    layout = QGridLayout(page)
    layout.addWidget(dialog, 0, 0, Qt.AlignmentFlag.AlignCenter)
    dialog.show()
    return page
