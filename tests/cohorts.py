"""Random cohorts and patients over two small catalogues, for tests of the query language."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations

from hypothesis import strategies as st

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import OCCURRENCES, Calendar, FollowUp, Granularity, Periods
from app.core.query.facets import borders, calendar_of, periods_of
from app.core.query.model import (
    All,
    Any,
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Moment,
    Not,
    Occurs,
    Range,
    Term,
    Within,
)
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
"""Variables of format 1 only: what ``catalogue-1.cbor`` holds."""

MONTH = Decimal("30.4375")

CLINICAL = Catalogue(
    "Clinical",
    1,
    (
        *(CATALOGUE.variable(code) for code in ("smoker", "dx:C50", "sex", "stage", "age")),
        Variable(
            "bmi",
            Kind.NUMBER,
            Label("BMI"),
            cut_points=_cuts("18.5", "25", "25.5", "30"),
            unit="kg/m2",
            minimum=Decimal(10),
            maximum=Decimal(60),
            step=Decimal("0.5"),
        ),
        Variable(
            "height",
            Kind.NUMBER,
            Label("Height", "Taille", "Größe"),
            cut_points=_cuts("150", "160", "161", "180"),
            unit="cm",
            minimum=Decimal(100),
            maximum=Decimal(230),
            step=Decimal(1),
        ),
        Variable(
            "diagnosed",
            Kind.DATE,
            Label("Diagnosis", "Diagnostic", "Diagnose"),
            calendar=Calendar(Granularity.MONTH, date(2018, 11, 1), date(2019, 3, 1)),
        ),
        Variable(
            "born",
            Kind.DATE,
            Label("Birth"),
            calendar=Calendar(Granularity.YEAR, date(1950, 1, 1), date(1953, 1, 1)),
        ),
        Variable(
            "seen",
            Kind.DATE,
            Label("Seen"),
            calendar=Calendar(Granularity.DAY, date(2024, 2, 28), date(2024, 3, 1)),
        ),
        Variable("relapse", Kind.EVENT, Label("Relapse", "Rechute", "Rückfall"), periods=Periods(MONTH, 5, -2)),
        Variable("rx:L01", Kind.EVENT, Label("Cytostatics"), periods=Periods(MONTH, 4)),
        Variable("first", Kind.EVENT, Label("An odd one"), periods=Periods(Decimal(7), 3)),
        Variable("os", Kind.SURVIVAL, Label("Overall survival", "Survie globale"), periods=Periods(MONTH, 6)),
    ),
)
"""Every kind of variable, with numbers that are kept exactly and a code that is a word of the language."""


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
        case Kind.DATE:
            starts = list(calendar_of(variable).starts())
            dates = [Dates(variable.code, *ends) for ends in combinations([None, *starts], 2)]
            return st.sampled_from(
                [Known(variable.code), *dates, *(Dates(variable.code, each, None) for each in starts)]
            )
        case Kind.EVENT:
            days = borders(variable)
            ends = [*combinations([None, *days], 2), *((each, None) for each in days)]
            happened = [Happened(which, variable.code, *each) for which in ("first", "last") for each in ends]
            return st.sampled_from([*(Occurs(variable.code, least) for least in OCCURRENCES), *happened])
        case Kind.SURVIVAL:
            return st.just(Known(variable.code))


def moments(*codes: str) -> st.SearchStrategy[Moment]:
    """The first and last times of events."""
    return st.builds(Moment, st.sampled_from(["first", "last"]), st.sampled_from(codes))


@st.composite
def relations(draw: st.DrawFn, *codes: str) -> Before | Within:
    """Relations between events whose periods are as long; their bounds may be more than the horizons have."""
    one, other = draw(st.lists(moments(*codes), min_size=2, max_size=2, unique=True))
    least, most = sorted(draw(st.lists(st.integers(0, 8), min_size=2, max_size=2)))
    length = periods_of(CLINICAL.variable(codes[0])).days
    if draw(st.booleans()):
        return Within(one, other, most * length)
    chosen = [draw(st.none() | st.just(bound * length)) for bound in (least, most)]
    return Before(one, other, *chosen)


TERMS: st.SearchStrategy[Term] = st.one_of([terms_of(variable) for variable in CATALOGUE])
RELATIONS: st.SearchStrategy[Term] = relations("relapse", "rx:L01") | relations("first")
EVERY_TERM: st.SearchStrategy[Term] = st.one_of([*(terms_of(variable) for variable in CLINICAL), RELATIONS])
"""All terms over :data:`CLINICAL`."""


def _groups(inner: st.SearchStrategy[Cohort]) -> st.SearchStrategy[Cohort]:
    children = st.lists(inner, max_size=4).map(tuple)
    return st.one_of(inner.map(Not), children.map(All), children.map(Any))


def cohorts(terms: st.SearchStrategy[Term] = TERMS, leaves: int = 20) -> st.SearchStrategy[Cohort]:
    """Cohorts of any shape, empty and single groups included, no deeper than a query may be."""
    return st.recursive(terms, _groups, max_leaves=leaves).filter(lambda cohort: cohort.depth <= 12)


def values_of(variable: Variable) -> list[object]:  # noqa: PLR0911 - one return a kind
    """No value, and one value for each way in which the terms can tell patients apart; bounds and their neighbours."""
    match variable.kind:
        case Kind.FLAG:
            return [None, False, True]
        case Kind.CATEGORY:
            return [None, *(level.code for level in variable.levels)]
        case Kind.NUMBER:
            cuts = variable.cut_points
            if variable.digits is not None:
                steps = [cut - variable.digits.step for cut in cuts]
                return [None, *cuts, *steps, variable.digits.minimum, float(variable.digits.maximum)]
            return [None, *cuts, *(cut - Decimal("0.01") for cut in cuts), *(float(cut) for cut in cuts), 1000]
        case Kind.DATE:
            starts = list(calendar_of(variable).starts())
            return [None, *starts, *(start - timedelta(days=1) for start in starts), starts[-1] + timedelta(days=999)]
        case Kind.EVENT:
            days = [*borders(variable), *(each - Decimal("0.5") for each in borders(variable))]
            draw = random.Random(variable.code)
            return [None, (), *(tuple(draw.choices(days, k=k)) for k in (1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 11, 14) * 3)]
        case Kind.SURVIVAL:
            days = [each for each in borders(variable) if each >= 0]
            return [None, *(FollowUp(each, event) for each in days for event in (True, False))]


def patients(count: int, seed: int, catalogue: Catalogue = CATALOGUE) -> list[Row]:
    """Patients with values at and beside every cut point, every third value missing or so; the same for a seed."""
    draw = random.Random(seed)
    rows: list[Row] = []
    for _ in range(count):
        values = {each.code: draw.choice(values_of(each)) for each in catalogue}
        rows.append({code: value for code, value in values.items() if draw.random() < 0.85})
    return rows
