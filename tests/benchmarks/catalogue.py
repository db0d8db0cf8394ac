"""How long the catalogue's search takes at 100,000 variables: ``python -m tests.benchmarks.catalogue``."""

from __future__ import annotations

import time

from app.core.catalogue.difference import differences
from app.core.catalogue.model import Catalogue, Group, Kind, Label, Variable
from app.core.catalogue.search import Search
from app.core.catalogue.writing import format_catalogue

WORDS = ("malignant", "benign", "chronic", "acute", "left", "right", "neoplasm", "fracture", "infection", "disorder")
PARTS = ("skin", "lung", "breast", "liver", "kidney", "heart", "brain", "bone", "eye", "ear", "hand", "foot")
TYPED = (
    "m",
    "ma",
    "mal",
    "malignant",
    "malignant l",
    "c",
    "icd10:c4",
    "C43",
    "skin chronic",
    "zzz",
    "1",
    "o",
    "de",
    "morbus 7",
    "diseases skin",
    "alle",
)


def large_catalogue(count: int) -> Catalogue:
    """Return a catalogue of ``count`` flags with labels in three languages and synonyms, in a tree of groups."""
    groups = [Group("all", Label("All diseases", "Toutes les maladies", "Alle Krankheiten"))]
    groups += [
        Group(f"group:{place}", Label(f"Diseases of the {part}", f"Organe {part}", f"Organ {part}"), ("all",))
        for place, part in enumerate(PARTS)
    ]
    made = []
    for place in range(count):
        words = f"{WORDS[place % 10]} {WORDS[place // 10 % 10]} of {PARTS[place // 100 % 12]} {place}"
        label = Label(words.capitalize(), f"Maladie {words}", f"Krankheit {words}")
        code = f"{chr(65 + place % 26)}{place // 26 % 100:02}.{place}"
        parents, synonyms = (f"group:{place // 100 % 12}",), (f"morbus {place % 1000}", f"syndrome {words}")
        made.append(
            Variable(
                f"ICD10:{code}", Kind.FLAG, label, parents=parents, synonyms=synonyms, system="ICD-10", system_code=code
            )
        )
    return Catalogue("Large", 1, tuple(made), tuple(groups))


def main() -> None:
    """Print the seconds of one processor for the index, the slowest search, then for writing and comparing."""
    start = time.process_time()
    catalogue = large_catalogue(100_000)
    print(f"100,000 variables made: {time.process_time() - start:.2f} s")
    start = time.process_time()
    search = Search(catalogue)
    print(f"index: {time.process_time() - start:.2f} s")
    slowest = 0.0
    for typed in TYPED:
        for among in (None, frozenset(range(0, 100_000, 10_000)), frozenset(range(0, 100_000, 2))):
            start = time.process_time()
            found = search.find(typed, among=among)
            taken = (time.process_time() - start) * 1000
            slowest = max(slowest, taken)
            print(f"  {typed!r}: {len(found)} found in {taken:.1f} ms")
    print(f"slowest search: {slowest:.1f} ms (wanted: under 50)")
    for name, work in (
        ("canonical bytes", catalogue.to_cbor),
        ("readable file", lambda: format_catalogue(catalogue)),
        ("differences from itself", lambda: differences(catalogue, catalogue)),
    ):
        start = time.process_time()
        work()
        print(f"{name}: {time.process_time() - start:.2f} s")


if __name__ == "__main__":
    main()
