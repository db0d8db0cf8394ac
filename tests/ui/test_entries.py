"""The list of things to open: its model keeps the view's rules, and the view keeps the person's place."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.ui.widgets.entries import Entries, EntriesModel, Entry, initials_of


def entries(*keys: str) -> list[Entry]:
    return [Entry(key, key.upper(), heading=key == "head") for key in keys]


@pytest.fixture
def shown(qtbot: QtBot) -> Entries:
    made = Entries("Things")
    qtbot.addWidget(made)
    made.resize(292, 120)
    made.show()
    return made


@pytest.mark.parametrize(
    "after",
    [
        ["head", "a", "b", "c"],
        ["head", "c", "a", "b"],
        ["b"],
        [],
        ["x", "head", "b", "y", "a"],
        ["a", "head", "c", "b"],
    ],
)
def test_the_model_becomes_any_other_list(after: list[str], qtmodeltester: ModelTester) -> None:
    model = EntriesModel()
    qtmodeltester.check(model)
    model.show(entries("head", "a", "b", "c"))
    model.show(entries(*after))
    assert [entry.key for entry in model.entries] == after
    assert model.rowCount() == len(after)


def test_only_what_has_changed_is_told(qtbot: QtBot) -> None:
    model = EntriesModel()
    model.show(entries("a", "b", "c"))
    told: list[tuple[str, int]] = []
    model.rowsInserted.connect(lambda _parent, first, _last: told.append(("in", first)))
    model.rowsRemoved.connect(lambda _parent, first, _last: told.append(("out", first)))
    model.dataChanged.connect(lambda first, _last: told.append(("new", first.row())))
    model.show([Entry("a", "A"), Entry("b", "B", words="else"), Entry("c", "C")])
    model.show(model.entries[:2])
    assert told == [("new", 1), ("out", 2)]


def test_the_selection_stays_while_others_come_and_go(shown: Entries) -> None:
    shown.show_entries(entries("head", "a", "b", "c"))
    shown.select("b")
    chosen: list[str] = []
    shown.chosen.connect(chosen.append)
    shown.show_entries(entries("z", "head", "b", "a"))
    assert (shown.selected, shown.currentIndex().row()) == ("b", 2)
    shown.show_entries(entries("z", "head", "a"))
    assert shown.selected == ""
    assert chosen == [], "the person has done nothing"


def test_the_list_does_not_jump(shown: Entries) -> None:
    many = [f"e{number}" for number in range(60)]
    shown.show_entries(entries(*many))
    shown.select("e0")
    shown.verticalScrollBar().setValue(700)
    shown.show_entries(entries(*many, "one more"))
    assert shown.verticalScrollBar().value() == 700


def test_arrows_pass_headings_and_tell(shown: Entries, qtbot: QtBot) -> None:
    shown.show_entries(entries("a", "head", "b"))
    shown.select("a")
    with qtbot.waitSignal(shown.chosen) as heard:
        qtbot.keyClick(shown, Qt.Key.Key_Down)
    assert heard.args == ["b"]
    assert not shown.entries.flags(shown.entries.index(1)) & Qt.ItemFlag.ItemIsSelectable


def test_a_screen_reader_hears_all_of_an_entry(shown: Entries) -> None:
    entry = Entry("a", "Geneva", "14:41", "How many?", chip=("Needs your answer", "caution", "person"))
    shown.show_entries([entry])
    spoken = shown.entries.data(shown.entries.index(0), Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Geneva, 14:41, How many?, Needs your answer"
    assert shown.entries.data(QModelIndex()) is None


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Geneva", "GE"), ("Saint Gallen", "SG"), ("Aix-en-Provence", "AE"), ("Ö", "Ö"), ("", "?"), ("– –", "?")],
)
def test_initials(name: str, initials: str) -> None:
    assert initials_of(name) == initials
