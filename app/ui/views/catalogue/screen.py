"""The screen: a catalogue is looked at, edited, translated, compared, saved, and published to the federation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QSplitter, QStackedWidget, QTabBar, QWidget

from app.core.catalogue.model import Catalogue, Kind
from app.core.catalogue.writing import format_catalogue
from app.core.errors import ConsiliumError, UserError
from app.core.files import write_atomic
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.editing import Editing, Node, added, new_catalogue, new_group, new_variable, node, replaced, without
from app.ui.models.finding import Loader
from app.ui.views.catalogue.browser import Browser
from app.ui.views.catalogue.differences import DifferencesPage
from app.ui.views.catalogue.form import NodeForm
from app.ui.views.catalogue.properties import ask_properties
from app.ui.views.catalogue.translations import TranslationsPage
from app.ui.views.catalogue.versions import VersionsPage
from app.ui.views.view import View
from app.ui.widgets.buttons import PRIMARY, Button, IconButton, menu_button
from app.ui.widgets.dialogs import confirm
from app.ui.widgets.feedback import Banner, EmptyState
from app.ui.widgets.layout import column, frame, header, row, scrolling

_TREE = 320
_WIDEST = 820
_TABS = ("variables", "translations", "differences", "versions")
_FILES = "(*.toml)"


class CatalogueView(View):
    """The catalogue editor."""

    name: ClassVar[str] = "catalogue"
    rail: ClassVar[str] = "data"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.editing = Editing(context.preferences.directory / "catalogue.draft", self)
        self.browser = Browser(self._add, self._remove)
        self.form = NodeForm(self._take)
        self.translations = TranslationsPage(self.editing, self._show_wrong)
        self.differences = DifferencesPage(self.editing, self._load)
        self.versions = VersionsPage(context)
        self._loader = Loader(self)
        self._chosen = ""
        self._in_force: Catalogue | None = None
        self._make_header()
        self._make_body()
        self.browser.chosen.connect(self._choose)
        self.editing.changed.connect(self._show)
        for keys, do in (
            (QKeySequence.StandardKey.Undo, self.editing.undo_stack.undo),
            (QKeySequence.StandardKey.Redo, self.editing.undo_stack.redo),
            (QKeySequence.StandardKey.Save, self._save),
            (QKeySequence.StandardKey.Open, self._choose_file),
        ):
            QShortcut(
                QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut
            ).activated.connect(do)
        if self.editing.restore_draft():
            self.banners.show_only(Banner("info", text("ui.catalogue.restored"), closed=self.banners.show_only))
        self._show()

    # --- making it ----------------------------------------------------------------------------------------------

    def _make_header(self) -> None:
        stack = self.editing.undo_stack
        self._undo = IconButton("undo", text("ui.catalogue.undo"), pressed=stack.undo)
        self._redo = IconButton("redo", text("ui.catalogue.redo"), pressed=stack.redo)
        self._name = Button("", "link", pressed=self._properties)
        self._open = Button(text("ui.catalogue.open"), icon_name="folder")
        menu_button(
            self._open,
            [
                (text("ui.catalogue.open_file"), "file", self._choose_file),
                (text("ui.catalogue.open_federation"), "federation", self._open_federation),
                None,
                (text("ui.catalogue.new"), "plus", self._new),
            ],
        )
        self._publish_button = Button(text("ui.catalogue.publish"), pressed=self._publish)
        self._save_button = Button(text("ui.catalogue.save"), PRIMARY, pressed=self._save)
        back = Button(text("ui.rail.data"), "link", pressed=lambda: self.context.navigate("data"))
        self.page.addWidget(
            header(
                text("ui.catalogue.title"),
                "",
                back,
                self._name,
                self._undo,
                self._redo,
                self._open,
                self._publish_button,
                self._save_button,
            )
        )

    def _make_body(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName(text("ui.catalogue.tabs"))
        self.tabs.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for each in _TABS:
            self.tabs.addTab(text(f"ui.catalogue.tab.{each}"))
        self._pages = QStackedWidget()
        for page in (self._variables_page(), self.translations, self.differences, self.versions):
            self._pages.addWidget(page)
        self.tabs.currentChanged.connect(self._pages.setCurrentIndex)
        top = QWidget()
        top.setLayout(column(self.banners, row(self.tabs, None), gap=8, margins=(24, 10, 24, 0)))
        whole = QWidget()
        inside = column(top, self._pages, gap=0)
        inside.setStretchFactor(self._pages, 1)
        whole.setLayout(inside)
        self._stack = QStackedWidget()
        nothing = EmptyState(
            "layers",
            text("ui.catalogue.none"),
            text("ui.catalogue.none_words"),
            action=(text("ui.catalogue.new"), self._new),
        )
        for page in (nothing, whole):
            self._stack.addWidget(page)
        self.page.addWidget(self._stack, 1)

    def _variables_page(self) -> QWidget:
        left = frame("pane", column(self.browser, gap=0))
        holder = QWidget()
        self.form.setMaximumWidth(_WIDEST)
        layout = QHBoxLayout(holder)
        layout.setContentsMargins(24, 18, 24, 24)
        layout.addWidget(self.form, 8)
        layout.addStretch(1)
        self._right = QStackedWidget()
        words = EmptyState("edit", text("ui.catalogue.choose"), text("ui.catalogue.choose_words"))
        for page in (words, scrolling(column(holder, gap=0))):
            self._right.addWidget(page)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(self._right)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_TREE, 1280 - _TREE])
        split.restoreState(self.context.preferences.state("catalogue"))
        split.splitterMoved.connect(lambda *_: self.context.preferences.remember("catalogue", split.saveState()))
        return split

    # --- showing ------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the federation's catalogue: it is what one begins from and compares with."""
        self.versions.refresh()
        if self.context.standing.overview.ready:
            self.context.bridge.call("catalogue.show", {"have": b""}, of=self, done=self._take_federation)

    def _take_federation(self, found: Result) -> None:
        if found["catalogue"]:
            self._in_force = Catalogue.from_cbor(found["catalogue"])
            self.differences.offer(self._in_force)
            self._show()
            if self.editing.catalogue is None:
                self.editing.begin(self._in_force, None)

    def _show(self) -> None:
        catalogue, stack = self.editing.catalogue, self.editing.undo_stack
        self._undo.setEnabled(stack.canUndo())
        self._redo.setEnabled(stack.canRedo())
        self._name.setVisible(catalogue is not None)
        self._save_button.setVisible(catalogue is not None)
        self._publish_button.setVisible(catalogue is not None and self._in_force is not None)
        self._stack.setCurrentIndex(0 if catalogue is None else 1)
        if catalogue is None:
            return
        mark = "" if self.editing.saved else " •"
        self._name.setText(text("ui.catalogue.named", name=catalogue.name, version=catalogue.version) + mark)
        self.browser.show_catalogue(catalogue, b"")
        self._show_chosen()

    def _choose(self, code: str) -> None:
        self._chosen = code
        self._show_chosen()

    def _show_chosen(self) -> None:
        found = None if self.editing.catalogue is None else node(self.editing.catalogue, self._chosen)
        self._right.setCurrentIndex(0 if found is None else 1)
        if found is not None:
            self.form.show_node(found)

    def _show_wrong(self, error: ConsiliumError) -> None:
        self.banners.show_error(error)

    # --- changes ------------------------------------------------------------------------------------------------

    def _take(self, code: str, new: Node) -> None:
        self._chosen = new.code  # before the change is shown
        try:
            self.editing.do(lambda catalogue: replaced(catalogue, code, new), text("ui.catalogue.did.edit"))
        except UserError:
            self._chosen = code
            raise
        self.browser.select(new.code)

    def _add(self, kind: Kind | None) -> None:
        catalogue = self.editing.catalogue
        if catalogue is None:
            return
        above = node(catalogue, self._chosen)
        parents = () if above is None else above.parents if catalogue.find(above.code) else (above.code,)
        new: Node = (
            new_group(catalogue, text("ui.catalogue.new_group"), parents)
            if kind is None
            else new_variable(catalogue, kind, text("ui.catalogue.new_variable"), text("ui.catalogue.level"), parents)
        )
        self.editing.do(lambda catalogue: added(catalogue, new), text("ui.catalogue.did.add"))
        self.browser.search.clear()
        self.browser.select(new.code)
        self.form.setFocus()

    def _remove(self, codes: list[str]) -> None:
        catalogue = self.editing.catalogue
        if catalogue is None or not codes:
            return
        try:
            self.editing.do(lambda catalogue: without(catalogue, codes), text("ui.catalogue.did.remove"))
        except UserError as error:  # the last variable
            self._show_wrong(error)

    def _properties(self) -> None:
        if self.editing.catalogue is not None:
            ask_properties(self, self.editing)

    # --- files --------------------------------------------------------------------------------------------------

    def open(self, argument: object = None) -> None:
        """Open the catalogue file at this path, or a tab."""
        if argument in _TABS:
            self.tabs.setCurrentIndex(_TABS.index(str(argument)))
        elif argument:
            self._open_path(Path(str(argument)))

    def _open_path(self, path: Path) -> None:
        self._load(path, lambda found: self._begin(found, path))

    def _load(self, path: Path, done: Callable[[Catalogue], object]) -> None:
        self._loader.load_file(path, done, self._show_wrong)

    def _begin(self, catalogue: Catalogue, file: Path | None) -> None:
        """Edit another catalogue, after a question if that loses something."""

        def begin() -> None:
            self.banners.show_only()
            self._chosen = ""
            self.editing.begin(catalogue, file)

        if self.editing.catalogue is None or self.editing.saved or not self.editing.undo_stack.count():
            begin()
        else:
            title, words = text("ui.catalogue.lose_title"), text("ui.catalogue.lose_words")
            confirm(self, title, words, answer=text("ui.catalogue.lose"), danger=True, then=begin)

    def _choose_file(self) -> None:
        found, _ = QFileDialog.getOpenFileName(
            self, text("ui.catalogue.open_file"), "", f"{text('ui.catalogue.files')} {_FILES}"
        )
        if found:
            self._open_path(Path(found))

    def _open_federation(self) -> None:
        if self._in_force is None:
            self.banners.show_only(Banner("info", text("ui.catalogue.no_federation"), closed=self.banners.show_only))
        else:
            self._begin(self._in_force, None)

    def _new(self) -> None:
        self._begin(new_catalogue(text("ui.catalogue.new_name"), text("ui.catalogue.new_variable")), None)

    def _save(self) -> None:
        catalogue = self.editing.catalogue
        if catalogue is None:
            return
        suggested = self.editing.file or Path(f"{catalogue.name} {catalogue.version}.toml")
        found, _ = QFileDialog.getSaveFileName(
            self, text("ui.catalogue.save"), str(suggested), f"{text('ui.catalogue.files')} {_FILES}"
        )
        if found:
            self.save_as(Path(found))

    def _publish(self) -> None:
        if self.editing.file is None or not self.editing.saved:
            self.banners.show_only(Banner("info", text("ui.catalogue.save_first"), closed=self.banners.show_only))
            return
        self.tabs.setCurrentIndex(_TABS.index("versions"))
        self.versions.publish(self.editing.file.absolute())

    def save_as(self, path: Path) -> None:
        """Write the catalogue to ``path``."""
        catalogue = self.editing.catalogue
        if catalogue is None:
            return
        try:
            write_atomic(path, format_catalogue(catalogue).encode())
        except ConsiliumError as error:
            self._show_wrong(error)
            return
        self.editing.is_saved_as(path)
        words = text("ui.catalogue.saved_words")
        self.banners.show_only(
            Banner("positive", text("ui.catalogue.saved", file=path.name), words, closed=self.banners.show_only)
        )
