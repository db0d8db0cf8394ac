"""Preparing a dataset: every step on recorded answers, what is kept, and the real commands from file to package."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.core import paths
from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Progress
from app.core.preparation.mapping_reading import parse_mapping
from app.core.preparation.mapping_text import mapping_text
from app.ui.context import Context
from app.ui.jobs import Jobs
from app.ui.models.preparing import Found
from app.ui.models.preparing_check import Checked
from app.ui.models.preparing_columns import ColumnsModel
from app.ui.models.preparing_draft import Draft, Drawer
from app.ui.models.preparing_mapping import mended
from app.ui.models.preparing_problems import Place, ProblemsFilter, ProblemsModel
from app.ui.models.preparing_spread import SpreadModel
from app.ui.models.preparing_variables import Standing, VariablesModel
from app.ui.preferences import Preferences
from app.ui.views.data import DataView
from app.ui.views.first_start import FirstStart
from app.ui.views.prepare import Preparation, PrepareView, Surroundings, Wizard
from app.ui.views.prepare.columns import ColumnsStep
from app.ui.views.prepare.dry_run import DryRunStep
from app.ui.views.prepare.files import FilesStep
from app.ui.views.prepare.mapping import MappingStep
from app.ui.views.prepare.seal import SealStep
from app.ui.views.prepare.summary import SummaryStep
from app.ui.views.prepare.wizard import COLUMNS, DRY_RUN, FILES, MAPPING, PACKAGE, SEAL, SUMMARY
from app.ui.widgets.dialogs import Dialog
from tests.federations import two_sites
from tests.ui import examples_prepare as data
from tests.ui.fake_hospitals import FakeHospitals
from tests.ui.gallery_prepare import answering

PASSPHRASE = "a passphrase of some length"


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    return Drawer(tmp_path / "preparing")


@pytest.fixture
def imported() -> list[str]:
    return []


@pytest.fixture
def make(
    qtbot: QtBot, drawer: Drawer, preferences: Preferences, imported: list[str], context: Context
) -> Callable[..., Wizard]:
    def made(program: Any, jobs: Jobs | None = None) -> Wizard:
        around = Surroundings(leave=lambda: None, explain=lambda: None, import_package=imported.append)
        preparation = Preparation(drawer, jobs, run=program, read_federation=data.read_federation)
        wizard = Wizard(around, preparation, preferences)
        qtbot.addWidget(wizard)
        wizard.resize(1196, 740)
        wizard.show()
        return wizard

    return made


@pytest.fixture
def program() -> data.FakeProgram:
    return answering()


@pytest.fixture
def wizard(make: Callable[..., Wizard], program: data.FakeProgram, tmp_path: Path) -> Wizard:
    made = make(program)
    made.preparation.choose_federation(data.FEDERATION)
    made.preparation.choose_site("Lausanne")
    made.preparation.read(["/data/export/patients.csv"])
    made.preparation.decide(output=str(tmp_path / "lausanne.consilium"))
    return made


def at(wizard: Wizard, place: int) -> Any:
    """Go on to a step, and return it."""
    while wizard.steps.index(wizard.step) < place:
        before = wizard.step
        wizard.go_on()
        assert wizard.step is not before, before.obstacle()
    return wizard.step


def words(widget: Any) -> str:
    QApplication.processEvents()  # what was put into a layout is shown by the next round of events
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def press(widget: Any, text: str) -> None:
    QApplication.processEvents()
    next(each for each in widget.findChildren(QPushButton) if each.isVisible() and each.text() == text).click()


def named(widget: Any, kind: Any, name: str) -> Any:
    """Return the field of this name."""
    QApplication.processEvents()
    return [each for each in widget.findChildren(kind) if each.objectName() == name and each.isVisible()][-1]


def choose(combo: Any, value: str) -> None:
    combo.set_value(value)
    combo.chosen.emit(value)


# --- files --------------------------------------------------------------------------------------------------------


def test_nothing_can_be_added_before_the_federation_and_the_site_are_known(
    make: Callable[..., Wizard], program: data.FakeProgram
) -> None:
    wizard = make(program)
    files = wizard.step
    assert isinstance(files, FilesStep)
    assert not files.drop.files_button.isEnabled()
    assert "public file" in files.obstacle()
    wizard.preparation.choose_federation(data.FEDERATION)
    assert "which site" in files.obstacle()
    choose(next(each for each in files.findChildren(QComboBox) if each.accessibleName() == "Your site"), "Bern")
    assert wizard.preparation.mapping["site"] == "Bern"
    assert files.drop.files_button.isEnabled()
    assert [item.isEnabled() for item in wizard.list.items] == [True] + 6 * [False]
    assert not wizard.continue_button.isEnabled()


def test_files_that_are_dropped_are_read(wizard: Wizard, program: data.FakeProgram, tmp_path: Path) -> None:
    files = wizard.step
    assert isinstance(files, FilesStep)
    carried = QMimeData()
    carried.setUrls([QUrl.fromLocalFile(str(tmp_path / name)) for name in ("a.csv", "b")])
    nothing = Qt.KeyboardModifier.NoModifier
    drop = QDropEvent(QPointF(QPoint(9, 9)), Qt.DropAction.CopyAction, carried, Qt.MouseButton.LeftButton, nothing)
    files.drop.dropEvent(drop)
    command = program.last("map")
    assert [command[i + 1] for i, word in enumerate(command) if word == "--source"] == [
        str(tmp_path / "a.csv"),
        str(tmp_path / "b"),
    ]
    assert command[command.index("--base") + 1] == str(wizard.preparation.drawer.mapping)


def test_how_a_source_is_read_can_be_said_otherwise(wizard: Wizard, program: data.FakeProgram) -> None:
    decimal = next(
        each for each in wizard.step.findChildren(QComboBox) if each.accessibleName() == "Decimal sign: labs"
    )
    choose(decimal, ",")
    kept = tomllib.loads(wizard.preparation.drawer.mapping.read_text("utf-8"))
    assert program.commands[-1][1] == "map"
    assert kept["sources"]["labs"]["files"] == ["/data/export/lab.csv"]
    assert len(program.commands) == 2


def test_a_source_can_be_replaced_and_removed(
    wizard: Wizard, program: data.FakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/data/newer.csv", ""))
    newer = next(
        each
        for each in wizard.step.findChildren(QPushButton)
        if each.accessibleName() == "Newer file in place of lab.csv"
    )
    newer.click()
    assert "labs=/data/newer.csv" in program.last("map")
    wizard.preparation.remove_source("labs")
    sent = tomllib.loads(Path(program.last("map")[-1]).read_text("utf-8"))
    assert "lab:creatinine" in sent["variables"], "the example tells of it again"


def test_what_cannot_be_read_is_said_above_the_step(make: Callable[..., Wizard], qtbot: QtBot) -> None:
    refused = UserError("file.not_found", path="/data/export/patients.csv")
    wizard = make(answering(map=refused))
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Bern")
    wizard.preparation.read(["/data/export/patients.csv"])
    assert wizard.banners.isVisible()
    assert "patients.csv" in words(wizard.banners)
    assert wizard.preparation.doing == ""


# --- columns ------------------------------------------------------------------------------------------------------


def test_columns_show_types_examples_and_what_names_people(wizard: Wizard) -> None:
    step = at(wizard, COLUMNS)
    assert isinstance(step, ColumnsStep)
    model = step.table.model()
    shown = [[str(model.index(row, column).data()) for column in range(6)] for row in (0, 1, 3)]
    assert shown[0][0] == "patient_id"
    assert shown[0][5] == "Patient number"
    assert shown[1][4:] == ["", "Names people"], "what names people is not quoted"
    assert shown[2] == ["gender", "Code", "100%", "4", "1  2  w  9", "Mapped"]
    assert "left out" in words(step)


def test_day_0_can_be_chosen(wizard: Wizard) -> None:
    step = at(wizard, COLUMNS)
    choose(next(each for each in step.findChildren(QComboBox) if each.accessibleName() == "Day 0"), "follow_up\ngiven")
    assert wizard.preparation.mapping["index"] == {"table": "follow_up", "column": "given", "rule": "first"}


def test_one_cannot_go_on_without_a_patient_number(make: Callable[..., Wizard]) -> None:
    without = data.mapped()
    without["sources"][1]["tables"][0]["patient"] = None
    without["mapping"] = without["mapping"].replace('patient = "patient_id"\n', "")
    for source in without["sources"][2:]:
        source["tables"][0]["patient"] = "patient_id"
    program = answering(map=without)
    wizard = make(program)
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Bern")
    wizard.preparation.read(["x.csv"])
    step = at(wizard, COLUMNS)
    assert "lab.csv" in step.obstacle()
    wizard.preparation.set_reading("labs", "patient", "patient_id")
    sent = tomllib.loads(wizard.preparation.drawer.mapping.read_text("utf-8"))
    assert program.last("map")[-2] == "--base"
    assert "labs" in sent["sources"]


# --- mapping ------------------------------------------------------------------------------------------------------


def test_only_certain_suggestions_are_taken_over_without_asking(wizard: Wizard) -> None:
    step = at(wizard, MAPPING)
    assert isinstance(step, MappingStep)
    standing = {row.variable.code: row.standing for row in step._model.rows}
    assert standing["sex"] is Standing.MAPPED
    assert standing["stage"] is Standing.SUGGESTED
    assert standing["gene:BRAF"] is Standing.NOTHING
    assert "stage" not in wizard.preparation.mapping["variables"]
    step.show_variable("stage")
    press(step.editor, "Use it")
    assert wizard.preparation.mapping["variables"]["stage"] == {"table": "patients", "column": "ajcc"}
    step.undo_button.click()
    assert "stage" not in wizard.preparation.mapping["variables"]
    step.redo_button.click()
    step.accept_button.click()
    assert step._model.count(Standing.SUGGESTED) == 0


def test_what_is_left_out_is_not_suggested_again(wizard: Wizard) -> None:
    step = at(wizard, MAPPING)
    step.show_variable("age")
    press(step.editor, "Leave this variable out")
    assert "age" not in wizard.preparation.mapping["variables"]
    assert wizard.preparation.mapping["leave_out"] == ["age"]
    assert "You left this variable out" in words(step.editor)
    assert step._model.count(Standing.LEFT_OUT) == 1
    step.undo_button.click()
    assert "leave_out" not in wizard.preparation.mapping
    step.redo_button.click()
    wizard.preparation.read()
    assert "age" not in wizard.preparation.mapping["variables"]
    step.show_variable("age")
    press(step.editor, "Use it")
    assert "leave_out" not in wizard.preparation.mapping


def test_values_are_said_one_by_one(wizard: Wizard) -> None:
    step = at(wizard, MAPPING)
    step.show_variable("sex")
    german = next(each for each in step.editor.findChildren(QComboBox) if each.accessibleName() == "What w means")
    choose(german, "female")
    how = wizard.preparation.mapping["variables"]["sex"]
    assert how["values"] == {"1": "male", "2": "female", "w": "female"}
    nine = next(each for each in step.editor.findChildren(QComboBox) if each.accessibleName() == "What 9 means")
    assert nine.currentText() == "no value"
    choose(nine, "")
    assert "missing" not in wizard.preparation.mapping["variables"]["sex"]


def test_a_rule_is_said_by_hand_and_taken_over_when_it_is_complete(wizard: Wizard, qtbot: QtBot) -> None:
    step = at(wizard, MAPPING)
    step.show_variable("gene:BRAF")
    press(step.editor, "Say it myself")
    assert "Not complete yet" in words(step.editor)
    choose(named(step.editor, QComboBox, "table"), "diagnoses")
    choose(named(step.editor, QComboBox, "way"), "ever")
    codes = named(step.editor, QLineEdit, "codes")
    codes.setText("C43*, C79.3")
    codes.editingFinished.emit()
    first = {"table": "diagnoses", "rule": "ever", "codes": ["C43*", "C79.3"]}
    assert wizard.preparation.mapping["variables"]["gene:BRAF"] == first
    window = named(step.editor, QLineEdit, "window_from")
    window.setText("-90")
    window.editingFinished.emit()
    only = named(step.editor, QLineEdit, "only")
    only.setText("status = final; ward = A, B")
    only.editingFinished.emit()
    how = wizard.preparation.mapping["variables"]["gene:BRAF"]
    assert how["window"] == {"from": -90}
    assert how["only"] == {"status": ["final"], "ward": ["A", "B"]}
    choose(named(step.editor, QComboBox, "way"), "column")
    assert wizard.preparation.mapping["variables"]["gene:BRAF"] == how, "until the column is chosen"


def test_a_window_that_holds_nothing_is_refused_in_words(wizard: Wizard) -> None:
    step = at(wizard, MAPPING)
    step.show_variable("lab:creatinine")
    end = named(step.editor, QLineEdit, "window_to")
    end.setText("-400")
    end.editingFinished.emit()
    assert wizard.preparation.mapping["variables"]["lab:creatinine"]["window"] == {"from": -365, "to": 0}
    assert "-400" in words(step.editor)


def test_variables_are_found_and_filtered(wizard: Wizard) -> None:
    step = at(wizard, MAPPING)
    step.search.wanted.emit("c79")
    assert [step._filtered.index(row, 0).data() for row in range(step._filtered.rowCount())] == ["Brain metastases"]
    step.search.wanted.emit("")
    step._filtered.filter_by(standing="nothing")
    assert step._filtered.rowCount() == 2


def test_the_mapping_that_is_kept_is_one_that_the_commands_read(wizard: Wizard) -> None:
    at(wizard, MAPPING)
    kept = parse_mapping(wizard.preparation.drawer.mapping.read_bytes(), "draft.toml")
    assert kept.variables["lab:creatinine"].codes == ("2160-0",)
    assert kept.sources["labs"].patient == "patient_id"
    assert kept.index is not None


def test_what_has_changed_since_the_last_time_is_said(make: Callable[..., Wizard], tmp_path: Path) -> None:
    program = answering(map=data.mapped(changes=data.CHANGES))
    wizard = make(program)
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Lausanne")
    wizard.preparation.read(base=str(tmp_path / "last.toml"))
    assert program.last("map")[-2:] == ["--base", str(tmp_path / "last.toml")]
    step = at(wizard, MAPPING)
    assert "The column braf is no longer there" in words(step.banners)


# --- dry run ------------------------------------------------------------------------------------------------------


def test_the_dry_run_shows_problems_that_can_be_filtered_searched_and_sorted(wizard: Wizard) -> None:
    step = at(wizard, DRY_RUN)
    assert isinstance(step, DryRunStep)
    assert "326 problems in 48,213 rows" in words(step)
    step.filters["refused"].click()
    assert step.filtered.rowCount() == 3
    step.filters[""].click()
    step.search.wanted.emit("comma")
    assert step.filtered.rowCount() == 3
    step.search.wanted.emit("")
    step.table.sortByColumn(Place.ROW, Qt.SortOrder.DescendingOrder)
    rows = [step.filtered.index(row, Place.ROW).data() for row in range(3)]
    assert rows == ["8,230", "8,115", "7,702"]
    step.table.sortByColumn(Place.STATE, Qt.SortOrder.AscendingOrder)
    assert step.filtered.index(0, Place.STATE).data() == "Refused"


def test_a_cure_changes_the_mapping_and_runs_again(wizard: Wizard, program: data.FakeProgram) -> None:
    step = at(wizard, DRY_RUN)
    press(step.groups, "Read comma as point")
    assert wizard.preparation.mapping["sources"]["labs"]["decimal"] == ","
    assert [command[1] for command in program.commands[-2:]] == ["check", "check"]
    press(step.groups, "Show these rows (29)")
    assert step.filtered.rowCount() == 0 or step.filtered.index(0, Place.FILE).data() == "follow_up.csv"


def test_values_that_only_a_person_understands_are_mapped_by_hand(wizard: Wizard) -> None:
    step = at(wizard, DRY_RUN)
    press(step.groups, "Map these values… (7)")
    mapping = wizard.step
    assert isinstance(mapping, MappingStep)
    assert mapping.code == "stage"
    press(mapping.editor, "Use it")
    assert "What IIIA means" in [each.accessibleName() for each in mapping.editor.findChildren(QComboBox)]


@pytest.mark.parametrize(
    ("fix", "where", "value"),
    [
        ({"kind": "dates", "source": "labs", "value": "DMY"}, ("sources", "labs", "dates"), "DMY"),
        ({"kind": "unit", "variable": "x", "unit": "mg/dL"}, ("variables", "x", "unit"), "mg/dL"),
        ({"kind": "missing", "variable": "x", "values": ["9"]}, ("variables", "x", "missing"), ["8", "9"]),
        ({"kind": "values", "variable": "x", "suggested": {"w": "f"}}, ("variables", "x", "values"), {"w": "f"}),
    ],
)
def test_cures(fix: dict[str, Any], where: tuple[str, str, str], value: object) -> None:
    before = {"sources": {"labs": {}}, "variables": {"x": {"column": "y", "missing": ["8"]}}}
    after = mended(before, fix)
    assert after is not None
    first, second, third = where
    assert after[first][second][third] == value
    assert before["variables"]["x"] == {"column": "y", "missing": ["8"]}
    assert mended(before, {"kind": "values", "variable": "x", "values": ["w"]}) is None


def test_every_column_that_names_people_is_confirmed_by_itself(make: Callable[..., Wizard], tmp_path: Path) -> None:
    program = answering(check=data.checked(identifiers=data.IDENTIFIERS, blocked=True))
    wizard = make(program)
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Lausanne")
    wizard.preparation.read(["x.csv"])
    wizard.preparation.decide(output=str(tmp_path / "x.consilium"))
    step = at(wizard, DRY_RUN)
    assert "diagnoses.remark, patients.birth_date" in step.obstacle()
    boxes = step.identifiers.findChildren(QCheckBox)
    assert len(boxes) == 2, "what is not used needs no confirmation"
    boxes[0].click()
    assert step.obstacle().endswith("patients.birth_date")
    assert not wizard.continue_button.isEnabled()
    boxes[1].click()
    assert step.obstacle() == ""
    at(wizard, SEAL)
    command = program.last("prepare")
    assert [command[i + 1] for i, word in enumerate(command) if word == "--confirm"] == [
        "diagnoses.remark",
        "patients.birth_date",
    ]


def test_all_problems_are_exported(wizard: Wizard, program: data.FakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    step = at(wizard, DRY_RUN)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("/stick/problems.csv", ""))
    step.export_button.click()
    assert program.last("check")[-2:] == ["--problems", "/stick/problems.csv"]


def test_thousands_of_problems_stay_fluid(qtbot: QtBot) -> None:
    many = tuple(Checked.from_plain(data.checked()).problems) * 500
    model = ProblemsModel()
    shown = ProblemsFilter()
    shown.setSourceModel(model)
    model.show(many)
    assert shown.rowCount() == 5_500
    shown.filter_by(state="refused")
    assert shown.rowCount() == 1_500
    shown.filter_by(words="diagnosis")
    assert shown.rowCount() == 500


def test_a_dry_run_that_fails_is_not_tried_again_and_again(make: Callable[..., Wizard]) -> None:
    program = answering(check=EnvironmentProblem("disk.full", path="/tmp"))
    wizard = make(program)
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Lausanne")
    wizard.preparation.read(["x.csv"])
    at(wizard, DRY_RUN)
    assert [command[1] for command in program.commands].count("check") == 1
    assert wizard.banners.isVisible()


# --- summary, sealing, package ------------------------------------------------------------------------------------


def test_the_summary_says_what_is_left_out_and_offers_the_depth(wizard: Wizard, program: data.FakeProgram) -> None:
    step = at(wizard, SUMMARY)
    assert isinstance(step, SummaryStep)
    assert "gene:BRAF, autopsy" in words(step)
    assert wizard.preparation.draft.residues == 5
    wizard.preparation.decide(residues=7)
    at(wizard, SEAL)
    command = program.last("prepare")
    assert command[command.index("--residues") + 1] == "7"
    assert "--skip-bad-rows" in command


def test_a_passphrase_goes_to_the_command_and_nowhere_else(
    wizard: Wizard, program: data.FakeProgram, drawer: Drawer
) -> None:
    step = at(wizard, SUMMARY)
    step.recontact.click()
    assert "12 characters" in step.obstacle()
    step.passphrase.setText(PASSPHRASE)
    assert "differ" in step.obstacle()
    step.again.setText(PASSPHRASE)
    assert step.obstacle() == ""
    at(wizard, SEAL)
    assert program.inputs[-1] == f"{PASSPHRASE}\n".encode()
    assert PASSPHRASE not in " ".join(program.last("prepare"))
    assert all(PASSPHRASE.encode() not in path.read_bytes() for path in drawer.directory.iterdir())


def test_a_package_that_is_there_already_is_not_overwritten(wizard: Wizard) -> None:
    step = at(wizard, SUMMARY)
    Path(wizard.preparation.draft.output).write_bytes(b"x")
    assert "is there already" in step.obstacle()
    wizard.preparation.decide(output="/no/such/folder/x.consilium")
    assert "/no/such/folder" in step.obstacle()


def test_sealing_shows_what_remains_and_goes_on_after_being_stopped(
    make: Callable[..., Wizard], context: Context, tmp_path: Path
) -> None:
    program = answering(prepare=None)
    wizard = make(program, context.jobs)
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Lausanne")
    wizard.preparation.read(["x.csv"])
    wizard.preparation.decide(output=str(tmp_path / "x.consilium"))
    step = at(wizard, SEAL)
    assert isinstance(step, SealStep)
    program.progress(Progress(0.37, "data.step.sealing", 62.0))
    assert "about 62 s left" in words(step)
    assert [job.title for job in context.jobs.running] == ["Sealing x.consilium"]
    assert not wizard.list.items[FILES].isEnabled()
    step.stop_button.click()
    assert context.jobs.running == []
    assert "was cut off" in words(step)
    program.answers["prepare"] = data.sealed(package=str(tmp_path / "x.consilium"))
    step.go_button.click()
    assert "--restart" not in program.last("prepare")
    assert wizard.preparation.sealed is not None


def test_a_computer_without_keyring_asks_for_a_passphrase(make: Callable[..., Wizard], tmp_path: Path) -> None:
    program = answering(prepare=EnvironmentProblem("keyring.absent"))
    wizard = make(program)
    wizard.preparation.choose_federation(data.FEDERATION)
    wizard.preparation.choose_site("Lausanne")
    wizard.preparation.read(["x.csv"])
    wizard.preparation.decide(output=str(tmp_path / "x.consilium"))
    step = at(wizard, SEAL)
    assert step.key_passphrase.isVisible()
    assert not step.go_button.isEnabled()
    step.key_passphrase.setText(PASSPHRASE)
    program.answers["prepare"] = data.sealed(package=str(tmp_path / "x.consilium"))
    step.go_button.click()
    assert program.last("prepare")[-2:] == ["--passphrase-file", "-"]
    assert program.inputs[-1] == f"{PASSPHRASE}\n".encode()


def test_the_package_has_words_a_report_and_a_mapping_for_next_time(
    wizard: Wizard,
    preferences: Preferences,
    imported: list[str],
    drawer: Drawer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wizard.preparation.decide(own=True)
    at(wizard, SEAL)
    seen = drawer.mapping.with_name("draft.toml.seen.json")
    seen.write_bytes(b"{}")
    step = at(wizard, PACKAGE)
    assert data.WORDS in words(step)
    mapping = tmp_path / "lausanne.mapping.toml"
    assert parse_mapping(mapping.read_bytes(), mapping.name).site == "Lausanne"
    assert preferences.words("prepared_mappings") == [str(mapping)]
    assert not seen.exists(), "what was met lies beside the mapping only"
    report = tmp_path / "report.md"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(report), ""))
    press(step, "Save the report…")
    assert "8,171" in report.read_text("utf-8")
    assert "| Sex | sex | 8,160 |" in report.read_text("utf-8")
    press(step, "Import it here")
    assert imported == [f"{data.FOLDER}/lausanne.consilium"]
    wizard.go_on()
    assert isinstance(wizard.step, FilesStep)
    assert not drawer.load().begun


# --- what is kept -------------------------------------------------------------------------------------------------


def test_closing_loses_nothing_and_keeps_no_patient(
    wizard: Wizard, make: Callable[..., Wizard], drawer: Drawer
) -> None:
    at(wizard, DRY_RUN)
    wizard.preparation.confirm("patients.name", True)
    wizard.close()
    kept = b"".join(path.read_bytes() for path in drawer.directory.iterdir())
    assert b"P-00017" not in kept
    program = answering()
    again = make(program)
    assert again.preparation.draft.confirmed == ("patients.name",)
    assert [command[1] for command in program.commands] == ["map", "check"], "read again, and checked again"
    assert isinstance(again.step, DryRunStep)
    assert again.preparation.mapping["variables"].keys() == wizard.preparation.mapping["variables"].keys()


def test_an_interrupted_sealing_is_taken_up_again(
    wizard: Wizard, make: Callable[..., Wizard], program: data.FakeProgram
) -> None:
    del program.answers["prepare"]
    at(wizard, SEAL)
    wizard.close()
    again = make(answering())
    assert isinstance(again.step, SealStep)
    assert "was cut off" in words(again.step)
    again.step.go_button.click()
    assert again.preparation.sealed is not None


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"step": 99}', b'{"confirmed": 7}', b'{"site": 4}'])
def test_a_draft_that_is_broken_is_none(left: bytes, drawer: Drawer) -> None:
    drawer.make()
    (drawer.directory / "draft.json").write_bytes(left)
    assert drawer.load() == Draft()


def test_starting_over_asks_first(wizard: Wizard, drawer: Drawer) -> None:
    press(wizard, "Start over")
    dialog = next(each for each in wizard.findChildren(Dialog) if each.isVisible())
    assert wizard.preparation.draft.begun
    dialog.answer()
    assert not wizard.preparation.draft.begun
    assert list(drawer.directory.iterdir()) == []


@pytest.mark.parametrize("words", ['a "quoted" one', "tab\t, line\n, \x7f", "é漢🙂", "back\\slash"])
def test_every_text_comes_back_from_the_file(words: str) -> None:
    mapping = {"site": words, "sources": {"s": {"files": [words]}}, "variables": {words: {"values": {words: words}}}}
    assert tomllib.loads(mapping_text(mapping)) == mapping


# --- models -------------------------------------------------------------------------------------------------------


def test_the_models_are_models(qtmodeltester: ModelTester) -> None:
    found, checked = Found.from_plain(data.mapped()), Checked.from_plain(data.checked())
    columns, variables, problems, spread = ColumnsModel(), VariablesModel(), ProblemsModel(), SpreadModel()
    columns.show(found.tables[0], "patient_id", frozenset({"gender"}))
    variables.show(found, {"variables": {"sex": {"table": "patients", "column": "gender"}}})
    problems.show(checked.problems)
    spread.show(checked.variables, checked.patients)
    for model in (columns, variables, problems, spread):
        qtmodeltester.check(model)


# --- where it is --------------------------------------------------------------------------------------------------


def test_the_data_screen_leads_to_the_wizard(
    context: Context, navigations: list[tuple[str, object]], qtbot: QtBot
) -> None:
    view = DataView(context)
    qtbot.addWidget(view)
    view.prepare_button.click()
    assert navigations[-1] == ("prepare", None)


def test_the_view_takes_this_computers_federation(
    context: Context, drawer: Drawer, fake_bridge: Any, qtbot: QtBot
) -> None:
    fake_bridge.answers["federation.export_public"] = lambda values: {"path": values["path"]}
    view = PrepareView(context)
    qtbot.addWidget(view)
    wizard = view.use(Preparation(drawer, run=answering(), read_federation=data.read_federation))
    view.show()
    step = wizard.step
    assert isinstance(step, FilesStep)
    assert wizard.preparation.draft.own
    assert wizard.preparation.draft.federation == str(drawer.federation.absolute())


def test_it_works_before_there_is_a_profile(
    preferences: Preferences, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "preparing_place", lambda: tmp_path / "preparing")
    start = FirstStart(
        preferences,
        "",
        opened=lambda _directory, _argument: None,
        language_changed=lambda: None,
        hospitals=FakeHospitals(),  # type: ignore[arg-type]
    )
    qtbot.addWidget(start)
    start.show()
    start.explain_preparing()
    press(start, "Prepare a dataset…")
    assert isinstance(start.page, Wizard)
    wizard = start.page
    wizard.leave()
    assert start.page is start.choices
    start.prepare()
    assert start.page is wizard


# --- the real commands --------------------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A computer of its own: places of its own, no keyring, and nothing written of the network."""
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE, "utf-8")
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(secret))
    yield tmp_path
    assert threading.active_count() < 20


def test_from_a_file_to_a_package(alone: Path, preferences: Preferences, qtbot: QtBot) -> None:  # noqa: PLR0915
    _, profiles = two_sites(alone)
    for profile in profiles:
        profile.close()
    lines = ["patient_id;sex;smoker;age"]
    lines += [f"p{i};{'fm1'[i % 3]};{i % 2};{[49.9, 50, 77][i % 3]}".replace(".", ",") for i in range(60)]
    (alone / "patients.csv").write_text("\n".join(lines) + "\n", "utf-8")
    around = Surroundings(leave=lambda: None, explain=lambda: None)
    wizard = Wizard(around, Preparation(Drawer(alone / "preparing")), preferences)
    qtbot.addWidget(wizard)
    wizard.show()
    preparation = wizard.preparation
    failures: list[object] = []
    preparation.failed.connect(failures.append)

    def rested() -> None:
        assert failures == [], failures
        assert preparation.doing == ""

    preparation.choose_federation(str(alone / "A" / "federation.public"))
    qtbot.waitUntil(lambda: preparation.federation is not None, timeout=30_000)
    preparation.choose_site("A")
    preparation.read([str(alone / "patients.csv")])
    qtbot.waitUntil(rested, timeout=60_000)
    assert preparation.mapping["variables"].keys() >= {"smoker", "age"}
    preparation.map_variable("sex", {"table": "patients", "column": "sex"})
    step = at(wizard, DRY_RUN)
    qtbot.waitUntil(rested, timeout=60_000)
    assert preparation.checked is not None
    assert preparation.checked.patients == 60
    assert {each.variable for each in preparation.checked.problems} == {"sex"}, "1 is no level"
    preparation.map_variable("sex", {"table": "patients", "column": "sex", "values": {"1": "f"}})
    step.again_button.click()
    qtbot.waitUntil(rested, timeout=60_000)
    assert preparation.checked.problem_count == 0
    preparation.decide(output=str(alone / "a.consilium"))
    summary = at(wizard, SUMMARY)
    qtbot.waitUntil(rested, timeout=60_000)
    assert [each.terms for each in preparation.depths]
    summary.recontact.click()
    summary.passphrase.setText(PASSPHRASE)
    summary.again.setText(PASSPHRASE)
    at(wizard, SEAL)
    qtbot.waitUntil(lambda: preparation.sealed is not None or bool(failures), timeout=120_000)
    assert failures == [], failures
    sealed = preparation.sealed
    assert sealed is not None
    assert sealed.patients == 60
    at(wizard, PACKAGE)
    assert (alone / "a.consilium").stat().st_size == sealed.size
    assert (alone / "a.recontact").exists()
    assert (alone / "a.mapping.toml.seen.json").exists()
    wizard.go_on()
    preparation.choose_federation(str(alone / "A" / "federation.public"))
    qtbot.waitUntil(lambda: preparation.federation is not None, timeout=30_000)
    preparation.choose_site("A")
    (alone / "patients.csv").write_text("\n".join([lines[0], "p1;x;1;50", *lines[2:]]) + "\n", "utf-8")
    preparation.read(base=str(alone / "a.mapping.toml"))
    qtbot.waitUntil(rested, timeout=60_000)
    assert preparation.mapping["variables"]["sex"]["values"] == {"1": "f"}
    assert preparation.changes, "a new value of sex"
