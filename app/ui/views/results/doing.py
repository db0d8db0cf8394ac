"""What a person does to a run: remind, finish, try again, cancel, write, ask again, save."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.core.services.runs import Run
from app.plots.options import Options
from app.texts import preferred_language, text
from app.ui.jobs import Running
from app.ui.programs import Program
from app.ui.views.results.exports import Kind, ask_file
from app.ui.views.results.wording import names
from app.ui.widgets.dialogs import Dialog, ask_text, confirm
from app.ui.widgets.feedback import Banner, announce

if TYPE_CHECKING:
    from app.ui.views.results.screen import ResultsView


def drawn_as(options: Options) -> list[str]:
    """Return how the command line draws a figure as it is seen; nothing where it does so anyway."""
    flags = {"--shares": options.shares, "--events": options.events, "--hazard-ratios": options.hazard_ratios}
    found = [flag for flag, wanted in flags.items() if wanted]
    if options.interval != Options().interval:
        found.append(f"--interval={options.interval}")
    return [*found, *(f"--hide={key}" for key in sorted(options.hidden))]


class Doing:
    """The actions of the screen, on its opened run."""

    def __init__(self, view: ResultsView) -> None:
        self._view = view
        self.dialog: Dialog | None = None
        """The question that was asked last."""
        self.start_program: Callable[..., Any] = Program
        self.ask_file = ask_file

    def _do(self, command: str, values: Mapping[str, object], done: Callable[[Result], object]) -> None:
        def then(found: Result) -> None:
            done(found)
            self._view.refresh()

        self._view.context.bridge.call(command, values, of=self._view, done=then, failed=self._view.fail)

    def _say(self, words: str, tone: str = "positive") -> None:
        self._view.banners.show_only(Banner(tone, words, closed=lambda: self._view.banners.show_only()))

    # --- while it is open ---------------------------------------------------------------------------------------

    def remind(self) -> None:
        """Remind the sites that are waited for."""
        if (run := self._view.current) is not None:
            self._do("query.remind", {"id": run.id}, self._reminded)

    def _reminded(self, found: Result) -> None:
        reminded: Sequence[str] = [str(each) for each in found["reminded"]]
        words = text("ui.results.reminded", sites=names(reminded)) if reminded else text("ui.results.nobody_to_remind")
        self._say(words, "positive" if reminded else "info")

    def finish(self) -> None:
        """Close with those who have answered, after a yes."""
        if (run := self._view.current) is not None:
            words = text("ui.results.finish_words", count=run.decided, of=len(run.sites))
            values = {"id": run.id}
            self._confirm("finish", words, lambda: self._do("query.finish", values, lambda _found: None))

    def retry(self) -> None:
        """Have other sites open the result, instead of those that are waited for."""
        if (run := self._view.current) is not None:
            values = {"id": run.id, "without": list(run.awaited)}
            words = text("ui.results.retry_words", sites=names(run.awaited))
            self._confirm("retry", words, lambda: self._do("query.retry", values, lambda _found: None))

    def cancel(self) -> None:
        """End the run, after a yes."""
        if (run := self._view.current) is not None:
            values = {"id": run.id}
            words = text("ui.results.cancel_words")
            self._confirm("cancel", words, lambda: self._do("query.cancel", values, lambda _found: None), danger=True)

    def _confirm(self, what: str, words: str, then: Callable[[], object], *, danger: bool = False) -> None:
        title, answer = text(f"ui.results.{what}_title"), text(f"ui.results.{what}_now")
        self.dialog = confirm(self._view, title, words, answer=answer, danger=danger, then=then)

    def write(self, site: str = "") -> None:
        """Write to the sites asked, or to one of them."""
        run = self._view.current
        if run is None:
            return

        def send(words: str) -> None:
            values = {"id": run.id, "text": words, "site": site or None}
            self._do("query.note", values, lambda _found: announce(self._view, text("ui.results.sent_note")))

        title = text("ui.results.reply_to", site=site) if site else text("ui.results.write")
        said = text("ui.results.write_words")
        label, answer = text("ui.results.write_label"), text("ui.results.write_now")
        self.dialog = ask_text(self._view, title, said, label=label, answer=answer, then=send)

    # --- afterwards ---------------------------------------------------------------------------------------------

    def ask_again(self) -> None:
        """Ask the same of the same sites once more, after a yes."""
        if (run := self._view.current) is None:
            return
        values: dict[str, object] = {
            "text": run.text,
            "epsilon": run.epsilon,
            "sites": [each.name for each in run.sites],
            "minimum": run.minimum,
            "deadline": round(time.time() * 1000) + run.deadline - run.asked if run.deadline else 0,
            "purpose": run.purpose,
            "per_site": run.per_site,
            "wait": 0,
        }
        if run.asked_by:
            values |= {"person": run.asked_by, "project": run.project}

        def asked(found: Result) -> None:
            self._view.open(str(found.get("id", "")))

        said = text("ui.results.again_words", sites=names([each.name for each in run.sites]))
        self._confirm("again", said, lambda: self._do("query.run", values, asked))

    def export(self, kind: Kind) -> None:
        """Ask where to, and save there."""
        if (run := self._view.current) is not None and run.answer is not None:
            self.ask_file(self._view, run, kind, lambda path: self.save(run, kind, path))

    def save(self, run: Run, kind: Kind, path: Path) -> None:
        """Save, with the command line's own command in a process of its own; replacing was agreed to."""
        directory = self._view.context.bridge.directory
        command = ["query", "export", run.id, "--to", str(path), "--format", kind.format, "--replace"]
        command += ["--language", preferred_language(), "--profile", str(directory)]
        command += drawn_as(self._view.opened.twins.choosing.options)
        self._say(text("ui.results.saving"), "info")
        jobs = self._view.context.jobs
        job = Running(text("ui.results.saving_file", file=path.name), cancel=lambda: program.cancel())

        def done(_found: Mapping[str, Any]) -> None:
            jobs.end(job)
            show = (text("ui.results.show_folder"), lambda: self._show_folder(path.parent))
            closed = self._view.banners.show_only
            self._view.banners.show_only(
                Banner("positive", text("ui.results.saved"), str(path), action=show, closed=lambda: closed())
            )

        def failed(error: ConsiliumError) -> None:
            jobs.end(job)
            if error.code == "job.cancelled":
                self._view.banners.show_only()
            else:
                self._view.fail(error)

        jobs.begin(job)
        program = self.start_program(command, of=self._view, done=done, failed=failed)

    def _show_folder(self, folder: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
