"""UCUM units and their conversion; pint is the oracle."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal, localcontext
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalogue import units
from app.core.errors import UserError
from app.texts import LANGUAGES, explain

SPEC = find_spec("ucumvert")
assert SPEC is not None
assert SPEC.origin is not None
EXAMPLES = [
    line.split("\t")[1]
    for line in (Path(SPEC.origin).with_name("vendor") / "ucum_examples.tsv").read_text("utf-8").splitlines()[1:]
]


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("1", "mg/dL", "g/L", "0.01"),
        ("0.1", "mg", "ug", "100"),
        ("98.6", "[degF]", "Cel", "37"),
        ("37", "Cel", "[degF]", "98.6"),
        ("-40", "Cel", "[degF]", "-40"),
        ("20", "[degRe]", "Cel", "25"),
        ("0", "Cel", "K", "273.15"),
        ("4.5", "10*3/uL", "10*9/L", "4.5"),
        ("5", "{cells}/uL", "/L", "5000000"),
        ("2", "a", "d", "730.5"),
        ("3", "wk", "d", "21"),
        ("180", "[lb_av]", "kg", "81.6466266"),
        ("12", "%", "1", "0.12"),
        ("1", "[iU]/L", "m[IU]/mL", "1"),
        ("120", "mm[Hg]", "kPa", "15.99864"),
        ("1", "umol/L", "mmol/L", "0.001"),
        ("60", "U/L", "ukat/L", "1"),
        ("1", "g%", "g/dL", "1"),
        ("7.25", "mg/dL", "mg/dL", "7.25"),
    ],
)
def test_conversions_are_exact(value: str, source: str, target: str, expected: str) -> None:
    assert units.convert(Decimal(value), source, target) == Decimal(expected)
    assert units.same_dimension(source, target)


def test_what_no_decimal_says_is_rounded_at_the_end() -> None:
    with localcontext() as context:
        context.prec = 3
        assert units.convert(Decimal(1), "min", "h") == Decimal("0.01666666666666666666666666666666667")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        *(("mg/dL", "mmol/L"), ("mol", "1"), ("mmol/L", "/L"), ("eq", "mol"), ("osm/kg", "mol/kg")),
        *(("[iU]/L", "U/L"), ("[iU]", "1"), ("[iU]", "[arb'U]"), ("kg", "m"), ("B", "1"), ("[pH]", "mol/L")),
        *(("J/Cel", "J/K"), ("Cel/h", "K/h")),
    ],
)
def test_nothing_is_guessed(source: str, target: str) -> None:
    assert not units.same_dimension(source, target)
    with pytest.raises(UserError) as caught:
        units.converter(source, target)
    assert caught.value.code == "units.not_convertible"
    assert all(source in explain(caught.value, language).what for language in LANGUAGES)


@pytest.mark.parametrize(
    "code",
    ["", " ", "mmHg", "IU/L", "µmol/L", "years", "m^2", "m/", "//m", "()", "(m", "m)", "m m", "m0", "0", "٣", "m٣"]
    + ["m999", "m" * 200, "(" * 100, "{", "m{é}", "m{a}{b}", "kmin", "[lb_av"],
)
def test_what_is_no_unit(code: str) -> None:
    assert not units.known(code)
    with pytest.raises(UserError, match=r"units\.unknown") as caught:
        units.converter(code, "m")
    assert all("{cells}" in explain(caught.value, language).next for language in LANGUAGES)


@given(st.text(st.sampled_from("mgLkKu/.()[]{}10*2-'ACeld_%"), max_size=30))
def test_any_text_is_a_unit_or_refused(code: str) -> None:
    if units.known(code):
        assert units.convert(Decimal(3), code, code) == 3


def test_all_units_of_ucum_and_its_examples_are_known() -> None:
    assert [code for code in EXAMPLES if not units.known(code)] == ["Torr"], "which UCUM's own table does not have"


@given(
    st.sampled_from(["g", "m", "L", "Pa", "mm[Hg]", "cal", "eV", "[lb_av]", "[in_i]", "kat", "Bq", "min", "a", "bar"])
)
def test_pint_agrees(code: str) -> None:
    registry = _pint()
    base = {"g": "kg", "m": "m", "[in_i]": "m", "L": "m3", "min": "s", "a": "s", "kat": "mol/s", "Bq": "/s"}
    target = base.get(code, {"[lb_av]": "kg", "cal": "J", "eV": "J"}.get(code, "Pa"))
    ours = float(units.convert(Decimal(1), code, target))
    assert ours == pytest.approx(registry.from_ucum(code).to(registry.from_ucum(target).units).magnitude, rel=1e-5)


_REGISTRY: list[object] = []


def _pint():  # type: ignore[no-untyped-def]  # pint's registry has no usable type
    if not _REGISTRY:
        from ucumvert import PintUcumRegistry

        _REGISTRY.append(PintUcumRegistry())
    return _REGISTRY[0]


def test_pint_is_not_loaded() -> None:
    code = (
        "import sys; from app.core.catalogue import units; from decimal import Decimal;"
        "units.convert(Decimal(1), 'mg/dL', 'g/L'); print('pint' in sys.modules, 'ucumvert' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert (found.stdout, found.stderr) == ("False False\n", "")
