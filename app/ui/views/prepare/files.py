"""The first step: for which federation, and from which files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QWidget

from app.texts import text
from app.ui.locale import number
from app.ui.preferences import Preferences
from app.ui.theme import set_role
from app.ui.tokens import PANE, Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.remembered import remembered, words_of
from app.ui.views.prepare.source_card import SourceCard
from app.ui.views.prepare.step import MARGINS, Step, Working
from app.ui.widgets.buttons import PRIMARY, Button, menu_button
from app.ui.widgets.feedback import Icon
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import card, clear, column, row, scrolling
from app.ui.widgets.text import ElidedLabel, Label

if TYPE_CHECKING:
    from app.ui.views.prepare.wizard import Surroundings


class FilesStep(Step):
    """Files."""

    name: ClassVar[str] = "files"

    def __init__(self, preparation: Preparation, preferences: Preferences, around: Surroundings) -> None:
        super().__init__(preparation)
        self._preferences, self._around = preferences, around
        self._own, self._own_site = "", ""
        self._shown: object = None
        self._site_shown: object = None
        self._make_federation()
        self.drop = DropZone(self._add, self._choose_files, self._choose_folder)
        self._again = Button(text("ui.prepare.use_again"), icon_name="clock", size="small")
        self._again_words = Label(text("ui.prepare.use_again_words"), Style.SMALL, "text2", wrap=True)
        self._again_row = QWidget()
        again = row(self._again, self._again_words, gap=10)
        again.setStretch(1, 1)
        self._again_row.setLayout(again)
        self._working = Working(preparation)
        self._cards = column(gap=10)
        title = Label(text("ui.prepare.files.title"), Style.TITLE)
        words = Label(text("ui.prepare.files.words"), Style.BODY, "text2", wrap=True)
        inside = column(
            column(title, words, gap=2),
            self._federation_card,
            self.drop,
            self._again_row,
            self._working,
            self._cards,
            None,
            gap=12,
            margins=MARGINS,
        )
        self.setLayout(column(scrolling(inside), gap=0))

    def _make_federation(self) -> None:
        self._federation = ElidedLabel("", Style.STRONG)
        self._catalogue = Label("", Style.SMALL, "text2", wrap=True)
        self._site_holder = column(gap=0)
        self.own_button = Button("", PRIMARY, size="small", pressed=self._use_own)
        self.choose_button = Button(
            text("ui.prepare.choose_federation"), icon_name="folder", size="small", pressed=self._choose_federation
        )
        words = column(self._federation, self._catalogue, gap=2)
        top = row(Icon("federation", 20, "acc"), words, self._site_holder, self.own_button, self.choose_button, gap=12)
        top.setStretch(1, 1)
        self._federation_card = card(top, padding=PANE)

    # --- the federation ---------------------------------------------------------------------------------------

    def offer_own(self, federation: str, site: str) -> None:
        """Offer this computer's own federation."""
        self._own, self._own_site = federation, site
        if federation and not self.preparation.draft.federation and self.isVisible():
            self._use_own()
        self.show_state()

    def entered(self) -> None:
        """Take the federation of this computer, if there is one and no other was chosen."""
        if self._own and not self.preparation.draft.federation and not self.preparation.doing:
            self._use_own()

    def _use_own(self) -> None:
        if self._around.own_federation is not None:
            if self._own_site and not self.preparation.draft.site:
                self.preparation.decide(site=self._own_site)
            self._around.own_federation()

    def _choose_federation(self) -> None:
        kinds = f"{text('ui.prepare.public_files')} (*.public);;{text('ui.prepare.all_files')} (*)"
        found, _ = QFileDialog.getOpenFileName(self, text("ui.prepare.choose_federation"), "", kinds)
        if found:
            self.preparation.choose_federation(found)

    def _show_federation(self) -> None:
        federation, draft = self.preparation.federation, self.preparation.draft
        if federation is None:
            self._federation.set_whole(text("ui.prepare.which_federation"))
            self._catalogue.setText(text("ui.prepare.which_federation_words"))
        else:
            self._federation.set_whole(federation.name)
            catalogue = federation.catalogue
            self._catalogue.setText(
                text("ui.prepare.catalogue", name=catalogue.name, count=number(len(catalogue.variables)))
            )
        self.own_button.setText(text("ui.prepare.use_own", federation=self._own).replace("&", "&&"))
        self.own_button.setVisible(bool(self._own) and federation is None)
        self.choose_button.setText(text("ui.prepare.choose_federation" if federation is None else "ui.prepare.another"))
        shown = (federation, draft.site)
        if shown == self._site_shown:
            return
        self._site_shown = shown
        clear(self._site_holder)
        if federation is not None:
            sites = [(site, site) for site in federation.sites]
            if not draft.site:
                sites.insert(0, ("", text("ui.prepare.which_site")))
            site = Choice(text("ui.prepare.site"), sites)
            site.set_value(draft.site)
            site.chosen.connect(self.preparation.choose_site)
            self._site_holder.addWidget(site)

    # --- files ------------------------------------------------------------------------------------------------

    def _choose_files(self) -> None:
        found, _ = QFileDialog.getOpenFileNames(self, text("ui.prepare.choose_files"))
        self._add(found)

    def _choose_folder(self) -> None:
        found = QFileDialog.getExistingDirectory(self, text("ui.prepare.choose_folder"))
        self._add([found] if found else [])

    def _add(self, files: Sequence[str]) -> None:
        if files and not self._obstacle_before_files():
            self.preparation.read(list(files))

    def _obstacle_before_files(self) -> str:
        if self.preparation.federation is None:
            return text("ui.prepare.federation_first")
        return "" if self.preparation.draft.site else text("ui.prepare.site_first")

    def _take_up(self, mapping: str) -> None:
        self.preparation.read(base=mapping)

    def _choose_mapping(self) -> None:
        kinds = f"{text('ui.prepare.mapping_files')} (*.toml)"
        found, _ = QFileDialog.getOpenFileName(self, text("ui.prepare.use_again"), "", kinds)
        if found:
            self._take_up(found)

    def _show_again(self) -> None:
        entries: list[tuple[str, str, Callable[[], object]] | None] = [
            (words_of(path), "clock", partial(self._take_up, path)) for path in remembered(self._preferences)
        ]
        entries += [None] if entries else []
        entries.append((text("ui.prepare.another_mapping"), "folder", self._choose_mapping))
        if (before := self._again.menu()) is not None:
            before.deleteLater()
        menu_button(self._again, entries)

    # --- showing ----------------------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Show the federation and the sources."""
        preparation = self.preparation
        found, busy = preparation.found, bool(preparation.doing)
        self._show_federation()
        obstacle = self._obstacle_before_files()
        self.drop.forbid(obstacle if not busy else text("ui.prepare.working"))
        self.drop.set_small(found is not None)
        self._working.show_state("federation", "map")
        first = found is None and not preparation.mapping.get("sources")
        self._again_row.setVisible(first and not obstacle and not busy)
        if first and not obstacle:
            self._show_again()
        shown = (found, busy)
        if shown == self._shown:
            return
        self._shown = shown
        clear(self._cards)
        for source in found.sources if found is not None else ():
            self._cards.addWidget(SourceCard(source, preparation, enabled=not busy))

    def count(self) -> str:
        """How many files there are."""
        found = self.preparation.found
        return "" if found is None else text("ui.prepare.count.files", count=len(found.used_files()))

    def obstacle(self) -> str:
        """Why one cannot go on yet."""
        if obstacle := self._obstacle_before_files():
            return obstacle
        if self.preparation.doing in ("map", "federation"):
            return text("ui.prepare.working")
        found = self.preparation.found
        return "" if found is not None and found.sources else text("ui.prepare.files_first")

    def note(self) -> str:
        """What was found."""
        found = self.preparation.found
        rows = sum(source.rows for source in found.sources) if found is not None else 0
        return text("ui.prepare.files.note", rows=number(rows))


class DropZone(QFrame):
    """Where files and folders are dropped, with the buttons that do the same."""

    def __init__(
        self,
        add: Callable[[list[str]], object],
        choose_files: Callable[[], object],
        choose_folder: Callable[[], object],
    ) -> None:
        super().__init__()
        self._add = add
        self.setAcceptDrops(True)
        self._icon = Icon("import", 28, "acc")
        self._words = Label(text("ui.prepare.drop"), Style.STRONG, wrap=True)
        self._kinds = Label(text("ui.prepare.formats"), Style.SMALL, "text2", wrap=True)
        self.files_button = Button(text("ui.prepare.choose_files"), icon_name="file", pressed=choose_files)
        self.folder_button = Button(text("ui.prepare.choose_folder"), icon_name="folder", pressed=choose_folder)
        inside = row(
            self._icon, column(self._words, self._kinds, gap=2), self.files_button, self.folder_button, gap=14,
            margins=(20, 16, 16, 16),
        )  # fmt: skip
        inside.setStretch(1, 1)
        self.setLayout(inside)
        set_role(self, role="drop")

    def forbid(self, reason: str) -> None:
        """Take nothing, with the reason; an empty one takes files again."""
        for button in (self.files_button, self.folder_button):
            button.forbid(reason)
        self.setAcceptDrops(not reason)

    def set_small(self, small: bool) -> None:
        """Take less room where files are there already."""
        self._words.setText(text("ui.prepare.drop_more" if small else "ui.prepare.drop"))
        self._kinds.setVisible(not small)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        if _local(event):
            set_role(self, over=True)
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        set_role(self, over=False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        set_role(self, over=False)
        if files := _local(event):
            event.acceptProposedAction()
            self._add(files)


def _local(event: QDropEvent) -> list[str]:
    urls = event.mimeData().urls()
    return [str(Path(url.toLocalFile())) for url in urls] if urls and all(url.isLocalFile() for url in urls) else []
