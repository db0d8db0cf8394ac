"""Text for people, in their language: what an error code means, and what the commands say.

The sentences lie in ``resources/translations/<area>.<language>.toml``, one table a key: an error has
``what``, ``next`` and perhaps ``safe``; any other text has ``text``. Names in braces are the parameters.
"""

from __future__ import annotations

import locale
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from app.core.errors import Bug, ConsiliumError
from app.core.paths import resource

LANGUAGES = ("en", "fr", "de")
Entry = Mapping[str, str]

_DOES_NOT_FIT = (KeyError, IndexError, ValueError, AttributeError)  # what formatting with wrong parameters raises


@dataclass(frozen=True)
class Explanation:
    """An error in sentences: what happened, whether data is safe (may be empty), what to do next (may be empty)."""

    what: str
    safe: str = ""
    next: str = ""


def explain(error: ConsiliumError, language: str | None = None) -> Explanation:
    """Return what ``error`` means. Never fails: an unknown code is shown as it is, with its parameters.

    Bugs need no sentences of their own: nobody can foresee what to say about them.
    """
    params = {"code": error.code, **error.params}
    for key in (error.code, "house.bug") if isinstance(error, Bug) else (error.code,):
        for entry in _candidates(key, language):
            try:
                return Explanation(
                    *(entry.get(part, "").format_map(params).strip() for part in ("what", "safe", "next"))
                )
            except _DOES_NOT_FIT:  # try English, then the code itself
                continue
    return Explanation(str(error))


def explain_code(code: str, language: str | None = None, params: Mapping[str, object] | None = None) -> str:
    """Return what an error is about as another site tells it, with "…" for the parameters that it does not tell.

    Where it tells by which rule of which version it refuses, that is said too.
    """
    for entry in _candidates(code, language):
        if "what" in entry:
            said = entry["what"].format_map(_Unknown(params or {}))
            return " ".join(filter(None, (said, _rule(params or {}, language))))
    return code


_TOLD = {"others": "…", "least": "…", "epsilon": "…", "most": "…", "variable": "…", "level": ""}
"""What the sentences about a rule name; its refusal may tell less."""
_LIMITS = ("others", "epsilon", "min_patients", "never", "smallest")


def _rule(params: Mapping[str, object], language: str | None) -> str:
    """Return whose rule it was, of which version, and what it asks for; empty if no rule is told."""
    if "rule" not in params:
        return ""
    source = params.get("source") if params.get("source") in ("managed", "default") else "site"
    said = text(f"policy.told.by_{source}", language, version=params.get("version", "…"))
    if (rule := params["rule"]) in _LIMITS:
        known = {name: params.get(name, unknown) for name, unknown in _TOLD.items()}
        said += " " + text(f"policy.told.{rule}", language, **known).strip()
    return f"({said.strip()})"


class _Unknown(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "…"


def text(key: str, /, language: str | None = None, **params: object) -> str:
    """Return the text ``key`` with ``params`` filled in; the key and its parameters if there is no such text."""
    for entry in _candidates(key, language):
        try:
            return entry["text"].format_map(params)
        except _DOES_NOT_FIT:
            continue
    return " ".join([key, *(f"{name}={value}" for name, value in params.items())])


_chosen: list[str] = []


def use_language(language: str | None) -> None:
    """Speak ``language`` from now on, whatever the system says; None goes back to the system's."""
    _chosen[:] = [] if language is None else [language]


def preferred_language() -> str:
    """Return the chosen language, else that of CONSILIUM_LANGUAGE, else the system locale's, else English."""
    if _chosen:
        return _chosen[0]
    wishes = [os.environ.get(name) for name in ("CONSILIUM_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    for wish in (*wishes, locale.getlocale()[0]):
        if wish:
            # Windows says "German_Germany": normalize() knows its first word, as it knows "de"
            language = locale.normalize(wish.split("_")[0].split(".")[0])[:2].lower()
            return language if language in LANGUAGES else "en"
    return "en"


@cache
def entries(language: str) -> dict[str, dict[str, str]]:
    """Return every entry of ``language`` by key. Raises Bug if two files hold the same key."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(resource("translations").glob(f"*.{language}.toml")):
        with open(path, "rb") as file:
            loaded = tomllib.load(file)
        for key in loaded.keys() & found.keys():
            raise Bug("house.text_twice", key=key, file=path.name)
        found |= loaded
    return found


def _candidates(key: str, language: str | None) -> Iterable[Entry]:
    for each in dict.fromkeys([language or preferred_language(), "en"]):
        if entry := entries(each).get(key):
            yield entry
