"""What runs apart to read files of SAS, SPSS and Stata: their description, and their rows in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.preparation.problems import SHOWN, Problem, Problems, State
from app.core.preparation.sources.csv_rows import MAX_FIELD, clean_writer
from app.core.preparation.sources.plain_text import moment_text, number_text

FORMATS = {
    ".sas7bdat": "SAS",
    ".xpt": "SAS",
    ".sav": "SPSS",
    ".zsav": "SPSS",
    ".por": "SPSS",
    ".dta": "Stata",
}
"""The files that are read, by what they are."""
_SPSS_ZERO = datetime(1582, 10, 14)
_ZERO = datetime(1960, 1, 1)  # of SAS and Stata

_SPSS_MOMENT = re.compile(r"(DATETIME|YMDHMS)\d*")
_SPSS_DATE = re.compile(r"([AEJS]?DATE|QYR|MOYR|WKYR)\d*")
_SPSS_TIME = re.compile(r"([DM]?TIME)\d*")
_SAS_MOMENT = re.compile(r"(DATETIME|DTDATE|DTMONYY|DTYEAR|DATEAMPM|MDYAMPM|[EB]8601D[TXZN]|IS8601D[TNZ]|NLDATM)\w*")
_SAS_TIME = re.compile(r"(TIME|HHMM|HOUR|MMSS|TOD|[EB]8601(TM|TZ|LZ)|IS8601T[MZ]|NLTIM)\w*")
_SAS_DATE = re.compile(
    r"(DATE|DAY|DDMMYY|MMDDYY|YYMMDD|JULIAN|JULDAY|MONYY|MMYY|YYMM|YYMON|YYQ|WEEKDATE|WEEKDATX|WORDDATE|WORDDATX|"
    r"YYWEEK|[EB]8601DA|IS8601DA|NLDATE)\w*"
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of itself. ``rows`` is None where it does not say how many there are."""

    format: str
    encoding: str | None
    columns: tuple[str, ...]
    formats: tuple[str, ...]
    rows: int | None
    labels: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]


def describe(path: Path, encoding: str | None) -> Description:
    """Read what the file says of itself. Raises UserError ``sources.damaged``; EnvironmentProblem ``file.*``."""
    _, about = _read(path, encoding, metadataonly=True)
    values = {column: _labels(labels) for column, labels in _value_labels(path, about, encoding).items()}
    return Description(
        FORMATS[_suffix(path)],
        encoding,
        tuple(about.column_names),
        tuple((about.original_variable_types.get(column) or "").upper() for column in about.column_names),
        about.number_rows,
        {column: label for column, label in about.column_names_to_labels.items() if label},
        values,
    )


def write_chunk(path: Path, description: Description, first: int, count: int, target: Path) -> tuple[int, Problems]:
    """Append the records from ``first`` (0 is the first) on to ``target``; return how many were read, and problems.

    Raises UserError ``sources.damaged``; EnvironmentProblem ``file.*``, ``disk.*``.
    """
    data, _ = _read(path, description.encoding, row_offset=first, row_limit=count)
    problems = Problems()
    texts = []
    for column, shape in zip(description.columns, description.formats, strict=True):
        write = _writer(description.format, shape)
        texts.append(_texts(data[column], write, (path.name, column, first + 1), problems))
    rows = max((len(column) for column in texts), default=0)
    with disk_problems(target), open(target, "a", encoding="utf-8", newline="") as out:
        write_row = clean_writer(out)
        for row in zip(range(first + 1, first + rows + 1), *texts, strict=True):
            write_row(row)
    return rows, problems


def _read(path: Path, encoding: str | None, **how: Any) -> tuple[Any, Any]:
    import pyreadstat  # noqa: PLC0415 - loaded apart only

    readers: dict[str, Callable[..., tuple[Any, Any]]] = {
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".xpt": pyreadstat.read_xport,
        ".sav": pyreadstat.read_sav,
        ".zsav": pyreadstat.read_sav,
        ".por": pyreadstat.read_por,
        ".dta": pyreadstat.read_dta,
    }
    if encoding is not None and _suffix(path) != ".por":
        how["encoding"] = encoding
    with disk_problems(path), open(path, "rb"):  # ReadStat's own words for these say nothing
        pass
    try:
        return readers[_suffix(path)](path, output_format="dict", disable_datetime_conversion=True, **how)
    except MemoryError:
        raise
    except Exception as error:  # ReadStat raises whatever a broken file makes of it
        raise UserError("sources.damaged", file=path.name, format=FORMATS[_suffix(path)]) from error


def _suffix(path: Path) -> str:
    """Return what a file is read as: by its name, or by its first bytes where that says nothing."""
    if (suffix := path.suffix.lower()) in FORMATS:
        return suffix
    with disk_problems(path), open(path, "rb") as file:
        return recognized(file.read(512)) or ".sav"


def recognized(head: bytes) -> str | None:
    """Return the suffix of the format that a file begins like, None if it is none of them."""
    if head.startswith(b"HEADER RECORD*******LIB"):
        return ".xpt"
    if head[12:32] == bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011"):
        return ".sas7bdat"
    if head.startswith((b"$FL2", b"$FL3")):
        return ".sav"
    if b"SPSS PORT FILE" in head:
        return ".por"
    stata = len(head) > 3 and 104 <= head[0] <= 115 and head[1] in (1, 2) and head[2] == 1
    return ".dta" if stata or head.startswith(b"<stata_dta>") else None


def _value_labels(path: Path, about: Any, encoding: str | None) -> dict[str, Mapping[Any, str]]:
    catalogue = path.with_suffix(".sas7bcat")
    if _suffix(path) != ".sas7bdat" or not catalogue.exists():
        return dict(about.variable_value_labels)
    import pyreadstat  # noqa: PLC0415 - loaded apart only

    try:
        _, formats = pyreadstat.read_sas7bcat(catalogue, encoding=encoding)
    except Exception as error:
        raise UserError("sources.damaged", file=catalogue.name, format="SAS") from error
    named = {column: shape.upper().rstrip(".") for column, shape in about.original_variable_types.items() if shape}
    return {column: formats.value_labels[shape] for column, shape in named.items() if shape in formats.value_labels}


def _labels(labels: Mapping[Any, str]) -> dict[str, str]:
    return {
        number_text(value) if isinstance(value, int | float) else str(value): name for value, name in labels.items()
    }


def _texts(
    values: list[Any], write: Callable[[float], str], place: tuple[str, str, int], problems: Problems
) -> list[str]:
    """Write the values of a column; what is no value is "", and what cannot be written a problem and ""."""
    file, column, first = place
    texts = []
    for row, value in enumerate(values, first):
        written = ""
        if isinstance(value, str):
            if len(value) > MAX_FIELD or "\0" in value:
                code = "sources.null_field" if "\0" in value else "sources.long_field"
                problems.add(Problem(code, State.EMPTY, file, row, column, found=value[:SHOWN].replace("\0", "␀")))
            else:
                written = value
        elif value is not None:
            try:
                written = write(value)
            except (OverflowError, ValueError):
                found = str(value)[:SHOWN]
                problems.add(Problem("sources.impossible_date", State.EMPTY, file, row, column, found=found))
        texts.append(written)
    return texts


def _writer(source: str, shape: str) -> Callable[[float], str]:
    """Return how the numbers of a column with the display format ``shape`` are written."""
    if source == "Stata":
        return _stata_writer(shape)
    moment, day, time = (
        (_SPSS_MOMENT, _SPSS_DATE, _SPSS_TIME) if source == "SPSS" else (_SAS_MOMENT, _SAS_DATE, _SAS_TIME)
    )
    zero, per_day = (_SPSS_ZERO, 86_400) if source == "SPSS" else (_ZERO, 1)
    shape = shape.partition(".")[0]
    if moment.fullmatch(shape):
        return lambda value: moment_text(zero + timedelta(seconds=value))
    if time.fullmatch(shape):
        return lambda value: moment_text(timedelta(seconds=value))
    if day.fullmatch(shape):
        return lambda value: (zero + timedelta(days=value / per_day)).date().isoformat()
    return number_text


def _stata_writer(shape: str) -> Callable[[float], str]:
    kind = shape.removeprefix("%").removeprefix("-").removeprefix("T")[:1] if shape.startswith(("%T", "%-T")) else ""
    if shape.startswith(("%D", "%-D")) or kind == "D":
        return lambda value: (_ZERO + timedelta(days=value)).date().isoformat()
    if kind == "C":
        return lambda value: moment_text(_ZERO + timedelta(milliseconds=value))
    if kind == "W":  # Stata's years have 52 weeks, the first from January 1
        return lambda value: _of_year(value, 52, lambda year, week: date(year, 1, 1) + timedelta(days=7 * week))
    months = {"M": 1, "Q": 3, "H": 6}.get(kind)
    if months is None:
        return number_text
    return lambda value: _of_year(value, 12 // months, lambda year, part: date(year, 1 + part * months, 1))


def _of_year(value: float, parts: int, first_day: Callable[[int, int], date]) -> str:
    years, part = divmod(int(value), parts)
    return first_day(1960 + years, part).isoformat()
