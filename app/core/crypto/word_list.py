"""Numbers as words that people write down and read out: the English list of BIP-39.

It has 2048 words, so a word is 11 bits; they differ in their first four letters, which are enough when typing.
"""

from __future__ import annotations

import re
from functools import cache

from mnemonic import Mnemonic

WORD_BITS = 11
LEAST_LETTERS = 4


@cache
def all_words() -> tuple[str, ...]:
    """Return the list."""
    return tuple(Mnemonic("english").wordlist)


def to_words(number: int, count: int) -> tuple[str, ...]:
    """Return the lowest ``count`` · 11 bits of ``number`` as words, highest first."""
    return tuple(all_words()[number >> WORD_BITS * place & 0x7FF] for place in reversed(range(count)))


def typed_words(text: str) -> tuple[str, ...]:
    """Return the runs of letters, case-folded: numbers, dots, commas and line breaks only separate."""
    return tuple(re.findall(r"[^\W\d_]+", text.casefold()))


def word_number(word: str) -> int | None:
    """Return the number (0 … 2047) of a case-folded word, or of its first letters (four or more), or None."""
    number = _numbers().get(word)
    if number is None and len(word) >= LEAST_LETTERS:
        candidate = _numbers().get(word[:LEAST_LETTERS])
        if candidate is not None and all_words()[candidate].startswith(word):
            return candidate
    return number


@cache
def _numbers() -> dict[str, int]:
    """Every word, and its first four letters, with its number."""
    numbers = {word[:LEAST_LETTERS]: number for number, word in enumerate(all_words())}
    return numbers | {word: number for number, word in enumerate(all_words())}
