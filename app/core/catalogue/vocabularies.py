"""Vocabularies: the codes of ICD-10, ATC, LOINC, genes or any other system, with their labels and the tree they form.

Each lies in an SQLite file of the user's data directory, so that nothing is loaded to look one code up. Those of
:data:`~app.core.catalogue.vocabulary_sources.BUILT_IN` are made on first use from installed packages; every other one
from the user's own file, licensed to the user (``resources/licences`` says why). Names of systems are compared by their
letters and digits: ICD-10, icd10 and ICD_10 are one.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from app.core import paths
from app.core.catalogue.search import folded
from app.core.catalogue.vocabulary_sources import BUILT_IN, DOTLESS, EXACT, About, Entry, key_of
from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems, private_directory, replacing
from app.core.jobs.job import Job

MAX_CODES = 2_000_000
SEARCH_LIMIT = 200
_LAYOUT = 1
_AT_ONCE = 2_000
_WORD = re.compile(r"[^\W_]+")
_SCHEMA = f"""
PRAGMA user_version = {_LAYOUT};
CREATE TABLE about (system TEXT NOT NULL, version TEXT NOT NULL, licence TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE codes (
    place INTEGER PRIMARY KEY, normal TEXT NOT NULL UNIQUE, code TEXT NOT NULL, label TEXT NOT NULL, parent TEXT
);
CREATE VIRTUAL TABLE searched USING fts5(words, content='', detail=none, prefix='1 2 3');
"""
_BELOW = """
WITH RECURSIVE below(normal) AS (
    VALUES (?) UNION SELECT codes.normal FROM codes JOIN below ON codes.parent = below.normal
) SELECT normal FROM below
"""
_ROOTLESS = """
WITH RECURSIVE reached(normal) AS (
    SELECT normal FROM codes WHERE parent IS NULL
    UNION ALL SELECT codes.normal FROM codes JOIN reached ON codes.parent = reached.normal
) SELECT code FROM codes WHERE normal NOT IN (SELECT normal FROM reached) ORDER BY place LIMIT 1
"""
_HIGHEST_BETWEEN = """
normal >= ? AND normal < ? AND instr(normal, '-') = 0 AND parent NOT IN
(SELECT normal FROM codes WHERE normal >= ? AND normal < ? AND instr(normal, '-') = 0)
"""


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a vocabulary as it is written there, with its label."""

    code: str
    label: str


class Vocabulary:
    """An open vocabulary. Codes are taken however they are written, and given as the vocabulary writes them."""

    def __init__(self, about: About, connection: sqlite3.Connection) -> None:
        self.about = about
        self._connection = connection

    def __len__(self) -> int:
        count: int = self._connection.execute("SELECT count(*) FROM codes").fetchone()[0]
        return count

    def find(self, code: str) -> Code | None:
        """Return a code with its label, or None."""
        return next(self._codes("normal = ?", self._normal(code)), None)

    def code(self, code: str) -> Code:
        """Return a code with its label. Raises UserError ``vocabularies.unknown_code``."""
        if (found := self.find(code)) is None:
            raise UserError("vocabularies.unknown_code", system=self.about.system, found=code[:100])
        return found

    def below(self, code: str) -> frozenset[str]:
        """Return a code and all codes under it, normalised. Raises UserError ``vocabularies.unknown_code``."""
        self.code(code)
        return frozenset(normal for (normal,) in self._connection.execute(_BELOW, (self._normal(code),)))

    def children(self, code: str | None = None) -> list[Code]:
        """Return the codes directly under ``code``, or the roots."""
        if code is None:
            return list(self._codes("parent IS NULL"))
        return list(self._codes("parent = ?", self._normal(code)))

    def between(self, first: str, last: str) -> list[Code]:
        """Return the highest codes of a range such as C50 to C58, both and all that is under them included."""
        low, high = self._normal(first), self._normal(last) + "\U0010ffff"
        return list(self._codes(_HIGHEST_BETWEEN, low, high, low, high))

    def path(self, code: str) -> list[Code]:
        """Return the codes from a root down to ``code``. Raises UserError ``vocabularies.unknown_code``."""
        found = [self.code(code)]
        while (above := self._parent(found[-1].code)) is not None:
            found.append(self.code(above))
        return found[::-1]

    def search(self, typed: str, limit: int = SEARCH_LIMIT) -> list[Code]:
        """Return the codes that begin with ``typed`` or whose labels hold all its words, in the vocabulary's order."""
        begins = self._normal(typed)
        found = dict.fromkeys(
            islice(self._codes("normal >= ? AND normal < ?", begins, begins + "\U0010ffff"), limit) if begins else ()
        )
        if words := _WORD.findall(folded(typed)):
            match = " ".join(f'"{word}"*' for word in words)
            condition = "place IN (SELECT rowid FROM searched WHERE searched MATCH ? ORDER BY rowid LIMIT ?)"
            found |= dict.fromkeys(self._codes(condition, match, limit))
        return list(found)[:limit]

    def _normal(self, code: str) -> str:
        return normal(self.about.system, code)

    def _parent(self, code: str) -> str | None:
        found = self._connection.execute("SELECT parent FROM codes WHERE normal = ?", (self._normal(code),)).fetchone()
        above: str | None = found[0] if found else None
        return above

    def _codes(self, condition: str, *parameters: str | int) -> Iterator[Code]:
        sql = f"SELECT code, label FROM codes WHERE {condition} ORDER BY place"  # noqa: S608 - conditions of this module
        for code, label in self._connection.execute(sql, parameters):
            yield Code(code, label)


def normal(system: str, code: str) -> str:
    """Return the one way to write a code: ICD codes without dot, dagger and asterisk; capitals where case is nothing.

    Codes of local systems stay as they are.
    """
    key, code = key_of(system), code.strip()
    if key.startswith(DOTLESS):
        return code.upper().rstrip("+*!†").replace(".", "").rstrip("-").rstrip()
    return code.upper() if key in EXACT else code


def below(system: str, code: str) -> frozenset[str]:
    """Return a code and all codes under it, normalised as :func:`normal` does.

    Raises UserError ``vocabularies.unknown_system``, ``vocabularies.unknown_code``.
    """
    with opened(system) as vocabulary:
        return vocabulary.below(code)


def exists(system: str) -> bool:
    """Return whether a vocabulary is there, or can be made from an installed package."""
    key = key_of(system)
    return _file(system).is_file() or (key in BUILT_IN and BUILT_IN[key].installed())


def kept() -> list[str]:
    """Return the keys of the vocabularies that are there or can be made, sorted."""
    there = {path.stem for path in paths.vocabularies().glob("*.sqlite")}
    return sorted(there | {key for key, each in BUILT_IN.items() if each.installed()})


@contextmanager
def opened(system: str, job: Job | None = None) -> Iterator[Vocabulary]:
    """Give a vocabulary, made first if an installed package has it.

    Raises UserError ``vocabularies.unknown_system``; EnvironmentProblem ``vocabularies.damaged``, ``file.*``.
    """
    path, source = _file(system), BUILT_IN.get(key_of(system))
    if source is not None and source.installed() and not _about(path):
        keep(source.about(), source.entries(), job or Job(), source.codes)
    elif not path.is_file():
        raise UserError("vocabularies.unknown_system", system=system[:100], known=", ".join(kept()))
    with _reading(path) as connection:
        if (found := _about(path)) is None:
            raise EnvironmentProblem("vocabularies.damaged", path=str(path))
        yield Vocabulary(found, connection)


def keep(about: About, entries: Iterable[Entry], job: Job, total: int = 0) -> int:
    """Write a vocabulary, in place of an older one, and return how many codes it has; ``total`` is a guess at that.

    Raises UserError ``vocabularies.bad_name``, ``.duplicate``, ``.empty_code``, ``.unknown_parent``, ``.circle``,
    ``.empty``, ``.too_many``; EnvironmentProblem ``file.*``, ``disk.full``.
    """
    path = _file(about.system)
    if not key_of(about.system):
        raise UserError("vocabularies.bad_name", system=about.system[:100])
    private_directory(path.parent)
    meter = job.meter("vocabularies.making", max(total, 1))
    with (
        replacing(path) as temporary,
        _writing(path),
        closing(sqlite3.connect(temporary, isolation_level=None)) as connection,
    ):
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        connection.execute("BEGIN")
        values = (about.system, about.version, about.licence, about.source)
        connection.execute("INSERT INTO about VALUES (?, ?, ?, ?)", values)
        count = 0
        for each in entries:
            _insert(connection, about.system, count, each)
            count += 1
            if count > MAX_CODES:
                raise UserError("vocabularies.too_many", system=about.system, limit=MAX_CODES)
            if count % _AT_ONCE == 0:
                meter.advance(_AT_ONCE)
        connection.execute("CREATE INDEX by_parent ON codes(parent)")
        _check(connection, about.system)
        connection.execute("COMMIT")
    return count


def _insert(connection: sqlite3.Connection, system: str, place: int, each: Entry) -> None:
    own, above = normal(system, each.code), normal(system, each.parent) if each.parent else None
    if not own:
        raise UserError("vocabularies.empty_code", system=system, row=each.row)
    try:
        values = (place, own, each.code, each.label, above)
        connection.execute("INSERT INTO codes VALUES (?, ?, ?, ?, ?)", values)
    except sqlite3.IntegrityError as error:
        raise UserError("vocabularies.duplicate", system=system, found=each.code[:100], row=each.row) from error
    words = " ".join(dict.fromkeys(_WORD.findall(folded(f"{each.code} {each.label} {each.words}"))))
    connection.execute("INSERT INTO searched(rowid, words) VALUES (?, ?)", (place, words))


def _check(connection: sqlite3.Connection, system: str) -> None:
    """Refuse a vocabulary without codes, with parents that are not there, or with circles."""
    if connection.execute("SELECT 1 FROM codes").fetchone() is None:
        raise UserError("vocabularies.empty", system=system)
    lost = connection.execute(
        "SELECT code, parent FROM codes WHERE parent IS NOT NULL AND parent NOT IN (SELECT normal FROM codes) LIMIT 1"
    ).fetchone()
    if lost is not None:
        raise UserError("vocabularies.unknown_parent", system=system, found=lost[0][:100], parent=lost[1][:100])
    if (around := connection.execute(_ROOTLESS).fetchone()) is not None:
        raise UserError("vocabularies.circle", system=system, found=around[0][:100])


def _about(path: Path) -> About | None:
    """Return what a file says of itself; None if it is not there, damaged, or made from an older package."""
    if not path.is_file():
        return None
    with _reading(path) as connection:
        try:
            if connection.execute("PRAGMA user_version").fetchone() != (_LAYOUT,):
                return None
            about = About(*connection.execute("SELECT system, version, licence, source FROM about").fetchone())
        except (sqlite3.DatabaseError, TypeError):
            return None
    source = BUILT_IN.get(key_of(about.system))
    if source is None or not source.installed() or not about.source.startswith(source.package):
        return about  # the user's own, perhaps under a name that a package has as well
    return about if about == source.about() else None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        with disk_problems(path):
            yield
    except sqlite3.OperationalError as error:
        raise EnvironmentProblem("file.failed", path=str(path), reason=str(error)) from error


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as found:
            yield found
    except sqlite3.DatabaseError as error:
        raise EnvironmentProblem("vocabularies.damaged", path=str(path)) from error


def _file(system: str) -> Path:
    return paths.vocabularies() / f"{key_of(system)}.sqlite"
