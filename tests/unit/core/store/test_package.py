"""Packages that are altered, cut, foreign or hostile, and the vector that must keep loading."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation
from app.core.jobs.job import Cancelled, CancelToken, Job
from app.core.store.dataset_file import PAGE_SIZE, DatasetReader, open_for_writing, residue_id
from app.core.store.documents import Header
from app.core.store.importing import verify_residues
from app.core.store.package import open_package
from tests.packages import NOW, TEST, Maker

VECTOR = Path(__file__).parents[3] / "vectors" / "package-v1.consilium"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    maker = Maker(tmp_path_factory.mktemp("original"))
    return maker.package(maker.table(1030))[0]


@pytest.fixture
def package(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "copy.consilium"))


def check(path: Path) -> None:
    with open_package(path) as package:
        verify_residues(package, TEST, Job())


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_good_package_passes(package: Path) -> None:
    check(package)
    with open_package(package) as opened:
        assert opened.header.blocks == 2
        assert opened.header.created == NOW
        assert opened.manifest_hash == hashlib.sha256(opened.manifest_bytes).digest()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE document SET data = x'a0' WHERE name = 'header'", "package.malformed"),
        ("UPDATE document SET data = CAST(data || x'00' AS BLOB) WHERE name = 'header'", "package.malformed"),
        ("UPDATE document SET data = CAST(data || x'00' AS BLOB) WHERE name = 'manifest'", "package.malformed"),
        ("UPDATE document SET data = zeroblob(64) WHERE name = 'signature'", "package.bad_signature"),
        ("UPDATE document SET data = CAST(data || x'00' AS BLOB) WHERE name = 'signature'", "package.malformed"),
        ("UPDATE document SET data = CAST(data || x'00' AS BLOB) WHERE name = 'report'", "package.altered"),
        ("DELETE FROM document WHERE name = 'report'", "package.foreign_content"),
        ("INSERT INTO document VALUES ('more', x'00')", "package.foreign_content"),
        ("CREATE TABLE more (x)", "package.foreign_content"),
        ("CREATE VIEW more AS SELECT 1", "package.foreign_content"),
        ("CREATE TRIGGER more AFTER INSERT ON residue BEGIN DELETE FROM document; END", "package.foreign_content"),
        ("CREATE INDEX more ON residue(length(data))", "package.foreign_content"),
        ("DROP TABLE residue", "package.foreign_content"),
        ("DELETE FROM residue WHERE id = (SELECT max(id) FROM residue)", "package.incomplete"),
        ("DELETE FROM residue WHERE id = 1", "package.incomplete"),
        ("INSERT INTO residue VALUES (77777, zeroblob(12304))", "package.incomplete"),
        ("UPDATE residue SET id = 2 WHERE id = 1", "package.altered"),
        ("UPDATE residue SET data = zeroblob(12304) WHERE id = 1", "package.altered"),
        ("UPDATE residue SET data = zeroblob(9) WHERE id = 1", "package.altered"),
        ("UPDATE residue SET data = (SELECT data FROM residue WHERE id = 0) WHERE id = 1", "package.altered"),
        ("PRAGMA user_version = 2", "package.newer"),
        ("PRAGMA application_id = 5", "package.not_a_package"),
        ("PRAGMA journal_mode = WAL", "package.not_a_package"),
    ],
)
def test_each_part_that_is_altered_is_noticed(package: Path, statement: str, code: str) -> None:
    edit(package, statement)
    with pytest.raises(ProtocolViolation) as refusal:
        check(package)
    assert refusal.value.code == code


def test_a_header_that_was_exchanged_is_noticed(package: Path) -> None:
    with open_package(package) as opened:
        other = Header(**{**vars(opened.header), "created": 1}).encode()
    edit(package, f"UPDATE document SET data = x'{other.hex()}' WHERE name = 'header'")  # noqa: S608 - hexadecimal
    with pytest.raises(ProtocolViolation, match=r"package\.altered.*header"):
        check(package)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: b"", "package.not_a_package"),
        (lambda data: b"patient,sex\n" * 100, "package.not_a_package"),
        (lambda data: data[:50], "package.not_a_package"),
        (lambda data: data[:-1], "package.truncated"),
        (lambda data: data[: len(data) // 2 // PAGE_SIZE * PAGE_SIZE], "package.truncated"),
        (lambda data: data + b"x", "package.truncated"),
        (lambda data: data[:PAGE_SIZE] + bytes(PAGE_SIZE) + data[2 * PAGE_SIZE :], "package.damaged"),
    ],
)
def test_wrong_and_truncated_files(package: Path, change: Callable[[bytes], bytes], code: str) -> None:
    package.write_bytes(change(package.read_bytes()))
    with pytest.raises(ProtocolViolation) as refusal:
        check(package)
    assert refusal.value.code == code


def test_a_database_of_another_program(tmp_path: Path) -> None:
    edit(tmp_path / "other.db", "CREATE TABLE x (y)")
    with pytest.raises(ProtocolViolation, match=r"package\.not_a_package"):
        check(tmp_path / "other.db")
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"):
        check(tmp_path / "none.consilium")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_altered_byte_is_refused_or_means_nothing(original: Path, tmp_path: Path, place: float, flip: int) -> None:
    data = bytearray(original.read_bytes())
    data[int(place * len(data))] ^= flip
    path = tmp_path / "flipped.consilium"
    path.write_bytes(data)
    try:
        check(path)
    except ConsiliumError as error:
        assert error.code.startswith("package."), error  # noqa: PT017 - one of two outcomes
        return
    with DatasetReader(path, TEST) as altered, DatasetReader(original, TEST) as whole:  # an unused byte
        ids = [residue_id(column, prime, block) for column in range(7) for prime in range(3) for block in range(2)]
        assert list(altered.read(ids)) == list(whole.read(ids))


def test_reader_gives_checked_residues(original: Path, package: Path) -> None:
    with DatasetReader(original, TEST) as reader:
        residue = reader.residue(6, 2, 1)
        assert residue.shape == (2, 1024)
        assert residue.dtype == np.int64
        assert 0 <= residue.min() <= residue.max() < TEST.data_primes[2]
        for wrong in [(-1, 0, 0), (0, 3, 0), (0, 0, 2), (0, -1, 0)]:
            with pytest.raises(IndexError):
                reader.residue(*wrong)
        with pytest.raises(EnvironmentProblem, match=r"dataset\.damaged"):
            reader.residue(7, 0, 0)
    edit(package, "UPDATE residue SET data = zeroblob(12304) WHERE id = 1")
    with DatasetReader(package, TEST) as reader, pytest.raises(EnvironmentProblem, match=r"dataset\.damaged"):
        reader.residue(0, 0, 1)


def test_a_file_being_written_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with closing(open_for_writing(path)), pytest.raises(EnvironmentProblem, match=r"database\.locked"):
        open_for_writing(path)


def test_the_vector_of_format_1_still_loads() -> None:
    with open_package(VECTOR) as package:
        verify_residues(package, TEST, Job())
        header = package.header
        assert header.hash.hex() == "70c284ad372bacc701f77be4ec2e4ddee62446b6c241fb139163b90fa1a3cde4"
        assert package.manifest_hash.hex() == "125c818f595c323d7e93b59cc87ef506c04ec1bcb90689cb2309ffe469dea0c0"
        assert (header.residues, header.blocks, len(header.columns)) == (2, 1, 4)
    with DatasetReader(VECTOR, TEST) as reader:
        residue = hashlib.sha256(reader.residue(3, 1, 0).tobytes())
    assert residue.hexdigest() == "7b90dfc90d3dc6992ae04c4dcb09cf00e3e5f06d52ef513ff2cf42a0bc723a25"


def test_the_vector_of_columns_that_share_a_ciphertext_still_loads() -> None:
    shared = VECTOR.with_name("package-v2.consilium")
    with open_package(shared) as package:
        verify_residues(package, TEST, Job())
        header = package.header
        assert header.hash.hex() == "1931beff65d33b7b26de81e681f764ec70d8cf4d242e9831d29fb9683308669d"
        assert package.manifest_hash.hex() == "b84d0575b61b1819c58af0839ddd8670a5f88c86e4d1ebc39cb366b9a963cd74"
        assert (header.residues, header.blocks, header.groups, header.columns_per_ciphertext) == (2, 1, 1, 64)
    with DatasetReader(shared, TEST) as reader:
        residue = hashlib.sha256(reader.residue(0, 1, 0).tobytes())
    assert residue.hexdigest() == "7d2b17e21ae5e87f3e0d051303db7c1a89697192c36d9919316d5ec0405f1e4e"


def test_a_cancelled_look_ends_before_the_file_is_read(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    path, _ = maker.package(maker.table())
    token = CancelToken()
    with open_package(path, token):
        pass
    token.cancel()
    with pytest.raises(Cancelled), open_package(path, token):
        pass
