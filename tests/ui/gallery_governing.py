"""The policy, people and projects, and the budget, in their states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QScrollArea, QWidget

from app.ui.models.people import People
from app.ui.views.people import PeopleView
from app.ui.views.people.dialogs import CustodianDialog, EndorseDialog, KeyDialog, RevokeDialog
from app.ui.views.people.projects import ProjectDialog, VerdictDialog
from app.ui.views.policy import PolicyView
from app.ui.window import Window
from tests.ui import examples
from tests.ui import examples_governing as governing
from tests.ui import examples_requests as asked
from tests.ui.fakes import FakeBridge
from tests.ui.gallery import Stage, state
from tests.ui.gallery_requests import on_page


def _shown(stage: Stage, view: str, overview: dict[str, Any] | None = None, **changes: Any) -> Window:
    catalogue = {"hash": b"c" * 32, "catalogue": asked.CATALOGUE.to_cbor()}
    known = {**asked.answers(asked.TYPICAL), **governing.answers(), "catalogue.show": catalogue, **changes}
    return stage.window(view, {"site.overview": overview or examples.overview(), **known})


def _below(window: Window, view: str) -> QWidget:
    """Return the window with the view scrolled to its end."""
    window.resize(1280, 800)
    window.show()
    area = window.view(view).findChild(QScrollArea)
    assert area is not None
    bar = area.verticalScrollBar()
    bar.rangeChanged.connect(lambda _least, most: bar.setValue(most))
    bar.setValue(bar.maximum())
    return window


@state("policy/strict")
def strict(stage: Stage) -> QWidget:
    return _shown(stage, "policy")


@state("policy/strict-below")
def strict_below(stage: Stage) -> QWidget:
    return _below(_shown(stage, "policy"), "policy")


@state("policy/default")
def default(stage: Stage) -> QWidget:
    nobody = governing.policy(version=0, signed_by="", signed_at=0, custodian=False, history=[])
    changes = {"policy.show": nobody, "people.list": governing.NOBODY, "project.list": {"projects": []}}
    return _shown(stage, "policy", **changes, **{"budget.show": governing.UNLIMITED})


@state("policy/managed")
def managed(stage: Stage) -> QWidget:
    fixed = {name: governing.STRICT[name] for name in ("mode", "rules", "never", "exact", "budget")}
    place = "/etc/consilium/managed.toml"
    told = governing.policy(governing.STRICT, managed=fixed, managed_source=place)
    return _shown(stage, "policy", **{"policy.show": told})


@state("policy/draft")
def draft(stage: Stage) -> QWidget:
    told = governing.policy(governing.OWN, draft=governing.STRICT)
    return _shown(stage, "policy", **{"policy.show": told})


@state("policy/sign")
def sign(stage: Stage) -> QWidget:
    told = governing.policy(governing.OWN, draft=governing.STRICT)
    view = _shown(stage, "policy", **{"policy.show": told}).view("policy")
    assert isinstance(view, PolicyView)
    view.refresh()
    view.sign()
    assert view.dialog is not None
    return on_page(view.dialog)


@state("people/typical")
def people(stage: Stage) -> QWidget:
    return _shown(stage, "people")


@state("people/below")
def people_below(stage: Stage) -> QWidget:
    return _below(_shown(stage, "people", **{"people.handover": governing.HANDOVER}), "people")


@state("people/nobody")
def nobody(stage: Stage) -> QWidget:
    return _shown(stage, "people", **{"people.list": governing.NOBODY, "project.list": {"projects": []}})


@state("people/nowhere")
def people_nowhere(stage: Stage) -> QWidget:
    return _shown(stage, "people", examples.nowhere())


def _dialog(stage: Stage, make: Callable[[PeopleView, FakeBridge], Any], **changes: Any) -> QWidget:
    view = _shown(stage, "people", **changes).view("people")
    assert isinstance(view, PeopleView)
    bridge = view.context.bridge
    assert isinstance(bridge, FakeBridge)
    return on_page(make(view, bridge))


@state("people/custodian")
def custodian(stage: Stage) -> QWidget:
    return _dialog(stage, lambda view, bridge: CustodianDialog(view, bridge, follows=True, done=lambda _: None))


@state("people/key")
def key(stage: Stage) -> QWidget:
    def make(view: PeopleView, bridge: FakeBridge) -> KeyDialog:
        made = KeyDialog(view, bridge, lambda _found: None)
        made.person.setText("Claire Rochat")
        made.answer()
        return made

    request = {
        "person": "Claire Rochat",
        "request": "consilium-person:" + 4 * "AQIDBAUGBwgJCgsMDQ4PEA",
        "fingerprint": "1f2e",
    }
    return _dialog(stage, make, **{"people.key": request})


@state("people/endorse")
def endorse(stage: Stage) -> QWidget:
    def make(view: PeopleView, bridge: FakeBridge) -> EndorseDialog:
        made = EndorseDialog(view, bridge, custodian=True, here=("Claire Rochat",), done=lambda _found: None)
        made.request.setPlainText("consilium-person:AQIDBAUGBwgJCgsMDQ4PEA")
        return made

    told = {"person": "Anna Keller", "fingerprint": "1f2e 3d4c 5b6a 7988", "ours": True}
    return _dialog(stage, make, **{"people.read_request": told})


@state("people/revoke")
def revoke(stage: Stage) -> QWidget:
    claire = People.from_plain(governing.PEOPLE).people[2]
    return _dialog(
        stage, lambda view, bridge: RevokeDialog(view, bridge, claire, custodian=True, done=lambda _found: None)
    )


@state("people/project")
def project(stage: Stage) -> QWidget:
    known = People.from_plain(governing.PEOPLE)
    return _dialog(
        stage, lambda view, bridge: ProjectDialog(view, bridge, known, own="Lausanne", done=lambda _found: None)
    )


@state("people/approve")
def approve(stage: Stage) -> QWidget:
    def make(view: PeopleView, bridge: FakeBridge) -> VerdictDialog:
        assert view.projects is not None
        waiting = view.projects[1]
        return VerdictDialog(view, bridge, waiting, approve=True, custodian=True, done=lambda _found: None)

    def shown(view: PeopleView, bridge: FakeBridge) -> VerdictDialog:
        view.refresh()
        return make(view, bridge)

    return _dialog(stage, shown)


@state("budget/typical")
def budget(stage: Stage) -> QWidget:
    return _shown(stage, "budget")


@state("budget/used-up")
def used_up(stage: Stage) -> QWidget:
    return _shown(stage, "budget", **{"budget.show": governing.USED_UP})


@state("budget/unlimited")
def unlimited(stage: Stage) -> QWidget:
    return _shown(stage, "budget", **{"budget.show": governing.UNLIMITED})
