"""The readable catalogue file (TOML 1.0, UTF-8): keys as in :mod:`app.core.catalogue.plain`.

format = "consilium-catalogue"
name = "Breast cancer study"
version = 1

[[variable]]
code = "sex"
kind = "category"
label = { en = "Sex", fr = "Sexe", de = "Geschlecht" }
levels = [
    { code = "female", label = { en = "female", fr = "femme", de = "weiblich" } },
    { code = "male", label = { en = "male", fr = "homme", de = "männlich" } },
]

[[variable]]
code = "age"
kind = "number"
label = { en = "Age", fr = "Âge", de = "Alter" }
unit = "a"
unit_label = { en = "years", fr = "ans", de = "Jahre" }
cut_points = [40, 50, 60, 70]
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from app.core.catalogue.model import MAX_BYTES, Catalogue
from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.toml_reader import parse_toml


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises UserError ``catalogue.*`` that names ``file``, ``variable`` and ``field``; EnvironmentProblem ``file.*`` if
    the file cannot be read.
    """
    return parse_catalogue(read_catalogue_bytes(path), path.name)


def read_catalogue_bytes(path: Path) -> bytes:
    """Return the content of a catalogue file, or one byte more than one may have. Raises EnvironmentProblem."""
    with disk_problems(path), open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def parse_catalogue(data: bytes, name: str) -> Catalogue:
    """Read the bytes of a catalogue file; ``name`` is what errors call it. Raises UserError ``catalogue.*``."""
    plain = read_toml(data, name)
    try:
        return Catalogue.from_plain(plain)
    except UserError as error:
        raise UserError(error.code, **{**error.params, "file": name}) from error


def read_toml(data: bytes, name: str) -> dict[str, Any]:
    """Read TOML, its floats exactly. Raises UserError ``catalogue.file_too_large``, ``.not_utf8``, ``.not_toml``."""
    if len(data) > MAX_BYTES:
        raise UserError("catalogue.file_too_large", file=name, size=len(data), limit=MAX_BYTES)
    try:
        return parse_toml(data.decode("utf-8"), _decimal)
    except UnicodeDecodeError as error:
        raise UserError("catalogue.not_utf8", file=name, position=error.start) from error
    except ValueError as error:
        raise UserError("catalogue.not_toml", file=name, reason=str(error)) from error


def _decimal(text: str) -> Decimal:
    """Read a TOML float exactly; what Decimal cannot hold becomes "not a number", which the model refuses by name."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")
