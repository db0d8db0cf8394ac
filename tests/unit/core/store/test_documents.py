import dataclasses
import hashlib

import pytest

from app.core import codec
from app.core.crypto.word_list import all_words
from app.core.errors import ProtocolViolation
from app.core.store.documents import (
    Header,
    Manifest,
    SealedColumn,
    check_signature,
    fingerprint,
    fingerprint_words,
    is_fingerprint,
)
from tests.packages import Maker

COLUMNS = (SealedColumn("", b"m" * 32, "present"), SealedColumn("age", b"a" * 32, "known"))
HEADER = Header(b"f" * 32, b"t" * 32, b"c" * 32, b"d" * 16, "standard-1", 5, 3, COLUMNS, 1234)
MANIFEST = Manifest(HEADER.hash, b"r" * 32, (b"1" * 96, b"2" * 96), b"p" * 32)


def test_round_trip() -> None:
    assert Header.decode(HEADER.encode()) == HEADER
    assert Manifest.decode(MANIFEST.encode(), HEADER) == MANIFEST
    assert MANIFEST.block_hash(1, 2) == b"2" * 32


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "consilium-else"),
        ("version", 0),
        ("version", True),
        ("federation", b"f" * 31),
        ("federation", "f" * 32),
        ("dataset", b""),
        ("parameters", "x" * 65),
        ("residues", 0),
        ("residues", 9),
        ("blocks", 0),
        ("blocks", (1 << 20) + 1),
        ("blocks", 1.0),
        ("columns per ciphertext", 2),
        ("columns", [["a", b"m" * 32]]),
        ("columns", [[1, b"m" * 32, "has"]]),
        ("columns", [["a", b"m", "has"]]),
        ("columns", [["a" * 257, b"m" * 32, "has"]]),
        ("columns", [["a", b"m" * 32, "has"]] * 2),
        ("columns", {}),
        ("created", -1),
        ("more", 1),
    ],
)
def test_a_header_is_parsed_strictly(field: str, value: object) -> None:
    plain = codec.decode(HEADER.encode(), 10_000)
    plain[field] = value
    with pytest.raises(ProtocolViolation, match=r"package\.malformed"):
        Header.decode(codec.encode(plain))


def test_missing_fields_newer_versions_and_other_values() -> None:
    plain = codec.decode(HEADER.encode(), 10_000)
    for field in plain:
        with pytest.raises(ProtocolViolation, match=r"package\.malformed"):
            Header.decode(codec.encode({name: value for name, value in plain.items() if name != field}))
    with pytest.raises(ProtocolViolation, match=r"package\.newer"):
        Header.decode(codec.encode({**plain, "version": 3}))
    with pytest.raises(ProtocolViolation, match=r"package\.malformed"):
        Header.decode(codec.encode([1]))


def test_columns_that_share_a_ciphertext_make_a_header_of_version_2() -> None:
    columns = tuple(SealedColumn("a", b"m" * 32, f"part {place}") for place in range(10))
    header = dataclasses.replace(HEADER, blocks=1, columns=columns, columns_per_ciphertext=4)
    assert Header.decode(header.encode()) == header
    plain = codec.decode(header.encode(), 10_000)
    assert plain["version"] == 2
    assert (header.groups, [len(header.group(number)) for number in range(3)]) == (3, [4, 4, 2])
    changes: list[dict[str, object]] = [{"blocks": 2}, {"version": 1}]
    changes += [{"columns per ciphertext": number} for number in (0, 1, 3, 128)]
    for change in changes:  # one block at most, a power of two, and version 1 for columns that are alone
        with pytest.raises(ProtocolViolation, match=r"package\.malformed"):
            Header.decode(codec.encode(plain | change))


@pytest.mark.parametrize("blocks", [[b"1" * 96], [b"1" * 96, b"2" * 95], [b"1" * 96] * 3, b""])
def test_a_manifest_has_a_hash_for_every_block(blocks: object) -> None:
    plain = codec.decode(MANIFEST.encode(), 10_000)
    with pytest.raises(ProtocolViolation, match=r"package\.malformed"):
        Manifest.decode(codec.encode({**plain, "blocks": blocks}), HEADER)


def test_signature_and_fingerprint(tmp_path: object) -> None:
    preparer = Maker(tmp_path).preparer  # type: ignore[arg-type]
    signature = preparer.sign(b"manifest")
    check_signature(b"manifest", signature, preparer.public)
    for message, sign, key in [
        (b"manifesT", signature, preparer.public),
        (b"manifest", bytes(64), preparer.public),
        (b"manifest", b"", preparer.public),
        (b"manifest", signature, b"\xff" * 32),
    ]:
        with pytest.raises(ProtocolViolation, match=r"package\.bad_signature"):
            check_signature(message, sign, key)
    assert (
        fingerprint(preparer.public).replace(" ", "")
        in hashlib.sha256(b"consilium/preparer key v1\0" + preparer.public).hexdigest()
    )
    assert dataclasses.replace(HEADER, created=1).hash != HEADER.hash


def test_a_fingerprint_is_compared_in_digits_or_in_words() -> None:
    key, other = b"k" * 32, b"l" * 32
    bits = bin(int(hashlib.sha256(b"consilium/preparer key v1\0" + key).hexdigest(), 16))[2:].zfill(256)
    words = [all_words()[int(bits[place : place + 11], 2)] for place in range(0, 132, 11)]
    assert fingerprint_words(key) == " ".join(words)
    short = ", ".join(word[:4].upper() for word in words)
    for typed in (fingerprint(key), fingerprint(key).upper().replace(" ", ""), " ".join(words), short):
        assert is_fingerprint(typed, key)
        assert not is_fingerprint(typed, other)
    for typed in ("", " ".join(words[:-1]), " ".join([*words[:-1], "zoo" if words[-1] != "zoo" else "zone"])):
        assert not is_fingerprint(typed, key)
