"""A package on its way in: looked at, compared with its preparer, imported, cut off, refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.core.jobs.job import Progress
from app.texts import explain, text
from app.ui.jobs import remaining_words
from app.ui.locale import number, percent, size, whole_moment
from app.ui.models.datasets import Package, Unfinished
from app.ui.tokens import PANE, Style
from app.ui.widgets.buttons import DANGER, PRIMARY, Button
from app.ui.widgets.feedback import Banner, Icon, announce
from app.ui.widgets.layout import card, clear, column, frame, row
from app.ui.widgets.text import Label

Do = Callable[[], object]


class Arriving(QWidget):
    """What is known of the packages that come in; it takes no room while there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(12)
        self._bar: QProgressBar | None = None
        self._left: Label | None = None
        self.hide()

    def nothing(self) -> None:
        """Show nothing."""
        clear(self._layout)
        self._bar = None
        self.hide()

    def _show(self, *widgets: QWidget) -> None:
        self.nothing()
        for widget in widgets:
            self._layout.addWidget(widget)
        self.setVisible(bool(widgets))

    def looking(self, path: str) -> None:
        """Say that a package is being looked at."""
        self._show(card(Label(text("ui.data.looking", file=Path(path).name), Style.BODY), padding=PANE))

    def compare(self, package: Package, *, known: bool, accept: Do, leave: Do) -> None:
        """Ask the person to compare the preparer's words; ``known`` says whether the site knows another preparer."""
        words = frame("well", column(Label(package.words, Style.QUESTION, wrap=True, selectable=True)))
        words.layout().setContentsMargins(14, 10, 14, 10)  # type: ignore[union-attr]  # frame has given it one
        digits = Label(text("ui.data.fingerprint", digits=package.preparer), Style.CODE, "text2", wrap=True)
        yes = Button(text("ui.data.words_agree"), PRIMARY, pressed=accept)
        title = "ui.data.compare_other" if known else "ui.data.compare_first"
        facts = text(
            "ui.data.package_facts",
            file=Path(package.path).name,
            size=size(package.size),
            variables=number(package.variables),
            when=whole_moment(package.created),
        )
        made = card(
            Label(text(title), Style.TITLE, wrap=True),
            Label(facts, Style.BODY, "text2", wrap=True),
            Label(text("ui.data.compare_words"), Style.BODY, wrap=True),
            words,
            digits,
            row(yes, Button(text("ui.data.do_not_import"), pressed=leave), None),
            gap=10,
            padding=PANE,
            tone="selected",
        )
        self._show(made)
        announce(self, f"{text(title)} {package.words}")
        yes.setFocus()

    def importing(self, path: str, cancel: Do | None) -> None:
        """Show that a package is being imported; ``cancel`` None: somebody else does it."""
        bar = QProgressBar()
        bar.setRange(0, 1000)
        bar.setTextVisible(False)
        bar.setAccessibleName(text("ui.data.importing", file=Path(path).name))
        left = Label(text("ui.data.verifying"), Style.SMALL, "text2")
        head = row(
            Icon("import", 18, "acc"), Label(text("ui.data.importing", file=Path(path).name), Style.STRONG), None
        )
        if cancel is not None:
            head.addWidget(Button(text("ui.cancel"), size="small", pressed=cancel))
        self._show(card(head, bar, left, gap=8, padding=PANE))
        self._bar, self._left = bar, left

    def progress(self, progress: Progress) -> None:
        """Show how far an import is."""
        if self._bar is not None and self._left is not None:
            self._bar.setValue(round(1000 * progress.fraction))
            left = remaining_words(progress.remaining_seconds)
            self._left.setText(" · ".join(filter(None, (percent(progress.fraction), text("ui.data.verifying"), left))))

    def unfinished(self, imports: list[tuple[Unfinished, Do, Do]]) -> None:
        """Offer to go on with imports that were cut off: each with how to resume and how to throw it away."""
        self._show(*(_unfinished(each, resume, discard) for each, resume, discard in imports))

    def refused(self, path: str, error: ConsiliumError, *, again: Do, close: Do) -> None:
        """Say why a package was not imported, naming its file, and what to do."""
        told = explain(error)
        banner = Banner(
            "danger",
            text("ui.data.refused", file=Path(path).name),
            " ".join(filter(None, (told.what, told.safe, told.next))),
            action=(text("ui.try_again"), again),
            details=f"{error}\n{path}",
            closed=close,
        )
        self._show(banner)
        announce(self, banner.accessibleName())


def _unfinished(found: Unfinished, resume: Do, discard: Do) -> QWidget:
    name = Path(found.package).name if found.package else found.id[:8]
    if found.running:
        words = text("ui.data.runs_elsewhere", file=name)
        return card(row(Icon("running", 18, "acc"), Label(words, wrap=True), gap=10), padding=PANE)
    words = text("ui.data.cut_off_words", percent=percent(found.done))
    title = Label(text("ui.data.cut_off", file=name), Style.STRONG, wrap=True)
    goes_on = Button(text("ui.data.resume"), PRIMARY, size="small", pressed=resume)
    if not found.package:
        goes_on.forbid(text("ui.data.resume_by_file"))
        words = f"{words} {text('ui.data.resume_by_file')}"
    away = Button(text("ui.data.discard"), DANGER, size="small", pressed=discard)
    inside = row(Icon("clock", 18, "cau"), column(title, Label(words, Style.SMALL, "text2", wrap=True), gap=2), gap=10)
    inside.setStretch(1, 1)
    inside.addWidget(goes_on)
    inside.addWidget(away)
    return card(inside, padding=PANE)
