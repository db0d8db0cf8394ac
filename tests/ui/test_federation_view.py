"""Federation: every stage shows what is known, every button does what it says, every refusal stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.core.errors import EnvironmentProblem, UserError
from app.core.secret import SecretBytes
from app.texts import explain, text
from app.ui import trial_relay
from app.ui.context import Context
from app.ui.trial_relay import TrialRelay
from app.ui.views.federation import FederationView
from app.ui.views.federation.create import CreateForm
from app.ui.views.federation.gather import StartDialog
from app.ui.views.federation.invite import InviteDialog, qr_image
from app.ui.views.federation.it_page import it_page
from app.ui.views.federation.keys import CheckDialog, FileDialog, SheetDialog
from app.ui.views.federation.printing import save
from app.ui.widgets.feedback import Banner
from tests.ui import examples_federation as examples
from tests.ui.fake_hospitals import FakeHospitals, invitation
from tests.ui.fakes import FakeBridge

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def hospitals() -> FakeHospitals:
    return FakeHospitals()


@pytest.fixture
def view(qtbot: QtBot, context: Context, fake_bridge: FakeBridge, hospitals: FakeHospitals) -> FederationView:
    fake_bridge.answers.update(examples.answers(examples.NOTHING))
    made = FederationView(context, hospitals)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.resize(1200, 760)
    made.show()
    return made


def stand(view: FederationView, bridge: FakeBridge, found: dict[str, Any], **changes: Any) -> None:
    """Let the site stand so."""
    bridge.answers.update(examples.answers(found, **changes))
    view.context.standing.refresh()
    bridge.stir()


def facts(view: FederationView) -> list[str]:
    """What the banners say."""
    QGuiApplication.processEvents()  # what was put into a layout is shown
    return [each.fact for each in view.banners.findChildren(Banner) if each.isVisibleTo(view)]


# --- joining --------------------------------------------------------------------------------------------------------


def test_an_invitation_that_is_opened_waits_for_the_button(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.NOTHING)
    assert view.entry.isVisible()
    view.open(invitation())
    assert fake_bridge.named("federation.join") == []
    fake_bridge.answers["federation.join"] = {"federation": "F", "creator": "Geneva", "contact": "", "words": []}
    fake_bridge.answers["federation.show"] = examples.INVITED
    view.entry.joining.go.click()
    (call,) = fake_bridge.named("federation.join")
    assert call.values["invitation"] == SecretBytes(invitation().encode())
    assert view.gather.isVisible()
    assert not view.entry.isVisible()


@pytest.mark.parametrize(
    ("error", "at_the_field"),
    [
        (UserError("joining.other_site", meant="Bern", site="Lausanne"), True),
        (UserError("invitation.expired", federation="F", creator="Geneva"), True),
        (UserError("relay.invitation_refused"), False),
        (EnvironmentProblem("relay.unreachable", host="h", port=1), False),
    ],
)
def test_a_refused_invitation_says_why(
    view: FederationView, fake_bridge: FakeBridge, error: UserError, at_the_field: bool
) -> None:
    stand(view, fake_bridge, examples.NOTHING)
    fake_bridge.answers["federation.join"] = error
    view.open(invitation())
    view.entry.joining.go.click()
    field = view.entry.joining.invitation.edit.accessibleDescription()
    assert field.startswith(explain(error).what) is at_the_field
    assert view.entry.joining.banners.isVisible() is not at_the_field
    assert view.entry.joining.go.isEnabled()


def test_an_invitation_for_a_site_that_has_a_federation_is_explained(
    view: FederationView, fake_bridge: FakeBridge
) -> None:
    stand(view, fake_bridge, examples.READY)
    view.open(invitation())
    assert facts(view) == [text("ui.federation.has_one", federation="Swiss Melanoma Study")]


# --- creating -------------------------------------------------------------------------------------------------------


@pytest.fixture
def creating(view: FederationView, fake_bridge: FakeBridge) -> CreateForm:
    stand(view, fake_bridge, examples.NOTHING)
    view.open("create")
    form = view.entry.creating
    assert form.isVisible()
    form.name.setText("Lung")
    form.relay.setText("https://relay.example.org/")
    form.code.setText("ABCDE")
    return form


def test_a_federation_is_created_with_what_was_filled_in(creating: CreateForm, fake_bridge: FakeBridge) -> None:
    creating.quorum.set_value("fixed")
    creating.quorum.chosen.emit("fixed")
    creating.number.setValue(4)
    creating.answer()
    (call,) = fake_bridge.named("federation.create")
    catalogue = Path(call.values.pop("catalogue"))  # type: ignore[attr-defined]
    assert catalogue.is_absolute()
    assert catalogue.is_file()
    assert call.values == {
        "relay": "https://relay.example.org",
        "trust": "system",
        "code": SecretBytes(b"ABCDE"),
        "name": "Lung",
        "quorum": 4,
    }
    assert not creating.go.isEnabled()


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (UserError("relay.code_refused"), "code"),
        (UserError("relay.bad_address", url="x"), "relay"),
        (EnvironmentProblem("relay.unreachable", host="h", port=1), "relay"),
        (UserError("joining.bad_name", most=100), "name"),
        (UserError("catalogue.no_variables", file="f"), "catalogue"),
        (UserError("roster.bad_quorum", quorum=1, sites=16), "quorum"),
    ],
)
def test_what_is_refused_is_said_at_its_field(
    creating: CreateForm, fake_bridge: FakeBridge, error: UserError, field: str
) -> None:
    fake_bridge.answers["federation.create"] = error
    creating.answer()
    control = getattr(creating, field)
    assert control.accessibleDescription().startswith(explain(error).what)
    assert creating.go.isEnabled()
    assert not creating.banners.isVisible()


def test_a_form_that_is_not_filled_in_is_not_sent(creating: CreateForm, fake_bridge: FakeBridge) -> None:
    creating.code.clear()
    creating.answer()
    assert fake_bridge.named("federation.create") == []
    assert creating.code.accessibleDescription() == text("ui.federation.code_needed")


def test_a_catalogue_and_an_authority_of_ones_own(
    creating: CreateForm, fake_bridge: FakeBridge, tmp_path: Path
) -> None:
    catalogue, authority = tmp_path / "own.toml", tmp_path / "ca.pem"
    authority.write_text("PEM")
    creating.take_catalogue(catalogue)
    creating._trust(authority)
    creating.answer()
    (call,) = fake_bridge.named("federation.create")
    assert (call.values["catalogue"], call.values["trust"]) == (str(catalogue), "PEM")
    creating._trust(tmp_path / "gone.pem")
    creating.busy(False)
    creating.answer()
    assert len(fake_bridge.named("federation.create")) == 1
    assert creating.relay.accessibleDescription() != text("ui.federation.relay_hint")


def test_a_relay_for_a_trial_fills_in_the_form(qtbot: QtBot, context: Context, tmp_path: Path) -> None:
    class Trial:
        url, authority = "https://127.0.0.1:4711", tmp_path / "ca.pem"

        def offer(self, *, done: Any, failed: Any) -> None:
            done("CODE")

    form = CreateForm(context, lambda: None, back=lambda: None, relay=Trial())  # type: ignore[arg-type]
    qtbot.addWidget(form)
    form.run_here.click()
    assert (form.relay.text(), form.code.text(), form._authority) == (Trial.url, "CODE", Trial.authority)


def test_the_trial_relay_runs_and_makes_codes(
    qtbot: QtBot, qapp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_relay, "trial_relay_place", lambda: tmp_path / "relay")
    relay, codes, failures = TrialRelay(qapp), [], []
    relay.offer(done=codes.append, failed=failures.append)
    qtbot.waitUntil(lambda: bool(codes or failures), timeout=60_000)
    assert failures == []
    assert relay.url.startswith("https://127.0.0.1:")
    assert relay.authority is not None
    assert relay.authority.is_file()
    assert len(codes[0]) > 5
    url = relay.url
    relay.end()
    again = TrialRelay(qapp)
    again.resume("https://relay.example.org:443", failures.append)
    assert again.url == ""
    again.resume(url, failures.append)
    qtbot.waitUntil(lambda: bool(again.url or failures), timeout=60_000)
    assert (again.url, failures) == (url, [])
    again.end()


class Started(QObject):
    """A relay that only a test lets run or end."""

    ready = Signal(object)
    ended = Signal(object)

    def end_now(self) -> None:
        """Nothing runs."""


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """The trial relays that were started, at a time that stands still."""
    made: list[Started] = []

    def start(_arguments: object, parent: QObject) -> Started:
        made.append(Started(parent))
        return made[-1]

    monkeypatch.setattr(trial_relay, "Companion", start)
    monkeypatch.setattr(trial_relay, "trial_relay_place", lambda: tmp_path)
    monkeypatch.setattr(trial_relay.time, "monotonic", lambda: 1000.0)
    return made


@pytest.mark.parametrize("code", ["relay.in_use", "relay.address_in_use"])
def test_a_relay_that_another_window_runs_is_no_failure(
    qapp: Any, started: list[Started], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    relay, failures = TrialRelay(qapp), []
    relay.resume("https://127.0.0.1:4711", failures.append)
    started[0].ended.emit(UserError(code))
    for now, times in ((1001.0, 1), (1029.0, 1), (1030.0, 2)):
        monkeypatch.setattr(trial_relay.time, "monotonic", lambda now=now: now)
        relay.resume("https://127.0.0.1:4711", failures.append)
        assert len(started) == times
    assert failures == []
    broken = UserError("relay.bad_settings")
    started[1].ended.emit(broken)
    assert failures == [broken]


def test_who_asks_for_the_relay_while_it_starts_is_served(
    qapp: Any, started: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_command: object, *, done: Callable[[dict[str, str]], object], **_others: object) -> None:
        done({"code": "CODE"})

    monkeypatch.setattr(trial_relay, "Program", run)
    relay, codes, failures = TrialRelay(qapp), [], []
    relay.resume("https://127.0.0.1:4711", failures.append)
    relay.offer(done=codes.append, failed=failures.append)
    assert len(started) == 1
    started[0].ready.emit({"url": "https://127.0.0.1:4711"})
    assert (codes, failures) == (["CODE"], [])
    started[0].ended.emit(None)
    assert [each.code for each in failures] == ["ui.program_failed"], "who started it hears that it is over"
    relay.offer(done=codes.append, failed=failures.append)
    relay.offer(done=codes.append, failed=failures.append)
    started[1].ended.emit(UserError("relay.bad_settings"))
    assert [each.code for each in failures[1:]] == ["relay.bad_settings"] * 2
    assert codes == ["CODE"]


def test_the_page_for_it_can_be_saved(qtbot: QtBot, tmp_path: Path) -> None:
    save(it_page(), tmp_path / "relay.pdf")
    assert (tmp_path / "relay.pdf").read_bytes().startswith(b"%PDF")
    save(it_page(), tmp_path / "relay.html")
    assert "consilium relay serve" in (tmp_path / "relay.html").read_text("utf-8")


# --- coming together ------------------------------------------------------------------------------------------------


def test_six_words_are_confirmed_when_all_are_ticked(
    view: FederationView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    stand(view, fake_bridge, examples.GATHERING)
    words = view.gather.words["Geneva"]
    assert [tile.text().split()[-1] for tile in words.tiles] == list(examples.WORDS)
    for tile in words.tiles[:-1]:
        tile.setFocus()
        qtbot.keyClick(tile, Qt.Key.Key_Space)
    assert not words.match.isEnabled()
    fake_bridge.stir()
    assert view.gather.words["Geneva"] is words, "what was ticked is kept while other things change"
    qtbot.mouseClick(words.tiles[-1], LEFT)
    qtbot.mouseClick(words.match, LEFT)
    (call,) = fake_bridge.named("federation.confirm")
    assert call.values == {"site": "Geneva", "words": "harbour velvet nine lantern oak river"}


def test_a_word_that_differs_is_an_alarm_and_confirms_nothing(
    view: FederationView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    stand(view, fake_bridge, examples.GATHERING)
    words = view.gather.words["Geneva"]
    words.tiles[0].setChecked(True)
    qtbot.mouseClick(words.differ, LEFT)
    assert fake_bridge.named("federation.confirm") == []
    assert not words.tiles[0].isChecked()
    (banner,) = words.banners.findChildren(Banner)
    assert banner.fact == explain(UserError("joining.words_differ", site="Geneva")).what


def test_an_invited_site_confirms_the_creator_and_waits(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.INVITED)
    assert list(view.gather.words) == ["Geneva"]
    assert not view.gather.words["Geneva"].match.isVisible()
    assert not view.gather.start.isVisible()


def test_an_invitation_is_made_shown_copied_and_printed(
    view: FederationView, fake_bridge: FakeBridge, qtbot: QtBot, tmp_path: Path
) -> None:
    stand(view, fake_bridge, examples.GATHERING)
    dialog = view.invite()
    assert isinstance(dialog, InviteDialog)
    dialog.answer()
    assert fake_bridge.named("federation.invite") == []
    dialog.name.setText("Basel")
    dialog.answer()
    (call,) = fake_bridge.named("federation.invite")
    assert call.values == {"site": "Basel", "again": False}
    assert dialog.invitation == invitation("Basel")
    qtbot.mouseClick(dialog.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == invitation("Basel")
    save(dialog.page(), tmp_path / "invitation.pdf")
    assert (tmp_path / "invitation.pdf").stat().st_size > 1000
    dialog.answer()
    assert not dialog.isVisible()


def test_a_name_that_cannot_be_invited_is_refused_at_its_field(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.GATHERING)
    fake_bridge.answers["federation.invite"] = UserError("joining.bad_name", most=100)
    dialog = view.invite()
    assert isinstance(dialog, InviteDialog)
    dialog.name.setText("Lausanne")
    dialog.answer()
    assert dialog.name.accessibleDescription() == text("ui.federation.invite_bad_name")


def test_a_qr_code_holds_the_invitation(qapp: Any) -> None:
    import segno

    image = qr_image(invitation(), 400)
    rows = tuple(segno.make(invitation().upper(), error="l", micro=False).matrix)
    step = 400 / (len(rows) + 8)
    for y, cells in enumerate(rows):
        for x, dark in enumerate(cells):
            middle = image.pixelColor(int((x + 4.5) * step), int((y + 4.5) * step))
            assert (middle.lightness() < 128) is bool(dark)
    assert image.format() is QImage.Format.Format_RGB32


def test_who_is_left_out_is_named_before_the_start(view: FederationView, fake_bridge: FakeBridge, qtbot: QtBot) -> None:
    stand(view, fake_bridge, examples.GATHERING)
    assert view.gather.start.isEnabled()
    dialog = StartDialog(view, view.context, view.found, lambda: None)
    qtbot.addWidget(dialog)
    assert list(dialog.boxes) == ["Bern"]
    assert dialog._left.text() == text("ui.federation.start_without", sites="Geneva, Zürich")
    dialog.boxes["Bern"].setChecked(False)
    assert not dialog.answer_button.isEnabled()
    dialog.boxes["Bern"].setChecked(True)
    dialog.answer()
    (call,) = fake_bridge.named("federation.start")
    assert call.values == {"without": ["Geneva"]}, "who has not joined need not be left out"


def test_expired_invitations_and_refusals_have_their_cure(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.EXPIRED)
    refused, expired = facts(view)
    assert text("ui.federation.expired", sites="Zürich") == expired
    assert "Zürich" in refused
    again = [b for b in view.banners.findChildren(QPushButton) if b.text() == text("ui.federation.invite_anew")]
    again[0].click()
    assert fake_bridge.named("federation.invite")[0].values == {"site": "Zürich", "again": True}
    view.dismiss(("refused", examples.EXPIRED["refusals"][0]["time"], "joining.not_invited"))
    assert facts(view) == [expired]


# --- the ceremony ---------------------------------------------------------------------------------------------------


def test_the_ceremony_says_who_is_awaited(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.CEREMONY)
    steps = view.ceremony.timeline.steps
    assert [step.state for step in steps] == ["done", "done", "done", "running", "waiting", "later"]
    assert steps[4].title == text("ui.federation.line_away", site="Zürich")
    assert "Research office Zürich" in steps[4].words
    assert "810" in view.ceremony._note.text()
    assert text("ui.federation.resume") in view.ceremony._note.text()


def test_a_failed_ceremony_names_the_site_and_can_be_started_again(
    view: FederationView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    stand(view, fake_bridge, examples.FAILED)
    assert facts(view) == [text("ui.federation.failed")]
    assert view.ceremony.timeline.steps[-1].state == "failed"
    fake_bridge.answers["federation.start"] = UserError("joining.nobody_confirmed")
    qtbot.mouseClick(view.ceremony.again, LEFT)
    assert view.ceremony.banners.isVisible()
    assert view.ceremony.again.isEnabled()


def test_who_does_not_sign_is_said_with_the_reason(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.SIGNING)
    assert facts(view) == [text("ui.federation.line_refused", site="Zürich")]
    assert [step.state for step in view.ceremony.timeline.steps][:5] == ["done", "done", "done", "waiting", "failed"]


# --- ready ----------------------------------------------------------------------------------------------------------


def test_a_site_without_a_backup_is_warned_until_it_has_one(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.READY)
    assert facts(view)[0] == text("ui.federation.unsafe")
    fake_bridge.answers["keys.status"] = examples.BACKED_UP
    view._backed_up()
    assert text("ui.federation.unsafe") not in facts(view)


def test_a_backup_made_after_its_dialog_was_closed_counts(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.READY)
    sites = [{**each, "state": "ready"} for each in examples.READY["sites"]]
    assert sites != examples.READY["sites"]
    fake_bridge.answers["keys.status"] = examples.BACKED_UP
    fake_bridge.answers["federation.show"] = {**examples.READY, "sites": sites}
    fake_bridge.stir()
    assert text("ui.federation.unsafe") not in facts(view)


def test_other_versions_are_said(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.READY)
    assert text("ui.federation.other_versions", sites="Bern (0.0.9)", own="0.1.0") in facts(view)


def test_the_sheet_counts_only_once_two_of_its_words_were_typed(
    view: FederationView, fake_bridge: FakeBridge, tmp_path: Path
) -> None:
    stand(view, fake_bridge, examples.READY)
    dialog = view.print_sheet()
    assert isinstance(dialog, SheetDialog)
    assert not dialog.answer_button.isEnabled()
    sheet = dialog.page().toPlainText()
    assert all(word in sheet for word in examples.WORDS)
    save(dialog.page(), tmp_path / "sheet.pdf")
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")
    dialog.ask()
    words = examples.THIRTY.split()
    for number, edit in zip(dialog.asked, dialog.words, strict=True):
        edit.setText("zebra" if edit is dialog.words[0] else words[number])
    dialog.answer()
    assert fake_bridge.named("keys.sheet_checked") == []
    dialog.words[0].setText(f" {words[dialog.asked[0]].upper()} ")
    dialog.answer()
    assert len(fake_bridge.named("keys.sheet_checked")) == 1
    assert not dialog.isVisible()


def test_a_dialog_goes_with_its_secrets_when_it_is_closed(
    view: FederationView, fake_bridge: FakeBridge, qtbot: QtBot
) -> None:
    stand(view, fake_bridge, examples.READY)
    sheet = view.print_sheet()
    assert isinstance(sheet, SheetDialog)
    assert sheet._sheet is not None
    opened = [sheet, view.save_backup(), view.check_backup()]
    stand(view, fake_bridge, examples.GATHERING)
    opened.append(view.invite())
    view.gather.start.click()
    opened += view.gather.findChildren(StartDialog)
    assert len(opened) == 5
    for dialog in opened:
        dialog.reject()
    assert sheet._sheet is None
    qtbot.waitUntil(lambda: not any(isValid(each) for each in opened))


def test_a_backup_file_needs_a_passphrase_typed_twice(
    view: FederationView, fake_bridge: FakeBridge, tmp_path: Path
) -> None:
    stand(view, fake_bridge, examples.READY)
    dialog = view.save_backup()
    assert isinstance(dialog, FileDialog)
    dialog.first.setText("short")
    dialog.answer()
    assert dialog.first.accessibleDescription() == text("ui.federation.passphrase_short", least=12)
    dialog.first.setText("four unrelated words")
    dialog.answer()
    assert dialog.second.accessibleDescription() == text("ui.federation.passphrase_differs")
    fake_bridge.answers["keys.save_backup"] = UserError("keys.file_exists", path="x")
    dialog.write(tmp_path / "backup")
    assert dialog.banners.isVisible()
    fake_bridge.answers["keys.save_backup"] = {}
    dialog.write(tmp_path / "backup")
    call = fake_bridge.named("keys.save_backup")[-1]
    assert call.values["passphrase"] == SecretBytes(b"four unrelated words")
    assert not dialog.isVisible()


def test_a_backup_can_be_checked(view: FederationView, fake_bridge: FakeBridge, tmp_path: Path) -> None:
    stand(view, fake_bridge, examples.READY)
    dialog = view.check_backup()
    assert isinstance(dialog, CheckDialog)
    fake_bridge.answers["keys.restore_words"] = UserError("recovery.foreign")
    dialog.typed.setPlainText("one two")
    dialog.answer()
    (banner,) = dialog.banners.findChildren(Banner)
    assert banner.fact == explain(UserError("recovery.foreign")).what
    fake_bridge.answers["keys.restore_file"] = {"verdict": "right", "restored": False}
    dialog.take(tmp_path / "backup")
    dialog.passphrase.setText("four unrelated words")
    dialog.answer()
    (call,) = fake_bridge.named("keys.restore_file")
    assert (call.values["check"], call.values["replace"]) == (True, False)


def test_the_relay_check_shows_the_cure(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.READY)
    assert len(fake_bridge.named("relay.check")) == 1, "checked once when the view is first seen"
    fake_bridge.answers["relay.check"] = examples.RELAY_WRONG
    view.check_relay()
    QGuiApplication.processEvents()
    shown = [label.text() for label in view.relay.findChildren(QLabel) if label.isVisibleTo(view)]
    cure = explain(EnvironmentProblem("relay.tls_inspected", host="relay.example.org", issuer="Proxy CA")).next
    assert any(cure in each for each in shown)


def test_trouble_with_the_relay_is_a_banner(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.READY, connection="offline", trouble="relay.timeout")
    assert text("ui.federation.relay_offline") in facts(view)


# --- pretending -----------------------------------------------------------------------------------------------------


def test_pretend_hospitals_are_removed_after_a_question(
    view: FederationView, fake_bridge: FakeBridge, hospitals: FakeHospitals
) -> None:
    stand(view, fake_bridge, examples.READY, pretend=True)
    assert view.aside.pretend.isVisible()
    assert text("ui.federation.unsafe") not in facts(view), "nobody backs up what is pretended"
    dialog = view.remove_pretend()
    dialog.reject()
    assert hospitals.said == []
    view.remove_pretend().answer()
    assert hospitals.said == ["remove"]


def test_many_changes_are_asked_for_once(view: FederationView, fake_bridge: FakeBridge) -> None:
    held = []
    fake_bridge.answers.pop("federation.show", None)
    view._told_all()
    before = len(fake_bridge.named("federation.show"))
    for _ in range(5):
        fake_bridge.stir()
    assert len(fake_bridge.named("federation.show")) == before + 1
    fake_bridge.answers["federation.show"] = lambda _values: held.append(1) or examples.READY
    view._take(examples.READY)
    assert held == [1], "once more, because something has changed meanwhile"


def test_an_owner_that_is_away_is_the_frames_to_tell(view: FederationView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["federation.show"] = EnvironmentProblem("owner.none", path="x")
    view._told_all()
    view.refresh()
    assert facts(view) == []
    fake_bridge.answers["federation.show"] = EnvironmentProblem("keys.missing")
    view.refresh()
    assert facts(view) == [explain(EnvironmentProblem("keys.missing")).what]


def test_what_has_not_changed_is_not_built_again(view: FederationView, fake_bridge: FakeBridge) -> None:
    stand(view, fake_bridge, examples.READY)
    before = view.sites._rows.itemAt(0).widget()
    fake_bridge.stir()
    assert view.sites._rows.itemAt(0).widget() is before
