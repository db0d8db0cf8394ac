"""What changed between two catalogues."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given

from app.core.catalogue.difference import Change, Changed, Detail, differences
from app.core.catalogue.model import Catalogue, Group, Label, Level
from app.core.catalogue.scales import Periods
from tests.catalogues import EVERY_KIND, catalogues


def changed(code: str, **fields: Any) -> tuple[Changed, ...]:
    variables = tuple(replace(each, **fields) if each.code == code else each for each in EVERY_KIND)
    return differences(EVERY_KIND, replace(EVERY_KIND, variables=variables))


def only(found: tuple[Changed, ...]) -> Changed:
    (one,) = found
    return one


@given(catalogues(), catalogues())
def test_it_agrees_with_the_meanings(old: Catalogue, new: Catalogue) -> None:
    found = {each.code: each for each in differences(old, new) if not each.group}
    for variable in new:
        before = old.find(variable.code)
        kind = found[variable.code].change if variable.code in found else None
        if before is None:
            assert kind is Change.ADDED
        elif not new.means(variable.code, old.meaning(variable.code)):
            assert kind is Change.MEANING
            assert any(detail.means for detail in found[variable.code].details)
        elif before != variable:
            assert kind is Change.SHOWN
            assert not any(detail.means for detail in found[variable.code].details)
        else:
            assert kind is None
    assert {code for code, each in found.items() if each.change is Change.REMOVED} == {
        each.code for each in old if new.find(each.code) is None
    }
    assert differences(old, old) == ()


def test_cut_points_and_units() -> None:
    cuts = (Decimal(250), Decimal(300), Decimal(500))
    found = only(changed("lab:ldh", cut_points=cuts, unit="kat/L", label=Label("LDH")))
    assert (found.change, found.unusable) == (Change.MEANING, True)
    assert set(found.details) == {
        Detail("cut_points", ("120.5",), ("300",), True),
        Detail("unit", ("U/L",), ("kat/L",), True),
        Detail("label.en", ('LDH "total"',), ("LDH",), False),
        Detail("label.de", ("LDH",), (), False),
    }


def test_levels_and_their_order() -> None:
    sex = EVERY_KIND.variable("sex")
    more = (*sex.levels, Level("other", Label("other")))
    assert Detail("levels", (), ("other",), True) in only(changed("sex", levels=more)).details
    turned = only(changed("sex", levels=sex.levels[::-1]))
    assert turned.details == (Detail("levels", ("female", "male"), ("male", "female"), True),)
    reworded = tuple(replace(level, label=Label(level.code, "x")) for level in sex.levels)
    assert only(changed("sex", levels=reworded)).change is Change.SHOWN


def test_periods_and_ranges() -> None:
    found = only(changed("os", periods=Periods(Decimal(30), 72)))
    assert found.details == (Detail("periods", ("60",), ("72",), True),)
    assert only(changed("age", minimum=Decimal(0))).change is Change.SHOWN
    assert only(changed("lab:ldh", minimum=Decimal(1))).change is Change.MEANING


def test_a_roll_up_changes_with_what_is_below_it() -> None:
    fewer = replace(EVERY_KIND, variables=tuple(each for each in EVERY_KIND if each.code != "ICD10:C50"))
    rolled, gone = differences(EVERY_KIND, fewer)
    assert rolled == Changed("ICD10:C00-C97", Change.MEANING, (Detail("below", ("ICD10:C50",), (), True),))
    assert gone == Changed("ICD10:C50", Change.REMOVED)
    assert gone.unusable


def test_groups() -> None:
    groups = (replace(EVERY_KIND.groups[0], label=Label("Dx")), EVERY_KIND.groups[1], Group("new", Label("New")))
    found = differences(EVERY_KIND, replace(EVERY_KIND, groups=groups))
    assert [(each.code, each.change, each.group, each.unusable) for each in found] == [
        ("diagnoses", Change.SHOWN, True, False),
        ("new", Change.ADDED, True, False),
    ]
