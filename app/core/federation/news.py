"""What sites tell each other of themselves once the federation is ready: their program, and that they have a backup.

``site.news`` {"number", "program", "backed_up": UTC milliseconds of the latest backup, 0 for none}, in the session
:func:`session_of` of the roster. The one with the highest number counts; a new one is sent when something has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.federation.joining_messages import THIS_PROGRAM, Program
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Reader
from app.core.federation.roster import Roster
from app.core.fields import Fields

NEWS = "site.news"
_MOST = 1 << 53


@dataclass(frozen=True)
class News:
    """A site's news; ``backed_up`` is when its keys were last written down, 0 for never."""

    number: int
    program: Program
    backed_up: int


def _read(body: Any, roster: Roster) -> News:
    fields = Fields(body, "news.malformed")
    program = Program.from_plain(fields.any("program"))
    news = News(fields.number("number", 1, _MOST), program, fields.number("backed_up", 0, _MOST))
    fields.done()
    return news


MESSAGE_TYPES: Mapping[str, Reader] = {NEWS: _read}


def session_of(roster: Roster) -> bytes:
    """Return the session of a roster's news."""
    return codec.digest(["consilium news v1", roster.hash])


def announce(site: LocalSite, mailroom: Mailroom) -> None:
    """Queue this site's news if they differ from what it has said before."""
    last = site.profile.backups.last()
    backed_up = 0 if last is None else last[0]
    said = heard(site, mailroom).get(site.position)
    if said is not None and (said.program, said.backed_up) == (THIS_PROGRAM, backed_up):
        return
    number = 1 if said is None else said.number + 1
    body = {"number": number, "program": THIS_PROGRAM.to_plain(), "backed_up": backed_up}
    with site.profile.database.atomic():
        mailroom.post(NEWS, session_of(site.roster), body)


def heard(site: LocalSite, mailroom: Mailroom) -> dict[int, News]:
    """Return every site's latest news by position, as far as they have come."""
    latest: dict[int, News] = {}
    for sender, news in mailroom.heard(session_of(site.roster), NEWS):
        if sender not in latest or news.number > latest[sender].number:
            latest[sender] = news
    return latest
