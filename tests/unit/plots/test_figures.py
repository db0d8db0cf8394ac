"""Figures of every analysis: they say what the result says, in every language, and nothing in them collides."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from app.core.analysis.nothing import nothing
from app.core.analysis.results import Estimate, GroupCount, GroupsResult, SurvivalResult
from app.core.query.cells import UNKNOWN
from app.plots.captions import caption
from app.plots.figures import Options, Shown, figure_of, picture_of, size_of, switchable
from app.plots.histogram import bins_of
from app.plots.look import DARK, LIGHT, Look, ink_on, p_value, percent, significant
from app.plots.saving import pdf, png, svg
from app.plots.survival import UNIT_DAYS, lines_of
from app.plots.twin import twins_of
from tests.unit.plots.examples import KINDS, LANGUAGES, NOBODY, by_site, shown

HALF = Fraction(1, 2)
LOUD = Fraction(1, 200)
"""So little budget that the noise is larger than the study."""


def words(figure: Figure) -> str:
    return " ".join(re.findall(r">([^<>]+)</t", svg(figure).decode()))


def collisions(figure: Figure) -> list[str]:
    """Return the words that overlap others or leave the figure, as far as an eye would see it."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    width, height = canvas.get_width_height()
    beyond = {
        id(tick.label1)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }  # of which matplotlib draws nothing
    found = [
        each
        for each in figure.findobj(Text)
        if each.get_visible() and each.get_text().strip() and id(each) not in beyond
    ]
    boxes = [(each.get_text(), each.get_window_extent()) for each in found]
    boxes = [(said, box) for said, box in boxes if box.width > 1]
    told = [
        f"{said} leaves the figure"
        for said, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        up = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > 1.5 and up > 3:  # boxes hold the room for descenders as well
            told.append(f"{one} and {other}")
    return told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("language", "patients", "epsilon"), [("de", "lung", None), ("fr", "large", HALF), ("en", "lung", LOUD)]
)
def test_words_have_room_in_every_figure(kind: str, language: str, patients: str, epsilon: Fraction | None) -> None:
    figure = figure_of(shown(kind, language=language, patients=patients, epsilon=epsilon))
    assert collisions(figure) == []
    assert "plots." not in words(figure)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_drawn_without_failing(kind: str) -> None:
    assert collisions(figure_of(shown(kind, patients="none", language="fr"))) == []
    figure_of(shown(kind, cohort=NOBODY, epsilon=HALF), look=DARK)


@pytest.mark.parametrize("kind", ["histogram", "table", "summary", "regress", "survival_sex", "attrition", "count"])
@pytest.mark.parametrize("width", [6.4, 11.0])
def test_sites_stand_beside_each_other(kind: str, width: float) -> None:
    panels = by_site(kind, language="de")
    size = size_of(panels, width=width)
    figure = picture_of(panels, size=size).figure
    assert collisions(figure) == []
    assert "Lausanne" in words(figure)
    if kind != "count":
        stacked = sum(size_of([each], width=width)[1] for each in panels)
        assert size[1] < stacked


@pytest.mark.parametrize("size", [(4.2, 2.4), (11.0, 4.6)])
@pytest.mark.parametrize("kind", ["breakdown_long", "histogram_dates", "compare", "correlate", "survival_long"])
def test_any_size_can_be_drawn(kind: str, size: tuple[float, float]) -> None:
    figure = figure_of(shown(kind), size=size)
    assert tuple(figure.get_size_inches()) == size
    assert not [each for each in collisions(figure) if "leaves" in each]


@pytest.mark.parametrize("look", [LIGHT, DARK])
@pytest.mark.parametrize("kind", ["histogram", "table", "survival_sex"])
def test_the_same_figure_is_the_same_bytes(kind: str, look: Look) -> None:
    def made() -> list[bytes]:
        figure = figure_of(shown(kind), look=look)
        return [svg(figure), png(figure, 50), pdf([figure_of(shown(kind), look=look)], "Title")]

    assert made() == made()


# --- what they say ------------------------------------------------------------------------------------------------


def test_curves_say_medians_test_and_hazard_ratio() -> None:
    said = words(figure_of(shown("survival_sex")))
    for part in ("median 14.0 months", "median 9.0 months", "Log-rank test p &lt; 0.001", "Hazard ratio male / female"):
        assert part in said
    assert "Bands: 95% intervals (log-log)." in said
    greenwood = words(figure_of(shown("survival_sex"), options=Options(interval="greenwood")))
    assert "(Greenwood)" in greenwood


def test_numbers_at_risk_are_those_at_the_beginning_of_intervals() -> None:
    panel = shown("survival_sex")
    assert isinstance(panel.result, SurvivalResult)
    said = words(figure_of(panel))
    for curve in panel.result.curves:
        for month in (0, 6, 12, 18, 24, 30):
            assert f" {curve.at_risk[month]} " in f" {said} "
    assert "number at risk" not in words(figure_of(panel, options=Options(at_risk=False)))


def test_a_curve_begins_at_everyone_and_keeps_its_colour_when_others_are_hidden() -> None:
    panel = shown("survival_sex")
    female, male = lines_of(panel, Options())
    assert (female.times[0], female.shares[0]) == (0.0, 1.0)
    (alone,) = lines_of(panel, Options(hidden=frozenset(["female"])))
    assert (alone.place, alone.name) == (male.place, "male")
    assert alone.shares == male.shares


def test_events_are_what_survival_leaves() -> None:
    panel = shown("survival")
    (survival,), (events,) = lines_of(panel, Options()), lines_of(panel, Options(events=True))
    assert [1 - share for share in survival.shares] == pytest.approx(events.shares)
    assert all(low <= share <= high for low, share, high in zip(events.low, events.shares, events.high, strict=True))


def test_bands_of_many_curves_are_left_out_and_that_is_said() -> None:
    assert "up to 4 groups" in caption([shown("survival_long")], Options())
    few = Options(hidden=frozenset(f"s{place}" for place in range(1, 8)))
    assert "Bands:" in caption([shown("survival_long")], few)


def test_noise_is_said_and_drawn() -> None:
    said = words(figure_of(shown("breakdown", patients="large", epsilon=HALF)))
    assert "Noise was added: each number is within 10 of the true one with a probability of 95%." in said
    assert "Noise was added" not in words(figure_of(shown("breakdown")))


def test_what_is_withheld_is_said() -> None:
    panel = shown("breakdown")
    assert isinstance(panel.result, GroupsResult)
    groups = (GroupCount("0", Estimate(), None, 0), *panel.result.groups[1:])
    figure = figure_of(replace(panel, result=replace(panel.result, groups=groups)))
    assert "withheld" in words(figure)
    assert "Withheld: 1." in words(figure)
    assert collisions(figure) == []


def test_open_ends_of_a_histogram_are_as_wide_as_their_neighbours_and_marked() -> None:
    panel = shown("histogram_uneven")
    assert isinstance(panel.result, GroupsResult)
    bins = bins_of(panel.result.groups, panel.words, "weight_loss")
    assert [each.open for each in bins] == [True, *[False] * 7, True]
    assert (bins[0].left, bins[0].right, bins[-1].left, bins[-1].right) == (-20.0, -10.0, 40.0, 50.0)
    said = words(figure_of(panel))
    assert "Patients per 5 pounds" in said
    assert "Hatched: open-ended" in said


def test_a_funnel_names_its_criteria() -> None:
    said = words(figure_of(shown("attrition")))
    for part in ("All patients", "Lung cancer: yes", "at least 50 and less than 75 years"):
        assert part in said


def test_two_runs_share_their_scale() -> None:
    small, large = shown("breakdown", name="Small"), shown("breakdown", patients="large", name="Large")
    one, other = picture_of([small, large]).figure.axes
    assert one.get_xlim()[1] == pytest.approx(other.get_xlim()[1], rel=0.2)
    assert one.get_xlim()[1] > 1000
    curves = picture_of([replace(small, result=shown("survival").result), large]).figure
    assert {"Small", "Large"} <= set(words(curves).split())


def test_groups_that_can_be_switched_off() -> None:
    assert switchable(shown("survival_sex").result) == ("female", "male")
    assert switchable(shown("survival").result) == ()
    assert switchable(shown("breakdown").result)[-1] == UNKNOWN
    said = words(figure_of(shown("breakdown"), options=Options(hidden=frozenset([UNKNOWN]))))
    assert "Unknown" not in said


# --- under the pointer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "count"])
def test_values_under_the_pointer_lie_within_the_figure(kind: str) -> None:
    spots = picture_of([shown(kind)]).spots
    assert spots
    for spot in spots:
        assert -0.01 <= spot.left <= spot.left + spot.width <= 1.01
        assert -0.01 <= spot.top <= spot.top + spot.height <= 1.01
        assert "plots." not in spot.words


def test_a_bar_says_its_number_where_it_is() -> None:
    picture = picture_of([shown("breakdown")])
    assert picture.at(0.5, 0.12).startswith("0, fully active: 63")
    assert picture.at(0.5, 0.999) == ""


def test_a_curve_says_what_it_has_come_to() -> None:
    panel = shown("survival")
    said = [spot.words for spot in picture_of([panel]).spots]
    assert said[0].startswith("At 0 months")
    assert "At 12.0 months\nAll: 41.5% (34.4% to 48.4%), at risk 65" in said[12]
    assert UNIT_DAYS["months"] == pytest.approx(30.4375)


# --- numbers and tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_in_words(kind: str, language: str) -> None:
    panel: Shown = shown(kind, language=language)
    for twin in twins_of(panel.result, panel.words).values():
        cells = [*twin.columns, *(cell for row in twin.rows for cell in row)]
        assert not [each for each in cells if "plots." in each or each.startswith("[")]
        assert all(len(row) == len(twin.columns) == len(twin.numeric) for row in twin.rows)


@pytest.mark.parametrize(
    ("value", "language", "said"),
    [(1234567.8, "de", "1.234.568"), (0.0123456, "fr", "0,0123"), (-3.2, "en", "−3.20"), (1.234e-7, "en", "1.23·10⁻⁷")],
)
def test_numbers_keep_their_significant_figures(value: float, language: str, said: str) -> None:
    assert significant(value, language) == said


def test_shares_and_p_values() -> None:
    assert percent(0.1234, "en", 1) == "12.3%"
    assert percent(0.1234, "de", 1) == "12,3\u202f%"
    assert [p_value(p, "en") for p in (0.00001, 0.0346, 0.5)] == ["p < 0.001", "p = 0.035", "p = 0.50"]


def test_letters_on_colours_can_be_read() -> None:
    assert ink_on("#2257C5") == "#FFFFFF"
    assert ink_on("#FFF4CC") == "#14171D"


@pytest.mark.parametrize("kind", KINDS)
def test_what_could_not_be_computed_says_so_in_place_of_numbers(kind: str) -> None:
    found = shown(kind)
    assert found.words.query is not None
    failed = nothing(found.words.query, found.words.catalogue, 0.95)
    assert failed.kind == found.result.kind
    empty = replace(found, result=failed)
    assert "could not be computed" in caption([empty], Options())
    assert figure_of(empty)
    assert twins_of(failed, found.words)["main"]
