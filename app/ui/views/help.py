"""Help: the pages that ship with the program, with search. Nothing is fetched from anywhere."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
)
from PySide6.QtWidgets import QSplitter, QTextBrowser, QTextEdit

from app.texts import text
from app.ui.context import Context
from app.ui.models.help import PAGES, find, page, page_of
from app.ui.theme import set_role, theme
from app.ui.tokens import TYPES, Style
from app.ui.views.view import View
from app.ui.widgets.entries import Entries, Entry
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import SearchField
from app.ui.widgets.layout import column, frame, header
from app.ui.widgets.text import Label

_LIST = 292
_WIDEST = 720
_HEADINGS = {1: Style.WELCOME, 2: Style.TITLE, 3: Style.STRONG}


class HelpView(View):
    """Help."""

    name: ClassVar[str] = "help"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.page.addWidget(header(text("ui.rail.help"), text("ui.help.subtitle")))
        self.search = SearchField(text("ui.help.search"))
        self.search.wanted.connect(self._find)
        self.list = Entries(text("ui.help.pages"))
        self.list.chosen.connect(self.show_page)
        self.reader = Reader(text("ui.help.page"))
        self.reader.anchorClicked.connect(self._follow)
        self._nothing = Label("", Style.SMALL, "text2", wrap=True)
        self._nothing.setContentsMargins(16, 8, 16, 8)
        left = frame("pane", column(column(self.search, margins=(12, 12, 12, 4)), self._nothing, self.list, gap=4))
        left.setMinimumWidth(220)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(self.reader)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST, 1280 - _LIST])
        self.page.addWidget(split, 1)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.search.setFocus)
        self._find("")
        self.show_page(PAGES[0])

    def open(self, argument: object = None) -> None:
        """Show the page about a view."""
        self.search.clear()
        self._find("")
        self.show_page(page_of(str(argument or "")))

    def show_page(self, name: str) -> None:
        """Show a page."""
        self.list.select(name)
        found = page(name)
        self.reader.show_page(found.title, found.text)
        self.reader.mark(self.search.text())

    def _find(self, wanted: str) -> None:
        hits = find(wanted)
        self.list.show_entries([Entry(each.page.name, each.page.title, words=each.excerpt) for each in hits])
        names = [each.page.name for each in hits]
        self._nothing.setText("" if hits else text("ui.help.nothing", words=wanted.strip()))
        self._nothing.setVisible(not hits)
        if wanted.strip():
            announce(self, text("ui.help.found", count=len(hits)))
        if names and self.reader.title and self.list.selected not in names:
            self.show_page(names[0])
        else:
            self.reader.mark(wanted)

    def _follow(self, url: QUrl) -> None:
        name = url.path().removesuffix(".md")
        if name in PAGES and not url.scheme():
            self.show_page(name)


class Reader(QTextBrowser):
    """A page in the type and the colours of the program."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.title = ""
        self._text = self._marked = ""
        set_role(self, role="reader")
        self.setAccessibleName(name)
        self.setOpenLinks(False)
        self.setTabChangesFocus(True)
        self.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self.document().setDocumentMargin(28)
        theme().changed.connect(self._write)

    def show_page(self, title: str, words: str) -> None:
        """Show another page, from its beginning."""
        if words == self._text:
            return
        self.title, self._text = title, words
        self._write()
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self.verticalScrollBar().setValue(0)

    def mark(self, wanted: str) -> None:
        """Mark the words looked for, and go to the first of them."""
        self._marked = wanted
        found, selections = None, []
        for word in wanted.split():
            cursor = QTextCursor(self.document())
            while not (cursor := self.document().find(word, cursor)).isNull():
                selection = QTextEdit.ExtraSelection()
                selection.cursor = cursor
                selection.format.setBackground(QColor(theme().colour("causoft")))
                selections.append(selection)
                found = found or QTextCursor(cursor)
        self.setExtraSelections(selections)
        if found is not None:
            found.clearSelection()
            self.setTextCursor(found)
            self.ensureCursorVisible()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        self.setLineWrapColumnOrWidth(min(_WIDEST, max(self.viewport().width(), 200)))
        super().resizeEvent(event)

    def _write(self) -> None:
        document = self.document()
        document.setDefaultFont(theme().font(Style.SENTENCE))
        document.setMarkdown(self._text, QTextDocument.MarkdownFeature.MarkdownDialectGitHub)
        block = document.begin()
        while block.isValid():
            _dress(QTextCursor(block))
            block = block.next()
        for child in document.rootFrame().childFrames():
            if isinstance(child, QTextTable):
                _dress_table(child)
        self.mark(self._marked)


def _dress(cursor: QTextCursor) -> None:
    """Give a block its spacing, a heading its size, code its look, links their colour."""
    look, format_ = theme(), QTextBlockFormat(cursor.blockFormat())
    level = format_.headingLevel()
    code = _is_code(cursor.block())
    listed = cursor.currentList() is not None
    format_.setLineHeight(100 if level or code else 140, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    format_.setTopMargin({1: 0, 2: 18, 3: 12}.get(level, 0))
    format_.setBottomMargin(4 if listed else 8)
    if code:
        format_.setTopMargin(0 if _is_code(cursor.block().previous()) else 4)
        format_.setBottomMargin(0 if _is_code(cursor.block().next()) else 12)
        format_.setBackground(look.colour("sunken"))
        format_.setLeftMargin(12)
        format_.setRightMargin(12)
    cursor.setBlockFormat(format_)
    if not level and not code:
        _dress_code(cursor)
        return
    characters = QTextCharFormat()
    style = _HEADINGS.get(level, Style.STRONG) if level else Style.CODE
    characters.setFont(look.font(style), QTextCharFormat.FontPropertiesInheritanceBehavior.FontPropertiesSpecifiedOnly)
    characters.setFontWeight(QFont.Weight(TYPES[style].weight))
    cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
    cursor.mergeCharFormat(characters)


def _is_code(block: QTextBlock) -> bool:
    return block.isValid() and any(
        block.blockFormat().hasProperty(each)
        for each in (QTextFormat.Property.BlockCodeFence, QTextFormat.Property.BlockCodeLanguage)
    )


def _dress_code(cursor: QTextCursor) -> None:
    """Give the code within a line its size."""
    block = cursor.block()
    places = []
    for each in block.textFormats():
        if each.format.fontFixedPitch():
            places.append((block.position() + each.start, each.length))
    characters = QTextCharFormat()
    font = theme().font(Style.CODE)
    characters.setFontFamilies([font.family()])
    characters.setFontPointSize(font.pointSizeF())
    for begin, length in places:
        cursor.setPosition(begin)
        cursor.setPosition(begin + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(characters)


def _dress_table(table: QTextTable) -> None:
    """Give a table hairlines instead of a grid."""
    format_ = table.format()
    format_.setBorderCollapse(True)
    format_.setBorder(1)
    format_.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    format_.setBorderBrush(theme().colour("hair"))
    format_.setCellPadding(5)
    format_.setCellSpacing(0)
    format_.setTopMargin(6)
    format_.setBottomMargin(10)
    format_.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
    table.setFormat(format_)
