"""The tokens: every pair of colours that text and controls use has the contrast of WCAG 2.1 AA, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from app.core.paths import resource
from app.ui import icons
from app.ui import theme as themes
from app.ui.tokens import DARK, LIGHT, PLOT_DARK, PLOT_LIGHT, Style
from app.ui.widgets.chips import TONES

TEXT, CONTROL = 4.5, 3.0
PAIRS = [
    *[(ink, ground, TEXT) for ink in ("text", "text2", "text3") for ground in ("window", "raised", "accsoft")],
    *[(ink, ground, TEXT) for ink in ("text2", "text3") for ground in ("rail", "sunken")],
    *[(ink, ground, TEXT) for ink in ("acc",) for ground in ("window", "raised", "accsoft")],
    *[(ink, ground, TEXT) for ground, ink in TONES.values()],
    *[("text", ground, TEXT) for ground in ("causoft", "dansoft", "possoft", "hover")],
    *[(ink, "raised", TEXT) for ink in ("pos", "cau", "dan")],
    ("onacc", "accfill", TEXT),
    *[("ctl", ground, CONTROL) for ground in ("raised", "window")],
    *[("accfill", ground, CONTROL) for ground in ("raised", "window", "rail")],
]


def luminance(colour: str) -> float:
    parts = [QColor(colour).redF(), QColor(colour).greenF(), QColor(colour).blueF()]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(tokens: Mapping[str, str]) -> None:
    weak = [
        (ink, ground, round(contrast(tokens[ink], tokens[ground]), 2))
        for ink, ground, least in PAIRS
        if contrast(tokens[ink], tokens[ground]) < least
    ]
    assert weak == []


@pytest.mark.parametrize(("colours", "tokens"), [(PLOT_LIGHT, LIGHT), (PLOT_DARK, DARK)], ids=["light", "dark"])
def test_plot_colours_stand_out(colours: tuple[str, ...], tokens: Mapping[str, str]) -> None:
    assert all(contrast(colour, tokens["raised"]) >= CONTROL for colour in colours)


def test_light_and_dark_have_the_same_tokens() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_fonts_keep_the_size_that_the_person_has_chosen(qapp: QApplication) -> None:
    before = qapp.font()
    try:
        larger = qapp.font()
        larger.setPointSizeF(20.0)
        qapp.setFont(larger)
        assert themes.theme().font(Style.BODY).pointSizeF() == pytest.approx(20.0)
        assert themes.theme().font(Style.TITLE).pointSizeF() == pytest.approx(26.0)
    finally:
        qapp.setFont(before)


@pytest.mark.parametrize("path", sorted(resource("icons").glob("*.svg")), ids=lambda path: path.stem)
def test_every_icon_draws_something_in_the_colour_asked_for(path: Path, qapp: QApplication) -> None:
    picture: QImage = icons.pixmap(path.stem, 24, "dan").toImage()
    inked = [picture.pixelColor(x, y) for x in range(24) for y in range(24) if picture.pixelColor(x, y).alpha() > 200]
    assert inked
    if path.stem != "logo":
        wanted = QColor(LIGHT["dan"])
        assert all(abs(colour.red() - wanted.red()) + abs(colour.blue() - wanted.blue()) < 6 for colour in inked)


def test_the_look_can_change(qapp: QApplication) -> None:
    changes: list[bool] = []
    themes.theme().changed.connect(lambda: changes.append(themes.theme().dark))
    themes.install(qapp, themes.DARK_MODE)
    themes.install(qapp, themes.LIGHT_MODE)
    assert changes == [True, False]
    assert qapp.palette().window().color().name().upper() == LIGHT["window"]
