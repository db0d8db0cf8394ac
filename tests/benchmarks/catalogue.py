"""How long the catalogue's search takes at 100,000 variables: ``python -m tests.benchmarks.catalogue``."""

from __future__ import annotations

import time

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.search import Search

WORDS = ("malignant", "benign", "chronic", "acute", "left", "right", "neoplasm", "fracture", "infection", "disorder")
PARTS = ("skin", "lung", "breast", "liver", "kidney", "heart", "brain", "bone", "eye", "ear", "hand", "foot")
TYPED = ("m", "ma", "mal", "malignant", "malignant l", "c", "icd10:c4", "C43", "skin chronic", "zzz", "1", "o", "de")


def large_catalogue(count: int) -> Catalogue:
    """Return a catalogue of ``count`` flags with labels in three languages."""
    made = []
    for place in range(count):
        words = f"{WORDS[place % 10]} {WORDS[place // 10 % 10]} of {PARTS[place // 100 % 12]} {place}"
        label = Label(words.capitalize(), f"Maladie {words}", f"Krankheit {words}")
        made.append(Variable(f"ICD10:{chr(65 + place % 26)}{place // 26 % 100:02}.{place}", Kind.FLAG, label))
    return Catalogue("Large", 1, tuple(made))


def main() -> None:
    """Print the seconds for the index and the slowest search."""
    catalogue = large_catalogue(100_000)
    start = time.perf_counter()
    search = Search(catalogue)
    print(f"index of 100,000 variables: {time.perf_counter() - start:.2f} s")
    slowest = 0.0
    for typed in TYPED:
        for among in (None, frozenset(range(0, 100_000, 10_000)), frozenset(range(0, 100_000, 2))):
            start = time.perf_counter()
            found = search.find(typed, among=among)
            taken = (time.perf_counter() - start) * 1000
            slowest = max(slowest, taken)
            print(f"  {typed!r}: {len(found)} found in {taken:.1f} ms")
    print(f"slowest search: {slowest:.1f} ms (wanted: under 50)")


if __name__ == "__main__":
    main()
