"""The files of a mapping, or files that were just chosen, staged in an engine that goes away with all it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.mapping_reading import is_source_name
from app.core.preparation.reading import files_of
from app.core.preparation.sources.detecting import detect
from app.core.preparation.sources.source import Settings, Staged
from app.core.preparation.sources.staging import stage

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_MOST_LETTERS = 40

Files = Mapping[str, tuple[Path, ...]]
"""Files by the name of their source."""


@dataclass(frozen=True)
class Staging:
    """What was staged, in the order in which it was named."""

    engine: Engine
    sources: tuple[Staged, ...]


def chosen_sources(chosen: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Return the files that ``[NAME=]PATH`` texts name; a name that is not said is made of the file's."""
    files: dict[str, tuple[Path, ...]] = {}
    for text in chosen:
        name, equals, path = text.partition("=")
        if not equals or not is_source_name(name) or Path(text).exists():
            name, path = _name(Path(text), files), text
        files[name] = (*files.get(name, ()), Path(path))
    return files


def _name(path: Path, taken: Mapping[str, object]) -> str:
    """Return a name for a source that a mapping can use: letters, digits and _, a letter first."""
    base = _NOT_IN_NAMES.sub("_", path.resolve().stem).strip("_")[: _MOST_LETTERS - 3]
    base = base if is_source_name(base) else f"source_{base}".strip("_")
    name, number = base, 1
    while name.lower() in {each.lower() for each in taken}:
        number += 1
        name = f"{base}_{number}"
    return name


def found_settings(files: Sequence[Path]) -> Settings:
    """Return how files that nothing is known of are read. Raises UserError ``sources.*``; EnvironmentProblem."""
    absolute = tuple(each.absolute() for each in files)
    return replace(detect(absolute[0]), files=absolute) if len(absolute) > 1 else detect(absolute[0])


@contextmanager
def staged(settings: Mapping[str, Settings], job: Job) -> Iterator[Staging]:
    """Stage sources by name. Raises UserError ``sources.*``, ``clinical.*``; EnvironmentProblem; Cancelled."""
    reads = files_of(settings.values())
    for path in reads:
        if not (path.is_file() or path.is_dir()):  # a pipe or a device would never end
            raise EnvironmentProblem("file.not_found", path=str(path))
    if not settings:
        raise UserError("preparing.no_sources")
    with Engine(reads) as engine:
        yield Staging(engine, tuple(stage(engine, name, each, job) for name, each in settings.items()))
