"""Explore: what to find out is chosen from pictures, its settings, and the funnel beside the cards."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.core.query.analyses import Attrition, Breakdown, Count, Grouping, Regress, Survival, Table
from app.ui.context import Context
from app.ui.models.terms import TERMS_MIME, Offer, offer_to_bytes
from app.ui.views.explore import ExploreView
from app.ui.views.explore.analysis_settings import AnalysisSettings
from app.ui.views.explore.variable_picker import Picker, VariableButton
from tests.ui import examples_melanoma as melanoma
from tests.ui.exploring import asked, cards, opened, shown
from tests.ui.fakes import FakeBridge

KEY = Qt.Key


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    return opened(context, fake_bridge, qtbot, melanoma.answers())


@pytest.fixture
def options(view: ExploreView) -> AnalysisSettings:
    return view.analysis.options


def pick(button: VariableButton, code: str, typed: str = "") -> Picker:
    """Choose a variable in the dialog of a button."""
    button.open()
    dialog = button.dialog
    assert dialog is not None
    if typed:
        dialog.search.setText(typed)
        dialog.search.wanted.emit(typed)
    listed = [dialog.list.item(n).data(Qt.ItemDataRole.UserRole) for n in range(dialog.list.count())]
    assert code in listed
    dialog.list.setCurrentRow(listed.index(code))
    dialog.answer()
    QApplication.processEvents()
    return dialog


def variable(code: str) -> QMimeData:
    data = QMimeData()
    data.setData(TERMS_MIME, offer_to_bytes(Offer(melanoma.HASH, ((code, None),))))
    return data


def drop(button: VariableButton, code: str) -> str:
    """Drag a variable onto a button; return why it does not fit."""
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    data = variable(code)
    button.dragEnterEvent(QDragEnterEvent(QPoint(4, 4), copy, data, left, none))
    refused = button.refused
    button.dropEvent(QDropEvent(QPointF(4, 4), copy, data, left, none))
    QApplication.processEvents()
    return refused


def words(widget: object) -> Iterator[str]:
    assert isinstance(widget, AnalysisSettings)
    QApplication.processEvents()  # what is new is shown
    return (each.text() for each in widget.findChildren(QLabel) if not each.isHidden())


# --- the pictures -----------------------------------------------------------------------------------------------------


def test_a_picture_chooses_an_analysis_and_undo_takes_it_back(view: ExploreView) -> None:
    tiles = view.analysis.tiles
    assert tiles.tiles["count"].isChecked()
    shown(view, "BRAF")
    tiles.tiles["survival"].click()
    assert view.board.analysis == Survival("os")
    assert view.board.text == "survival os where BRAF"
    assert view.words.editor.toPlainText() == "survival os where BRAF"
    tiles.tiles["breakdown"].click()
    assert tiles.tiles["breakdown"].isChecked()
    view.undo.click()
    assert tiles.tiles["survival"].isChecked()
    view.undo.click()
    assert view.board.analysis == Count()
    assert view.board.text == "BRAF"


def test_arrow_keys_go_from_picture_to_picture(view: ExploreView, qtbot: QtBot) -> None:
    tiles = view.analysis.tiles.tiles
    tiles["count"].setFocus()
    qtbot.keyClick(tiles["count"], KEY.Key_Right)
    assert tiles["breakdown"].hasFocus()
    qtbot.keyClick(tiles["breakdown"], KEY.Key_Space)
    assert isinstance(view.board.analysis, Breakdown)


def test_what_is_not_possible_says_why_beside_the_pictures(view: ExploreView) -> None:
    tiles = view.analysis.tiles
    tiles.tiles["attrition"].click()
    assert "Add criteria first" in tiles.why
    assert view.board.analysis == Count()
    assert tiles.tiles["count"].isChecked()
    shown(view, "BRAF")
    tiles.tiles["attrition"].click()
    assert tiles.why == ""
    assert view.board.analysis == Attrition()


def test_every_picture_shows_its_settings_and_says_what_it_is(view: ExploreView, options: AnalysisSettings) -> None:
    shown(view, "BRAF")
    for name, tile in view.analysis.tiles.tiles.items():
        tile.click()
        assert view.board.analysis.name == name
        assert tile.accessibleDescription() in set(words(options))


def test_the_text_form_chooses_the_analysis_too(view: ExploreView) -> None:
    text = view.words.editor
    text.setPlainText("table stage x age at 50 where BRAF")
    text.take()
    assert view.board.analysis == Table(Grouping("stage"), Grouping("age", (Decimal(50),)))
    assert view.analysis.tiles.tiles["table"].isChecked()
    assert len(cards(view)) == 1


# --- its settings -----------------------------------------------------------------------------------------------------


def test_a_variable_is_chosen_from_those_that_fit(view: ExploreView, options: AnalysisSettings) -> None:
    view.board.analyse(lambda _before: Table(Grouping("sex"), Grouping("stage")))
    (rows,) = options.buttons["rows"]
    assert rows.whole == "Sex"
    assert rows.accessibleName() == "Rows: Sex. Change"
    pick(rows, "BRAF", "braf")
    assert view.board.analysis == Table(Grouping("BRAF"), Grouping("stage"))
    (rows,) = options.buttons["rows"]
    rows.open()
    assert rows.dialog is not None
    listed = [rows.dialog.list.item(n).text() for n in range(rows.dialog.list.count())]
    assert not any("Overall survival" in each or "Relapse" in each for each in listed)
    rows.dialog.reject()


def test_a_variable_is_dragged_onto_its_place_or_refused_with_the_reason(
    view: ExploreView, options: AnalysisSettings
) -> None:
    view.board.analyse(lambda _before: Regress("bmi", ("age",)))
    (outcome,) = options.buttons["outcome"]
    assert "only kept in ranges" in drop(outcome, "lab:ldh")
    assert "only kept in ranges" in options.wrong
    assert "What fits: Numbers" in drop(outcome, "sex")
    assert view.board.analysis == Regress("bmi", ("age",))
    assert drop(options.buttons["predictors"][0], "BRAF") == ""
    assert view.board.analysis == Regress("bmi", ("BRAF",))
    assert options.wrong == ""
    drop(options.buttons["predictors"][0], "bmi")
    assert "bmi" in options.wrong or "Body mass index" in options.wrong, "an outcome does not depend on itself"
    assert view.board.analysis == Regress("bmi", ("BRAF",))


def test_variables_are_added_and_removed_as_far_as_it_goes(view: ExploreView, options: AnalysisSettings) -> None:
    view.analysis.tiles.tiles["correlate"].click()
    assert len(options.buttons["variables"]) == 2
    before = view.board.analysis.codes
    more = options.adds["variables"]
    more.click()
    QApplication.processEvents()
    dialog = next(each for each in view.window().findChildren(Picker) if each.isVisible())
    listed = [dialog.list.item(n).data(Qt.ItemDataRole.UserRole) for n in range(dialog.list.count())]
    code = next(each for each in listed if each not in before)
    dialog.list.setCurrentRow(listed.index(code))
    dialog.answer()
    assert view.board.analysis.codes == (*before, code)
    view.undo.click()
    assert view.board.analysis.codes == before


def test_groups_are_cut_where_the_catalogue_has_cut_points(view: ExploreView, options: AnalysisSettings) -> None:
    view.board.analyse(lambda _before: Survival("os", Grouping("age", (Decimal(50),))))
    assert "under 50 · 50 years or more" in set(words(options))
    options.changes["by"].click()
    dialog = options.cuts
    assert dialog is not None
    boxes = {box.text(): box for box in dialog.boxes}
    boxes["50"].click()
    assert "at least one cut point" in dialog.answer_button.accessibleDescription()
    for cut in ("40", "65"):
        boxes[cut].click()
    dialog.answer()
    assert view.board.analysis == Survival("os", Grouping("age", (Decimal(40), Decimal(65))))
    assert view.board.text == "survival os by age at 40, 65"


def test_groups_of_survival_can_be_left_out(view: ExploreView, options: AnalysisSettings) -> None:
    view.analysis.tiles.tiles["survival"].click()
    assert options.buttons["by"] == []
    empty = next(each for each in options.findChildren(VariableButton) if each.slot.name == "by")
    assert empty.whole == "No groups"
    assert "more than 8 groups" in drop(empty, "diagnosed")
    assert drop(empty, "stage") == ""
    assert view.board.analysis == Survival("os", Grouping("stage"))


def test_horizon_and_step_are_typed_in_whole_periods(view: ExploreView, options: AnalysisSettings) -> None:
    view.analysis.tiles.tiles["survival"].click()
    assert options.horizon is not None
    assert options.horizon.placeholderText() == "60"
    options.horizon.setText("48")
    options.horizon.editingFinished.emit()
    assert view.board.analysis == Survival("os", None, Decimal(1461))
    assert options.step is not None
    options.step.setText("2.5")
    options.step.editingFinished.emit()
    assert "2 or 3" in options.wrong
    options.step.setText("3")
    options.step.editingFinished.emit()
    assert view.board.analysis == Survival("os", None, Decimal(1461), Decimal("91.3125"))
    options.horizon.setText("72")
    options.horizon.editingFinished.emit()
    assert "60" in options.wrong
    options.horizon.setText("")
    options.horizon.editingFinished.emit()
    assert view.board.analysis == Survival("os", None, None, Decimal("91.3125"))


# --- asking and keeping -----------------------------------------------------------------------------------------------


def test_the_whole_question_is_explained_asked_and_kept(
    view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    shown(view, "survival os by sex where BRAF")
    view.analysis.per_site.click()
    view.check()
    assert asked(fake_bridge, "query.explain")[-1] == {"text": "survival os by sex where BRAF", "per_site": True}
    view.analysis.button.click()
    values = asked(fake_bridge, "query.run")[-1]
    assert (values["text"], values["per_site"]) == ("survival os by sex where BRAF", True)
    qtbot.waitUntil(lambda: bool(asked(fake_bridge, "draft.save")))
    kept = asked(fake_bridge, "draft.save")[-1]
    assert kept["text"] == "survival os by sex where BRAF"
    assert kept["settings"]["per site"] is True


def test_a_cohort_is_saved_without_the_analysis(view: ExploreView, fake_bridge: FakeBridge) -> None:
    shown(view, "survival os by sex where BRAF")
    row = {"name": "Mutated", "version": 1, "text": "BRAF", "query": b"", "saved": 0}
    fake_bridge.answers["cohort.save"] = row
    view.saved.ask_name(view.fail, "Mutated")
    assert view.saved.dialog is not None
    view.saved.dialog.answer()
    assert asked(fake_bridge, "cohort.save") == [{"name": "Mutated", "text": "BRAF"}]


# --- the funnel -------------------------------------------------------------------------------------------------------


def left(view: ExploreView) -> list[str]:
    return [each.left.text() if each.left.isVisible() else "" for each in cards(view)]


@pytest.fixture
def after_funnel(context: Context, fake_bridge: FakeBridge, qtbot: QtBot) -> ExploreView:
    runs = [melanoma.funnel("BRAF and age >= 50 and sex = female", 3120, 1204, 877, 402)]
    return opened(context, fake_bridge, qtbot, melanoma.answers("", *runs))


def test_a_released_funnel_stands_beside_its_cards(after_funnel: ExploreView) -> None:
    view = after_funnel
    shown(view, "BRAF and age >= 50 and sex = female")
    assert left(view) == ["1,204 left", "877 left", "402 left"]
    shown(view, "BRAF and age >= 50 and stage = II")
    assert left(view) == ["1,204 left", "877 left", ""]
    shown(view, "age >= 50 and BRAF")
    assert left(view) == ["", ""]
    shown(view, "BRAF")
    assert left(view) == ["1,204 left"]


def test_editing_a_card_takes_its_number_away(after_funnel: ExploreView) -> None:
    view = after_funnel
    shown(view, "BRAF and age >= 50 and sex = female")
    view.board.do(lambda criteria: criteria.negate(criteria.cards[1].id), "")
    assert left(view) == ["1,204 left", "", ""]
    view.undo.click()
    assert left(view) == ["1,204 left", "877 left", "402 left"]


def test_the_funnel_is_asked_for_once_and_chosen_by_its_action(
    after_funnel: ExploreView, fake_bridge: FakeBridge
) -> None:
    view = after_funnel
    assert len(asked(fake_bridge, "query.show")) == 1
    view.refresh()
    assert len(asked(fake_bridge, "query.show")) == 1
    assert not view.funnel.isEnabled()
    shown(view, "BRAF and age >= 50")
    view.funnel.click()
    assert view.board.analysis == Attrition()
    assert view.board.text == "attrition where BRAF and age >= 50"
    assert view.analysis.button.hasFocus()
