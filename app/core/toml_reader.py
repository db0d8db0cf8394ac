"""TOML from outside: the standard library's reader, kept from texts that would take all the memory there is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

MOST_DOTS = 100
"""Names of one key: each more costs the reader more than the one before."""
_BETWEEN = re.compile(r"[,=\[\]{}\n]")


def parse_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return what a TOML document says. Raises ValueError, whose text says why it is none that can be read."""
    if any(part.count(".") > MOST_DOTS for part in _BETWEEN.split(text)):
        raise ValueError(f"more than {MOST_DOTS} dots in one key")
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except RecursionError as error:
        raise ValueError(str(error)) from error
