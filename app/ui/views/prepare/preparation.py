"""A dataset being prepared: what was decided and found so far, and the commands that do the work.

Everything heavy is a command of this program in a process of its own; whoever shows something of it listens to
``changed``. What is decided is kept at once, so that nothing is lost when the window closes or the computer stops.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.core.errors import ConsiliumError
from app.core.jobs.job import Progress
from app.core.preparation.mapping_text import mapping_text
from app.texts import text
from app.ui.jobs import Jobs, Running
from app.ui.models import preparing_mapping as editing
from app.ui.models.history import History
from app.ui.models.preparing import CERTAIN, Found
from app.ui.models.preparing_check import Checked, Depth, Sealed
from app.ui.models.preparing_draft import Draft, Drawer
from app.ui.models.preparing_federation import Federation, read_federation
from app.ui.programs import Program

Done = Callable[[Mapping[str, Any]], object]
_CANCELLED = "job.cancelled"


class Preparation(QObject):
    """The state of the wizard."""

    changed = Signal()
    """Something is otherwise than before."""
    moved = Signal()
    """A command under way has come further."""
    failed = Signal(object)

    def __init__(
        self,
        drawer: Drawer,
        jobs: Jobs | None = None,
        *,
        run: Callable[..., Any] = Program,
        read_federation: Callable[..., Any] = read_federation,
    ) -> None:
        """``run`` runs a command of this program in its own process, ``read_federation`` reads public files; tests
        give others."""
        super().__init__()
        self.drawer, self._jobs, self._run, self._read_federation = drawer, jobs, run, read_federation
        self.draft = drawer.load()
        self.history = History[dict[str, Any]](_parsed(self.draft.mapping), self)
        self.history.changed.connect(self._mapping_changed)
        self.federation: Federation | None = None
        self.found: Found | None = None
        self.checked: Checked | None = None
        self.fresh = False
        """Whether ``checked`` is about the mapping as it stands."""
        self.depths: tuple[Depth, ...] = ()
        self.sealed: Sealed | None = None
        self.changes: tuple[tuple[str, str], ...] = ()
        """What is otherwise than in the mapping that was taken up again: (code, words)."""
        self.doing = ""
        """What is under way: ``federation``, ``map``, ``check``, ``export``, ``choices``, ``prepare``, or nothing."""
        self.progress: Progress | None = None
        self.passphrase, self.key_passphrase = "", ""
        """Of the file for re-contact, and of the preparer's key where there is no keyring; kept nowhere but here."""
        self.needs_key_passphrase = False
        """Whether this computer has no keyring that could keep the preparer's key."""
        self._program: Any = None

    # --- what was decided -------------------------------------------------------------------------------------

    @property
    def mapping(self) -> dict[str, Any]:
        """The mapping as it stands; never changed in place."""
        return self.history.value

    def decide(self, **changes: Any) -> None:
        """Note decisions, and keep them."""
        self._keep(replace(self.draft, **changes))
        self.changed.emit()

    def edit(self, mapping: Mapping[str, Any], words: str, *, merging: str = "") -> None:
        """Change the mapping; ``words`` say what was done, for undoing it."""
        self.history.apply(dict(mapping), words, merging=merging)

    def map_variable(self, code: str, how: Mapping[str, Any] | None, *, merging: str = "") -> None:
        """Say where a variable's values come from; None leaves it out."""
        self.edit(
            editing.with_variable(self.mapping, code, how), text("ui.prepare.undo.map", code=code), merging=merging
        )

    def confirm(self, key: str, wanted: bool) -> None:
        """Note that a column which names people may be used, or may not."""
        others = tuple(each for each in self.draft.confirmed if each != key)
        self.decide(confirmed=(*others, key) if wanted else others)

    def start_over(self) -> None:
        """Forget everything of this dataset; files stay where they are."""
        self.cancel()
        self.drawer.clear()
        self.draft = Draft()
        self.history.begin(editing.empty(""))
        self.found = self.checked = self.sealed = self.federation = None
        self.depths, self.changes, self.fresh = (), (), False
        self.changed.emit()

    def _keep(self, draft: Draft) -> None:
        self.draft = draft
        try:
            self.drawer.save(draft)
        except ConsiliumError as error:
            self.failed.emit(error)

    def _mapping_changed(self) -> None:
        self.fresh = False
        self._keep(replace(self.draft, mapping=mapping_text(self.mapping)))
        self.changed.emit()

    # --- the federation ---------------------------------------------------------------------------------------

    def choose_federation(self, file: str, *, own: bool = False) -> None:
        """Prepare for the federation of this public file."""

        def done(found: Federation) -> None:
            self._end()
            self.federation = found
            site = self.draft.site if self.draft.site in found.sites else ""
            if not site and len(found.sites) == 1:
                site = found.sites[0]
            self._keep(replace(self.draft, federation=file, own=own, site=site))
            self.changed.emit()
            if self.found is None and self.mapping.get("sources"):
                self.read()  # what was left by an earlier window

        self._begin("federation")
        self._read_federation(file, of=self, done=done, failed=self._refused)

    def choose_site(self, site: str) -> None:
        """Prepare for this site of the federation."""
        self._keep(replace(self.draft, site=site))
        self.history.begin(editing.with_top(self.mapping, "site", site))
        self._mapping_changed()

    # --- files ------------------------------------------------------------------------------------------------

    def read(self, added: Sequence[str] = (), *, replaced: Mapping[str, str] | None = None, base: str = "") -> None:
        """Read the files of the mapping, and the ``added`` ones; ``replaced`` are new files by the source's name.

        ``base`` is an earlier mapping to take up again.
        """
        sources = [*added, *(f"{name}={path}" for name, path in (replaced or {}).items())]
        begun = base or (str(self.drawer.mapping) if self.mapping.get("sources") else "")
        command = ["data", "map", *(word for each in sources for word in ("--source", each)), *self._for_federation()]
        if self.draft.site:
            command += ["--site", self.draft.site]
        if begun:
            command += ["--base", begun]

        def done(plain: Mapping[str, Any]) -> None:
            self._take(Found.from_plain(plain), again=bool(base))

        if base:
            self._keep(replace(self.draft, mapping_file=base, confirmed=()))
        self._command("map", command, done)

    def _take(self, found: Found, *, again: bool) -> None:
        """Take over what was found: what was mapped before, and suggestions that are certain."""
        earlier = found.mapping if again else self.mapping
        before, left_out = earlier.get("variables", {}), earlier.get("leave_out", ())
        variables = {}
        for each in found.variables:
            best = each.suggestions[0] if each.suggestions else None
            if best is None or each.code in left_out:
                continue
            if each.code in before or best.confidence >= CERTAIN:
                variables[each.code] = dict(best.how)
        self.found = found
        self.changes = found.changes if again else self.changes
        self.history.begin({**found.mapping, "sources": _sources_of(found), "variables": variables})
        self._mapping_changed()

    def set_reading(self, source: str, name: str, value: Any) -> None:
        """Read a source in another way; None finds it out again."""
        self.edit(
            editing.with_setting(self.mapping, source, name, value), text("ui.prepare.undo.reading", source=source)
        )
        self.read()

    def remove_source(self, source: str) -> None:
        """Use the files of a source no longer."""
        self.history.begin(editing.without_source(self.mapping, source))
        self._mapping_changed()
        if self.mapping.get("sources"):
            self.read()
        else:
            self.found = None
            self.changed.emit()

    # --- dry run, choices, sealing ----------------------------------------------------------------------------

    def check(self, problems: str = "") -> None:
        """Do a dry run; ``problems`` is a CSV file for all of its problems."""

        def done(plain: Mapping[str, Any]) -> None:
            self.checked, self.fresh = Checked.from_plain(plain), True
            self.decide(skip_bad_rows=self.checked.refused_rows > 0)

        more = ["--problems", problems] if problems else []
        self._command("export" if problems else "check", ["data", "check", *self._prepared(), *more], done)

    def ask_depths(self) -> None:
        """Ask what the depths to choose from come to."""

        def done(plain: Mapping[str, Any]) -> None:
            self.depths = tuple(map(Depth.from_plain, plain["choices"]))
            wanted = next((each.residues for each in self.depths if each.recommended), 0)
            if self.draft.residues not in [each.residues for each in self.depths]:
                self._keep(replace(self.draft, residues=wanted))
            self.changed.emit()

        self._command("choices", ["data", "choices", *self._prepared(confirmed=False)], done)

    def seal(self, *, restart: bool = False) -> None:
        """Seal; an interrupted sealing goes on where it stopped unless it shall ``restart``."""
        draft = self.draft
        command = ["data", "prepare", *self._prepared(), "--output", draft.output]
        command += ["--residues", str(draft.residues)] if draft.residues else []
        command += ["--skip-bad-rows"] if draft.skip_bad_rows else []
        command += ["--restart"] if restart else []
        secrets = []
        if self.key_passphrase:
            command += ["--passphrase-file", "-"]
            secrets.append(self.key_passphrase)
        if draft.recontact:
            command += ["--recontact", draft.recontact, "--recontact-passphrase-file", "-"]
            secrets.append(self.passphrase)

        def done(plain: Mapping[str, Any]) -> None:
            self.sealed, self.passphrase, self.key_passphrase = Sealed.from_plain(plain), "", ""
            self._keep(replace(self.draft, sealing=False))
            self.changed.emit()

        self._keep(replace(draft, sealing=True))
        title = text("ui.prepare.job", file=Path(draft.output).name)
        written = "".join(f"{each}\n" for each in secrets)
        self._command("prepare", command, done, title=title, standard_input=written.encode())

    def cancel(self) -> None:
        """Stop what is under way."""
        if self._program is not None:
            self._program.cancel()

    def _for_federation(self) -> list[str]:
        return ["--federation", self.draft.federation]

    def _prepared(self, *, confirmed: bool = True) -> list[str]:
        keys = self.draft.confirmed if confirmed else ()
        confirmations = [word for key in keys for word in ("--confirm", key)]
        return ["--mapping", str(self.drawer.mapping), *self._for_federation(), *confirmations]

    # --- commands ---------------------------------------------------------------------------------------------

    def _command(
        self, name: str, command: list[str], done: Done, *, title: str = "", standard_input: bytes = b""
    ) -> None:
        """Run one command after the other: a second one waits for nobody, it takes the place of the first."""
        self.cancel()
        job = Running(title, self.cancel)

        def ended() -> bool:
            """Whether this is still the command that the wizard waits for."""
            if title and self._jobs is not None:
                self._jobs.end(job)
            return self._program is program or program is None

        def finished(plain: Mapping[str, Any]) -> None:
            if ended():
                self._end()
                done(plain)

        def refused(error: ConsiliumError) -> None:
            if ended():
                self._refused(error)

        def heard(progress: Progress) -> None:
            self.progress = progress
            if title and self._jobs is not None:
                self._jobs.report(job, progress)
            self.moved.emit()

        self._begin(name)
        if title and self._jobs is not None:
            self._jobs.begin(job)
        program = self._program = None
        program = self._run(
            command, of=self, done=finished, failed=refused, progress=heard, standard_input=standard_input
        )
        if self.doing == name:  # it has not ended yet
            self._program = program

    def _begin(self, name: str) -> None:
        self.doing, self.progress = name, None
        self.changed.emit()

    def _end(self) -> None:
        self.doing, self.progress, self._program = "", None, None

    def _refused(self, error: ConsiliumError) -> None:
        if self.doing == "prepare" and error.code.startswith("keyring."):
            self.needs_key_passphrase = True
        self._end()
        self.changed.emit()
        if error.code != _CANCELLED:
            self.failed.emit(error)


def _sources_of(found: Found) -> dict[str, Any]:
    """Return the mapping's sources with absolute paths, as the draft lies elsewhere than the files, and without what
    is found out anew each time."""
    sources = {}
    for source in found.sources:
        said = found.mapping.get("sources", {}).get(source.name, {})
        kept = {name: value for name, value in said.items() if name == "format" or name not in source.found_out}
        sources[source.name] = {**kept, "files": [str(Path(file).absolute()) for file in source.files]}
    return sources


def _parsed(mapping: str) -> dict[str, Any]:
    try:
        return tomllib.loads(mapping) if mapping else editing.empty("")
    except tomllib.TOMLDecodeError:  # nobody but this program writes the draft
        return editing.empty("")
