"""The catalogue as a tree, and what is dragged from it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from app.core import codec
from app.core.catalogue.model import Catalogue, Group, Kind, Label, Level, Variable
from app.core.errors import UserError
from app.core.query.model import Flag, Known, Levels
from app.ui.models.catalogue import CatalogueModel, Coverage, Holding, Role
from app.ui.models.groups import headings_of
from app.ui.models.terms import TERMS_MIME, Offer, contents_of, offer_of, offer_to_bytes
from tests.cohorts import CATALOGUE

HASH = CATALOGUE.hash


@pytest.fixture
def model(qapp: object) -> CatalogueModel:
    made = CatalogueModel()
    made.show(CATALOGUE, HASH, headings_of(CATALOGUE, range(len(CATALOGUE.variables))))
    return made


def where(model: CatalogueModel, code: str) -> QModelIndex:
    assert model.catalogue is not None
    codes = [each.code for each in model.catalogue]
    return model.index_of(codes.index(code) if code in codes else -1)


def large(count: int) -> Catalogue:
    label = Label("A disease")
    return Catalogue("Large", 1, tuple(Variable(f"ICD10:{place}", Kind.FLAG, label) for place in range(count)))


def test_it_is_a_good_model(model: CatalogueModel, qtmodeltester: ModelTester) -> None:
    qtmodeltester.check(model)


def test_the_list_of_what_was_found_is_a_good_model(model: CatalogueModel, qtmodeltester: ModelTester) -> None:
    model.show(CATALOGUE, HASH, [3, 0, 6])
    qtmodeltester.check(model)
    assert [model.data(model.index(row, 0)) for row in range(model.rowCount())] == ["Sex", "Smoker", "Age"]
    assert model.rowCount(model.index(0, 0)) == 2


def test_groups_are_code_systems_then_kinds(model: CatalogueModel) -> None:
    groups = [model.index(row, 0) for row in range(model.rowCount())]
    assert [model.data(group) for group in groups] == ["Dx", "Variants", "Lab", "Yes or no", "Categories", "Numbers"]
    assert model.data(groups[1], Role.NOTE) == "HGVS"
    sex = where(model, "sex")
    assert (model.data(sex), model.data(model.parent(sex))) == ("Sex", "Categories")
    female = model.index(0, 0, sex)
    assert model.level(female) == "female"
    assert model.parent(female) == sex
    assert not where(model, "nothing").isValid()


def test_a_very_large_group_is_divided_into_ranges(qapp: object, qtmodeltester: ModelTester) -> None:
    catalogue = large(100_000)
    model = CatalogueModel()
    model.show(catalogue, b"", headings_of(catalogue, range(len(catalogue.variables))))
    assert model.rowCount() == 1
    group = model.index(0, 0)
    assert (model.rowCount(group), model.index(0, 0, group).data()) == (200, "0 – 499")
    variable = model.index_of(50_321)
    assert variable.data(Role.CODE) == "ICD10:50321"
    assert (variable.parent().data(), variable.parent().parent()) == ("50000 – 50499", group)
    assert "100000 variables" in group.data(Qt.ItemDataRole.AccessibleTextRole)
    small = large(1200)
    model.show(small, b"", headings_of(small, range(1200)))
    qtmodeltester.check(model)


TREES = Catalogue(
    "Trees",
    1,
    (
        Variable("smoker", Kind.FLAG, Label("Smoker")),
        Variable("C43", Kind.FLAG, Label("Melanoma"), rollup=True, parents=("neoplasms", "skin")),
        Variable("C43.5", Kind.FLAG, Label("Melanoma of trunk"), parents=("C43",)),
        Variable("C50", Kind.FLAG, Label("Breast cancer"), parents=("neoplasms",)),
        Variable("stage", Kind.CATEGORY, Label("Stage"), levels=(Level("I", Label("I")),), parents=("neoplasms",)),
        Variable("sub", Kind.FLAG, Label("Substage"), parents=("stage",)),
    ),
    (Group("neoplasms", Label("Neoplasms")), Group("skin", Label("Skin diseases")), Group("empty", Label("Empty"))),
)


def shown(model: CatalogueModel, parent: QModelIndex | None = None) -> dict[str, object]:
    """Return the whole tree by its titles."""
    above = parent or QModelIndex()
    rows = [model.index(row, 0, above) for row in range(model.rowCount(above))]
    return {str(each.data()): shown(model, each) for each in rows}


def test_the_trees_of_the_catalogue(qapp: object, qtmodeltester: ModelTester) -> None:
    model = CatalogueModel()
    model.show(TREES, b"", headings_of(TREES, range(len(TREES.variables))))
    melanoma = {"Melanoma": {"Melanoma of trunk": {}}}
    assert shown(model) == {
        "Neoplasms": {**melanoma, "Breast cancer": {}, "Stage": {"I": {}, "Substage": {}}},
        "Skin diseases": melanoma,
        "Yes or no": {"Smoker": {}},
    }
    trunk, sub = where(model, "C43.5"), where(model, "sub")
    assert (trunk.parent().data(), trunk.parent().parent().data()) == ("Melanoma", "Neoplasms")
    assert (sub.data(), sub.row()) == ("Substage", 1)
    assert model.code(model.index_of("skin")) == "skin"
    assert model.flags(trunk.parent()) & Qt.ItemFlag.ItemIsDragEnabled
    qtmodeltester.check(model)


def test_the_trees_of_some_variables(qapp: object) -> None:
    model = CatalogueModel()
    model.show(TREES, b"", headings_of(TREES, [2, 0]))
    assert shown(model) == {
        "Neoplasms": {"Melanoma": {"Melanoma of trunk": {}}},
        "Skin diseases": {"Melanoma": {"Melanoma of trunk": {}}},
        "Yes or no": {"Smoker": {}},
    }
    assert not where(model, "C43").isValid()


def test_a_tree_of_many_ways_is_walked_once(qapp: object) -> None:
    layers = [tuple(f"n{layer}:{each}" for each in range(8)) for layer in range(60)]
    groups = [
        Group(code, Label(code), layers[number - 1] if number else ())
        for number, codes in enumerate(layers)
        for code in codes
    ]
    leaf = Variable("leaf", Kind.FLAG, Label("Leaf"), parents=layers[-1])
    catalogue = Catalogue("Many ways", 1, (leaf,), tuple(groups))
    model = CatalogueModel()
    model.show(catalogue, b"", headings_of(catalogue, [0]))
    assert where(model, "leaf").isValid()


def test_rows_are_fetched_in_portions(qapp: object, qtbot: QtBot) -> None:
    catalogue = large(900)
    model = CatalogueModel()
    model.show(catalogue, b"", headings_of(catalogue, range(900)))
    group = model.index(0, 0)
    assert model.rowCount(group) == 200
    assert model.canFetchMore(group)
    with qtbot.waitSignal(model.rowsInserted):
        model.fetchMore(group)
    assert model.rowCount(group) == 400
    while model.canFetchMore(group):
        model.fetchMore(group)
    assert model.rowCount(group) == 900


def test_it_says_where_variables_are_and_why_one_cannot_be_used(model: CatalogueModel) -> None:
    model.set_holding(Holding({"sex": 2, "age": 3}, frozenset(["age"]), 3))
    sex, age, smoker = (where(model, code) for code in ("sex", "age", "smoker"))
    assert model.data(sex, Role.COVERAGE) == Coverage(2, 3, False)
    assert model.data(age, Role.COVERAGE).full
    assert model.data(sex, Role.REASON) == ""
    assert model.data(smoker, Role.REASON) == "No site has it."
    assert "2 of 3 sites" in model.data(sex, Qt.ItemDataRole.AccessibleTextRole)


def test_what_is_dragged_comes_back_as_terms(model: CatalogueModel) -> None:
    sex = where(model, "sex")
    data = model.mimeData([where(model, "smoker"), where(model, "age"), model.index(0, 0, sex)])
    offer = offer_of(data)
    assert offer is not None
    assert contents_of(offer, CATALOGUE, HASH) == [
        Flag("smoker"),
        Known("age"),
        Levels("sex", frozenset(["female"])),
    ]
    assert not model.flags(model.index(0, 0)) & Qt.ItemFlag.ItemIsDragEnabled
    assert model.flags(sex) & Qt.ItemFlag.ItemIsDragEnabled


@pytest.mark.parametrize(
    "plain",
    [
        b"\xff",
        codec.encode({}),
        codec.encode({"catalogue": HASH, "terms": [["smoker"]], "canvas": b"", "parts": []}),
        codec.encode({"catalogue": HASH, "terms": [["smoker", 3]], "canvas": b"", "parts": []}),
        codec.encode({"catalogue": HASH, "terms": [["nothing", None]], "canvas": b"", "parts": []}),
        codec.encode({"catalogue": HASH, "terms": [["sex", "blue"]], "canvas": b"", "parts": []}),
        codec.encode({"catalogue": b"other", "terms": [["smoker", None]], "canvas": b"", "parts": []}),
        codec.encode({"catalogue": HASH, "terms": [], "canvas": b"", "parts": ["1"]}),
        codec.encode({"catalogue": HASH, "terms": [["smoker", None]] * 200, "canvas": b"", "parts": []}),
    ],
)
def test_what_is_not_ours_is_refused(plain: bytes) -> None:
    data = QMimeData()
    data.setData(TERMS_MIME, plain)
    with pytest.raises(UserError, match=r"criteria\.foreign"):
        contents_of(offer_of(data) or Offer(b""), CATALOGUE, HASH)


def test_other_things_are_no_offer() -> None:
    data = QMimeData()
    data.setText("smoker")
    assert offer_of(data) is None
    data.setData(TERMS_MIME, offer_to_bytes(Offer(b"", canvas=b"12345678", parts=(1, 2))))
    assert offer_of(data) == Offer(b"", canvas=b"12345678", parts=(1, 2))
