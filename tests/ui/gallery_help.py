"""Help in its states."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.texts import preferred_language
from app.ui.views.help import HelpView
from tests.ui import examples
from tests.ui.gallery import Stage, state


def _shown(stage: Stage, view: str) -> tuple[QWidget, HelpView]:
    window = stage.window("help", {"site.overview": examples.overview()}, view)
    shown = window.view("help")
    assert isinstance(shown, HelpView)
    return window, shown


@state("help/typical")
def typical(stage: Stage) -> QWidget:
    return _shown(stage, "home")[0]


@state("help/data")
def data(stage: Stage) -> QWidget:
    return _shown(stage, "data")[0]


@state("help/glossary")
def glossary(stage: Stage) -> QWidget:
    return _shown(stage, "glossary")[0]


@state("help/searched")
def searched(stage: Stage) -> QWidget:
    window, view = _shown(stage, "home")
    word = {"en": "noise", "fr": "bruit", "de": "rauschen"}[preferred_language()]
    view.search.setText(word)
    view.search.wanted.emit(word)
    return window


@state("help/nothing-found")
def nothing_found(stage: Stage) -> QWidget:
    window, view = _shown(stage, "home")
    view.search.setText("zeppelin")
    view.search.wanted.emit("zeppelin")
    return window
