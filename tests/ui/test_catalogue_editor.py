"""The catalogue editor: the form, the tree, translations, drafts, files; every change can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit, QPushButton
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.core.catalogue.file import load_catalogue
from app.core.catalogue.model import Catalogue, Kind, Level
from app.ui.models.editing import Editing, added, new_variable, node, nodes, replaced, without
from app.ui.models.translations import TranslationsModel
from app.ui.views.catalogue import CatalogueView
from app.ui.widgets.dialogs import Dialog
from tests.ui.examples_catalogue import CATALOGUE, CHANGES, EARLIER
from tests.ui.fakes import FakeBridge
from tests.ui.gallery import Stage
from tests.ui.gallery_catalogue import edited


@pytest.fixture
def view(tmp_path: Path, qtbot: QtBot) -> Iterator[CatalogueView]:
    stage = Stage(tmp_path)
    window, view = edited(stage)
    qtbot.addWidget(window)
    window.show()
    yield view
    view.editing.undo_stack.clear()


def now(view: CatalogueView) -> Catalogue:
    assert view.editing.catalogue is not None
    return view.editing.catalogue


def type_into(view: CatalogueView, field: str, words: str, qtbot: QtBot) -> None:
    line = view.form.line(field)
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, words)
    qtbot.keyClick(line, Qt.Key.Key_Return)


def test_a_field_is_changed_undone_and_done_again(view: CatalogueView, qtbot: QtBot) -> None:
    view.browser.select("age")
    type_into(view, "cut_points", "20 40.5 60", qtbot)
    assert [str(each) for each in now(view).variable("age").cut_points] == ["20", "40.5", "60"]
    assert not view.editing.saved
    view.editing.undo_stack.undo()
    assert now(view) == CATALOGUE
    assert view.form.line("cut_points").text() == "18 30 40 50 60 70 80"
    view.editing.undo_stack.redo()
    assert len(now(view).variable("age").cut_points) == 3


@pytest.mark.parametrize(
    ("code", "field", "typed"),
    [
        ("age", "cut_points", "10 many"),
        ("age", "step", "0"),
        ("age", "label.en", " "),
        ("diagnosed", "first", "2010-13"),
        ("progression", "periods", "many"),
        ("ICD10:C43", "parents", "nothing"),
        ("ICD10:C43", "parents", "ICD10:C43.5"),
        ("sex", "code", "stage"),
        ("sex", "code", "s e x"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    view: CatalogueView, qtbot: QtBot, code: str, field: str, typed: str
) -> None:
    view.browser.select(code)
    type_into(view, field, typed, qtbot)
    assert now(view) == CATALOGUE
    assert view.form.line(field).property("wrong")
    assert view.form.line(field).accessibleDescription()


def test_another_code_keeps_what_hangs_below(view: CatalogueView, qtbot: QtBot) -> None:
    view.browser.select("ICD10:C43")
    type_into(view, "code", "dx:melanoma", qtbot)
    assert now(view).find("ICD10:C43") is None
    assert now(view).variable("ICD10:C43.5").parents == ("dx:melanoma",)
    assert view.browser.codes() == ["dx:melanoma"]


def test_what_hung_under_something_removed_hangs_where_that_hung(view: CatalogueView) -> None:
    view.browser.select("ICD10:C43")
    view.browser.remove_button.click()
    assert now(view).find("ICD10:C43") is None
    assert now(view).variable("ICD10:C43.5").parents == ("disease",)
    whole = without(CATALOGUE, {"disease", "ICD10:C43"})
    assert whole.variable("ICD10:C43.5").parents == ()


@pytest.mark.parametrize("kind", [*Kind, None])
def test_something_new_of_every_kind(view: CatalogueView, kind: Kind | None) -> None:
    view.browser.select("disease")
    entries = {each.text(): each for each in view.browser.add_button.menu().actions()}
    list(each for words, each in entries.items() if words)[
        len(Kind) if kind is None else list(Kind).index(kind)
    ].trigger()
    (new,) = {each.code for each in nodes(now(view))} - {each.code for each in nodes(CATALOGUE)}
    found = node(now(view), new)
    assert found is not None
    assert found.parents == ("disease",)
    assert view.browser.codes() == [new]
    assert Catalogue.from_cbor(now(view).to_cbor()) == now(view)


def test_levels_are_typed_added_moved_and_removed(view: CatalogueView, qapp: QApplication) -> None:
    view.browser.select("stage")
    table = view.form.findChild(type(view.form._levels)) if view.form._levels is not None else None
    assert table is not None
    table.table.item(0, 2).setText("Stade un")
    assert now(view).variable("stage").levels[0].label.fr == "Stade un"
    next(each for each in table.findChildren(QPushButton)).click()
    assert [each.code for each in now(view).variable("stage").levels] == ["I", "II", "III", "IV", "5"]
    table.table.setCurrentCell(4, 0)
    table._move(-1)
    table._take_away()
    levels: tuple[Level, ...] = now(view).variable("stage").levels
    assert [each.code for each in levels] == ["I", "II", "III", "IV"]


def test_the_translations(tmp_path: Path, qtmodeltester: ModelTester, qapp: object) -> None:
    editing = Editing(tmp_path / "draft")
    model = TranslationsModel(editing)
    editing.begin(CATALOGUE, None)
    assert model.rowCount() == 19
    model.filter("", True)
    assert [(each.code, each.part) for each in model.rows] == [
        ("age", "description"),
        ("diagnosed", "label"),
        ("ICD10:C43.5", "label"),
        ("progression", "label"),
    ]
    assert model.setData(model.index(1, 4), "Diagnosedatum")
    assert editing.catalogue is not None
    assert editing.catalogue.variable("diagnosed").label.de == "Diagnosedatum"
    assert model.rowCount() == 3
    assert not model.setData(model.index(0, 2), "")  # nothing may lack its English text
    assert model.problem is not None
    model.filter("trunk", False)
    assert model.rowCount() == 1
    qtmodeltester.check(model)


def test_a_draft_outlives_the_window(tmp_path: Path, qapp: object) -> None:
    editing = Editing(tmp_path / "draft")
    assert not editing.restore_draft()
    editing.begin(CATALOGUE, tmp_path / "c.toml")
    extra = new_variable(CATALOGUE, Kind.NUMBER, "New", "Level", ())
    editing.do(lambda catalogue: added(catalogue, extra), "add")
    editing.keep_draft()
    later = Editing(tmp_path / "draft")
    assert later.restore_draft()
    assert later.catalogue == editing.catalogue
    assert (later.file, later.saved) == (tmp_path / "c.toml", False)
    later.is_saved_as(tmp_path / "c.toml")
    assert not Editing(tmp_path / "draft").restore_draft()
    (tmp_path / "draft").write_bytes(b"\x00\x01")
    assert not Editing(tmp_path / "draft").restore_draft()


def test_saved_and_opened_again(view: CatalogueView, tmp_path: Path) -> None:
    view.editing.do(lambda catalogue: replaced(catalogue, "os", catalogue.variable("os")), "nothing")
    assert view.editing.saved  # nothing changed
    view.save_as(tmp_path / "out.toml")
    assert load_catalogue(tmp_path / "out.toml") == CATALOGUE
    view.open(str(tmp_path / "out.toml"))
    assert (now(view), view.editing.file) == (CATALOGUE, tmp_path / "out.toml")
    (tmp_path / "broken.toml").write_text("format = ", "utf-8")
    view.open(str(tmp_path / "broken.toml"))
    assert view.banners.isVisible()
    assert now(view) == CATALOGUE


def test_it_begins_with_the_federations_catalogue(tmp_path: Path, qtbot: QtBot) -> None:
    window, view = edited(Stage(tmp_path), None)
    qtbot.addWidget(window)
    assert view.editing.catalogue is None
    view._take_federation({"catalogue": EARLIER.to_cbor(), "hash": EARLIER.hash})
    assert now(view) == EARLIER


def test_a_waiting_version_is_read_and_accepted(view: CatalogueView) -> None:
    view.open("versions")
    assert view.tabs.tabText(view.tabs.currentIndex()) == "Versions"
    bridge = view.context.bridge
    assert isinstance(bridge, FakeBridge)
    bridge.answers["catalogue.accept"] = {**CHANGES, "hash": ""}
    labels = [each.text() for each in view.versions.findChildren(QLabel)]
    assert {
        "New (1): progression",
        "Gone (1): smoker",
        "Mean something else (1): age",
        "Only other words or places (1): stage",
        "Groups (1): outcome",
    } <= set(labels)
    button = next(each for each in view.versions.findChildren(QPushButton) if each.text() == "Accept this version")
    button.click()
    assert ("catalogue.accept", {"version": 3}) in [(each.name, each.values) for each in bridge.calls]


def test_publishing_says_what_changes_and_asks_for_a_note(view: CatalogueView, tmp_path: Path, qtbot: QtBot) -> None:
    bridge = view.context.bridge
    assert isinstance(bridge, FakeBridge)
    view._take_federation({"catalogue": EARLIER.to_cbor(), "hash": EARLIER.hash})
    bridge.answers |= {"catalogue.check": CHANGES, "catalogue.publish": {**CHANGES, "hash": ""}}
    file = tmp_path / "three.toml"
    view.save_as(file)
    view._publish_button.click()
    dialog = view.findChild(Dialog)
    assert dialog is not None
    assert "New (1): progression" in " ".join(each.text() for each in dialog.findChildren(QLabel))
    edit = dialog.findChild(QPlainTextEdit)
    assert edit is not None
    edit.setPlainText("Progression is new.")
    dialog.answer()
    asked = {each.name: each.values for each in bridge.calls}
    assert asked["catalogue.publish"] == {"path": str(file), "note": "Progression is new."}
