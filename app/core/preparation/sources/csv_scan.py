"""Look through every byte of a text file once, fast, before anything is believed about it.

A table of a hundred million rows has its one broken byte anywhere; so encoding, line ends and null bytes are judged
from the whole file. What :func:`scan` finds out also says whether the file is so plain that DuckDB may read it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import charset_normalizer

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job

LONG_LINE = 100_000
"""A line of more bytes is not plain."""
_CHUNK = 8 << 20
_HEAD = 4096
_SAMPLE = 64 << 10
_ENOUGH = 1_000  # invalid sequences that settle that a text is not UTF-8
_ASCII = bytes(range(128))
_HIGH = bytes(range(128, 256))
_SURROGATES = re.compile("[\udc80-\udcff]")
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass
class Scan:
    """What a file's bytes look like. ``invalid`` and ``valid`` count sequences beyond ASCII that are (not) UTF-8."""

    lines: dict[bytes, int] = field(default_factory=lambda: {b"\n": 0, b"\r\n": 0, b"\r": 0})
    quotes: bool = False
    spaced_quotes: bool = False
    nulls: bool = False
    blank_lines: bool = False
    long_lines: bool = False
    valid: int = 0
    invalid: int = 0
    high: set[int] = field(default_factory=set)
    sample: bytearray = field(default_factory=bytearray)

    @property
    def line_ends(self) -> list[str]:
        """The sorts of line ends that occur."""
        return [end.decode() for end, count in self.lines.items() if count]

    @property
    def plain(self) -> bool:
        """Whether every line is surely a row of valid UTF-8, if its quotation marks are in order."""
        odd = self.nulls or self.spaced_quotes or self.blank_lines or self.long_lines or self.invalid
        return not odd and len(self.line_ends) <= 1

    def add(self, chunk: bytes) -> None:
        """Look at more of the file: whole lines, but for a line that does not end."""
        self._count_lines(chunk)
        if b'"' in chunk:
            self.quotes = True
            # DuckDB takes the spaces around a quoted value away, a strict reader does not
            self.spaced_quotes = self.spaced_quotes or any(pair in chunk for pair in (b' "', b'" ', b'\t"', b'"\t'))
        self.nulls = self.nulls or b"\0" in chunk
        if not chunk.isascii():
            self._add_high(chunk)

    def _count_lines(self, chunk: bytes) -> None:
        both = chunk.count(b"\r\n") if b"\r" in chunk else 0
        self.lines[b"\r\n"] += both
        self.lines[b"\n"] += chunk.count(b"\n") - both
        self.lines[b"\r"] += chunk.count(b"\r") - both
        ends = (b"\n\n", b"\n\r", b"\r\r")
        self.blank_lines = self.blank_lines or chunk[:1] in (b"\n", b"\r") or any(end in chunk for end in ends)
        starts = range(0, len(chunk) - LONG_LINE, LONG_LINE)
        self.long_lines = self.long_lines or any(
            chunk.find(b"\n", start, start + LONG_LINE) < 0 and chunk.find(b"\r", start, start + LONG_LINE) < 0
            for start in starts
        )

    def _add_high(self, chunk: bytes) -> None:
        self.high.update(set(chunk.translate(None, _ASCII)))
        if len(self.sample) < _SAMPLE:
            lines = (line for line in chunk.splitlines(keepends=True) if not line.isascii())
            for line in lines:
                self.sample += line[:1024]
                if len(self.sample) >= _SAMPLE:
                    break
        if self.invalid >= _ENOUGH:
            return
        text = chunk.decode(errors="surrogateescape")
        beyond = len(text) - len(chunk.translate(None, _HIGH))
        invalid = 0 if _is_valid(text) else len(_SURROGATES.findall(text))
        self.invalid += invalid
        self.valid += beyond - invalid


def scan(path: Path, job: Job) -> Scan:
    """Look through the file. Raises Cancelled; EnvironmentProblem ``file.*``."""
    found = Scan()
    with disk_problems(path), open(path, "rb") as file:
        meter = job.meter("sources.step.looking", path.stat().st_size)
        for chunk in chunks(file):
            found.add(chunk)
            meter.advance(len(chunk))
    return found


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file in pieces that end with a line, unless a line is endless; a byte order mark is left out."""
    first = True
    while chunk := file.read(_CHUNK):
        if not chunk.endswith(b"\n"):
            chunk += file.readline(_CHUNK)
        yield chunk.removeprefix(codecs.BOM_UTF8) if first else chunk
        first = False


def wide_encoding(path: Path) -> str | None:
    """Return the name of UTF-16 if the file is written in it, else None. Raises UserError ``sources.empty_file``."""
    with disk_problems(path), open(path, "rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise UserError("sources.empty_file", file=path.name)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding if encoding != "utf-8" else None
    half = len(head) // 2
    if half and head[1::2].count(0) > 0.4 * half and head[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if half and head[0::2].count(0) > 0.4 * half and head[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def narrow_encoding(found: Scan) -> str:
    """Return what the bytes of a file that is not UTF-16 are written in.

    UTF-8 also if single lines are not: their bytes are then called broken. Only Windows has characters where the ISO
    encodings have control characters; what else tells their texts apart is how probable the letters are.
    """
    if not found.invalid or found.valid > 10 * found.invalid:
        return "utf-8"
    if any(0x80 <= byte < 0xA0 for byte in found.high):
        return "windows-1252"
    best = charset_normalizer.from_bytes(bytes(found.sample), cp_isolation=["cp1252", "iso8859_15"]).best()
    return "iso-8859-15" if best is not None and best.encoding == "iso8859_15" else "windows-1252"


def transcode(path: Path, encoding: str, target: Path, job: Job) -> None:
    """Write the file as UTF-8 to ``target``; bytes that a one-byte encoding does not have are kept as they are.

    Raises UserError ``sources.wrong_encoding``; Cancelled; EnvironmentProblem ``disk.*``, ``file.*``.
    """
    errors = "strict" if encoding.startswith("utf-16") else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    meter = job.meter("sources.step.transcoding", path.stat().st_size)
    with disk_problems(path), open(path, "rb") as source, disk_problems(target), open(target, "wb") as out:
        while chunk := source.read(_CHUNK):
            out.write(_decoded(decoder, chunk, path, encoding).encode("utf-8", "surrogateescape"))
            meter.advance(len(chunk))
        out.write(_decoded(decoder, b"", path, encoding, final=True).encode("utf-8", "surrogateescape"))


def _decoded(
    decoder: codecs.IncrementalDecoder, chunk: bytes, path: Path, encoding: str, *, final: bool = False
) -> str:
    try:
        return decoder.decode(chunk, final)
    except UnicodeError as error:
        raise UserError("sources.wrong_encoding", file=path.name, encoding=encoding) from error


def _is_valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
