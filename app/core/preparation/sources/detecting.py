"""Find out what a file or folder is: by its first bytes and contents, by names where a format prescribes them."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems
from app.core.preparation.sources.readstat import recognized
from app.core.preparation.sources.redcap_dictionary import dictionary_beside
from app.core.preparation.sources.source import Format, Settings
from app.core.preparation.sources.workbook import is_workbook

_HEAD = 64 << 10
_PARQUET = b"PAR1"
_OLD_EXCEL = bytes.fromhex("d0cf11e0a1b11ae1")
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"Rar!")
_STATISTICS = {
    ".xpt": Format.SAS,
    ".sas7bdat": Format.SAS,
    ".sav": Format.SPSS,
    ".por": Format.SPSS,
    ".dta": Format.STATA,
}
_RESOURCE = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_STUDY = re.compile(r"(meta_\w+|data_clinical\w*|data_mutations\w*)\.txt")
_MOST_FILES = 10_000


def detect(path: Path) -> Settings:
    """Return how the file or folder is probably read.

    Raises UserError ``sources.unknown_format``, ``sources.unknown_folder``, ``sources.packed``,
    ``sources.empty_file``; EnvironmentProblem ``file.*``.
    """
    path = path.absolute()
    if path.is_dir():
        return Settings(_of_folder(path), (path,))
    head = _head(path)
    if not head:
        raise UserError("sources.empty_file", file=path.name)
    if (binary := _of_bytes(path, head)) is not None:
        return Settings(binary, (path,))
    if _STUDY.fullmatch(path.name) and _of_names(path.parent) is Format.CBIOPORTAL:
        return Settings(Format.CBIOPORTAL, (path.parent,))
    if head.startswith(_PACKED):
        raise UserError("sources.packed", file=path.name)
    if not _is_text(head):
        raise UserError("sources.unknown_format", file=path.name)
    dictionary = dictionary_beside(path)
    return Settings(Format.CSV if dictionary is None else Format.REDCAP, (path,), dictionary=dictionary)


def _of_bytes(path: Path, head: bytes) -> Format | None:
    """Return the format that the first bytes tell, None if they do not."""
    if head.startswith(_PARQUET):
        return Format.PARQUET
    if statistics := recognized(head[:512]):
        return _STATISTICS[statistics]
    if head.startswith(_OLD_EXCEL) or is_workbook(path):
        return Format.EXCEL
    is_json = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    return Format.FHIR if is_json and _RESOURCE.search(head) else None


def _of_folder(folder: Path) -> Format:
    found = _of_names(folder)
    if found is None:
        raise UserError("sources.unknown_folder", file=folder.name)
    return found


def _of_names(folder: Path) -> Format | None:
    """Return what the files of a folder are, by the names that the formats prescribe."""
    with disk_problems(folder):
        files = [path for path, _ in zip(sorted(folder.iterdir()), range(_MOST_FILES), strict=False) if path.is_file()]
    names = {path.name.casefold() for path in files}
    if "observation_fact.csv" in names:
        return Format.I2B2
    if "person.csv" in names:
        return Format.OMOP
    if any(_STUDY.fullmatch(name) for name in names):
        return Format.CBIOPORTAL
    json = [path for path in files if path.suffix.lower() in (".json", ".ndjson", ".jsonl")]
    return Format.FHIR if any(_RESOURCE.search(_head(path)) for path in json[:20]) else None


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise EnvironmentProblem("file.not_found", path=str(path))
    with disk_problems(path), open(path, "rb") as file:
        return file.read(_HEAD)


def _is_text(head: bytes) -> bool:
    """Return whether this can be text in some encoding: control characters are rare but for UTF-16's null bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    nulls = max(head[0::2].count(0), head[1::2].count(0))
    if nulls > 0.4 * len(head) / 2:
        head = head.replace(b"\0", b"")
    controls = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    return controls <= 0.02 * len(head)
