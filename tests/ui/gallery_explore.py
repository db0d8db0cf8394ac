"""Explore in its states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtWidgets import QScrollArea, QWidget

from app.ui.views.explore import ExploreView
from app.ui.views.explore.card import CardWidget
from app.ui.views.explore.dragging import REFUSED, TARGET
from app.ui.window import Window
from tests.ui import examples
from tests.ui import examples_explore as explore
from tests.ui import examples_governing as governing
from tests.ui import examples_melanoma as melanoma
from tests.ui.gallery import Stage, state

TYPICAL = "ICD10:C34 and age in [50, 75) and not (ecog in {3, 4} or weight_loss >= 10)"
NESTED = '(sex = female or (ecog in {0, 1} and karnofsky:physician >= 80)) and not age < 50 and cohort:"Older women"'


def shown(
    stage: Stage,
    text: str,
    *,
    answers: Callable[..., dict[str, Any]] = explore.answers,
    runs: Sequence[Any] = (),
    **changes: Any,
) -> tuple[Window, ExploreView]:
    """A window that shows Explore with these criteria."""
    window = stage.window("explore", answers(text, *runs, **changes))
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


def opened(view: ExploreView, card: int) -> None:
    """Open the editor of a card's first term."""
    shown = view.board.criteria.cards[card]
    view.board.attend(shown.id, opened=shown.parts[0].id)


@state("explore/linked")
def linked(stage: Stage) -> QWidget:
    criteria = "dx:C43 occurs and age in [40, 75) and not last rx:L04 before first dx:C43 by at most 90 days"
    text = f"survival os by sex over 48 months where {criteria}"
    runs = [melanoma.funnel("dx:C43 occurs and age in [40, 75) and sex = female", 3120, 1804, 1377, 690)]
    window, view = shown(stage, text, answers=melanoma.answers, runs=runs)
    view.words.set_unfolded(True)
    return window


@state("explore/relation")
def relation(stage: Stage) -> QWidget:
    both = "first rx:L01 after first dx:C43 by at most 90 days and first rx:L04 within 60 days of first rx:L01"
    text = f"dx:C43 occurs and {both}"
    window, view = shown(stage, text, answers=melanoma.answers)
    opened(view, 1)
    return window


@state("explore/dates")
def dates(stage: Stage) -> QWidget:
    text = "table stage x age at 40, 60, 75 where diagnosed in [2019-01, 2024-01) and os known"
    window, view = shown(stage, text, answers=melanoma.answers)
    opened(view, 0)
    return window


@state("explore/events")
def events(stage: Stage) -> QWidget:
    text = "regress bmi on age, BRAF where first relapse in [6, 24) months and rx:L01 at least 3 times"
    window, view = shown(stage, text, answers=melanoma.answers)
    opened(view, 0)
    return window


@state("explore/not-possible")
def not_possible(stage: Stage) -> QWidget:
    window, view = shown(stage, "", answers=melanoma.answers)
    view.analysis.tiles.tiles["attrition"].click()
    return window


@state("explore/nowhere")
def nowhere(stage: Stage) -> QWidget:
    return stage.window("explore", {"site.overview": examples.nowhere(), "query.list": {"queries": []}})


@state("explore/groups")
def groups(stage: Stage) -> QWidget:
    text = "compare bmi by age at 60 where dx:C43 occurs"
    window, view = shown(stage, text, answers=melanoma.answers)
    view.analysis.options.changes["by"].click()
    dialog = view.analysis.options.cuts
    assert dialog is not None
    dialog.boxes[-1].click()
    stage.kept.append(window)
    return dialog


@state("explore/picker")
def picker(stage: Stage) -> QWidget:
    window, view = shown(stage, "survival os by sex where BRAF", answers=melanoma.answers)
    (by,) = view.analysis.options.buttons["by"]
    by.open()
    assert by.dialog is not None
    stage.kept.append(window)
    return by.dialog


def governed(stage: Stage, **changes: Any) -> tuple[Window, ExploreView]:
    """A window in which Claire Rochat asks under a project, with noise."""
    told = governing.answers(**{"policy.preview": lambda _values: governing.preview("answer"), **changes})
    window, view = shown(stage, TYPICAL, **told)
    view.refresh()
    view.analysis.noised.click()
    view.analysis.in_name_of.want("Claire Rochat", governing.STUDY)
    view.check()
    return window, view


@state("explore/in-name-of")
def in_name_of(stage: Stage) -> QWidget:
    window, view = governed(stage)
    window.resize(1280, 800)
    window.show()
    area = view.analysis.findChild(QScrollArea)
    assert area is not None
    bar = area.verticalScrollBar()
    bar.rangeChanged.connect(lambda _least, most: bar.setValue(most))
    bar.setValue(bar.maximum())
    return window


@state("explore/budget-used-up")
def used_up(stage: Stage) -> QWidget:
    told = governing.preview("answer", price=governing.price(left="0"))
    return governed(stage, **{"policy.preview": told, "budget.show": governing.USED_UP})[0]


@state("explore/own-policy-declines")
def declines(stage: Stage) -> QWidget:
    finding = governing.finding("never", False, variable="weight_loss", level="", code="policy.never_used")
    return governed(stage, **{"policy.preview": governing.preview("decline", finding)})[0]
