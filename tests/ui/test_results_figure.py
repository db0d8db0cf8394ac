"""The figure of an answer: drawn aside, for the theme and size of the moment, and read with pointer and keyboard."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.plots.options import Options, Shown
from app.ui import theme as themes
from app.ui.context import Context
from app.ui.models.told import Told
from app.ui.theme import theme
from app.ui.views.results import ResultsView
from app.ui.views.results.choosing import Choosing
from app.ui.views.results.doing import drawn_as
from app.ui.views.results.drawing import Wish
from app.ui.views.results.figure import FigurePlace
from tests.ui import examples_answers as answers
from tests.ui import examples_results as runs
from tests.ui.fakes import FakeBridge
from tests.ui.results_screen import choose, owned_by, shown


def panel(name: str, **changes: Any) -> Shown:
    """The panel of an analysis."""
    told = Told.from_plain(answers.answered(name, **changes))
    assert told.words is not None
    return Shown("", told.results[0].result, told.words)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FigurePlace, "at_once", True)


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FigurePlace, "at_once", False)


@pytest.fixture
def place(qtbot: QtBot, at_once: None) -> FigurePlace:
    """The curves of two groups."""
    made = FigurePlace()
    qtbot.addWidget(made)
    made.resize(600, 440)
    made.show_panels([panel("survival")], Options(), "Survival by sex")
    made.show()
    assert made.drawing is not None
    return made


def test_the_figure_follows_the_theme_and_its_size(
    fake_bridge: FakeBridge, context: Context, aside: None, qapp: QApplication, qtbot: QtBot
) -> None:
    owned_by(fake_bridge)
    view = shown(context, qtbot)
    choose(view, runs.NOISED)
    figure = view.opened.figure
    qtbot.waitUntil(lambda: figure.picture is not None, timeout=60_000)
    assert figure.picture is not None
    assert figure.picture.pixelColor(2, 2).name().upper() == "#FFFFFF"
    with qtbot.waitSignal(figure.changed, timeout=60_000):
        themes.install(qapp, themes.DARK_MODE)
    assert figure.picture.pixelColor(2, 2) == theme().colour("raised")
    with qtbot.waitSignal(figure.changed, timeout=60_000):
        view.resize(1500, 800)
    assert figure.picture.width() == figure.width()


def test_the_figure_is_drawn_aside(aside: None, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window waits neither for what draws nor for the drawing."""
    threads: list[threading.Thread] = []
    real = Wish.draw

    def draw(self: Wish) -> Any:
        threads.append(threading.current_thread())
        return real(self)

    monkeypatch.setattr(Wish, "draw", draw)
    figure, wanted = FigurePlace(), panel("breakdown")
    qtbot.addWidget(figure)
    figure.resize(400, 300)
    figure.show_panels([wanted], Options(), "In words")
    with qtbot.waitSignal(figure.changed, timeout=60_000):
        figure.show()
    assert threads
    assert threading.main_thread() not in threads
    drawn = len(threads)
    figure.show_panels([wanted], Options(), "In words")
    assert len(threads) == drawn  # nothing new is to be drawn


def test_a_figure_that_came_too_late_is_left_out(place: FigurePlace) -> None:
    there = place.drawing
    late = Wish((panel("count"),), Options(), False, (300, 200), 1.0)
    place._take(late, late.draw())
    assert place.drawing is there


def test_what_cannot_be_drawn_is_said(place: FigurePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place._wish is not None
    place._take(place._wish, None)
    assert place.picture is None
    assert place.spots == ()
    QTest.keyClick(place, Qt.Key.Key_Right)  # there is nothing to read, and nothing breaks
    assert place.spot == -1


@pytest.mark.parametrize("name", sorted(answers.ANALYSES))
@pytest.mark.parametrize("width", [0.0, answers.WIDTH])
def test_every_analysis_has_a_figure_that_says_its_values(name: str, width: float, qapp: QApplication) -> None:
    drawing = Wish((panel(name, width=width),), Options(), False, (600, 300), 1.0).draw()
    assert drawing.image.width() == 600
    assert drawing.image.height() >= min(drawing.natural, 300)
    assert drawing.spots
    assert all(spot.words.strip() for spot in drawing.spots)
    inside = [0 <= spot.left <= 1 and 0 <= spot.top <= 1 for spot in drawing.spots]
    assert all(inside)


def test_the_arrow_keys_go_through_the_values(place: FigurePlace) -> None:
    read: list[str] = []
    place.read.connect(read.append)
    place.setFocus()
    QTest.keyClick(place, Qt.Key.Key_Right)
    assert place.spot == 0
    first = place.spots[0].words
    assert (place.accessibleDescription(), read) == (first, [first])
    QTest.keyClick(place, Qt.Key.Key_Right)
    assert place.spot == 1
    QTest.keyClick(place, Qt.Key.Key_End)
    assert place.spot == len(place.spots) - 1
    QTest.keyClick(place, Qt.Key.Key_Right)
    assert place.spot == len(place.spots) - 1
    QTest.keyClick(place, Qt.Key.Key_Up)
    assert place.spot == len(place.spots) - 1  # all curves are read at one time: nothing is above
    QTest.keyClick(place, Qt.Key.Key_Home)
    assert place.spot == 0
    QTest.keyClick(place, Qt.Key.Key_Escape)
    assert place.spot == -1
    assert read[-1] == place.accessibleDescription() == ""


def test_up_and_down_stay_in_the_column(place: FigurePlace) -> None:
    place.show_panels([panel("table")], Options(), "Stage by sex")
    place.setFocus()
    QTest.keyClick(place, Qt.Key.Key_Home)
    first = place.spots[place.spot]
    QTest.keyClick(place, Qt.Key.Key_Up)
    above = place.spots[place.spot]
    assert above.top < first.top
    assert above.left == pytest.approx(first.left)
    QTest.keyClick(place, Qt.Key.Key_Down)
    assert place.spots[place.spot] == first


def test_the_pointer_reads_what_it_is_on(place: FigurePlace) -> None:
    spot = place.spots[len(place.spots) // 2]
    at = QPointF((spot.left + spot.width / 2) * place.width(), (spot.top + spot.height / 2) * place.height())
    _point(place, at)
    assert place.spot >= 0
    assert place.accessibleDescription() == place.spots[place.spot].words
    _point(place, QPointF(1, 1))
    assert place.spot == -1


def _point(place: FigurePlace, at: QPointF) -> None:
    none = Qt.MouseButton.NoButton
    moved = QMouseEvent(QEvent.Type.MouseMove, at, place.mapToGlobal(at), none, none, Qt.KeyboardModifier.NoModifier)
    QGuiApplication.sendEvent(place, moved)


def test_other_panels_begin_unread(place: FigurePlace) -> None:
    place.setFocus()
    QTest.keyClick(place, Qt.Key.Key_End)
    place.show_panels([panel("breakdown")], Options(), "Breakdown by stage")
    assert place.spot == -1
    assert place.accessibleName() == "Breakdown by stage"


# --- what can be chosen ---------------------------------------------------------------------------------------------


def test_every_analysis_offers_what_concerns_its_figure(qtbot: QtBot) -> None:
    choosing = Choosing(lambda: None)
    qtbot.addWidget(choosing)
    offered = {}
    for name in answers.ANALYSES:
        wanted = panel(name)
        choosing.show_for(wanted.result, wanted.words)
        offered[name] = (
            not choosing.curve.isHidden(),
            not choosing.interval.isHidden(),
            not choosing.measure.isHidden(),
            [each.text() for each in choosing.groups],
        )
    stages = [f"Stage {stage}" for stage in answers.STAGES]
    assert offered["survival"] == (True, True, False, ["Women", "Men"])
    assert offered["breakdown"] == (False, False, True, [*stages, "Unknown"])
    assert offered["table"] == (False, False, True, stages)
    assert offered["count"] == offered["attrition"] == offered["correlate"] == (False, False, False, [])
    assert choosing.isHidden()  # after the last one, there is nothing to choose


def test_groups_intervals_and_curves_are_drawn_as_chosen(
    fake_bridge: FakeBridge, context: Context, at_once: None, qtbot: QtBot
) -> None:
    owned_by(fake_bridge, [answers.answered("survival", result=answers.staged())])
    view = shown(context, qtbot)
    twins = view.opened.twins
    before, table = twins.figure.drawing, twins.twin
    assert before is not None
    twins.choosing.groups[1].setChecked(False)
    assert twins.choosing.options.hidden == {"II"}
    after = twins.figure.drawing
    assert after is not None
    assert any("Stage II:" in spot.words for spot in before.spots)
    assert not any("Stage II:" in spot.words for spot in after.spots)
    twins.choosing.interval.set_value("greenwood")
    twins.choosing.interval.chosen.emit("greenwood")
    assert twins.twin.rows != table.rows  # the table shows the same intervals
    twins.choosing.curve.set_value("ratios")
    twins.choosing.curve.chosen.emit("ratios")
    assert twins.choosing.options.hazard_ratios
    # and so it is saved
    assert drawn_as(twins.choosing.options) == ["--hazard-ratios", "--interval=greenwood", "--hide=II"]
    assert drawn_as(Options()) == []
    assert twins.figure.drawing is not after


def test_copy_the_figure(fake_bridge: FakeBridge, context: Context, qtbot: QtBot) -> None:
    owned_by(fake_bridge)
    view: ResultsView = shown(context, qtbot)
    choose(view, runs.NOISED)
    assert "Ctrl+Shift+C" in view.export_menu.copy_action.shortcut().toString()
    QGuiApplication.clipboard().clear()
    view.export_menu.copy_action.trigger()
    qtbot.waitUntil(lambda: not QGuiApplication.clipboard().image().isNull(), timeout=60_000)
    image = QGuiApplication.clipboard().image()
    assert image.width() == 1280
    assert image.pixelColor(2, 2).name() == "#ffffff"
