"""Numbers as words and back."""

from __future__ import annotations

from app.core.crypto.word_list import all_words, to_words, typed_words, word_number


def test_every_word_is_its_number() -> None:
    assert len(all_words()) == 2048
    assert [word_number(word) for word in all_words()] == list(range(2048))
    assert [word_number(word[:4]) for word in all_words()] == list(range(2048))


def test_a_number_is_cut_into_words_from_its_top() -> None:
    assert to_words(1 << 11 | 2, 2) == (all_words()[1], all_words()[2])
    assert to_words(0, 3) == ("abandon",) * 3


def test_what_is_not_a_word() -> None:
    assert word_number("") is None
    assert word_number("aban") == 0
    assert word_number("abanx") is None
    assert word_number("aba") is None
    assert word_number("Abandon") is None, "case-folded words only: typed_words does that"


def test_words_are_separated_by_anything_that_is_no_letter() -> None:
    assert typed_words("1. ABANDON, 2) ability\n3:able_about") == ("abandon", "ability", "able", "about")
