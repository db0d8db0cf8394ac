"""The controls that stand in the sentences of a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from PySide6.QtWidgets import QLineEdit, QSpinBox

from app.texts import text
from app.ui.models.policy import amount, fraction_of
from app.ui.theme import set_role
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import Choice
from app.ui.widgets.sentences import wide_as_words
from app.ui.widgets.text import tip

_YES, _NO = "yes", "no"


def choice(name: str, entries: Sequence[tuple[str, str]], value: str, changed: Callable[[str], object]) -> Choice:
    """Return a choice that stands at ``value``."""
    made = Choice(name, list(entries))
    made.set_value(value)
    made.chosen.connect(changed)
    wide_as_words(made)
    return made


def yes_no(name: str, words: tuple[str, str], value: bool, changed: Callable[[bool], object]) -> Choice:
    """Return a choice of two, whose first word means yes."""
    entries = [(_YES, words[0]), (_NO, words[1])]
    return choice(name, entries, _YES if value else _NO, lambda chosen: changed(chosen == _YES))


def amounts(
    name: str,
    usual: Sequence[Fraction],
    value: Fraction | None,
    nothing: str,
    changed: Callable[[Fraction | None], object],
) -> Choice:
    """Return a choice of amounts of budget, or ``nothing``; the value is among them though it is not usual."""
    offered = sorted({*usual, *(() if value is None else (value,))})
    entries = [("", nothing), *((str(each), amount(each)) for each in offered)]
    chosen = "" if value is None else str(value)
    return choice(name, entries, chosen, lambda each: changed(Fraction(each) if each else None))


class Amount(QLineEdit):
    """An amount of budget, or ``nothing``. What cannot be read as one is marked and changes nothing."""

    def __init__(
        self, name: str, value: Fraction | None, nothing: str, changed: Callable[[Fraction | None], object]
    ) -> None:
        super().__init__("" if value is None else amount(value))
        self._changed, self._value = changed, value
        set_role(self, measure="small")
        self.setAccessibleName(name)
        self.setPlaceholderText(nothing)
        widest = max(map(self.fontMetrics().horizontalAdvance, (nothing, "000.000")))
        self.setFixedWidth(widest + 26)
        self.editingFinished.connect(self._take)
        self.textEdited.connect(lambda _typed: self._mark(""))

    def _take(self) -> None:
        try:
            value = fraction_of(self.text())
        except ValueError:
            self._mark(text("ui.policy.bad_amount"))
            return
        if value != self._value:
            self._value = value
            self._changed(value)

    def _mark(self, why: str) -> None:
        set_role(self, wrong=bool(why))
        self.setAccessibleDescription(why)
        self.setToolTip(tip(why))
        announce(self, why)


def whole(
    name: str, value: int, bounds: tuple[int, int], changed: Callable[[int], object], nothing: str = ""
) -> QSpinBox:
    """Return a field for a whole number within ``bounds``; ``nothing`` is shown for the least one."""
    made = QSpinBox()
    made.setRange(*bounds)
    made.setAccessibleName(name)
    set_role(made, measure="small")
    made.setSpecialValueText(nothing)
    made.setValue(value)
    made.setKeyboardTracking(False)
    widest = max(map(made.fontMetrics().horizontalAdvance, (nothing, str(bounds[1]))))
    made.setFixedWidth(widest + 48)
    made.valueChanged.connect(changed)
    return made
