"""Audit: searched, filtered, verified, exported; and at a real owner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Cancelled
from app.texts import text
from app.ui.context import Context
from app.ui.models.audit import GROUPS, Record
from app.ui.views.audit import AuditView
from tests.ui import examples_audit as audit
from tests.ui.fakes import FakeBridge


@pytest.fixture
def view(qtbot: QtBot, context: Context, fake_bridge: FakeBridge) -> AuditView:
    fake_bridge.answers["audit.show"] = audit.listed(*audit.RECORDS)
    made = AuditView(context)
    qtbot.addWidget(made)
    made.resize(1196, 740)
    made.show()
    return made


def words(widget: Any) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def asked(bridge: FakeBridge) -> dict[str, Any]:
    return dict(bridge.named("audit.show")[-1].values)


def test_the_newest_record_is_open(view: AuditView) -> None:
    assert [entry.title for entry in view.list.entries.entries[:2]] == ["Result released to us", "Privacy budget spent"]
    assert view.current is not None
    assert view.current.number == 214
    said = words(view.pane)
    for part in (audit.QUESTION, "1/2", "Bern, Lausanne, Basel", view.current.hash, "Number 214"):
        assert part in said
    assert "Bern holds our records up to number 209" in said
    assert "Basel has not told yet what it holds." in said


def test_another_record_is_opened_with_the_keys(view: AuditView, qtbot: QtBot) -> None:
    view.list.setFocus()
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    assert view.current is not None
    assert view.current.kind == "budget.charged"
    qtbot.waitUntil(lambda: "Budget before Spent: 3/2 · Left: 17/2" in words(view.pane))


def test_a_reason_is_said_in_words(view: AuditView) -> None:
    declined = next(Record.from_plain(each) for each in audit.RECORDS if each["kind"] == "request.declined")
    assert "query.declined" not in declined.words
    assert declined.chip == ("Declined", "caution", "minus-circle")


@pytest.mark.parametrize("group", GROUPS)
def test_filters_by_kind(group: str, view: AuditView, fake_bridge: FakeBridge) -> None:
    view.kinds.set_value(group)
    view.kinds.chosen.emit(group)
    assert asked(fake_bridge)["kind"] == GROUPS[group]


def test_filters_by_time_and_words(view: AuditView, fake_bridge: FakeBridge) -> None:
    assert asked(fake_bridge)["since"] == 0
    view.periods.set_value("week")
    view.periods.chosen.emit("week")
    assert asked(fake_bridge)["since"] > 1_700_000_000_000
    view.search.setText("smoker")
    view.search.wanted.emit("smoker")
    assert asked(fake_bridge)["text"] == "smoker"
    fake_bridge.answers["audit.show"] = audit.listed()
    fake_bridge.stir()
    assert "No record is like that" in words(view)


def test_older_records_are_asked_for(view: AuditView, fake_bridge: FakeBridge) -> None:
    assert not view.more_button.isVisible()
    fake_bridge.answers["audit.show"] = audit.listed(*audit.RECORDS, more=True)
    fake_bridge.stir()
    view.more_button.click()
    assert asked(fake_bridge)["most"] == 200


def test_the_opened_record_stays_when_new_ones_come(view: AuditView, fake_bridge: FakeBridge) -> None:
    view.list.select("210")
    fake_bridge.answers["audit.show"] = audit.listed(audit.record(215, "key.file", 0), *audit.RECORDS)
    fake_bridge.stir()
    assert view.current is not None
    assert view.current.number == 210


def test_verifying_asks_the_other_sites(view: AuditView, fake_bridge: FakeBridge) -> None:
    view.verify_button.click()
    assert [call.values for call in fake_bridge.named("audit.ask")] == [{"wait": 20}]
    assert fake_bridge.named("audit.verify") == []
    assert not view.verify_button.isEnabled()
    assert [job.title for job in view.context.jobs.running] == ["Verifying the records"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (audit.verified(), ["All 214 records are whole.", "These sites hold the same: Bern."]),
        (audit.verified(held=[]), ["missing records at the end would not show", "Not heard from: Basel."]),
        (audit.verified(ok=False, problems=audit.BROKEN), ["not as they were signed", "Number 180:", "was altered"]),
        (audit.verified(findings=audit.FINDINGS), ["All 214 records are whole.", "Basel has rewritten its records"]),
        (EnvironmentProblem("database.damaged", path="/profile/site.db"), ["/profile/site.db"]),
        (Cancelled(), []),
    ],
    ids=["whole", "alone", "broken", "others", "damaged", "cancelled"],
)
def test_the_outcome_of_a_verification(outcome: Any, said: list[str], view: AuditView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers |= {"audit.verify": outcome, "audit.ask": audit.asked("Basel")}
    view.verify_button.click()
    shown = words(view.banners)
    assert all(part in shown for part in said), shown
    assert bool(shown) == bool(said)
    assert view.verify_button.isEnabled()


def test_what_is_here_is_verified_where_nobody_can_be_asked(view: AuditView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers |= {"audit.verify": audit.verified(), "audit.ask": EnvironmentProblem("agent.no_relay")}
    view.verify_button.click()
    assert "All 214 records are whole." in words(view.banners)
    assert "Not heard from: Bern, Basel." in words(view.banners)


@pytest.mark.parametrize(
    ("name", "format", "written"), [("a.csv", "csv", "a.csv"), ("a", "fhir", "a.json"), ("a.json", "fhir", "a.json")]
)
def test_exporting(name: str, format: str, written: str, view: AuditView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["audit.export"] = lambda values: {"path": values["path"], "format": format, "records": 214}
    view.export(Path("/tmp") / name, format)  # noqa: S108 - nothing is written
    (call,) = fake_bridge.named("audit.export")
    assert (Path(call.values["path"]).name, call.values["format"]) == (written, format)
    assert f"214 records are in {written}." in words(view.banners)


def test_every_kind_and_value_that_is_recorded_has_words() -> None:
    for each in audit.RECORDS:
        record = Record.from_plain(each)
        assert record.title != record.kind
        assert all(name and words for name, words in record.facts())
    assert Record.from_plain(audit.record(1, "later.kind", 0)).title == "later.kind", "of a newer program: as it is"
    assert text("audit.kind.released") == "Result released to us"
