"""What must hold on every screen in every state that the gallery shows, in every language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QTabBar,
    QTextEdit,
    QWidget,
)

from app.texts import use_language
from app.ui import theme as themes
from app.ui.widgets.text import ElidedLabel
from tests.ui import gallery

for _name in gallery.SCREENS:
    import_module(f"tests.ui.{_name}")

LEAST_TARGET = 24  # pixels, WCAG 2.2 target size (minimum)
SIZE = QSize(1280, 800)


@pytest.fixture(params=sorted(gallery.states))
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["en", "fr", "de"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    use_language(request.param)
    yield str(request.param)
    use_language("en")


@contextmanager
def shown(state: str, directory: Path, application: QApplication) -> Iterator[QWidget]:
    """Show a state of a screen."""
    stage = gallery.Stage(directory)
    widget = gallery.states[state](stage)
    widget.resize(SIZE)
    widget.show()
    gallery.settle(application)
    try:
        yield widget
    finally:
        widget.close()
        widget.deleteLater()
        application.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_screen(state: str, language: str, tmp_path: Path, qapp: QApplication) -> None:
    with shown(state, tmp_path, qapp) as screen:
        assert nameless_or_small(screen) == []
        assert cut_off(screen) == []
        if language == "en":  # these do not depend on the language
            assert out_of_reach(screen) == []
            themes.install(qapp, themes.DARK_MODE)
            gallery.settle(qapp)
            assert bright_part(screen) < 0.08


def seen(widget: QWidget) -> Iterator[QWidget]:
    """Yield every widget that a person can see, or scroll to."""
    for each in widget.findChildren(QWidget):
        if each.isVisible() and each.window() is widget.window():
            yield each


def place(widget: QWidget) -> str:
    """Say which widget it is."""
    words = [type(widget).__name__, widget.objectName(), widget.accessibleName()]
    above = widget.parentWidget()
    while above is not None and len(words) < 9:
        words.append(type(above).__name__)
        above = above.parentWidget()
    return " ".join(filter(None, words))


def said(widget: QWidget) -> str:
    """Return what a screen reader calls a widget."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return "" if interface is None else interface.text(QAccessible.Text.Name)


def nameless_or_small(screen: QWidget) -> list[str]:
    """Return what can be focused and has no name, or is a target too small to hit."""
    nameless, small = [], []
    for widget in seen(screen):
        if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus or not widget.isEnabled():
            continue
        if widget.parentWidget() is not None and isinstance(widget.parentWidget(), QComboBox | QAbstractSpinBox):
            continue  # the inner part of a control that has the name
        if isinstance(widget, QTabBar):
            if any(not widget.tabText(index) for index in range(widget.count())):
                nameless.append(place(widget))
        elif not (widget.accessibleName() if _is_list(widget) else said(widget) or _scrolls(widget)):
            nameless.append(place(widget))
        if min(widget.width(), widget.height()) < LEAST_TARGET:
            small.append(f"{place(widget)} {widget.width()}×{widget.height()}")
    return nameless + small


def _is_list(widget: QWidget) -> bool:
    return isinstance(widget, QAbstractItemView | QPlainTextEdit | QTextEdit)


def _scrolls(widget: QWidget) -> str:
    return "a page that scrolls" if isinstance(widget, QAbstractScrollArea) else ""


def cut_off(screen: QWidget) -> list[str]:
    """Return the texts that have not enough room."""
    cut = []
    for widget in seen(screen):
        text, width = _text_and_room(widget)
        if text and QFontMetrics(widget.font()).horizontalAdvance(text) > width + 1:
            cut.append(f"{place(widget)}: {text!r} needs more than {width}")
        if isinstance(widget, QLabel) and widget.wordWrap() and widget.text():
            needed = widget.heightForWidth(widget.width())
            if needed > widget.height() + 2:
                cut.append(f"{place(widget)}: {widget.text()[:60]!r} needs {needed} of {widget.height()} in height")
    return cut


def _text_and_room(widget: QWidget) -> tuple[str, int]:
    """Return the one line of text that a widget shows without eliding it, and the pixels for it."""
    if isinstance(widget, ElidedLabel):
        return "", 0
    if isinstance(widget, QLabel):
        one_line = not widget.wordWrap() and widget.textFormat() is Qt.TextFormat.PlainText
        longest = max(widget.text().splitlines(), key=len, default="") if one_line else ""
        return longest, widget.contentsRect().width()
    if isinstance(widget, QCheckBox | QRadioButton):
        return widget.text(), widget.width() - 20
    if isinstance(widget, QPushButton):
        icon = 0 if widget.icon().isNull() else widget.iconSize().width() + 4
        return widget.text().replace("&&", "&"), widget.width() - icon - 6
    if isinstance(widget, QComboBox):
        return widget.currentText(), widget.width() - 26
    return "", 0


def out_of_reach(screen: QWidget) -> list[str]:
    """Return what the mouse can press and the keyboard cannot."""
    pressed = [
        each
        for each in seen(screen)
        if isinstance(each, QAbstractButton | QLineEdit) and each.isEnabled() and not _inner(each)
    ]
    reached, widget = set(), screen.nextInFocusChain()
    while widget is not screen:
        reached.add(widget)
        widget = widget.nextInFocusChain()
    return [place(each) for each in pressed if each not in reached or not each.focusPolicy() & Qt.FocusPolicy.TabFocus]


def _inner(widget: QWidget) -> bool:
    """Return whether this is a part of a control that has the keyboard itself, or one of a group with arrow keys."""
    above = widget.parentWidget()
    if isinstance(widget, QAbstractButton) and (widget.autoExclusive() or _one_of_group(widget)):
        return True
    return widget.objectName().startswith("qt_") or isinstance(
        above, QComboBox | QAbstractSpinBox | QLineEdit | QAbstractItemView | QTabBar
    )


def _one_of_group(widget: QAbstractButton) -> bool:
    group = widget.group()
    return group is not None and group.exclusive()


def bright_part(screen: QWidget) -> float:
    """Return how much of a screen is bright, from 0 to 1."""
    picture = screen.grab().toImage()
    points = [(x, y) for x in range(4, picture.width(), 24) for y in range(4, picture.height(), 24)]
    return sum(picture.pixelColor(x, y).lightness() > 200 for x, y in points) / len(points)
