"""Every kind of variable, sealed by worker processes, imported, and decrypted: value by value what went in.

At test parameters always, at those of production where there is time for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from app.core.catalogue.model import Kind
from app.core.catalogue.scales import DIGIT_BASE
from app.core.crypto.parameters import STANDARD_1, ParameterSet
from app.core.jobs.pool import WorkerPool
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.sealing import worker_arguments
from app.core.store.documents import Header
from app.core.store.importing import import_package
from app.core.store.profile import Profile
from tests.clear_tables import KINDS, clear_table, people
from tests.crypto_parties import Parties
from tests.packages import TEST, Maker, clear_rows

production = pytest.mark.production


@pytest.mark.parametrize(
    ("parameters", "residues", "patients"),
    [(TEST, 3, 1500), pytest.param(STANDARD_1, 5, 17_000, marks=production)],
    ids=["test", "production"],
)
def test_what_is_decrypted_is_what_was_sealed(
    parameters: ParameterSet, residues: int, patients: int, tmp_path: Path
) -> None:
    maker = Maker(tmp_path, parameters, residues, Parties(parameters, 2, 2), catalogue=KINDS)
    values = people(patients)
    table = clear_table(KINDS, values)
    with WorkerPool(2, begin_worker, worker_arguments(maker.target)) as pool:
        path, header = maker.package(table, executor=pool)
    assert header.residues == residues
    assert header.blocks == 2
    with Profile.create(tmp_path / "profile", program="test", now=1) as profile:
        import_package(path, profile, maker.expected, now=2)
        imported = profile.dataset_path(header.dataset)
        assert maker.rows(imported, patients) == clear_rows(table)
        assert maker.counts(imported) == [table.count(column) for column in range(len(table.columns))]
        assert_sums(maker, imported, header, values)


def assert_sums(maker: Maker, path: Path, header: Header, values: Sequence[dict[str, object]]) -> None:
    """The sums of the digit columns are the exact sum, and the exact sum of squares, of the numbers."""
    (weight,) = (variable for variable in KINDS if variable.kind is Kind.NUMBER)
    assert weight.digits is not None
    known = [weight.digits.whole(each["weight"]) for each in values if isinstance(each["weight"], Decimal)]
    sums = {"digit": 0, "square": 0}
    for place, column in enumerate(header.columns):
        name, _, digit = column.part.partition(":")
        if name in sums:
            sums[name] += int(np.sum(maker.slots(path, place))) * DIGIT_BASE ** int(digit)
    assert sums == {"digit": sum(known), "square": sum(number**2 for number in known)}
