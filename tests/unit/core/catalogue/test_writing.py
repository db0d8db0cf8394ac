"""The readable file: what is written is read back, and written the same."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given

from app.core.catalogue.file import load_catalogue, parse_catalogue
from app.core.catalogue.model import Catalogue
from app.core.catalogue.writing import format_catalogue
from app.core.paths import resource
from tests.catalogues import EVERY_KIND, catalogues
from tests.cohorts import CATALOGUE


def again(catalogue: Catalogue) -> Catalogue:
    return parse_catalogue(format_catalogue(catalogue).encode(), "c.toml")


@given(catalogues())
def test_what_is_written_is_read_back(catalogue: Catalogue) -> None:
    assert again(catalogue) == catalogue
    assert again(catalogue).hash == catalogue.hash
    assert format_catalogue(again(catalogue)) == format_catalogue(catalogue)


@pytest.mark.parametrize("catalogue", [EVERY_KIND, CATALOGUE, load_catalogue(resource("demo") / "lung.catalogue.toml")])
def test_real_catalogues(catalogue: Catalogue) -> None:
    assert again(catalogue).hash == catalogue.hash


def test_it_is_readable() -> None:
    text = format_catalogue(EVERY_KIND)
    assert 'code = "ICD10:C43"\nkind = "flag"\nlabel = { en = "Melanoma of skin", fr = "Mélanome de la peau", ' in text
    assert "cut_points = [120.5, 250, 500]\n" in text
    assert 'first = "2014-11"\nlast = "2016-02"\n' in text
    assert "period_days = 30.4375\nperiods = 24\nfirst_period = -2\n" in text
    assert all(len(line) <= 200 for line in text.splitlines())
    assert tomllib.loads(text)["format_version"] == 2
