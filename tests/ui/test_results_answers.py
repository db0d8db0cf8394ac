"""The answer of every analysis: what stands large, facts, statistics, the table twin, sites, comparing."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.core.analysis.results import CountResult, Estimate, Result
from app.core.services.runs import Run
from app.texts import use_language
from app.ui.context import Context
from app.ui.models.answers import facts, headline
from app.ui.models.question import Question
from app.ui.models.statistics import notes, statistics
from app.ui.models.told import EACH, TOTAL, Told
from app.ui.models.twin import Cell, Twin, differences, twin_of
from app.ui.models.wish import Wish
from app.ui.views.results import ResultsView
from app.ui.views.results.figure import FigurePlace
from app.ui.views.results.opened import BOTH, FIGURE, TABLE
from app.ui.views.results.statistics_panel import StatisticsPanel
from app.ui.views.results.twin_table import TwinModel, separated
from app.ui.widgets.text import Label
from tests.ui import examples_answers as answers
from tests.ui.fakes import FakeBridge
from tests.ui.results_screen import choose, owned_by, shown


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FigurePlace, "at_once", True)


def told(name: str, **changes: Any) -> tuple[Result, Told]:
    """An answer as it is told."""
    found = Told.from_plain(answers.answered(name, **changes))
    return found.results[0].result, found


def screen(fake_bridge: FakeBridge, context: Context, qtbot: QtBot, *found: dict[str, Any]) -> ResultsView:
    """Show the screen of an owner who has these runs."""
    owned_by(fake_bridge, list(found))
    return shown(context, qtbot)


def labels(widget: Any) -> str:
    """All that stands on a widget."""
    return " ".join(each.text() for each in widget.findChildren(Label))


# --- what is said ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number", "unit", "caption"),
    [
        ("count", "1,284", "patients", ""),
        ("breakdown", "1,284", "patients", "in all groups of: Stage at diagnosis"),
        ("table", "1,249", "patients", "with a known value of both: Stage at diagnosis; Sex"),
        ("compare", "−0.320", "mm", "Difference of means, Women less Men: Breslow thickness"),
        ("regress", "14%", "", "of the spread is explained: Breslow thickness"),
        ("survival", "1.25", "", "Hazard ratio, Men to Women"),
        ("attrition", "1,284", "patients", "left after all criteria, of 4,100"),
    ],
)
def test_one_number_stands_large(name: str, number: str, unit: str, caption: str) -> None:
    result, about = told(name)
    assert about.words is not None
    found = headline(result, about.words)
    assert found is not None
    assert (found.number, found.unit, found.caption) == (number, unit, caption)
    assert found.spoken.startswith(f"{number} {unit}".strip())


def test_where_no_number_says_more_than_the_others_none_stands_large() -> None:
    for name in ("summary", "correlate"):
        result, about = told(name)
        assert about.words is not None
        assert headline(result, about.words) is None
        assert facts(result, about.words)


def test_a_median_has_the_unit_of_the_axis_and_may_not_be_reached() -> None:
    result, about = told("survival", result=answers.alone())
    assert about.words is not None
    found = headline(result, about.words)
    assert found is not None
    assert (found.number, found.unit) == ("29.0", "months")
    assert found.interval == "95% interval: 27.0 to 32.0"
    several, _ = told("survival", result=answers.staged())
    assert ("Median: Stage I", "not reached") in facts(several, about.words)


def test_the_uncertainty_of_exact_and_noised_numbers() -> None:
    for width, interval in ((0.0, "Exact number"), (answers.WIDTH, "95% interval: 1,256 to 1,312")):
        result, about = told("breakdown", width=width)
        assert about.words is not None
        found = headline(result, about.words)
        assert found is not None
        assert found.interval == interval


@pytest.mark.parametrize("language", ["en", "fr", "de"])
@pytest.mark.parametrize("name", sorted(answers.ANALYSES))
def test_everything_is_said_in_every_language(name: str, language: str) -> None:
    use_language(language)
    for width in (0.0, answers.WIDTH):
        result, about = told(name, width=width)
        assert about.words is not None
        said = [each for row in statistics(result, about.words) for each in (row.name, row.value, row.meaning)]
        said += [each for fact in facts(result, about.words) for each in fact]
        said += notes(result, about.words)
        found = headline(result, about.words)
        said += [] if found is None else [found.spoken]
        twin = twin_of(result, about.words)
        said += [*twin.columns, *(cell.words for row in twin.rows for cell in row)]
        assert not [each for each in said if "ui.results" in each or "plots." in each or "None" in each]
        assert bool(width) == bool(notes(result, about.words)) or name == "summary"


def test_statistics_say_test_freedom_and_p() -> None:
    result, about = told("table")
    assert about.words is not None
    found = {each.name: each.value for each in statistics(result, about.words)}
    assert found["Pearson’s chi-squared test"] == "χ² = 5.91, df = 3, p = 0.12"
    assert "Cramér’s V" in found
    result, about = told("survival")
    assert about.words is not None
    found = {each.name: each.value for each in statistics(result, about.words)}
    assert found["Hazard ratio, Men to Women"] == "1.25 (1.10 to 1.43), p < 0.001"
    assert found["Log-rank test"] == "χ² = 11.4, df = 1, p < 0.001"


def test_pairs_of_groups_are_tested_where_there_are_more_than_two() -> None:
    result, about = told("survival", result=answers.staged())
    assert about.words is not None
    names = [each.name for each in statistics(result, about.words)]
    assert "Log-rank test, Stage I and Stage IV" in names


# --- the table twin -------------------------------------------------------------------------------------------------


def test_the_twin_model_keeps_qts_rules(qtmodeltester: ModelTester) -> None:
    model = TwinModel()
    result, about = told("survival")
    assert about.words is not None
    model.show(twin_of(result, about.words))
    qtmodeltester.check(model, force_py=True)
    assert model.rowCount() == 120
    assert model.headerData(1, Qt.Orientation.Horizontal) == "To (months)"
    assert model.headerData(1, Qt.Orientation.Vertical) is None
    assert model.data(model.index(0, 2), int(Qt.ItemDataRole.AccessibleTextRole)) == "At risk: 601"
    assert model.data(QModelIndex()) is None


def test_a_table_of_two_variables_is_crossed_with_totals() -> None:
    result, about = told("table")
    assert about.words is not None
    twin = twin_of(result, about.words)
    assert twin.columns == ("Stage at diagnosis", "Women", "Men", "Total")
    assert [cell.words for cell in twin.rows[-1]] == ["Total", "551", "698", "1,249"]
    assert twin.rows[0][1] == Cell("240", 240.0)


def test_exact_numbers_have_no_columns_of_noise() -> None:
    for width, columns in ((0.0, 3), (answers.WIDTH, 6)):
        result, about = told("breakdown", width=width)
        assert about.words is not None
        assert len(twin_of(result, about.words).columns) == columns


def test_what_is_withheld_is_no_zero() -> None:
    result = answers.table()
    hidden = ((Estimate(), *result.cells[0][1:]), *result.cells[1:])
    _, about = told("table")
    assert about.words is not None
    row = twin_of(replace(result, cells=hidden), about.words).rows[0]
    assert row[1] == Cell("withheld")


def test_a_copied_table_has_whole_numbers_and_no_formulas() -> None:
    rows = [(Cell("=HYPERLINK(1)", text=True), Cell("−0.3", -0.31415)), (Cell("plain", text=True), Cell(""))]
    found = list(csv.reader(io.StringIO(separated(("Group", "@r"), rows, ",", local=False))))
    assert found == [["Group", "'@r"], ["'=HYPERLINK(1)", "-0.31415"], ["plain", ""]]
    use_language("de")
    assert "\t-0,31415" in separated(("Group", "r"), rows, "\t", local=True)


def test_copy_the_table(fake_bridge: FakeBridge, context: Context, qtbot: QtBot) -> None:
    view = screen(fake_bridge, context, qtbot, answers.answered("breakdown"))
    view.export_menu.table_action.trigger()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == ["Group", "Patients", "Share"]
    assert lines[1].startswith("Stage I\t512\t0.39")
    assert QGuiApplication.clipboard().mimeData().data("text/csv").data().startswith(b"Group,Patients,Share")
    view.opened.tabs.setCurrentIndex(TABLE)
    view.opened.table.selectRow(2)
    QTest.keyClick(view.opened.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert len(QGuiApplication.clipboard().text().splitlines()) == 2


# --- on the screen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(answers.ANALYSES))
def test_every_analysis_opens_with_figure_and_table(
    name: str, fake_bridge: FakeBridge, context: Context, qtbot: QtBot
) -> None:
    view = screen(fake_bridge, context, qtbot, answers.answered(name, width=answers.WIDTH))
    opened = view.opened
    assert opened.tabs.currentIndex() == FIGURE
    assert opened.figure.isVisible()
    assert opened.figure.picture is not None
    assert not opened.table.isVisible()
    opened.tabs.setCurrentIndex(BOTH)
    assert opened.figure.isVisible()
    assert opened.table.isVisible()
    opened.tabs.setCurrentIndex(TABLE)
    assert not opened.figure.isVisible()
    assert opened.table.rows.rowCount() > 0
    assert "noise" in labels(opened.statistics)
    assert "Intervals and tests allow for it." in labels(view.protection) or name == "count"


def test_the_results_are_asked_for_when_the_answer_has_come(
    fake_bridge: FakeBridge, context: Context, qtbot: QtBot
) -> None:
    run = answers.answered("survival")
    final = {key: run[key] for key in ("state", "answer")}
    found = owned_by(fake_bridge, [{**run, "state": "sent", "answer": None}])
    view = shown(context, qtbot)
    asked = len(fake_bridge.named("query.show"))
    found[0] |= final
    fake_bridge.stir()
    assert len(fake_bridge.named("query.show")) == asked + 1
    assert view.opened.answer.number.text() == "1.25"
    assert view.opened.tabs.currentIndex() == FIGURE


def test_before_its_results_are_told_an_answer_is_no_count(
    fake_bridge: FakeBridge, context: Context, qtbot: QtBot
) -> None:
    owned_by(fake_bridge, [answers.answered("survival")])
    del fake_bridge.answers["query.show"]
    view = shown(context, qtbot)
    assert not view.opened.answer.number.isVisible()
    assert view.opened.answer.caption.text() == "Reading the answer …"
    assert view.opened.figure.picture is None
    assert view.opened.table.rows.rowCount() == 0


def test_the_controls_come_back_with_a_figure_of_the_same_kind(
    fake_bridge: FakeBridge, context: Context, qtbot: QtBot
) -> None:
    again = answers.answered("survival", id="ee" * 16)
    view = screen(fake_bridge, context, qtbot, answers.answered("survival"), answers.answered("count"), again)
    for id, there in ((answers.IDS["survival"], True), (answers.IDS["count"], False), ("ee" * 16, True)):
        choose(view, id)
        assert view.opened.twins.choosing.isVisible() is there
    view.opened._told = None
    view.opened._show_answer()
    assert view.opened.figure.picture is None
    assert not view.opened.twins.choosing.isVisible()
    choose(view, answers.IDS["survival"])
    assert view.opened.figure.picture is not None
    assert view.opened.twins.choosing.isVisible()


def test_numbers_of_each_site_where_they_are_told(fake_bridge: FakeBridge, context: Context, qtbot: QtBot) -> None:
    view = screen(fake_bridge, context, qtbot, answers.answered("breakdown", per_site=True), answers.answered("count"))
    opened = view.opened
    choose(view, answers.IDS["breakdown"])
    assert opened.site.isVisible()
    assert [opened.site.itemData(place) for place in range(opened.site.count())] == [
        TOTAL, "Lausanne", "Geneva", "Bern", EACH,
    ]  # fmt: skip
    assert opened.answer.number.text() == "1,284"
    for value, number, rows in (("Lausanne", "642", 6), (EACH, "1,284", 24)):
        opened.site.set_value(value)
        opened.site.chosen.emit(value)
        assert opened.answer.number.text() == number
        assert opened.table.rows.rowCount() == rows
    assert opened.twins.twin.columns[0] == "Site"
    assert "Each site’s own numbers" in labels(view.protection)
    choose(view, answers.IDS["count"])
    assert not opened.site.isVisible()
    assert "No numbers of single sites" in labels(view.protection)


def test_the_statistics_stay_when_nothing_is_new(qtbot: QtBot) -> None:
    panel = StatisticsPanel()
    qtbot.addWidget(panel)
    result, about = told("table", width=answers.WIDTH)
    assert about.words is not None
    panel.show_all(statistics(result, about.words), notes(result, about.words))
    before = panel.findChildren(Label)
    panel.show_all(statistics(result, about.words), notes(result, about.words))
    assert panel.findChildren(Label) == before


def test_an_answer_of_an_older_owner_still_has_its_count() -> None:
    plain = answers.answered("count", width=answers.WIDTH)
    plain["answer"] |= {"results": []}
    found = Told.from_plain({**plain, "query": b"\x00"})
    assert found.question == Question((plain["text"],), plain["text"])

    run = Run.from_plain(plain)
    (panel,) = found.shown(TOTAL, run)
    assert isinstance(panel.result, CountResult)
    assert (panel.result.raw, panel.result.noise_width) == (1284, 14.0)


# --- two of them ----------------------------------------------------------------------------------------------------


def test_two_runs_of_a_kind_are_compared_in_one_figure_and_a_table_of_differences(
    fake_bridge: FakeBridge, context: Context, qtbot: QtBot
) -> None:
    other = answers.answered("breakdown", id="ee" * 16, result=answers.smaller(answers.breakdown(), 4))
    runs = [answers.answered("breakdown"), answers.answered("survival"), other]
    view = screen(fake_bridge, context, qtbot, *runs)
    view.compare_button.click()
    compare = view.compare
    assert compare.chosen == (answers.IDS["breakdown"], "ee" * 16)  # of the same analysis, though an older one
    twin = compare.table.rows.twin
    assert twin.columns == ("Group", "A", "B", "Difference")
    assert [cell.words for cell in twin.rows[0]] == ["Stage I", "512", "128", "−384"]
    assert compare.figure.picture is not None
    assert any("Stage I" in spot.words for spot in compare.figure.spots)
    right = compare._sides[1].choice
    right.set_value(answers.IDS["survival"])
    right.chosen.emit(answers.IDS["survival"])
    assert not compare.table.isVisible()  # curves and groups have no rows in common
    assert compare.figure.picture is not None


def test_differences_need_rows_in_common() -> None:
    one = Twin(("Group", "Patients"), ((Cell("a", text=True), Cell("3", 3.0)), (Cell("b", text=True), Cell(""))))
    other = Twin(("Group", "Patients"), ((Cell("b", text=True), Cell("4", 4.0)),))
    found = differences(one, other, ("A", "B"))
    assert found is not None
    assert found.rows == ((Cell("b", text=True), Cell(""), Cell("4", 4.0), Cell("")),)
    assert differences(one, Twin(("Variable", "Patients"), other.rows), ("A", "B")) is None
    assert differences(one, Twin(("Group", "Patients"), ()), ("A", "B")) is None


def test_edit_and_ask_again_keep_the_whole_question(
    fake_bridge: FakeBridge, context: Context, qtbot: QtBot, navigations: list[tuple[str, object]]
) -> None:
    view = screen(fake_bridge, context, qtbot, answers.answered("survival", per_site=True))
    view.edit_button.click()
    assert navigations == [("explore", Wish("survival os by sex where C43 and age >= 40", per_site=True))]
    fake_bridge.answers["query.run"] = {"id": answers.IDS["survival"]}
    view.again_button.click()
    assert view.doing.dialog is not None
    view.doing.dialog.answer()
    (call,) = fake_bridge.named("query.run")
    assert call.values["text"] == "survival os by sex where C43 and age >= 40"
    assert call.values["per_site"] is True
