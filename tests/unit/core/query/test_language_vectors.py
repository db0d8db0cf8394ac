"""Bytes that this version wrote must keep loading, and keep meaning the same."""

from __future__ import annotations

from pathlib import Path

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.query.model import Query
from app.core.query.text import parse
from tests.cohorts import CATALOGUE

VECTORS = Path(__file__).parents[3] / "vectors" / "language"
TEXT = (
    '(sex = female and age in [50, 70) or not lab:crp >= 0.3) and "HGVS:c.4375C>T" '
    "and (age known or all(smoker) or everyone)"
)


def test_version_1() -> None:
    data = (VECTORS / "catalogue-1.cbor").read_bytes()
    assert Catalogue.from_cbor(data) == CATALOGUE
    assert CATALOGUE.to_cbor() == data
    data = (VECTORS / "query-1.cbor").read_bytes()
    assert Query.from_cbor(data) == Query(parse(TEXT, CATALOGUE))
    assert Query(parse(TEXT, CATALOGUE)).to_cbor() == data


def test_what_variables_of_format_1_mean_never_changed() -> None:
    meanings = codec.digest([CATALOGUE.meaning(each.code) for each in CATALOGUE])
    assert meanings.hex() == "535d2e6d67005a6dabffa0ac3cb11d3c7bc1a8c75c1c18bb68d3360ab5f2a9cd"
