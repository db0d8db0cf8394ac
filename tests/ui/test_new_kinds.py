"""Explore with dates, events and survival: they are shown truthfully, and become terms."""

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

NEW = {"diagnosis": "diagnosis known", "relapse": "relapse occurs", "os": "os known"}


@pytest.fixture
def board(qapp: object) -> Board:
    made = Board()
    made.set_catalogue(EVERY_KIND, EVERY_KIND.hash)
    return made


@pytest.mark.parametrize(("code", "said"), NEW.items())
def test_each_becomes_a_term_with_its_editor_open(board: Board, code: str, said: str) -> None:
    offer = Offer(EVERY_KIND.hash, ((code, None),))
    assert board.refusal(offer, Between(0)) == ""
    assert board.drop(offer, Between(0))
    assert board.text == said
    assert board.opened == board.criteria.cards[0].parts[0].id


@pytest.mark.parametrize("code", NEW)
def test_the_tree_and_the_sheet_show_it_and_add_it(board: Board, code: str, qtbot: QtBot, tmp_path: Path) -> None:
    pane = CataloguePane(board, Preferences(tmp_path / "window.ini"))
    sheet = Details(board, pane.is_favourite, pane.set_favourite)
    for widget in (pane, sheet):
        qtbot.addWidget(widget)
    pane.show_in_tree(code)
    assert [pane.model.variable(each) for each in pane.tree.selectedIndexes()] == [EVERY_KIND.variable(code)]
    pane.tree.wanted.emit(False)
    assert board.text == NEW[code]
    sheet.show_variable(code)
    texts = [label.text() for label in sheet.findChildren(QLabel)]
    assert times_of(EVERY_KIND.variable(code)) in texts
    board.attend(0)
    sheet._add_it()
    assert board.text == f"{NEW[code]} and {NEW[code]}"


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
