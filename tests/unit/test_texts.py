"""Every sentence that the program can say exists in every language, fits its parameters, and is said somewhere."""

from __future__ import annotations

import ast
import fnmatch
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import app
from app import texts
from app.core import errors
from app.core.errors import Bug, EnvironmentProblem, UserError
from app.texts import Explanation, explain, text

SOURCES = sorted(Path(app.__file__).parent.rglob("*.py"))
SAYS_TEXT = frozenset({"text", "Waiting"})
PARTS = {"what", "safe", "next"}
KEY = re.compile(r"[a-z0-9_*]+(\.[a-z0-9_*]+)+")


@dataclass(frozen=True)
class Use:
    """One call that names a key: which, with what parameters (None: not known here), and where."""

    key: str
    kind: str
    params: frozenset[str] | None
    place: str


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}


@cache
def error_kinds() -> frozenset[str]:
    """The names of the error classes: those of the family, and those that any module derives from them."""
    kinds = {name for name, value in vars(errors).items() if isinstance(value, type)}
    classes = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while derived := {
        each.name for each in classes if each.name not in kinds and {name_of(base) for base in each.bases} & kinds
    }:
        kinds |= derived
    return frozenset(kinds)


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@cache
def uses() -> tuple[Use, ...]:
    """Every call that names a key: of an error class, of ``Waiting``, of ``text``; once for each key it can name."""
    found = []
    for path, tree in trees().items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and call.args and (kind := name_of(call.func).strip("_")) in kinds():
                for key in literals(call.args[0]):
                    if KEY.fullmatch(key):
                        found.append(Use(key, kind, params(call), f"{path.parent.name}/{path.name}:{call.lineno}"))
    return tuple(found)


def kinds() -> frozenset[str]:
    return error_kinds() | SAYS_TEXT


def params(call: ast.Call) -> frozenset[str] | None:
    given = {keyword.arg for keyword in call.keywords} - {"language"}
    return None if None in given else frozenset(filter(None, given))


@cache
def added_on_the_way(area: str) -> frozenset[str]:
    """What a package adds to errors that pass through it: ``UserError(error.code, **error.params, line=1)``."""
    return frozenset(
        keyword.arg
        for path, tree in trees().items()
        for call in ast.walk(tree)
        if path.parent.name == area and isinstance(call, ast.Call) and name_of(call.func) in error_kinds()
        if call.args and not list(literals(call.args[0])) and params(call) is None
        for keyword in call.keywords
        if keyword.arg
    )


def literals(node: ast.expr) -> Iterator[str]:
    """The keys that an argument can be; one put together from parts is any English key of that shape."""
    match node:
        case ast.Constant(value=str(key)):
            yield key
        case ast.JoinedStr():
            parts = (each.value if isinstance(each, ast.Constant) else "*" for each in node.values)
            shape = "".join(map(str, parts))
            yield from fnmatch.filter(texts.entries("en"), shape) or [shape]
        case ast.IfExp():
            yield from literals(node.body)
            yield from literals(node.orelse)


def placeholders(entry: dict[str, str]) -> set[str]:
    return {name for value in entry.values() for _, name, _, _ in string.Formatter().parse(value) if name is not None}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_key_that_the_program_uses_has_its_sentences(language: str) -> None:
    entries = texts.entries(language)
    missing = []
    for use in uses():
        part = "text" if use.kind in SAYS_TEXT else "what"
        if use.kind != Bug.__name__ and part not in entries.get(use.key, {}):
            missing.append(f"{use.key} ({use.place})")
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_placeholder_is_given_wherever_the_key_is_used(language: str) -> None:
    entries = texts.entries(language)
    wrong = [
        f"{use.key} wants {sorted(lacking)} ({use.place})"
        for use in uses()
        if use.params is not None and (lacking := placeholders(entries.get(use.key, {})) - use.params)
        if lacking - added_on_the_way(use.place.split("/")[0])
    ]
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_languages_hold_the_same_keys_parts_and_placeholders(language: str) -> None:
    english, other = texts.entries("en"), texts.entries(language)
    assert english.keys() == other.keys()
    for key, entry in english.items():
        assert entry.keys() == other[key].keys(), key
        assert placeholders(entry) == placeholders(other[key]), key
        assert entry.keys() == {"text"} or {"what"} <= entry.keys() <= PARTS, key
        assert all(value.strip() for value in other[key].values()), key


def test_no_entry_is_left_over() -> None:
    written = {
        node.value
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not texts.entries("en").keys() - written - {use.key for use in uses()} - {"house.bug"}


def test_an_error_is_explained_in_the_language_asked_for() -> None:
    error = EnvironmentProblem("disk.full", path="/data")
    assert explain(error, "en").what == "The disk is full: /data could not be written."
    assert explain(error, "de").what.startswith("Der Datenträger ist voll: /data")
    assert explain(error, "fr").what.startswith("Le disque est plein : /data")
    assert explain(error, "it") == explain(error, "en")


def test_an_error_without_sentences_still_says_what_it_knows() -> None:
    assert explain(UserError("no.such_code", row=3)) == Explanation("no.such_code(row=3)")
    assert explain(EnvironmentProblem("disk.full")) == Explanation("disk.full()")
    assert explain(Bug("no.such_code", row=3), "en").what == "The program has made a mistake (no.such_code)."


def test_a_text_that_does_not_exist_is_its_key() -> None:
    assert text("no.such_text", n=2) == "no.such_text n=2"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"CONSILIUM_LANGUAGE": "fr", "LANG": "de_CH.UTF-8"}, "fr"),
        ({"LC_ALL": "de_CH.UTF-8", "LANG": "fr_CH.UTF-8"}, "de"),
        ({"LANG": "fr_CH.UTF-8"}, "fr"),
        ({"LANG": "German_Switzerland.1252"}, "de"),
        ({"LANG": "ja_JP.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_systems(
    environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONSILIUM_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert texts.preferred_language() == language
