"""Which variables somebody holds, as bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalogue.holding import holds, pack, unpack
from app.core.catalogue.model import Catalogue
from app.core.errors import ProtocolViolation
from tests.federation_sites import CATALOGUE


def of_size(count: int) -> Catalogue:
    plain = CATALOGUE.to_plain()
    flag = {**plain["variable"][0]}
    return Catalogue.from_plain({**plain, "variable": [{**flag, "code": f"v{place}"} for place in range(count)]})


@given(st.integers(1, 40), st.data())
def test_what_is_packed_is_unpacked(count: int, data: st.DataObject) -> None:
    catalogue = of_size(count)
    held = data.draw(st.sets(st.sampled_from([each.code for each in catalogue])))
    bits = pack(catalogue, held | {"elsewhere"})
    assert unpack(catalogue, bits) == held
    assert {each.code for place, each in enumerate(catalogue) if holds(bits, place)} == held
    assert not holds(bits, 8 * len(bits))


def test_the_first_variable_is_the_highest_bit() -> None:
    catalogue = of_size(9)
    assert pack(catalogue, {"v0", "v8"}) == bytes([0b1000_0000, 0b1000_0000])
    assert unpack(catalogue, bytes([0b0100_0000, 0b0111_1111])) == {"v1"}, "bits behind the last variable are nothing"


@pytest.mark.parametrize("size", [0, 1, 3])
def test_bits_of_another_catalogue_are_refused(size: int) -> None:
    with pytest.raises(ProtocolViolation, match=r"catalogue\.other_size"):
        unpack(of_size(9), bytes(size))
