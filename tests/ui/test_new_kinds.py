"""Explore with dates, events and survival: they are shown truthfully, and refused in a question with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.core.catalogue.model import Kind
from app.texts import LANGUAGES, use_language
from app.ui.models.board import Board
from app.ui.models.criteria import Between
from app.ui.models.distribution import Distribution, distribution
from app.ui.models.terms import Offer
from app.ui.preferences import Preferences
from app.ui.views.explore.catalogue_pane import CataloguePane
from app.ui.views.explore.details import Details
from app.ui.views.explore.wording import ICONS, times_of
from tests.catalogues import EVERY_KIND

NEW = {"diagnosis": "a date", "relapse": "an event", "os": "a follow-up time"}


@pytest.fixture
def board(qapp: object) -> Board:
    made = Board()
    made.set_catalogue(EVERY_KIND, EVERY_KIND.hash)
    return made


@pytest.mark.parametrize(("code", "word"), NEW.items())
def test_adding_one_is_refused_with_the_reason(board: Board, code: str, word: str, qtbot: QtBot) -> None:
    name = EVERY_KIND.variable(code).label.en
    sentence = f"{name} is {word}, and this version of the program cannot use "
    offer = Offer(EVERY_KIND.hash, ((code, None),))
    assert board.refusal(offer, Between(0)).startswith(sentence)
    assert "\n" not in board.refusal(offer, Between(0))
    for attempt in (lambda: board.drop(offer, Between(0)), lambda: board.bring([(code, None)])):
        with qtbot.waitSignal(board.refused) as refused:
            assert not attempt()
        assert refused.args[0].startswith(sentence)
    assert not board.criteria.cards
    assert board.bring([("sex", "male"), ("age", None)])


@pytest.mark.parametrize("code", NEW)
def test_the_tree_and_the_sheet_show_it_and_refuse_to_add_it(
    board: Board, code: str, qtbot: QtBot, tmp_path: Path
) -> None:
    pane = CataloguePane(board, Preferences(tmp_path / "window.ini"))
    sheet = Details(board, pane.is_favourite, pane.set_favourite)
    for widget in (pane, sheet):
        qtbot.addWidget(widget)
    pane.show_in_tree(code)
    assert [pane.model.variable(each) for each in pane.tree.selectedIndexes()] == [EVERY_KIND.variable(code)]
    with qtbot.waitSignal(board.refused):
        pane.tree.wanted.emit(False)
    sheet.show_variable(code)
    texts = [label.text() for label in sheet.findChildren(QLabel)]
    assert times_of(EVERY_KIND.variable(code)) in texts
    with qtbot.waitSignal(board.refused):
        sheet._add_it()
    assert not board.criteria.cards


@pytest.mark.parametrize("language", LANGUAGES)
def test_times_are_said_in_every_language(language: str) -> None:
    use_language(language)
    try:
        said = {
            code: times_of(EVERY_KIND.variable(code))
            for code in ("diagnosis", "admission", "birth", "relapse", "os", "sex")
        }
    finally:
        use_language(None)
    assert all(part in said["diagnosis"] for part in ("2014-11", "2016-02"))
    assert all(part in said["admission"] for part in ("2024-02-27", "2024-03-02"))
    assert all(part in said["birth"] for part in ("1920", "2020"))
    assert all(part in said["os"] for part in ("60", "30", "1800"))
    assert "24" in said["relapse"]
    assert said["sex"] == ""


def test_every_kind_has_an_icon() -> None:
    assert ICONS.keys() == set(Kind)


def test_a_report_of_another_kind_has_no_bars() -> None:
    assert distribution(EVERY_KIND.variable("os"), {"known": 30, "bins": [{"from": None, "to": "30", "count": 3}]}) == (
        Distribution(30, ())
    )
