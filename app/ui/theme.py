"""The look: tokens become a palette, fonts and one style sheet; it follows the system's light and dark.

Widgets say what they are by the dynamic property ``role`` (``widgets/``), and those that paint themselves ask
:func:`theme` for colours and repaint on ``theme().changed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory, QWidget

from app.core.paths import resource
from app.ui.tokens import DARK, LIGHT, PLOT_DARK, PLOT_LIGHT, TYPES, Style

SYSTEM, LIGHT_MODE, DARK_MODE = "system", "light", "dark"
MODES = (SYSTEM, LIGHT_MODE, DARK_MODE)


class Theme(QObject):
    """The look of the running application; there is one, :func:`theme`."""

    changed = Signal()
    """Emitted after the colours have changed."""

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._mode = SYSTEM
        application.setStyle(QStyleFactory.create("Fusion"))
        application.styleHints().colorSchemeChanged.connect(self._follow)
        self.reduced_motion = False
        """Whether moving parts shall rest, because the person at the computer wants that."""

    @property
    def dark(self) -> bool:
        """Whether the colours are the dark ones."""
        if self._mode == SYSTEM:
            return self._application.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return self._mode == DARK_MODE

    @property
    def mode(self) -> str:
        """One of :data:`MODES`."""
        return self._mode

    def set_mode(self, mode: str) -> None:
        """Follow the system, or be light or dark whatever it says."""
        self._mode = mode
        self.apply()

    @property
    def colours(self) -> Mapping[str, str]:
        """Every colour token as ``#RRGGBB``."""
        return DARK if self.dark else LIGHT

    @property
    def plot_colours(self) -> tuple[str, ...]:
        """The plot palette in order of use."""
        return PLOT_DARK if self.dark else PLOT_LIGHT

    def colour(self, token: str) -> QColor:
        """Return a token's colour."""
        return QColor(self.colours[token])

    def font(self, style: Style = Style.BODY) -> QFont:
        """Return a style's font, in proportion to the application's font."""
        kind, base = TYPES[style], self._application.font()
        fixed = QFontDatabase.SystemFont.FixedFont
        font = QFontDatabase.systemFont(fixed) if style is Style.CODE else QFont(base)
        font.setFamilies(font.families())  # said expressly: else a widget keeps the family of its parent
        size = base.pointSizeF() if base.pointSizeF() > 0 else base.pixelSize() * 0.75
        font.setPointSizeF(size * kind.ratio)
        font.setWeight(QFont.Weight(kind.weight))
        if style is Style.ANSWER:
            font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def apply(self) -> None:
        """Give the application its palette and style sheet."""
        self._application.setPalette(self._palette())
        self._application.setStyleSheet(self._sheet())
        self.changed.emit()

    def _follow(self) -> None:
        if self._mode == SYSTEM:
            self.apply()

    def _sheet(self) -> str:
        base = self._application.font().pointSizeF()
        sizes = {f"size_{style.value}": f"{base * kind.ratio:.2f}pt" for style, kind in TYPES.items()}
        sizes["code_family"] = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
        arrows = {
            "icon_chevron_down": _tinted_file("chevron-down", self.colours["text2"]),
            "icon_chevron_up": _tinted_file("chevron-up", self.colours["text2"]),
        }
        arrows["icon_check"] = _tinted_file("check", self.colours["onacc"])
        template = resource("theme", "style.qss").read_text("utf-8")
        return Template(template).substitute(self.colours, **sizes, **arrows)

    def _palette(self) -> QPalette:
        role, palette = QPalette.ColorRole, QPalette()
        for name, token in {
            role.Window: "window",
            role.WindowText: "text",
            role.Base: "raised",
            role.AlternateBase: "window",
            role.Text: "text",
            role.Button: "raised",
            role.ButtonText: "text",
            role.ToolTipBase: "raised",
            role.ToolTipText: "text",
            role.Highlight: "accsoft",
            role.HighlightedText: "text",
            role.Link: "acc",
            role.LinkVisited: "acc",
            role.PlaceholderText: "text3",
            role.Accent: "accfill",
            role.Mid: "hair2",
            role.Light: "raised",
            role.Dark: "ctl",
        }.items():
            palette.setColor(name, self.colour(token))
        dimmed = QColor(self.colours["text3"])
        dimmed.setAlphaF(0.6)
        for name in (role.WindowText, role.Text, role.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, name, dimmed)
        return palette


def _tinted_file(name: str, colour: str) -> str:
    """Return the path of an icon in ``colour``: a style sheet takes pictures from files only."""
    from app.ui.icons import tinted_file  # noqa: PLC0415  (icons ask the theme for their colours)

    return tinted_file(name, colour)


def install(application: QApplication, mode: str = SYSTEM) -> Theme:
    """Give ``application`` its theme, once."""
    found = application.property("consilium_theme")
    if not isinstance(found, Theme):
        found = Theme(application)
        application.setProperty("consilium_theme", found)
    found.set_mode(mode)
    return found


def theme() -> Theme:
    """Return the running application's theme; :func:`install` has made it."""
    application = QApplication.instance()
    found = None if application is None else application.property("consilium_theme")
    if not isinstance(found, Theme):
        raise RuntimeError("the theme is not installed")
    return found


def set_role(widget: QWidget, **properties: str | bool) -> None:
    """Set the dynamic properties that the style sheet looks at, and let it look again."""
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
