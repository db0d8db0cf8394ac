"""The documents of a dataset file: header, manifest, and the preparer's signature over the manifest.

Canonical CBOR, parsed strictly: every field is there once, with its type and within its bounds, and nothing else is.
The header is of version 2 where columns share a ciphertext, which programs from before cannot read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.core import codec
from app.core.crypto.parameters import MOST_COLUMNS
from app.core.crypto.word_list import WORD_BITS, to_words, typed_words, word_number
from app.core.errors import ProtocolViolation
from app.core.fields import Fields

FORMAT = "consilium-package"
VERSION = 1
WITH_SHARED_CIPHERTEXTS = 2
REPORT_PURPOSE = "preparation report v1"

MAX_PRIMES = 8
MAX_BLOCKS = 1 << 20
MAX_COLUMNS = 1 << 20
MAX_HEADER = 64 << 20
MAX_MANIFEST = 256 << 20
MAX_REPORT = 64 << 20

_FINGERPRINT_WORDS = 12
_SIGNED = b"consilium package manifest v1\0"


@dataclass(frozen=True)
class SealedColumn:
    """One sealed column: the code and meaning hash (32 bytes) of its variable, and which part of it."""

    variable: str
    meaning: bytes
    part: str


@dataclass(frozen=True)
class Header:
    """What a dataset says of itself.

    ``dataset`` is its random id (16 bytes); ``federation``, ``transcript`` and ``catalogue`` are 32-byte hashes;
    ``residues`` is how many primes are stored (1 … 8); a block is ``parameters``' ring degree in patients; ``created``
    in UTC milliseconds. Where the patients are few, ``columns_per_ciphertext`` columns (a power of two) share a
    ciphertext, in order, and the one block holds that many times fewer patients.
    """

    federation: bytes
    transcript: bytes
    catalogue: bytes
    dataset: bytes
    parameters: str
    residues: int
    blocks: int
    columns: tuple[SealedColumn, ...]
    created: int
    columns_per_ciphertext: int = 1

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return codec.encode(
            {
                "format": FORMAT,
                "version": self._version,
                "federation": self.federation,
                "transcript": self.transcript,
                "catalogue": self.catalogue,
                "dataset": self.dataset,
                "parameters": self.parameters,
                "residues": self.residues,
                "blocks": self.blocks,
                "columns per ciphertext": self.columns_per_ciphertext,
                "columns": [[column.variable, column.meaning, column.part] for column in self.columns],
                "created": self.created,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """Parse canonical bytes. Raises ProtocolViolation ``package.malformed`` or ``package.newer``."""
        fields, version = _opened(data, MAX_HEADER, "header", FORMAT, newest=WITH_SHARED_CIPHERTEXTS)
        header = cls(
            federation=fields.bytes("federation", 32),
            transcript=fields.bytes("transcript", 32),
            catalogue=fields.bytes("catalogue", 32),
            dataset=fields.bytes("dataset", 16),
            parameters=fields.text("parameters", 64),
            residues=fields.number("residues", 1, MAX_PRIMES),
            blocks=fields.number("blocks", 1, MAX_BLOCKS),
            columns_per_ciphertext=fields.number("columns per ciphertext", 1, MOST_COLUMNS),
            columns=tuple(_column(each) for each in fields.items("columns", MAX_COLUMNS)),
            created=fields.number("created", 0, 1 << 52),
        )
        fields.done()
        if len({(column.variable, column.part) for column in header.columns}) != len(header.columns):
            raise ProtocolViolation("package.malformed", part="columns")
        shared = header.columns_per_ciphertext
        if shared & (shared - 1) or (shared > 1 and header.blocks > 1) or version != header._version:
            raise ProtocolViolation("package.malformed", part="columns per ciphertext")
        return header

    @property
    def _version(self) -> int:
        return VERSION if self.columns_per_ciphertext == 1 else WITH_SHARED_CIPHERTEXTS

    @property
    def groups(self) -> int:
        """How many ciphertexts a block takes: one for each group of columns that share one."""
        return -(-len(self.columns) // self.columns_per_ciphertext)

    def group(self, number: int) -> tuple[SealedColumn, ...]:
        """Return the columns that share one ciphertext, in order."""
        first = number * self.columns_per_ciphertext
        return self.columns[first : first + self.columns_per_ciphertext]

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.encode()).digest()


@dataclass(frozen=True)
class Manifest:
    """What the preparer signs: hashes of everything, and the preparer's Ed25519 public key (32 bytes).

    ``blocks`` has, for each column (or group of columns that share a ciphertext), the SHA-256 of each of its blocks one
    after the other; the hash of a block is over its residue blobs in the order of the primes.
    """

    header: bytes
    report: bytes
    blocks: tuple[bytes, ...]
    preparer: bytes

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return codec.encode(
            {
                "format": f"{FORMAT}-manifest",
                "version": VERSION,
                "header": self.header,
                "report": self.report,
                "blocks": list(self.blocks),
                "preparer": self.preparer,
            }
        )

    @classmethod
    def decode(cls, data: bytes, header: Header) -> Manifest:
        """Parse canonical bytes of the manifest of ``header``; errors as :meth:`Header.decode`."""
        fields, _ = _opened(data, MAX_MANIFEST, "manifest", f"{FORMAT}-manifest", newest=VERSION)
        blocks = fields.items("blocks", header.groups)
        manifest = cls(
            header=fields.bytes("header", 32),
            report=fields.bytes("report", 32),
            blocks=tuple(_exactly(each, 32 * header.blocks, "blocks") for each in blocks),
            preparer=fields.bytes("preparer", 32),
        )
        fields.done()
        if len(blocks) != header.groups:
            raise ProtocolViolation("package.malformed", part="blocks")
        return manifest

    def block_hash(self, group: int, block: int) -> bytes:
        """Return the SHA-256 of one block of one group of columns."""
        return self.blocks[group][32 * block : 32 * block + 32]


def signed_bytes(manifest: bytes) -> bytes:
    """Return what the preparer signs."""
    return _SIGNED + manifest


def check_signature(manifest: bytes, signature: bytes, preparer: bytes) -> None:
    """Raise ProtocolViolation ``package.bad_signature`` unless ``preparer`` signed ``manifest``."""
    try:
        Ed25519PublicKey.from_public_bytes(preparer).verify(signature, signed_bytes(manifest))
    except (InvalidSignature, ValueError) as error:
        raise ProtocolViolation("package.bad_signature") from error


def fingerprint(preparer: bytes) -> str:
    """Return what two people compare: the first 16 bytes of a preparer key's hash, in groups of four digits."""
    digits = _preparer_hash(preparer).hex()[:32]
    return " ".join(digits[place : place + 4] for place in range(0, 32, 4))


def fingerprint_words(preparer: bytes) -> str:
    """Return the same as words that can be read out on the telephone: the first 132 bits of the hash."""
    number = int.from_bytes(_preparer_hash(preparer), "big")
    return " ".join(to_words(number >> 256 - WORD_BITS * _FINGERPRINT_WORDS, _FINGERPRINT_WORDS))


def is_fingerprint(text: str, preparer: bytes) -> bool:
    """Return whether a person has typed the fingerprint of ``preparer``, in digits or in words."""
    if "".join(text.split()).lower() == fingerprint(preparer).replace(" ", ""):
        return True
    typed = [word_number(word) for word in typed_words(text)]
    return typed == [word_number(word) for word in fingerprint_words(preparer).split()]


def _preparer_hash(preparer: bytes) -> bytes:
    return hashlib.sha256(b"consilium/preparer key v1\0" + preparer).digest()


def _opened(data: bytes, limit: int, part: str, format: str, *, newest: int) -> tuple[Fields, int]:
    """Return the fields of a document that says that it is one of ours, and its version, which must be one we read."""
    fields = Fields.decode(data, limit, "package.malformed", part=part)
    fields.exactly({"format": format})
    version = fields.number("version", 1, 1 << 31)
    if version > newest:
        raise ProtocolViolation("package.newer", found=version, known=newest)
    return fields, version


def _column(value: object) -> SealedColumn:
    if type(value) is not list or len(value) != 3:
        raise ProtocolViolation("package.malformed", part="columns")
    variable, meaning, part = value
    if type(variable) is not str or type(part) is not str or max(len(variable), len(part)) > 256:
        raise ProtocolViolation("package.malformed", part="columns")
    return SealedColumn(variable, _exactly(meaning, 32, "columns"), part)


def _exactly(value: object, length: int, part: str) -> bytes:
    if type(value) is not bytes or len(value) != length:
        raise ProtocolViolation("package.malformed", part=part)
    return value
