"""The frame of the wizard: its head, the steps at the left, the step of the moment, and the way on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QSizePolicy, QStackedWidget, QWidget

from app.core.errors import ConsiliumError
from app.texts import text
from app.ui.preferences import Preferences
from app.ui.tokens import HEADER, Style
from app.ui.views.prepare.columns import ColumnsStep
from app.ui.views.prepare.dry_run import DryRunStep
from app.ui.views.prepare.files import FilesStep
from app.ui.views.prepare.mapping import MappingStep
from app.ui.views.prepare.package import PackageStep
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.seal import SealStep
from app.ui.views.prepare.step import Step
from app.ui.views.prepare.step_list import StepList
from app.ui.views.prepare.summary import SummaryStep
from app.ui.widgets.buttons import LINK, PRIMARY, Button
from app.ui.widgets.dialogs import confirm
from app.ui.widgets.feedback import Banners, Icon
from app.ui.widgets.layout import column, frame, row
from app.ui.widgets.text import ElidedLabel, Label

_STEPS_WIDTH = 224
FILES, COLUMNS, MAPPING, DRY_RUN, SUMMARY, SEAL, PACKAGE = range(7)


@dataclass(frozen=True)
class Surroundings:
    """Where the wizard is: the way out, to the help, and to what a window with a profile can do (else None)."""

    leave: Callable[[], object]
    explain: Callable[[], object]
    import_package: Callable[[str], object] | None = None
    own_federation: Callable[[], object] | None = None


class Wizard(QWidget):
    """Prepare a dataset."""

    def __init__(self, around: Surroundings, preparation: Preparation, preferences: Preferences) -> None:
        super().__init__()
        self.around = around
        self.preparation = preparation
        preparation.setParent(self)
        self.banners = Banners()
        self.steps: list[Step] = [
            FilesStep(preparation, preferences, around),
            ColumnsStep(preparation),
            MappingStep(preparation, preferences),
            DryRunStep(preparation, lambda code: self._show_variable(code)),
            SummaryStep(preparation),
            SealStep(preparation),
            PackageStep(preparation, preferences, around, self._again),
        ]
        self._place = min(preparation.draft.step, SEAL)
        self._resumed = False
        self.list = StepList([text(f"ui.prepare.step.{step.name}") for step in self.steps])
        self.list.chosen.connect(self.go_to)
        self._stack = QStackedWidget()
        for step in self.steps:
            self._stack.addWidget(step)
        self._make_foot()
        holder = QWidget()
        holder.setLayout(column(self.banners, gap=0, margins=(24, 12, 24, 0)))
        self._banner_holder = holder
        right = column(holder, self._stack, self._foot, gap=0)
        right.setStretchFactor(self._stack, 1)
        body = row(self._make_steps(), right, gap=0)
        body.setStretch(1, 1)
        whole = column(self._make_header(), body, gap=0)
        whole.setStretch(1, 1)
        self.setLayout(whole)
        undo, redo = QKeySequence(QKeySequence.StandardKey.Undo), QKeySequence(QKeySequence.StandardKey.Redo)
        for keys, do in ((undo, preparation.history.stack.undo), (redo, preparation.history.stack.redo)):
            shortcut = QShortcut(keys, self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(do)
        preparation.changed.connect(self._show_state)
        preparation.failed.connect(self.fail)
        self._show_step()

    def _make_header(self) -> QFrame:
        back = Button(text("ui.rail.data"), LINK, pressed=self.leave)
        back.setAccessibleName(text("ui.prepare.back_to_data"))
        title = Label(text("ui.prepare.title"), Style.TITLE)
        self._federation = ElidedLabel("", Style.SMALL, "text2")
        offline = Label(text("ui.prepare.offline"), Style.SMALL, "text2")
        layout = row(back, Icon("chevron-right", 14, "text3"), title, self._federation, margins=(14, 0, 16, 0), gap=8)
        layout.addWidget(Icon("offline", 15))
        layout.addWidget(offline)
        layout.setStretchFactor(self._federation, 1)
        made = frame("header", layout)
        made.setMinimumHeight(HEADER)
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        return made

    def _make_steps(self) -> QFrame:
        self._promise = Label("", Style.CAPTION, "text2", wrap=True)
        self._promise.setContentsMargins(10, 0, 6, 0)
        self._start_over = Button(text("ui.prepare.start_over"), LINK, size="small", pressed=self._ask_start_over)
        made = frame(
            "pane", column(self.list, None, row(self._start_over, None), self._promise, margins=(12, 16, 12, 16))
        )
        made.setFixedWidth(max(_STEPS_WIDTH, self._start_over.sizeHint().width() + 30))
        return made

    def _make_foot(self) -> None:
        self.back_button = Button(text("ui.prepare.back"), size="large", pressed=lambda: self.go_to(self._place - 1))
        self._note = Label("", Style.SMALL, "text2", wrap=True)
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.cancel_button = Button(text("ui.prepare.close"), size="large", pressed=self.leave)
        self.continue_button = Button("", PRIMARY, size="large", pressed=self.go_on)
        layout = row(self.back_button, self._note, self.cancel_button, self.continue_button, margins=(24, 12, 24, 12))
        layout.setStretch(1, 1)
        self._foot = frame("foot", layout)
        self._foot.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(1100, 700)

    # --- what others tell -------------------------------------------------------------------------------------

    def offer_own(self, federation: str, site: str) -> None:
        """Offer this computer's own federation; an empty name takes the offer back."""
        files = self.steps[FILES]
        if isinstance(files, FilesStep):
            files.offer_own(federation, site)

    def fail(self, error: ConsiliumError) -> None:
        """Show what went wrong, above the step."""
        self._banner_holder.show()
        self.banners.show_error(error)

    # --- moving -----------------------------------------------------------------------------------------------

    @property
    def step(self) -> Step:
        """The step that is shown."""
        return self.steps[self._place]

    def go_on(self) -> None:
        """Go to the next step, if this one is done."""
        if not self.step.obstacle() and self.step.go_on():
            self.go_to(self._place + 1)

    def go_to(self, place: int) -> None:
        """Show a step, if one can go there."""
        if not 0 <= place < len(self.steps) or place > self._furthest():
            self.list.select(self._place)
            return
        self._place = place
        if place <= SEAL and not self.preparation.sealed:
            self.preparation.decide(step=place)
        self.banners.show_only()
        self._show_step()
        self.step.entered()
        self._show_state()

    def leave(self) -> None:
        """Go elsewhere; what was decided is kept."""
        self.around.leave()

    def _show_variable(self, code: str) -> None:
        mapping = self.steps[MAPPING]
        self.go_to(MAPPING)
        if isinstance(mapping, MappingStep):
            mapping.show_variable(code)

    def _furthest(self) -> int:
        """Return the last step that one can go to."""
        if self.preparation.sealed is not None:
            return PACKAGE
        place = FILES
        while place < SEAL and not self.steps[place].obstacle():
            place += 1
        return place

    def _show_step(self) -> None:
        self.list.select(self._place)
        self._stack.setCurrentWidget(self.step)
        self._show_state()

    def _show_state(self) -> None:
        preparation, furthest = self.preparation, self._furthest()
        waits = bool(preparation.doing) or preparation.draft.sealing
        if self._place > furthest and (not preparation.draft.begun or (preparation.found is not None and not waits)):
            self._place = furthest
            self._show_step()
            return
        for place, (item, step) in enumerate(zip(self.list.items, self.steps, strict=True)):
            done = place < furthest and not step.obstacle()
            reachable = place <= furthest and not (preparation.doing == "prepare" and place != SEAL)
            item.show_state(done=done, reachable=reachable, count=step.count() if done else "")
        federation = preparation.federation
        self._federation.set_whole("" if federation is None else federation.name)
        self._promise.setText(
            text("ui.prepare.written" if preparation.sealed is not None else "ui.prepare.nothing_written")
        )
        self._start_over.setVisible(preparation.draft.begun and not preparation.doing)
        self._banner_holder.setVisible(not self.banners.isHidden())
        self.step.show_state()
        self._show_foot()

    def _show_foot(self) -> None:
        obstacle, step = self.step.obstacle(), self.step
        self.back_button.setEnabled(self._place not in (FILES, PACKAGE) and self.preparation.doing != "prepare")
        self.back_button.setVisible(self._place not in (FILES, PACKAGE))
        self.continue_button.setText(step.answer().replace("&", "&&"))
        self.continue_button.setVisible(bool(step.answer()))
        self.continue_button.forbid(obstacle)
        self._note.setText(obstacle or step.note())

    # --- beginning again --------------------------------------------------------------------------------------

    def _ask_start_over(self) -> None:
        confirm(
            self,
            text("ui.prepare.start_over_title"),
            text("ui.prepare.start_over_words"),
            answer=text("ui.prepare.start_over"),
            danger=True,
            then=self._again,
        )

    def _again(self) -> None:
        self.preparation.start_over()
        self._place = FILES
        self._show_step()
        self.step.entered()

    def showEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        """Take up what was left, when the wizard is first seen."""
        super().showEvent(event)  # type: ignore[arg-type]
        if not self._resumed:
            self._resumed = True
            self.list.items[self._place].setFocus(Qt.FocusReason.OtherFocusReason)
            self.resume()

    def resume(self) -> None:
        """Read the federation and the files of a draft again: what was found in them is never kept."""
        preparation = self.preparation
        if preparation.draft.federation and preparation.federation is None:
            preparation.choose_federation(preparation.draft.federation, own=preparation.draft.own)
        else:
            self.step.entered()
