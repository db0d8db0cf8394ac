import hashlib
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem, ProtocolViolation
from app.core.store.blobs import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def test_a_blob_is_named_by_its_content(blobs: BlobStore) -> None:
    name = blobs.put(b"hello", limit=10)
    assert name == hashlib.sha256(b"hello").digest()
    assert blobs.put(iter([b"he", b"llo"]), limit=5, expected=name) == name
    assert name in blobs
    assert blobs.get(name, limit=5) == b"hello"
    assert blobs.verified_path(name, limit=5).read_bytes() == b"hello"
    assert list(blobs.names()) == [name]
    blobs.remove(name)
    blobs.remove(name)
    assert name not in blobs
    with pytest.raises(EnvironmentProblem, match=r"blob\.missing"):
        blobs.get(name, limit=5)


def test_what_is_refused_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(ProtocolViolation, match=r"blob\.too_large"):
        blobs.put([b"123", b"456"], limit=5)
    with pytest.raises(ProtocolViolation, match=r"blob\.altered"):
        blobs.put(b"x", limit=5, expected=bytes(32))

    def broken() -> "list[bytes]":
        raise RuntimeError

    with pytest.raises(RuntimeError):
        blobs.put((piece for piece in broken()), limit=5)
    with pytest.raises(ProtocolViolation, match=r"blob\.bad_name"):
        blobs.get(b"../../etc/passwd", limit=5)
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_damaged_blob_is_noticed(blobs: BlobStore, tmp_path: Path) -> None:
    name = blobs.put(b"hello", limit=10)
    blobs.path(name).write_bytes(b"hellO")
    with pytest.raises(EnvironmentProblem, match=r"blob\.damaged"):
        blobs.get(name, limit=5)
    with pytest.raises(EnvironmentProblem, match=r"blob\.damaged"):
        blobs.verified_path(name, limit=5)
    with pytest.raises(ProtocolViolation, match=r"blob\.too_large"):
        blobs.get(name, limit=4)


def test_leftovers_of_a_crash_are_cleaned(blobs: BlobStore, tmp_path: Path) -> None:
    name = blobs.put(b"hello", limit=10)
    (tmp_path / "blobs" / "0123.part").write_bytes(b"half")
    blobs.clean()
    assert list(blobs.names()) == [name]
    assert [path.name for path in (tmp_path / "blobs").glob("*.part")] == []
