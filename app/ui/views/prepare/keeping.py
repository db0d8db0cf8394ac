"""Keeping the mapping beside its package, so that the next dataset begins with it."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from app.core.files import write_atomic
from app.core.preparation.mapping_changes import seen_path
from app.core.preparation.mapping_text import mapping_text
from app.ui.preferences import Preferences
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.remembered import remember

SUFFIX = ".mapping.toml"


def keep_mapping(preparation: Preparation, preferences: Preferences) -> str:
    """Write the mapping beside the package, remember it, and return its path. Raises EnvironmentProblem."""
    output = Path(preparation.draft.output)
    path = output.with_name(output.stem + SUFFIX)
    kept = _moved(preparation.mapping, path.parent)
    confirmed = list(dict.fromkeys([*kept.get("confirmed", []), *preparation.draft.confirmed]))
    if confirmed:
        kept["confirmed"] = confirmed
    write_atomic(path, mapping_text(kept).encode())
    seen = seen_path(preparation.drawer.mapping)
    if seen.exists():  # what was met: it lies beside the mapping, so that next time tells what has changed
        write_atomic(seen_path(path), seen.read_bytes())
        seen.unlink()
    remember(preferences, str(path))
    return str(path)


def _moved(mapping: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the mapping with its files as a mapping file in ``folder`` names them: relative where they lie below."""
    moved = copy.deepcopy(mapping)
    for source in moved.get("sources", {}).values():
        source["files"] = [_relative(Path(file), folder) for file in source.get("files", ())]
    return moved


def _relative(file: Path, folder: Path) -> str:
    try:
        below = os.path.relpath(file, folder)
    except ValueError:  # on another drive
        return str(file)
    return str(file) if below.startswith("..") else Path(below).as_posix()
