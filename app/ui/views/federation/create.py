"""The form that starts a federation: a relay and its code, a name, the catalogue, and how many open a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QSpinBox, QWidget

from app.core.errors import ConsiliumError
from app.core.files import read_limited
from app.core.paths import resource
from app.core.secret import SecretBytes
from app.core.services.commands import Result
from app.texts import explain, text
from app.ui.context import Context
from app.ui.tokens import Style
from app.ui.trial_relay import TrialRelay, trial_relay
from app.ui.views.federation.it_page import it_page
from app.ui.views.federation.printing import print_or_save, save_as
from app.ui.widgets.buttons import LINK, PRIMARY, QUIET, Button
from app.ui.widgets.feedback import Banner, Banners, well
from app.ui.widgets.fields import Choice, Field, line_edit
from app.ui.widgets.layout import Flow, card, column, row
from app.ui.widgets.text import ElidedLabel, Label

_WIDEST = 1120
_PEM_LIMIT = 1 << 14
_SHIPPED, _FILE = "shipped", "file"
_USUAL, _FIXED = "usual", "fixed"
_LEAST, _MOST = 2, 16
_RELAY_ERRORS = ("relay.",)
_CATALOGUE_ERRORS = ("catalogue.", "file.", "toml.")


class CreateForm(QWidget):
    """Starts a federation; says at the field what is not right."""

    def __init__(
        self,
        context: Context,
        created: Callable[[], object],
        *,
        back: Callable[[], object],
        relay: TrialRelay | None = None,
    ) -> None:
        super().__init__()
        self._context, self._created = context, created
        self._trial = relay
        self._authority: Path | None = None
        self._catalogue: Path | None = None
        self.banners = Banners()
        self._make_controls()
        self._make_extras()
        self._make_fields()
        self.setMaximumWidth(_WIDEST)
        self.setFocusProxy(self.name)
        self._lay_out(back)

    def _make_controls(self) -> None:
        self.name = line_edit(text("ui.federation.name_example"))
        self.relay = line_edit("https://relay.example.org:8443")
        self.code = line_edit()
        self.catalogue = Choice(
            text("ui.federation.catalogue"),
            [(_SHIPPED, text("ui.federation.catalogue_shipped")), (_FILE, text("ui.federation.catalogue_file"))],
        )
        self.catalogue.chosen.connect(self._choose_catalogue)
        self.quorum = Choice(
            text("ui.federation.quorum_choice"),
            [(_USUAL, text("ui.federation.quorum_usual")), (_FIXED, text("ui.federation.quorum_fixed"))],
        )
        self.quorum.chosen.connect(self._choose_quorum)
        self.number = QSpinBox()
        self.number.setRange(_LEAST, _MOST)
        self.number.setValue(3)
        self.number.setAccessibleName(text("ui.federation.quorum_number"))
        self.go = Button(text("ui.federation.create_answer"), PRIMARY, size="large", pressed=self.answer)

    def _make_extras(self) -> None:
        """Make what belongs to a field but is not its input."""
        self._catalogue_name = ElidedLabel("", Style.SMALL, "text2")
        self._catalogue_row = QWidget()
        self._catalogue_row.setLayout(row(self._catalogue_name))
        self._catalogue_row.hide()
        self._quorum_row = QWidget()
        self._quorum_row.setLayout(row(self.number, Label(text("ui.federation.quorum_number")), None))
        self._quorum_row.hide()
        self.choose_authority = Button(
            text("ui.federation.authority"), LINK, icon_name="file", pressed=self._choose_authority
        )
        self._authority_name = ElidedLabel("", Style.SMALL, "text2")
        self.drop_authority = Button(text("ui.federation.authority_drop"), LINK, pressed=lambda: self._trust(None))
        self._authority_row = QWidget()
        self._authority_row.setLayout(row(self._authority_name, self.drop_authority))
        self._authority_row.hide()

    def _make_fields(self) -> None:
        hints = {
            "name": (text("ui.federation.name"), self.name, text("ui.federation.name_hint")),
            "catalogue": (text("ui.federation.catalogue"), self.catalogue, text("ui.federation.catalogue_hint")),
            "quorum": (text("ui.federation.quorum_choice"), self.quorum, text("ui.federation.quorum_hint")),
            "relay": (text("ui.federation.relay_address"), self.relay, text("ui.federation.relay_hint")),
            "code": (text("ui.federation.code"), self.code, text("ui.federation.code_hint")),
        }
        self._fields = {name: Field(*each) for name, each in hints.items()}
        for name, edit in (("name", self.name), ("relay", self.relay), ("code", self.code)):
            edit.textChanged.connect(lambda _text, name=name: self._fields[name].refuse(""))
            edit.returnPressed.connect(self.answer)

    def _lay_out(self, back: Callable[[], object]) -> None:
        form = card(
            self._fields["name"], self._fields["catalogue"], self._catalogue_row,
            self._fields["quorum"], self._quorum_row, gap=10, padding=20,
        )  # fmt: skip
        relay_form = card(
            self._fields["relay"], row(self.choose_authority, None), self._authority_row,
            self._fields["code"], self._without_relay(), gap=10, padding=20,
        )  # fmt: skip
        top = row(Button(text("ui.first_start.back"), QUIET, icon_name="chevron-left", pressed=back), None)
        title = Label(text("ui.federation.create"), Style.TITLE)
        says = Label(text("ui.federation.create_form_words"), Style.BODY, "text2", wrap=True)
        both = row(column(form, None), column(relay_form, None), gap=16)
        both.setStretch(0, 1)
        both.setStretch(1, 1)
        self.setLayout(column(top, title, says, self.banners, both, row(None, self.go), None, gap=12))

    def _without_relay(self) -> QWidget:
        self.run_here = Button(text("ui.federation.run_here"), icon_name="computer", pressed=self._run_here)
        self.print_page = Button(text("ui.federation.it_print"), icon_name="print", pressed=self._print_page)
        save_page = Button(text("ui.federation.it_save"), LINK, pressed=self._save_page)
        return well(
            Label(text("ui.federation.no_relay"), Style.STRONG, wrap=True),
            Label(text("ui.federation.no_relay_words"), Style.SMALL, "text2", wrap=True),
            _flowing(self.run_here, self.print_page, save_page),
        )

    # --- what is filled in ------------------------------------------------------------------------------------

    def answer(self) -> None:
        """Start the federation, or say at the fields what is missing."""
        needed = (
            ("code", self.code, text("ui.federation.code_needed")),
            ("relay", self.relay, text("ui.federation.relay_needed")),
            ("name", self.name, text("ui.federation.name_needed")),
        )
        fine = True
        for name, edit, reason in needed:
            there = bool(edit.text().strip())
            self._fields[name].refuse("" if there else reason)
            if not there:
                edit.setFocus()
                fine = False
        values = self._values() if fine else None
        if values is not None:
            self.busy(True)
            self._context.bridge.call("federation.create", values, of=self, done=self._done, failed=self.failed)

    def _values(self) -> dict[str, object] | None:
        try:
            trust = "system" if self._authority is None else _pem(self._authority)
        except ConsiliumError as error:
            self._fields["relay"].refuse(explain(error).what)
            return None
        return {
            "relay": self.relay.text().strip().rstrip("/"),
            "trust": trust,
            "code": SecretBytes(self.code.text().strip().encode()),
            "name": self.name.text().strip(),
            "catalogue": str(self._catalogue or shipped_catalogue()),
            "quorum": self.number.value() if self.quorum.value == _FIXED else None,
        }

    def busy(self, working: bool) -> None:
        """Keep the form from being sent twice."""
        self.go.setEnabled(not working)
        self.go.setText(text("ui.first_start.working") if working else text("ui.federation.create_answer"))

    def failed(self, error: ConsiliumError) -> None:
        """Say it where it belongs."""
        self.busy(False)
        told = explain(error)
        field = self._field_of(error.code)
        if field is None:
            self.banners.show_error(error)
        else:
            self.banners.show_only()
            self._fields[field].refuse(f"{told.what} {told.next}".strip())
            self._fields[field].control.setFocus()

    def _field_of(self, code: str) -> str | None:
        if code == "relay.code_refused":
            return "code"
        if code == "joining.bad_name":
            return "name"
        if code == "roster.bad_quorum":
            return "quorum"
        if code.startswith(_RELAY_ERRORS):
            return "relay"
        return "catalogue" if code.startswith(_CATALOGUE_ERRORS) else None

    def _done(self, _result: Result) -> None:
        self.busy(False)
        self._created()

    # --- files ------------------------------------------------------------------------------------------------

    def _choose_quorum(self, value: str) -> None:
        self._quorum_row.setVisible(value == _FIXED)

    def _choose_catalogue(self, value: str) -> None:
        path = ""
        if value == _FILE:
            kinds = f"{text('ui.federation.catalogue')} (*.toml)"
            path, _ = QFileDialog.getOpenFileName(self, text("ui.federation.catalogue_file"), "", kinds)
        self.take_catalogue(Path(path) if path else None)

    def take_catalogue(self, path: Path | None) -> None:
        """Use this catalogue file; None is the one that ships with the program."""
        self._catalogue = path
        self.catalogue.set_value(_SHIPPED if path is None else _FILE)
        self._catalogue_name.set_whole("" if path is None else str(path))
        self._catalogue_row.setVisible(path is not None)
        self._fields["catalogue"].refuse("")

    def _choose_authority(self) -> None:
        kinds = f"{text('ui.federation.authority_kind')} (*.pem *.crt *.cer)"
        path, _ = QFileDialog.getOpenFileName(self, text("ui.federation.authority"), "", kinds)
        if path:
            self._trust(Path(path))

    def _trust(self, authority: Path | None) -> None:
        self._authority = authority
        self._authority_name.set_whole("" if authority is None else str(authority))
        self._authority_row.setVisible(authority is not None)

    # --- without a relay at hand ------------------------------------------------------------------------------

    def _run_here(self) -> None:
        self.run_here.setEnabled(False)
        (self._trial or trial_relay()).offer(done=self._runs_here, failed=self._does_not_run)

    def _runs_here(self, code: str) -> None:
        trial = self._trial or trial_relay()
        self.run_here.setEnabled(True)
        self.relay.setText(trial.url)
        self._trust(trial.authority)
        self.code.setText(code)
        self.banners.show_only(Banner("info", text("ui.federation.runs_here"), text("ui.federation.runs_here_words")))

    def _does_not_run(self, error: ConsiliumError) -> None:
        self.run_here.setEnabled(True)
        self.banners.show_error(error)

    def _print_page(self) -> None:
        print_or_save(self, it_page(), text("ui.federation.it_title"))

    def _save_page(self) -> None:
        save_as(self, it_page(), text("ui.federation.it_title"))


def shipped_catalogue() -> Path:
    """Return the catalogue that ships with the program."""
    return resource("demo", "lung.catalogue.toml")


def _pem(path: Path) -> str:
    return read_limited(path, _PEM_LIMIT).decode("ascii", "replace")


def _flowing(*items: QWidget) -> QWidget:
    """Return the buttons side by side, or below each other where there is no room."""
    made, flow = QWidget(), Flow(8)
    for each in items:
        flow.addWidget(each)
    made.setLayout(flow)
    return made
