"""What the relay's administrator does beside it, while it runs or not."""

from __future__ import annotations

from pathlib import Path

from app.core.errors import EnvironmentProblem
from app.relay.database import FILE, connect
from app.relay.membership import new_code

_DAY = 24 * 3600 * 1000


def issue_code(directory: Path, *, days: int, now: int) -> str:
    """Return a new code with which one federation can be founded within ``days``; the relay keeps only its hash.

    Raises EnvironmentProblem ``relay.not_set_up`` if no relay was ever started on ``directory``.
    """
    if not (directory / FILE).is_file():
        raise EnvironmentProblem("relay.not_set_up", path=str(directory))
    connection = connect(directory)
    try:
        return new_code(connection, now=now, expires=now + days * _DAY)
    finally:
        connection.close()
