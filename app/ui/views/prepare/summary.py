"""The fifth step: what will be sealed, how deep, and where it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from PySide6.QtWidgets import QButtonGroup, QCheckBox, QFileDialog, QGridLayout, QLineEdit, QRadioButton, QWidget

from app.core.crypto.passphrase import LEAST_CHARACTERS
from app.texts import text
from app.ui.locale import number, size
from app.ui.models.preparing_check import Checked, Depth
from app.ui.tokens import PANE, Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.step import MARGINS, Step, Working
from app.ui.widgets.buttons import Button
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import card, clear, column, row, scrolling
from app.ui.widgets.text import Label

SUFFIX = ".consilium"
_LEFT_OUT_SHOWN = 12


class SummaryStep(Step):
    """Summary."""

    name: ClassVar[str] = "summary"

    def __init__(self, preparation: Preparation) -> None:
        super().__init__(preparation)
        self._shown: object = None
        self._depths_shown: object = None
        self._tried = ""
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(24)
        self._facts.setVerticalSpacing(12)
        self._left_out = Label("", Style.SMALL, "text2", wrap=True, selectable=True)
        facts = card(
            Label(text("ui.prepare.summary.sealed"), Style.STRONG), self._facts, self._left_out, gap=10, padding=PANE
        )
        self._working = Working(preparation)
        self._depths = column(gap=0)
        depth = card(
            Label(text("ui.prepare.depth"), Style.STRONG),
            Label(text("ui.prepare.depth_words"), Style.SMALL, "text2", wrap=True),
            self._working,
            self._depths,
            gap=8,
            padding=PANE,
        )
        title = Label(text("ui.prepare.summary.title"), Style.TITLE)
        inside = column(title, facts, depth, self._make_places(), self._make_recontact(), None, gap=12, margins=MARGINS)
        self.setLayout(column(scrolling(inside), gap=0))

    def _make_places(self) -> QWidget:
        self.output = line_edit(text("ui.prepare.output_none"))
        self.output.editingFinished.connect(lambda: self._set_output(self.output.text().strip()))
        self.output_field = Field(text("ui.prepare.output"), self.output, text("ui.prepare.output_hint"))
        choose = Button(text("ui.prepare.choose_place"), icon_name="folder", pressed=self._choose_output)
        line = row(self.output_field, choose, gap=10)
        line.setStretch(0, 1)
        return card(line, padding=PANE)

    def _make_recontact(self) -> QWidget:
        self.recontact = QCheckBox(text("ui.prepare.recontact"))
        self.recontact.clicked.connect(self._toggle_recontact)
        words = Label(text("ui.prepare.recontact_words"), Style.SMALL, "text2", wrap=True)
        self.recontact_file = line_edit(text("ui.prepare.output_none"))
        self.recontact_file.editingFinished.connect(lambda: self._set_recontact(self.recontact_file.text().strip()))
        choose = Button(text("ui.prepare.choose_place"), icon_name="folder", pressed=self._choose_recontact)
        self.passphrase, self.again = (line_edit(secret=True, changed=self._typed) for _ in range(2))
        place = row(Field(text("ui.prepare.recontact_file"), self.recontact_file), choose, gap=10)
        place.setStretch(0, 1)
        hint = text("ui.prepare.passphrase_hint", least=LEAST_CHARACTERS)
        first = Field(text("ui.prepare.passphrase"), self.passphrase, hint)
        second = Field(text("ui.prepare.passphrase_again"), self.again, " ")
        both = row(first, second, gap=16)
        both.setStretch(0, 1)
        both.setStretch(1, 1)
        self._recontact_details = QWidget()
        self._recontact_details.setLayout(column(place, both, gap=10))
        return card(self.recontact, words, self._recontact_details, gap=8, padding=PANE)

    # --- deciding -----------------------------------------------------------------------------------------------

    def entered(self) -> None:
        """Ask what the depths come to, and propose where to save."""
        if not self.preparation.draft.output:
            self._set_output(str(self._folder() / f"{_plain_name(self.preparation.draft.site)}{SUFFIX}"))
        if self._tried != self.preparation.draft.mapping and not self.preparation.doing:
            self._tried = self.preparation.draft.mapping
            self.preparation.ask_depths()

    def _folder(self) -> Path:
        found = self.preparation.found
        files = found.used_files() if found is not None else ()
        first = Path(files[0]).absolute() if files else Path.home()
        return first if first.is_dir() else first.parent

    def _set_output(self, path: str) -> None:
        if path and not path.lower().endswith(SUFFIX):
            path += SUFFIX
        if path != self.preparation.draft.output:
            self.preparation.decide(output=path)

    def _choose_output(self) -> None:
        kinds = f"{text('ui.data.packages')} (*{SUFFIX})"
        found, _ = QFileDialog.getSaveFileName(self, text("ui.prepare.output"), self.preparation.draft.output, kinds)
        if found:
            self._set_output(found)

    def _toggle_recontact(self, wanted: bool) -> None:
        name = Path(self.preparation.draft.output or "dataset").with_suffix(".recontact")
        self._set_recontact(str(name) if wanted else "")

    def _set_recontact(self, path: str) -> None:
        self.preparation.decide(recontact=path)

    def _choose_recontact(self) -> None:
        before = self.preparation.draft.recontact
        found, _ = QFileDialog.getSaveFileName(self, text("ui.prepare.recontact_file"), before)
        if found:
            self._set_recontact(found)

    def _typed(self) -> None:
        self.preparation.passphrase = self.passphrase.text() if self._passphrase_problem() == "" else ""
        self.preparation.changed.emit()

    def _passphrase_problem(self) -> str:
        if not self.preparation.draft.recontact:
            return ""
        if len(self.passphrase.text()) < LEAST_CHARACTERS:
            return text("ui.prepare.passphrase_short", least=LEAST_CHARACTERS)
        return "" if self.passphrase.text() == self.again.text() else text("ui.prepare.passphrase_differs")

    # --- showing ------------------------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Show what will be sealed."""
        preparation = self.preparation
        draft, checked = preparation.draft, preparation.checked
        self._working.show_state("choices")
        if self._shown != (checked, draft.mapping):
            self._shown = (checked, draft.mapping)
            self._show_facts(checked)
        self._show_depths()
        _set(self.output, draft.output)
        self.recontact.setChecked(bool(draft.recontact))
        self._recontact_details.setVisible(bool(draft.recontact))
        _set(self.recontact_file, draft.recontact)

    def _show_facts(self, checked: Checked | None) -> None:
        clear(self._facts)
        if checked is None:
            return
        variables = [each for each in checked.variables if each.known or each.known is None]
        left = text("ui.prepare.fact.rows_left", count=number(checked.refused_rows), rows=number(checked.rows))
        facts = [
            (text("ui.prepare.fact.patients"), number(checked.patients)),
            (text("ui.prepare.fact.variables"), number(len(variables))),
            (text("ui.prepare.fact.columns"), number(self._columns(checked))),
            (text("ui.prepare.fact.rows"), left if checked.refused_rows else number(checked.rows)),
            (text("ui.prepare.fact.site"), self.preparation.draft.site),
            (
                text("ui.prepare.fact.federation"),
                self.preparation.federation.name if self.preparation.federation else "–",
            ),
        ]
        for place, (name, value) in enumerate(facts):
            made = column(Label(name, Style.CAPTION, "text2"), Label(value, Style.BODY, wrap=True), gap=1)
            self._facts.addLayout(made, place // 3, place % 3)
        for place in range(3):
            self._facts.setColumnStretch(place, 1)
        self._left_out.setText(self._left_out_words(checked))
        self._left_out.setVisible(bool(self._left_out.text()))

    def _columns(self, checked: Checked) -> int:
        federation = self.preparation.federation
        if federation is None:
            return 0
        found = (
            federation.catalogue.find(each.code) for each in checked.variables if each.code not in checked.left_out
        )
        return 1 + sum(len(each.columns) for each in found if each is not None)

    def _left_out_words(self, checked: Checked) -> str:
        lines = []
        for key, names in (("variables", checked.left_out), ("columns", checked.unused_columns)):
            if names:
                more = len(names) - _LEFT_OUT_SHOWN
                shown = ", ".join(names[:_LEFT_OUT_SHOWN]) + (f", … (+{number(more)})" if more > 0 else "")
                lines.append(text(f"ui.prepare.left_out.{key}", names=shown, count=number(len(names))))
        return "\n".join(lines)

    def _show_depths(self) -> None:
        preparation = self.preparation
        shown = (preparation.depths, preparation.draft.residues)
        if shown == self._depths_shown:
            return
        self._depths_shown = shown
        clear(self._depths)
        group = QButtonGroup(self._working)
        for depth in preparation.depths:
            choice = QRadioButton(_depth_title(depth))
            choice.setChecked(depth.residues == preparation.draft.residues)
            choice.clicked.connect(lambda _checked, depth=depth: preparation.decide(residues=depth.residues))
            group.addButton(choice)
            says = Label(_depth_words(depth), Style.SMALL, "text2")
            choice.setAccessibleDescription(says.text())
            self._depths.addLayout(row(choice, None, says, gap=12))

    def count(self) -> str:
        """How many patients will be sealed."""
        checked = self.preparation.checked
        return "" if checked is None else text("ui.prepare.count.patients", count=number(checked.patients))

    def obstacle(self) -> str:
        """Why one cannot go on yet."""
        draft = self.preparation.draft
        if self.preparation.doing == "choices":
            return text("ui.prepare.working")
        if not draft.output:
            return text("ui.prepare.output_first")
        output = Path(draft.output)
        if not output.parent.is_dir():
            return text("ui.prepare.no_folder", folder=str(output.parent))
        if output.exists() and not draft.sealing:
            return text("ui.prepare.output_exists", file=output.name)
        return self._passphrase_problem() if not draft.sealing else ""

    def answer(self) -> str:
        """What the button says that goes on."""
        return text("ui.prepare.begin_sealing")


def _depth_title(depth: Depth) -> str:
    words = text("ui.prepare.depth_terms", terms=depth.terms)
    return f"{words} {text('ui.prepare.recommended')}" if depth.recommended else words


def _depth_words(depth: Depth) -> str:
    takes = text("ui.prepare.depth_takes", time=duration(depth.seconds)) if depth.seconds else ""
    return " · ".join(filter(None, (text("ui.prepare.depth_size", size=size(depth.size)), takes)))


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds >= 5400:
        return text("ui.prepare.hours", count=number(seconds / 3600, 1))
    if seconds >= 90:
        return text("ui.prepare.minutes", count=number(seconds / 60))
    return text("ui.prepare.seconds", count=number(max(seconds, 1)))


def _set(edit: QLineEdit, words: str) -> None:
    if edit.text() != words and not edit.hasFocus():
        edit.setText(words)


def _plain_name(site: str) -> str:
    """Return a file's name that every system takes."""
    kept = "".join(each if each.isalnum() or each in "-_" else "-" for each in site.lower()).strip("-")
    return kept or "dataset"
