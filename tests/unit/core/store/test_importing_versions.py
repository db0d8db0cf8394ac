"""Packages of another version of the catalogue: what is known is imported, what cannot be asked about is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.errors import ProtocolViolation, UserError
from app.core.store.documents import Header, SealedColumn
from app.core.store.importing import check_belongs, import_package
from app.core.store.profile import Profile
from tests.clear_tables import clear_table
from tests.packages import CATALOGUE, Maker

OTHER_AGE = replace(CATALOGUE.variable("age"), cut_points=(Decimal(40),))
RELABELLED = replace(CATALOGUE.variable("sex"), label=Label("Sex at birth"))
NEWER = Catalogue("Test", 2, (Variable("cough", Kind.FLAG, Label("Cough")), RELABELLED, OTHER_AGE))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    with Profile.create(tmp_path / "profile", program="tests", now=1) as made:
        yield made


class Watched:
    """Catalogues, and whether anybody has looked at them."""

    def __init__(self, *catalogues: Catalogue) -> None:
        self.catalogues = catalogues
        self.looked = 0

    def __iter__(self) -> Iterator[Catalogue]:
        self.looked += 1
        return iter(self.catalogues)


def test_an_older_package_is_imported_and_what_has_changed_is_named(maker: Maker, profile: Profile) -> None:
    package, _ = maker.package(maker.table())
    done = import_package(package, profile, replace(maker.expected, catalogue=NEWER, others=(CATALOGUE,)), now=2)
    assert (done.dataset.active, done.already, done.unusable) == (True, False, ("age", "smoker"))
    again = import_package(package, profile, replace(maker.expected, others=(NEWER,)), now=3)
    assert (again.already, again.unusable) == (True, ())


def test_a_newer_package_is_imported_before_its_version_is_accepted(maker: Maker, profile: Profile) -> None:
    maker.catalogue = NEWER
    package, header = maker.package(clear_table(NEWER, [{"cough": True, "sex": "f", "age": Decimal(41)}]))
    assert header.catalogue == NEWER.hash
    done = import_package(package, profile, replace(maker.expected, catalogue=CATALOGUE, others=(NEWER,)), now=2)
    assert done.unusable == ("age", "cough")


def test_a_version_that_is_not_known_is_refused(maker: Maker, profile: Profile) -> None:
    package, _ = maker.package(maker.table())
    with pytest.raises(UserError) as refused:
        import_package(package, profile, replace(maker.expected, catalogue=NEWER, others=(NEWER,)), now=2)
    assert refused.value.code in ("package.unknown_variable", "package.meaning_differs")
    assert profile.datasets.all() == ()


def test_the_other_versions_are_looked_at_only_where_that_is_needed(maker: Maker) -> None:
    _, header = maker.package(maker.table())
    others = Watched(NEWER)
    assert check_belongs(header, replace(maker.expected, others=others)) == ()
    assert others.looked == 0
    assert check_belongs(header, replace(maker.expected, catalogue=NEWER, others=Watched(NEWER, CATALOGUE))) == (
        "age",
        "smoker",
    )


def test_a_variable_of_another_version_must_be_whole(maker: Maker) -> None:
    _, header = maker.package(maker.table())
    expected = replace(maker.expected, catalogue=NEWER, others=(CATALOGUE,))
    cut: Header = replace(header, columns=header.columns[:-1])
    with pytest.raises(ProtocolViolation, match=r"package\.wrong_columns"):
        check_belongs(cut, expected)
    both = replace(header, columns=(*header.columns, SealedColumn("age", NEWER.meaning("age"), "ge:40")))
    with pytest.raises(ProtocolViolation, match=r"package\.malformed"):
        check_belongs(both, expected)
