"""A catalogue being edited: always valid, every change can be undone, and none is lost when the program ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.core import codec
from app.core.catalogue.model import MAX_BYTES, Catalogue, Group, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.errors import ConsiliumError
from app.core.fields import Fields
from app.core.files import read_limited, write_atomic

Node = Variable | Group
_Named = TypeVar("_Named", Variable, Group)
_DRAFT_MS = 800
_FORMAT = "consilium-catalogue-draft"


class Editing(QObject):
    """The catalogue, the file that it came from, and what was done to it since.

    Undo works on whole catalogues: they are immutable and share their variables.
    """

    changed = Signal()

    def __init__(self, draft: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalogue: Catalogue | None = None
        self.file: Path | None = None
        self.undo_stack = QUndoStack(self)
        self.undo_stack.cleanChanged.connect(self._tell)
        self._draft = draft
        self._timer = QTimer(self, singleShot=True, interval=_DRAFT_MS)
        self._timer.timeout.connect(self.keep_draft)

    def _tell(self) -> None:  # not a lambda: it goes with this object, before the stack does
        self.changed.emit()

    @property
    def saved(self) -> bool:
        """Whether the file says what is shown."""
        return self.undo_stack.isClean()

    def begin(self, catalogue: Catalogue, file: Path | None) -> None:
        """Edit another catalogue; what was edited until now is forgotten."""
        self.undo_stack.clear()
        self.catalogue, self.file = catalogue, file
        if file is None:
            self.undo_stack.resetClean()
        self.changed.emit()

    def is_saved_as(self, file: Path) -> None:
        """Note that the catalogue was written to ``file``; the draft has served."""
        self.file = file
        self.undo_stack.setClean()
        self._timer.stop()
        self._draft.unlink(missing_ok=True)
        self.changed.emit()

    # --- drafts -----------------------------------------------------------------------------------------------

    def keep_draft(self) -> None:
        """Keep what was not saved where it outlives the program; raises nothing: a draft is a convenience."""
        if self.catalogue is None or self.saved:
            return
        plain = {"format": _FORMAT, "version": 1, "file": str(self.file or ""), "catalogue": self.catalogue.to_cbor()}
        try:
            self._draft.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._draft, codec.encode(plain))
        except (ConsiliumError, OSError):
            self._timer.start(10 * _DRAFT_MS)

    def restore_draft(self) -> bool:
        """Go on with what an earlier run did not save; return whether there was anything."""
        if not self._draft.is_file():
            return False
        try:
            data = read_limited(self._draft, MAX_BYTES + 4096)
            fields = Fields.decode(data, MAX_BYTES + 4096, "catalogue.malformed")
            if fields.text("format", 64) != _FORMAT or fields.number("version", 1, 1) != 1:
                return False
            file, catalogue = str(fields.any("file")), Catalogue.from_cbor(fields.bytes("catalogue", 1, MAX_BYTES))
            fields.done()
        except ConsiliumError:
            return False  # written by another version, or damaged
        self.begin(catalogue, Path(file) if file else None)
        self.undo_stack.resetClean()
        self.changed.emit()
        return True

    # --- changes ----------------------------------------------------------------------------------------------

    def do(self, change: Callable[[Catalogue], Catalogue], words: str) -> None:
        """Make a change that undo calls ``words``. Raises UserError ``catalogue.*`` if its result would be invalid."""
        if self.catalogue is not None and (changed := change(self.catalogue)) != self.catalogue:
            self.undo_stack.push(_Change(self, self.catalogue, changed, words))

    def show(self, catalogue: Catalogue) -> None:
        """Take over what a step of undo or redo makes of it."""
        self.catalogue = catalogue
        self._timer.start()
        self.changed.emit()


class _Change(QUndoCommand):
    def __init__(self, editing: Editing, before: Catalogue, after: Catalogue, words: str) -> None:
        super().__init__(words)
        self._editing, self._before, self._after = editing, before, after

    def redo(self) -> None:
        self._editing.show(self._after)

    def undo(self) -> None:
        self._editing.show(self._before)


def nodes(catalogue: Catalogue) -> tuple[Node, ...]:
    """Return the groups and the variables."""
    return (*catalogue.groups, *catalogue.variables)


def node(catalogue: Catalogue, code: str) -> Node | None:
    """Return the variable or group with a code."""
    return catalogue.find(code) or catalogue.group(code)


def added(catalogue: Catalogue, new: Node) -> Catalogue:
    """Return the catalogue with one more variable or group at its end."""
    if isinstance(new, Group):
        return replace(catalogue, groups=(*catalogue.groups, new))
    return replace(catalogue, variables=(*catalogue.variables, new))


def replaced(catalogue: Catalogue, code: str, new: Node) -> Catalogue:
    """Return the catalogue with ``new`` instead of the variable or group ``code``; what hung under it still does."""

    def each(old: _Named) -> _Named:
        if old.code == code:
            return new  # type: ignore[return-value]  # a variable for a variable, a group for a group
        if code != new.code and code in old.parents:
            return replace(old, parents=tuple(new.code if each == code else each for each in old.parents))
        return old

    return replace(
        catalogue, variables=tuple(map(each, catalogue.variables)), groups=tuple(map(each, catalogue.groups))
    )


def without(catalogue: Catalogue, codes: Collection[str]) -> Catalogue:
    """Return the catalogue without these; what hung under them hangs where they hung."""
    above = {each.code: each.parents for each in nodes(catalogue) if each.code in codes}

    def parents(found: Iterable[str]) -> tuple[str, ...]:
        kept: dict[str, None] = {}
        for each in found:
            kept.update(dict.fromkeys(parents(above[each]) if each in above else (each,)))
        return tuple(kept)

    def moved(old: _Named) -> _Named:
        return old if above.keys().isdisjoint(old.parents) else replace(old, parents=parents(old.parents))

    return replace(
        catalogue,
        variables=tuple(moved(each) for each in catalogue.variables if each.code not in above),
        groups=tuple(moved(each) for each in catalogue.groups if each.code not in above),
    )


def new_variable(catalogue: Catalogue, kind: Kind, label: str, level: str, parents: tuple[str, ...]) -> Variable:
    """Return a variable of a kind to begin with: valid, with a code that is free, and words that wait to be changed."""
    code = _free(catalogue, kind.value)
    plain = Variable(code, Kind.FLAG, Label(label), parents=parents)
    match kind:
        case Kind.FLAG:
            return plain
        case Kind.CATEGORY:
            levels = tuple(Level(str(place), Label(f"{level} {place}")) for place in (1, 2))
            return replace(plain, kind=kind, levels=levels)
        case Kind.NUMBER:
            return replace(plain, kind=kind, cut_points=tuple(map(Decimal, (10, 20, 30))))
        case Kind.DATE:
            return replace(plain, kind=kind, calendar=Calendar(Granularity.MONTH, date(2015, 1, 1), date(2030, 12, 1)))
        case Kind.EVENT | Kind.SURVIVAL:
            return replace(plain, kind=kind, periods=Periods(Decimal("30.4375"), 60))


def new_catalogue(name: str, label: str) -> Catalogue:
    """Return a catalogue to begin with; one without any variable could not be."""
    return Catalogue(name, 1, (Variable(f"{Kind.FLAG.value}-1", Kind.FLAG, Label(label)),))


def new_group(catalogue: Catalogue, label: str, parents: tuple[str, ...]) -> Group:
    """Return a group to begin with."""
    return Group(_free(catalogue, "group"), Label(label), parents)


def _free(catalogue: Catalogue, stem: str) -> str:
    taken = {each.code for each in nodes(catalogue)}
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
