"""Bytes that this version wrote must keep loading, and keep meaning the same."""

from __future__ import annotations

import json
from pathlib import Path

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.query.canonical import query_hash
from app.core.query.model import Query
from app.core.query.text import parse, parse_query
from tests.catalogues import EVERY_KIND
from tests.cohorts import CATALOGUE
from tests.vectors.make_language_vectors import made

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


def test_version_2() -> None:
    assert Catalogue.from_cbor((VECTORS / "catalogue-2.cbor").read_bytes()) == EVERY_KIND
    kept = json.loads((VECTORS / "queries-2.json").read_text("utf-8"))
    assert kept == made(EVERY_KIND)  # every term and every analysis
    assert len(kept) == 38
    versions = []
    for each in kept:
        query = Query.from_cbor(bytes.fromhex(each["bytes"]))
        assert query.per_site is each["per_site"]
        assert query_hash(query, EVERY_KIND).hex() == each["hash"]
        versions.append(query.version)
    assert versions.count(1) == 1  # "known" of a date is said as that of a number always was


def test_what_version_1_can_say_is_hashed_as_it_was() -> None:
    """The noise of answers that were given depends on it."""
    asked = parse_query(f"count where {TEXT}", CATALOGUE)
    assert asked.version == 1
    assert query_hash(asked, CATALOGUE).hex() == "818541de5586c50fd609690aa16f101599eacab84c78f3beb66dc9bffe464521"


def test_what_variables_of_format_1_mean_never_changed() -> None:
    meanings = codec.digest([CATALOGUE.meaning(each.code) for each in CATALOGUE])
    assert meanings.hex() == "535d2e6d67005a6dabffa0ac3cb11d3c7bc1a8c75c1c18bb68d3360ab5f2a9cd"
