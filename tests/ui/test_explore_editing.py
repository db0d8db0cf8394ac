"""Explore: terms are edited where they stand: levels, numbers, dates, events, survival."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.core.errors import EnvironmentProblem
from app.core.query.model import Dates, Happened, Known, Levels, Occurs, Range
from app.ui.context import Context
from app.ui.views.explore import ExploreView
from app.ui.views.explore.editor_dates import DateEditor
from app.ui.views.explore.editor_events import EventEditor
from app.ui.views.explore.editor_range import RangeEditor
from app.ui.views.explore.editors import LevelsEditor
from tests.ui import examples_explore as explore
from tests.ui import examples_melanoma as melanoma
from tests.ui.exploring import (
    asked,
    choose,
    content,
    editor,
    opened,
    rows,
)
from tests.ui.fakes import FakeBridge

KEY = Qt.Key


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    return opened(context, fake_bridge, qtbot, explore.answers())


def test_levels_are_a_check_list(view: ExploreView) -> None:
    levels = editor(view, "ecog = 0")
    assert isinstance(levels, LevelsEditor)
    assert [box.isChecked() for box in levels.boxes] == [True, False, False, False, False]
    assert levels.boxes[0].text() == "0, fully active · 140"
    levels.boxes[2].click()
    assert content(view) == Levels("ecog", frozenset(["0", "2"]))
    assert rows(view)[0].editor is levels
    for place in (1, 3, 4):
        levels.boxes[place].click()
    assert content(view) == Known("ecog")
    view.undo.click()
    assert [box.isChecked() for box in levels.boxes] == [True, True, True, True, False]


def test_a_number_is_a_range_between_cut_points(view: ExploreView, qtbot: QtBot) -> None:
    bounds = editor(view, "age known")
    assert isinstance(bounds, RangeEditor)
    low, high = bounds.slider._handles
    qtbot.keyClick(low, KEY.Key_Right)
    qtbot.keyClick(low, KEY.Key_Right)
    assert content(view) == Range("age", Decimal(45), None)
    assert (bounds.low.text(), bounds.high.text()) == ("45", "")
    qtbot.keyClick(high, KEY.Key_Home)
    assert content(view) == Range("age", Decimal(45), Decimal(50))
    assert rows(view)[0].editor is bounds
    bounds.high.setText("70")
    bounds.high.editingFinished.emit()
    assert content(view) == Range("age", Decimal(45), Decimal(70))
    qtbot.keyClick(bounds.low, KEY.Key_Up)
    assert content(view) == Range("age", Decimal(50), Decimal(70))
    bounds.low.setText("")
    bounds.low.editingFinished.emit()
    assert content(view) == Range("age", None, Decimal(70))


@pytest.mark.parametrize(
    ("typed", "said"),
    [("52", "50 or 55"), ("old", "not a number"), ("80", "below the second")],
)
def test_a_bound_that_cannot_be_says_why(view: ExploreView, typed: str, said: str) -> None:
    bounds = editor(view, "age in [50, 70)")
    bounds.low.setText(typed)
    bounds.low.editingFinished.emit()
    assert said in bounds._wrong.text()
    assert content(view) == Range("age", Decimal(50), Decimal(70))


def test_the_mouse_drags_a_handle(view: ExploreView, qtbot: QtBot) -> None:
    bounds = editor(view, "age known")
    handle = bounds.slider._handles[0]
    target = round(bounds.slider._x(4)) - handle.x()
    qtbot.mousePress(handle, Qt.MouseButton.LeftButton, pos=QPoint(12, 12))
    qtbot.mouseMove(handle, QPoint(target, 12))
    bounds.slider.move_handle(handle, bounds.slider.place_at(handle.x() + target))
    qtbot.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=QPoint(target, 12))
    assert isinstance(content(view), Range)


def test_a_report_that_an_absent_owner_could_not_give_is_asked_for_again(
    context: Context, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    fake_bridge.answers |= explore.answers(**{"data.report": EnvironmentProblem("owner.lost", path="/profile")})
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.show()
    assert made.board.report == {}
    fake_bridge.answers["data.report"] = explore.report()
    fake_bridge.stir()
    assert "age" in made.board.report
    fake_bridge.stir()
    assert len(asked(fake_bridge, "data.report")) == 2, "a report never changes"


# --- dates, events, survival ------------------------------------------------------------------------------------------


@pytest.fixture
def every_kind(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    """Explore with a catalogue that has every kind of variable."""
    return opened(context, fake_bridge, qtbot, melanoma.answers())


def test_every_kind_of_variable_becomes_a_term_that_is_opened(every_kind: ExploreView) -> None:
    view = every_kind
    for code, said in (
        ("diagnosed", "diagnosed known"),
        ("rx:L01", "rx:L01 occurs"),
        ("os", "os known"),
        ("BRAF", "BRAF"),
    ):
        view.board.attend(0)
        assert view.board.bring([(code, None)])
        assert view.board.text.split(" and ")[-1] == said
        assert (rows(view)[-1].editor is None) == (code == "BRAF")
    assert rows(view)[2].accessibleName() == "Overall survival followed"


def test_a_date_is_typed_at_its_granularity(every_kind: ExploreView, qtbot: QtBot) -> None:
    dates = editor(every_kind, "diagnosed known")
    assert isinstance(dates, DateEditor)
    dates.low.setText("2019-04")
    dates.low.editingFinished.emit()
    assert content(every_kind) == Dates("diagnosed", date(2019, 4, 1), None)
    qtbot.keyClick(dates.low, KEY.Key_Up)
    dates.high.setText("01/2021")
    dates.high.editingFinished.emit()
    assert every_kind.board.text == "diagnosed in [2019-05, 2021-01)"
    assert dates.high.text() == "2021-01"
    assert rows(every_kind)[0].accessibleName() == "Date of diagnosis from 2019-05 to before 2021-01"
    dates.low.setText("2019-04-15")
    dates.low.editingFinished.emit()
    assert "2019-04 or 2019-05" in dates._wrong.text()
    dates.any.click()
    assert content(every_kind) == Known("diagnosed")


def test_dates_have_presets_and_say_which_the_catalogue_has_not(every_kind: ExploreView, qtbot: QtBot) -> None:
    variable = melanoma.CATALOGUE.variable("diagnosed")
    dates = DateEditor(variable, every_kind.board.distribution("diagnosed"), lambda: date(2024, 2, 29))
    qtbot.addWidget(dates)
    found: list[object] = []
    dates.edited.connect(lambda content, _run: found.append(content))
    dates.show_content(Known("diagnosed"))
    dates.last_year.click()
    dates.last_five.click()
    years = {action.text(): action for action in dates.year.menu().actions()}
    assert list(years)[0] == "2024"
    years["2020"].trigger()
    assert found == [
        Dates("diagnosed", date(2023, 2, 1), None),
        Dates("diagnosed", date(2019, 2, 1), None),
        Dates("diagnosed", date(2020, 1, 1), date(2021, 1, 1)),
    ]
    later = DateEditor(variable, None, lambda: date(2040, 1, 1))
    qtbot.addWidget(later)
    assert not later.last_five.isEnabled()
    assert "2012-01 to 2030-12" in later.last_five.accessibleDescription()


def test_an_event_is_asked_how_often_or_when(every_kind: ExploreView) -> None:
    event = editor(every_kind, "relapse occurs")
    assert isinstance(event, EventEditor)
    assert event.range.isHidden()
    choose(event.how, "3")
    assert content(every_kind) == Occurs("relapse", 3)
    choose(event.how, "last")
    assert not event.range.isHidden()
    assert content(every_kind) == Occurs("relapse", 1)  # no window yet: that it happened
    event.low.setText("6")
    event.low.editingFinished.emit()
    assert content(every_kind) == Happened("last", "relapse", Decimal("182.625"), None)
    assert rows(every_kind)[0].editor is event
    choose(event.unit, "day")
    assert event.low.text() == "182.625"
    choose(event.how, "first")
    assert content(every_kind) == Happened("first", "relapse", Decimal("182.625"), None)
    event.high.setText("200")
    event.high.editingFinished.emit()
    assert "182.625 or 213.0625" in event._wrong.text()
    every_kind.undo.click()
    assert event.how.value == "last"


def test_the_bars_of_dates_and_events_are_those_of_the_own_site(every_kind: ExploreView) -> None:
    for code, count in (("diagnosed", 39), ("relapse", 12), ("age", 16)):
        found = every_kind.board.distribution(code)
        assert found is not None
        assert len(found.bars) == count
        assert found.bars[0].first == 0
        assert all(a.end == b.first for a, b in zip(found.bars, found.bars[1:], strict=False))


def test_any_known_number_is_a_press_away(every_kind: ExploreView) -> None:
    bounds = editor(every_kind, "age >= 50")
    bounds.any.click()
    assert content(every_kind) == Known("age")
