"""What a reader may change about a figure: groups on and off, intervals, counts or shares. Beside the figure itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QCheckBox, QWidget

from app.core.analysis.results import (
    INTERCEPT,
    GroupsResult,
    RegressResult,
    Result,
    SurvivalResult,
    TableResult,
)
from app.plots.options import Options
from app.plots.words import Words
from app.texts import text
from app.ui.theme import theme
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import Flow

_SWATCH = QSize(22, 12)
_MOST_GROUPS = 12
_DASHES = ((), (5, 1.6), (1.4, 1.4), (6, 1.5, 1.4, 1.5), (8, 3), (2.8, 1.2), (1.2, 2.6), (9, 1.6, 1.4, 1.6))
_CURVES, _EVENTS, _RATIOS = "curves", "events", "ratios"
_COUNTS, _SHARES = "counts", "shares"

Group = tuple[str, str, str]
"""A group's key, its name, and how it is drawn: ``line``, ``area`` or ""."""


class Choosing(QWidget):
    """The controls of one result; ``changed`` hears of other options."""

    def __init__(self, changed: Callable[[], object]) -> None:
        super().__init__()
        self._changed = changed
        self._kind: tuple[object, ...] = ()
        self.groups: list[QCheckBox] = []
        self._looks: list[Literal["line", "area", ""]] = []
        self.curve = Choice(text("ui.results.choose.curve"), [])
        self.interval = Choice(text("ui.results.choose.interval"), _intervals())
        self.measure = Choice(text("ui.results.choose.measure"), _measures())
        self._flow = Flow(8, self)
        self._choices = (self.curve, self.interval, self.measure)
        for each in self._choices:
            self._flow.addWidget(each)
            each.chosen.connect(lambda _value: self._changed())
            each.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToContents)
        theme().changed.connect(self._colour)
        self.hide()

    @property
    def options(self) -> Options:
        """What is chosen."""
        interval: Literal["loglog", "greenwood", "none"] = "loglog"
        match self.interval.value:
            case "greenwood":
                interval = "greenwood"
            case "none":
                interval = "none"
        hidden = frozenset(str(each.property("key")) for each in self.groups if not each.isChecked())
        return Options(
            interval=interval,
            hidden=hidden,
            shares=not self.measure.isHidden() and self.measure.value == _SHARES,
            events=not self.curve.isHidden() and self.curve.value == _EVENTS,
            hazard_ratios=not self.curve.isHidden() and self.curve.value == _RATIOS,
        )

    def show_for(self, result: Result, words: Words) -> None:
        """Offer what concerns this result; what was chosen stays while it is of the same kind and groups."""
        groups, curves = groups_of(result, words), _curves(result)
        kind = (result.kind, tuple(groups), tuple(curves))
        if kind != self._kind:
            self._kind = kind
            self._offer(result, groups, curves)
        self.setVisible(bool(groups) or any(not each.isHidden() for each in self._choices))

    def _offer(self, result: Result, groups: list[Group], curves: list[tuple[str, str]]) -> None:
        self.curve.clear()
        for value, name in curves:
            self.curve.addItem(name, value)
        self.interval.set_value("loglog")
        self.measure.set_value(_COUNTS)
        self.curve.setVisible(len(curves) > 1)
        self.interval.setVisible(isinstance(result, SurvivalResult))
        self.measure.setVisible(isinstance(result, GroupsResult | TableResult))
        self._make_groups(groups)

    def _make_groups(self, groups: list[Group]) -> None:
        for each in self.groups:
            self._flow.removeWidget(each)
            each.hide()
            each.deleteLater()
        self.groups, self._looks = [], []
        for key, name, look in groups:
            made = QCheckBox(name)
            made.setProperty("key", key)
            made.setChecked(True)
            made.setAccessibleDescription(text("ui.results.choose.groups"))
            made.setIconSize(_SWATCH)
            made.toggled.connect(lambda _on: self._changed())
            self.groups.append(made)
            self._looks.append("line" if look == "line" else "area" if look == "area" else "")
            self._flow.addWidget(made)
        self._colour()

    def _colour(self) -> None:
        for place, (each, look) in enumerate(zip(self.groups, self._looks, strict=True)):
            if look:
                each.setIcon(_swatch(place, look))


def groups_of(result: Result, words: Words) -> list[Group]:
    """Return the groups of a figure that can be switched off; none where there are too few or too many."""
    found: list[Group] = []
    match result:
        case SurvivalResult(by_code=str(by)):
            found = [(each.key, words.group(by, each.key), "line") for each in result.curves]
        case GroupsResult(code=code):
            found = [(each.key, words.group(code, each.key), "") for each in result.groups]
        case TableResult(row_code=code) if not set(result.row_keys) & set(result.column_keys):
            found = [(key, words.group(code, key), "area") for key in result.row_keys]
        case RegressResult():
            codes = [each.code for each in result.coefficients if each.code != INTERCEPT]
            found = [(code, words.variable(code), "") for code in codes]
    return found if 1 < len(found) <= _MOST_GROUPS else []


def _curves(result: Result) -> list[tuple[str, str]]:
    if not isinstance(result, SurvivalResult):
        return []
    found = [
        (_CURVES, text("ui.results.choose.survival")),
        (_EVENTS, text("ui.results.choose.events")),
    ]
    return [*found, (_RATIOS, text("ui.results.choose.ratios"))] if result.hazard_ratios else found


def _intervals() -> list[tuple[str, str]]:
    return [(each, text(f"ui.results.choose.interval.{each}")) for each in ("loglog", "greenwood", "none")]


def _measures() -> list[tuple[str, str]]:
    return [(each, text(f"ui.results.choose.measure.{each}")) for each in (_COUNTS, _SHARES)]


def _swatch(place: int, look: Literal["line", "area"]) -> QIcon:
    """Return how a group is drawn: its colour, and the dashes of its line."""
    colours = theme().plot_colours
    picture = QPixmap(_SWATCH * 2)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    colour = QColor(colours[place % len(colours)])
    if look == "area":
        painter.fillRect(4, 0, 12, 12, colour)
    else:
        pen = QPen(colour, 2.0)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if dashes := _DASHES[place % len(_DASHES)]:
            pen.setDashPattern(list(dashes))
        painter.setPen(pen)
        painter.drawLine(0, 6, _SWATCH.width(), 6)
    painter.end()
    return QIcon(picture)
