"""The log: one JSON object a line, in a file that rotates, with nothing secret in it.

Nothing is written before :func:`write_to` names a directory, and no file is made before the first line.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from app.core.errors import ConsiliumError
from app.core.files import private_directory
from app.core.secret import SecretBytes

FILE_NAME = "consilium.log"
FILE_BYTES = 1_000_000
FILES_KEPT = 5

_root = logging.getLogger("consilium")
_root.setLevel(logging.INFO)
_root.propagate = False
_root.addHandler(logging.NullHandler())


def logger(area: str) -> FilteringBoundLogger:
    """Return the logger of one area: ``logger("store").info("opened", version=3)``."""
    return cast(
        FilteringBoundLogger,
        structlog.wrap_logger(
            _root.getChild(area),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            area=area,
        ),
    )


def write_to(directory: Path) -> None:
    """Write the log to ``directory`` from now on; it is created with the first line."""
    for handler in _root.handlers[:]:
        _root.removeHandler(handler)
        handler.close()
    _root.addHandler(_PrivateFile(directory / FILE_NAME))


def location() -> Path | None:
    """Return the file that the log is written to, if any."""
    return next((Path(each.baseFilename) for each in _root.handlers if isinstance(each, _PrivateFile)), None)


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace what may be secret: a structlog processor. Bytes become their length, objects their type."""
    return {name: _safe(value) for name, value in event.items()}


def places(error: BaseException) -> list[str]:
    """Return where ``error`` and its causes came from: types, files and lines, without any value."""
    found: list[str] = []
    current: BaseException | None = error
    while current is not None:
        found.append(type(current).__name__)
        found += [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(current.__traceback__)]
        current = current.__cause__ or current.__context__
    return found


def _safe(value: object) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case SecretBytes() | bytes() | bytearray():
            return f"<{len(value)} bytes>"
        case Path() | ConsiliumError():  # whose own words are safe
            return str(value)
        case Mapping():
            return {str(key): _safe(item) for key, item in value.items()}
        case list() | tuple():
            return [_safe(item) for item in value]
        case _:
            return f"<{type(value).__name__}>"


class _PrivateFile(RotatingFileHandler):
    """A rotating file for this user only. A log that cannot be written never stops the work it tells of."""

    def __init__(self, path: Path) -> None:
        self._ended = False
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, unless this is closed: a line on its way in another thread would open the file again."""
        if not self._ended:
            super().emit(record)

    def close(self) -> None:
        """End; the lock keeps a line that is being written whole."""
        with self.lock or nullcontext():
            self._ended = True
            super().close()

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        private_directory(path.parent)
        return open(path, "a", encoding=self.encoding, opener=lambda name, flags: os.open(name, flags, 0o600))

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""
