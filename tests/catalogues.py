"""Random catalogues of every kind of variable, and one fixed one, for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from app.core.catalogue.model import Catalogue, Group, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods

EVERY_KIND = Catalogue(
    "Every kind",
    3,
    (
        Variable(
            "ICD10:C00-C97",
            Kind.FLAG,
            Label("Cancer", "Cancer", "Krebs"),
            rollup=True,
            parents=("diagnoses",),
            system="ICD-10",
            system_code="C00-C97",
            synonyms=("malignant neoplasm", "tumeur maligne"),
        ),
        Variable(
            "ICD10:C43",
            Kind.FLAG,
            Label("Melanoma of skin", "Mélanome de la peau", "Melanom der Haut"),
            parents=("ICD10:C00-C97",),
            system="ICD-10",
            system_code="C43",
        ),
        Variable("ICD10:C50", Kind.FLAG, Label("Breast cancer"), parents=("ICD10:C00-C97", "study")),
        Variable(
            "sex",
            Kind.CATEGORY,
            Label("Sex", "Sexe", "Geschlecht"),
            Label("As recorded.\nNot gender.", de="Wie erfasst."),
            levels=(Level("female", Label("female", "femme", "weiblich")), Level("male", Label("male"))),
        ),
        Variable(
            "lab:ldh",
            Kind.NUMBER,
            Label('LDH "total"', de="LDH"),
            cut_points=(Decimal("120.5"), Decimal(250), Decimal(500)),
            unit="U/L",
            unit_label=Label("units per litre"),
            minimum=Decimal(0),
            maximum=Decimal(5000),
            step=Decimal("0.5"),
        ),
        Variable("age", Kind.NUMBER, Label("Age"), cut_points=(Decimal(40), Decimal(65)), unit="a"),
        Variable(
            "diagnosis",
            Kind.DATE,
            Label("Date of diagnosis"),
            calendar=Calendar(Granularity.MONTH, date(2014, 11, 1), date(2016, 2, 1)),
        ),
        Variable(
            "admission",
            Kind.DATE,
            Label("Day"),
            calendar=Calendar(Granularity.DAY, date(2024, 2, 27), date(2024, 3, 2)),
        ),
        Variable(
            "birth",
            Kind.DATE,
            Label("Year of birth"),
            calendar=Calendar(Granularity.YEAR, date(1920, 1, 1), date(2020, 1, 1)),
        ),
        Variable("relapse", Kind.EVENT, Label("Relapse"), periods=Periods(Decimal("30.4375"), 24, -2)),
        Variable("os", Kind.SURVIVAL, Label("Overall survival", "Survie globale"), periods=Periods(Decimal(30), 60)),
    ),
    (
        Group("diagnoses", Label("Diagnoses", "Diagnostics", "Diagnosen")),
        Group("study", Label("Of this study"), ("diagnoses",)),
    ),
)
"""Every kind of variable with everything that it can have, groups and roll-ups: what ``catalogue-2.cbor`` holds."""

_TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12).filter(
    lambda text: bool(text.strip()) and text.isprintable()
)
LABELS = st.builds(Label, _TEXTS, st.none() | _TEXTS, st.none() | _TEXTS)
CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:/+*<>=()\[\]%&#?~^-]{0,8}", fullmatch=True)
NUMBERS = st.decimals(-(10**6), 10**6, places=3)


def _numbers(code: str) -> st.SearchStrategy[Variable]:
    cuts = st.sets(NUMBERS, min_size=1, max_size=5).map(lambda found: tuple(sorted(found)))
    plain = st.builds(
        Variable,
        st.just(code),
        st.just(Kind.NUMBER),
        LABELS,
        cut_points=cuts,
        unit=st.sampled_from([None, "mg/dL", "a"]),
    )
    ranges = st.tuples(NUMBERS, st.integers(1, 5000), st.sampled_from([Decimal(1), Decimal("0.1"), Decimal("2.5")]))
    return st.one_of(
        plain,
        st.builds(
            lambda made, range_: replace(
                made, minimum=range_[0], maximum=range_[0] + range_[1] * range_[2], step=range_[2]
            ),
            plain,
            ranges,
        ),
    )


def _dates(code: str) -> st.SearchStrategy[Variable]:
    def made(granularity: Granularity, first: date, count: int, label: Label) -> Variable:
        scale = Calendar(granularity, first, first)
        start = last = scale.start_of(first)
        for _ in range(count):
            last = scale.following(last)
        return Variable(code, Kind.DATE, label, calendar=Calendar(granularity, start, last))

    days = st.dates(date(1900, 1, 1), date(2090, 1, 1))
    return st.builds(made, st.sampled_from(Granularity), days, st.integers(0, 14), LABELS)


def variables_of(code: str, kind: Kind) -> st.SearchStrategy[Variable]:
    """Variables of a kind, with everything that it can have."""
    made, length = st.just(code), st.sampled_from([Decimal(1), Decimal("30.4375"), Decimal(7)])
    match kind:
        case Kind.FLAG:
            return st.builds(Variable, made, st.just(kind), LABELS, st.none() | LABELS, rollup=st.booleans())
        case Kind.CATEGORY:
            level = st.builds(Level, CODES, LABELS)
            levels = st.lists(level, min_size=1, max_size=5, unique_by=lambda each: each.code).map(tuple)
            return st.builds(Variable, made, st.just(kind), LABELS, levels=levels)
        case Kind.NUMBER:
            return _numbers(code)
        case Kind.DATE:
            return _dates(code)
        case Kind.EVENT:
            periods = st.builds(Periods, length, st.integers(1, 12), st.integers(-5, 5))
            return st.builds(Variable, made, st.just(kind), LABELS, periods=periods)
        case Kind.SURVIVAL:
            periods = st.builds(Periods, length, st.integers(1, 12))
            return st.builds(Variable, made, st.just(kind), LABELS, periods=periods)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Catalogues of a few variables and groups, in trees."""
    codes = draw(st.lists(CODES, min_size=1, max_size=7, unique=True))
    grouped = draw(st.integers(0, len(codes) - 1))
    above: list[str] = []
    groups, variables = [], []
    for place, code in enumerate(codes):
        parents = tuple(draw(st.sets(st.sampled_from(above), max_size=2))) if above else ()
        if place < grouped:
            groups.append(Group(code, draw(LABELS), parents))
        else:
            variable = draw(variables_of(code, draw(st.sampled_from(Kind))))
            variables.append(replace(variable, parents=parents, synonyms=tuple(draw(st.lists(_TEXTS, max_size=2)))))
        above.append(code)
    return Catalogue(draw(_TEXTS), draw(st.integers(1, 9)), tuple(variables), tuple(groups))
