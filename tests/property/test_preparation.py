"""Whatever the CSV says, the sealed columns decrypt to what the catalogue encodes, patient by patient."""

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.preparation.reading import read_table
from app.core.store.dataset_file import DatasetReader
from tests.packages import CATALOGUE, TEST, Maker, mapping

VALUES = {
    "smoker": {"": None, "1": True, "0": False, "Yes": True, "FALSE": False},
    "sex": {"": None, "f": "f", "2": "f", "m": "m"},
    "age": {"": None, "50": Decimal(50), "49.99": Decimal("49.99"), "-3": Decimal(-3), "6e1": Decimal(60)},
}
ROW = st.fixed_dictionaries({code: st.sampled_from(sorted(values)) for code, values in VALUES.items()})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=1100),
    order=st.permutations(["id", "smoker", "sex", "age", "unused"]),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_sealed_columns_are_the_catalogues_bits(
    tmp_path: Path, rows: list[dict[str, str]], order: list[str], delimiter: str, quoting: int
) -> None:
    path = tmp_path / "input.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, order, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
        writer.writeheader()
        writer.writerows({"id": f"p{n}", "unused": 'x;,\t"\n', **row} for n, row in enumerate(rows))
    table = read_table(path, mapping(), CATALOGUE)
    expected = Counter(
        (True, *(bit for v in CATALOGUE for bit in v.encode(VALUES[v.code][row[v.code]]))) for row in rows
    )
    clear = np.stack([table.values(column) for column in range(len(table.columns))])
    assert Counter(tuple(map(bool, bits)) for bits in clear.T) == expected

    maker = Maker(tmp_path)
    (tmp_path / "a.consilium").unlink(missing_ok=True)
    package, header = maker.package(table)
    with DatasetReader(package, TEST) as reader:
        blocks = [
            [
                maker.people.decrypt(np.stack([reader.residue(c, p, block) for p in range(3)], axis=1))
                for c in range(len(header.columns))
            ]
            for block in range(header.blocks)
        ]
    slots = np.concatenate([np.stack(block) for block in blocks], axis=1)
    empty = (False,) * len(header.columns)
    assert Counter(bits for slot in slots.T if (bits := tuple(map(bool, slot))) != empty) == expected
    assert slots.shape[1] - sum(expected.values()) == (slots.T == 0).all(axis=1).sum()
