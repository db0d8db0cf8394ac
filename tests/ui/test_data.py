"""Data: versions and their variables, packages that come in, and an import at a real owner."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.core.catalogue.model import Kind
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation, UserError
from app.core.jobs.job import Cancelled, Progress
from app.core.secret import SecretBytes
from app.core.services.connect import connect
from app.core.services.owner import Owner
from app.core.services.profile import open_profile
from app.core.store.documents import fingerprint_words
from app.texts import explain, text
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.jobs import Jobs
from app.ui.models.datasets import Column, Report, VariablesModel
from app.ui.preferences import Preferences
from app.ui.views.data import DataView
from app.ui.views.data.version import _refused
from app.ui.widgets.dialogs import Dialog
from tests.federations import PASSPHRASE, two_sites
from tests.packages import Inline, Maker
from tests.ui import examples
from tests.ui import examples_data as data
from tests.ui.fakes import FakeBridge


@pytest.fixture
def view(qtbot: QtBot, context: Context, fake_bridge: FakeBridge) -> DataView:
    fake_bridge.answers |= data.answers(data.listed(data.VERSIONS))
    made = DataView(context)
    made.inspect = data.inspecting(data.package())  # type: ignore[misc]
    qtbot.addWidget(made)
    made.resize(1196, 740)
    made.show()
    return made


def words(widget: Any) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def press(widget: Any, text: str) -> None:
    next(each for each in widget.findChildren(QPushButton) if each.isVisible() and each.text() == text).click()


def let(view: DataView, outcome: dict[str, Any] | ConsiliumError) -> None:
    """Say what looking at a package finds."""
    view.inspect = data.inspecting(outcome)  # type: ignore[misc]


def done(**changes: Any) -> dict[str, Any]:
    """What ``data.import`` tells at its end."""
    return {"dataset": data.SECOND, "version": 2, "active": True, "already": False, "pinned": False, **changes}


# --- versions -----------------------------------------------------------------------------------------------------


def test_the_active_version_is_open_with_its_variables(view: DataView) -> None:
    assert [entry.title for entry in view.list.entries.entries] == ["Version 2", "Version 1"]
    assert view.current is not None
    assert view.current.active
    assert not view.pane.activate_button.isVisible()
    model = view.pane.table.model()
    cells = [str(model.index(1, column).data()) for column in Column]
    assert cells == ["Age", "age", "Number", "19,902", "99%", "2 of 3"]
    assert model.index(3, Column.KNOWN).data() == "few", "how many a few are is nobody's business"
    assert "Row 17, column Age: not a number" in words(view.pane)
    assert data.WORDS in words(view.pane)


def test_the_table_keeps_its_place_when_something_else_changes(view: DataView, fake_bridge: FakeBridge) -> None:
    view.pane.table.selectRow(4)
    reports = len(fake_bridge.named("data.report"))
    fake_bridge.stir()
    assert [index.row() for index in view.pane.table.selectionModel().selectedRows()] == [4]
    assert len(fake_bridge.named("data.report")) == reports, "a report never changes"
    assert fake_bridge.named("catalogue.show")[-1].values["have"] != b"", "the catalogue is not sent twice"


@pytest.mark.parametrize(("code", "asked"), [("owner.lost", 2), ("dataset.damaged", 1)])
def test_a_report_is_asked_for_again_only_where_nobody_was_there_to_answer(
    code: str, asked: int, context: Context, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    fake_bridge.answers |= data.answers(data.listed(data.VERSIONS))
    fake_bridge.answers["data.report"] = EnvironmentProblem(code, path="/profile")
    view = DataView(context)
    qtbot.addWidget(view)
    view.show()
    assert view.banners.isVisible()
    fake_bridge.answers |= data.answers(data.listed(data.VERSIONS))
    fake_bridge.stir()
    assert len(fake_bridge.named("data.report")) == asked
    assert (view.pane.table.model().rowCount() > 0) == (asked == 2)


def test_variables_are_found_by_name_and_by_code(view: DataView) -> None:
    table = view.pane.table.model()
    view.pane._search.wanted.emit("c34")
    assert [table.index(row, 0).data() for row in range(table.rowCount())] == ["Lung cancer"]
    view.pane._search.wanted.emit("WEIGHT")
    assert table.rowCount() == 1


def test_the_model_of_variables_is_one(qtmodeltester: ModelTester) -> None:
    model = VariablesModel()
    qtmodeltester.check(model)
    model.show(Report.from_plain(data._report({"dataset": data.FIRST})))
    model.label(None, {}, 0)
    model.show(None)
    assert model.rowCount() == 0


def test_problems_are_counted_by_their_reason() -> None:
    plain = data._report({"dataset": data.FIRST})
    assert _refused(Report.from_plain(plain)).splitlines()[1:] == ["Row 17, column Age: not a number"]
    groups = [
        {"code": "csv.not_a_number", "state": "refused", "column": "Age", "variable": "age", "count": 1240},
        {"code": "csv.ragged_row", "state": "refused", "column": "", "variable": "", "count": 3},
    ]
    _, first, second = _refused(Report.from_plain(plain | {"problems": groups})).splitlines()
    assert first.startswith("1,240 × ")
    assert first.endswith("(column Age)")
    assert second.startswith("3 × ")


def test_every_kind_has_a_word() -> None:
    for kind in Kind:
        assert text(f"ui.data.kind.{kind.value}") != f"ui.data.kind.{kind.value}"


def test_making_another_version_active(view: DataView, fake_bridge: FakeBridge, qtbot: QtBot) -> None:
    fake_bridge.answers["data.activate"] = {"dataset": data.FIRST, "version": 1, "active": True}
    view.list.setFocus()
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    view.pane.activate_button.click()
    assert fake_bridge.named("data.activate")[0].values == {"dataset": data.FIRST}


@pytest.mark.parametrize(("place", "force"), [(0, True), (1, False)], ids=["active", "kept"])
def test_removing_asks_first(place: int, force: bool, view: DataView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["data.remove"] = {"freed": 1}
    view.list.setCurrentIndex(view.list.entries.index(place))
    view.pane.remove_button.click()
    assert fake_bridge.named("data.remove") == []
    dialog = next(each for each in view.findChildren(Dialog) if each.isVisible())
    assert ("answers nothing" in words(dialog)) is force
    dialog.answer()
    id = data.VERSIONS[1 - place]["dataset"]
    assert [call.values for call in fake_bridge.named("data.remove")] == [{"dataset": id, "force": force}]


def test_a_check_shows_how_far_it_is_and_can_be_cancelled(view: DataView, fake_bridge: FakeBridge) -> None:
    view.pane.check_button.click()
    (call,) = fake_bridge.named("data.check")
    call.report(Progress(0.5, "data.step.verifying", 30.0))
    assert "50%" in words(view.pane)
    assert "about 30 s left" in words(view.pane)
    assert view.context.jobs.running[0].fraction == 0.5, "the status bar shows it too"
    press(view.pane, "Cancel")
    assert call.cancelled


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"dataset": data.SECOND, "version": 2, "bytes": 1, "whole": True}, "Version 2 is whole."),
        (EnvironmentProblem("dataset.damaged", path="/profile/datasets/b.consilium"), "/profile/datasets/b.consilium"),
        (Cancelled(), ""),
    ],
    ids=["whole", "damaged", "cancelled"],
)
def test_the_outcome_of_a_check(
    outcome: dict[str, Any] | ConsiliumError, said: str, view: DataView, fake_bridge: FakeBridge
) -> None:
    fake_bridge.answers["data.check"] = outcome
    view.pane.check_button.click()
    assert said in words(view.banners)
    assert view.banners.isVisible() == bool(said)
    assert view.pane.check_button.isVisible(), "it can be checked again"


# --- packages -----------------------------------------------------------------------------------------------------


def test_the_first_package_is_not_imported_before_its_words_were_compared(
    view: DataView, fake_bridge: FakeBridge
) -> None:
    fake_bridge.answers["data.list"] = data.listed([])
    fake_bridge.stir()
    view.open(Path(data.PATH))
    assert data.WORDS in words(view.arriving)
    assert "lausanne-2026-11.consilium" in words(view.arriving)
    fake_bridge.stir()
    assert data.WORDS in words(view.arriving), "the question stays when something else changes"
    assert fake_bridge.named("data.import") == []
    fake_bridge.answers["data.import"] = done(version=1, pinned=True)
    press(view.arriving, "The words are the same: import")
    values = {"package": str(Path(data.PATH).absolute()), "preparer": data.DIGITS}
    assert [call.values for call in fake_bridge.named("data.import")] == [values], "nobody else's package"
    assert "Imported: version 1 is the active one." in words(view.banners)


def test_a_person_may_leave_a_package_alone(view: DataView, fake_bridge: FakeBridge) -> None:
    let(view, data.package(preparer=data.OTHER_DIGITS, preparer_words=data.OTHER_WORDS))
    view.import_package(data.PATH)
    assert "Somebody else prepared this package" in words(view.arriving)
    press(view.arriving, "Do not import")
    assert not view.arriving.isVisible()
    assert fake_bridge.named("data.import") == []


def test_a_known_preparer_needs_no_comparison(view: DataView, fake_bridge: FakeBridge) -> None:
    view.import_package(data.PATH)
    (call,) = fake_bridge.named("data.import")
    call.report(Progress(0.25, "data.step.importing", 150.0))
    assert "25%" in words(view.arriving)
    assert "about 2 min left" in words(view.arriving)
    fake_bridge.stir()
    assert "25%" in words(view.arriving)
    view.import_package("/other.consilium")
    assert "Another package is being imported." in words(view.banners)
    press(view.arriving, "Cancel")
    assert call.cancelled


def test_a_cancelled_import_can_be_resumed_or_thrown_away(view: DataView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers |= {
        "data.import": Cancelled(),
        "data.list": data.listed(data.VERSIONS, data.UNFINISHED),
        "data.remove": {"freed": 1},
    }
    view.import_package(data.PATH)
    assert "The import of lausanne-2026-11.consilium is not finished" in words(view.arriving)
    assert "42% are here and verified" in words(view.arriving)
    press(view.arriving, "Throw away")
    next(each for each in view.findChildren(Dialog) if each.isVisible()).answer()
    assert fake_bridge.named("data.remove")[0].values == {"dataset": data.CUT_OFF, "force": False}
    fake_bridge.answers["data.import"] = done()
    press(view.arriving, "Go on")
    assert len(fake_bridge.named("data.import")) == 2


def test_an_import_of_somebody_else_is_only_shown(view: DataView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["data.list"] = data.listed(data.VERSIONS, {**data.UNFINISHED, "running": True})
    fake_bridge.stir()
    assert "by another window or a command" in words(view.arriving)
    assert [each for each in view.arriving.findChildren(QPushButton) if each.isVisible()] == []


REFUSALS = [
    UserError("package.other_site", path=data.PATH),
    UserError("package.other_federation"),
    UserError("package.other_ceremony"),
    UserError("package.unknown_variable", variable="age"),
    UserError("package.meaning_differs", variable="age"),
    ProtocolViolation("package.altered", part="manifest"),
    UserError("package.other_preparer", found="0f3a", expected="77d1"),
    EnvironmentProblem("disk.too_small", path="/profile", needed=900, free=100),
    UserError("profile.no_federation", path="/profile"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=[error.code for error in REFUSALS])
def test_every_refusal_names_the_file_and_the_cure(
    error: ConsiliumError, view: DataView, fake_bridge: FakeBridge
) -> None:
    fake_bridge.answers["data.import"] = error
    view.import_package(data.PATH)
    told = explain(error)
    assert "lausanne-2026-11.consilium was not imported." in words(view.arriving)
    assert told.next
    assert told.next in words(view.arriving)
    fake_bridge.stir()
    assert told.next in words(view.arriving), "it stays until somebody closes it"
    fake_bridge.answers["data.import"] = done()
    press(view.arriving, "Try again")
    assert len(fake_bridge.named("data.import")) == 2


def test_what_is_no_package_is_refused_when_it_is_looked_at(view: DataView, fake_bridge: FakeBridge) -> None:
    let(view, ProtocolViolation("package.not_a_package", path=data.PATH))
    view.import_package(data.PATH)
    assert "was not imported" in words(view.arriving)
    assert fake_bridge.named("data.import") == []


def test_without_a_ready_federation_there_is_nothing_to_import_into(
    qtbot: QtBot, context: Context, fake_bridge: FakeBridge
) -> None:
    fake_bridge.answers["site.overview"] = examples.nowhere()
    context.standing.refresh()
    view = DataView(context)
    qtbot.addWidget(view)
    view.show()
    assert fake_bridge.named("data.list") == []
    assert not view._import.isVisible()


def test_an_empty_site_is_told_how_to_get_a_dataset(
    view: DataView, fake_bridge: FakeBridge, navigations: list[tuple[str, object]]
) -> None:
    fake_bridge.answers["data.list"] = data.listed([])
    fake_bridge.stir()
    assert "without network" in words(view)
    press(view, "How it goes")
    next(each for each in view.findChildren(QPushButton) if each.text() == "Prepare a dataset…").click()
    assert navigations == [("help", "prepare"), ("prepare", None)]


# --- at an owner --------------------------------------------------------------------------------------------------


class Served:
    """A site whose ceremony is done, with an owner in a thread, and packages for it."""

    def __init__(self, base: Path) -> None:
        federation, profiles = two_sites(base)
        self.directory = base / "A"
        self.maker = Maker(
            base, federation=federation.federation_id, transcript=federation.transcript, site=profiles[0].member_key
        )
        for profile in profiles:
            profile.close()
        self._began, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()
        assert self._began.wait(60)

    def _live(self) -> None:
        passphrase = SecretBytes(PASSPHRASE.encode())
        profile = open_profile(self.directory, passphrase=lambda: passphrase, program="tests")
        with Owner(profile, program="tests", executor=Inline()) as owner:
            self._began.set()
            while not self._stop.is_set():
                owner.turn(0.05)

    def package(self) -> Path:
        return self.maker.package(self.maker.table(30), "first.consilium")[0]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with closing(Served(tmp_path)) as made:
        yield made


def test_a_package_is_imported_at_a_real_owner(
    served: Served, preferences: Preferences, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    package = served.package()
    standing = Standing(fake_bridge)  # the ceremony of this federation was done by the test, its owner knows of none
    standing.refresh()
    bridge = Bridge(served.directory)
    view = DataView(Context(bridge, standing, Jobs(bridge), preferences, lambda *_: None))
    qtbot.addWidget(view)
    view.show()
    try:
        view.open(package)  # looked at by a real process of this program
        qtbot.waitUntil(lambda: "Do you know who prepared this package?" in words(view), timeout=60_000)
        assert fingerprint_words(served.maker.preparer.public) in words(view.arriving)
        press(view.arriving, "The words are the same: import")
        qtbot.waitUntil(lambda: view.current is not None and bool(view._reports), timeout=60_000)
        assert "Imported: version 1 is the active one." in words(view.banners)
        assert [view.pane.table.model().index(row, Column.CODE).data() for row in range(3)] == ["smoker", "sex", "age"]
    finally:
        bridge.close()
    with connect(served.directory, become=False) as site:
        (found,) = site.call("data.list")["datasets"]
        assert found["active"]
