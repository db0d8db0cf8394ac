"""The catalogue editor in its states."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QWidget

from app.core.catalogue.model import Catalogue
from app.ui.views.catalogue import CatalogueView
from tests.ui import examples
from tests.ui.examples_catalogue import CATALOGUE, CHANGES, EARLIER, VERSIONS
from tests.ui.gallery import Stage, state


def edited(
    stage: Stage, catalogue: Catalogue | None = CATALOGUE, chosen: str = "", tab: int = 0
) -> tuple[QWidget, CatalogueView]:
    """Return a window on the editor of a catalogue that came from a file."""
    shown = {"catalogue": EARLIER.to_cbor(), "hash": EARLIER.hash, "held": {}, "sites": 3}
    answers = {
        "site.overview": examples.overview() if catalogue else examples.nowhere(),
        "catalogue.show": shown,
        "catalogue.versions": {"versions": VERSIONS, "in_force": 2, "overtaken": False},
        "catalogue.changes": CHANGES,
    }
    window = stage.window("catalogue", answers)  # type: ignore[arg-type]
    view = window.view("catalogue")
    assert isinstance(view, CatalogueView)
    if catalogue is not None:
        view.editing.begin(catalogue, Path("melanoma-3.toml"))
        view.differences.offer(EARLIER)
        view.tabs.setCurrentIndex(tab)
        view.browser.select(chosen)
    return window, view


@state("catalogue/nothing")
def nothing(stage: Stage) -> QWidget:
    return edited(stage, None)[0]


@state("catalogue/unchosen")
def unchosen(stage: Stage) -> QWidget:
    return edited(stage)[0]


@state("catalogue/flag")
def flag(stage: Stage) -> QWidget:
    return edited(stage, chosen="ICD10:C43")[0]


@state("catalogue/category")
def category(stage: Stage) -> QWidget:
    return edited(stage, chosen="stage")[0]


@state("catalogue/number")
def number(stage: Stage) -> QWidget:
    return edited(stage, chosen="age")[0]


@state("catalogue/date")
def date(stage: Stage) -> QWidget:
    return edited(stage, chosen="diagnosed")[0]


@state("catalogue/event")
def event(stage: Stage) -> QWidget:
    return edited(stage, chosen="progression")[0]


@state("catalogue/group")
def group(stage: Stage) -> QWidget:
    return edited(stage, chosen="disease")[0]


@state("catalogue/refused")
def refused(stage: Stage) -> QWidget:
    window, view = edited(stage, chosen="age")
    line = view.form.line("cut_points")
    line.setText("18 30 30 many")
    line.editingFinished.emit()
    return window


@state("catalogue/translations")
def translations(stage: Stage) -> QWidget:
    return edited(stage, tab=1)[0]


@state("catalogue/differences")
def differences(stage: Stage) -> QWidget:
    return edited(stage, tab=2)[0]


@state("catalogue/versions")
def versions(stage: Stage) -> QWidget:
    return edited(stage, tab=3)[0]
