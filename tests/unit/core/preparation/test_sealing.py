import dataclasses
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from app.core import codec
from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.preparation.encrypting import Task, seal_block
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.report import read_report
from app.core.preparation.sealing import patient_order
from app.core.preparation.work_file import resume_path, work_path
from app.core.secret import SecretBytes
from app.core.store.documents import REPORT_PURPOSE, Header, Manifest
from app.core.store.importing import verify_residues
from app.core.store.package import open_package
from tests.clear_tables import KINDS, clear_table, people
from tests.packages import TEST, Inline, Maker, clear_rows


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_a_package_holds_what_was_read_in_a_secret_order(maker: Maker) -> None:
    table = maker.table(1500)
    path, header = maker.package(table)
    assert maker.counts(path) == [table.count(column) for column in range(len(table.columns))]
    with open_package(path) as package:
        verify_residues(package, TEST, Job())
        sealed, context = package.report, package.header.hash
    report = read_report(maker.site.open(REPORT_PURPOSE, sealed, context))
    assert (report.patients, report.dataset) == (1500, header.dataset)
    present, age = maker.slots(path, 0), maker.slots(path, 4)
    assert present.tolist() == [1] * 1500 + [0] * (2048 - 1500)  # unused slots are zero
    assert age[:1500].tolist() != table.values(4).tolist()
    again, _ = maker.package(table, "b.consilium")
    assert maker.slots(again, 4).tolist() != age.tolist()  # another order every time
    assert sorted(path.name for path in maker.directory.iterdir()) == ["a.consilium", "b.consilium"]


def test_columns_of_every_kind_keep_the_same_order(tmp_path: Path) -> None:
    maker = Maker(tmp_path, catalogue=KINDS)
    table = clear_table(KINDS, people(1100))
    path, header = maker.package(table)
    assert maker.rows(path, 1100) == clear_rows(table)
    digits = [place for place, column in enumerate(header.columns) if column.part == "digit:0"]
    assert maker.slots(path, digits[0]).max() > 1


def test_a_package_has_no_holes(maker: Maker) -> None:
    path, _ = maker.package(maker.table(1500))
    with closing(sqlite3.connect(path)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM residue")]
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert connection.execute("PRAGMA page_size").fetchone() == (65536,)
    assert ids == sorted(ids)
    assert len(ids) == 7 * 3 * 2


def test_the_order_is_a_permutation_and_depends_on_the_seed_only() -> None:
    one, two = SecretBytes(b"1" * 32), SecretBytes(b"2" * 32)
    order = patient_order(one, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert patient_order(one, 1000).tolist() == order.tolist()
    assert patient_order(two, 1000).tolist() != order.tolist()
    firsts = [patient_order(SecretBytes(os.urandom(32)), 10)[0] for _ in range(2000)]
    counts = np.bincount(firsts, minlength=10)
    assert ((counts - 200) ** 2 / 200).sum() < 40  # chi-squared with 9 degrees of freedom: p < 1e-5


class Counting(Inline):
    """Counts the blocks that are sealed."""

    def __init__(self) -> None:
        self.sealed: list[Task] = []

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.sealed.append(args[0])
        return super().submit(fn, *args, **kwargs)


def cancel_after(reports: int) -> Job:
    left = [reports]
    time = iter(range(10**6))

    def report(progress: Progress) -> None:
        left[0] -= 1
        if left[0] == 0:
            job.cancel.cancel()

    job = Job(report, clock=lambda: float(next(time)))
    return job


def test_a_cancelled_preparation_goes_on_with_the_same_order(maker: Maker) -> None:
    table = maker.table(1500)
    maker.package(table, "begin-worker.consilium")
    with pytest.raises(Cancelled):
        maker.package(table, job=cancel_after(6))
    work = work_path(maker.directory / "a.consilium")
    assert work.exists()
    assert not (maker.directory / "a.consilium").exists()
    salt = codec.decode(resume_path(work).read_bytes(), 1 << 20)["salt"]
    executor = Counting()
    path, _ = maker.package(table, executor=executor)
    assert 0 < len(executor.sealed) < 14
    assert maker.rows(path, 1500) == clear_rows(table)
    with open_package(path) as package:  # the hashes of what the first run sealed are right too
        verify_residues(package, TEST, Job())
    assert not work.exists()
    assert not resume_path(work).exists()
    assert salt not in path.read_bytes()  # with the preparer's secret it would tell the order


def test_how_to_go_on_is_lost(maker: Maker) -> None:
    table, executor = maker.table(1500), Counting()
    with pytest.raises(Cancelled):
        maker.package(table, job=cancel_after(6))
    resume_path(work_path(maker.directory / "a.consilium")).unlink()
    path, _ = maker.package(table, executor=executor)
    assert len(executor.sealed) == 14
    assert maker.counts(path)[0] == 1500


def test_what_a_finished_preparation_left_behind_goes(maker: Maker) -> None:
    with pytest.raises(Cancelled):
        maker.package(maker.table(1500), job=cancel_after(6))
    resume = resume_path(work_path(maker.directory / "a.consilium"))
    kept = resume.read_bytes()
    maker.package(maker.table(1500))
    resume.write_bytes(kept)  # as if it had been killed just after the package got its name
    with pytest.raises(UserError, match=r"prepare\.output_exists"):
        maker.package(maker.table(1500))
    assert not resume.exists()


def test_another_input_does_not_go_on(maker: Maker) -> None:
    table = maker.table(1500)
    with pytest.raises(Cancelled):
        maker.package(table, job=cancel_after(6))
    stranger = dataclasses.replace(maker, preparer=PreparerKey(SecretBytes(b"q" * 32)))
    foreign = dataclasses.replace(maker, transcript=b"x" * 32)
    fewer = dataclasses.replace(maker, residues=2)
    for other, rows in [
        (maker, maker.table(1500, seed=2)),
        (maker, maker.table(1501)),
        (stranger, table),
        (foreign, table),
        (fewer, table),
    ]:
        with pytest.raises(UserError, match=r"prepare\.input_changed"):
            other.package(rows)
    maker.package(table)


def test_a_damaged_work_file_is_said(maker: Maker) -> None:
    work = work_path(maker.directory / "a.consilium")
    work.write_bytes(b"garbage" * 1000)
    with pytest.raises(EnvironmentProblem, match=r"prepare\.work_damaged"):
        maker.package(maker.table())


def test_what_is_refused_before_anything_is_sealed(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    table = maker.table()
    for residues in (1, 9):
        with pytest.raises(UserError, match=r"prepare\.bad_residues"):
            dataclasses.replace(maker, residues=residues).package(table, executor=Inline())
    (maker.directory / "a.consilium").touch()
    with pytest.raises(UserError, match=r"prepare\.output_exists"):
        maker.package(table)
    monkeypatch.setattr("app.core.preparation.sealing.shutil.disk_usage", lambda _: type("", (), {"free": 1000}))
    with pytest.raises(EnvironmentProblem, match=r"disk\.too_small"):
        maker.package(table, "b.consilium")


def test_the_manifest_covers_everything(maker: Maker) -> None:
    path, _ = maker.package(maker.table())
    with open_package(path) as package:
        assert Manifest.decode(package.manifest_bytes, package.header) == package.manifest
        assert Header.decode(package.header_bytes) == package.header
        assert package.manifest.preparer == maker.preparer.public
        assert len(package.manifest.blocks) == 7


def test_a_worker_that_was_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.preparation.encrypting._workers", [])
    with pytest.raises(Exception, match="worker_not_begun"):
        seal_block(Task(0, 0, (b"",)))


def test_the_preparers_key_stays_the_same() -> None:
    class Memory:
        kind = "passphrase-file"
        description = "memory"

        def __init__(self) -> None:
            self.kept: dict[str, SecretBytes] = {}

        def get(self, name: str) -> SecretBytes | None:
            return self.kept.get(name)

        def put(self, name: str, secret: SecretBytes) -> None:
            self.kept[name] = secret

        def delete(self, name: str) -> None:
            del self.kept[name]

    store = Memory()
    first = PreparerKey.from_store(store)  # type: ignore[arg-type]
    assert PreparerKey.from_store(store).public == first.public  # type: ignore[arg-type]
    assert list(store.kept) == ["preparer"]
    assert first.order_seed(b"1") != first.order_seed(b"2")
    assert "private" in repr(first)
