"""Random cohorts and patients over one small catalogue, for tests of the query language."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import strategies as st

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.query.model import All, Any, Cohort, Flag, Known, Levels, Not, Range, Term
from app.core.query.oracle import Row


def _levels(*codes: str) -> tuple[Level, ...]:
    return tuple(Level(code, Label(code)) for code in codes)


def _cuts(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


CATALOGUE = Catalogue(
    "Test",
    1,
    (
        Variable("smoker", Kind.FLAG, Label("Smoker", "Fumeur", "Raucht")),
        Variable("dx:C50", Kind.FLAG, Label("Breast cancer")),
        Variable("HGVS:c.4375C>T", Kind.FLAG, Label("A variant")),
        Variable("sex", Kind.CATEGORY, Label("Sex", "Sexe", "Geschlecht"), levels=_levels("female", "male")),
        Variable("stage", Kind.CATEGORY, Label("Stage"), levels=_levels("I", "II", "III", "IV")),
        Variable("and", Kind.CATEGORY, Label("An odd one"), levels=_levels("0", "10", "2nd", "not", "a=b")),
        Variable(
            "age",
            Kind.NUMBER,
            Label("Age", "Âge", "Alter"),
            cut_points=_cuts("40", "50", "60", "70"),
            unit="a",
            unit_label=Label("years", "ans", "Jahre"),
        ),
        Variable("lab:crp", Kind.NUMBER, Label("CRP"), cut_points=_cuts("-0.5", "0.3", "2.25"), unit="mg/L"),
    ),
)


def terms_of(variable: Variable) -> st.SearchStrategy[Term]:
    """Terms of one variable: every one that the model allows."""
    match variable.kind:
        case Kind.FLAG:
            return st.just(Flag(variable.code))
        case Kind.CATEGORY:
            codes = [level.code for level in variable.levels]
            levels = st.frozensets(st.sampled_from(codes)).map(lambda chosen: Levels(variable.code, chosen))
            return st.one_of(st.just(Known(variable.code)), levels)
        case Kind.NUMBER:
            bounds = [None, *variable.cut_points, None]
            places = [(low, high) for low in range(len(bounds)) for high in range(low + 1, len(bounds))]
            ranges = [Range(variable.code, bounds[a], bounds[b]) for a, b in places if (a, b) != (0, len(bounds) - 1)]
            return st.sampled_from([Known(variable.code), *ranges])


TERMS: st.SearchStrategy[Term] = st.one_of([terms_of(variable) for variable in CATALOGUE])


def _groups(inner: st.SearchStrategy[Cohort]) -> st.SearchStrategy[Cohort]:
    children = st.lists(inner, max_size=4).map(tuple)
    return st.one_of(inner.map(Not), children.map(All), children.map(Any))


def cohorts(terms: st.SearchStrategy[Term] = TERMS, leaves: int = 20) -> st.SearchStrategy[Cohort]:
    """Cohorts of any shape, empty and single groups included, no deeper than a query may be."""
    return st.recursive(terms, _groups, max_leaves=leaves).filter(lambda cohort: cohort.depth <= 12)


def values_of(variable: Variable) -> list[object]:
    """No value, and one value for each way in which the terms can tell patients apart; bounds and their neighbours."""
    match variable.kind:
        case Kind.FLAG:
            return [None, False, True]
        case Kind.CATEGORY:
            return [None, *(level.code for level in variable.levels)]
        case Kind.NUMBER:
            cuts = variable.cut_points
            return [None, *cuts, *(cut - Decimal("0.01") for cut in cuts), *(float(cut) for cut in cuts), 1000]


def patients(count: int, seed: int) -> list[Row]:
    """Patients with values at and beside every cut point, every third value missing or so; the same for a seed."""
    draw = random.Random(seed)
    rows: list[Row] = []
    for _ in range(count):
        values = {each.code: draw.choice(values_of(each)) for each in CATALOGUE}
        rows.append({code: value for code, value in values.items() if draw.random() < 0.85})
    return rows
