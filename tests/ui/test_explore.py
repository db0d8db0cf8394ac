"""Explore: building criteria by drag, by keyboard and by text; what is said of them; asking."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from app.core.errors import EnvironmentProblem, UserError
from app.core.query.model import Known, Levels, Range
from app.ui.context import Context
from app.ui.models.criteria import Term
from app.ui.models.terms import TERMS_MIME, Offer, offer_to_bytes
from app.ui.views.explore import ExploreView
from app.ui.views.explore.card import CardWidget
from app.ui.views.explore.dragging import NO, REFUSED, TARGET, DropPlace
from app.ui.views.explore.editors import LevelsEditor, RangeEditor
from app.ui.views.explore.places import EmptyPlace, Gap
from app.ui.views.explore.term_row import TermRow
from tests.ui import examples
from tests.ui import examples_explore as explore
from tests.ui.fakes import FakeBridge

KEY = Qt.Key


@pytest.fixture
def draft() -> str:
    """What was left on the canvas."""
    return ""


@pytest.fixture
def view(context: Context, fake_bridge: FakeBridge, qtbot: QtBot, draft: str) -> ExploreView:
    fake_bridge.answers.update(explore.answers(draft))
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.resize(1196, 748)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    made.check()
    return made


def asked(fake_bridge: FakeBridge, name: str) -> list[Mapping[str, Any]]:
    return [call.values for call in fake_bridge.named(name)]


def shown(view: ExploreView, text: str) -> None:
    view.board.begin(text)
    QApplication.processEvents()  # what is new is shown


def select(view: ExploreView, *codes: str) -> None:
    for place, code in enumerate(codes):
        view.catalogue.select(code, only=place == 0)


def variables(*codes: str) -> QMimeData:
    data = QMimeData()
    data.setData(TERMS_MIME, offer_to_bytes(Offer(explore.HASH, tuple((code, None) for code in codes))))
    return data


def part(view: ExploreView, id: int) -> QMimeData:
    data = QMimeData()
    data.setData(TERMS_MIME, offer_to_bytes(Offer(explore.HASH, canvas=view.board.token, parts=(id,))))
    return data


def hover(place: DropPlace, data: QMimeData) -> str:
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDragEnterEvent(QPoint(4, 4), copy, data, left, Qt.KeyboardModifier.NoModifier)
    place.dragEnterEvent(event)
    return place.drag_state


def drop(place: DropPlace, data: QMimeData) -> None:
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    place.dropEvent(QDropEvent(QPointF(4, 4), copy, data, left, Qt.KeyboardModifier.NoModifier))


def cards(view: ExploreView) -> list[CardWidget]:
    return [each for each in view.canvas.widgets() if isinstance(each, CardWidget)]


def rows(view: ExploreView) -> list[TermRow]:
    return [each for each in view.canvas.widgets() if isinstance(each, TermRow)]


def gaps(view: ExploreView) -> list[Gap]:
    QApplication.processEvents()  # what is new is shown
    return sorted(
        (each for each in view.canvas.findChildren(Gap) if each.isVisibleTo(view)), key=lambda gap: gap._index
    )


def end(view: ExploreView) -> EmptyPlace:
    return view.canvas.findChild(EmptyPlace)


# --- building by drag -------------------------------------------------------------------------------------------------


def test_dropping_on_empty_space_between_cards_and_on_a_card(view: ExploreView) -> None:
    drop(end(view), variables("sex"))
    drop(end(view), variables("died"))
    assert view.board.text == "sex known and died"
    drop(gaps(view)[1], variables("age"))
    assert view.board.text == "sex known and age known and died"
    drop(cards(view)[2], variables("ICD10:C34"))
    assert view.board.text == "sex known and age known and (died or ICD10:C34)"


def test_cards_and_terms_are_dragged_too_and_cards_nest(view: ExploreView) -> None:
    shown(view, "sex = female and (died or ICD10:C34)")
    drop(cards(view)[1], part(view, view.board.criteria.cards[0].id))
    assert view.board.text == "died or ICD10:C34 or sex = female"
    assert len(cards(view)) == 2
    drop(end(view), part(view, rows(view)[0].term.id))
    assert view.board.text == "(ICD10:C34 or sex = female) and died"


def test_a_drag_says_what_would_happen_or_why_not(view: ExploreView) -> None:
    shown(view, "died and age >= 60")
    first = cards(view)[0]
    assert hover(first, variables("sex")) == TARGET
    assert hover(first, variables("died")) == REFUSED
    assert first.drag_reason == "This is already on the card."
    foreign = QMimeData()
    foreign.setData(TERMS_MIME, offer_to_bytes(Offer(b"another", (("died", None),))))
    assert hover(first, foreign) == REFUSED
    assert hover(first, part(view, first.card.id)) == REFUSED
    assert first.drag_reason == "A card cannot be put into itself."
    words = QMimeData()
    words.setText("died")
    first._set_drag(NO)
    assert hover(first, words) == NO
    before = view.board.text
    drop(first, foreign)
    assert view.board.text == before
    assert not view.banners.isHidden()


def test_only_this_canvas_moves_its_parts(view: ExploreView) -> None:
    shown(view, "died and age >= 60")
    data = QMimeData()
    stranger = Offer(explore.HASH, canvas=b"somebody", parts=(view.board.criteria.cards[1].id,))
    data.setData(TERMS_MIME, offer_to_bytes(stranger))
    drop(cards(view)[0], data)
    assert view.board.text == "died and age >= 60"


# --- building by keyboard ---------------------------------------------------------------------------------------------


def test_enter_adds_to_the_current_card_and_shift_enter_to_a_new_one(view: ExploreView, qtbot: QtBot) -> None:
    select(view, "died")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    select(view, "ICD10:C34")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    assert view.board.text == "died or ICD10:C34"
    select(view, "sex")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert view.board.text == "(died or ICD10:C34) and sex known"
    select(view, "ecog", "weight_loss")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    assert view.board.text == "(died or ICD10:C34) and (sex known or ecog known or weight_loss known)"


def test_cards_and_terms_take_the_keyboard(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, "died and (ICD10:C34 or sex = female)")
    first = cards(view)[0]
    first.setFocus()
    qtbot.keyClick(first, KEY.Key_Minus)
    assert view.board.text == "not died and (ICD10:C34 or sex = female)"
    qtbot.keyClick(first, KEY.Key_Down)
    qtbot.keyClick(rows(view)[0], KEY.Key_Down)
    assert view.canvas.focused() == view.board.criteria.cards[1].id
    qtbot.keyClick(cards(view)[1], KEY.Key_Down)
    row = rows(view)[1]
    assert view.canvas.focused() == row.term.id
    assert view.board.current == view.board.criteria.cards[1].id
    qtbot.keyClick(row, KEY.Key_Delete)
    assert view.board.text == "not died and sex = female"
    assert view.canvas.focused() == view.board.criteria.cards[1].id


def test_shortcuts_move_copy_and_paste(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, "died and sex = female")
    second = cards(view)[1]
    second.setFocus()
    view.canvas.move_part(second.card.id, -1)
    assert view.board.text == "sex = female and died"
    view.canvas.copy(second.card.id)
    assert QApplication.clipboard().text() == "sex = female"
    view.canvas.duplicate(second.card.id)
    assert view.board.text == "sex = female and sex = female and died"
    QApplication.clipboard().setText("age >= 60 and (ICD10:C34 or died)")
    view.board.attend(0)
    view.canvas.paste()
    assert view.board.text.endswith("and died and age >= 60 and (ICD10:C34 or died)")
    QApplication.clipboard().setText("what is this?")
    before = view.board.text
    view.canvas.paste()
    assert view.board.text == before
    assert not view.banners.isHidden()


def test_the_focus_stays_with_what_is_moved(view: ExploreView, qtbot: QtBot) -> None:
    shown(view, "died and (ICD10:C34 or sex = female)")
    row = rows(view)[1]
    row.setFocus()
    id = row.term.id
    view.canvas.move_part(id, -1)
    assert view.board.text == "(died or ICD10:C34) and sex = female"
    qtbot.waitUntil(lambda: view.canvas.focused() == id)
    view.canvas.duplicate(id)
    qtbot.waitUntil(lambda: view.canvas.focused() == id)


def test_everything_of_a_card_is_in_its_menu(view: ExploreView) -> None:
    shown(view, "died and (ICD10:C34 or sex = female)")
    menu = view.canvas.menu_of(view.board.criteria.cards[1].id)
    words = [action.text() for action in menu.actions() if action.text()]
    assert words == [
        "Must not have",
        "all of",
        "Copy",
        "Cut",
        "Paste",
        "Duplicate",
        "Move up",
        "Move down",
        "Move to",
        "Remove",
    ]
    next(action for action in menu.actions() if action.text() == "all of").trigger()
    assert view.board.text == "died and (ICD10:C34 and sex = female)"
    into = next(action.menu() for action in menu.actions() if action.text() == "Move to")
    assert isinstance(into, QMenu)
    into.actions()[0].trigger()
    assert view.board.text == "died or ICD10:C34 and sex = female"


def test_undo_and_redo_go_all_the_way(view: ExploreView) -> None:
    for code in ("died", "sex", "age"):
        drop(end(view), variables(code))
    view.undo.click()
    view.undo.click()
    assert view.board.text == "died"
    view.redo.click()
    assert view.board.text == "died and sex known"
    view.undo.click()
    view.undo.click()
    assert view.board.text == ""
    assert not view.undo.isEnabled()


# --- editing where it stands ------------------------------------------------------------------------------------------


def editor(view: ExploreView, text: str) -> Any:
    shown(view, text)
    view.board.toggle(view.board.criteria.cards[0].parts[0].id)
    return rows(view)[0].editor


def content(view: ExploreView) -> object:
    term = view.board.criteria.cards[0].parts[0]
    assert isinstance(term, Term)
    return term.content


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


# --- in words and as text ---------------------------------------------------------------------------------------------


def test_text_and_cards_follow_each_other(view: ExploreView) -> None:
    text = view.words.editor
    drop(end(view), variables("died"))
    assert text.toPlainText() == "died"
    text.setPlainText("died and sex = female")
    text.take()
    assert len(cards(view)) == 2
    assert "“female”" in view.words._sentence.accessibleName()
    view.undo.click()
    assert text.toPlainText() == "died"


def test_a_mistake_in_the_text_is_pointed_at_and_nothing_is_asked(view: ExploreView) -> None:
    shown(view, "died")
    view.words.set_unfolded(True)
    view.words.editor.setPlainText("died and agee >= 60")
    view.words.editor.take()
    assert "Did you mean: age?" in view.words.wrong
    (mark,) = view.words.editor.extraSelections()
    assert mark.cursor.selectedText() == "agee"
    assert view.board.text == "died"
    assert not view.analysis.button.isEnabled()
    view.words.editor.setPlainText("died and age >= 60")
    view.words.editor.take()
    assert view.words.wrong == ""
    assert view.analysis.button.isEnabled()


# --- the catalogue ----------------------------------------------------------------------------------------------------


def listed(view: ExploreView) -> list[str]:
    model = view.catalogue.model
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_searching_lists_what_is_found_and_leaving_shows_the_tree(view: ExploreView, qtbot: QtBot) -> None:
    view.catalogue.search.setText("ag")
    view.catalogue.search.wanted.emit("ag")
    assert listed(view) == ["Age"]
    qtbot.keyClick(view.catalogue.search, KEY.Key_Return)
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    assert view.board.text == "age known"
    view.catalogue.show_in_tree("age")
    assert "Numbers" in listed(view)
    view.catalogue.search.setText("xyz")
    view.catalogue.search.wanted.emit("xyz")
    assert view.catalogue._stack.currentIndex() == 1


def test_filters_favourites_and_what_was_used_lately(view: ExploreView, qtbot: QtBot) -> None:
    view.catalogue._kind.set_value("category")
    view.catalogue._kind.chosen.emit("category")
    assert listed(view) == ["Categories"]
    view.catalogue._kind.set_value("")
    view.catalogue._cover.set_value("all")
    view.catalogue._cover.chosen.emit("all")
    assert not view.catalogue.model.index_of(view.board.places["weight_loss"]).isValid()
    view.catalogue._cover.set_value("any")
    view.catalogue._cover.chosen.emit("any")
    view.catalogue.set_favourite("weight_loss", True)
    view.catalogue._star.click()
    assert listed(view) == ["Weight loss in the last six months"]
    view.catalogue._star.click()
    select(view, "died")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Return)
    view.catalogue._latest.click()
    assert listed(view) == ["Died during follow-up"]


def test_the_sheet_says_who_holds_a_variable(view: ExploreView, qtbot: QtBot) -> None:
    select(view, "weight_loss")
    qtbot.keyClick(view.catalogue.tree, KEY.Key_Space)
    assert view.details.isVisible()
    words = " ".join(each.text() for each in view.details.findChildren(QLabel))
    assert "Bern does not have it" in words
    assert "Geneva has it" in words
    qtbot.keyClick(view.details, KEY.Key_Escape)
    assert not view.details.isVisible()


def test_refreshing_keeps_what_is_selected_and_built(view: ExploreView, fake_bridge: FakeBridge) -> None:
    select(view, "weight_loss")
    drop(end(view), variables("age"))
    row = rows(view)[0]
    fake_bridge.stir()
    assert view.catalogue._codes() == ["weight_loss"]
    assert rows(view)[0] is row
    assert asked(fake_bridge, "catalogue.show")[-1] == {"have": explore.HASH}


# --- asking -----------------------------------------------------------------------------------------------------------


def test_a_site_that_cannot_answer_cannot_be_chosen(view: ExploreView) -> None:
    shown(view, "weight_loss >= 10")
    view.check()
    assert view.analysis.chosen == ("Lausanne", "Geneva")
    box = view.analysis._boxes["Bern"]
    assert not box.isEnabled()
    assert "Weight loss" in box.accessibleName()
    assert view.analysis.button.text() == "Ask 2 sites"


def test_asking_says_whom_how_and_what_for_and_goes_to_the_results(
    view: ExploreView, fake_bridge: FakeBridge, navigations: list[tuple[str, object]]
) -> None:
    shown(view, "died")
    view.check()
    view.analysis._boxes["Bern"].click()
    view.analysis.noised.click()
    view.analysis.strength.set_value("1/4")
    view.analysis.least.set_value("2")
    view.analysis.purpose.setText("A study")
    view.check()
    assert asked(fake_bridge, "query.explain")[-1] == {"text": "died", "epsilon": "1/4", "contributors": 2}
    view.analysis.button.click()
    (values,) = asked(fake_bridge, "query.run")
    assert values == {
        "text": "died",
        "epsilon": "1/4",
        "sites": ["Lausanne", "Geneva"],
        "minimum": 2,
        "deadline": 0,
        "purpose": "A study",
        "wait": 0,
    }
    assert navigations[-1] == ("results", "8f14e45fceea")


def test_what_cannot_be_asked_says_why_beside_the_button(view: ExploreView, fake_bridge: FakeBridge) -> None:
    shown(view, "died")
    view.check()
    view.analysis.purpose.setText(" ")
    view.analysis.show_state()
    assert not view.analysis.button.isEnabled()
    assert "what the answer is for" in view.analysis._reason.text()
    problem = {"code": "query.too_many_terms", "params": {"count": 700, "limit": 500}}
    fake_bridge.answers["query.explain"] = {"fits": False, "problem": problem, "explained": None, "by_site": []}
    view.check()
    assert view.analysis._fit.text().startswith("The query has 700 parts")


def test_a_refusal_when_asking_stays_on_the_screen(view: ExploreView, fake_bridge: FakeBridge) -> None:
    shown(view, "died")
    view.check()
    fake_bridge.answers["query.run"] = UserError("query.deadline_past")
    view.analysis.button.click()
    assert not view.banners.isHidden()
    assert view.analysis.button.isEnabled()


# --- drafts and saved cohorts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", ["died and age >= 60"])
def test_what_was_left_comes_back(view: ExploreView, draft: str) -> None:
    assert view.board.text == draft
    assert not view.undo.isEnabled()


@pytest.mark.parametrize("draft", ["died and no_such_variable"])
def test_a_draft_that_no_longer_fits_is_shown_as_text(view: ExploreView, draft: str) -> None:
    assert view.words.editor.toPlainText() == draft
    assert "no_such_variable" in view.words.wrong


def test_changes_are_kept_when_the_hand_rests_and_when_the_screen_goes(
    view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    drop(end(view), variables("died"))
    qtbot.waitUntil(lambda: bool(asked(fake_bridge, "draft.save")))
    assert asked(fake_bridge, "draft.save")[-1]["text"] == "died"
    drop(end(view), variables("sex"))
    view.hide()
    assert asked(fake_bridge, "draft.save")[-1]["text"] == "died and sex known"


def test_a_new_query_keeps_the_one_before_among_the_versions(view: ExploreView, fake_bridge: FakeBridge) -> None:
    drop(end(view), variables("died"))
    view.open("")
    assert asked(fake_bridge, "draft.save")[-1]["text"] == "died"
    assert len(asked(fake_bridge, "draft.clear")) == 1
    assert view.board.criteria.cards == ()


@pytest.mark.parametrize("follows", ["new", "edit", "cohort"])
@pytest.mark.parametrize("waits", [True, False], ids=["changed", "kept"])
def test_what_replaces_a_query_is_kept_in_a_version_of_its_own(
    follows: str, waits: bool, view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    drop(end(view), variables("died"))
    if not waits:
        view.draft.save_what_waits()
    if follows == "cohort":
        cohort_menu(view, "Older women")["Open to edit"].trigger()
    else:
        view.open("age >= 60" if follows == "edit" else "")
    qtbot.waitUntil(lambda: not view.draft.waits)
    kept = [(call.name, call.values.get("text")) for call in fake_bridge.calls if call.name.startswith("draft.")]
    replacing = {"new": "", "edit": "age >= 60", "cohort": explore.SMOKERS}[follows]
    assert kept[1:] == [("draft.save", "died"), ("draft.clear", None), ("draft.save", replacing)]


def test_a_draft_that_comes_late_does_not_replace_what_was_begun(
    context: Context, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    fake_bridge.answers.update(explore.answers("died"))
    fake_bridge.at_once = False
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: bool(asked(fake_bridge, "draft.load")))
    made.open("age >= 60")
    qtbot.waitUntil(lambda: bool(made.draft.versions))
    assert made.board.text == "age >= 60"


def test_another_screen_opens_a_question_here(view: ExploreView) -> None:
    view.open("age >= 60 and died")
    assert view.board.text == "age >= 60 and died"


def cohort_menu(view: ExploreView, name: str) -> dict[str, Any]:
    menu = view.cohorts_button.menu()
    menu.aboutToShow.emit()
    inner = next(action.menu() for action in menu.actions() if action.text() == name)
    assert isinstance(inner, QMenu)
    return {action.text(): action for action in inner.actions()}


def test_saved_cohorts_are_terms_and_open_for_editing(view: ExploreView) -> None:
    drop(end(view), variables("died"))
    view.board.attend(0)
    cohort_menu(view, "Older women")["Add as a term"].trigger()
    assert view.board.text == 'died and cohort:"Older women"'
    assert "at least 60 years" in view.words._sentence.accessibleName()
    cohort_menu(view, "Older women")["Open to edit"].trigger()
    assert view.board.text == explore.SMOKERS
    assert view._title.accessibleName() == "Older women"


def test_saving_a_cohort_asks_for_its_name(view: ExploreView, fake_bridge: FakeBridge, qtbot: QtBot) -> None:
    drop(end(view), variables("died"))
    row = {"name": "The dead", "version": 1, "text": "died", "query": b"", "saved": examples.NOW}
    fake_bridge.answers["cohort.save"] = row
    view._save.click()
    dialog = view.saved.dialog
    assert dialog is not None
    dialog.answer()
    assert not asked(fake_bridge, "cohort.save")
    dialog.findChild(QLineEdit).setText("The dead")
    dialog.answer()
    assert asked(fake_bridge, "cohort.save") == [{"name": "The dead", "text": "died"}]
    assert view._title.accessibleName() == "The dead"
    qtbot.waitUntil(lambda: view._state.text() == "Version 1 · all changes saved")


def test_without_a_federation_it_says_where_to_go(
    context: Context, fake_bridge: FakeBridge, qtbot: QtBot, navigations: list[tuple[str, object]]
) -> None:
    fake_bridge.answers["site.overview"] = examples.nowhere()
    context.standing.refresh()
    made = ExploreView(context)
    qtbot.addWidget(made)
    made.show()
    assert made._stack.currentIndex() == 2
    assert not made.new.isVisible()
    assert not asked(fake_bridge, "catalogue.show")
