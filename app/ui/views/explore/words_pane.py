"""What is asked, in words, and as text that can be edited: the cards follow it, and it follows the cards."""

from __future__ import annotations

import re
from dataclasses import replace

from PySide6.QtCore import QMimeData, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFont,
    QFontMetrics,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QApplication, QFrame, QPlainTextEdit, QSizePolicy, QTextEdit

from app.core.errors import UserError
from app.core.query.model import expanded
from app.core.query.text import MAX_TEXT
from app.core.query.written import KEYWORDS, OTHER_WORDS
from app.texts import explain, text
from app.ui.icons import icon
from app.ui.models.board import Board
from app.ui.models.question import Question, question_of
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.feedback import announce
from app.ui.widgets.layout import column, row, scrolling
from app.ui.widgets.text import Label

_TYPING_MS = 350
_MOST_LINES, _LONG = 5, 330
_WORDS = "|".join(word for word in (*KEYWORDS, *OTHER_WORDS) if word != "x")
_KEYWORD = re.compile(rf"(?<![A-Za-z0-9_.:/+*-])({_WORDS})(?![A-Za-z0-9_.:/+*-])", re.IGNORECASE)


class WordsPane(QFrame):
    """The plain sentence and, on request, the text form. ``unfolded`` brings whether the text form is shown."""

    unfolded = Signal(bool)

    def __init__(self, board: Board) -> None:
        super().__init__()
        set_role(self, role="foot")
        self.board = board
        self._sentence = Label("", Style.SENTENCE, wrap=True, rich=True, selectable=True)
        self._fold = Button(text("ui.explore.text_form"), LINK, icon_name="chevron-right", pressed=self.toggle)
        copy = Button(text("ui.explore.copy_text"), LINK, icon_name="copy", pressed=self._copy)
        self.editor = TextForm(board)
        self.editor.hide()
        self._wrong = Label("", Style.SMALL, "dan", wrap=True, selectable=True)
        self._wrong.hide()
        self.editor.wrong.connect(self._show_wrong)
        self._copied = copy
        head = Label(text("ui.explore.in_words"), Style.SMALL, "text2")
        line = row(self._fold, None, copy)
        self._long = Label("", Style.SENTENCE, wrap=True, rich=True, selectable=True)
        self._area = scrolling(column(self._long, None))
        self._area.setFixedHeight(QFontMetrics(theme().font(Style.SENTENCE)).lineSpacing() * _MOST_LINES + 4)
        self._area.hide()
        self.setLayout(
            column(head, self._sentence, self._area, line, self.editor, self._wrong, gap=6, margins=(20, 10, 20, 12))
        )
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._copied.hide()
        board.changed.connect(self.show_criteria)
        board.surroundings_changed.connect(self.show_criteria)
        theme().changed.connect(self.show_criteria)
        self.show_criteria()

    @property
    def wrong(self) -> str:
        """What is wrong with the text form, in words; empty if nothing is."""
        return "" if self._wrong.isHidden() else self._wrong.text()

    def show_criteria(self) -> None:
        """Say what the board asks."""
        catalogue = self.board.catalogue
        if catalogue is None:
            return
        query = self.board.query
        try:
            asked = question_of(replace(query, cohort=expanded(query.cohort)), catalogue)
        except UserError as error:  # a draft of another catalogue; the planner says what to change
            asked = Question((explain(error).what,))
        rich = asked.rich(theme().colours["text"])
        long = len(asked.plain) > _LONG  # it scrolls, so that the cards keep their room
        self._sentence.setVisible(not long)
        self._area.setVisible(long)
        label = self._long if long else self._sentence
        if rich != label.text():
            label.setText(rich)
            label.setAccessibleName(asked.plain)

    def toggle(self) -> None:
        """Show the text form, or fold it away."""
        self.set_unfolded(self.editor.isHidden())
        self.unfolded.emit(not self.editor.isHidden())
        if not self.editor.isHidden():
            self.editor.setFocus()

    def set_unfolded(self, shown: bool) -> None:
        """Show the text form or not."""
        self.editor.setVisible(shown)
        self._copied.setVisible(shown)
        self._fold.setIcon(icon("chevron-down" if shown else "chevron-right", "acc"))
        self._wrong.setVisible(shown and bool(self._wrong.text()))

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.editor.toPlainText())
        announce(self, text("ui.explore.copied"))

    def _show_wrong(self, words: str) -> None:
        self._wrong.setText(words)
        self._wrong.setVisible(bool(words) and not self.editor.isHidden())
        if words:
            announce(self.editor, words)


class TextForm(QPlainTextEdit):
    """The text form. Typing in it changes the cards as soon as it makes sense; ``wrong`` says why it does not."""

    wrong = Signal(str)

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board
        set_role(self, role="code")
        self.setAccessibleName(text("ui.explore.text_form"))
        self.setPlaceholderText(text("ui.explore.text_placeholder"))
        self.setTabChangesFocus(True)
        self.setFixedHeight(QFontMetrics(theme().font(Style.CODE)).height() * 3 + 22)
        self._colours = _Keywords(self.document())
        self._ours = False
        self._dirty = False
        self._run = 0
        self._timer = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._timer.timeout.connect(self.take)
        self.textChanged.connect(self._typed)
        board.changed.connect(self.show_criteria)
        theme().changed.connect(self._colours.rehighlight)
        self.show_criteria()

    def show_criteria(self) -> None:
        """Show what the cards say, unless it is what was typed that made them so."""
        if self._ours:
            return
        self._set(self.board.text)

    def _set(self, written: str) -> None:
        if written != self.toPlainText():
            self.blockSignals(True)
            self.setPlainText(written)
            self.blockSignals(False)
            self._colours.rehighlight()
        self._dirty = False
        self._mark(None)

    def _typed(self) -> None:
        self._dirty = True
        self._mark(None)
        self._timer.start()

    def take(self) -> None:
        """Show on the cards what was typed, or where the mistake is."""
        self._timer.stop()
        if not self._dirty:
            return
        self._ours = True
        try:
            words = text("ui.explore.did.text")
            self.board.replace(self.toPlainText(), words, merging=f"text.{self._run}")
            self._mark(None)
        except UserError as error:
            self._mark(error)
        finally:
            self._ours = False

    def _mark(self, error: UserError | None) -> None:
        """Underline the place of a mistake and say what is wrong; the excerpt is not needed here."""
        if error is None:
            self.setExtraSelections([])
            self.wrong.emit("")
            return
        params = {**error.params, "excerpt": ""}
        told = explain(UserError(error.code, **params))
        self.wrong.emit(" ".join(filter(None, (told.what.strip(), told.next))))
        line, at = error.params.get("line"), error.params.get("column")
        if not isinstance(line, int) or not isinstance(at, int):
            return
        cursor = QTextCursor(self.document().findBlockByNumber(line - 1))
        room = max(cursor.block().length() - 1, 0)
        cursor.movePosition(QTextCursor.MoveOperation.Right, QTextCursor.MoveMode.MoveAnchor, min(at - 1, room))
        if cursor.atBlockEnd():
            cursor.movePosition(QTextCursor.MoveOperation.Left)
        cursor.movePosition(QTextCursor.MoveOperation.EndOfWord, QTextCursor.MoveMode.KeepAnchor)
        if not cursor.hasSelection():
            cursor.movePosition(QTextCursor.MoveOperation.Right, QTextCursor.MoveMode.KeepAnchor)
        mark = QTextEdit.ExtraSelection()
        mark.cursor = cursor
        style = QTextCharFormat()
        style.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        style.setUnderlineColor(theme().colour("dan"))
        style.setBackground(theme().colour("dansoft"))
        mark.format = style
        self.setExtraSelections([mark])

    def insertFromMimeData(self, source: QMimeData) -> None:  # noqa: N802 - Qt's name
        """Take what is pasted or dropped, unless no question is that long: megabytes would hold up the window."""
        if (length := len(source.text())) > MAX_TEXT:
            self._mark(UserError("query.text_too_long", length=length, limit=MAX_TEXT))
        else:
            super().insertFromMimeData(source)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        super().focusOutEvent(event)
        self.take()
        self._run += 1
        if not self.extraSelections():
            self._set(self.board.text)


class _Keywords(QSyntaxHighlighter):
    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)

    def highlightBlock(self, text: str) -> None:  # noqa: N802 - Qt's name
        style = QTextCharFormat()
        style.setForeground(theme().colour("acc"))
        style.setFontWeight(QFont.Weight.DemiBold)
        quoted = [match.span() for match in re.finditer(r'"[^"]*"|“[^”]*”', text)]
        for match in _KEYWORD.finditer(text):
            if not any(begin <= match.start() < end for begin, end in quoted):
                self.setFormat(match.start(), len(match[0]), style)
