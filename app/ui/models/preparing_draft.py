"""What the wizard keeps while a dataset is being prepared: where things lie and what was decided, no patient's data."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app.core.errors import ConsiliumError
from app.core.files import private_directory, read_limited, write_atomic

_DRAFT, _MAPPING = "draft.json", "draft.toml"
_LIMIT = 16 << 20
_STEPS = 7


@dataclass(frozen=True)
class Draft:
    """What was decided. ``own`` says that the federation is this computer's; paths are texts, empty for none yet.

    ``mapping`` is the text of the mapping file as it stands, ``mapping_file`` where it was taken from and is kept.
    """

    federation: str = ""
    own: bool = False
    site: str = ""
    mapping: str = ""
    mapping_file: str = ""
    confirmed: tuple[str, ...] = ()
    residues: int = 0
    output: str = ""
    recontact: str = ""
    skip_bad_rows: bool = False
    sealing: bool = False
    step: int = 0

    @property
    def begun(self) -> bool:
        """Whether there is anything to go on with."""
        return bool(self.mapping)


class Drawer:
    """The directory of the draft. Nobody but the person at this computer can read it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def mapping(self) -> Path:
        """The file in which commands find the mapping as it stands."""
        return self.directory / _MAPPING

    @property
    def federation(self) -> Path:
        """The file for this computer's own federation."""
        return self.directory / "federation.public"

    def make(self) -> Drawer:
        """Make the directory. Raises EnvironmentProblem."""
        private_directory(self.directory)
        return self

    def load(self) -> Draft:
        """Return what was kept; an empty draft if there is none that can be read."""
        with suppress(ConsiliumError, ValueError, TypeError, AttributeError):  # nothing but settings is lost
            return _read(json.loads(read_limited(self.directory / _DRAFT, _LIMIT)))
        return Draft()

    def save(self, draft: Draft) -> None:
        """Keep a draft. Raises EnvironmentProblem ``disk.*``, ``file.*``."""
        self.make()
        write_atomic(self.directory / _DRAFT, json.dumps(asdict(draft), ensure_ascii=False).encode())
        if draft.mapping:
            write_atomic(self.mapping, draft.mapping.encode())

    def clear(self) -> None:
        """Keep nothing any longer."""
        for path in self.directory.glob("*"):
            path.unlink(missing_ok=True)


def _read(plain: dict[str, Any]) -> Draft:
    known: dict[str, Any] = {}
    for each in fields(Draft):
        value = plain.get(each.name)
        known[each.name] = tuple(map(str, value)) if isinstance(value, list) else value
    draft = Draft(**{name: value for name, value in known.items() if value is not None})
    for each in fields(Draft):
        if type(getattr(draft, each.name)) is not type(each.default):
            return Draft()
    return draft if 0 <= draft.step < _STEPS else Draft()
