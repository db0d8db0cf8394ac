"""What is pointed out before sealing."""

from decimal import Decimal

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.preparation.notes import notes
from tests.clear_tables import clear_table

AGE = Variable(
    "age",
    Kind.NUMBER,
    Label("Age at diagnosis"),
    cut_points=tuple(map(Decimal, (50, 90, 95))),
    unit="a",
    minimum=Decimal(0),
    maximum=Decimal(120),
    step=Decimal(1),
)
STAGE = Variable("stage", Kind.CATEGORY, Label("Stage"), levels=(Level("I", Label("I")), Level("IV", Label("IV"))))
RARE = Variable("rare", Kind.FLAG, Label("Rare"))
NOBODY = Variable("nobody", Kind.FLAG, Label("Nobody"))
WEIGHT = Variable("weight", Kind.NUMBER, Label("Percentage"), cut_points=(Decimal(99),), unit="kg")
CATALOGUE = Catalogue("Test", 1, (AGE, STAGE, RARE, NOBODY, WEIGHT))


def test_what_is_pointed_out() -> None:
    patients = [
        {"age": 40 + place, "stage": "IV" if place < 3 else "I", "rare": place == 0, "weight": 70}
        for place in range(60)
    ]
    found = notes(clear_table(CATALOGUE, patients), CATALOGUE, {"weight", "nobody"})
    assert [(each.code.rpartition(".")[2], each.variable, dict(each.params)) for each in found] == [
        ("old_cuts", "age", {"variable": "age", "cuts": "95", "patients": 5}),
        ("old_sums", "age", {"variable": "age"}),
        ("rare_levels", "stage", {"variable": "stage", "levels": "IV", "limit": 10}),
        ("rare_flag", "rare", {"variable": "rare", "limit": 10}),
        ("nobody", "nobody", {"variable": "nobody"}),
        ("unit_assumed", "weight", {"variable": "weight", "unit": "kg"}),
    ]


def test_few_patients_are_pointed_out() -> None:
    found = notes(clear_table(CATALOGUE, [{"stage": "I"}] * 49), CATALOGUE)
    assert (found[0].code, found[0].params) == ("preparing.note.few_patients", {"patients": 49})
