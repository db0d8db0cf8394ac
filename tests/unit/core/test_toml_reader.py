"""TOML from outside: what would take all memory, all time or the reader itself is an error like any other."""

import pytest

from app.core.toml_reader import parse_toml


@pytest.mark.parametrize(
    "text",
    [
        "x = ",
        "x = " + "[" * 100_000,
        "x = " + "{a = " * 100_000,
        "x = " + "9" * 100_000,
        ".".join("a" * 50_000) + " = 1",
        "[" + " . ".join(['"a"'] * 50_000) + "]",
        "x = { " + ".".join("a" * 50_000) + " = 1 }",
    ],
)
def test_what_cannot_be_read_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what the caller makes an error of its own of
        parse_toml(text)


def test_numbers_and_sentences_have_all_the_dots_they_need() -> None:
    numbers = [place / 10 for place in range(1_000)]
    assert parse_toml(f"x = {numbers}\ny = '{'One. Two. ' * 40}'")["x"] == numbers
