"""Explore in its states."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.ui.views.explore import ExploreView
from app.ui.views.explore.card import CardWidget
from app.ui.views.explore.dragging import REFUSED, TARGET
from app.ui.window import Window
from tests.ui import examples
from tests.ui import examples_explore as explore
from tests.ui.gallery import Stage, state

TYPICAL = "ICD10:C34 and age in [50, 75) and not (ecog in {3, 4} or weight_loss >= 10)"
NESTED = '(sex = female or (ecog in {0, 1} and karnofsky:physician >= 80)) and not age < 50 and cohort:"Older women"'


def shown(stage: Stage, text: str, **changes: Any) -> tuple[Window, ExploreView]:
    """A window that shows Explore with these criteria."""
    window = stage.window("explore", explore.answers(text, **changes))
    view = window.view("explore")
    assert isinstance(view, ExploreView)
    view.refresh()
    view.check()
    return window, view


def select(view: ExploreView, code: str) -> None:
    """Select a variable in the catalogue."""
    view.catalogue.select(code)


@state("explore/empty")
def empty(stage: Stage) -> QWidget:
    window, _ = shown(stage, "")
    return window


@state("explore/typical")
def typical(stage: Stage) -> QWidget:
    window, view = shown(stage, TYPICAL)
    select(view, "age")
    view.words.set_unfolded(True)
    age = view.board.criteria.cards[1]
    view.board.attend(age.id, opened=age.parts[0].id)
    return window


@state("explore/levels")
def levels(stage: Stage) -> QWidget:
    window, view = shown(stage, "ecog in {0, 1} and sex known")
    view.board.attend(view.board.criteria.cards[0].id, opened=view.board.criteria.cards[0].parts[0].id)
    view.analysis.noised.click()
    view.check()
    return window


@state("explore/nested")
def nested(stage: Stage) -> QWidget:
    window, view = shown(stage, NESTED)
    view.words.set_unfolded(True)
    return window


@state("explore/searching")
def searching(stage: Stage) -> QWidget:
    window, view = shown(stage, "ICD10:C34")
    view.catalogue.search.setText("pa")
    view.catalogue.search.wanted.emit("pa")
    select(view, "weight_loss")
    view.catalogue.details.emit("age")
    return window


@state("explore/dragging")
def dragging(stage: Stage) -> QWidget:
    window, view = shown(stage, "ICD10:C34 and sex = female and age >= 60")
    cards = [each for each in view.canvas.widgets() if isinstance(each, CardWidget)]
    cards[0].drag_state, cards[0].drag_reason = TARGET, ""
    cards[2].drag_state, cards[2].drag_reason = REFUSED, "This is already on the card."
    for each in (cards[0], cards[2]):
        each.show_drag()
    return window


@state("explore/mistake")
def mistake(stage: Stage) -> QWidget:
    window, view = shown(stage, "ICD10:C34 and age >= 60")
    view.words.set_unfolded(True)
    view.words.editor.setPlainText("ICD10:C34 and agee >= 60")
    view.words.editor.take()
    return window


@state("explore/does-not-fit")
def does_not_fit(stage: Stage) -> QWidget:
    problem = {"code": "query.too_many_terms", "params": {"count": 700, "limit": 500}}
    by_site = [
        {"site": "Lausanne", "own": True, "known": True, "dataset": True, "lacks": []},
        {"site": "Geneva", "own": False, "known": True, "dataset": False, "lacks": []},
        {"site": "Bern", "own": False, "known": True, "dataset": True, "lacks": ["weight_loss"]},
    ]
    refused = {"fits": False, "problem": problem, "explained": None, "half_width": 0, "by_site": by_site}
    window, _ = shown(stage, TYPICAL, **{"query.explain": refused})
    return window


@state("explore/nowhere")
def nowhere(stage: Stage) -> QWidget:
    return stage.window("explore", {"site.overview": examples.nowhere(), "query.list": {"queries": []}})
