"""Public studies, split over three sites: survival on encrypted data is what lifelines says of the pooled rows.

The libraries get the rows rounded to the same periods, and nothing of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_gbsg2, load_lung, load_rossi
from lifelines.statistics import logrank_test

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.scales import FollowUp, Periods
from tests.analysis_sites import AnalysisSites

MONTH = Decimal("30.4375")


@dataclass(frozen=True)
class Study:
    """Follow-up in days, whether the event came, and one group of two, for every patient; and the periods."""

    name: str
    days: Sequence[float]
    events: Sequence[bool]
    group: Sequence[bool]
    periods: Periods
    places: Sequence[int]
    """Which of three sites a patient is at."""

    @property
    def catalogue(self) -> Catalogue:
        survival = Variable("os", Kind.SURVIVAL, Label("Survival"), periods=self.periods)
        return Catalogue(self.name, 1, (survival, Variable("group", Kind.FLAG, Label("Group"))))

    def patients(self, place: int) -> list[Mapping[str, object]]:
        values = zip(self.days, self.events, self.group, self.places, strict=True)
        return [
            {"os": FollowUp(Decimal(str(days)), bool(event)), "group": bool(group)}
            for days, event, group, at in values
            if at == place
        ]

    def rounded(self) -> pd.DataFrame:
        length = float(self.periods.days)
        ends = [(int(Decimal(str(days)) // self.periods.days) + 1) * length for days in self.days]
        return pd.DataFrame({"days": ends, "event": self.events, "group": self.group}).astype(float)


def lung() -> Study:
    data = load_lung()
    order = {institution: number % 3 for number, institution in enumerate(sorted(data["inst"].dropna().unique()))}
    places = [order.get(institution, 0) for institution in data["inst"]]
    return Study("lung", data["time"], data["status"] == 1, data["sex"] == 2, Periods(MONTH, 34), places)


def gbsg2() -> Study:
    data = load_gbsg2()
    group = data["horTh"] == "yes"
    return Study("gbsg2", data["time"], data["cens"] == 1, group, Periods(3 * MONTH, 30), np.arange(len(data)) % 3)


def rossi() -> Study:
    data = load_rossi()
    group = data["fin"] == 1
    return Study(
        "rossi", data["week"] * 7, data["arrest"] == 1, group, Periods(Decimal(7), 53), np.arange(len(data)) % 3
    )


def generated() -> Study:
    """A hazard ratio of one half, exponential times, censored at random."""
    draw = np.random.default_rng(20261123)
    group = draw.random(900) < 0.5
    died = draw.exponential(np.where(group, 800, 400))
    left = draw.uniform(0, 1500, 900)
    days = np.floor(np.minimum(died, left))
    return Study("generated", days, died <= left, group, Periods(Decimal(60), 26), draw.integers(0, 3, 900))


@pytest.fixture(scope="module", params=[lung, gbsg2, rossi, generated], ids=lambda each: each.__name__)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Study, dict[str, Any], dict[str, Any]]]:
    """A study, its survival overall and by group, as three sites have opened them."""
    study: Study = request.param()
    patients = [study.patients(place) for place in range(3)]
    sites = AnalysisSites(tmp_path_factory.mktemp(study.name), study.catalogue, patients)
    results = []
    for question in ("survival os", "survival os by group"):
        told = sites.asked(question)
        assert told["state"] == "released", told
        results.append(told["answer"]["results"][0]["result"])
    yield study, *results
    sites.close()


def test_the_curves_are_those_of_lifelines(asked: tuple[Study, dict[str, Any], dict[str, Any]]) -> None:
    study, overall, grouped = asked
    rows = study.rounded()
    curves = {curve["key"]: curve for curve in [*overall["curves"], *grouped["curves"]]}
    for key, chosen in (("", rows), ("yes", rows[rows["group"] == 1]), ("no", rows[rows["group"] == 0])):
        curve = curves[key]
        fitted = KaplanMeierFitter().fit(chosen["days"], chosen["event"])
        wanted = fitted.survival_function_at_times(curve["ends"]).to_numpy()
        followed = np.array(curve["at_risk"]) > 0  # lifelines goes on where nobody is left
        np.testing.assert_allclose(np.array(curve["survival"], float)[followed], wanted[followed], rtol=1e-12)
        assert set(np.array(curve["survival"])[~followed]) <= {None}
        median = fitted.median_survival_time_
        if np.isinf(median):
            assert curve["median"]["value"] is None
        else:
            assert curve["median"]["value"] == pytest.approx(median)
        assert curve["total_events"]["value"] == chosen["event"].sum()
        assert curve["at_risk"][0] == len(chosen)


def test_the_comparison_is_that_of_lifelines(asked: tuple[Study, dict[str, Any], dict[str, Any]]) -> None:
    study, _, grouped = asked
    rows = study.rounded()
    one, other = rows[rows["group"] == 1], rows[rows["group"] == 0]
    wanted = logrank_test(one["days"], other["days"], one["event"], other["event"])
    [tested] = [each["test"] for each in grouped["tests"] if each["weights"] == "logrank"]
    assert tested["statistic"] == pytest.approx(wanted.test_statistic)
    assert tested["p"] == pytest.approx(wanted.p_value)
    cox = CoxPHFitter().fit(rows.astype({"event": int}), "days", "event")
    [ratio] = grouped["hazard_ratios"]
    wanted_ratio = float(cox.hazard_ratios_["group"])
    found = ratio["ratio"]["value"]
    assert (found if ratio["key"] == "yes" else 1 / found) == pytest.approx(wanted_ratio, rel=1e-5)


def test_the_lung_study_has_its_known_numbers(asked: tuple[Study, dict[str, Any], dict[str, Any]]) -> None:
    """Medians 334.8 overall, 426.1 women, 273.9 men; chi² 11.002; hazard ratio of women to men 0.5818."""
    study, overall, grouped = asked
    if study.name != "lung":
        return
    [everyone] = overall["curves"]
    assert round(everyone["median"]["value"], 1) == 334.8
    assert {curve["key"]: round(curve["median"]["value"], 1) for curve in grouped["curves"]} == {
        "yes": 426.1,
        "no": 273.9,
    }
    [tested] = [each["test"] for each in grouped["tests"] if each["weights"] == "logrank"]
    assert round(tested["statistic"], 3) == 11.002
    [ratio] = grouped["hazard_ratios"]
    found = ratio["ratio"]["value"]
    assert round(found if ratio["key"] == "yes" else 1 / found, 4) == 0.5818


def test_the_generated_truth_is_within_its_interval(asked: tuple[Study, dict[str, Any], dict[str, Any]]) -> None:
    study, _, grouped = asked
    if study.name != "generated":
        return
    [ratio] = grouped["hazard_ratios"]
    truth = 0.5 if ratio["key"] == "yes" else 2.0
    assert ratio["ratio"]["low"] < truth < ratio["ratio"]["high"]
