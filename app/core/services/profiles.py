"""Which profiles there are on this workstation, and who has them open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core import codec
from app.core.errors import EnvironmentProblem
from app.core.federation import ceremony
from app.core.federation.roster import LIMIT, Roster
from app.core.services.local_socket import Greeting, reach
from app.core.services.profile import PRETEND
from app.core.store.peek import holds_profile, peek

NEW, JOINING, UNREADABLE = "new", "joining", "unreadable"


@dataclass(frozen=True)
class Found:
    """A profile. ``state``: new, joining, running (the ceremony), failed (the ceremony), ready, unreadable.

    ``owner`` is who serves its socket; ``problem`` the code of why the profile or its owner cannot be asked;
    ``pretend`` whether this is a pretend hospital.
    """

    directory: Path
    site: str
    federation: str
    state: str
    owner: Greeting | None
    problem: str
    pretend: bool = False


def find_profiles(default: Path, given: Iterable[Path] = ()) -> Iterator[Found]:
    """Yield the profiles below ``default``, and those that the directories ``given`` are or hold; each once."""
    seen = set()
    for base in (default, *given):
        below = sorted(base.iterdir()) if base.is_dir() else []
        for directory in (base, *below):
            if holds_profile(directory) and (place := directory.resolve()) not in seen:
                seen.add(place)
                yield look_at(directory)


def look_at(directory: Path) -> Found:
    """Return what can be said of the profile in ``directory`` without opening it."""
    owner, problem = None, ""
    try:
        if (reached := reach(directory)) is not None:
            channel, owner = reached
            channel.release()
    except EnvironmentProblem as error:
        problem = error.code
    try:
        found = peek(directory, kind=ceremony.KIND)
    except EnvironmentProblem as error:
        return Found(directory, "", "", UNREADABLE, owner, error.code)
    stored = found.settings.get("roster")
    roster = None if stored is None else Roster.from_plain(codec.decode(stored, LIMIT))
    if roster is not None:
        state = found.sessions.get(roster.ceremony, ceremony.RUNNING)
    else:
        state = JOINING if "joining relay" in found.settings else NEW
    site = found.settings.get("site name", b"").decode()
    federation = "" if roster is None else roster.name
    return Found(directory, site, federation, state, owner, problem, PRETEND in found.settings)
