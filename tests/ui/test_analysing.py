"""Analyses: which can begin with what, which variables fit, and that changing one never leaves a gap."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.query.analyses import (
    NAMES,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Regress,
    Survival,
    Table,
)
from app.core.query.cells import cells_of
from app.core.query.model import EVERYONE, Query
from app.core.query.text import format_query, parse_query
from app.ui.models.analysing import (
    PICTURES,
    SLOTS,
    begin,
    chosen,
    grouping_of,
    groups_of,
    kinds_of,
    problem,
    with_chosen,
)
from app.ui.models.catalogue import NOTHING_HELD, Holding
from tests.catalogues import EVERY_KIND
from tests.ui.examples_melanoma import CATALOGUE

KINDS = kinds_of(CATALOGUE)


def test_there_is_a_picture_of_every_analysis() -> None:
    assert sorted(PICTURES) == sorted(NAMES) == sorted(SLOTS)


@pytest.mark.parametrize("catalogue", [CATALOGUE, EVERY_KIND], ids=["melanoma", "every kind"])
@pytest.mark.parametrize("name", PICTURES)
def test_what_is_begun_can_be_computed_and_written(name: str, catalogue: Catalogue) -> None:
    analysis = begin(name, kinds_of(catalogue), NOTHING_HELD)
    assert analysis is not None
    assert analysis.name == name
    query = Query(EVERYONE, analysis)
    cells_of(query, catalogue)
    assert parse_query(format_query(query, catalogue), catalogue) == query


@pytest.mark.parametrize("name", PICTURES)
def test_every_variable_that_fits_a_slot_can_be_computed(name: str) -> None:
    begun = begin(name, KINDS, NOTHING_HELD)
    assert begun is not None
    for slot in SLOTS[name]:
        for variable in CATALOGUE:
            found = chosen(begun, slot)
            if problem(slot, variable):
                continue
            taken = {each.code for other in SLOTS[name] if other != slot for each in chosen(begun, other)}
            if variable.code in taken | {each.code for each in found[1:]}:
                continue
            changed = with_chosen(begun, slot, [grouping_of(slot, variable), *found[1:]])
            cells_of(Query(EVERYONE, changed), CATALOGUE)
            assert chosen(changed, slot)[0].code == variable.code


def test_the_variables_in_use_come_first_then_those_that_most_sites_have() -> None:
    holding = Holding({"stage": 3, "sex": 2}, frozenset(), 3)
    assert begin("breakdown", KINDS, holding) == Breakdown("stage")
    assert begin("breakdown", KINDS, holding, Table(Grouping("sex"), Grouping("BRAF"))) == Breakdown("sex")
    assert begin("survival", kinds_of(Catalogue("None", 1, CATALOGUE.variables[6:8])), holding) is None


def test_numbers_make_groups_at_some_of_their_cut_points() -> None:
    age = CATALOGUE.variable("age")
    compared, by = SLOTS["compare"][1], SLOTS["survival"][1]
    assert len(grouping_of(compared, age).cuts) == 1
    assert len(grouping_of(by, age).cuts) == 3
    assert grouping_of(SLOTS["table"][0], CATALOGUE.variable("lab:ldh")) == Grouping("lab:ldh")
    assert groups_of(Grouping("age", (Decimal(50),)), age) == 2
    assert groups_of(Grouping("stage"), CATALOGUE.variable("stage")) == 4
    assert problem(compared, CATALOGUE.variable("stage")) == "groups"
    assert problem(by, CATALOGUE.variable("diagnosed")) == "groups"
    assert problem(SLOTS["compare"][0], CATALOGUE.variable("lab:ldh")) == "exact"
    assert problem(by, CATALOGUE.variable("os")) == "kind"


def test_changing_one_slot_keeps_the_others() -> None:
    outcome, predictors = SLOTS["regress"]
    assert with_chosen(Regress("bmi", ("age", "BRAF")), outcome, [Grouping("age")]) == Regress("age", ("BRAF",))
    assert with_chosen(Regress("bmi", ("age",)), predictors, [Grouping("age"), Grouping("NRAS")]).codes == (
        "bmi",
        "age",
        "NRAS",
    )
    variable, by = SLOTS["survival"]
    asked = Survival("os", Grouping("sex"), Decimal("365.25"))
    assert with_chosen(asked, by, []) == Survival("os", None, Decimal("365.25"))
    assert with_chosen(asked, variable, [Grouping("os")]) == Survival("os", Grouping("sex"))
    assert chosen(asked, by) == (Grouping("sex"),)
    assert chosen(Compare("bmi", Grouping("sex")), SLOTS["compare"][1]) == (Grouping("sex"),)
    with pytest.raises(UserError, match=r"query\.same_variable"):
        with_chosen(Correlate(("age", "bmi")), SLOTS["correlate"][0], [Grouping("age"), Grouping("age")])
    assert with_chosen(Count(), variable, []) == Count()
