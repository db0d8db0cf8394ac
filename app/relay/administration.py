"""What the relay's administrator does beside it, while it runs or not."""

from __future__ import annotations

import os
from pathlib import Path

from app.core.errors import EnvironmentProblem, UserError
from app.relay.database import FILE, connect
from app.relay.membership import new_code

_DAY = 24 * 3600 * 1000


def issue_code(directory: Path, *, days: int, now: int) -> str:
    """Return a new code with which one federation can be founded within ``days``; the relay keeps only its hash.

    Raises EnvironmentProblem ``relay.not_set_up`` if no relay was ever started on ``directory``; UserError as ``own``.
    """
    if not (directory / FILE).is_file():
        raise EnvironmentProblem("relay.not_set_up", path=str(directory))
    own(directory)
    connection = connect(directory)
    try:
        return new_code(connection, now=now, expires=now + days * _DAY)
    finally:
        connection.close()


def own(directory: Path) -> None:
    """See to it that root does not leave files that the relay's own account cannot open.

    Raises UserError ``relay.other_owner`` naming the account that owns ``directory``.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or (owner := directory.stat().st_uid) == 0:
        return
    import pwd  # noqa: PLC0415 - there is none on Windows

    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    raise UserError("relay.other_owner", path=str(directory), account=name)
