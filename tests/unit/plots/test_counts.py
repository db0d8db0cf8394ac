"""Figures of counts: what they say, that they are the same every time, and that they are right about noise."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.disclosure.noise import half_width
from app.plots import look
from app.plots.counts import Count, counts_figure, noise_distribution
from app.plots.look import DARK, LIGHT, number
from app.plots.saving import pdf, png, svg
from app.ui import tokens

NOISED = Count("Women over 60", 1284, half_width=14, noise_scale=2.0, sites=3)
EXACT = Count("Men over 60", 301)


def words(drawing: bytes) -> str:
    """The words in an SVG, which are words there."""
    return " ".join(re.findall(r">([^<>]+)</t", drawing.decode()))


def test_a_noised_count_says_its_interval_and_an_exact_one_does_not() -> None:
    said = words(svg(counts_figure([NOISED], language="en")))
    assert "1,284 ± 14" in said
    assert "1,270" in said
    assert "1,298" in said
    said = words(svg(counts_figure([EXACT], language="en")))
    assert "301" in said
    assert "±" not in said


def test_a_count_that_noise_took_below_zero_is_none_at_all() -> None:
    count = Count("", -3, half_width=14, noise_scale=2.0, sites=3)
    assert (count.shown, count.low, count.high) == (0, 0, 11)
    assert "0 (0 to 11)" in words(svg(counts_figure([count], language="en")))


def test_several_counts_have_their_names_beside_their_bars() -> None:
    said = words(svg(counts_figure([NOISED, EXACT], language="de")))
    assert "Women over 60" in said
    assert "Men over 60" in said
    assert "1.284 ± 14" in said


def test_what_people_have_written_is_never_a_formula() -> None:
    assert r"$\frac{1}{0}$ & <b>" in words(svg(counts_figure([Count(r"$\frac{1}{0}$ & <b>", 5), EXACT]))).replace(
        "&amp;", "&"
    ).replace("&lt;", "<").replace("&gt;", ">")


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_the_same_figure_is_the_same_bytes(look: look.Look) -> None:
    def made() -> tuple[bytes, bytes, bytes]:
        return tuple(  # type: ignore[return-value]
            save(counts_figure([NOISED, EXACT], look=look))
            for save in (png, svg, lambda figure: pdf([figure], "Title"))
        )

    first = made()
    assert made() == first
    assert not any(year in first[1] for year in (b"dc:date", b"<!--  Created"))
    assert b"/CreationDate" not in first[2]


def test_a_picture_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(png(counts_figure([EXACT], size=(6.4, 3.6)), 300))
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (1920, 1080)
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


@pytest.mark.parametrize(("scale", "sites"), [(Fraction(2), 3), (Fraction(1, 2), 1), (Fraction(500), 4)])
def test_the_distribution_of_the_noise_holds_as_much_as_the_interval_says(scale: Fraction, sites: int) -> None:
    width = half_width([scale] * sites, 0.95)
    count = Count("", 100_000, half_width=width, noise_scale=float(scale), sites=sites)
    values, chances = noise_distribution(count)
    inside = chances[np.abs(values - count.released) <= width].sum()
    assert 0.94 <= inside <= 0.99
    assert chances.sum() == pytest.approx(1)
    assert (chances * values).sum() == pytest.approx(count.released, abs=0.01)


def test_the_true_number_is_never_thought_to_be_negative() -> None:
    values, chances = noise_distribution(Count("", 3, half_width=14, noise_scale=2.0, sites=3))
    assert values.min() == 0
    assert chances.sum() == pytest.approx(1)
    values, _ = noise_distribution(Count("", -100, half_width=14, noise_scale=2.0, sites=3))
    assert values.min() == 0


@pytest.mark.parametrize(
    ("language", "said"), [("en", "−1,234,567"), ("de", "−1.234.567"), ("fr", "−1\u202f234\u202f567")]
)
def test_numbers_are_written_as_the_language_does(language: str, said: str) -> None:
    assert number(-1_234_567, language) == said


def test_the_colours_are_those_of_the_window() -> None:
    for there, here, palette in ((LIGHT, tokens.LIGHT, tokens.PLOT_LIGHT), (DARK, tokens.DARK, tokens.PLOT_DARK)):
        assert there.series == palette
        named = (there.paper, there.text, there.text2, there.grid, there.axis)
        assert named == tuple(here[name] for name in ("raised", "text", "text2", "hair", "ctl"))
