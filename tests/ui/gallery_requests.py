"""Requests in its states."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QWidget

from app.core.errors import UserError
from app.ui.theme import set_role
from app.ui.views.requests import RequestsView
from tests.ui import examples
from tests.ui import examples_answers as answers
from tests.ui import examples_governing as governing
from tests.ui import examples_requests as asked
from tests.ui.gallery import Stage, state

NOTES = [
    {"site": "Lausanne", "text": "Which years does this study look at?"},
    {"site": "Geneva", "text": "Patients diagnosed since 2015. The protocol is with your ethics committee."},
]


def _shown(stage: Stage, requests: list[dict[str, object]], argument: object = None, **changes: object) -> QWidget:
    waiting = sum(each["state"] == "waiting" for each in requests)
    overview = examples.overview(waiting_requests=waiting)
    return stage.window("requests", {"site.overview": overview, **asked.answers(requests), **changes}, argument)


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


@state("requests/analysis")
def analysis(stage: Stage) -> QWidget:
    return _shown(stage, [_analysis("survival"), *asked.TYPICAL])


@state("requests/sums-of-each-site")
def sums(stage: Stage) -> QWidget:
    return _shown(stage, [_analysis("regress", per_site=True), *asked.TYPICAL])


def _analysis(name: str, *, per_site: bool = False) -> dict[str, object]:
    """A request for an analysis."""
    run = answers.answered(name, width=answers.WIDTH, per_site=per_site)
    told = {key: run[key] for key in ("query", "catalogue", "analysis", "per_site")}
    return asked.request("f6" * 16, "Bern", run["text"], **told)


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


PERSON = {"asked_by": "Anna Keller", "project": "Second cancers after lung cancer"}


@state("requests/person")
def person(stage: Stage) -> QWidget:
    """A person asks under a project; small totals stay closed, and the budget is bounded."""
    smallest = {"least": 11, "zeros": False, "binding": "program"}
    asks = asked.request(asked.GENEVA, "Geneva", "died and age >= 60", **PERSON, smallest=smallest)
    return _shown(stage, [asks, *asked.TYPICAL[1:]], **{"budget.show": governing.BUDGET})


@state("requests/forbidden")
def forbidden(stage: Stage) -> QWidget:
    """The policy has changed meanwhile: it would decline what waits."""
    findings = (
        governing.finding("asked_by", False, code="people.expired", person="Anna Keller", site="Geneva", until="2026"),
        governing.finding("others", others=2, least=2, source="default"),
        governing.finding("exact", False, code="policy.no_exact", source="managed"),
        governing.finding("per_site", False, asked=True, code="policy.no_per_site"),
        governing.finding("never", False, variable="weight_loss", level="", code="policy.never_used"),
        governing.finding("two"),
    )
    told = governing.preview("decline", *findings, price=governing.price("", 1, exact_left=0))
    return _shown(stage, asked.TYPICAL, asked.BERN, **{"policy.preview": told, "budget.show": governing.USED_UP})


def on_page(dialog: QDialog) -> QWidget:
    """Return a page with a dialog in its middle: by itself it would be as large as the picture."""
    page = QWidget()
    set_role(page, role="page")
    dialog.setParent(page, Qt.WindowType.Widget)
    layout = QGridLayout(page)
    layout.addWidget(dialog, 0, 0, Qt.AlignmentFlag.AlignCenter)
    dialog.show()
    return page
