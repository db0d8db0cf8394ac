"""Catalogue files: beginning one, importing one, and reading one from wherever a catalogue is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.catalogue import vocabularies
from app.core.catalogue.assembling import Assembled
from app.core.catalogue.file import load_catalogue
from app.core.catalogue.from_tree import flags_of
from app.core.catalogue.model import Catalogue
from app.core.catalogue.redcap_dictionary import LeftOut, is_dictionary, read_dictionary
from app.core.catalogue.tabular import read_rows, read_sheet, template
from app.core.catalogue.vocabulary_sources import About, key_of, read_file
from app.core.catalogue.writing import format_catalogue
from app.core.errors import UserError
from app.core.federation.public_file import load_public_file
from app.core.files import write_atomic
from app.core.jobs.job import Job
from app.core.paths import resource


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a table: the catalogue or its mistakes, whether it was REDCap's, and the fields left out."""

    assembled: Assembled
    redcap: bool
    left_out: tuple[LeftOut, ...]


def catalogue_in(path: Path) -> Catalogue:
    """Read the catalogue of a catalogue file (``.toml``) or of a federation's public file. Raises as their readers."""
    return load_catalogue(path) if path.suffix.lower() == ".toml" else load_public_file(path).catalogue


def example(name: str, language: str) -> str:
    """Return a commented example catalogue, its notes in one of the languages."""
    text = (resource("templates") / f"catalogue.{language}.toml").read_text("utf-8")
    return text.replace("@NAME@", json.dumps(name, ensure_ascii=False))


def example_table() -> str:
    """Return the example as CSV."""
    return template()


def from_vocabulary(name: str, system: str, codes: Sequence[str], depth: int | None, job: Job) -> Catalogue:
    """Return a catalogue of flags along the tree of a vocabulary. Raises UserError ``vocabularies.*``."""
    with vocabularies.opened(system, job) as vocabulary:
        roots = codes or [each.code for each in vocabulary.children()]
        return Catalogue(name, 1, flags_of(vocabulary, roots, depth))


def import_table(path: Path, name: str | None, base: Path | None) -> Imported:
    """Read a CSV of variables or a REDCap data dictionary; ``base`` is the catalogue that it follows.

    Raises UserError ``catalogue.*``; EnvironmentProblem ``file.*``.
    """
    before = None if base is None else catalogue_in(base)
    called = name or (path.stem if before is None else before.name)
    version = 1 if before is None else before.version + 1
    sheet = read_sheet(path)
    if is_dictionary(sheet):
        assembled, left_out = read_dictionary(sheet, path.name, called, version)
        return Imported(assembled, True, left_out)
    return Imported(read_rows(sheet, path.name, called, version), False, ())


def import_vocabulary(path: Path, system: str, version: str, licence: str, job: Job) -> int:
    """Keep the user's own file of a vocabulary on this computer and return how many codes it has.

    Raises UserError ``vocabularies.*``; EnvironmentProblem ``file.*``, ``disk.full``.
    """
    about = About(system, version, licence, path.name)
    if not key_of(system):
        raise UserError("vocabularies.bad_name", system=system[:100])
    return vocabularies.keep(about, read_file(path, system), job)


def save(path: Path, content: Catalogue | str, *, overwrite: bool) -> None:
    """Write a catalogue file. Raises UserError ``catalogue.file_exists``; EnvironmentProblem ``file.*``."""
    if path.exists() and not overwrite:
        raise UserError("catalogue.file_exists", path=str(path))
    text = content if isinstance(content, str) else format_catalogue(content)
    write_atomic(path, text.encode())
