"""A list of things by name in the policy: variables that are never used, projects that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtWidgets import QMenu, QWidget

from app.core.disclosure.policy import Never
from app.texts import text
from app.ui.tokens import Style
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.layout import Flow, clear, column, row
from app.ui.widgets.sentences import Lock
from app.ui.widgets.text import Label

Pick = Callable[[Callable[[str], object]], object]
"""Asks for a variable, and gives its code to what it is called with."""


class NamedList(QWidget):
    """The names, each a button that takes it out, and a button that adds one: from a menu, or as ``pick`` asks."""

    def __init__(
        self,
        title: str,
        add: str,
        names: Mapping[str, str],
        changed: Callable[[Any], object],
        *,
        pick: Pick | None = None,
    ) -> None:
        super().__init__()
        self._names, self._changed, self._pick = names, changed, pick
        self._never: tuple[Never, ...] | None = None
        self._keys: tuple[str, ...] = ()
        self._why = ""
        self._title, self._flow = title, Flow()
        self._none = Label(text("ui.policy.none_named"), Style.SMALL, "text2")
        self.add = Button(add, LINK, icon_name="plus", pressed=self._ask)
        self._lock = row()
        self.setLayout(column(row(Label(title), self._lock, None), self._flow, self._none, row(self.add, None), gap=4))

    def show_keys(self, keys: tuple[str, ...]) -> None:
        """Show what has these ids."""
        self._keys = keys
        self._show([(key, self._names.get(key) or text("ui.names.project", id=key[:8])) for key in keys])

    def show_never(self, never: tuple[Never, ...]) -> None:
        """Show variables, and levels of some."""
        self._never = never
        self._show([(each, self._words(each)) for each in never])

    def fix(self, why: str) -> None:
        """Say that an administrator has fixed it, if ``why`` says so."""
        if why:
            self._why = why
            self.add.forbid(why)
            self._lock.addWidget(Lock(why))
            self._again()

    def _words(self, never: Never) -> str:
        name = self._names.get(never.code) or never.code
        return text("ui.policy.never_level", variable=name, level=never.level) if never.level else name

    def _show(self, named: list[tuple[Any, str]]) -> None:
        clear(self._flow)
        for key, words in named:
            button = Button(words, size="small", icon_name="close", pressed=partial(self._remove, key))
            button.setAccessibleName(text("ui.policy.take_out", name=words))
            button.setEnabled(not self._why)
            self._flow.addWidget(button)
        self._none.setVisible(not named)

    def _again(self) -> None:
        if self._never is not None:
            self.show_never(self._never)
        else:
            self.show_keys(self._keys)

    def _ask(self) -> None:
        if self._pick is not None:
            self._pick(self._take)
            return
        menu = QMenu(self)
        left = [(key, name) for key, name in self._names.items() if key not in self._keys]
        for key, name in left:
            menu.addAction(name.replace("&", "&&")).triggered.connect(lambda _on=False, key=key: self._take(key))
        if not left:
            menu.addAction(text("ui.policy.no_more")).setEnabled(False)
        menu.popup(self.add.mapToGlobal(self.add.rect().bottomLeft()))

    def _take(self, key: str) -> None:
        if self._never is None:
            self.show_keys((*self._keys, key))
            self._changed(self._keys)
        elif Never(key) not in self._never:
            self.show_never((*self._never, Never(key)))
            self._changed(self._never)
        self.add.setFocus()

    def _remove(self, key: Any) -> None:
        if self._never is None:
            self.show_keys(tuple(each for each in self._keys if each != key))
            self._changed(self._keys)
        else:
            self.show_never(tuple(each for each in self._never if each != key))
            self._changed(self._never)
        self.add.setFocus()
