"""Which columns a mapping takes values from, and of which numbers nobody says the unit."""

from decimal import Decimal

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.preparation.mapping import Mapping, VariableMapping
from app.core.preparation.sources.source import Column, Format, Settings, Staged, Table
from app.core.preparation.used_columns import units_assumed, used_columns

WEIGHT = Variable("weight", Kind.NUMBER, Label("Weight"), cut_points=(Decimal(70),), unit="kg")
CATALOGUE = Catalogue("Test", 1, (WEIGHT,))


def staged(*columns: Column) -> tuple[Staged, ...]:
    table = Table("patients", "patients", "p.csv", 9, columns, patient="id")
    return (Staged("patients", Settings(Format.CSV, ()), (), (table,)),)


def mapping(**variables: VariableMapping) -> Mapping:
    return Mapping("m.toml", "A", {}, variables, patients="patients")


def column(name: str, unit: str | None = None) -> Column:
    return Column(name, "number", 9, 9, (), unit=unit)


def test_a_column_that_bears_the_code_says_its_unit_as_any_other() -> None:
    assert units_assumed(mapping(), CATALOGUE, staged(column("weight", "kg"))) == set()
    assert units_assumed(mapping(weight=VariableMapping(column="w")), CATALOGUE, staged(column("w", "kg"))) == set()
    assert units_assumed(mapping(), CATALOGUE, staged(column("weight"))) == {"weight"}
    assert units_assumed(mapping(weight=VariableMapping(unit="g")), CATALOGUE, staged(column("weight"))) == set()


def test_the_column_of_units_is_used_too() -> None:
    how = VariableMapping(column="w", unit_column="u")
    found = used_columns(mapping(weight=how), CATALOGUE, staged(column("w"), column("u"), column("other")))
    assert found == {("patients", "w"), ("patients", "u")}
