"""The six words: the same on both sides, other ones for anything that differs."""

from __future__ import annotations

import pytest

from app.core.errors import UserError
from app.core.federation.six_words import binding, check_words, six_words

FEDERATION, CREATOR, INVITED, NONCE = (bytes([n]) * 32 for n in range(1, 5))
BOUND = binding(FEDERATION, CREATOR, INVITED, NONCE)


def test_the_words_of_these_keys_stay_the_same() -> None:
    assert six_words(bytes(32)) == ("abandon",) * 6
    assert six_words(bytes([255]) * 32) == ("zoo",) * 6
    assert " ".join(six_words(BOUND)) == "quiz tiny sniff rain shove dragon"


def test_anything_that_differs_gives_other_words() -> None:
    other = bytes(32)
    differing = [
        binding(other, CREATOR, INVITED, NONCE),
        binding(FEDERATION, other, INVITED, NONCE),
        binding(FEDERATION, CREATOR, other, NONCE),
        binding(FEDERATION, CREATOR, INVITED, other),
        binding(FEDERATION, INVITED, CREATOR, NONCE),
    ]
    assert len({six_words(each) for each in [BOUND, *differing]}) == 6


def test_each_word_counts() -> None:
    words = list(six_words(BOUND))
    check_words(" ".join(words), BOUND, "B")
    for place in range(6):
        wrong = [*words[:place], "zebra", *words[place + 1 :]]
        with pytest.raises(UserError, match=r"joining\.words_differ"):
            check_words(" ".join(wrong), BOUND, "B")
