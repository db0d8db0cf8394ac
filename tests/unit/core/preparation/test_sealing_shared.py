"""Small cohorts: columns that share a ciphertext, from sealing to the import."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import ring
from app.core.crypto.parameters import MOST_COLUMNS, STANDARD_1
from app.core.errors import ProtocolViolation, UserError
from app.core.jobs.job import Cancelled, Job
from app.core.preparation.encrypting import shared_slots
from app.core.preparation.sealing import sharing_of
from app.core.preparation.work_file import work_path
from app.core.store.documents import Header
from app.core.store.importing import check_belongs, import_package, verify_residues
from app.core.store.package import open_package
from app.core.store.profile import Profile
from tests.clear_tables import KINDS, clear_table, people
from tests.packages import NOW, TEST, Maker, clear_rows, taken_apart
from tests.unit.core.preparation.test_sealing import Counting, cancel_after


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path, catalogue=KINDS, sharing=MOST_COLUMNS)


@pytest.mark.parametrize(
    ("patients", "sharing"),
    [(0, 64), (1, 64), (256, 64), (257, 32), (228, 64), (1024, 16), (4096, 4), (8192, 2), (8193, 1), (10**6, 1)],
)
def test_as_many_columns_share_a_ciphertext_as_the_patients_allow(patients: int, sharing: int) -> None:
    assert STANDARD_1.columns_per_ciphertext(patients) == sharing


@pytest.mark.parametrize("sharing", [1, 2, 16, 64])
def test_every_column_of_a_plaintext_comes_back_at_production_parameters(sharing: int) -> None:
    shape = (sharing, STANDARD_1.slots // sharing)
    columns = np.random.default_rng(sharing).integers(0, 32, shape)
    slots = shared_slots(STANDARD_1, columns)
    assert slots.min() >= 0
    assert slots.max() < STANDARD_1.plain_modulus
    if sharing > 1:
        assert (taken_apart(STANDARD_1, slots, sharing) == columns).all()
    coefficients = ring.field(STANDARD_1.plain_modulus, STANDARD_1.ring_degree).backward(slots)
    for place in range(sharing):  # N times coefficient r is the sum of column r: no factor is needed to open it
        total = int(coefficients[place]) * STANDARD_1.ring_degree % STANDARD_1.plain_modulus
        assert total == columns[place].sum()


@pytest.mark.parametrize(
    ("patients", "sharing"), [(16, 64), (17, 32), (64, 16), (100, 8), (256, 4), (512, 2), (513, 1)]
)
def test_a_package_holds_every_column(maker: Maker, patients: int, sharing: int) -> None:
    table = clear_table(KINDS, people(patients))
    assert sharing_of(maker.target, patients) == sharing
    path, header = maker.package(table)
    assert (header.columns_per_ciphertext, header.blocks) == (sharing, 1)
    assert header.groups == -(-len(header.columns) // sharing)
    assert maker.rows(path, patients) == clear_rows(table)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM residue").fetchone() == (header.groups * header.residues,)
    with open_package(path) as package:
        package.check_complete()
        verify_residues(package, TEST, Job())


def test_nobody_shares_where_the_federation_has_no_keys_to_extract(tmp_path: Path) -> None:
    maker = Maker(tmp_path, catalogue=KINDS)
    _, header = maker.package(clear_table(KINDS, people(20)))
    assert header.columns_per_ciphertext == 1
    shared = Maker(tmp_path, catalogue=KINDS, sharing=MOST_COLUMNS)
    _, header = shared.package(clear_table(KINDS, people(20)), "shared.consilium")
    with pytest.raises(UserError, match=r"package\.no_extraction_keys"):
        check_belongs(header, maker.expected)
    check_belongs(header, shared.expected)


def test_a_killed_preparation_goes_on_with_the_groups_that_are_left(maker: Maker) -> None:
    table = clear_table(KINDS, people(128))
    maker.package(table, "begin-worker.consilium")
    with pytest.raises(Cancelled):
        maker.package(table, job=cancel_after(3))
    assert work_path(maker.directory / "a.consilium").exists()
    executor = Counting()
    path, header = maker.package(table, executor=executor)
    assert 0 < len(executor.sealed) < header.groups
    assert maker.rows(path, 128) == clear_rows(table)
    with open_package(path) as package:
        verify_residues(package, TEST, Job())


def test_a_shared_package_is_imported_and_an_altered_one_is_not(maker: Maker, tmp_path: Path) -> None:
    path, header = maker.package(clear_table(KINDS, people(30)))
    profile = Profile.create(tmp_path / "profile", program="tests", now=NOW)
    try:
        imported = import_package(path, profile, maker.expected, now=NOW)
        assert Header.decode(imported.dataset.header).columns_per_ciphertext == 32
        assert maker.rows(profile.dataset_path(header.dataset), 30) == maker.rows(path, 30)
        with closing(sqlite3.connect(path)) as connection, connection:  # a column's own ciphertext in the place of many
            (data,) = connection.execute("SELECT data FROM residue WHERE id = 0").fetchone()
            connection.execute("UPDATE residue SET data = ? WHERE id = 0", (data[:7] + b"\1" + data[8:],))
        with open_package(path) as package, pytest.raises(ProtocolViolation, match=r"package\.altered"):
            verify_residues(package, TEST, Job())
    finally:
        profile.close()
